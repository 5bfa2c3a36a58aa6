//! What the methods read and what they answer: a [`Sample`] and its [`Bounds`].
//!
//! Both hold reals. A sample because counts are divided by the design effect, bounds because they are
//! rates. A sample can't hold more events than trials, so no method has to ask.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Sessions and crashed sessions, or users and crashed users, of one release.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    trials: f64,
    events: f64,
}

impl Sample {
    /// A sample of whole counts.
    ///
    /// # Errors
    /// [`MoreEventsThanTrials`] when the counts contradict each other, which happens while the
    /// denominator is not there yet. That is a fault of the data and never a crash rate above one.
    pub fn new(trials: u64, events: u64) -> Result<Self, MoreEventsThanTrials> {
        if events > trials {
            return Err(MoreEventsThanTrials { trials, events });
        }
        Ok(Self::real(trials as f64, events as f64))
    }

    /// A sample of real counts. The caller keeps `0 <= events <= trials`; rounding above is cut.
    pub(super) fn real(trials: f64, events: f64) -> Self {
        debug_assert!(trials >= 0.0 && events >= 0.0);
        let events = events.min(trials);
        Self { trials, events }
    }

    /// The sample that independent sessions would need to say as much: both counts divided by the
    /// design effect. An effect below one, or not a number, counts as one.
    pub fn deflated(&self, design_effect: f64) -> Self {
        let effect = design_effect.max(1.0);
        Self::real(self.trials / effect, self.events / effect)
    }

    /// Sessions (or users), possibly deflated.
    pub fn trials(&self) -> f64 {
        self.trials
    }

    /// Crashed sessions (or users), possibly deflated.
    pub fn events(&self) -> f64 {
        self.events
    }

    /// Crashed sessions over sessions, or none without sessions.
    pub fn rate(&self) -> Option<f64> {
        (self.trials > 0.0).then(|| self.events / self.trials)
    }

    /// Sessions that did not crash.
    pub(super) fn others(&self) -> f64 {
        self.trials - self.events
    }

    /// True when the sample holds something and the limit is a rate: only then is there a question.
    pub(super) fn can_be_judged_against(&self, q0: f64) -> bool {
        self.trials > 0.0 && (0.0..=1.0).contains(&q0)
    }
}

/// A confidence interval of the crash rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least crash rate that the data do not contradict.
    pub lower: f64,
    /// The greatest crash rate that the data do not contradict.
    pub upper: f64,
}

impl Bounds {
    /// Nothing is known: every crash rate is possible.
    pub const UNDETERMINED: Self = Self { lower: 0.0, upper: 1.0 };

    /// The bounds cut to 0..=1, for display only. Wald bounds leave that range, and its decisions
    /// need them as they are.
    pub fn clipped(self) -> Self {
        Self { lower: self.lower.clamp(0.0, 1.0), upper: self.upper.clamp(0.0, 1.0) }
    }
}

/// More crashed sessions than sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoreEventsThanTrials {
    /// Sessions (or users) as read.
    pub trials: u64,
    /// Crashed sessions (or users) as read.
    pub events: u64,
}

impl fmt::Display for MoreEventsThanTrials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trials, events } = self;
        write!(f, "{events} events among {trials} trials: the denominator is incomplete, wait for it")
    }
}

impl Error for MoreEventsThanTrials {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_more_events_than_trials() {
        let error = Sample::new(3, 4).unwrap_err();
        assert_eq!((error.trials, error.events), (3, 4));
        assert!(error.to_string().starts_with("4 events among 3 trials"));
    }

    #[test]
    fn has_no_rate_without_trials() {
        assert_eq!(Sample::new(0, 0).unwrap().rate(), None);
        assert_eq!(Sample::new(4, 1).unwrap().rate(), Some(0.25));
    }

    #[test]
    fn deflating_divides_both_counts_and_never_inflates() {
        let sample = Sample::new(100, 10).unwrap();
        let halved = sample.deflated(2.0);
        assert_eq!((halved.trials(), halved.events()), (50.0, 5.0));
        assert_eq!(sample.deflated(0.5), sample);
        assert_eq!(sample.deflated(f64::NAN), sample);
        assert_eq!(sample.deflated(f64::INFINITY).rate(), None);
    }

    #[test]
    fn clipping_cuts_both_ends() {
        let wide = Bounds { lower: -0.4, upper: 1.4 };
        assert_eq!(wide.clipped(), Bounds::UNDETERMINED);
    }
}
