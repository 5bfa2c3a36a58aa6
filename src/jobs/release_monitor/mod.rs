//! The main job: for every app, observe, judge, act, tell.
//!
//! Level-triggered: each run compares what should be with what is, so a run that is late, doubled or killed changes
//! nothing but latency. What is to be done is written down before it is done, the store is read back after it, and
//! people are told once it shows. Each run first finishes what an earlier one left half done.
//!
//! A dry run has only the reading halves of the ports in its hands, so it can't write.

mod act;
mod changed;
mod degraded;
mod enter;
pub(super) mod leave;
mod observe;
pub mod order;
mod pause;
pub(super) mod tell;
mod watch;

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use self::act::Resumed;
use self::leave::Planned;
use self::observe::{Provisional, Unjudged};
use self::watch::{FoundOut, LookedAt};
use super::brakes::Brakes;
use super::{Acted, AppReport, AppWorld, JobId};
use crate::domain::advance::Step;
use crate::domain::calendar::date_in;
use crate::domain::control::Heard;
use crate::domain::decision::Record;
use crate::domain::heartbeat::Silence;
use crate::domain::listing;
use crate::domain::outbox::{self, Message};
use crate::domain::release::{Action, Intent, IntentStatus, Release, ReleaseState, RolloutStatus};
use crate::domain::rollout;
use crate::domain::skew;
use crate::domain::verdict::Reason;
use crate::ports::{AppState, Clock, Lease, StateError, StateStore, Write};

/// How long a lease lasts at most: longer than a run's deadline, shorter than the workflow's limit.
pub const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// The job, with everything that all apps share.
pub struct ReleaseMonitor<'w> {
    /// Where things are remembered.
    pub state: &'w dyn StateStore,
    /// What time it is.
    pub clock: &'w dyn Clock,
    /// `PROCESS/RUN`, to tell this run from others.
    pub holder: String,
    /// When it may begin no further change.
    pub brakes: &'w Brakes,
    /// What it may ask of a store besides a halt and a fast-track.
    pub asks: Asks,
    /// The leases that it holds, so that they can be given back where it is ended from outside.
    pub held: Mutex<Vec<Lease>>,
}

/// What a run asks for a release that nothing speaks against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Asks {
    /// Nothing.
    #[default]
    Nothing,
    /// The next step of its rollout.
    NextStep,
}

