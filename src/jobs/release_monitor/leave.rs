//! Leave: what a run is free to do for a release, and the commit T1 that writes down what it is going to do.
//!
//! T1 is one commit that depends on the lease, on what people had said and on the state that the decision was made on. A
//! hold that is set between the decision and T1 makes the commit fail; the run then listens again and plans anew.

use std::time::Duration;

use super::super::{AppReport, AppWorld};
use super::{Judged, LEASE, ReleaseMonitor, about, changed, enter, silence};
use crate::domain::control::{Control, Heard, Leave, Said, Switch};
use crate::domain::judge::Decision;
use crate::domain::ledger::Standing;
use crate::domain::message::{self, NoteKind};
use crate::domain::outbox::{self, Delivery, Message};
use crate::domain::release::{Change, ReleaseState, RolloutStatus};
use crate::domain::verdict::Reason;
use crate::ports::{AppState, Basis, Lease, StateError, Write};

/// What raises exposure is begun in the first half of a lease only: one part in so many must be left of it.
const YOUNG_PART: u32 = 2;
/// A person who says something else each time is listened to so often in one run.
const MOST_PLANS: u32 = 3;

/// What T1 has written down.
pub struct Planned {
    /// The state with its intent, where one is to be carried out.
    pub state: ReleaseState,
    /// The messages about the release.
    pub messages: Vec<Message>,
    /// What the run says of it so far.
    pub report: AppReport,
}

/// Listens to what people have said. What can't be read is no error here: it takes away what raises exposure.
pub async fn hear(job: &ReleaseMonitor<'_>, world: &AppWorld) -> Heard {
    match job.state.heard(&world.id).await {
        Ok(control) => Heard::Words(control),
        Err(error) => Heard::Unreadable(format!(
            "what people have said about app {} can't be read, so nothing is released further\n{error}",
            world.id
        )),
    }
}

/// What a run is free to do for the whole app.
pub fn of_app(world: &AppWorld, heard: &Heard, now: jiff::Timestamp) -> Leave {
    Leave::strictest([world.switch.into(), heard.leave(None, now)])
}

/// What a run is free to do for a release.
pub fn of_release(world: &AppWorld, heard: &Heard, state: &ReleaseState, now: jiff::Timestamp) -> Leave {
    Leave::strictest([world.switch.into(), heard.leave(Some(&state.version), now)])
}

/// T1: writes the decision down with everything that belongs to it, and its intent only as far as people leave the run
/// free to act.
pub async fn write_down(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
    judged: &Judged,
    known: &AppState,
    heard: &Heard,
) -> Result<Planned, StateError> {
    let mut heard = heard.clone();
    let mut plans = 1;
    loop {
        let (planned, writes) = plan(job, world, lease, judged, known, &heard);
        match job.state.commit(lease, writes).await {
            Err(StateError::Overtaken { .. }) if plans < MOST_PLANS => {
                let again = hear(job, world).await;
                // Where nobody said anything else, it is the release that was changed: it has to be looked at again.
                if again == heard {
                    return Err(overtaken(world));
                }
                (heard, plans) = (again, plans + 1);
            }
            written => return written.map(|()| planned),
        }
    }
}

fn overtaken(world: &AppWorld) -> StateError {
    StateError::Overtaken { app: world.id.clone(), what: "the state of the release" }
}

fn plan(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
    judged: &Judged,
    known: &AppState,
    heard: &Heard,
) -> (Planned, Vec<Write>) {
    let now = judged.record.decided_at;
    let before = known.releases.iter().find(|state| state.id == judged.state.id);
    let about = about(&judged.state, &known.messages);
    let leave = of_release(world, heard, &judged.state, now);
    let mut report = AppReport::of(world, judged.record.clone());
    let mut state = judged.state.clone();
    let mut messages = outbox::messages(&judged.record, &state, &about, &world.sinks());
    messages.extend(silence(world, known, now).and_then(|gap| outbox::silence(&state, gap, &about, now)));
    for message in &mut messages {
        message.note = world.links.on(message.note.clone(), world.target.console());
    }
    let wanted = state.open_intent().map(|intent| intent.action.clone());
    if let Some(change) = wanted.filter(|change| !may_be_begun(job, lease, leave, change)) {
        // A check of the cycle that was made no use of may be made again.
        let checked = state.fast_track_checked_at.filter(|_| change != Change::FastTrack);
        let undecided = judged.undecided.clone();
        state =
            ReleaseState { fast_track_checked_at: checked.or(undecided.fast_track_checked_at), ..undecided };
        messages.retain(|message| message.delivery != Delivery::Waiting);
        messages.extend(withhold(&mut report, world, heard, leave, &change, &judged.state, &about));
    }
    if leave == Leave::Act && judged.record.judgement.action.is_none() {
        messages.extend(outbox::stuck(&judged.record, &state, &about));
    }
    if !leave.tells() {
        messages.clear();
        let looked = || format!("the release is only looked at: {}", looks_on(world, heard, &state, now));
        report.withheld.get_or_insert_with(looked);
    }
    let mut writes = judged.writes.clone();
    if state.open_intent().is_some() {
        writes.extend(basis(world, heard, &state, before));
    }
    if judged.keeps(&state) {
        writes.extend(before.and_then(|before| changed::entered(job, before, Standing::from(&state))));
        let told = enter::configuration(job, &judged.record, &mut state, known, &about);
        writes.extend(told.into_iter().filter(|write| leave.tells() || !matches!(write, Write::Message(_))));
        writes.push(Write::Release(Box::new(state.clone())));
    }
    writes.push(Write::Decision(Box::new(judged.record.clone())));
    writes.extend(enter::intents(job, &judged.record, &state, known));
    writes.extend(messages.iter().cloned().map(|message| Write::Message(Box::new(message))));
    let messages = about.into_iter().chain(messages).collect();
    (Planned { state, messages, report }, writes)
}

