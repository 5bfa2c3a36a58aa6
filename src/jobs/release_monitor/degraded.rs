//! Degraded: the state store is down, and a bad release must be stopped all the same.
//!
//! Nothing is remembered here, so the whole cycle is read and judged as at first sight, and only a halt is carried out:
//! it asks for a state and not for a change, so making it twice does no harm. Nothing permissive is done, no warning is
//! given, and the next run that can remember sees the release halted. Where the channel holds an earlier halt of the
//! same release, a person has resumed it since: that is not undone without a memory.
//!
//! The channel is all that such runs have in common. So before anything is said the channel is asked whether it was said
//! already, by a run of either kind, and a halt that a killed run has made and not told is told by the next one. What
//! can't be promised: where two runs look at the same moment, or one is held up between its look and its post, both tell.

use jiff::{SignedDuration, Timestamp};

use super::super::{Acted, AppReport, AppWorld};
use super::act::{self, Outcome};
use super::observe::{self, Unjudged};
use super::{LEASE, ReleaseMonitor, conclude, rolling_out, tell, unjudged_report};
use crate::domain::control::Switch;
use crate::domain::decision::Record;
use crate::domain::judge::Decision;
use crate::domain::keys;
use crate::domain::message::{self, Note, NoteKind};
use crate::domain::outbox::{self, Message, Posted, Sink};
use crate::domain::pause_budget::PauseBudget;
use crate::domain::release::{Action, Change, Release, ReleaseId, ReleaseState, RolloutStatus};
use crate::ports::{Found, Lease, Notifier, PortError};

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
    for release in releases.iter().filter(|release| release.status == RolloutStatus::Halted) {
        let told = tell_what_is_halted(world, release, now).await;
        reports.extend(told.map(|report| without_memory(report, problem)));
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
            // Where the channel can't be asked, a bad release is halted all the same.
            if let Ok(Found::There(_)) = told_of(world, &judged.release, release, look_back(now)).await {
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
    let mut report = without_memory(AppReport::of(world, record.clone()), problem);
    match act::reach(job, world, &lease, &release.key, &Change::Halt).await {
        Outcome::Confirmed(live) => {
            report.user_fraction = live.user_fraction;
            report.acted = Acted::Yes;
            let note = message::acted(&record, Action::Halt);
            tell(world, release, &record, note, &mut report, now).await;
        }
        Outcome::Superseded(found, _) => report.problems.push(found),
        Outcome::Postponed(why) => conclude(&mut report, Acted::No, Some(why)),
        Outcome::Failed(error) => conclude(&mut report, Acted::No, Some(error.to_string())),
    }
    report
}

/// Tells of a halt that nobody has told of: a run that could remember nothing made it and was cut off. That it is halted
/// for long and of no interest any more, or by a person who has good reasons, can't be told apart without a memory; so it
/// is told only where the channel can be looked through and holds nothing of it, where the release is young, and where
/// the evidence asks for the halt.
async fn tell_what_is_halted(world: &AppWorld, release: &Release, now: Timestamp) -> Option<AppReport> {
    let id = observe::release_id(world, release);
    if !matches!(told_of(world, &id, release, look_back(now)).await, Ok(Found::Nowhere)) {
        return None;
    }
    let failed = |error| Some(unjudged_report(world, release, &Unjudged::Failed(error)));
    match observe::is_young(world, release, now).await {
        Ok(true) => {}
        Ok(false) => return None,
        Err(error) => return failed(error),
    }
    let record = match observe::whole_cycle(world, release, now).await {
        Ok(record) => record,
        Err(error) => return failed(error),
    };
    if record.judgement.decision != Decision::Halt {
        return None;
    }
    let mut report = AppReport { acted: Acted::Yes, ..AppReport::of(world, record.clone()) };
    report.user_fraction = release.user_fraction;
    let note = message::halted_before(message::acted(&record, Action::Halt));
    tell(world, release, &record, note, &mut report, now).await;
    Some(report)
}

/// Tells of a halt that the store shows, unless the channel has it by now.
async fn tell(
    world: &AppWorld,
    release: &Release,
    record: &Record,
    mut note: Note,
    report: &mut AppReport,
    now: Timestamp,
) {
    let since = look_back(now);
    let state = ReleaseState::first_seen(record.release.clone(), release, now, now);
    let short = PauseBudget::of(&state, now).filter(PauseBudget::is_short);
    note.lines.extend(short.as_ref().map(message::pause_left));
    if let Ok(Found::There(_)) = told_of(world, &record.release, release, since).await {
        return;
    }
    report.problems.extend(tell::at_once(world, &key(&record.release), message::without_memory(note)).await);
}

/// The halt of this release as the channel has it, told by a run of either kind. A release that was halted before its
/// last resume has a message of its first halt at least.
async fn told_of(
    world: &AppWorld,
    id: &ReleaseId,
    release: &Release,
    since: Timestamp,
) -> Result<Found, PortError> {
    let keys: Vec<String> = keys_with_memory(id, release).into_iter().chain([key(id)]).collect();
    match world.channel() {
        Some(channel) => look(channel, &keys, since).await,
        None => Ok(Found::CannotTell("nobody is told anything".to_owned())),
    }
}

/// Looks for a message with one of these keys, and in the other place too, where what is refused here is told.
async fn look(channel: &dyn Notifier, keys: &[String], since: Timestamp) -> Result<Found, PortError> {
    let mut found = Ok(Found::Nowhere);
    for place in [Some(channel), channel.fallback()].into_iter().flatten() {
        match place.find_any(keys, since).await {
            Ok(Found::There(posted)) => return Ok(Found::There(posted)),
            Ok(Found::Nowhere) => {}
            unclear => found = unclear,
        }
    }
    found
}

fn look_back(now: Timestamp) -> Timestamp {
    now.checked_sub(LOOK_BACK).unwrap_or(now)
}

/// Whether a run without a memory has told of the halt that this message tells of: it could not note that it did.
///
/// # Errors
/// Where the channel could not be asked.
pub async fn told(notifier: &dyn Notifier, message: &Message) -> Result<Found, PortError> {
    let is_of_a_halt = matches!(message.note.kind, NoteKind::Halt | NoteKind::HaltedElsewhere);
    if !is_of_a_halt || message.sink != Sink::Slack {
        return Ok(Found::Nowhere);
    }
    let since = message.first_attempt_at.unwrap_or(message.written_at);
    look(notifier, &[key(&message.release)], since).await
}

/// Where a run without a memory has told, since then, that it halted this release; none where it has not, or the
/// channel can't be asked: then whoever sends a message about it asks again.
pub async fn was_told(world: &AppWorld, id: &ReleaseId, since: Timestamp, now: Timestamp) -> Option<Posted> {
    let since = since.max(look_back(now));
    match look(world.channel()?, &[key(id)], since).await {
        Ok(Found::There(posted)) => Some(posted),
        Ok(Found::Nowhere | Found::CannotTell(_)) | Err(_) => None,
    }
}

/// Whether a run with a memory has told of the halt of a release of which nothing is remembered any more.
pub async fn was_told_with_a_memory(world: &AppWorld, release: &Release, now: Timestamp) -> bool {
    let Some(channel) = world.channel() else { return false };
    let keys = keys_with_memory(&observe::release_id(world, release), release);
    matches!(look(channel, &keys, look_back(now)).await, Ok(Found::There(_)))
}

fn keys_with_memory(id: &ReleaseId, release: &Release) -> [String; 2] {
    let anytime = Timestamp::UNIX_EPOCH;
    let state = ReleaseState::first_seen(id.clone(), release, anytime, anytime);
    [NoteKind::Halt, NoteKind::HaltedElsewhere].map(|kind| outbox::message_key(kind, Sink::Slack, &state))
}

fn key(id: &ReleaseId) -> String {
    keys::key("degraded", &["halt", id.app.as_str(), id.platform.as_str(), &id.key])
}
