//! When each job ran last: a schedule that GitHub has turned off says nothing by itself.

use super::Patient;
use super::google::Google;
use crate::adapters::google::Scope;
use crate::adapters::sqlite;
use crate::config::State;
use crate::domain::heartbeat::Heartbeat;
use crate::jobs::JobId;
use crate::report::checks::Check;
use crate::report::human;

const CHECK: &str = "heartbeat";
/// Why runs stop coming, in the order of how often that is the reason.
const FIX: &str = "open the Actions tab of the repository: enable the workflow if it is disabled, and look at its last \
                   runs; a second trigger closes gaps of GitHub's schedule";

/// Looks at every job.
pub async fn check(patient: &Patient<'_>, google: &Google) -> Vec<Check> {
    let mut checks = Vec::new();
    for job in JobId::ALL {
        let subject = format!("job {}", job.as_str());
        checks.push(match found(patient, google, job.as_str()).await {
            None => Check::skipped(CHECK, subject, "the state can't be asked"),
            Some(Err(error)) => Check::warning(CHECK, subject, error, "see the check of the state"),
            Some(Ok(None)) => Check::ok(CHECK, subject, "has not run yet"),
            Some(Ok(Some(heartbeat))) => of(patient, subject, &heartbeat),
        });
    }
    checks
}

/// Reads without making or changing anything; none where the state has no token.
async fn found(
    patient: &Patient<'_>,
    google: &Google,
    job: &str,
) -> Option<Result<Option<Heartbeat>, String>> {
    let loaded = patient.loaded;
    match &loaded.config.state {
        State::Sqlite { path } => {
            Some(sqlite::heartbeat(&loaded.path(path), job).map_err(|error| error.what))
        }
        State::Firestore { project, database } => {
            if loaded.config.endpoints.firestore.is_none() && !google.has(Scope::Firestore) {
                return None;
            }
            let store = loaded.firestore(project.as_deref(), database).ok()?;
            Some(crate::ports::Memory::heartbeat(&store, job).await.map_err(|error| error.to_string()))
        }
    }
}

fn of(patient: &Patient<'_>, subject: String, heartbeat: &Heartbeat) -> Check {
    let text = human::heartbeat(heartbeat, patient.now);
    let found = text.trim_end().trim_start_matches(&heartbeat.job).trim_start_matches(": ").to_owned();
    let overdue = heartbeat.next_expected.is_some_and(|at| patient.now > at);
    match (overdue, heartbeat.last_completed) {
        (false, Some(_)) => Check::ok(CHECK, subject, found),
        (true, _) | (false, None) => Check::warning(CHECK, subject, found, FIX),
    }
}
