//! Orders: what a person asks of a store through the program, on the very path that a rule's halt takes.
//!
//! A lease, an intent that is written down first, a look at the store before and after, a confirmation, a message. The
//! only difference is who wants it: the intent carries the person's word and no evidence. Nothing automatic calls this.

use jiff::Timestamp;

use super::super::{AppReport, AppWorld};
use super::{ReleaseMonitor, about, act, changed, enter, leave, observe, tell};
use crate::domain::control::{Heard, Leave, Order};
use crate::domain::ids::{DecisionId, VersionName};
use crate::domain::judge::Decision;
use crate::domain::keys;
use crate::domain::ledger::Kind;
use crate::domain::outbox;
use crate::domain::persons_word::PersonsWord;
use crate::domain::release::{Change, Intent, IntentStatus, Release, ReleaseState, RolloutStatus};
use crate::domain::rollout::{self, NextStep, next_step};
use crate::domain::verdict::Reason;
use crate::ports::{AppState, Lease, PortError, StateError, Write};

/// Why an order is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is not clear which release is meant, or it can't be done to it.
    #[error("{0}")]
    Release(String),
    /// The mode or a hold stands against it.
    #[error("{0}")]
    Leave(String),
    /// The store could not be asked; nothing was changed.
    #[error(transparent)]
    Store(PortError),
    /// The state could not be used.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What an order would do: the release that is meant, and what the store shows of it.
pub struct Meant {
    /// The release.
    pub release: Release,
    /// What is to be done: nothing, where the store shows it already.
    pub next: NextStep,
}

/// Which release an order means, by the store's own list. Reads only.
///
/// # Errors
/// [`Refused`] where none or more than one could be meant, or the order can't be carried out on it.
pub async fn meant(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    change: &Change,
    named: Option<&VersionName>,
    heard: &Heard,
) -> Result<Meant, Refused> {
    let releases = world.target.releases().await.map_err(Refused::Store)?;
    let release = chosen(world, &releases, change, named)?;
    let next = next_step(change, Some(&release));
    if let NextStep::Supersede(found) = &next {
        let wanted = change.as_str();
        return Err(Refused::Release(format!(
            "release {} of app {}: no {wanted} can be made, because {found}\n  fix: `tidegate control show` lists \
             the releases",
            release.version, world.id
        )));
    }
    may(job, world, change, &release, heard)?;
    Ok(Meant { release, next })
}

/// Carries an order out, and tells people once the store shows it.
///
/// # Errors
/// [`Refused`] where nothing was written down. What went wrong after that is in the report, and the next run goes on.
pub async fn carry_out(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    change: Change,
    named: Option<&VersionName>,
) -> Result<AppReport, Refused> {
    let now = job.clock.now();
    let lease = job.take_lease(world, now).await?;
    let done = Box::pin(with_lease(job, world, &lease, change, named, now)).await;
    job.give_back(&lease).await;
    done
}

async fn with_lease(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
    change: Change,
    named: Option<&VersionName>,
    now: Timestamp,
) -> Result<AppReport, Refused> {
    let heard = leave::hear(job, world).await;
    let Meant { release, next } = meant(job, world, &change, named, &heard).await?;
    let known = job.state.memory().app(&world.id).await?;
    let (state, before) = of_release(world, &known, &release, now);
    let mut report = report(world, &state, &change);
    report.user_fraction = release.user_fraction;
    if next == NextStep::Confirm {
        report.withheld = Some(format!("the store shows it as {} already", release.status.as_str()));
        // It was said all the same.
        job.state.commit(lease, said(job, &state, &change).into_iter().collect()).await?;
        return Ok(report);
    }
    let planned = intended(state, change, now);
    let about = about(&planned, &known.messages);
    let Some(intent) = planned.open_intent().cloned() else { return Ok(report) };
    let messages = outbox::of_order(&planned, &intent.action, &about, &world.sinks(), now);
    let mut writes = leave::basis(world, &heard, &planned, before.as_ref());
    if before.as_ref().is_some_and(|before| before.generation < planned.generation) {
        writes.push(Write::ForgetPartials(planned.id.clone()));
    }
    writes.extend(before.and_then(|before| changed::entered(job, &before, (&release).into())));
    writes.push(Write::Release(Box::new(planned.clone())));
    writes.extend(messages.iter().cloned().map(|message| Write::Message(Box::new(message))));
    writes.extend(recorded(job, world, &heard, &planned, &intent));
    job.state.commit(lease, writes).await?;
    let all: Vec<_> = about.into_iter().chain(messages).collect();
    act::carry_out(job, world, lease, planned, &all, &mut report).await?;
    report.problems.extend(tell::drain(job, world, lease).await?);
    Ok(report)
}

/// What is remembered of the release, brought up to what the store shows; and what was remembered.
fn of_release(
    world: &AppWorld,
    known: &AppState,
    release: &Release,
    now: Timestamp,
) -> (ReleaseState, Option<ReleaseState>) {
    let id = observe::release_id(world, release);
    let before = known.releases.iter().find(|state| state.id == id).cloned();
    let start = release.started_at.unwrap_or(now);
    let state = before.clone().unwrap_or_else(|| ReleaseState::first_seen(id, release, start, now));
    // What somebody has resumed since the last run can be halted, and told of, anew.
    (rollout::seen(state, release, now), before)
}

