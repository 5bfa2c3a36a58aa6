//! The one place that asks the machine what time it is, how much of it has passed, and how far it is from what the
//! services say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ports::{Clock, Moment};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one adapter that may read the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn moment(&self) -> Moment {
        moment()
    }
}

/// The present instant of the clock that never jumps: deadlines and waits are measured with it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one adapter that may read the clock")]
pub fn steady() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// The present moment by both clocks of the machine.
#[must_use]
pub fn moment() -> Moment {
    static FIRST: OnceLock<tokio::time::Instant> = OnceLock::new();
    let now = steady();
    Moment { wall: SystemClock.now(), steady: now.saturating_duration_since(*FIRST.get_or_init(|| now)) }
}

/// Returns once so much time has passed since a moment, by the clock that says more. The steady clock stands still while
/// the machine is suspended; this returns within a second of waking up.
pub async fn passed(since: Moment, lasts: Duration) {
    /// How often the machine's other clock is looked at.
    const LOOK: Duration = Duration::from_secs(1);
    loop {
        let left = lasts.saturating_sub(moment().passed_since(since));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
}

/// A clock that stands still: the instant that a run was asked about.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn moment(&self) -> Moment {
        moment()
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

    fn moment(&self) -> Moment {
        moment()
    }

    fn skew(&self) -> Option<SignedDuration> {
        self.offset()
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

    #[tokio::test]
    async fn f66_a_machine_that_slept_through_the_end_finds_its_time_over() {
        let now = moment();
        let before_the_sleep = Moment { wall: now.wall - SignedDuration::from_mins(20), ..now };
        let eight_minutes = Duration::from_secs(480);
        let over = passed(before_the_sleep, eight_minutes);
        tokio::time::timeout(Duration::from_secs(30), over).await.expect("the steady clock stood still");
        let not_over = passed(now, eight_minutes);
        assert!(tokio::time::timeout(Duration::from_millis(50), not_over).await.is_err());
    }
}
