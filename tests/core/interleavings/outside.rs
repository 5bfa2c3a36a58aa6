//! The outside world of a run as a model: a store, a channel, a memory with leases, events, a clock. Every call of a port
//! waits at a gate until the scheduler lets it through, and the scheduler says how it ends.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tidegate::domain::calendar::UtcDay;
use tidegate::domain::control::Control;
use tidegate::domain::counts::{Counts, DayCrashes, DaySessions, Partials};
use tidegate::domain::daily::AppPage;
use tidegate::domain::daily::{Freshness, Totals};
use tidegate::domain::decision::Record;
use tidegate::domain::heartbeat::{Beat, Heartbeat};
use tidegate::domain::ids::{AppId, BuildNumber, DecisionId, VersionName};
use tidegate::domain::ledger::{self, Page};
use tidegate::domain::message::{Note, NoteKind};
use tidegate::domain::outbox::{Message, Posted};
use tidegate::domain::rate::UserFraction;
use tidegate::domain::release::{Change, Release, ReleaseId, ReleaseState, RolloutStatus};
use tidegate::domain::rollout::{NextStep, next_step};
use tidegate::domain::sketch::Sketch;
use tidegate::jobs::release_monitor::LEASE;
use tidegate::ports::{
    AppState, Basis, Clock, Counted, CrashReading, DailyReading, DailyRequest, Found, Lease, Marks, Memory,
    MetricRequest, MetricSource, Moment, Notifier, PortError, Reading, RolloutTarget, Saying, StateError,
    StateStore, Words, Write,
};

/// A look for messages begins so much earlier than it is asked to, as that of Slack's adapter does.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Done,
    /// It had its effect and the answer is lost.
    AnswerLost,
    /// It had no effect, and nobody knows.
    Lost,
}

/// What a call does to the world, for the choice of its endings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
}

/// Everything outside of the runs.
pub struct Outside {
    pub now: Timestamp,
    pub release: Release,
    pub crashed: u64,
    pub sessions: u64,
    /// Each change of the store: who, to what.
    pub changes: Vec<(Who, RolloutStatus)>,
    /// Each message.
    pub posted: Vec<Post>,
    /// The entries of the ledger.
    pub ledger: Vec<ledger::Kind>,
    /// Every change that was ever written down to be made.
    intended: Vec<Change>,
    state: AppState,
    partials: BTreeMap<ReleaseId, Partials>,
    decisions: Vec<Record>,
    control: Control,
    lease: Option<Lease>,
    fence: u64,
    /// How many changes there were when the events turned doubtful.
    pub doubtful_from: Option<usize>,
    /// What happened, in words, for a path that fails.
    pub story: Vec<String>,
    /// What broke a promise, in words.
    pub broken: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Program,
    /// The program, by a request that was on the wire while its machine was suspended.
    HeldUp,
    Person,
}

/// A message in the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub key: String,
    pub kind: NoteKind,
    pub at: Timestamp,
    pub way: Way,
}

/// How a request came about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Way {
    /// It was on the wire while its machine was suspended for longer than a lease.
    pub held_up: bool,
    /// Its run could remember nothing, so it had no lease either.
    pub degraded: bool,
    /// How many messages there were when its run last began to look for one; looks in a row are one.
    pub looked: usize,
}

