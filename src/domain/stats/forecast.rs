//! How many sessions a decision still needs, if the crash rate stays what it seems to be.
//!
//! A rough figure for people, never an input of a decision: measured, the median decision comes at 0.6
//! to 0.9 of it. It follows one path, on which every further session adds the same share of a crash,
//! so events are real numbers here.

use super::confidence::Confidence;
use super::lines::first;
use super::method::Method;
use super::sample::Sample;

/// A decision farther away than this many sessions is none.
const HORIZON_SESSIONS: u64 = 10_000_000_000;

/// The decision that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Evidence that the crash rate is above the limit.
    Halt,
    /// Evidence that it is below.
    FastTrack,
}

impl Goal {
    fn is_reached(self, method: Method, sample: Sample, q0: f64, confidence: Confidence) -> bool {
        match self {
            Self::Halt => method.worse_than(sample, q0, confidence),
            Self::FastTrack => method.better_than(sample, q0, confidence),
        }
    }
}

/// The crash rate to plan with, (k + 1) / (n + 1 / q0): the data, and the limit where there are none.
pub fn expected_rate(sample: Sample, q0: f64) -> f64 {
    (sample.events() + 1.0) / (sample.trials() + 1.0 / q0)
}

/// The total number of sessions at which the decision is expected: the sample's own, rounded up, when
/// it is reached already; none when it is not in reach or `q0` is not a rate.
pub fn sessions_to_decision(
    method: Method,
    sample: Sample,
    q0: f64,
    confidence: Confidence,
    goal: Goal,
) -> Option<u64> {
    let rate = expected_rate(sample, q0);
    sessions_at_rate(method, sample, q0, confidence, goal, rate)
}

/// The same for an assumed crash rate of all sessions to come, such as the ends of a range. None also
/// when `rate` is not in 0..=1.
pub fn sessions_at_rate(
    method: Method,
    sample: Sample,
    q0: f64,
    confidence: Confidence,
    goal: Goal,
    rate: f64,
) -> Option<u64> {
    let now = sample.trials().ceil() as u64;
    if goal.is_reached(method, sample, q0, confidence) {
        return Some(now);
    }
    if !(0.0..=1.0).contains(&rate) {
        return None;
    }
    let reached = |n: u64| {
        let more = (n as f64 - sample.trials()).max(0.0);
        let ahead = Sample::real(sample.trials() + more, sample.events() + rate * more);
        goal.is_reached(method, ahead, q0, confidence)
    };
    // Doubling first: work grows with the counts, and most decisions are near.
    let mut low = now;
    while low < HORIZON_SESSIONS {
        let high = low.saturating_mul(2).clamp(1, HORIZON_SESSIONS);
        if let Some(sessions) = first(low, high, reached) {
            return Some(sessions);
        }
        low = high;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q0: f64 = 5e-4;

    fn level() -> Confidence {
        Confidence::new(0.99).unwrap()
    }

    fn planned(goal: Goal, crash_free: f64) -> Option<u64> {
        let nothing = Sample::new(0, 0).unwrap();
        let rate = 1.0 - crash_free;
        sessions_at_rate(Method::Mixture, nothing, Q0, level(), goal, rate)
    }

    #[test]
    fn halts_are_planned_as_published() {
        assert_eq!(planned(Goal::Halt, 0.97), Some(76));
        assert_eq!(planned(Goal::Halt, 0.99), Some(348));
        assert_eq!(planned(Goal::Halt, 0.995), Some(1021));
        assert_eq!(planned(Goal::Halt, 0.998), Some(5717));
        assert_eq!(planned(Goal::Halt, 0.999), Some(38_735));
        assert_eq!(planned(Goal::Halt, 0.9994).unwrap() / 1000, 849);
    }

    #[test]
    fn fast_tracks_are_planned_as_published() {
        let hundreds = |crash_free| {
            let sessions = planned(Goal::FastTrack, crash_free).unwrap();
            (sessions as f64 / 100.0).round()
        };
        assert_eq!((hundreds(0.9996) / 10.0).round(), 728.0);
        assert_eq!(hundreds(0.99975), 945.0);
        assert_eq!(hundreds(0.9999), 280.0);
        assert_eq!(hundreds(0.99995), 190.0);
        assert_eq!(planned(Goal::FastTrack, 1.0), Some(12_704));
    }

    #[test]
    fn what_is_reached_needs_no_more() {
        let bad = Sample::new(1000, 40).unwrap();
        for method in Method::ALL {
            let sessions = sessions_to_decision(method, bad, Q0, level(), Goal::Halt);
            assert_eq!(sessions, Some(1000), "{method}");
        }
    }

    #[test]
    fn what_is_not_in_reach_is_none() {
        let good = Sample::new(1_000_000, 100).unwrap();
        let bad = Sample::new(1000, 40).unwrap();
        for method in Method::ALL {
            let halt = sessions_to_decision(method, good, Q0, level(), Goal::Halt);
            let fast = sessions_to_decision(method, bad, Q0, level(), Goal::FastTrack);
            assert_eq!((halt, fast), (None, None), "{method}");
        }
    }

    #[test]
    fn every_method_answers_for_a_release_on_its_way() {
        let young = Sample::new(2000, 3).unwrap().deflated(1.3);
        for method in Method::ALL {
            let sessions = sessions_to_decision(method, young, Q0, level(), Goal::Halt);
            assert!(sessions.unwrap() >= 1539, "{method}");
        }
    }

    #[test]
    fn a_limit_or_a_rate_that_is_none_has_no_forecast() {
        let young = Sample::new(2000, 1).unwrap();
        for q0 in [0.0, -1.0, f64::NAN] {
            let sessions = sessions_to_decision(Method::Mixture, young, q0, level(), Goal::FastTrack);
            assert_eq!(sessions, None, "{q0}");
        }
        let forever = sessions_at_rate(Method::Mixture, young, Q0, level(), Goal::Halt, f64::INFINITY);
        assert_eq!(forever, None);
    }
}
