//! Messages that are to be said once: written down before they are sent, and merged by key.
//!
//! A message has a key, so that no run says it twice. One that tells of an effect waits until the store was read
//! back. A warning may be edited in place; everything else is said once and stays.

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::advance::{self, Step};
use super::control::Said;
use super::daily::{AppPage, told};
use super::decision::Record;
use super::heartbeat::Silence;
use super::ids::{AppId, DecisionId, Platform};
use super::keys;
use super::message::{self, Note, NoteKind, Subject};
use super::pause_budget::PauseBudget;
use super::release::{Action, Change, Intent, Release, ReleaseId, ReleaseState};
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

impl Delivery {
    /// Whether it is still to be sent.
    #[must_use]
    pub fn is_unsent(self) -> bool {
        matches!(self, Self::Pending | Self::Sending)
    }
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
    /// The message under which it is a reply, by the notifier's name for that; none where it stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

/// Why a message can't be sent until a person changes something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What the sink said.
    pub what: String,
    /// What to do about it.
    pub fix: String,
    /// When it was first refused.
    pub since: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
    /// Whether it is being told in the other place instead.
    #[serde(default)]
    pub rerouted: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  fix: {}", self.what, self.fix)
    }
}

/// For so long after its first refusal a message is tried again and every run says that it was not sent.
const REFUSAL_SHOWN: SignedDuration = SignedDuration::from_hours(24);
/// A refused message is tried again this often at most: a person has to change something first.
const REFUSAL_REST: SignedDuration = SignedDuration::from_hours(1);
/// A message that is sent later than this after it was written says when that was.
const LATE: SignedDuration = SignedDuration::from_mins(5);

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
    /// When sending was first tried, or could first have been tried by a run that remembers nothing; looking up starts a
    /// little earlier.
    pub first_attempt_at: Option<Timestamp>,
    /// The message under which it was first sent, to look for it there.
    pub under: Option<Posted>,
    /// Where it is.
    pub posted: Option<Posted>,
    /// When it was written down; the outbox is drained in this order.
    pub written_at: Timestamp,
    /// Why it could not be sent, where it was refused for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

impl Message {
    /// Whether it is to be sent, or looked for, by a run at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        match (self.delivery, &self.refusal) {
            (Delivery::Pending | Delivery::Sending, _) => true,
            (Delivery::Dead, Some(refusal)) => {
                // What starts something is never tried twice.
                let rested = now.duration_since(refusal.tried_at) >= REFUSAL_REST;
                self.sink != Sink::GithubDispatch && rested && refusal.is_shown(now)
            }
            (Delivery::Dead, None) | (Delivery::Waiting | Delivery::Sent | Delivery::Withdrawn, _) => false,
        }
    }

    /// What every run says of a message that was refused for good, until it is too old to matter.
    #[must_use]
    pub fn unsent(&self, now: Timestamp) -> Option<String> {
        let refusal = self.refusal.as_ref().filter(|refusal| refusal.is_shown(now))?;
        (self.delivery == Delivery::Dead).then(|| message::unsent(&self.note, refusal))
    }

    /// Whether it is the one that is there.
    #[must_use]
    pub fn is_at(&self, place: &Posted) -> bool {
        self.posted
            .as_ref()
            .is_some_and(|posted| (&posted.channel, &posted.id) == (&place.channel, &place.id))
    }

    /// Whether it is sent so long after it was written that it has to say so.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        now.duration_since(self.written_at) >= LATE
    }

    /// Whether it was meant as a reply, and its sink let it stand alone: a person had deleted the start of the thread.
    fn stands_alone(&self) -> bool {
        self.parent.is_some() && self.posted.as_ref().is_some_and(|posted| posted.thread.is_none())
    }
}

impl Refusal {
    fn is_shown(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) < REFUSAL_SHOWN
    }
}

/// Where the message is under which this one is a reply; none where it stands alone. Where a person deleted the start of
/// the thread, the thread goes on under the first reply that had to stand alone for that.
#[must_use]
pub fn thread_of(message: &Message, known: &[Message]) -> Option<Posted> {
    let parent = message.parent.as_ref()?;
    let is_of_it = |other: &&Message| {
        (&other.release, other.sink) == (&message.release, message.sink) && other.key != message.key
    };
    let alone = known.iter().filter(is_of_it).filter(|other| other.stands_alone());
    let start = alone.max_by_key(|other| other.written_at);
    start.or_else(|| known.iter().find(|other| other.key == *parent))?.posted.clone()
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
        let mut note = message::acted(record, action);
        let short = PauseBudget::of(state, record.decided_at).filter(PauseBudget::is_short);
        note.lines.extend(short.filter(|_| action == Action::Halt).as_ref().map(message::pause_left));
        notes.push((note, Delivery::Waiting));
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
    let note = Note {
        subject: Some(subject(state, Some(intent.decision.clone()), known)),
        ..message::superseded(&state.id, state.version.as_str(), &intent.action, found)
    };
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
    let decision = state.open_intent().map(|intent| intent.decision.clone());
    let note = Note {
        subject: Some(subject(state, decision, known)),
        ..message::halt_failed(&state.id, state.version.as_str(), error.what, error.fix)
    };
    merged(note, Sink::Slack, Delivery::Pending, now, state, known)
}