impl Outside {
    pub fn new(now: Timestamp, sessions: u64, crashed: u64) -> Self {
        let release = Release {
            key: "200".to_owned(),
            version: VersionName::new("2.0").unwrap(),
            builds: vec![BuildNumber::new("200").unwrap()],
            status: RolloutStatus::RollingOut,
            user_fraction: UserFraction::new(0.15).ok(),
            started_at: Some(now - SignedDuration::from_hours(30)),
            paused_days: None,
        };
        Self {
            now,
            release,
            crashed,
            sessions,
            changes: Vec::new(),
            posted: Vec::new(),
            ledger: Vec::new(),
            intended: Vec::new(),
            state: AppState::default(),
            partials: BTreeMap::new(),
            decisions: Vec::new(),
            control: Control::default(),
            lease: None,
            fence: 0,
            doubtful_from: None,
            story: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// The present moment: a machine that is suspended is seen by its wall clock.
    fn moment(&self) -> Moment {
        Moment { wall: self.now, steady: Duration::ZERO }
    }

    /// So many crashes more have come in, which is neither good nor bad beyond doubt.
    pub fn turn_doubtful(&mut self, crashed: u64) {
        self.crashed = crashed;
        self.doubtful_from.get_or_insert(self.changes.len());
    }

    /// Changes the store.
    pub fn change(&mut self, who: Who, status: RolloutStatus) {
        self.release.status = status;
        self.changes.push((who, status));
    }

    /// A request of a run in its time is refused where the release has changed: the real adapters look again inside
    /// their transaction. One that was on the wire for longer is taken as it is, as a store does that knows no fence.
    fn apply(&mut self, lease: &Lease, change: &Change, way: Way) -> Result<(), PortError> {
        let step = next_step(change, Some(&self.release));
        if step == NextStep::Confirm || (step != NextStep::Mutate && !way.held_up) {
            return Err(PortError::new("refused: it has changed", "look again"));
        }
        let mut open = self.state.releases.iter().filter_map(ReleaseState::open_intent);
        let written = match way.held_up {
            true => self.intended.contains(change),
            false => open.any(|intent| intent.action == *change),
        };
        // A halt without a memory has nowhere to write to; its fence is below every other.
        let is_degraded = lease.fence() == 0 && *change == Change::Halt;
        if !is_degraded && !written {
            self.broken.push(format!("I4: a {} without an intent that was written before", change.as_str()));
        }
        self.change(if way.held_up { Who::HeldUp } else { Who::Program }, target(change));
        Ok(())
    }

    fn post(&mut self, key: &str, note: &Note, way: Way) -> Posted {
        let shown = self.changes.iter().any(|(_, status)| match note.kind {
            NoteKind::Halt | NoteKind::HaltedElsewhere => *status == RolloutStatus::Halted,
            NoteKind::FastTrack => *status == RolloutStatus::Completed,
            _ => true,
        });
        let effects = [NoteKind::Halt, NoteKind::HaltedElsewhere, NoteKind::FastTrack];
        let tells_of_an_effect = effects.contains(&note.kind);
        if tells_of_an_effect && !shown {
            self.broken.push(format!("I3: {:?} was told before the store showed it", note.kind));
        }
        self.posted.push(Post { key: key.to_owned(), kind: note.kind, at: self.now, way });
        Posted { channel: "C1".to_owned(), id: self.posted.len().to_string(), thread: None }
    }

    fn commit(&mut self, lease: &Lease, writes: Vec<Write>) -> Result<(), StateError> {
        let held = self.lease.as_ref().is_some_and(|held| held.fence() == lease.fence());
        if !held || lease.expires_at() <= self.now {
            return Err(StateError::LostLease { app: lease.app().clone() });
        }
        if !writes.iter().all(|write| self.has_basis(write)) {
            return Err(StateError::Overtaken { app: lease.app().clone(), what: "what it was made on" });
        }
        writes.into_iter().for_each(|write| self.write(write));
        Ok(())
    }

    fn has_basis(&self, write: &Write) -> bool {
        let Write::Provided(basis) = write else { return true };
        match basis.as_ref() {
            Basis::Release(id, before) => {
                self.state.releases.iter().find(|state| state.id == *id) == before.as_deref()
            }
            Basis::Control(_, before) => self.control == *before,
        }
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::Release(state) => {
                self.intended.extend(state.open_intent().map(|intent| intent.action.clone()));
                put(&mut self.state.releases, *state, |a, b| a.id == b.id);
            }
            Write::Message(message) => {
                put::<Message>(&mut self.state.messages, *message, |a, b| a.key == b.key);
            }
            Write::Partials(id, partials) => drop(self.partials.insert(id, partials)),
            Write::ForgetPartials(id) => drop(self.partials.remove(&id)),
            Write::Decision(record) => self.decisions.push(*record),
            Write::Watch(_, watch) => self.state.watch = *watch,
            Write::Control(_, control) => self.control = *control,
            Write::Ledger(noted) => self.ledger.push(noted.kind),
            Write::Provided(_) | Write::Report(_) => {}
        }
    }

    fn acquire(&mut self, app: &AppId, holder: &str, until: Timestamp) -> Result<Lease, StateError> {
        if let Some(held) = self.lease.as_ref().filter(|held| held.expires_at() > self.now) {
            let (holder, until) = (held.holder().to_owned(), held.expires_at());
            return Err(StateError::Busy { app: app.clone(), holder, until });
        }
        self.fence += 1;
        let lease = Lease::granted(app.clone(), holder.to_owned(), self.fence, until);
        let lease = lease.timed(self.moment(), LEASE.unsigned_abs());
        self.lease = Some(lease.clone());
        Ok(lease)
    }
}

fn target(change: &Change) -> RolloutStatus {
    match change {
        Change::Halt | Change::Withdraw { .. } => RolloutStatus::Halted,
        Change::FastTrack => RolloutStatus::Completed,
        Change::Raise { .. } | Change::Start { .. } | Change::Resume { .. } => RolloutStatus::RollingOut,
    }
}

fn put<T>(all: &mut Vec<T>, new: T, same: impl Fn(&T, &T) -> bool) {
    match all.iter_mut().find(|old| same(old, &new)) {
        Some(old) => *old = new,
        None => all.push(new),
    }
}

/// The gate of one run: a call waits here, and is told how it ends.
#[derive(Default)]
pub struct Gate {
    waiting: Option<(&'static str, Kind)>,
    ending: Option<Ending>,
    way: Way,
    /// Its last call was a look for messages.
    looks: bool,
}

/// The ports of one run.
#[derive(Clone)]
pub struct Ports {
    pub outside: Arc<Mutex<Outside>>,
    pub gate: Arc<Mutex<Gate>>,
}

impl Ports {
    pub fn new(outside: &Arc<Mutex<Outside>>) -> Self {
        Self { outside: outside.clone(), gate: Arc::default() }
    }

