//! The days of a phased release. It advances one day every 24 hours from its start, 1, 2, 5, 10, 20, 50 and 100 % of
//! the users on days one to seven, stands still while it is paused, and is complete after day seven. Pure.
//! What Apple does after 30 days of pause is undocumented; here the pause simply goes on.

use jiff::{SignedDuration, Timestamp};

use super::error::{AscError, FINAL_STATE};
use super::seed::{PhasedReleaseSeed, PhasedReleaseState as State};

/// Percent of the users with automatic updates that are offered the version, by day.
const PERCENT_BY_DAY: [u8; 7] = [1, 2, 5, 10, 20, 50, 100];
/// The last day.
const LAST_DAY: i64 = 7;
/// The share before the start.
const NONE_PERCENT: u8 = 0;
/// The share after the end.
const ALL_PERCENT: u8 = 100;

/// A phased release.
#[derive(Clone, Debug)]
pub(super) struct Phased {
    pub id: String,
    pub state: State,
    pub started: Option<Timestamp>,
    /// Finished pauses.
    paused: SignedDuration,
    paused_since: Option<Timestamp>,
    /// The day on which it ended.
    last_day: Option<i64>,
}

impl Phased {
    /// An inactive phased release.
    pub(super) fn inactive(id: String) -> Self {
        let paused = SignedDuration::ZERO;
        Self { id, state: State::Inactive, started: None, paused, paused_since: None, last_day: None }
    }

    /// A phased release as a seed says.
    pub(super) fn seeded(id: String, seed: PhasedReleaseSeed, now: Timestamp) -> Self {
        let mut phased = Self::inactive(id);
        phased.state = seed.state;
        phased.paused = SignedDuration::from_hours(24) * i32::try_from(seed.paused_days).unwrap_or(i32::MAX);
        if seed.state != State::Inactive {
            phased.started = Some(seed.start_date.unwrap_or(now));
        }
        match seed.state {
            State::Paused => phased.paused_since = Some(now),
            State::Complete => phased.last_day = Some(LAST_DAY),
            State::Inactive | State::Active => {}
        }
        phased
    }

    /// Begins with day one, because the version went live.
    pub(super) fn begin(&mut self, now: Timestamp) {
        if self.state == State::Inactive {
            (self.state, self.started) = (State::Active, Some(now));
        }
    }

    /// Ends it, because a newer version went live or all users are to get it.
    pub(super) fn complete(&mut self, now: Timestamp) {
        self.last_day = Some(self.day(now));
        (self.state, self.paused_since) = (State::Complete, None);
    }

    /// Completes it when day seven is over.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.state == State::Active && self.days_run(now) >= LAST_DAY {
            self.complete(now);
        }
    }

    /// Changes the state as the API allows it for a live version.
    pub(super) fn change(&mut self, wanted: State, now: Timestamp) -> Result<(), AscError> {
        match (self.state, wanted) {
            (state, wanted) if state == wanted => return Err(AscError::same_value()),
            (State::Complete, _) => return Err(AscError::state(FINAL_STATE)),
            (State::Inactive, _) => {
                return Err(AscError::state("The version of this phased release is not live yet"));
            }
            (_, State::Inactive) => {
                return Err(AscError::state("A phased release that has started cannot be inactive"));
            }
            (_, State::Complete) => self.complete(now),
            (_, State::Paused) => (self.state, self.paused_since) = (State::Paused, Some(now)),
            (_, State::Active) => {
                self.paused = self.pause(now);
                (self.state, self.paused_since) = (State::Active, None);
            }
        }
        Ok(())
    }

    /// The day, from one to seven; 0 before the start.
    pub(super) fn day(&self, now: Timestamp) -> i64 {
        match (self.last_day, self.started) {
            (Some(day), _) => day,
            (None, None) => 0,
            (None, Some(_)) => (self.days_run(now) + 1).min(LAST_DAY),
        }
    }

    /// Whole days of pause so far.
    pub(super) fn pause_days(&self, now: Timestamp) -> i64 {
        self.pause(now).as_hours() / 24
    }

    /// Percent of the users with automatic updates that are offered the version.
    pub(super) fn percent(&self, now: Timestamp) -> u8 {
        match self.state {
            State::Inactive => NONE_PERCENT,
            State::Complete => ALL_PERCENT,
            State::Active | State::Paused => {
                let index = usize::try_from(self.day(now) - 1).unwrap_or(0);
                PERCENT_BY_DAY.get(index).copied().unwrap_or(ALL_PERCENT)
            }
        }
    }

    fn pause(&self, now: Timestamp) -> SignedDuration {
        let running = self.paused_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        self.paused + running.max(SignedDuration::ZERO)
    }

    fn days_run(&self, now: Timestamp) -> i64 {
        let run = self
            .started
            .map_or(SignedDuration::ZERO, |started| now.duration_since(started) - self.pause(now));
        run.max(SignedDuration::ZERO).as_hours() / 24
    }
}
