//! Observe: what the store shows, what is remembered, what is counted now. Reads only; what is to be written comes back
//! as writes.

use jiff::{SignedDuration, Timestamp};

use super::super::AppWorld;
use crate::domain::calendar::{UtcDay, Window};
use crate::domain::cost::QueryCost;
use crate::domain::counts::{CountedTo, Partials, mature_cut};
use crate::domain::facts::AbsentTable;
use crate::domain::release::{Release, ReleaseId, ReleaseState, RolloutStatus};
use crate::domain::rollout;
use crate::ports::{AppState, Memory, MetricRequest, PortError, Reading, StateError, Write};

/// Late rows of the last days are read again once a day.
const SETTLE_DAYS: i64 = 3;
/// How far back the first session of a rollout is looked for that was under way at first sight: streamed tables keep
/// 30 days.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is known of a release now.
pub struct Observed {
    /// Its state, with what this reading adds.
    pub state: ReleaseState,
    /// The partials of the whole cycle.
    pub partials: Partials,
    /// Tables that are not there.
    pub absent: Vec<AbsentTable>,
    /// Both sides are counted up to here.
    pub through: Timestamp,
    /// What the queries of this reading cost.
    pub queries: Vec<QueryCost>,
    /// Whether the state may be kept.
    pub provisional: Provisional,
    /// What has to be written down.
    pub writes: Vec<Write>,
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
    release: &Release,
    now: Timestamp,
) -> Result<Result<Observed, PortError>, StateError> {
    let before = known.releases.iter().find(|state| state.id == release_id(world, release));
    let state = match remembered(world, known, before, release, now).await {
        Ok(state) => state,
        Err(error) => return Ok(Err(error)),
    };
    let resumed = before.is_some_and(|before| before.generation != state.generation);
    let partials = if resumed { Partials::default() } else { memory.partials(&state.id).await? };
    let request = request(world, &state, &partials, release, now);
    let first_sight = before.is_none_or(|before| before.last_seen == RolloutStatus::Pending);
    Ok(world.metrics.read(&request).await.map(|reading| {
        let mut observed = taken_in(state, partials, &request, reading, now);
        if resumed {
            observed.writes.insert(0, Write::ForgetPartials(observed.state.id.clone()));
        }
        if first_sight && !observed.absent.is_empty() {
            observed.provisional = Provisional::Yes;
        }
        observed
    }))
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
        state.withdraw_fast_track();
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
    let looked_at = known.releases.iter().map(|state| state.looked_at).max();
    let earliest = now.checked_sub(LOOK_BACK).unwrap_or(now);
    let since = looked_at.unwrap_or(earliest).max(earliest);
    let request = MetricRequest {
        window: Window::new(since, now),
        crashes_from: since,
        mature_to: now,
        builds: release.builds.clone(),
        version: release.version.clone(),
    };
    Ok(world.metrics.first_session(&request, since).await?.unwrap_or(now))
}

fn request(
    world: &AppWorld,
    state: &ReleaseState,
    partials: &Partials,
    release: &Release,
    now: Timestamp,
) -> MetricRequest {
    let data = &world.policy.data;
    let newest = now.checked_sub(data.lag).unwrap_or(now);
    let settle_days = if is_settled(state, now) { 0 } else { SETTLE_DAYS };
    let window = partials.due(Window::new(state.cycle_start, newest), settle_days);
    MetricRequest {
        window,
        crashes_from: window.from,
        mature_to: mature_cut(now, data.maturity),
        builds: release.builds.clone(),
        version: release.version.clone(),
    }
}

fn is_settled(state: &ReleaseState, now: Timestamp) -> bool {
    state.settled_on == Some(UtcDay::of(now))
}

/// Puts a reading in the place of what was known of its days. A reading that lacks a table changes nothing: its zeros
/// are not counts, and crashes without their sessions would fake a bad release.
fn taken_in(
    mut state: ReleaseState,
    mut partials: Partials,
    request: &MetricRequest,
    reading: Reading,
    now: Timestamp,
) -> Observed {
    let mut writes = Vec::new();
    let mut through = partials.iter().map(|partial| partial.through).max().unwrap_or(state.cycle_start);
    if reading.absent.is_empty() {
        let to =
            CountedTo { through: reading.through, mature_through: request.mature_to.min(reading.through) };
        partials.take_sessions(&reading.sessions, to);
        partials.take_crashes(&reading.crashes, to);
        writes.push(Write::Partials(state.id.clone(), partials.clone()));
        state.settled_on = Some(UtcDay::of(now));
        through = reading.through;
    }
    state.newest_session_at = state.newest_session_at.max(reading.newest_session_at);
    state.newest_crash_at = state.newest_crash_at.max(reading.newest_crash_at);
    Observed {
        state,
        partials,
        absent: reading.absent,
        through,
        queries: reading.queries,
        provisional: Provisional::No,
        writes,
    }
}
