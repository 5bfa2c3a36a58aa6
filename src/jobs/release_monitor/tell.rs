//! Tell: sends what is in the outbox, each message once, and each sink's messages in the order of their writing.
//!
//! A message is marked as being sent before it is sent. Found in that state later, it is looked up by its key first:
//! the run that sent it may have been killed between the sink's answer and its own note of it. Where nobody can tell,
//! what asks for a person at once is said again, a warning is not, and a workflow is never started a second time.
//!
//! After a failure that may pass, nothing later goes to the same sink in this run: it would arrive out of order. A
//! refusal that only a person can mend makes a dead letter: it is told in another place where there is one, every run
//! says so for a day, and it is tried again once an hour, because the person may have mended it meanwhile.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::AppWorld;
use super::{ReleaseMonitor, degraded, enter};
use crate::domain::ledger::Kind;
use crate::domain::message::{self, Note};
use crate::domain::outbox::{Delivery, Message, Posted, Refusal, Sink, thread_of};
use crate::ports::{Effect, Found, Lease, Notifier, Outlook, PortError, StateError, Write};

/// A message of which nobody can tell whether it arrived is not said again before this: a call ends sooner.
const ARRIVAL: SignedDuration = SignedDuration::from_secs(30);

/// Sends everything that may be sent. What could not be sent comes back as text and stays in the outbox.
///
/// # Errors
/// Where the state can't be read or written.
pub async fn drain(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
) -> Result<Vec<String>, StateError> {
    let messages = job.state.memory().app(&world.id).await?.messages;
    let mut teller = Teller { job, world, lease, messages, problems: Vec::new(), resting: BTreeSet::new() };
    for index in 0..teller.messages.len() {
        teller.one(index).await?;
    }
    Ok(teller.problems)
}

/// Says something without a state store: once now, and never again.
pub async fn at_once(world: &AppWorld, key: &str, note: Note) -> Vec<String> {
    let Some(channel) = world.channel() else { return Vec::new() };
    let note = world.links.on(note, world.target.console());
    let Err(refused) = channel.post(key, &note, None).await else { return Vec::new() };
    let mut problems = vec![refused.to_string()];
    if let Some(other) = channel.fallback().filter(|_| refused.outlook == Outlook::Lasting) {
        let told = other.post(key, &message::rerouted(&note, &refused.what), None).await;
        problems.extend(told.err().map(|error| error.to_string()));
    }
    problems
}

/// One run's way through the outbox of an app.
struct Teller<'r> {
    job: &'r ReleaseMonitor<'r>,
    world: &'r AppWorld,
    lease: &'r Lease,
    messages: Vec<Message>,
    problems: Vec<String>,
    /// Sinks that failed in a way that may pass.
    resting: BTreeSet<Sink>,
}

