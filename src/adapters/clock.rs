//! The one place that asks the machine what time it is, how much of it has passed, and how far it is from what the
//! services say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ports::Clock;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one adapter that may read the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The present instant of the clock that never jumps: deadlines and waits are measured with it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one adapter that may read the clock")]
pub fn steady() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// A clock that stands still: the instant that a run was asked about.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Services write their instant in whole seconds.
const RESOLUTION: SignedDuration = SignedDuration::from_secs(1);

/// How far a service's clock is from the machine's, in whole seconds at best: the least that fits an answer which was
/// asked for at `before` and was there at `after`, both by the machine's clock. Positive where the machine is behind.
#[must_use]
pub fn offset(before: Timestamp, after: Timestamp, there: Timestamp) -> SignedDuration {
    let machine_is_behind = there.duration_since(after);
    let machine_is_ahead = before.duration_since(there) - RESOLUTION;
    if machine_is_behind.is_positive() {
        return machine_is_behind;
    }
    if machine_is_ahead.is_positive() { -machine_is_ahead } else { SignedDuration::ZERO }
}

/// What time the services say it is: the machine's clock, set right by their answers. Clones share what was heard.
///
/// Each answer of a service replaces what it said before. Where services differ, the one that is nearest to the machine
/// counts: a clock that is wrong here is far from all of them, and one that is wrong there is far from this one only.
/// Before the first answer it is the machine's clock.
#[derive(Debug, Clone, Default)]
pub struct ServerClock {
    heard: Arc<Mutex<BTreeMap<&'static str, SignedDuration>>>,
}

impl ServerClock {
    /// Takes in what a service said in an answer to a question of `before`, which was there at `after`.
    pub fn hear(&self, service: &'static str, before: Timestamp, after: Timestamp, there: Timestamp) {
        self.heard().insert(service, offset(before, after, there));
    }

    /// What has to be added to the machine's clock; none before the first answer.
    #[must_use]
    pub fn offset(&self) -> Option<SignedDuration> {
        self.heard().values().copied().min_by_key(|offset| offset.abs())
    }

    fn heard(&self) -> MutexGuard<'_, BTreeMap<&'static str, SignedDuration>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        now.checked_add(self.offset().unwrap_or_default()).unwrap_or(now)
    }

    fn skew(&self) -> Option<SignedDuration> {
        self.offset()
    }
}

/// A stretch of time that is over when either clock says so. The steady clock stands still while a machine is suspended,
/// and the machine's clock may be set back; a run that slept must not go on as if no time had passed.
#[derive(Clone)]
pub struct Until {
    began_steady: tokio::time::Instant,
    began: Timestamp,
    lasts: Duration,
    wall: Arc<dyn Clock>,
}

impl Until {
    /// From now on, by the steady clock and by `wall`, the machine's own: an instant that a run is asked about does not
    /// move, and a service's answer may move the other.
    #[must_use]
    pub fn after(lasts: Duration, wall: Arc<dyn Clock>) -> Self {
        Self { began_steady: steady(), began: wall.now(), lasts, wall }
    }

    /// The same stretch, with its end earlier by `margin`.
    #[must_use]
    pub fn less(&self, margin: Duration) -> Self {
        Self { lasts: self.lasts.saturating_sub(margin), ..self.clone() }
    }

    /// What is left of it by the clock that says less; zero once it is over.
    #[must_use]
    pub fn left(&self) -> Duration {
        let steady = steady().saturating_duration_since(self.began_steady);
        let wall = self.wall.now().duration_since(self.began);
        self.lasts.saturating_sub(steady.max(wall.try_into().unwrap_or_default()))
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// Returns once it is over: within a second of waking up, where the machine slept through its end.
    pub async fn over(&self) {
        /// How often the machine's clock is looked at.
        const LOOK: Duration = Duration::from_secs(1);
        while !self.is_over() {
            tokio::time::sleep(self.left().min(LOOK)).await;
        }
    }
}

impl std::fmt::Debug for Until {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Until").field("left", &self.left()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const NOON: &str = "2026-11-18T12:00:00Z";

    fn heard(local: &str) -> i64 {
        let before = at(local);
        offset(before, before + SignedDuration::from_millis(300), at(NOON)).as_secs()
    }

    #[test]
    fn an_offset_is_the_least_that_fits_the_answer() {
        assert_eq!(heard("2026-11-18T12:00:00.9Z"), 0, "the service writes whole seconds");
        assert_eq!(heard("2026-11-18T11:59:59.8Z"), 0, "the answer lay between the two looks");
        assert_eq!(heard("2026-11-18T12:01:01Z"), -60);
        assert_eq!(heard("2026-11-18T14:00:01Z"), -7_200);
        assert_eq!(heard("2026-11-18T10:00:00Z"), 7_199);
    }

    #[test]
    fn f67_a_clock_that_is_two_hours_off_is_set_right_by_answers() {
        for hours in [-2, 2] {
            let clock = ServerClock::default();
            assert_eq!(clock.offset(), None, "nothing was heard yet");
            let local = SystemClock.now();
            let there = local + SignedDuration::from_hours(hours);
            clock.hear("Slack", local, local, there);
            let off = clock.now().duration_since(there).abs();
            assert!(off < SignedDuration::from_secs(30), "{off}");
            let shared = clock.clone();
            assert_eq!(shared.skew(), clock.offset(), "clones share what was heard");
        }
    }

    #[test]
    fn one_service_with_a_wrong_clock_makes_no_wrong_clock_here() {
        let clock = ServerClock::default();
        let now = at(NOON);
        clock.hear("a proxy", now, now, now + SignedDuration::from_hours(9));
        assert_eq!(clock.offset(), Some(SignedDuration::from_hours(9)), "nobody else has spoken");
        clock.hear("Slack", now, now, now);
        assert_eq!(clock.offset(), Some(SignedDuration::ZERO));
        clock.hear("Slack", now, now, now + SignedDuration::from_mins(3));
        assert_eq!(clock.offset(), Some(SignedDuration::from_mins(3)), "the newest answer counts");
    }

    /// The machine's clock, moved by hand.
    struct Moved(Mutex<Timestamp>);

    impl Clock for Moved {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    fn moved() -> (Arc<Moved>, Until) {
        let wall = Arc::new(Moved(Mutex::new(at(NOON))));
        let until = Until::after(Duration::from_secs(480), wall.clone());
        (wall, until)
    }

    #[tokio::test]
    async fn f66_a_machine_that_slept_for_twenty_minutes_finds_its_time_over() {
        let (wall, until) = moved();
        assert!(!until.is_over());
        // The steady clock stood still meanwhile.
        *wall.0.lock().unwrap() = at("2026-11-18T12:20:00Z");
        assert!(until.is_over());
        tokio::time::timeout(Duration::from_secs(30), until.over()).await.expect("it is over");
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_time() {
        let (wall, until) = moved();
        *wall.0.lock().unwrap() = at("2026-11-18T10:00:00Z");
        assert!(until.left() <= Duration::from_secs(480));
        assert!(
            until.less(Duration::from_secs(480)).is_over(),
            "a margin as long as the whole leaves nothing"
        );
    }
}
