//! Observe: what the store shows, what is remembered, what is counted now. Reads only; what is to be written comes back
//! as writes.

use jiff::{SignedDuration, Timestamp};

use super::super::AppWorld;
use super::{Asks, is_rolling_out};
use crate::domain::advance::ShareFacts;
use crate::domain::calendar::{UtcDay, Window};
use crate::domain::cost::QueryCost;
use crate::domain::counts::{CountedTo, Partials, mature_cut};
use crate::domain::decision::{Judged, Record};
use crate::domain::facts::{Facts, Seen, Spared};
use crate::domain::ids::{BuildNumber, VersionName};
use crate::domain::judge::judge;
use crate::domain::looking::{self, CrashCheck, Need, ReadSessions};
use crate::domain::release::{Release, ReleaseId, ReleaseState, RolloutStatus};
use crate::domain::rollout;
use crate::ports::{AppState, CrashReading, Memory, MetricRequest, PortError, Reading, StateError, Write};

/// Late rows of the last days are read again once a day.
const SETTLE_DAYS: i64 = 3;
/// How far back the first session of a rollout is looked for that was under way at first sight: streamed tables keep
/// 30 days.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A release that began longer ago is not young: as long as a phased release takes to reach everybody.
pub const YOUNG: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is known of a release now.
pub struct Observed {
    /// Its state, with what this reading adds.
    pub state: ReleaseState,
    /// What the judge may know.
    pub facts: Facts,
    /// What the queries of this reading cost.
    pub queries: Vec<QueryCost>,
    /// Whether the state may be kept.
    pub provisional: Provisional,
    /// What has to be written down.
    pub writes: Vec<Write>,
}

impl Observed {
    /// Judges what was observed. The rest is what goes on from there.
    pub fn judged(self, world: &AppWorld, release: &Release, now: Timestamp) -> (Record, ReleaseState) {
        let Self { state, facts, queries, .. } = self;
        let record = Record::judge(Judged {
            release: state.id.clone(),
            version: release.version.clone(),
            builds: release.builds.clone(),
            generation: state.generation,
            now,
            facts,
            policy: world.policy.clone(),
            queries,
            configuration: Some(world.configuration.clone()),
        });
        (record, state)
    }
}

/// Why a release was not judged.
pub enum Unjudged {
    /// Something could not be asked.
    Failed(PortError),
    /// The month's budget asks for a longer interval, and nothing presses.
    Rests,
}

impl From<PortError> for Unjudged {
    fn from(error: PortError) -> Self {
        Self::Failed(error)
    }
}

/// Whether a state rests on a first look that lacked a table: its start is a guess that must not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provisional {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// Which release a store's release is.
pub fn release_id(world: &AppWorld, release: &Release) -> ReleaseId {
    ReleaseId { app: world.id.clone(), platform: world.platform, key: release.key.clone() }
}

/// Observes a release that is rolling out.
pub async fn observe(
    world: &AppWorld,
    memory: &dyn Memory,
    known: &AppState,
    releases: &[Release],
    release: &Release,
    asks: Asks,
    now: Timestamp,
) -> Result<Result<Observed, Unjudged>, StateError> {
    let before = known.releases.iter().find(|state| state.id == release_id(world, release));
    let state = match remembered(world, known, before, release, now).await {
        Ok(state) => state,
        Err(error) => return Ok(Err(error.into())),
    };
    let resumed = before.is_some_and(|before| before.generation != state.generation);
    let partials = if resumed { Partials::default() } else { memory.partials(&state.id).await? };
    let first_sight = before.is_none_or(|before| before.last_seen == RolloutStatus::Pending);
    let share = (asks == Asks::NextStep).then(|| ShareFacts::of(&state, &known.releases));
    let mut look = Look { share, ..Look::new(world, release, now, state, partials) };
    let others = releases.iter().filter(|other| is_rolling_out(other) && other.key != release.key);
    look.others = others.map(|other| (other.builds.clone(), other.version.clone())).collect();
    let budget = world.budget_per_month.map(|budget| known.watch.spent.interval(budget, now));
    if let Err(unjudged) = look.look(budget.unwrap_or_default()).await {
        return Ok(Err(unjudged));
    }
    let mut observed = look.observed();
    if resumed {
        observed.writes.insert(0, Write::ForgetPartials(observed.state.id.clone()));
    }
    if first_sight && !observed.facts.data.absent.is_empty() {
        observed.provisional = Provisional::Yes;
    }
    Ok(Ok(observed))
}

/// Judges the whole cycle of a release of which nothing is remembered.
pub async fn whole_cycle(world: &AppWorld, release: &Release, now: Timestamp) -> Result<Record, PortError> {
    let nothing = AppState::default();
    let state = remembered(world, &nothing, None, release, now).await?;
    let mut look = Look::new(world, release, now, state, Partials::default());
    look.read(Need::Everything).await?;
    Ok(look.observed().judged(world, release, now).0)
}