impl Teller<'_> {
    async fn one(&mut self, index: usize) -> Result<(), StateError> {
        let Some(message) = self.messages.get(index).cloned() else { return Ok(()) };
        let world = self.world;
        let now = self.job.clock.now();
        let notifier = world.notifiers.get(&message.sink).filter(|_| !self.resting.contains(&message.sink));
        match notifier.filter(|_| message.is_due(now)) {
            Some(notifier) => self.messages[index] = self.deliver(notifier.as_ref(), message).await?,
            None => self.problems.extend(message.unsent(now)),
        }
        Ok(())
    }

    async fn deliver(&mut self, notifier: &dyn Notifier, message: Message) -> Result<Message, StateError> {
        let held = message.posted.clone().filter(|posted| notifier.holds(posted));
        match (held, message.delivery) {
            (Some(posted), _) => self.edit(notifier, message, &posted).await,
            (None, Delivery::Sending) => self.resume(notifier, message).await,
            (None, _) => self.begin(notifier, message).await,
        }
    }

    /// Says something else in the place of what was said. An edit that may have been made is simply made again.
    async fn edit(
        &mut self,
        notifier: &dyn Notifier,
        message: Message,
        posted: &Posted,
    ) -> Result<Message, StateError> {
        let note = self.dressed(&message);
        match notifier.update(posted, &message.key, &note).await {
            Ok(()) => self.sent(message, Some(posted.clone())).await,
            Err(error) => match error.outlook {
                Outlook::Gone => self.begin(notifier, message).await,
                Outlook::Lasting => self.refused(notifier, message, error).await,
                Outlook::Passing => Ok(self.left(message, &error)),
            },
        }
    }

    /// Marks the message as being sent, then sends it.
    async fn begin(&mut self, notifier: &dyn Notifier, message: Message) -> Result<Message, StateError> {
        match self.told_without_memory(notifier, &message).await {
            Ok(Some(posted)) => return self.sent(message, Some(posted)).await,
            Ok(None) => {}
            Err(error) => return Ok(self.left(message, &error)),
        }
        let under = thread_of(&message, &self.messages).filter(|parent| notifier.holds(parent));
        let note = self.dressed(&message);
        let refusal = message.refusal.map(|refusal| Refusal { rerouted: false, ..refusal });
        let sending = Message {
            delivery: Delivery::Sending,
            first_attempt_at: Some(self.job.clock.now()),
            under,
            posted: None,
            refusal,
            note,
            ..message
        };
        let sending = self.commit(sending).await?;
        self.attempt(notifier, sending).await
    }

    /// Where a run without a memory has told what this message is to tell; none where it has not, or nobody can tell.
    ///
    /// # Errors
    /// Where the channel could not be asked, and the next run is to ask again. What is late by then is told without a
    /// look: twice rather than never.
    async fn told_without_memory(
        &self,
        notifier: &dyn Notifier,
        message: &Message,
    ) -> Result<Option<Posted>, PortError> {
        match degraded::told(notifier, message).await {
            Ok(Found::There(posted)) => {
                Ok(Some(posted).filter(|posted| !self.is_of_another(message, posted)))
            }
            Err(error) if error.outlook == Outlook::Passing && !message.is_late(self.job.clock.now()) => {
                Err(error)
            }
            Ok(Found::Nowhere | Found::CannotTell(_)) | Err(_) => Ok(None),
        }
    }

    /// Whether what was found in the channel is remembered as another message: a release can be halted again.
    fn is_of_another(&self, message: &Message, found: &Posted) -> bool {
        self.messages.iter().filter(|other| other.key != message.key).any(|other| other.is_at(found))
    }

    /// Marks the message once more and sends it: only the holder of the lease can mark it, and what a run has found that
    /// lost it without noticing, another run may be sending at this moment.
    async fn attempt_again(
        &mut self,
        notifier: &dyn Notifier,
        message: Message,
    ) -> Result<Message, StateError> {
        let message = self.commit(message).await?;
        self.attempt(notifier, message).await
    }

    async fn attempt(&mut self, notifier: &dyn Notifier, message: Message) -> Result<Message, StateError> {
        match notifier.post(&message.key, &self.of_its_time(&message), message.under.as_ref()).await {
            Ok(posted) => self.sent(message, Some(posted)).await,
            Err(error) if error.outlook == Outlook::Lasting => self.refused(notifier, message, error).await,
            Err(error) if error.effect == Effect::None => {
                let pending = Message { delivery: Delivery::Pending, ..self.left(message, &error) };
                self.commit(pending).await
            }
            // Whether it arrived is not known, so it stays as being sent and is looked up next time.
            Err(error) => Ok(self.left(message, &error)),
        }
    }

    /// Goes on with a message that an earlier run may have sent.
    async fn resume(&mut self, notifier: &dyn Notifier, message: Message) -> Result<Message, StateError> {
        let rerouted = message.refusal.as_ref().is_some_and(|refusal| refusal.rerouted);
        if let Some(other) = notifier.fallback().filter(|_| rerouted) {
            return self.resume_elsewhere(notifier, other, message).await;
        }
        // Before the look for the message itself, which is to be the last before it is said again.
        match self.told_without_memory(notifier, &message).await {
            Ok(Some(posted)) => return self.sent(message, Some(posted)).await,
            Ok(None) => {}
            Err(error) => return Ok(self.left(message, &error)),
        }
        let found = self.find(notifier, &message, message.under.as_ref()).await;
        match found {
            Ok(Found::There(posted)) => self.sent(message, Some(posted)).await,
            Ok(_) if message.sink == Sink::GithubDispatch => self.never_twice(message).await,
            Ok(Found::Nowhere) => self.attempt_again(notifier, message).await,
            Ok(Found::CannotTell(why)) => match self.may_be_said_again(&message, &why) {
                Again::Now => self.attempt_again(notifier, message).await,
                Again::Later => Ok(message),
                Again::Never => self.sent(message, None).await,
            },
            Err(error) if error.outlook == Outlook::Passing => Ok(self.left(message, &error)),
            // Nobody can look any more: what must arrive is said again, or told to be refused.
            Err(_) if message.note.kind.must_arrive() => self.attempt_again(notifier, message).await,
            Err(error) => {
                self.problems.push(error.to_string());
                Ok(message)
            }
        }
    }

    /// Goes on with a message that was refused, and that an earlier run may have told in the other place.
    async fn resume_elsewhere(
        &mut self,
        notifier: &dyn Notifier,
        other: &dyn Notifier,
        message: Message,
    ) -> Result<Message, StateError> {
        match self.find(other, &message, None).await {
            Ok(Found::There(posted)) => {
                self.problems.extend(message.refusal.as_ref().map(|refused| refused.to_string()));
                self.sent(message, Some(posted)).await
            }
            Ok(Found::Nowhere) => self.begin(notifier, message).await,
            Ok(Found::CannotTell(why)) => match self.may_be_said_again(&message, &why) {
                Again::Now => self.begin(notifier, message).await,
                Again::Later => Ok(message),
                Again::Never => self.sent(message, None).await,
            },
            Err(error) => Ok(self.left(message, &error)),
        }
    }

    /// What comes of a message of which nobody can tell whether it arrived.
    fn may_be_said_again(&mut self, message: &Message, why: &str) -> Again {
        if !message.note.kind.must_arrive() {
            self.problems.push(message::perhaps_unsaid(&message.note, why));
            return Again::Never;
        }
        if self.age(message) < ARRIVAL {
            self.problems.push(message::said_again(&message.note, why));
            return Again::Later;
        }
        Again::Now
    }

    async fn never_twice(&mut self, message: Message) -> Result<Message, StateError> {
        let (what, fix) = message::perhaps_not_started(&message.note);
        let refusal = self.refusal(&message, &PortError::new(what, fix));
        self.problems.push(refusal.to_string());
        self.commit(Message { delivery: Delivery::Dead, refusal: Some(refusal), ..message }).await
    }

    /// A refusal that only a person can mend: told in the other place, or kept as a dead letter.
    async fn refused(
        &mut self,
        notifier: &dyn Notifier,
        message: Message,
        error: PortError,
    ) -> Result<Message, StateError> {
        let refusal = self.refusal(&message, &error);
        self.problems.push(error.to_string());
        let Some(other) = notifier.fallback() else {
            return self
                .commit(Message { delivery: Delivery::Dead, refusal: Some(refusal), ..message })
                .await;
        };
        let note = message::rerouted(&self.of_its_time(&message), &refusal.what);
        let rerouted = Message {
            delivery: Delivery::Sending,
            refusal: Some(Refusal { rerouted: true, ..refusal.clone() }),
            under: None,
            ..message
        };
        let rerouted = self.commit(rerouted).await?;
        match other.post(&rerouted.key, &note, None).await {
            Ok(posted) => self.sent(rerouted, Some(posted)).await,
            Err(error) if error.outlook == Outlook::Lasting => {
                self.problems.push(error.to_string());
                self.commit(Message { delivery: Delivery::Dead, refusal: Some(refusal), ..rerouted }).await
            }
            Err(error) => Ok(self.left(rerouted, &error)),
        }
    }

    /// The refusal of now; a message that was refused before keeps since when.
    fn refusal(&self, message: &Message, error: &PortError) -> Refusal {
        let now = self.job.clock.now();
        Refusal {
            what: error.what.clone(),
            fix: error.fix.clone(),
            since: message.refusal.as_ref().map_or(now, |refusal| refusal.since),
            tried_at: now,
            rerouted: false,
        }
    }

    /// Looks for a message where it was sent, which may be another place than where it would be sent today.
    async fn find(
        &self,
        notifier: &dyn Notifier,
        message: &Message,
        under: Option<&Posted>,
    ) -> Result<Found, PortError> {
        let since = message.first_attempt_at.unwrap_or(message.written_at);
        notifier.find(&message.key, under, since, self.age(message)).await
    }

    fn age(&self, message: &Message) -> SignedDuration {
        self.job.clock.now().duration_since(message.first_attempt_at.unwrap_or(message.written_at))
    }

    fn dressed(&self, message: &Message) -> Note {
        self.world.links.on(message.note.clone(), self.world.target.console())
    }

    /// What is sent: the note, with its time where it comes late.
    fn of_its_time(&self, message: &Message) -> Note {
        match message.is_late(self.job.clock.now()) {
            true => message::late(&message.note, message.written_at),
            false => message.note.clone(),
        }
    }

    /// Leaves a message as it is, with everything that is to follow it.
    fn left(&mut self, message: Message, error: &PortError) -> Message {
        self.problems.push(error.to_string());
        self.resting.insert(message.sink);
        message
    }

    async fn sent(&self, message: Message, posted: Option<Posted>) -> Result<Message, StateError> {
        let sent = Message { delivery: Delivery::Sent, posted, refusal: None, ..message };
        let entry = Kind::told(&sent).map(|kind| enter::entry(self.job, kind));
        let writes = [Write::Message(Box::new(sent.clone()))].into_iter().chain(entry);
        self.job.state.commit(self.lease, writes.collect()).await?;
        Ok(sent)
    }

    async fn commit(&self, message: Message) -> Result<Message, StateError> {
        self.job.state.commit(self.lease, vec![Write::Message(Box::new(message.clone()))]).await?;
        Ok(message)
    }
}

/// Whether a message of which nobody can tell whether it arrived is said again.
enum Again {
    /// Now.
    Now,
    /// By the next run: a call that was lost may still be under way.
    Later,
    /// Not at all.
    Never,
}