/// What a note about a release is about. Its builds are those that an earlier note of it names.
fn subject(state: &ReleaseState, decision: Option<DecisionId>, known: &[Message]) -> Subject {
    let named = known.iter().filter_map(|message| message.note.subject.as_ref());
    let builds = named.map(|subject| &subject.builds).find(|builds| !builds.is_empty());
    Subject {
        release: state.id.clone(),
        version: state.version.clone(),
        builds: builds.cloned().unwrap_or_default(),
        decision,
    }
}

/// The message that tells that somebody else has halted a release; none where it was told already. `before` is what was
/// remembered of it until now. It was not halted before `since`, from when on a run without a memory may have told of it.
#[must_use]
pub fn halted_elsewhere(
    before: &ReleaseState,
    live: &Release,
    known: &[Message],
    since: Timestamp,
    now: Timestamp,
) -> Option<Message> {
    let note = message::halted_elsewhere(&before.id, &live.version, &live.builds, before.last_fraction);
    let message = merged(note, Sink::Slack, Delivery::Pending, now, before, known)?;
    Some(Message { first_attempt_at: Some(since), ..message })
}

/// The message of a run without a memory, which is in the channel and was not remembered: it is the one message about the
/// halt of this generation.
#[must_use]
pub fn sent_without_memory(
    state: &ReleaseState,
    posted: Posted,
    known: &[Message],
    now: Timestamp,
) -> Message {
    let note = message::sent_without_memory(state);
    let key = message_key(note.kind, Sink::Slack, state);
    let sent = new(key, note, Sink::Slack, Delivery::Sent, now, state, known);
    // It knew of no thread.
    Message { parent: None, posted: Some(posted), ..sent }
}

/// The message that tells that the pause of a halted release ends soon; none where it does not, or was told already.
#[must_use]
pub fn pause_budget(state: &ReleaseState, known: &[Message], now: Timestamp) -> Option<Message> {
    let budget = PauseBudget::of(state, now).filter(|budget| budget.is_nearly_used_up(state))?;
    merged(message::pause_budget(state, &budget), Sink::Slack, Delivery::Pending, now, state, known)
}

/// The message that tells that a release is judged by other settings; none where this change was told already.
#[must_use]
pub fn reconfigured(
    record: &Record,
    before: &Reconfigured<'_>,
    state: &ReleaseState,
    known: &[Message],
) -> Option<Message> {
    let after = state.configuration.as_deref().unwrap_or_default();
    let id = &state.id;
    let parts = [id.app.as_str(), id.platform.as_str(), &id.key, before.configuration, after];
    let key = keys::key("config", &parts);
    let note = message::reconfigured(record, before.record);
    let is_new = known.iter().all(|message| message.key != key);
    is_new.then(|| new(key, note, Sink::Slack, Delivery::Pending, record.decided_at, state, known))
}

/// What a release was judged by before.
#[derive(Debug, Clone, Copy)]
pub struct Reconfigured<'a> {
    /// The fingerprint of the configuration.
    pub configuration: &'a str,
    /// The decision before this one, where it is still known.
    pub record: Option<&'a Record>,
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
        refusal: None,
    })
}

/// The message that tells that nobody was watching a release; none where that silence was told already.
#[must_use]
pub fn silence(state: &ReleaseState, silence: Silence, known: &[Message], now: Timestamp) -> Option<Message> {
    let of_release = message_key(NoteKind::Silence, Sink::Slack, state);
    let key = keys::key("silence", &[&of_release, &silence.since.to_string()]);
    if known.iter().any(|message| message.key == key) {
        return None;
    }
    let note = message::silence(&state.id, state.version.as_str(), silence);
    Some(new(key, note, Sink::Slack, Delivery::Pending, now, state, known))
}

/// The message that tells that a rollout has stood still for days; none where it has not, or where it was told of this
/// share already.
#[must_use]
pub fn stuck(record: &Record, state: &ReleaseState, known: &[Message]) -> Option<Message> {
    let stuck = advance::stuck(&record.facts, &record.policy, record.decided_at)?;
    let of_release = message_key(NoteKind::Stuck, Sink::Slack, state);
    let key = keys::key("stuck", &[&of_release, &stuck.since.to_string()]);
    let is_new = known.iter().all(|message| message.key != key);
    let note = message::stuck(record, &stuck);
    is_new.then(|| new(key, note, Sink::Slack, Delivery::Pending, record.decided_at, state, known))
}

