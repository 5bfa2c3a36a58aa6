//! The Wilson score interval: the rates that the score test does not reject.
//!
//! For one look at a fixed time. The lower bound is computed from the upper one by the product of the
//! roots, which does not cancel when crashes are few.

use super::confidence::Confidence;
use super::sample::{Bounds, Sample};

pub(super) fn bounds(sample: Sample, confidence: Confidence) -> Bounds {
    bounds_with_z(sample, confidence.z())
}

/// Score test: the excess over the limit against z standard deviations *at the limit*.
pub(super) fn worse_than(sample: Sample, q0: f64, confidence: Confidence) -> bool {
    excess(sample, q0) > confidence.z() * deviation(sample, q0)
}

/// Score test on the other side.
pub(super) fn better_than(sample: Sample, q0: f64, confidence: Confidence) -> bool {
    -excess(sample, q0) > confidence.z() * deviation(sample, q0)
}

/// Events more than the limit allows for.
fn excess(sample: Sample, q0: f64) -> f64 {
    sample.events() - sample.trials() * q0
}

/// Standard deviation of the number of events at the limit.
fn deviation(sample: Sample, q0: f64) -> f64 {
    (sample.trials() * q0 * (1.0 - q0)).sqrt()
}

fn bounds_with_z(sample: Sample, z: f64) -> Bounds {
    let Some(rate) = sample.rate() else {
        return Bounds::UNDETERMINED;
    };
    let n = sample.trials();
    let shrink = 1.0 + z * z / n;
    let variance = rate * (1.0 - rate) / n + z * z / (4.0 * n * n);
    let centre = rate + z * z / (2.0 * n);
    let upper = if sample.others() > 0.0 { (centre + z * variance.sqrt()) / shrink } else { 1.0 };
    let lower = if sample.events() > 0.0 { rate * rate / (shrink * upper) } else { 0.0 };
    Bounds { lower, upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level() -> Confidence {
        Confidence::new(0.99).unwrap()
    }

    #[test]
    fn no_events_and_all_events_reach_the_ends_exactly() {
        let none = bounds(Sample::new(100, 0).unwrap(), level());
        let all = bounds(Sample::new(100, 100).unwrap(), level());
        assert_eq!((none.lower, all.upper), (0.0, 1.0));
        assert!((none.upper + all.lower - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_perfect_objective_is_broken_by_one_event() {
        assert!(worse_than(Sample::new(100, 1).unwrap(), 0.0, level()));
        assert!(!worse_than(Sample::new(100, 0).unwrap(), 0.0, level()));
    }
}