fn intended(mut state: ReleaseState, change: Change, now: Timestamp) -> ReleaseState {
    let word = word_of(&change);
    let said = word.map(|word| [word.actor(), word.reason()].join("\n")).unwrap_or_default();
    let at = now.to_string();
    let parts = [change.as_str(), state.id.app.as_str(), &state.id.key, &said, &at];
    let decision = DecisionId::new(keys::key("d", &parts)).expect("a key of kind d is a decision id");
    state.intent = Some(Intent {
        key: outbox::intent_key(&change, &state),
        action: change,
        status: IntentStatus::Planned,
        // No evidence wants it, so no decision is recorded under this id.
        decision,
        planned_at: now,
    });
    state
}

/// What an order leaves behind for those who look later: the control document with it as the last one, and the entries
/// of the ledger.
fn recorded(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    heard: &Heard,
    state: &ReleaseState,
    intent: &Intent,
) -> Vec<Write> {
    let Some(word) = word_of(&intent.action) else { return Vec::new() };
    let what = intent.action.as_str().to_owned();
    let intended = Kind::intended(state, &intent.decision).map(|kind| enter::entry(job, kind));
    let entries = said(job, state, &intent.action).into_iter().chain(intended);
    let order = Order { change: what, release: state.version.clone(), word: word.clone() };
    let last = match heard {
        Heard::Words(control) => Some(Write::Control(world.id.clone(), Box::new(control.ordered(order)))),
        Heard::Unreadable(_) => None,
    };
    entries.chain(last).collect()
}

/// The entry of what a person said.
fn said(job: &ReleaseMonitor<'_>, state: &ReleaseState, change: &Change) -> Option<Write> {
    let (word, what) = (word_of(change)?.clone(), change.as_str().to_owned());
    Some(enter::entry(job, Kind::Controlled { word, what, scope: state.id.key.clone(), until: None }))
}

fn word_of(change: &Change) -> Option<&PersonsWord> {
    match change {
        Change::Withdraw { word } | Change::Resume { word, .. } => Some(word),
        Change::Halt | Change::FastTrack | Change::Raise { .. } | Change::Start { .. } => None,
    }
}

/// The report of an order of which nothing is known yet.
#[must_use]
pub fn blank(world: &AppWorld, change: &Change) -> AppReport {
    AppReport {
        decision: if change.stops() { Decision::Halt } else { Decision::Continue },
        reason: Reason::PersonsWord,
        ..AppReport::nothing_rolling_out(world)
    }
}

/// The report of an order, before anything is done.
pub fn report(world: &AppWorld, state: &ReleaseState, change: &Change) -> AppReport {
    AppReport {
        version: Some(state.version.clone()),
        user_fraction: state.last_fraction,
        ..blank(world, change)
    }
}

/// The release that is named, or else the only one that the order can be about.
fn chosen(
    world: &AppWorld,
    releases: &[Release],
    change: &Change,
    named: Option<&VersionName>,
) -> Result<Release, Refused> {
    let wanted = if change.stops() { RolloutStatus::RollingOut } else { RolloutStatus::Halted };
    let fits = |release: &&Release| match named {
        Some(version) => release.version == *version,
        None => release.status == wanted,
    };
    let fitting: Vec<&Release> = releases.iter().filter(fits).collect();
    let listed: Vec<String> =
        releases.iter().map(|release| format!("{} ({})", release.version, release.status.as_str())).collect();
    let listed = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
    match (fitting.as_slice(), named) {
        ([only], _) => Ok((*only).clone()),
        ([], Some(version)) => Err(Refused::Release(format!(
            "app {} has no release {version} in the store\n  fix: it lists {listed}",
            world.id
        ))),
        ([], None) => Err(Refused::Release(format!(
            "app {} has no release that is {}\n  fix: name one with --release; the store lists {listed}",
            world.id,
            wanted.as_str()
        ))),
        (_, _) => Err(Refused::Release(format!(
            "app {} has more than one release that could be meant\n  fix: name one with --release; the store lists {listed}",
            world.id
        ))),
    }
}

/// A mode that keeps off stores stands against every order, a hold and words that can't be read against a resume.
fn may(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    change: &Change,
    release: &Release,
    heard: &Heard,
) -> Result<(), Refused> {
    let now = job.clock.now();
    let leave = Leave::strictest([world.switch.into(), heard.leave(Some(&release.version), now)]);
    if leave.allows(change) {
        return Ok(());
    }
    let wanted = change.as_str();
    let why = match heard {
        _ if !Leave::from(world.switch).allows(change) => format!(
            "the mode of app {} is {}, so nothing is done to a store\n  fix: set TIDEGATE_MODE and [control] mode to \
             auto, or do it in the store's console",
            world.id, world.switch
        ),
        Heard::Unreadable(problem) => format!("no {wanted} is made: {problem}"),
        Heard::Words(control) => {
            let held = control.strictest(Some(&release.version), now);
            let held = held.map(crate::domain::message::hold_in_words).unwrap_or_default();
            format!(
                "no {wanted} is made: {held}\n  fix: end the hold first, with `tidegate control release-hold`"
            )
        }
    };
    Err(Refused::Leave(why))
}