impl ReleaseMonitor<'_> {
    /// Runs for one app: observes, judges, acts and tells. Where the state store is down, it can only halt.
    ///
    /// # Errors
    /// [`StateError`] where another run is active or the state can't be used. What fails for the app alone is in the
    /// report.
    pub async fn run(&self, world: &AppWorld) -> Result<Vec<AppReport>, StateError> {
        let _seat = world.metrics.sit();
        let now = self.clock.now();
        let lease = match self.take_lease(world, now).await {
            Ok(lease) => lease,
            Err(StateError::Failed(error)) if world.degraded_halt => {
                return Ok(degraded::run(self, world, &error.to_string()).await);
            }
            Err(error) => return Err(error),
        };
        let reports = Box::pin(self.with_lease(world, &lease, now)).await;
        self.give_back(&lease).await;
        reports
    }

    /// Finishes what earlier runs left half done for an app, and judges nothing.
    ///
    /// # Errors
    /// As for [`ReleaseMonitor::run`].
    pub async fn outbox(&self, world: &AppWorld) -> Result<Vec<AppReport>, StateError> {
        let now = self.clock.now();
        let lease = self.take_lease(world, now).await?;
        let reports = self.finish_the_rest(world, &lease, now).await;
        self.give_back(&lease).await;
        reports
    }

    async fn finish_the_rest(
        &self,
        world: &AppWorld,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Vec<AppReport>, StateError> {
        let known = self.state.memory().app(&world.id).await?;
        let heard = leave::hear(self, world).await;
        let mut reports = self.finish_open_intents(world, lease, &known, &heard).await?;
        if reports.is_empty() {
            let nothing = AppReport::nothing_rolling_out(world);
            reports.push(AppReport { reason: Reason::NothingLeft, ..nothing });
        }
        if leave::of_app(world, &heard, now).tells()
            && let Some(report) = reports.first_mut()
        {
            report.problems.extend(tell::drain(self, world, lease).await?);
        }
        Ok(reports)
    }

    /// What [`ReleaseMonitor::outbox`] would go on with. Reads only.
    ///
    /// # Errors
    /// Where the state can't be read.
    pub async fn dry_outbox(&self, world: &AppWorld) -> Result<Vec<AppReport>, StateError> {
        let known = self.state.memory().app(&world.id).await?;
        let left = |state: &ReleaseState| {
            let intent = state.open_intent()?;
            let left = Some(format!("the {} is not done yet", intent.action.as_str()));
            Some(AppReport { withheld: left, ..order::report(world, state, &intent.action) })
        };
        let mut reports: Vec<AppReport> = known.releases.iter().filter_map(left).collect();
        let unsent = known.messages.iter().filter(|message| message.delivery.is_unsent()).count();
        if reports.is_empty() {
            let left = (unsent > 0).then(|| format!("{unsent} messages are not sent yet"));
            let nothing = AppReport::nothing_rolling_out(world);
            reports.push(AppReport { reason: Reason::NothingLeft, withheld: left, ..nothing });
        }
        Ok(reports)
    }

    /// Takes the lease of an app, and notes since when it runs.
    pub(super) async fn take_lease(&self, world: &AppWorld, now: Timestamp) -> Result<Lease, StateError> {
        let (since, until) = (self.clock.moment(), now.checked_add(LEASE).unwrap_or(now));
        let lease = self.state.acquire(&world.id, &self.holder, now, until).await?;
        let lease = lease.timed(since, LEASE.unsigned_abs());
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(lease.clone());
        Ok(lease)
    }

    /// A lease that can't be given back ends by itself; what the run did counts all the same.
    pub(super) async fn give_back(&self, lease: &Lease) {
        drop(self.state.release(lease).await);
        self.held.lock().unwrap_or_else(PoisonError::into_inner).retain(|held| held != lease);
    }

    /// Gives back every lease of a run that was ended from outside.
    pub async fn give_all_back(&self) {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        for lease in held {
            drop(self.state.release(&lease).await);
        }
    }

    /// Observes and judges only.
    ///
    /// # Errors
    /// Where the state can't be read.
    pub async fn dry_run(&self, world: &AppWorld) -> Result<Vec<AppReport>, StateError> {
        let _seat = world.metrics.sit();
        let memory = self.state.memory();
        let known = memory.app(&world.id).await?;
        let releases = match world.target.releases().await {
            Ok(releases) => releases,
            Err(error) => return Ok(vec![AppReport::failed(world, error.to_string())]),
        };
        let now = self.clock.now();
        let mut reports = Vec::new();
        for release in rolling_out(&releases) {
            reports.push(match self.judge(world, &known, &releases, release, now).await? {
                Ok(judged) => AppReport::of(world, judged.record),
                Err(unjudged) => unjudged_report(world, release, &unjudged),
            });
        }
        Ok(with_silence(or_nothing(world, reports), silence(world, &known, now)))
    }

    async fn with_lease(
        &self,
        world: &AppWorld,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Vec<AppReport>, StateError> {
        let known = self.state.memory().app(&world.id).await?;
        let heard = leave::hear(self, world).await;
        let mut reports = self.finish_open_intents(world, lease, &known, &heard).await?;
        let mut looked = LookedAt::EveryRelease;
        let listed = match watch::left_alone(world, &known.watch, now) {
            Some(report) => Err(Some(report)),
            None if nothing_is_rolling_out(world, &known, now).await => {
                looked = LookedAt::TheList;
                Err(None)
            }
            None => {
                let releases = world.target.releases().await;
                releases.map_err(|error| Some(AppReport::failed(world, error.to_string())))
            }
        };
        // The store's answer may have set the clock right.
        let now = self.clock.now();
        match listed {
            Ok(releases) => reports.extend(self.judge_and_act(world, lease, &releases, &heard, now).await?),
            Err(report) => reports.extend(report),
        }
        let mut reports = or_nothing(world, reports);
        let leave = leave::of_app(world, &heard, now);
        let tells = leave.tells();
        let found = FoundOut { reports: &reports, leave, looked };
        let kept = watch::keep(self, world, lease, &known.watch, &found, now).await;
        let mut problems = Vec::new();
        match &heard {
            Heard::Words(control) if tells => leave::tell_of_holds(self, world, lease, control, now).await?,
            Heard::Words(_) => {}
            Heard::Unreadable(problem) => problems.push(problem.clone()),
        }
        if tells {
            problems.extend(tell::drain(self, world, lease).await?);
        }
        // What was done is reported, whether or not the watch over the app could be noted.
        problems.extend(kept.err().map(|error| error.to_string()));
        if let Some(report) = reports.first_mut() {
            report.problems.extend(problems);
        }
        Ok(with_silence(reports, silence(world, &known, now)))
    }

    /// Goes on with what a killed or refused run had written down and not done.
    async fn finish_open_intents(
        &self,
        world: &AppWorld,
        lease: &Lease,
        known: &AppState,
        heard: &Heard,
    ) -> Result<Vec<AppReport>, StateError> {
        let memory = self.state.memory();
        let now = self.clock.now();
        let mut reports = Vec::new();
        for state in known.releases.iter().filter(|state| state.open_intent().is_some()) {
            let Some(intent) = state.open_intent() else { continue };
            let report = memory.decision(&intent.decision).await?.map(|record| AppReport::of(world, record));
            let mut report = report.unwrap_or_else(|| order::report(world, state, &intent.action));
            let leave = leave::of_release(world, heard, state, now);
            if intent.action.stops() && !leave.allows(&intent.action) {
                leave::withheld(&mut report, world, heard, leave, (&intent.action, state), now);
                reports.push(report);
                continue;
            }
            let about = about(state, &known.messages);
            let done = act::resume(self, world, lease, state.clone(), &about, &mut report).await?;
            if done == Resumed::Reported {
                reports.push(report);
            }
        }
        Ok(reports)
    }

    async fn judge_and_act(
        &self,
        world: &AppWorld,
        lease: &Lease,
        releases: &[Release],
        heard: &Heard,
        now: Timestamp,
    ) -> Result<Vec<AppReport>, StateError> {
        let known = self.state.memory().app(&world.id).await?;
        let mut reports = Vec::new();
        let mut looked = Looked::AtAll;
        for release in rolling_out(releases) {
            if known.releases.iter().any(|state| state.id.key == release.key && state.waits_for_a_halt()) {
                continue; // The halt could not be made yet, and is reported as such.
            }
            match self.judge(world, &known, releases, release, now).await? {
                Ok(judged) => {
                    if !judged.is_kept() {
                        looked = Looked::NotAtAll;
                    }
                    reports.push(self.decide_and_act(world, lease, &judged, &known, heard).await?);
                }
                Err(unjudged) => {
                    looked = Looked::NotAtAll;
                    reports.push(unjudged_report(world, release, &unjudged));
                }
            }
        }
        reports.extend(self.remember_the_others(lease, world, &known, releases, looked, now).await?);
        Ok(reports)
    }

    /// Observes one release and judges it. Reads only.
    async fn judge(
        &self,
        world: &AppWorld,
        known: &AppState,
        releases: &[Release],
        release: &Release,
        now: Timestamp,
    ) -> Result<Result<Judged, Unjudged>, StateError> {
        let mut observed =
            match observe::observe(world, self.state.memory(), known, releases, release, self.asks, now)
                .await?
            {
                Ok(observed) => observed,
                Err(unjudged) => return Ok(Err(unjudged)),
            };
        observed.facts.data.clock_off_seconds = self.clock_off();
        let (provisional, writes) = (observed.provisional, std::mem::take(&mut observed.writes));
        let (record, mut state) = observed.judged(world, release, now);
        let undecided = state.clone();
        if record.judgement.fast_track_checked {
            state.fast_track_checked_at = Some(now);
        }
        if let Some(action) = record.judgement.action {
            state.intent = Some(Intent {
                key: key_of(action, &record, &state),
                action: action.into(),
                status: IntentStatus::Planned,
                decision: record.id.clone(),
                planned_at: now,
            });
        }
        Ok(Ok(Judged { record, state, undecided, provisional, writes }))
    }

    /// The seconds by which the machine's clock is wrong, where that is too much.
    fn clock_off(&self) -> Option<i64> {
        self.clock.skew().filter(|skew| skew::is_wrong(*skew)).map(|skew| skew.as_secs())
    }

    /// Writes the decision down with everything that belongs to it, then carries it out.
    async fn decide_and_act(
        &self,
        world: &AppWorld,
        lease: &Lease,
        judged: &Judged,
        known: &AppState,
        heard: &Heard,
    ) -> Result<AppReport, StateError> {
        let planned = leave::write_down(self, world, lease, judged, known, heard).await?;
        let Planned { state, messages, mut report } = planned;
        if state.open_intent().is_some_and(|intent| intent.decision == judged.record.id) {
            act::carry_out(self, world, lease, state, &messages, &mut report).await?;
        }
        Ok(report)
    }

    /// Remembers how releases stand that are not judged: what a person halts or resumes is seen by this, and told. While a release
    /// could not be looked at, they are not noted as looked at either: its start is looked for from then on.
    async fn remember_the_others(
        &self,
        lease: &Lease,
        world: &AppWorld,
        known: &AppState,
        releases: &[Release],
        looked: Looked,
        now: Timestamp,
    ) -> Result<Vec<AppReport>, StateError> {
        let (mut writes, mut reports) = (Vec::new(), Vec::new());
        for release in releases.iter().filter(|release| !is_rolling_out(release)) {
            let id = observe::release_id(world, release);
            let before = known.releases.iter().find(|state| state.id == id);
            let after = match (before, looked) {
                (Some(state), Looked::AtAll) => rollout::seen(state.clone(), release, now),
                (Some(state), Looked::NotAtAll) => {
                    ReleaseState { looked_at: state.looked_at, ..rollout::seen(state.clone(), release, now) }
                }
                (None, Looked::AtAll) => ReleaseState::first_seen(id, release, now, now),
                (None, Looked::NotAtAll) => continue,
            };
            match changed::found(self, world, known, &after, release, now).await {
                Ok(found) => writes.extend(found),
                Err(error) => {
                    reports.push(unjudged_report(world, release, &Unjudged::Failed(error)));
                    continue;
                }
            }
            if before != Some(&after) {
                writes.push(Write::Release(Box::new(after)));
            }
        }
        let writes = pause::told(writes, &known.messages, now);
        if !writes.is_empty() {
            self.state.commit(lease, writes).await?;
        }
        Ok(reports)
    }
}

/// The key of what a decision leads to. A step of a rollout is one of its date.
fn key_of(action: Action, record: &Record, state: &ReleaseState) -> String {
    match action {
        Action::Raise { from, to } => {
            let on = date_in(&record.policy.zone, record.decided_at);
            outbox::step_intent_key(Step { from, to }, on, state)
        }
        Action::Halt | Action::FastTrack => outbox::intent_key(&action.into(), state),
    }
}

/// Whether a look at every release is not worth its edit. A store that can't tell, or does not answer, is looked at.
async fn nothing_is_rolling_out(world: &AppWorld, known: &AppState, now: Timestamp) -> bool {
    match listing::where_nothing_rolls_out(&known.releases, now) {
        Some(quiet) => world.target.listed().await.is_ok_and(|listed| listed == Some(quiet)),
        None => false,
    }
}

/// Whether every release that is rolling out could be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    AtAll,
    NotAtAll,
}