/// Whether a change may be written down to be carried out. What raises exposure needs a young lease as well.
fn may_be_begun(job: &ReleaseMonitor<'_>, lease: &Lease, leave: Leave, change: &Change) -> bool {
    leave.allows(change) && (change.stops() || is_young(job, lease))
}

fn is_young(job: &ReleaseMonitor<'_>, lease: &Lease) -> bool {
    let whole: Duration = LEASE.unsigned_abs();
    lease.left(job.clock.moment()) >= whole / YOUNG_PART
}

/// What the commit of an intent depends on. A halt does not wait for words that can't be read.
pub fn basis(
    world: &AppWorld,
    heard: &Heard,
    state: &ReleaseState,
    before: Option<&ReleaseState>,
) -> Vec<Write> {
    let of_release = Basis::Release(state.id.clone(), before.cloned().map(Box::new));
    let of_words = match heard {
        Heard::Words(control) => Some(Basis::Control(world.id.clone(), control.clone())),
        Heard::Unreadable(_) => None,
    };
    [of_release].into_iter().chain(of_words).map(|basis| Write::Provided(Box::new(basis))).collect()
}

/// Says why a change is not made. People are told where it is a halt that a person holds back.
fn withhold(
    report: &mut AppReport,
    world: &AppWorld,
    heard: &Heard,
    leave: Leave,
    change: &Change,
    state: &ReleaseState,
    about: &[Message],
) -> Option<Message> {
    let record = report.record.clone()?;
    let held = held_by(heard, state, record.decided_at).cloned();
    withheld(report, world, heard, leave, (change, state), record.decided_at);
    let held = held.filter(|_| change.stops() && leave == Leave::Tell)?;
    outbox::halt_held(&record, state, &held, about, record.decided_at)
}

/// Notes in a report why a change of a release is not made.
pub fn withheld(
    report: &mut AppReport,
    world: &AppWorld,
    heard: &Heard,
    leave: Leave,
    (change, state): (&Change, &ReleaseState),
    now: jiff::Timestamp,
) {
    let wanted = change.as_str();
    let why = match (heard, held_by(heard, state, now)) {
        _ if !leave.tells() => looks_on(world, heard, state, now),
        (_, Some(held)) => {
            (report.decision, report.reason) = (Decision::Overridden, Reason::Held);
            message::hold_in_words(held)
        }
        (Heard::Unreadable(_), None) => "what people have said can't be read".to_owned(),
        (Heard::Words(_), None) => {
            report.reason = Reason::Postponed;
            report.problems.push(format!(
                "the {wanted} was not begun: half of the lease is over\n  fix: nothing; the next run judges it again"
            ));
            "half of the lease of the run is over".to_owned()
        }
    };
    report.withheld = Some(format!("the {wanted} was not made: {why}"));
}

/// Why a release is only looked at.
fn looks_on(world: &AppWorld, heard: &Heard, state: &ReleaseState, now: jiff::Timestamp) -> String {
    match held_by(heard, state, now) {
        Some(held) if world.switch == Switch::Auto => message::hold_in_words(held),
        _ => format!("the mode is {}", world.switch),
    }
}

fn held_by<'h>(heard: &'h Heard, state: &ReleaseState, now: jiff::Timestamp) -> Option<&'h Said> {
    match heard {
        Heard::Words(control) => control.strictest(Some(&state.version), now),
        Heard::Unreadable(_) => None,
    }
}

/// Tells people once of each hold that was set or ended, and reminds them once of each that is about to end. What was
/// said is in the ledger since it was said.
pub async fn tell_of_holds(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
    control: &Control,
    now: jiff::Timestamp,
) -> Result<(), StateError> {
    let kinds = [NoteKind::Held, NoteKind::HoldEnds, NoteKind::HoldEnded];
    let is_due = |said: &Said| kinds.into_iter().any(|kind| said.is_to_be_told(kind, now));
    if !control.words.iter().any(is_due) {
        return Ok(());
    }
    // As it is after this run has looked: the thread of the release may only have begun.
    let known = job.state.memory().app(&world.id).await?;
    let mut writes = Vec::new();
    for said in &control.words {
        for kind in kinds {
            let key = said.key_of(kind, &world.id);
            let is_said = || known.messages.iter().any(|message| message.key == key);
            if said.is_to_be_told(kind, now) && !is_said() {
                let message = about_hold(world, &known, said, kind, now);
                writes.push(Write::Message(Box::new(message)));
            }
        }
    }
    if writes.is_empty() { Ok(()) } else { job.state.commit(lease, writes).await }
}

/// A message about a hold, in the thread of the release that it is about.
fn about_hold(
    world: &AppWorld,
    known: &AppState,
    said: &Said,
    kind: NoteKind,
    now: jiff::Timestamp,
) -> Message {
    let is_its = |state: &&ReleaseState| match &said.release {
        Some(version) => state.version == *version,
        None => state.last_seen == RolloutStatus::RollingOut,
    };
    let state = known.releases.iter().filter(is_its).max_by_key(|state| state.looked_at);
    let note = message::of_hold(kind, &world.id, world.platform, said);
    outbox::about_hold(
        said.key_of(kind, &world.id),
        note,
        (&world.id, world.platform),
        state,
        &known.messages,
        now,
    )
}
