//! What may be tried again, how often, and for how long.
//!
//! A reading may be repeated. A transaction is run again from its reading, which makes that safe even where the outcome
//! of its commit is not known (see the head of the folder). Waits have full jitter; an operation ends after half a
//! minute whatever it waits for, so that many of them fit into a run.

use std::error::Error as _;
use std::time::Duration;

use tonic::{Code, Status};

use super::error;
use super::names::Names;
use crate::adapters::exchange::milliseconds;
use crate::adapters::http::retry;
use crate::ports::{Effect, StateError};

/// The longest that one operation takes, tries and waits included.
pub const LONGEST: Duration = Duration::from_secs(30);

/// Where a call failed.
pub enum Failure {
    /// Before anything was asked to be written.
    Reading(Status),
    /// In a commit.
    Committing(Status),
}

/// The failures of one operation so far.
pub struct Patience {
    verb: &'static str,
    failures: u32,
    last: Option<Status>,
    effect: Effect,
}

impl Patience {
    /// For an operation that is named by `verb` in errors.
    pub fn new(verb: &'static str) -> Self {
        Self { verb, failures: 0, last: None, effect: Effect::None }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// Where another try is of no use, or there were enough of them.
    pub async fn after(&mut self, failure: Failure, names: &Names) -> Result<(), StateError> {
        self.failures += 1;
        let (status, again) = match failure {
            Failure::Reading(status) => (status, is_passing as fn(&Status) -> bool),
            Failure::Committing(status) => {
                if is_unclear(&status) {
                    self.effect = Effect::Unclear;
                }
                (status, may_run_again as fn(&Status) -> bool)
            }
        };
        let wait = retry::wait(self.failures, None).filter(|_| again(&status));
        self.last = Some(status);
        match wait {
            Some(wait) => {
                let (failures, wait_ms) = (self.failures, milliseconds(wait));
                tracing::debug!(
                    peer.service = "Firestore",
                    verb = self.verb,
                    failures,
                    wait_ms,
                    "an operation is made again"
                );
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(self.error(names)),
        }
    }

    /// The end of an operation that was given [`LONGEST`].
    ///
    /// # Errors
    /// Its own, or that the time is over.
    pub fn end<T>(
        &self,
        ended: Result<Result<T, StateError>, tokio::time::error::Elapsed>,
        names: &Names,
    ) -> Result<T, StateError> {
        ended.unwrap_or_else(|_| Err(self.error(names)))
    }

    fn error(&self, names: &Names) -> StateError {
        let none = Status::deadline_exceeded(format!("no answer within {} seconds", LONGEST.as_secs()));
        error::failed(names, self.verb, self.last.as_ref().unwrap_or(&none), self.effect)
    }
}

/// Whether a reading may succeed next time: the service says so, or the connection broke.
fn is_passing(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted => true,
        // A broken connection has these codes, and an error of this machine as its source.
        Code::Unknown | Code::Internal | Code::Cancelled => status.source().is_some(),
        _ => false,
    }
}

/// Whether a transaction whose commit failed is run again. A precondition that failed means that somebody else wrote
/// after the reading: the next reading shows what.
fn may_run_again(status: &Status) -> bool {
    let lost_a_race = matches!(
        status.code(),
        Code::Aborted | Code::FailedPrecondition | Code::AlreadyExists | Code::NotFound
    );
    lost_a_race || is_unclear(status)
}

/// Whether the writes of a commit may have been applied all the same. Only a refusal says that they were not.
fn is_unclear(status: &Status) -> bool {
    !matches!(
        status.code(),
        Code::Aborted
            | Code::FailedPrecondition
            | Code::AlreadyExists
            | Code::NotFound
            | Code::InvalidArgument
            | Code::OutOfRange
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_not_repeated_and_has_no_effect() {
        for code in [Code::PermissionDenied, Code::InvalidArgument, Code::Unauthenticated] {
            let status = Status::new(code, "");
            assert!(!is_passing(&status) && !may_run_again(&status) && !is_unclear(&status), "{code:?}");
        }
    }

    #[test]
    fn a_commit_without_a_clear_answer_is_looked_at_again() {
        for code in
            [Code::Unavailable, Code::DeadlineExceeded, Code::Unknown, Code::Internal, Code::Cancelled]
        {
            let status = Status::new(code, "");
            assert!(may_run_again(&status) && is_unclear(&status), "{code:?}");
        }
    }

    #[test]
    fn a_lost_race_is_run_again_and_was_not_applied() {
        for code in [Code::Aborted, Code::FailedPrecondition, Code::AlreadyExists] {
            let status = Status::new(code, "");
            assert!(may_run_again(&status) && !is_unclear(&status), "{code:?}");
        }
    }
}
