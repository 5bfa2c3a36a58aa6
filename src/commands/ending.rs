//! The end of a command: its deadline, or a signal.
//!
//! The deadline is over when either clock of the machine says so: a run that slept through it does not go on.
//! After a signal no change of a store is begun. What is under way gets a moment to come to its end, then the leases are
//! given back, so that the next run need not wait for them. GitHub cancels with SIGINT, then SIGTERM after 7.5 seconds,
//! then kills after 2.5 more; this is over long before.

use std::time::Duration;

use crate::adapters::clock::{self, passed};
use crate::exit::{Ended, Exit};
use crate::jobs::brakes::Brakes;
use crate::jobs::release_monitor::ReleaseMonitor;

/// What is under way at a signal may take so long to come to its end.
const LAST_CALL: Duration = Duration::from_secs(2);
/// Giving the leases back may take so long; they end by themselves otherwise.
const GIVING_BACK: Duration = Duration::from_secs(2);

/// Ends the work at the deadline or a signal. Whatever was written down by then, the next run goes on with.
///
/// # Errors
/// Where it was ended, with the code to exit with.
pub async fn within<T>(
    deadline: Duration,
    brakes: &Brakes,
    work: impl Future<Output = T>,
) -> Result<T, Ended> {
    let ended = |exit, why: &str| Ended {
        exit,
        message: format!("{why}\n  fix: nothing is half done that the next run does not finish"),
    };
    let mut work = std::pin::pin!(work);
    let ended = tokio::select! {
        done = &mut work => return Ok(done),
        () = passed(clock::moment(), deadline) => return Err(ended(Exit::Failed, "the deadline of the run has passed")),
        () = interrupted() => ended(Exit::Interrupted, "interrupted"),
        () = terminated() => ended(Exit::Terminated, "terminated"),
    };
    brakes.stop();
    // What comes of it is in the reports; that the run was ended counts all the same.
    drop(tokio::time::timeout(LAST_CALL, work).await);
    Err(ended)
}

/// Gives back the leases of a run that was ended from outside.
pub async fn give_back(monitor: &ReleaseMonitor<'_>) {
    drop(tokio::time::timeout(GIVING_BACK, monitor.give_all_back()).await);
}

/// Returns at SIGINT.
pub async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Returns at SIGTERM.
#[cfg(unix)]
pub async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// Returns at SIGTERM, which this system does not have.
#[cfg(not(unix))]
pub async fn terminated() {
    std::future::pending().await
}