    /// The call that waits.
    pub fn waiting(&self) -> Option<(&'static str, Kind)> {
        self.gate.lock().unwrap().waiting
    }

    /// Lets the call that waits through.
    pub fn let_through(&self, ending: Ending) {
        self.gate.lock().unwrap().ending = Some(ending);
    }

    /// The machine is suspended while the call that waits is on the wire.
    pub fn hold_up(&self) {
        self.gate.lock().unwrap().way.held_up = true;
    }

    /// The run has not heard whether it holds the lease.
    pub fn loses_its_memory(&self) {
        self.gate.lock().unwrap().way.degraded = true;
    }

    fn way(&self) -> Way {
        self.gate.lock().unwrap().way
    }

    fn outside(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().unwrap()
    }

    /// One call: waits at the gate, has its effect or not, answers or not.
    async fn call<T>(
        &self,
        what: &'static str,
        kind: Kind,
        effect: impl FnOnce(&mut Outside) -> T + Send,
    ) -> Result<T, PortError> {
        let ending = AtGate { gate: &self.gate, call: (what, kind) }.await;
        let lost = || PortError::unclear(format!("{what}: the answer was lost"), "look");
        let answer = match ending {
            Ending::Done => Ok(effect(&mut self.outside())),
            Ending::AnswerLost => {
                effect(&mut self.outside());
                Err(lost())
            }
            Ending::Lost => Err(lost()),
        };
        let mut gate = self.gate.lock().unwrap();
        gate.way.held_up = false;
        gate.looks &= what == "find";
        answer
    }

