//! Degraded: the state store is down, and a bad release must be stopped all the same.
//!
//! Nothing is remembered here, so the whole cycle is read and judged as at first sight, and only a halt is carried out:
//! it asks for a state and not for a change, so making it twice does no harm. Nothing permissive is done, no warning is
//! given, and the next run that can remember sees the release halted. Where the channel holds an earlier halt of the
//! same release, a person has resumed it since: that is not undone without a memory.

use jiff::{SignedDuration, Timestamp};

use super::super::{Acted, AppReport, AppWorld};
use super::act::{self, Outcome};
use super::observe::{self, Unjudged};
use super::{LEASE, ReleaseMonitor, conclude, rolling_out, tell, unjudged_report};
use crate::domain::control::Switch;
use crate::domain::decision::Record;
use crate::domain::keys;
use crate::domain::message::{self, NoteKind};
use crate::domain::outbox::{self, Message, Sink};
use crate::domain::pause_budget::PauseBudget;
use crate::domain::release::{Action, Change, Release, ReleaseId, ReleaseState};
use crate::ports::{Found, Lease, Notifier};

/// How far back messages of earlier runs are looked for: as long as a release is watched at most.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Halts what has to be halted, without a memory. `problem` says why there is none.
pub async fn run(job: &ReleaseMonitor<'_>, world: &AppWorld, problem: &str) -> Vec<AppReport> {
    // Without a memory only the mode can be heard, which is why it needs none.
    if world.switch != Switch::Auto {
        return vec![AppReport::failed(world, problem.to_owned())];
    }
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
            if was_halted(world, &judged, release, now).await {
                let resumed = "it would be halted, but it was halted before and a person has resumed it\n  fix: \
                               look at the newest crashes, and halt it in the store's console if it must be";
                return without_memory(AppReport::failed(world, resumed.to_owned()), problem);
            }
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
    let lease = lease.timed(job.clock.moment(), LEASE.unsigned_abs());
    let mut report = AppReport::of(world, record.clone());
    report.problems.push(problem.to_owned());
    match act::reach(job, world, &lease, &release.key, &Change::Halt).await {
        Outcome::Confirmed(live) => {
            report.user_fraction = live.user_fraction;
            report.acted = Acted::Yes;
            let mut note = message::acted(&record, Action::Halt);
            let state = ReleaseState::first_seen(record.release.clone(), release, now, now);
            let short = PauseBudget::of(&state, now).filter(PauseBudget::is_short);
            note.lines.extend(short.as_ref().map(message::pause_left));
            let note = message::without_memory(note);
            report.problems.extend(tell::at_once(world, &key(&record.release), note).await);
        }
        Outcome::Superseded(found) => report.problems.push(found),
        Outcome::Postponed(why) => conclude(&mut report, Acted::No, Some(why)),
        Outcome::Failed(error) => conclude(&mut report, Acted::No, Some(error.to_string())),
    }
    report
}

/// Whether the channel holds a halt of this release. Where it can't be asked, a bad release is halted all the same.
async fn was_halted(world: &AppWorld, record: &Record, release: &Release, now: Timestamp) -> bool {
    let Some(notifier) = world.channel() else { return false };
    let since = now.checked_sub(LOOK_BACK).unwrap_or(now);
    let state = ReleaseState::first_seen(record.release.clone(), release, since, now);
    for key in [key(&record.release), outbox::message_key(NoteKind::Halt, Sink::Slack, &state)] {
        if matches!(notifier.find(&key, None, since, LOOK_BACK).await, Ok(Found::There(_))) {
            return true;
        }
    }
    false
}

/// Whether a run without a memory has told of the halt that this message tells of: it could not note that it did.
pub async fn told(notifier: &dyn Notifier, message: &Message) -> Found {
    if message.note.kind != NoteKind::Halt || message.sink != Sink::Slack {
        return Found::Nowhere;
    }
    let found = notifier.find(&key(&message.release), None, message.written_at, LOOK_BACK).await;
    match found {
        Ok(Found::There(posted)) => Found::There(posted),
        // A halt must be told: twice rather than never.
        Ok(Found::Nowhere | Found::CannotTell(_)) | Err(_) => Found::Nowhere,
    }
}

/// Whether a run without a memory has told, since then, that it halted this release. Where the channel can't be asked,
/// it is taken not to have: a message too many is better than one too few.
pub async fn was_told(world: &AppWorld, id: &ReleaseId, since: Timestamp, now: Timestamp) -> bool {
    let Some(notifier) = world.channel() else { return false };
    let since = since.max(now.checked_sub(LOOK_BACK).unwrap_or(now));
    matches!(notifier.find(&key(id), None, since, LOOK_BACK).await, Ok(Found::There(_)))
}

fn key(id: &ReleaseId) -> String {
    keys::key("degraded", &["halt", id.app.as_str(), id.platform.as_str(), &id.key])
}
