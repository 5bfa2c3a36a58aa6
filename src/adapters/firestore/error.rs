//! Firestore's answers in words: what was asked, of which database, what it said, and what to do.

use tonic::{Code, Status};

use super::names::Names;
use crate::adapters::redact;
use crate::domain::plain;
use crate::ports::{Effect, PortError, StateError};

/// The longest part of a status that is shown, in characters. One of our own, about a token, comes with its fix.
const LONGEST_MESSAGE: usize = 1_500;

/// A call that failed for good. `verb` says what was tried, as in "read" or "write to".
pub fn failed(names: &Names, verb: &str, status: &Status, effect: Effect) -> StateError {
    let what = format!(
        "can't {verb} the state: the Firestore database {} of project {} answered {:?}: {}",
        names.name(),
        names.project(),
        status.code(),
        redact::redacted(&plain::cut(&plain::text(status.message()), LONGEST_MESSAGE))
    );
    StateError::Failed(PortError { effect, ..PortError::new(what, fix(names, status)) })
}

/// A document that this program can't read. Nothing is written where one is met.
pub fn unreadable(names: &Names, document: &str, problem: &str) -> StateError {
    StateError::Unreadable(PortError::new(
        format!(
            "the document {} of the Firestore database {} (project {}) holds something unreadable: {problem}",
            names.short(document),
            names.name(),
            names.project()
        ),
        "nothing was overwritten; use the tidegate that wrote it, or correct or delete the document in the console",
    ))
}

fn fix(names: &Names, status: &Status) -> String {
    let (project, database) = (names.project(), names.name());
    match status.code() {
        Code::PermissionDenied if status.message().contains("disabled") => {
            format!("gcloud services enable firestore.googleapis.com --project={project}")
        }
        Code::PermissionDenied => format!(
            "give the account that runs tidegate the role roles/datastore.user: gcloud projects \
             add-iam-policy-binding {project} --member=serviceAccount:ACCOUNT --role=roles/datastore.user"
        ),
        Code::NotFound => format!(
            "create the database: gcloud firestore databases create --project={project} --database={database} \
             --location=LOCATION, or correct [state] project and database"
        ),
        Code::FailedPrecondition => {
            "the database must be in Native mode; name another one in [state] database".to_owned()
        }
        Code::Unauthenticated => {
            "run where application default credentials are: a federated identity, gcloud auth \
                                  application-default login, or GOOGLE_APPLICATION_CREDENTIALS"
                .to_owned()
        }
        Code::ResourceExhausted => {
            format!("look at the quotas of project {project}; the next run tries again")
        }
        Code::AlreadyExists => {
            "an entry of the ledger lies beyond its head; nothing was overwritten; `tidegate ledger` says which"
                .to_owned()
        }
        Code::InvalidArgument => {
            "correct [state] project and database; if they are right, report this with the text above"
                .to_owned()
        }
        _ => "check the network and https://status.cloud.google.com; the next run tries again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(status: &Status) -> String {
        failed(&Names::new("p-1", "tidegate"), "read", status, Effect::None).to_string()
    }

    #[test]
    fn a_missing_right_and_a_missing_database_say_the_command() {
        let denied = text(&Status::permission_denied("Missing or insufficient permissions."));
        assert!(denied.contains("roles/datastore.user") && denied.contains("binding p-1"), "{denied}");
        let disabled =
            text(&Status::permission_denied("Cloud Firestore API has not been used or is disabled."));
        assert!(disabled.contains("gcloud services enable firestore"), "{disabled}");
        let missing = text(&Status::not_found("The database tidegate does not exist for project p-1"));
        let command = "gcloud firestore databases create --project=p-1 --database=tidegate --location=";
        assert!(missing.contains(command), "{missing}");
    }

    #[test]
    fn a_document_is_named_as_the_console_shows_it() {
        let names = Names::new("p-1", "tidegate");
        let error = unreadable(&names, &format!("{}/leases/android", names.root()), "no schema").to_string();
        assert!(error.contains("leases/android") && !error.contains("databases/"), "{error}");
        assert!(error.contains("nothing was overwritten"), "{error}");
    }
}