    /// Looks for the newest message with one of these keys that is not older.
    async fn look_for(&self, keys: &[&str], since: Timestamp) -> Result<Found, PortError> {
        self.call("find", Kind::Read, |outside| {
            let mut gate = self.gate.lock().unwrap();
            if !std::mem::replace(&mut gate.looks, true) {
                gate.way.looked = outside.posted.len();
            }
            drop(gate);
            let oldest = since - CLOCKS_DIFFER;
            let is_it = |post: &Post| keys.contains(&post.key.as_str()) && post.at >= oldest;
            outside.posted.iter().rposition(is_it).map_or(Found::Nowhere, |index| {
                let (channel, id) = ("C1".to_owned(), (index + 1).to_string());
                Found::There(Posted { channel, id, thread: None })
            })
        })
        .await
    }
}

struct AtGate<'g> {
    gate: &'g Mutex<Gate>,
    call: (&'static str, Kind),
}

impl Future for AtGate<'_> {
    type Output = Ending;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Ending> {
        let mut gate = self.gate.lock().unwrap();
        match gate.ending.take() {
            Some(ending) => {
                gate.waiting = None;
                Poll::Ready(ending)
            }
            None => {
                gate.waiting = Some(self.call);
                Poll::Pending
            }
        }
    }
}

#[async_trait]
impl MetricSource for Ports {
    async fn read(&self, request: &MetricRequest) -> Result<Reading, PortError> {
        let days: Vec<UtcDay> = request.window.days().collect();
        self.call("read", Kind::Read, |outside| Reading {
            sessions: on_the_first(&days, |day, is_first| DaySessions {
                sessions: if is_first { outside.sessions } else { 0 },
                mature_sessions: if is_first { outside.sessions } else { 0 },
                users: Sketch::default(),
                day,
            }),
            crashes: crashes(outside, &days),
            through: request.window.to,
            newest_session_at: Some(outside.now - SignedDuration::from_mins(11)),
            newest_crash_at: Some(outside.now - SignedDuration::from_mins(12)),
            absent: Vec::new(),
            queries: Vec::new(),
        })
        .await
    }

    async fn crashes(&self, request: &MetricRequest) -> Result<CrashReading, PortError> {
        let days: Vec<UtcDay> = request.window.days().collect();
        self.call("crashes", Kind::Read, |outside| CrashReading {
            days: crashes(outside, &days),
            newest_crash_at: Some(outside.now - SignedDuration::from_mins(12)),
            absent: Vec::new(),
            queries: Vec::new(),
        })
        .await
    }

    async fn daily(&self, request: &DailyRequest) -> Result<DailyReading, PortError> {
        self.call("daily", Kind::Read, |outside| {
            let counts = Counts { sessions: outside.sessions, crashed_sessions: outside.crashed };
            let totals = Totals { counts, users: outside.sessions, crashed_users: outside.crashed };
            let counted = |window| Some(Counted { window, totals });
            DailyReading {
                cycle: counted(request.cycle),
                last_day: counted(request.last_day.within(request.cycle)),
                then: request.before.as_ref().and_then(|before| counted(before.then)),
                now: request.before.as_ref().and_then(|before| counted(before.now)),
                crashes: Some(Vec::new()),
                freshness: Freshness { through: Some(request.cycle.to), ..Freshness::default() },
                queries: Vec::new(),
            }
        })
        .await
    }

    async fn marks(&self, _: &MetricRequest) -> Result<Marks, PortError> {
        Ok(Marks::default())
    }

    async fn first_session(&self, _: &MetricRequest, _: Timestamp) -> Result<Option<Timestamp>, PortError> {
        Ok(None)
    }
}

fn on_the_first<T>(days: &[UtcDay], of: impl Fn(UtcDay, bool) -> T) -> Vec<T> {
    days.iter().enumerate().map(|(index, day)| of(*day, index == 0)).collect()
}

fn crashes(outside: &Outside, days: &[UtcDay]) -> Vec<DayCrashes> {
    let count = |is_first: bool| if is_first { outside.crashed } else { 0 };
    on_the_first(days, |day, is_first| DayCrashes {
        crashed_sessions: count(is_first),
        mature_crashed_sessions: count(is_first),
        fatal_events: count(is_first),
        ..DayCrashes::none(day)
    })
}

#[async_trait]
impl RolloutTarget for Ports {
    async fn releases(&self) -> Result<Vec<Release>, PortError> {
        self.call("releases", Kind::Read, |outside| vec![outside.release.clone()]).await
    }

