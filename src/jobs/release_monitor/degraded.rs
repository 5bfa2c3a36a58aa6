//! Degraded: the state store is down, and a bad release must be stopped all the same.
//!
//! Nothing is remembered here, so the whole cycle is read and judged as at first sight, and only a halt is carried out:
//! it asks for a state and not for a change, so making it twice does no harm. Nothing permissive is done, no warning is
//! given, and the next run that can remember sees the release halted. The message bears a key of its own for the day,
//! and is looked up before it is sent.

use jiff::{SignedDuration, Timestamp};

use super::super::{Acted, AppReport, AppWorld};
use super::act::{self, Outcome};
use super::observe::{self, Unjudged};
use super::{LEASE, ReleaseMonitor, conclude, rolling_out, unjudged_report};
use crate::domain::decision::Record;
use crate::domain::keys;
use crate::domain::message;
use crate::domain::release::{Action, Release};
use crate::ports::{Lease, Notifier, PortError};

/// How far back a message of an earlier run is looked for; its key holds the day.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);

/// Halts what has to be halted, without a memory. `problem` says why there is none.
pub async fn run(job: &ReleaseMonitor<'_>, world: &AppWorld, problem: &str) -> Vec<AppReport> {
    let now = job.clock.now();
    let releases = match world.target.releases().await {
        Ok(releases) => releases,
        Err(error) => return vec![without_memory(AppReport::failed(world, error.to_string()), problem)],
    };
    let mut reports = Vec::new();
    for release in rolling_out(&releases) {
        reports.push(one(job, world, release, problem, now).await);
    }
    if reports.is_empty() {
        reports.push(AppReport::failed(world, problem.to_owned()));
    }
    reports
}

async fn one(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    release: &Release,
    problem: &str,
    now: Timestamp,
) -> AppReport {
    match observe::whole_cycle(world, release, now).await {
        Ok(judged) if judged.judgement.action == Some(Action::Halt) => {
            halt(job, world, release, judged, problem, now).await
        }
        // What a run without a memory would rather do than halt, it does not do.
        Ok(_) => AppReport::failed(world, problem.to_owned()),
        Err(error) => without_memory(unjudged_report(world, release, &Unjudged::Failed(error)), problem),
    }
}

fn without_memory(mut report: AppReport, problem: &str) -> AppReport {
    report.problems.push(problem.to_owned());
    report
}

async fn halt(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    release: &Release,
    record: Record,
    problem: &str,
    now: Timestamp,
) -> AppReport {
    let until = now.checked_add(LEASE).unwrap_or(now);
    let lease = Lease::for_halting_only(world.id.clone(), job.holder.clone(), until);
    let mut report = AppReport::of(world, record.clone());
    report.problems.push(problem.to_owned());
    match act::reach(world, &lease, &release.key, Action::Halt).await {
        Outcome::Confirmed(live) => {
            report.user_fraction = live.user_fraction;
            report.acted = Acted::Yes;
            if let Err(error) = tell(world, &record, now).await {
                report.problems.push(error.to_string());
            }
        }
        Outcome::Superseded(found) => report.problems.push(found),
        Outcome::Failed(error) => conclude(&mut report, Acted::No, Some(error.to_string())),
    }
    report
}

/// Says it once: another run of this day may have said it.
async fn tell(world: &AppWorld, record: &Record, now: Timestamp) -> Result<(), PortError> {
    let Some(notifier) = world.notifier.as_deref() else { return Ok(()) };
    let id = &record.release;
    let day = now.strftime("%Y-%m-%d").to_string();
    let key = keys::key("degraded", &["halt", id.app.as_str(), id.platform.as_str(), &id.key, &day]);
    let since = now.checked_sub(LOOK_BACK).unwrap_or(now);
    if said(notifier, &key, since).await? {
        return Ok(());
    }
    let mut note = message::acted(record, Action::Halt);
    note.lines.push("The state store could not be reached, so this was decided without a memory.".to_owned());
    notifier.post(&key, &note, None).await.map(drop)
}

async fn said(notifier: &dyn Notifier, key: &str, since: Timestamp) -> Result<bool, PortError> {
    Ok(notifier.find(key, None, since, LOOK_BACK).await?.is_some())
}