/// The state of the release, made anew at first sight.
async fn remembered(
    world: &AppWorld,
    known: &AppState,
    before: Option<&ReleaseState>,
    release: &Release,
    now: Timestamp,
) -> Result<ReleaseState, PortError> {
    // A release that was pending has only now begun to roll out: its start is looked for as at first sight.
    if let Some(before) = before.filter(|before| before.last_seen != RolloutStatus::Pending) {
        let mut state = rollout::seen(before.clone(), release, now);
        state.withdraw_what_raises();
        return Ok(state);
    }
    let start = match release.started_at {
        Some(at) => at.min(now),
        None => start_at_first_sight(world, known, release, now).await?,
    };
    Ok(ReleaseState::first_seen(release_id(world, release), release, start, now))
}

/// Where the store tells no date: the first session since the app was last looked at, else now. An app that was never
/// looked at may have been rolling out for weeks.
async fn start_at_first_sight(
    world: &AppWorld,
    known: &AppState,
    release: &Release,
    now: Timestamp,
) -> Result<Timestamp, PortError> {
    let looked_at = known.releases.iter().map(|state| state.looked_at).max().max(known.watch.listed_at);
    let earliest = now.checked_sub(LOOK_BACK).unwrap_or(now);
    let since = looked_at.unwrap_or(earliest).max(earliest);
    Ok(first_session(world, release, since, now).await?.unwrap_or(now))
}

/// Whether a release began to be offered so lately that whoever halted it did so lately too. Where nobody can tell when
/// it began, it is not.
pub async fn is_young(world: &AppWorld, release: &Release, now: Timestamp) -> Result<bool, PortError> {
    let began = match release.started_at {
        Some(at) => Some(at),
        None => {
            let earliest = now.checked_sub(LOOK_BACK).unwrap_or(now);
            first_session(world, release, earliest, now).await?
        }
    };
    Ok(began.is_some_and(|began| now.duration_since(began) < YOUNG))
}

async fn first_session(
    world: &AppWorld,
    release: &Release,
    since: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, PortError> {
    let request = MetricRequest {
        window: Window::new(since, now),
        crashes_from: since,
        mature_to: now,
        seen_at: now,
        builds: release.builds.clone(),
        version: release.version.clone(),
        others: Vec::new(),
    };
    world.metrics.first_session(&request, since).await
}

/// A look at one release: what is remembered, and what is read of it.
struct Look<'w> {
    world: &'w AppWorld,
    release: &'w Release,
    now: Timestamp,
    others: Vec<(Vec<BuildNumber>, VersionName)>,
    state: ReleaseState,
    partials: Partials,
    seen: Seen,
    spared: Option<Spared>,
    /// Set where the next step of the rollout is asked for.
    share: Option<ShareFacts>,
    queries: Vec<QueryCost>,
    writes: Vec<Write>,
}

impl<'w> Look<'w> {
    fn new(
        world: &'w AppWorld,
        release: &'w Release,
        now: Timestamp,
        state: ReleaseState,
        partials: Partials,
    ) -> Self {
        let through = partials.iter().map(|partial| partial.through).max().unwrap_or(state.cycle_start);
        let seen = Seen { absent: Vec::new(), through, revised: false };
        Self {
            world,
            release,
            now,
            others: Vec::new(),
            state,
            partials,
            seen,
            spared: None,
            share: None,
            queries: Vec::new(),
            writes: Vec::new(),
        }
    }

    fn observed(self) -> Observed {
        let mut facts = self.facts();
        facts.data.spared = self.spared;
        let Self { mut state, queries, writes, now, .. } = self;
        if !queries.is_empty() {
            state.looked.asked_at = Some(now);
        }
        Observed { state, facts, queries, provisional: Provisional::No, writes }
    }

    fn facts(&self) -> Facts {
        let gathered = Facts::gather(self.release, &self.state, &self.partials, self.seen.clone());
        Facts { share: self.share, ..gathered }
    }

    fn need(&self) -> Need {
        looking::need(&judge(&self.facts(), &self.world.policy, self.now))
    }

    /// Reads as much as could change the decision, and rests for `interval` where nothing presses.
    async fn look(&mut self, interval: SignedDuration) -> Result<(), Unjudged> {
        let first = self.partials.iter().next().is_none();
        if first || self.world.read_sessions == ReadSessions::EveryRun {
            return Ok(self.read(Need::Everything).await?);
        }
        let need = self.need();
        let last = self.state.looked.asked_at.unwrap_or(self.state.cycle_start);
        if need != Need::Everything && self.now.duration_since(last) < interval {
            return Err(Unjudged::Rests);
        }
        Ok(self.look_for(need).await?)
    }

    async fn look_for(&mut self, need: Need) -> Result<(), PortError> {
        let marks = self.world.metrics.marks(&self.request(Need::Everything)).await?;
        self.state.looked.saw_sessions(marks.sessions.as_deref(), self.now);
        if !marks.absent.is_empty() {
            return self.read(Need::Everything).await;
        }
        match need {
            Need::Everything => self.read(Need::Everything).await,
            Need::Newest if !self.state.looked.has_all_sessions(self.now) => {
                self.read(Need::Newest).await?;
                self.unless_decided(self.need()).await
            }
            Need::Newest | Need::Nothing => self.check_crashes(marks.crashes.as_deref()).await,
        }
    }