    async fn apply(&self, lease: &Lease, _: &Release, change: &Change) -> Result<(), PortError> {
        self.call("apply", Kind::Write, |outside| outside.apply(lease, change, self.way())).await?
    }
}

#[async_trait]
impl Notifier for Ports {
    async fn post(&self, key: &str, note: &Note, _: Option<&Posted>) -> Result<Posted, PortError> {
        self.call("post", Kind::Write, |outside| outside.post(key, note, self.way())).await
    }

    async fn update(&self, _: &Posted, _: &str, _: &Note) -> Result<(), PortError> {
        self.call("update", Kind::Write, |_| ()).await
    }

    async fn find(
        &self,
        key: &str,
        _: Option<&Posted>,
        since: Timestamp,
        _: SignedDuration,
    ) -> Result<Found, PortError> {
        self.look_for(&[key], since).await
    }

    async fn find_any(&self, keys: &[String], since: Timestamp) -> Result<Found, PortError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.look_for(&keys, since).await
    }
}

#[async_trait]
impl StateStore for Ports {
    async fn acquire(
        &self,
        app: &AppId,
        holder: &str,
        _: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StateError> {
        self.call("acquire", Kind::Write, |outside| outside.acquire(app, holder, until)).await?
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        let give_back = |outside: &mut Outside| {
            if outside.lease.as_ref().is_some_and(|held| held.fence() == lease.fence()) {
                outside.lease = None;
            }
        };
        Ok(self.call("release", Kind::Write, give_back).await?)
    }

    async fn commit(&self, lease: &Lease, writes: Vec<Write>) -> Result<(), StateError> {
        self.call("commit", Kind::Write, |outside| outside.commit(lease, writes)).await?
    }

    async fn beat(&self, _: &Beat) -> Result<(), StateError> {
        Ok(())
    }

    fn memory(&self) -> &dyn Memory {
        self
    }
}

#[async_trait]
impl Words for Ports {
    async fn heard(&self, _: &AppId) -> Result<Control, StateError> {
        Ok(self.call("heard", Kind::Read, |outside| outside.control.clone()).await?)
    }

    async fn say(&self, _: &AppId, saying: Saying<'_>) -> Result<(), StateError> {
        Ok(self.call("say", Kind::Write, |outside| outside.control = saying.now.clone()).await?)
    }
}

#[async_trait]
impl Memory for Ports {
    async fn report(&self, _: &AppId) -> Result<Option<AppPage>, StateError> {
        Ok(None)
    }

    async fn heartbeat(&self, _: &str) -> Result<Option<Heartbeat>, StateError> {
        Ok(None)
    }

    async fn evidence(&self, _: &DecisionId) -> Result<Option<String>, StateError> {
        Ok(None)
    }

    async fn ledger(&self, _: &AppId, _: u64) -> Result<Page, StateError> {
        Ok(Page::default())
    }

    async fn app(&self, _: &AppId) -> Result<AppState, StateError> {
        Ok(self.call("app", Kind::Read, |outside| outside.state.clone()).await?)
    }

    async fn partials(&self, release: &ReleaseId) -> Result<Partials, StateError> {
        let known = |outside: &mut Outside| outside.partials.get(release).cloned().unwrap_or_default();
        Ok(self.call("partials", Kind::Read, known).await?)
    }

    async fn history(&self, release: &ReleaseId) -> Result<Vec<Record>, StateError> {
        let of_release = |outside: &mut Outside| {
            let known = outside.decisions.iter().filter(|record| record.release == *release);
            let mut records: Vec<Record> = known.cloned().collect();
            Record::in_order(&mut records);
            records
        };
        Ok(self.call("history", Kind::Read, of_release).await?)
    }

    async fn decision(&self, id: &DecisionId) -> Result<Option<Record>, StateError> {
        let known = |outside: &mut Outside| outside.decisions.iter().find(|record| record.id == *id).cloned();
        Ok(self.call("decision", Kind::Read, known).await?)
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        self.outside().now
    }

    fn moment(&self) -> Moment {
        self.outside().moment()
    }
}
