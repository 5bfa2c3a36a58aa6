//! The pause budget of a phased release: Apple allows 30 days of pause altogether, over any number of pauses.
//!
//! Apple tells whole days. What was seen between two looks counts too, whichever is more, so that a number that Apple
//! leaves out or is slow to raise does not hide that the days run out. Google Play has no such limit.
//! Source: <https://developer.apple.com/help/app-store-connect/update-your-app/release-a-version-update-in-phases>.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::Platform;
use super::release::{Release, ReleaseState, RolloutStatus};

/// The days that a release may be paused altogether.
pub const MOST_DAYS: i64 = 30;
/// The same as a duration.
const MOST: SignedDuration = SignedDuration::from_hours(MOST_DAYS * HOURS_OF_A_DAY);
/// From here on people are told.
const TELL_AT: SignedDuration = SignedDuration::from_hours(25 * HOURS_OF_A_DAY);
/// Above this a halt says how much is left.
const SHORT_ABOVE: SignedDuration = SignedDuration::from_hours(20 * HOURS_OF_A_DAY);
/// A day of a pause is a whole one, wherever it falls in the calendar.
const HOURS_OF_A_DAY: i64 = 24;

/// What is remembered of the pauses of a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// The most whole days that the store told.
    told_days: Option<u32>,
    /// Seconds of the pauses that were seen to end.
    ended_seconds: i64,
    /// Since when the release is seen paused.
    since: Option<Timestamp>,
}

impl Pauses {
    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is remembered after a look at the store.
    #[must_use]
    pub fn seen(mut self, platform: Platform, live: &Release, now: Timestamp) -> Self {
        if platform != Platform::Ios {
            return self;
        }
        self.told_days = live.paused_days.filter(|days| *days > 0).max(self.told_days);
        match (live.status, self.since) {
            (RolloutStatus::Halted, None) => self.since = Some(now),
            (RolloutStatus::Halted, Some(_)) | (_, None) => {}
            (_, Some(since)) => {
                self.ended_seconds += now.duration_since(since).as_secs().max(0);
                self.since = None;
            }
        }
        self
    }

    /// How long the release has been paused altogether.
    #[must_use]
    pub fn used(&self, now: Timestamp) -> SignedDuration {
        let present = self.since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        let seen = SignedDuration::from_secs(self.ended_seconds) + present.max(SignedDuration::ZERO);
        seen.max(SignedDuration::from_hours(
            i64::from(self.told_days.unwrap_or(0)).saturating_mul(HOURS_OF_A_DAY),
        ))
    }
}

/// How much of its pause a release has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PauseBudget {
    used: SignedDuration,
    now: Timestamp,
}

impl PauseBudget {
    /// The budget of a release; none where the store knows none or nothing is used.
    #[must_use]
    pub fn of(state: &ReleaseState, now: Timestamp) -> Option<Self> {
        let used = state.pauses.used(now);
        (used > SignedDuration::ZERO).then_some(Self { used, now })
    }

    /// Whole days used, never more than there are.
    #[must_use]
    pub fn days_used(&self) -> i64 {
        (self.used.as_hours() / HOURS_OF_A_DAY).min(MOST_DAYS)
    }

    /// Whole days left: one that has begun is not.
    #[must_use]
    pub fn days_left(&self) -> i64 {
        ((MOST - self.used).as_hours() / HOURS_OF_A_DAY).max(0)
    }

    /// When the days are used up if the release stays paused.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.now.checked_add(MOST - self.used).unwrap_or(self.now)
    }

    /// Whether no time is left.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.used >= MOST
    }

    /// Whether a halt should say how little is left.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.used > SHORT_ABOVE
    }

    /// Whether people have to be told that the days of a release that is paused now run out.
    #[must_use]
    pub fn is_nearly_used_up(&self, state: &ReleaseState) -> bool {
        state.last_seen == RolloutStatus::Halted && self.used >= TELL_AT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AppId, BuildNumber, VersionName};
    use crate::domain::release::ReleaseId;
    use crate::domain::rollout::seen;

    fn day(day: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(day * HOURS_OF_A_DAY)
    }

    fn release(status: RolloutStatus, paused_days: Option<u32>) -> Release {
        Release {
            key: "v".to_owned(),
            version: VersionName::new("2.0").unwrap(),
            builds: vec![BuildNumber::new("200").unwrap()],
            status,
            user_fraction: None,
            started_at: None,
            paused_days,
        }
    }

    /// The state of a release that was looked at on these days.
    fn looked_at(platform: Platform, looks: &[(i64, RolloutStatus, Option<u32>)]) -> ReleaseState {
        let id = ReleaseId { app: AppId::new("app").unwrap(), platform, key: "v".into() };
        let (first, status, told) = looks[0];
        let state = ReleaseState::first_seen(id, &release(status, told), day(first), day(first));
        looks.iter().fold(state, |state, (at, status, told)| seen(state, &release(*status, *told), day(*at)))
    }

    fn days_used(looks: &[(i64, RolloutStatus, Option<u32>)], at: i64) -> i64 {
        let state = looked_at(Platform::Ios, looks);
        PauseBudget::of(&state, day(at)).map_or(0, |budget| budget.days_used())
    }

    #[test]
    fn the_greater_of_what_apple_tells_and_what_was_seen_counts() {
        use RolloutStatus::{Halted, RollingOut};
        assert_eq!(days_used(&[(0, RollingOut, None)], 40), 0);
        assert_eq!(days_used(&[(0, Halted, None)], 12), 12, "apple tells nothing");
        assert_eq!(days_used(&[(0, Halted, Some(20))], 12), 20);
        assert_eq!(days_used(&[(0, Halted, Some(2))], 12), 12);
        let pauses = [(0, Halted, None), (10, RollingOut, None), (20, Halted, None), (25, Halted, None)];
        assert_eq!(days_used(&pauses, 26), 16, "two pauses add up");
        assert_eq!(days_used(&[(0, Halted, None)], 100), MOST_DAYS);
    }

    #[test]
    fn google_play_has_no_budget() {
        let state = looked_at(Platform::Android, &[(0, RolloutStatus::Halted, None)]);
        assert!(PauseBudget::of(&state, day(40)).is_none() && state.pauses.is_empty());
    }

    #[test]
    fn the_thresholds_are_where_they_are_said_to_be() {
        let state = looked_at(Platform::Ios, &[(0, RolloutStatus::Halted, None)]);
        let at = |now: Timestamp| {
            let budget = PauseBudget::of(&state, now).unwrap();
            (budget.is_short(), budget.is_nearly_used_up(&state), budget.is_used_up(), budget.days_left())
        };
        let second = SignedDuration::from_secs(1);
        assert_eq!(at(day(20)), (false, false, false, 10));
        assert_eq!(at(day(20) + second), (true, false, false, 9));
        assert_eq!(at(day(25) - second), (true, false, false, 5));
        assert_eq!(at(day(25)), (true, true, false, 5));
        assert_eq!(at(day(30)), (true, true, true, 0));
        assert_eq!(PauseBudget::of(&state, day(25)).unwrap().ends_at(), day(30));
    }

    #[test]
    fn a_release_that_goes_on_is_not_warned_about() {
        let state = looked_at(
            Platform::Ios,
            &[(0, RolloutStatus::Halted, None), (27, RolloutStatus::RollingOut, Some(27))],
        );
        let budget = PauseBudget::of(&state, day(27)).unwrap();
        assert!(budget.is_short() && !budget.is_nearly_used_up(&state));
    }
}
