//! Messages that are to be said once: written down before they are sent, and merged by key.
//!
//! A message has a key, so that no run says it twice. One that tells of an effect waits until the store was read
//! back. A warning may be edited in place; everything else is said once and stays.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::decision::Record;
use super::heartbeat::Silence;
use super::ids::{AppId, Platform};
use super::keys;
use super::message::{self, Note, NoteKind};
use super::release::{Change, Intent, ReleaseId, ReleaseState};
use super::verdict::Verdict;
use super::watch::Watch;

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Waits until the store shows the effect that it tells of.
    Waiting,
    /// May be sent.
    Pending,
    /// Was being sent; whether it arrived has to be looked up.
    Sending,
    /// Is in the channel.
    Sent,
    /// Was never sent, because what it tells of did not come about.
    Withdrawn,
    /// Could not be sent and can't be until a person changes something; the runs say so.
    Dead,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sink {
    /// The channel of the app.
    #[default]
    Slack,
    /// An issue in the repository of the app.
    GithubIssue,
    /// The status of a deployment in the repository of the app.
    GithubDeployment,
    /// The start of a workflow in the repository of the app.
    GithubDispatch,
    /// Google Play's offer of an update to devices that have the version already.
    AppRecovery,
}

impl Sink {
    /// Every sink.
    pub const ALL: [Self; 5] =
        [Self::Slack, Self::GithubIssue, Self::GithubDeployment, Self::GithubDispatch, Self::AppRecovery];

    /// The word of keys and texts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::GithubIssue => "github-issue",
            Self::GithubDeployment => "github-deployment",
            Self::GithubDispatch => "github-dispatch",
            Self::AppRecovery => "app-recovery",
        }
    }

    /// Whether it takes notes of this kind. Only the channel takes them all; the others are for a release that was
    /// halted.
    #[must_use]
    pub fn takes(self, kind: NoteKind) -> bool {
        self == Self::Slack || kind == NoteKind::Halt
    }
}

/// Where a message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The channel.
    pub channel: String,
    /// The notifier's name for it (Slack: `ts`).
    pub id: String,
}

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same for every run that wants to say this.
    pub key: String,
    /// Where it goes.
    #[serde(default)]
    pub sink: Sink,
    /// Which release it is about.
    pub release: ReleaseId,
    /// What it says.
    pub note: Note,
    /// The key of the message under which it is a reply.
    pub parent: Option<String>,
    /// How far it has come.
    pub delivery: Delivery,
    /// When sending was first tried; looking up starts a little earlier.
    pub first_attempt_at: Option<Timestamp>,
    /// The message under which it was first sent, to look for it there.
    pub under: Option<Posted>,
    /// Where it is.
    pub posted: Option<Posted>,
    /// When it was written down; the outbox is drained in this order.
    pub written_at: Timestamp,
}

/// The messages that a decision adds to, or changes in, what is already written down about the release.
#[must_use]
pub fn messages(record: &Record, state: &ReleaseState, known: &[Message], sinks: &[Sink]) -> Vec<Message> {
    let mut notes = Vec::new();
    let warns = record.judgement.rules.iter().any(|outcome| outcome.effective == Verdict::Warn);
    // A halt says all that a warning in the same breath would say.
    if warns && record.judgement.action.is_none() {
        notes.push((message::warning(record), Delivery::Pending));
    }
    // Who was warned needs no softer word afterwards.
    let warned =
        known.iter().any(|message| message.key == message_key(NoteKind::Warning, Sink::Slack, state));
    if let Some(alert) = message::budget_alert(record).filter(|_| !warns && !warned) {
        notes.push((alert, Delivery::Pending));
    }
    if let Some(action) = record.judgement.action {
        notes.push((message::acted(record, action), Delivery::Waiting));
    }
    let to_each = |(note, delivery): (Note, Delivery)| {
        let takers = sinks.iter().filter(move |sink| sink.takes(note.kind)).copied();
        takers.filter_map(move |sink| merged(note.clone(), sink, delivery, record.decided_at, state, known))
    };
    notes.into_iter().flat_map(to_each).collect()
}

/// The message that tells that an intent was overtaken.
#[must_use]
pub fn superseded(
    state: &ReleaseState,
    intent: &Intent,
    found: &str,
    known: &[Message],
    now: Timestamp,
) -> Message {
    let note = message::superseded(&state.id, state.version.as_str(), &intent.action, found);
    let key = keys::key("superseded", &[&intent.key, intent.decision.as_str()]);
    new(key, note, Sink::Slack, Delivery::Pending, now, state, known)
}

/// The message that tells that a halt could not be made; none where it was told already.
#[must_use]
pub fn halt_failed(
    state: &ReleaseState,
    error: &PortProblem<'_>,
    known: &[Message],
    now: Timestamp,
) -> Option<Message> {
    let note = message::halt_failed(&state.id, state.version.as_str(), error.what, error.fix);
    merged(note, Sink::Slack, Delivery::Pending, now, state, known)
}

/// The message that tells that an app is not watched. It belongs to no release, so its release has no key.
#[must_use]
pub fn alarm(
    app: &AppId,
    platform: Platform,
    watch: &Watch,
    found: &[String],
    now: Timestamp,
) -> Option<Message> {
    let note = message::alarm(app, platform, watch.trouble.as_ref()?, found);
    let episode = watch.episodes.to_string();
    Some(Message {
        key: keys::key("alarm", &["alarm", app.as_str(), platform.as_str(), &episode]),
        sink: Sink::Slack,
        release: ReleaseId { app: app.clone(), platform, key: String::new() },
        note,
        parent: None,
        delivery: Delivery::Pending,
        first_attempt_at: None,
        under: None,
        posted: None,
        written_at: now,
    })
}