/// A decision, and what has to be written down with it.
pub(super) struct Judged {
    record: Record,
    state: ReleaseState,
    /// The state as it was observed, without what the decision adds.
    undecided: ReleaseState,
    provisional: Provisional,
    writes: Vec<Write>,
}

impl Judged {
    /// Whether its state is remembered. A guess at its start is, where something is to be done to it.
    fn is_kept(&self) -> bool {
        self.keeps(&self.state)
    }

    /// The same for a state with which less may be intended.
    fn keeps(&self, state: &ReleaseState) -> bool {
        self.provisional == Provisional::No || state.open_intent().is_some()
    }
}

fn unjudged_report(world: &AppWorld, release: &Release, unjudged: &Unjudged) -> AppReport {
    let report = match unjudged {
        Unjudged::Failed(error) => AppReport::unasked(world, error),
        Unjudged::Rests => AppReport { reason: Reason::BudgetRests, ..AppReport::nothing_rolling_out(world) },
    };
    AppReport {
        version: Some(release.version.clone()),
        builds: release.builds.clone(),
        user_fraction: release.user_fraction,
        ..report
    }
}

/// The messages about one release.
pub(super) fn about(state: &ReleaseState, messages: &[Message]) -> Vec<Message> {
    messages.iter().filter(|message| message.release == state.id).cloned().collect()
}

