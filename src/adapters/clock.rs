//! The one place that asks the machine what time it is, and how much of it has passed.

use jiff::Timestamp;

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
