//! Tell: sends what is in the outbox, each message once.
//!
//! A message is marked as being sent before it is sent. Found in that state later, it is looked up by its key first:
//! the run that sent it may have been killed between Slack's answer and its own note of it.

use super::super::AppWorld;
use super::{ReleaseMonitor, enter};
use crate::domain::ledger::Kind;
use crate::domain::outbox::{Delivery, Message, Posted};
use crate::ports::{Effect, Found, Lease, Notifier, Outlook, PortError, StateError, Write};

/// Sends everything that may be sent. What could not be sent comes back as text and stays in the outbox.
pub async fn drain(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
) -> Result<Vec<String>, StateError> {
    let mut messages = job.state.memory().app(&world.id).await?.messages;
    let due = |message: &Message| matches!(message.delivery, Delivery::Pending | Delivery::Sending);
    let mut problems = Vec::new();
    for index in 0..messages.len() {
        let Some(message) = messages.get(index).filter(|message| due(message)).cloned() else { continue };
        let Some(notifier) = world.notifiers.get(&message.sink) else { continue };
        let parent = posted_parent(&message, &messages);
        match send(job, notifier.as_ref(), lease, message, parent.as_ref()).await? {
            Ok(sent) => messages[index] = sent,
            Err(error) => problems.push(error.to_string()),
        }
    }
    Ok(problems)
}

/// Where the message is that this one is a reply to; a reply whose parent is not there stands alone.
fn posted_parent(message: &Message, messages: &[Message]) -> Option<Posted> {
    let parent = message.parent.as_ref()?;
    messages.iter().find(|candidate| candidate.key == *parent)?.posted.clone()
}

async fn send(
    job: &ReleaseMonitor<'_>,
    notifier: &dyn Notifier,
    lease: &Lease,
    message: Message,
    parent: Option<&Posted>,
) -> Result<Result<Message, PortError>, StateError> {
    let outcome = match (&message.posted, message.delivery) {
        (Some(posted), _) => {
            notifier.update(posted, &message.key, &message.note).await.map(|()| posted.clone())
        }
        (None, Delivery::Sending) => match claimed_and_found(job, notifier, lease, &message).await? {
            // Whether it arrived is still not known, so it stays as being sent.
            Err(error) => return Ok(Err(error)),
            Ok(Found::There(posted)) => Ok(posted),
            Ok(Found::Nowhere) => notifier.post(&message.key, &message.note, message.under.as_ref()).await,
            Ok(Found::CannotTell(why)) => Err(PortError::new(why, "look whether it is there").lasting()),
        },
        (None, _) => return post_marked(job, notifier, lease, message, parent).await,
    };
    settle(job, lease, message, outcome).await
}

/// Marks the message as being sent, then sends it.
async fn post_marked(
    job: &ReleaseMonitor<'_>,
    notifier: &dyn Notifier,
    lease: &Lease,
    message: Message,
    parent: Option<&Posted>,
) -> Result<Result<Message, PortError>, StateError> {
    let sending = Message {
        delivery: Delivery::Sending,
        first_attempt_at: Some(job.clock.now()),
        under: parent.cloned(),
        ..message
    };
    job.state.commit(lease, vec![Write::Message(Box::new(sending.clone()))]).await?;
    let outcome = notifier.post(&sending.key, &sending.note, parent).await;
    settle(job, lease, sending, outcome).await
}

/// Writes down once more that the message is being sent, which only the holder of the lease can: what a run finds that
/// has lost it without noticing, another run may be sending at this moment. Then looks for it.
async fn claimed_and_found(
    job: &ReleaseMonitor<'_>,
    notifier: &dyn Notifier,
    lease: &Lease,
    message: &Message,
) -> Result<Result<Found, PortError>, StateError> {
    job.state.commit(lease, vec![Write::Message(Box::new(message.clone()))]).await?;
    Ok(find(job, notifier, message).await)
}

/// Looks for a message where it was sent, which may be another place than where it would be sent today.
async fn find(
    job: &ReleaseMonitor<'_>,
    notifier: &dyn Notifier,
    message: &Message,
) -> Result<Found, PortError> {
    let since = message.first_attempt_at.unwrap_or(message.written_at);
    let age = job.clock.now().duration_since(since);
    notifier.find(&message.key, message.under.as_ref(), since, age).await
}

/// Writes down what came of it. After an unclear outcome the message stays as being sent, and is looked up next time.
async fn settle(
    job: &ReleaseMonitor<'_>,
    lease: &Lease,
    message: Message,
    outcome: Result<Posted, PortError>,
) -> Result<Result<Message, PortError>, StateError> {
    let (settled, answer) = match outcome {
        Ok(posted) => {
            let sent = Message { delivery: Delivery::Sent, posted: Some(posted), ..message };
            (Some(sent.clone()), Ok(sent))
        }
        Err(error) if error.outlook == Outlook::Lasting => {
            (Some(Message { delivery: Delivery::Dead, ..message }), Err(error))
        }
        Err(error) if error.effect == Effect::None => {
            (Some(Message { delivery: Delivery::Pending, ..message }), Err(error))
        }
        Err(error) => (None, Err(error)),
    };
    if let Some(settled) = settled {
        let entry = Kind::told(&settled).map(|kind| enter::entry(job, kind));
        let writes = [Write::Message(Box::new(settled))].into_iter().chain(entry);
        job.state.commit(lease, writes.collect()).await?;
    }
    Ok(answer)
}
