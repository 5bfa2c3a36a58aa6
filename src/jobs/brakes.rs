//! Brakes: when a run may begin no further change of a store.
//!
//! A run ends at its deadline, before its lease does, or at a signal. A change that is begun must have the time to be
//! looked at afterwards, so none is begun late. What is not begun is written down, and the next run goes on with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ports::{Lease, Moment};

/// With less than this left of its lease a run begins no change: another run may take over soon.
const LEAST_LEASE: Duration = Duration::from_secs(60);
/// With less than this left to its deadline a run begins no change: it could not look at what came of it.
const LEAST_TIME: Duration = Duration::from_secs(45);
/// Of a short deadline, one part in so many is kept instead.
const LEAST_PART: u32 = 4;

/// The end of a run.
#[derive(Debug)]
pub struct Brakes {
    began: Moment,
    lasts: Duration,
    stopped: AtomicBool,
}

impl Brakes {
    /// Of a run that began at that moment and lasts so long.
    #[must_use]
    pub fn new(began: Moment, lasts: Duration) -> Self {
        Self { began, lasts, stopped: AtomicBool::new(false) }
    }

    /// Begins no further change from now on.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// Why no change of a store may be begun now; none where one may.
    #[must_use]
    pub fn forbid(&self, lease: &Lease, now: Moment) -> Option<&'static str> {
        let left = self.lasts.saturating_sub(now.passed_since(self.began));
        if self.stopped.load(Ordering::SeqCst) {
            return Some("the run was told to end");
        }
        if left < LEAST_TIME.min(self.lasts / LEAST_PART) {
            return Some("the deadline of the run is near");
        }
        (lease.left(now) < LEAST_LEASE).then_some("the lease of the run is about to end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::AppId;
    use jiff::Timestamp;

    const MINUTE: Duration = Duration::from_secs(60);

    fn noon() -> Moment {
        Moment { wall: "2026-11-18T12:00:00Z".parse().unwrap(), steady: Duration::from_secs(100) }
    }

    fn later(wall: Duration, steady: Duration) -> Moment {
        Moment { wall: noon().wall + wall, steady: noon().steady + steady }
    }

    fn lease() -> Lease {
        let app = AppId::new("android").unwrap();
        Lease::granted(app, "p/r".to_owned(), 1, Timestamp::UNIX_EPOCH).timed(noon(), MINUTE * 10)
    }

    fn forbidden(lasts: Duration, now: Moment) -> Option<&'static str> {
        Brakes::new(noon(), lasts).forbid(&lease(), now)
    }

    #[test]
    fn a_change_is_begun_while_there_is_time_for_it() {
        let passed = MINUTE * 7 + Duration::from_secs(15);
        assert_eq!(forbidden(MINUTE * 8, later(passed, passed)), None);
        let passed = passed + Duration::from_secs(1);
        assert!(forbidden(MINUTE * 8, later(passed, passed)).unwrap().contains("deadline"));
        let passed = MINUTE * 9 + Duration::from_secs(1);
        assert!(forbidden(MINUTE * 60, later(passed, passed)).unwrap().contains("lease"));
    }

    #[test]
    fn f66_a_machine_that_slept_for_twenty_minutes_begins_nothing() {
        let slept = later(MINUTE * 20, Duration::from_secs(5));
        assert!(forbidden(MINUTE * 8, slept).is_some(), "the steady clock stood still, the other did not");
        assert!(forbidden(MINUTE * 60, slept).unwrap().contains("lease"), "the lease alone is enough");
        let set_back = Moment { wall: noon().wall - MINUTE * 120, ..later(Duration::ZERO, MINUTE * 20) };
        assert!(forbidden(MINUTE * 60, set_back).unwrap().contains("lease"), "the clock was set back");
    }

    #[test]
    fn a_short_deadline_leaves_some_time_to_act() {
        let seconds = |seconds| later(Duration::from_secs(seconds), Duration::from_secs(seconds));
        assert_eq!(forbidden(Duration::from_secs(20), seconds(14)), None);
        assert!(forbidden(Duration::from_secs(20), seconds(16)).is_some());
    }

    #[test]
    fn nothing_is_begun_after_a_signal_or_under_a_lease_of_unknown_age() {
        let brakes = Brakes::new(noon(), MINUTE * 8);
        assert_eq!(brakes.forbid(&lease(), noon()), None);
        brakes.stop();
        assert!(brakes.forbid(&lease(), noon()).unwrap().contains("told to end"));
        let untimed = Lease::granted(AppId::new("a").unwrap(), "p/r".to_owned(), 1, Timestamp::UNIX_EPOCH);
        assert!(Brakes::new(noon(), MINUTE * 8).forbid(&untimed, noon()).is_some());
    }
}
