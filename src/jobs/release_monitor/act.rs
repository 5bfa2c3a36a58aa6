//! Act: carries out what was written down, and believes only what the store shows afterwards.
//!
//! Safe to repeat: it starts with a look at the store, asks for a state and not for a change, and ends with a look at
//! the store. An error of the call itself decides nothing, the look after it does.

use super::super::{Acted, AppReport, AppWorld};
use super::{ReleaseMonitor, changed, conclude, enter};
use crate::domain::ledger::Kind;
use crate::domain::outbox::{self, Delivery, Message, PortProblem};
use crate::domain::release::{Change, Intent, IntentStatus, Release, ReleaseState, RolloutStatus};
use crate::domain::rollout::{self, NextStep, next_step};
use crate::domain::verdict::Reason;
use crate::ports::{Effect, Lease, PortError, StateError, Write};

/// How often a call with an unclear outcome and no effect is made again in one run.
const MOST_TRIES: u32 = 3;

/// What came of an intent.
pub enum Outcome {
    /// The store shows the target.
    Confirmed(Release),
    /// Somebody else changed the release first; how the store shows it, where it lists it.
    Superseded(String, Option<Release>),
    /// It was not begun; the next run goes on with it. Says why.
    Postponed(String),
    /// It could not be done; the next run tries again.
    Failed(PortError),
}

/// Carries out the open intent of a release and writes down what came of it.
pub async fn carry_out(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
    state: ReleaseState,
    messages: &[Message],
    report: &mut AppReport,
) -> Result<(), StateError> {
    let Some(intent) = state.open_intent().cloned() else { return Ok(()) };
    match reach(job, world, lease, &state.id.key, &intent.action).await {
        Outcome::Confirmed(live) => {
            report.user_fraction = live.user_fraction;
            conclude(report, Acted::Yes, None);
            let entry = enter::entry(job, Kind::confirmed(&state, &intent.key, &live));
            let writes = confirmed(job, state, intent, &live, messages);
            job.state.commit(lease, [entry].into_iter().chain(writes).collect()).await
        }
        Outcome::Superseded(found, live) => {
            conclude(report, Acted::No, None);
            let entry = enter::entry(job, Kind::superseded(&state, &intent.key, &found));
            let still_offered = live.filter(|live| live.status == RolloutStatus::RollingOut);
            let changed = still_offered.as_ref().and_then(|live| changed::entered(job, &state, live.into()));
            let writes = overtaken(job, state, intent, (&found, still_offered.as_ref()), messages);
            job.state.commit(lease, [entry].into_iter().chain(changed).chain(writes).collect()).await
        }
        Outcome::Postponed(why) => {
            conclude(report, Acted::No, Some(why));
            report.reason = Reason::Postponed;
            Ok(())
        }
        Outcome::Failed(error) => {
            let told = failed(job, &state, &intent, &error, messages);
            conclude(report, Acted::No, Some(error.to_string()));
            let entry = enter::entry(job, Kind::failed(&state, &intent.key, &error.what));
            job.state.commit(lease, [entry].into_iter().chain(told).collect()).await
        }
    }
}

/// What became of an intent of an earlier run.
#[derive(PartialEq, Eq)]
pub enum Resumed {
    /// It was carried out or overtaken, or could not be done; the report says which.
    Reported,
    /// It is left to be judged again.
    Left,
}

/// Goes on with the open intent of an earlier run. A halt is made. A fast-track is only noted where the store shows it
/// already, or where a person was faster: it is never made on evidence of an earlier run.
pub async fn resume(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
    state: ReleaseState,
    messages: &[Message],
    report: &mut AppReport,
) -> Result<Resumed, StateError> {
    if !state.waits_for_a_halt() {
        let live = look(world, &state.id.key).await;
        let wanted = state.open_intent().map(|intent| intent.action.clone());
        let is_still_to_do = |live: Option<&Release>| {
            wanted.as_ref().is_some_and(|change| next_step(change, live) == NextStep::Mutate)
        };
        if live.map_or(true, |live| is_still_to_do(live.as_ref())) {
            let is_resume = matches!(wanted, Some(Change::Resume { .. }));
            if is_resume {
                job.state.commit(lease, taken_back(state, messages)).await?;
            }
            return Ok(Resumed::Left);
        }
    }
    carry_out(job, world, lease, state, messages, report).await?;
    Ok(Resumed::Reported)
}

