//! The model clock: the one instant that every model of the sandbox goes by.
//! It can be set, so that a demo lives through a week of a phased release in seconds; unset, it is the wall clock.
//! Tokens are never judged by it: their lifetime is real time, whatever the story is. App Store Connect judges its own by
//! a clock that can be set ahead of this machine's.

use jiff::Timestamp;

/// The clock of the models.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    set: Option<Timestamp>,
}

impl Clock {
    /// The instant that the models go by.
    pub(crate) fn now(self) -> Timestamp {
        self.set.unwrap_or_else(wall_clock)
    }

    /// Sets the instant; `None` goes back to the wall clock.
    pub(crate) fn set(&mut self, now: Option<Timestamp>) {
        self.set = now;
    }
}

/// The real time; the only place of the sandbox that reads it.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox stands for remote services, which have a clock of their own"
)]
pub(crate) fn wall_clock() -> Timestamp {
    Timestamp::now()
}
