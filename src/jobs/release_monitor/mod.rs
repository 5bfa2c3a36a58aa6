//! The main job: for every app, observe, judge, act, tell.
//!
//! Level-triggered: each run compares what should be with what is, so a run that is late, doubled or killed changes
//! nothing but latency. What is to be done is written down before it is done, the store is read back after it, and
//! people are told once it shows. Each run first finishes what an earlier one left half done.
//!
//! A dry run has only the reading halves of the ports in its hands, so it can't write.

mod act;
mod degraded;
mod observe;
mod tell;
mod watch;

use jiff::{SignedDuration, Timestamp};

use self::act::Resumed;
use self::observe::{Provisional, Unjudged};
use super::{Acted, AppReport, AppWorld, JobId};
use crate::domain::decision::Record;
use crate::domain::heartbeat::Silence;
use crate::domain::outbox::{self, Message};
use crate::domain::release::{Intent, IntentStatus, Release, ReleaseState, RolloutStatus};
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
        let until = now.checked_add(LEASE).unwrap_or(now);
        let lease = match self.state.acquire(&world.id, &self.holder, now, until).await {
            Ok(lease) => lease,
            Err(StateError::Failed(error)) if world.degraded_halt => {
                return Ok(degraded::run(self, world, &error.to_string()).await);
            }
            Err(error) => return Err(error),
        };
        let reports = self.with_lease(world, &lease, now).await;
        // A lease that can't be given back ends by itself; what the run did counts all the same.
        drop(self.state.release(&lease).await);
        reports
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
        let mut reports = self.finish_open_intents(world, lease, &known).await?;
        let listed = match watch::left_alone(world, &known.watch, now) {
            Some(report) => Err(report),
            None => {
                world.target.releases().await.map_err(|error| AppReport::failed(world, error.to_string()))
            }
        };
        // The store's answer may have set the clock right.
        let now = self.clock.now();
        match listed {
            Ok(releases) => reports.extend(self.judge_and_act(world, lease, &releases, now).await?),
            Err(report) => reports.push(report),
        }
        let mut reports = or_nothing(world, reports);
        let kept = watch::keep(self, world, lease, &known.watch, &reports, now).await;
        let mut problems = tell::drain(self, world, lease).await?;
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
    ) -> Result<Vec<AppReport>, StateError> {
        let memory = self.state.memory();
        let mut reports = Vec::new();
        for state in known.releases.iter().filter(|state| state.open_intent().is_some()) {
            let Some(decision) = state.open_intent().map(|intent| intent.decision.clone()) else { continue };
            let report = memory.decision(&decision).await?.map(|record| AppReport::of(world, record));
            let mut report = report.unwrap_or_else(|| AppReport::nothing_rolling_out(world));
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
                    reports.push(self.decide_and_act(world, lease, judged, &known).await?);
                }
                Err(unjudged) => {
                    looked = Looked::NotAtAll;
                    reports.push(unjudged_report(world, release, &unjudged));
                }
            }
        }
        self.remember_the_others(lease, world, &known, releases, looked, now).await?;
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
            match observe::observe(world, self.state.memory(), known, releases, release, now).await? {
                Ok(observed) => observed,
                Err(unjudged) => return Ok(Err(unjudged)),
            };
        observed.facts.data.clock_off_seconds =
            self.clock.skew().filter(|skew| skew::is_wrong(*skew)).map(|skew| skew.as_secs());
        let (provisional, writes) = (observed.provisional, std::mem::take(&mut observed.writes));
        let (record, mut state) = observed.judged(world, release, now);
        if record.judgement.fast_track_checked {
            state.fast_track_checked_at = Some(now);
        }
        if let Some(action) = record.judgement.action {
            state.intent = Some(Intent {
                key: outbox::intent_key(&action.into(), &state),
                action: action.into(),
                status: IntentStatus::Planned,
                decision: record.id.clone(),
                planned_at: now,
            });
        }
        Ok(Ok(Judged { record, state, provisional, writes }))
    }

    /// Writes the decision down with everything that belongs to it, then carries it out.
    async fn decide_and_act(
        &self,
        world: &AppWorld,
        lease: &Lease,
        judged: Judged,
        known: &AppState,
    ) -> Result<AppReport, StateError> {
        let is_kept = judged.is_kept();
        let Judged { record, state, provisional: _, writes } = judged;
        let about = about(&state, &known.messages);
        let mut messages = outbox::messages(&record, &state, &about, &world.sinks());
        let unwatched = silence(world, known, record.decided_at);
        messages.extend(unwatched.and_then(|gap| outbox::silence(&state, gap, &about, record.decided_at)));
        let mut writes = writes;
        if is_kept {
            writes.push(Write::Release(Box::new(state.clone())));
        }
        writes.push(Write::Decision(Box::new(record.clone())));
        writes.extend(messages.iter().cloned().map(|message| Write::Message(Box::new(message))));
        self.state.commit(lease, writes).await?;

        let mut report = AppReport::of(world, record);
        if state.open_intent().is_some() {
            let all: Vec<Message> = about.into_iter().chain(messages).collect();
            act::carry_out(self, world, lease, state, &all, &mut report).await?;
        }
        Ok(report)
    }

    /// Remembers how releases stand that are not judged: what a person halts or resumes is seen by this. While a release
    /// could not be looked at, they are not noted as looked at either: its start is looked for from then on.
    async fn remember_the_others(
        &self,
        lease: &Lease,
        world: &AppWorld,
        known: &AppState,
        releases: &[Release],
        looked: Looked,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let others = releases.iter().filter(|release| release.status != RolloutStatus::RollingOut);
        let writes: Vec<Write> = others
            .filter_map(|release| {
                let id = observe::release_id(world, release);
                let before = known.releases.iter().find(|state| state.id == id);
                let after = match (before, looked) {
                    (Some(state), Looked::AtAll) => rollout::seen(state.clone(), release, now),
                    (Some(state), Looked::NotAtAll) => ReleaseState {
                        looked_at: state.looked_at,
                        ..rollout::seen(state.clone(), release, now)
                    },
                    (None, Looked::AtAll) => ReleaseState::first_seen(id, release, now, now),
                    (None, Looked::NotAtAll) => return None,
                };
                (before != Some(&after)).then(|| Write::Release(Box::new(after)))
            })
            .collect();
        if writes.is_empty() { Ok(()) } else { self.state.commit(lease, writes).await }
    }
}

/// Whether every release that is rolling out could be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    AtAll,
    NotAtAll,
}

/// A decision, and what has to be written down with it.
struct Judged {
    record: Record,
    state: ReleaseState,
    provisional: Provisional,
    writes: Vec<Write>,
}

impl Judged {
    /// Whether its state is remembered. A guess at its start is, where something is to be done to it.
    fn is_kept(&self) -> bool {
        self.provisional == Provisional::No || self.state.open_intent().is_some()
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
fn about(state: &ReleaseState, messages: &[Message]) -> Vec<Message> {
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
fn silence(world: &AppWorld, known: &AppState, now: Timestamp) -> Option<Silence> {
    let job = JobId::ReleaseMonitor.as_str();
    let heartbeat = known.heartbeats.iter().find(|heartbeat| heartbeat.job == job)?;
    heartbeat.silence(now, world.monitor_silence)
}

fn with_silence(reports: Vec<AppReport>, silence: Option<Silence>) -> Vec<AppReport> {
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
