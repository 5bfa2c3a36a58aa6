//! Where the program remembers: can it be reached, read and locked, without writing anything.

use super::Patient;
use super::google::Google;
use crate::adapters::google::Scope;
use crate::adapters::sqlite::{self, Examined};
use crate::config;
use crate::report::checks::Check;

const CHECK: &str = "state";

/// Looks at the state.
pub async fn check(patient: &Patient<'_>, google: &Google) -> Check {
    match &patient.loaded.config.state {
        config::State::Sqlite { path } => {
            let path = patient.loaded.path(path);
            let subject = format!("state {}", path.display());
            match sqlite::examine(&path) {
                Ok(Examined::Absent) => Check::ok(CHECK, subject, "is not there yet; the first run makes it"),
                Ok(Examined::Free) => {
                    Check::ok(CHECK, subject, "can be read, written and locked; nothing was written")
                }
                Ok(Examined::InUse) => Check::ok(CHECK, subject, "can be written; a run is active now"),
                Err(error) => Check::failed(CHECK, subject, &error),
            }
        }
        config::State::Firestore { project, database } => {
            firestore(patient, google, project.as_deref(), database).await
        }
    }
}

/// The right to write is not proved: a commit without writes needs less.
async fn firestore(patient: &Patient<'_>, google: &Google, project: Option<&str>, database: &str) -> Check {
    let loaded = patient.loaded;
    let named = loaded.firestore_project(project).unwrap_or_else(|| "?".to_owned());
    let subject = format!("state in the Firestore database {database} of project {named}");
    if loaded.config.endpoints.firestore.is_none() && !google.has(Scope::Firestore) {
        return Check::skipped(CHECK, subject, "there is no Google token for Firestore");
    }
    let store = match loaded.firestore(project, database) {
        Ok(store) => store,
        Err(ended) => return Check::failed(CHECK, subject, &ended),
    };
    match store.probe().await {
        Ok(()) => {
            let found = "a transaction can be begun and read in; nothing was written, so the right to write is not \
                         proved";
            Check::ok(CHECK, subject, found).with_fix(format!(
                "gcloud projects get-iam-policy {named} --flatten='bindings[].members' \
                 --filter=bindings.role:roles/datastore.user --format='value(bindings.members)'"
            ))
        }
        Err(error) => Check::failed(CHECK, subject, &error),
    }
}