    /// Reads everything where a lesser reading has shown that it matters.
    async fn unless_decided(&mut self, need: Need) -> Result<(), PortError> {
        match need {
            Need::Everything => self.read(Need::Everything).await,
            Need::Newest | Need::Nothing => Ok(()),
        }
    }

    /// Counts the crashes alone. Where even all of them change nothing, the sessions stay unread.
    async fn check_crashes(&mut self, mark: Option<&str>) -> Result<(), PortError> {
        let request = self.request(Need::Everything);
        let known = self.state.looked.same_crashes(mark, request.crashes_from, self.now);
        let (crashed, newest_at) = match known {
            Some(check) => (check.spared, check.newest_at),
            None => {
                let reading = self.world.metrics.crashes(&request).await?;
                if !reading.absent.is_empty() {
                    return self.read(Need::Everything).await;
                }
                let (spared, newest_at) = (self.at_most(&reading), reading.newest_crash_at);
                let check = |mark: &str| CrashCheck {
                    mark: mark.to_owned(),
                    from: request.crashes_from,
                    counted_at: request.seen_at,
                    spared,
                    newest_at,
                };
                self.state.looked.crashes = mark.map(check);
                self.queries.extend(reading.queries);
                (spared, newest_at)
            }
        };
        self.state.newest_crash_at = self.state.newest_crash_at.max(newest_at);
        self.spared = Some(crashed);
        let need = looking::need_at_worst(&self.facts(), crashed, &self.world.policy, self.now);
        self.unless_decided(need).await
    }

    /// The crashes of the whole cycle with those of a reading, whether or not their sessions have been counted.
    fn at_most(&self, reading: &CrashReading) -> Spared {
        let mut partials = self.partials.clone();
        partials.take_crashes(&reading.days, CountedTo { through: self.now, mature_through: self.now });
        Spared {
            crashed_sessions_at_most: partials.iter().map(|partial| partial.fresh.crashed_sessions).sum(),
            crashed_users_at_most: partials.crashed_installations().people(),
        }
    }

    /// Puts a reading in the place of what was known of its days. A reading that lacks a table changes nothing: its
    /// zeros are not counts, and crashes without their sessions would fake a bad release.
    async fn read(&mut self, need: Need) -> Result<(), PortError> {
        let request = self.request(need);
        let reading = self.world.metrics.read(&request).await?;
        self.spared = None;
        self.queries.extend(reading.queries.iter().cloned());
        self.state.newest_session_at = self.state.newest_session_at.max(reading.newest_session_at);
        self.state.newest_crash_at = self.state.newest_crash_at.max(reading.newest_crash_at);
        self.seen.absent.clone_from(&reading.absent);
        if reading.absent.is_empty() {
            self.take_in(need, &request, &reading);
        }
        Ok(())
    }

    fn take_in(&mut self, need: Need, request: &MetricRequest, reading: &Reading) {
        let before = self.partials.clone();
        let mature_through = request.mature_to.min(reading.through);
        let to = CountedTo { through: reading.through, mature_through };
        self.partials.take_sessions(&reading.sessions, to);
        self.partials.take_crashes(&reading.crashes, to);
        self.seen.revised |= before.are_revised_by(&self.partials);
        self.seen.through = reading.through;
        self.state.looked.sessions_read_to = Some(request.window.to);
        if need == Need::Everything {
            self.state.settled_on = Some(UtcDay::of(self.now));
        }
        let read = |day: UtcDay| day >= UtcDay::of(request.crashes_from);
        let changed: Partials = self.partials.iter().filter(|partial| read(partial.day)).cloned().collect();
        self.writes.push(Write::Partials(self.state.id.clone(), changed));
    }

    fn request(&self, need: Need) -> MetricRequest {
        let data = &self.world.policy.data;
        let newest = full_minute(self.now.checked_sub(data.lag).unwrap_or(self.now));
        let cycle = Window::new(self.state.cycle_start, newest);
        let settle_days = if is_settled(&self.state, self.now) { 0 } else { SETTLE_DAYS };
        let window = match need {
            Need::Everything => self.partials.due(cycle, settle_days),
            Need::Newest | Need::Nothing => self.partials.incomplete(cycle),
        };
        let late = UtcDay::of(newest).plus(-SETTLE_DAYS).start().max(cycle.from);
        MetricRequest {
            window,
            crashes_from: window.from.min(late),
            mature_to: mature_cut(full_minute(self.now), data.maturity),
            seen_at: self.now,
            builds: self.release.builds.clone(),
            version: self.release.version.clone(),
            others: self.others.clone(),
        }
    }
}

/// Apps that are looked at in the same minute ask for the same window, so that one scan can serve them.
fn full_minute(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}

fn is_settled(state: &ReleaseState, now: Timestamp) -> bool {
    state.settled_on == Some(UtcDay::of(now))
}
