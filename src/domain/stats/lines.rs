//! Decision lines: how many crashed sessions, at a given number of sessions, halt or complete.
//!
//! Both decisions are monotone in the number of events, for every method, so the lines are found by
//! halving. They are whole numbers and the shortest explanation of a rule that people can check.

use serde::{Deserialize, Serialize};

use super::confidence::Confidence;
use super::method::Method;
use super::sample::Sample;

/// The counts of events that decide at one number of trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionLines {
    /// The least number of events that halts; none when not even all trials would.
    pub halt_at: Option<u64>,
    /// The greatest number of events that still completes early; none when not even zero would.
    pub fast_track_at: Option<u64>,
}

/// The decision lines of `method` at `n` trials for a crash rate limit of `q0`.
pub fn decision_lines(method: Method, n: u64, q0: f64, confidence: Confidence) -> DecisionLines {
    let sample = |k| Sample::real(n as f64, k as f64);
    DecisionLines {
        halt_at: first(0, n, |k| method.worse_than(sample(k), q0, confidence)),
        fast_track_at: last_true(n, |k| method.better_than(sample(k), q0, confidence)),
    }
}

/// The greatest `k` up to `n` with the property, when it holds up to some count and then no more.
fn last_true(n: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    match first(0, n, |k| !holds(k)) {
        Some(first_false) => first_false.checked_sub(1),
        None => Some(n),
    }
}

/// The least number from `low` to `high` with the property, when it holds from some number on.
pub(super) fn first(low: u64, high: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    if !holds(high) {
        return None;
    }
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level() -> Confidence {
        Confidence::new(0.99).unwrap()
    }

    #[test]
    fn the_lines_of_the_default_method_are_the_published_ones() {
        let halts = [
            (100, 3),
            (500, 4),
            (1000, 6),
            (2000, 7),
            (5000, 11),
            (10_000, 16),
            (20_000, 25),
            (50_000, 47),
            (100_000, 81),
            (1_000_000, 593),
            (10_000_000, 5294),
        ];
        for (n, halt_at) in halts {
            let lines = decision_lines(Method::Mixture, n, 5e-4, level());
            assert_eq!(lines.halt_at, Some(halt_at), "{n}");
        }
        let completes = [
            (12_703, None),
            (12_704, Some(0)),
            (20_000, Some(1)),
            (50_000, Some(8)),
            (100_000, Some(25)),
            (1_000_000, Some(413)),
            (10_000_000, Some(4712)),
        ];
        for (n, fast_track_at) in completes {
            let lines = decision_lines(Method::Mixture, n, 5e-4, level());
            assert_eq!(lines.fast_track_at, fast_track_at, "{n}");
        }
    }

    #[test]
    fn without_trials_no_count_decides() {
        for method in Method::ALL {
            let lines = decision_lines(method, 0, 5e-4, level());
            assert_eq!((lines.halt_at, lines.fast_track_at), (None, None));
        }
    }

    #[test]
    fn the_lines_are_where_the_decisions_turn() {
        for method in Method::ALL {
            let sample = |k| Sample::new(20_000, k).unwrap();
            let lines = decision_lines(method, 20_000, 1e-3, level());
            let (halt, fast) = (lines.halt_at.unwrap(), lines.fast_track_at.unwrap());
            assert!(method.worse_than(sample(halt), 1e-3, level()));
            assert!(!method.worse_than(sample(halt - 1), 1e-3, level()));
            assert!(method.better_than(sample(fast), 1e-3, level()));
            assert!(!method.better_than(sample(fast + 1), 1e-3, level()));
        }
    }
}
