//! The Wald interval, q -+ z sqrt(q (1 - q) / n): the reference article's rule, number for number.
//!
//! Kept for comparison and compatibility. Decisions use the bounds as they are, never cut to 0..=1.
//! Two flaws are kept with it: the width is zero without crashes, so a handful of sessions completes a
//! release; and looking every quarter of an hour multiplies its false halts.

use super::confidence::Confidence;
use super::sample::{Bounds, Sample};

/// Confidence level and the rounded z that the reference article uses for it.
const ARTICLE_Z: [(f64, f64); 4] = [(0.90, 1.645), (0.95, 1.96), (0.99, 2.576), (0.999, 3.291)];

pub(super) fn bounds(sample: Sample, confidence: Confidence) -> Bounds {
    bounds_with_z(sample, article_z(confidence))
}

/// Lower bound above the limit.
pub(super) fn worse_than(sample: Sample, q0: f64, confidence: Confidence) -> bool {
    bounds(sample, confidence).lower > q0
}

/// Upper bound below the limit.
pub(super) fn better_than(sample: Sample, q0: f64, confidence: Confidence) -> bool {
    bounds(sample, confidence).upper < q0
}

/// The rounded z of the named levels, the exact quantile of any other.
fn article_z(confidence: Confidence) -> f64 {
    ARTICLE_Z
        .iter()
        .find(|(level, _)| *level == confidence.level())
        .map_or_else(|| confidence.z(), |(_, z)| *z)
}

pub(super) fn bounds_with_z(sample: Sample, z: f64) -> Bounds {
    let Some(rate) = sample.rate() else {
        return Bounds::UNDETERMINED;
    };
    let margin = z * (rate * (1.0 - rate) / sample.trials()).sqrt();
    Bounds { lower: rate - margin, upper: rate + margin }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(level: f64) -> Confidence {
        Confidence::new(level).unwrap()
    }

    #[test]
    fn uses_the_rounded_z_of_the_named_levels() {
        assert_eq!(article_z(level(0.90)), 1.645);
        assert_eq!(article_z(level(0.95)), 1.96);
        assert_eq!(article_z(level(0.99)), 2.576);
        assert_eq!(article_z(level(0.999)), 3.291);
        assert_eq!(article_z(level(0.98)), level(0.98).z());
    }

    #[test]
    fn reproduces_the_margin_of_the_worked_example() {
        let bounds = bounds(Sample::new(5000, 45).unwrap(), level(0.99));
        let margin = (bounds.upper - bounds.lower) / 2.0;
        assert!((margin - 0.0034404792149931676).abs() < 1e-17);
    }

    #[test]
    fn day_two_flaw_no_crashes_give_no_width_and_complete_the_release() {
        let sample = Sample::new(23, 0).unwrap();
        let bounds = bounds(sample, level(0.99));
        assert_eq!((bounds.lower, bounds.upper), (0.0, 0.0));
        assert!(better_than(sample, 5e-4, level(0.99)));
    }

    #[test]
    fn bounds_leave_the_range_of_rates() {
        let bounds = bounds(Sample::new(2, 1).unwrap(), level(0.99));
        assert!(bounds.lower < 0.0 && bounds.upper > 1.0);
    }
}
