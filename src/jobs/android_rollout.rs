//! The job of the steps: offers each release of an Android app that nothing speaks against to more users, once a day.
//!
//! It is the monitor's own run, which also asks for the next step: the same observation, the same judge, the same acting
//! protocol. So a release that must be halted is halted by this job too, and whatever keeps the monitor from raising
//! exposure keeps this job from it: a hold, doubtful data, a state that can't be reached. A step that a killed run left
//! undone is never finished; the next run of this job judges anew, and on the same date makes the same key.
//!
//! The App Store widens phased releases by itself, so nothing is done for iOS apps.

use super::release_monitor::{Asks, ReleaseMonitor};
use super::{AppReport, AppWorld, JobId};
use crate::domain::ids::Platform;
use crate::domain::judge::Decision;
use crate::domain::message;
use crate::ports::StateError;

/// What is said of an iOS app.
const WIDENS_BY_ITSELF: &str = "the App Store widens a phased release by itself, so no step is taken here";

/// What a run of a job asks for a release that nothing speaks against.
#[must_use]
pub fn asks(job: JobId) -> Asks {
    match job {
        JobId::AndroidRollout => Asks::NextStep,
        JobId::ReleaseMonitor | JobId::StatusReporter | JobId::Outbox => Asks::Nothing,
    }
}

/// Runs for one app. Where the state store is down, it can only halt.
///
/// # Errors
/// As for [`ReleaseMonitor::run`].
pub async fn run(job: &ReleaseMonitor<'_>, world: &AppWorld) -> Result<Vec<AppReport>, StateError> {
    match world.platform {
        Platform::Android => Ok(explained(job.run(world).await?)),
        Platform::Ios => Ok(vec![AppReport::not_applicable(world, WIDENS_BY_ITSELF)]),
    }
}

/// Observes and judges only.
///
/// # Errors
/// As for [`ReleaseMonitor::dry_run`].
pub async fn dry_run(job: &ReleaseMonitor<'_>, world: &AppWorld) -> Result<Vec<AppReport>, StateError> {
    match world.platform {
        Platform::Android => Ok(explained(job.dry_run(world).await?)),
        Platform::Ios => Ok(vec![AppReport::not_applicable(world, WIDENS_BY_ITSELF)]),
    }
}

/// The reports, each with why no step was taken.
fn explained(reports: Vec<AppReport>) -> Vec<AppReport> {
    let explain = |report: AppReport| {
        let why = report.withheld.clone().or_else(|| why_not(&report));
        AppReport { withheld: why, ..report }
    };
    reports.into_iter().map(explain).collect()
}

fn why_not(report: &AppReport) -> Option<String> {
    let judged = report.record.as_ref().filter(|record| record.judgement.action.is_none())?;
    let why = match report.decision {
        Decision::Continue | Decision::Hold => message::why_no_step(judged.judgement.reason),
        other => format!("the decision is {} ({})", other.as_str(), report.reason),
    };
    Some(format!("no step was taken: {why}"))
}