/// The message that tells that a person's hold keeps a bad release from being halted; none where it was told already.
#[must_use]
pub fn halt_held(
    record: &Record,
    state: &ReleaseState,
    held: &Said,
    known: &[Message],
    now: Timestamp,
) -> Option<Message> {
    merged(message::halt_held(record, held), Sink::Slack, Delivery::Pending, now, state, known)
}

/// The messages that tell of a person's order once the store shows it.
#[must_use]
pub fn of_order(
    state: &ReleaseState,
    change: &Change,
    known: &[Message],
    sinks: &[Sink],
    now: Timestamp,
) -> Vec<Message> {
    let Some(note) = message::of_order(state, change) else { return Vec::new() };
    let takers = sinks.iter().filter(|sink| sink.takes(note.kind)).copied();
    takers.filter_map(|sink| merged(note.clone(), sink, Delivery::Waiting, now, state, known)).collect()
}

/// The message of the daily report of an app, in the thread of its release. Where nothing is known of any release it stands
/// alone.
#[must_use]
pub fn daily(page: &AppPage, note: Note, known: &[Message], now: Timestamp) -> Message {
    let of_app = || ReleaseId { app: page.app.clone(), platform: page.platform, key: String::new() };
    let release = page.release.as_ref().map_or_else(of_app, |release| release.id.clone());
    let about: Vec<Message> = known.iter().filter(|message| message.release == release).cloned().collect();
    Message {
        key: told::key(page),
        sink: Sink::Slack,
        parent: page.release.as_ref().and_then(|_| thread(note.kind, &about)),
        release,
        note,
        delivery: Delivery::Pending,
        first_attempt_at: None,
        under: None,
        posted: None,
        written_at: now,
        refusal: None,
    }
}

/// The message about a hold that was set, is about to end, or was ended, in the thread of the release that it is about.
/// Without a state it is about the whole app, and stands alone.
#[must_use]
pub fn about_hold(
    key: String,
    note: Note,
    app: (&AppId, Platform),
    state: Option<&ReleaseState>,
    known: &[Message],
    now: Timestamp,
) -> Message {
    let of_release = |message: &&Message| state.is_some_and(|state| message.release == state.id);
    let thread_of: Vec<Message> = known.iter().filter(of_release).cloned().collect();
    let release = state.map_or_else(
        || ReleaseId { app: app.0.clone(), platform: app.1, key: String::new() },
        |state| state.id.clone(),
    );
    Message {
        key,
        sink: Sink::Slack,
        release,
        parent: thread(note.kind, &thread_of),
        note,
        delivery: Delivery::Pending,
        first_attempt_at: None,
        under: None,
        posted: None,
        refusal: None,
        written_at: now,
    }
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
        NoteKind::HaltHeld => "haltheld",
        NoteKind::Resumed => "resumed",
        NoteKind::Held => "held",
        NoteKind::HoldEnds => "holdends",
        NoteKind::HoldEnded => "holdended",
        NoteKind::Reconfigured => "config",
        NoteKind::Silence => "silence",
        NoteKind::Raised | NoteKind::Completed => return step_key(state),
        NoteKind::Stuck => "stuck",
        NoteKind::DailyReport => "report",
    };
    match sink {
        Sink::Slack => release_key(kind, state),
        other => release_key(&format!("{kind}@{}", other.as_str()), state),
    }
}

/// The key of the message about the step that a release is about to take: each step has its own.
fn step_key(state: &ReleaseState) -> String {
    let intent = state.intent.as_ref().map(|intent| intent.key.as_str()).unwrap_or_default();
    keys::key("raised", &["raised", intent])
}

/// The key of the step of a rollout on a date: every run of that date that wants it makes the same one.
#[must_use]
pub fn step_intent_key(step: Step, on: Date, state: &ReleaseState) -> String {
    let Step { from, to } = step;
    release_key(&format!("raise {} {} {on}", from.get(), to.get()), state)
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
        Change::Resume { .. } => Some(NoteKind::Resumed),
        Change::Raise { from, to } if (Step { from: *from, to: *to }).completes() => {
            Some(NoteKind::Completed)
        }
        Change::Raise { .. } => Some(NoteKind::Raised),
        Change::Start { .. } => None,
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
                // What was not said yet is as old as its first cause; what was said has something new to say.
                written_at: if known.delivery == Delivery::Pending { known.written_at } else { now },
                refusal: None,
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
        refusal: None,
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