fn rolling_out(releases: &[Release]) -> impl Iterator<Item = &Release> {
    releases.iter().filter(|release| is_rolling_out(release))
}

fn is_rolling_out(release: &Release) -> bool {
    release.status == RolloutStatus::RollingOut
}

fn or_nothing(world: &AppWorld, reports: Vec<AppReport>) -> Vec<AppReport> {
    if reports.is_empty() { vec![AppReport::nothing_rolling_out(world)] } else { reports }
}

/// The silence that this run ends, by when the monitor last completed one.
pub(super) fn silence(world: &AppWorld, known: &AppState, now: Timestamp) -> Option<Silence> {
    let job = JobId::ReleaseMonitor.as_str();
    let heartbeat = known.heartbeats.iter().find(|heartbeat| heartbeat.job == job)?;
    heartbeat.silence(now, world.monitor_silence)
}

pub(super) fn with_silence(reports: Vec<AppReport>, silence: Option<Silence>) -> Vec<AppReport> {
    reports.into_iter().map(|report| AppReport { silence, ..report }).collect()
}

/// Marks a report as acted on, or says why not.
fn conclude(report: &mut AppReport, acted: Acted, problem: Option<String>) {
    report.acted = acted;
    if let Some(problem) = problem {
        report.reason = Reason::CouldNotComplete;
        report.problems.push(problem);
    }
}
