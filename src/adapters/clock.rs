//! The one place that asks the machine what time it is, and how much of it has passed.

use std::sync::OnceLock;

use jiff::Timestamp;

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
