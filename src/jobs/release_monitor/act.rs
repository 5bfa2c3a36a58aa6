//! Act: carries out what was written down, and believes only what the store shows afterwards.
//!
//! Safe to repeat: it starts with a look at the store, asks for a state and not for a change, and ends with a look at
//! the store. An error of the call itself decides nothing, the look after it does.

use super::super::{Acted, AppReport, AppWorld};
use super::{ReleaseMonitor, conclude};
use crate::domain::message::NoteKind;
use crate::domain::outbox::{Delivery, Message, message_key, superseded};
use crate::domain::release::{Action, Intent, IntentStatus, Release, ReleaseState};
use crate::domain::rollout::{NextStep, next_step};
use crate::ports::{Effect, Lease, PortError, StateError, Write};

/// How often a call with an unclear outcome and no effect is made again in one run.
const MOST_TRIES: u32 = 3;

/// What came of an intent.
enum Outcome {
    /// The store shows the target.
    Confirmed(Release),
    /// Somebody else changed the release first.
    Superseded(String),
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
    match reach(world, lease, &state.id.key, intent.action).await {
        Outcome::Confirmed(live) => {
            report.user_fraction = live.user_fraction;
            conclude(report, Acted::Yes, None);
            job.state.commit(lease, confirmed(state, intent, &live, messages)).await
        }
        Outcome::Superseded(found) => {
            conclude(report, Acted::No, None);
            job.state.commit(lease, overtaken(state, intent, &found, messages)).await
        }
        Outcome::Failed(error) => {
            conclude(report, Acted::No, Some(error.to_string()));
            Ok(())
        }
    }
}

/// Brings the store to the target of an action, if a person has not brought it elsewhere.
async fn reach(world: &AppWorld, lease: &Lease, key: &str, action: Action) -> Outcome {
    let mut refused = None;
    for _ in 0..MOST_TRIES {
        let live = match look(world, key).await {
            Ok(live) => live,
            Err(error) => return Outcome::Failed(error),
        };
        match (next_step(action, live.as_ref()), live) {
            (NextStep::Supersede(found), _) => return Outcome::Superseded(found),
            (NextStep::Confirm, Some(live)) => return Outcome::Confirmed(live),
            (NextStep::Mutate, Some(live)) => match refused.take() {
                Some(error) => return Outcome::Failed(error),
                None => refused = refusal(world.target.apply(lease, &live, action).await),
            },
            (NextStep::Confirm | NextStep::Mutate, None) => break,
        }
    }
    Outcome::Failed(PortError::new(
        format!("the store took the {} of release {key} and does not show it", action.as_str()),
        "look at the release in the store's console; the next run tries again",
    ))
}

/// A refusal that another try would only repeat. An unclear outcome is none: the look that follows tells.
fn refusal(outcome: Result<(), PortError>) -> Option<PortError> {
    outcome.err().filter(|error| error.effect == Effect::None)
}

async fn look(world: &AppWorld, key: &str) -> Result<Option<Release>, PortError> {
    Ok(world.target.releases().await?.into_iter().find(|release| release.key == key))
}

/// The store shows it: the intent is done and people may be told.
fn confirmed(mut state: ReleaseState, intent: Intent, live: &Release, messages: &[Message]) -> Vec<Write> {
    let ready = waiting(&state, intent.action, messages)
        .map(|message| Message { delivery: Delivery::Pending, ..message });
    state.last_seen = live.status;
    state.last_fraction = live.user_fraction;
    state.intent = Some(Intent { status: IntentStatus::Confirmed, ..intent });
    with_message(state, ready)
}

fn overtaken(mut state: ReleaseState, intent: Intent, found: &str, messages: &[Message]) -> Vec<Write> {
    let version = state.version.to_string();
    let told = waiting(&state, intent.action, messages)
        .map(|message| superseded(message, intent.action, &version, found));
    state.intent = Some(Intent { status: IntentStatus::Superseded(found.to_owned()), ..intent });
    with_message(state, told)
}

fn with_message(state: ReleaseState, message: Option<Message>) -> Vec<Write> {
    let message = message.map(|message| Write::Message(Box::new(message)));
    std::iter::once(Write::Release(Box::new(state))).chain(message).collect()
}

/// The message that waits for the effect.
fn waiting(state: &ReleaseState, action: Action, messages: &[Message]) -> Option<Message> {
    let kind = match action {
        Action::Halt => NoteKind::Halt,
        Action::FastTrack => NoteKind::FastTrack,
    };
    let key = message_key(kind, state);
    messages.iter().find(|message| message.key == key && message.delivery == Delivery::Waiting).cloned()
}