/// The message that tells that nobody was watching a release; none where that silence was told already.
#[must_use]
pub fn silence(state: &ReleaseState, silence: Silence, known: &[Message], now: Timestamp) -> Option<Message> {
    let key = keys::key(
        "silence",
        &[&message_key(NoteKind::Silence, Sink::Slack, state), &silence.since.to_string()],
    );
    if known.iter().any(|message| message.key == key) {
        return None;
    }
    let note = message::silence(&state.id, state.version.as_str(), silence);
    Some(new(key, note, Sink::Slack, Delivery::Pending, now, state, known))
}

/// What went wrong and what to do about it, in the words of the store's adapter.
#[derive(Debug, Clone, Copy)]
pub struct PortProblem<'a> {
    /// What went wrong.
    pub what: &'a str,
    /// What to do about it.
    pub fix: &'a str,
}

/// The key of the message of a kind about one generation of a release.
#[must_use]
pub fn message_key(kind: NoteKind, sink: Sink, state: &ReleaseState) -> String {
    let kind = match kind {
        NoteKind::Warning => "warn",
        NoteKind::Halt => "halt",
        NoteKind::FastTrack => "fasttrack",
        NoteKind::BudgetAlert => "budget",
        NoteKind::Superseded => "superseded",
        NoteKind::HaltFailed => "haltfailed",
        NoteKind::Alarm => "alarm",
        NoteKind::HaltedElsewhere => "haltedelsewhere",
        NoteKind::PauseBudget => "pausebudget",
        NoteKind::Silence => "silence",
    };
    match sink {
        Sink::Slack => release_key(kind, state),
        other => release_key(&format!("{kind}@{}", other.as_str()), state),
    }
}

/// The key of an effect on one generation of a release.
#[must_use]
pub fn intent_key(change: &Change, state: &ReleaseState) -> String {
    release_key(change.as_str(), state)
}

/// What people are told once an effect shows; none where they are told in another way.
#[must_use]
pub fn told_by(change: &Change) -> Option<NoteKind> {
    match change {
        Change::Halt | Change::Withdraw { .. } => Some(NoteKind::Halt),
        Change::FastTrack => Some(NoteKind::FastTrack),
        Change::Raise { .. } | Change::Start { .. } | Change::Resume { .. } => None,
    }
}

/// The messages that wait for an effect.
#[must_use]
pub fn waiting_for(change: &Change, state: &ReleaseState, known: &[Message]) -> Vec<Message> {
    let Some(kind) = told_by(change) else { return Vec::new() };
    let keys = Sink::ALL.map(|sink| message_key(kind, sink, state));
    let waits = |message: &&Message| message.delivery == Delivery::Waiting && keys.contains(&message.key);
    known.iter().filter(waits).cloned().collect()
}

fn release_key(kind: &str, state: &ReleaseState) -> String {
    let id = &state.id;
    let generation = state.generation.to_string();
    keys::key(kind, &[kind, id.app.as_str(), id.platform.as_str(), &id.key, &generation])
}

/// The note as a new message, as an edit of a known one, or nothing where it is already said.
fn merged(
    note: Note,
    sink: Sink,
    delivery: Delivery,
    now: Timestamp,
    state: &ReleaseState,
    known: &[Message],
) -> Option<Message> {
    let key = message_key(note.kind, sink, state);
    match known.iter().find(|message| message.key == key) {
        Some(known) if known.note.kind == NoteKind::Warning && known.note.topic != note.topic => {
            // A message whose arrival is unclear is looked up with its old text first, and edited by the next run.
            (known.delivery != Delivery::Sending).then(|| Message {
                note,
                delivery: Delivery::Pending,
                ..known.clone()
            })
        }
        // What was not said yet is said with the newest numbers.
        Some(known) if matches!(known.delivery, Delivery::Waiting | Delivery::Withdrawn) => {
            Some(Message { note, delivery, written_at: now, ..known.clone() })
        }
        Some(_) => None,
        None => Some(new(key, note, sink, delivery, now, state, known)),
    }
}

fn new(
    key: String,
    note: Note,
    sink: Sink,
    delivery: Delivery,
    now: Timestamp,
    state: &ReleaseState,
    known: &[Message],
) -> Message {
    Message {
        parent: if sink == Sink::Slack { thread(note.kind, known) } else { None },
        sink,
        release: state.id.clone(),
        delivery,
        first_attempt_at: None,
        under: None,
        posted: None,
        written_at: now,
        key,
        note,
    }
}

/// The thread of a release starts with its warning, or with whatever was said first where nobody was warned. A warning
/// never hides in a thread.
fn thread(kind: NoteKind, known: &[Message]) -> Option<String> {
    if kind == NoteKind::Warning {
        return None;
    }
    let is_no_warning = |message: &&Message| message.note.kind != NoteKind::Warning;
    let unsaid = [Delivery::Waiting, Delivery::Withdrawn, Delivery::Dead];
    let is_said = |message: &&Message| message.sink == Sink::Slack && !unsaid.contains(&message.delivery);
    let roots = known.iter().filter(|message| message.parent.is_none()).filter(is_said);
    roots
        .min_by_key(|message| (is_no_warning(message), message.written_at))
        .map(|message| message.key.clone())
}