/// Brings the store to the target of an action, if a person has not brought it elsewhere.
pub async fn reach(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
    key: &str,
    change: &Change,
) -> Outcome {
    if change.stops() {
        world.target.hurry();
    }
    let mut last = None;
    for _ in 0..MOST_TRIES {
        let live = match look(world, key).await {
            Ok(live) => live,
            Err(error) => return Outcome::Failed(error),
        };
        match (next_step(change, live.as_ref()), live) {
            (NextStep::Supersede(found), live) => return Outcome::Superseded(found, live),
            (NextStep::Confirm, Some(live)) => return Outcome::Confirmed(live),
            (NextStep::Mutate, Some(live)) => match last.filter(is_refusal) {
                Some(error) => return Outcome::Failed(error),
                None if let Some(why) = forbidden(job, lease, change) => return Outcome::Postponed(why),
                None => last = world.target.apply(lease, &live, change).await.err(),
            },
            (NextStep::Confirm | NextStep::Mutate, None) => return Outcome::Failed(not_shown(key, change)),
        }
    }
    // The last try has not been looked at yet.
    match look(world, key).await {
        Ok(Some(live)) if next_step(change, Some(&live)) == NextStep::Confirm => Outcome::Confirmed(live),
        Ok(_) => Outcome::Failed(last.unwrap_or_else(|| not_shown(key, change))),
        Err(error) => Outcome::Failed(error),
    }
}

/// Why no change may be begun any more. Looked at before each one.
fn forbidden(job: &ReleaseMonitor<'_>, lease: &Lease, change: &Change) -> Option<String> {
    let why = job.brakes.forbid(lease, job.clock.moment())?;
    let wanted = change.as_str();
    Some(format!("the {wanted} was not begun: {why}\n  fix: nothing; the next run goes on from here"))
}

/// A refusal, which another try would only repeat. An unclear outcome is none: the look that follows tells.
fn is_refusal(error: &PortError) -> bool {
    error.effect == Effect::None
}

fn not_shown(key: &str, change: &Change) -> PortError {
    PortError::new(
        format!("the store took the {} of release {key} and does not show it", change.as_str()),
        "look at the release in the store's console; the next run tries again",
    )
}

async fn look(world: &AppWorld, key: &str) -> Result<Option<Release>, PortError> {
    Ok(world.target.releases().await?.into_iter().find(|release| release.key == key))
}

/// The store shows it: the intent is done and people may be told.
fn confirmed(
    job: &ReleaseMonitor<'_>,
    mut state: ReleaseState,
    intent: Intent,
    live: &Release,
    messages: &[Message],
) -> Vec<Write> {
    let ready = outbox::waiting_for(&intent.action, &state, messages)
        .into_iter()
        .map(|message| Message { delivery: Delivery::Pending, ..message });
    let mut forgotten = None;
    if let Change::Resume { .. } = intent.action {
        state = rollout::resumed(state, live, job.clock.now());
        forgotten = Some(Write::ForgetPartials(state.id.clone()));
    }
    state.shows(live, job.clock.now());
    state.intent = Some(Intent { status: IntentStatus::Confirmed, ..intent });
    forgotten.into_iter().chain(with_messages(state, ready)).collect()
}

/// A resume that a killed command left undone is not made by a run: the person has to say it again.
fn taken_back(mut state: ReleaseState, messages: &[Message]) -> Vec<Write> {
    let change = state.intent.take().map(|intent| intent.action);
    let waiting = change.map(|change| outbox::waiting_for(&change, &state, messages)).unwrap_or_default();
    let unsaid = waiting.into_iter().map(|message| Message { delivery: Delivery::Withdrawn, ..message });
    with_messages(state, unsaid)
}

/// Somebody was faster: people are told so, and what waited for the effect is not said. A share that somebody set is noted at
/// once, so that it is known for lowered where it is taken back before the next look.
fn overtaken(
    job: &ReleaseMonitor<'_>,
    mut state: ReleaseState,
    intent: Intent,
    (found, still_offered): (&str, Option<&Release>),
    messages: &[Message],
) -> Vec<Write> {
    if let Some(live) = still_offered {
        state.shows(live, job.clock.now());
    }
    let told = outbox::superseded(&state, &intent, found, messages, job.clock.now());
    let unsaid = outbox::waiting_for(&intent.action, &state, messages);
    state.intent = Some(Intent { status: IntentStatus::Superseded(found.to_owned()), ..intent });
    let unsaid = unsaid.into_iter().map(|message| Message { delivery: Delivery::Withdrawn, ..message });
    with_messages(state, unsaid.chain([told]))
}

/// A halt that could not be made is told once: a person can do it in the store's console.
fn failed(
    job: &ReleaseMonitor<'_>,
    state: &ReleaseState,
    intent: &Intent,
    error: &PortError,
    messages: &[Message],
) -> Vec<Write> {
    if !intent.action.stops() {
        return Vec::new();
    }
    let problem = PortProblem { what: &error.what, fix: &error.fix };
    let told = outbox::halt_failed(state, &problem, messages, job.clock.now());
    told.map(|message| Write::Message(Box::new(message))).into_iter().collect()
}

fn with_messages(state: ReleaseState, messages: impl IntoIterator<Item = Message>) -> Vec<Write> {
    let messages = messages.into_iter().map(|message| Write::Message(Box::new(message)));
    std::iter::once(Write::Release(Box::new(state))).chain(messages).collect()
}
