//! Changed: what a store shows that no run has written down before. It is respected, entered in the ledger and, where it is
//! a halt, told.
//!
//! Somebody changed it: a person in the store's console, the store itself, or a run that could remember nothing
//! (`degraded`). Of the last the channel has a message, which is taken over as the one about this halt, unless that run
//! was cut off before it told: then this is where the halt is told, as somebody's, because nobody can tell whose it is.
//!
//! A release that is found halted at first sight is told of only while it is young. A halt of weeks ago is no news to
//! anybody, least of all at the first run of a new installation, and no store says when a release was halted.

use jiff::Timestamp;

use super::super::AppWorld;
use super::{ReleaseMonitor, about, degraded, enter, observe};
use crate::domain::ledger::{Elsewhere, Kind, Standing};
use crate::domain::outbox;
use crate::domain::release::{Release, ReleaseState, RolloutStatus};
use crate::domain::rollout::{self, NextStep, next_step};
use crate::ports::{AppState, PortError, Write};

/// What is to be written of a release that is not judged, beside its state `after`.
///
/// # Errors
/// Where it can't be told whether a halt that is seen for the first time is news. Nothing of the release may be written
/// then, so that the next run sees it for the first time again.
pub async fn found(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    known: &AppState,
    after: &ReleaseState,
    live: &Release,
    now: Timestamp,
) -> Result<Vec<Write>, PortError> {
    let before = known.releases.iter().find(|state| state.id == after.id);
    match before {
        Some(before) if rollout::was_halted_by_somebody(before, live) => {
            // It was still offered then.
            let since = before.looked_at;
            Ok(halted(job, world, known, (Some(before), after), live, since, now).await)
        }
        // What was intended and is not noted yet is confirmed as such.
        Some(before) if is_intended(before, live) => Ok(Vec::new()),
        Some(before) => Ok(entered(job, before, live.into()).into_iter().collect()),
        None if live.status == RolloutStatus::Halted && is_news(world, live, now).await? => {
            let since = now.checked_sub(observe::YOUNG).unwrap_or(now);
            Ok(halted(job, world, known, (None, after), live, since, now).await)
        }
        None => Ok(Vec::new()),
    }
}

/// The entry of a change that no intent explains, where there was one.
pub fn entered(job: &ReleaseMonitor<'_>, before: &ReleaseState, after: Standing) -> Option<Write> {
    let kind = Kind::changed_elsewhere(before, after, Elsewhere::Somebody)?;
    Some(enter::entry(job, kind))
}

fn is_intended(before: &ReleaseState, live: &Release) -> bool {
    before.open_intent().is_some_and(|intent| next_step(&intent.action, Some(live)) == NextStep::Confirm)
}

/// Whether a halt that is seen for the first time is told: a memory that was lost since may have told it already.
async fn is_news(world: &AppWorld, live: &Release, now: Timestamp) -> Result<bool, PortError> {
    Ok(observe::is_young(world, live, now).await?
        && !degraded::was_told_with_a_memory(world, live, now).await)
}

/// The entry of a halt that no intent explains, and its message: the one of a run without a memory where there is one.
async fn halted(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    known: &AppState,
    (before, after): (Option<&ReleaseState>, &ReleaseState),
    live: &Release,
    since: Timestamp,
    now: Timestamp,
) -> Vec<Write> {
    let about = about(after, &known.messages);
    let is_new = |posted: &outbox::Posted| !about.iter().any(|message| message.is_at(posted));
    let posted = degraded::was_told(world, &after.id, since, now).await.filter(is_new);
    let by = if posted.is_some() { Elsewhere::RunWithoutMemory } else { Elsewhere::Somebody };
    let (release, stood) = (after.id.clone(), before.map(Standing::from));
    let kind = Kind::ChangedElsewhere { release, before: stood, after: live.into(), by };
    let message = match posted {
        Some(posted) => Some(outbox::sent_without_memory(after, posted, &about, now)),
        None => outbox::halted_elsewhere(before.unwrap_or(after), live, &about, since, now),
    };
    let told = message.as_ref().and_then(Kind::told).map(|kind| enter::entry(job, kind));
    let message = message.map(|message| Write::Message(Box::new(message)));
    [enter::entry(job, kind)].into_iter().chain(told).chain(message).collect()
}
