//! The one root finder: Newton's method inside a bracket.
//!
//! The bracket makes it certain, the slope makes it fast: a step that leaves the bracket is replaced by
//! halving it. The functions here are logarithms of probabilities over the logarithm of a rate; most
//! need five to ten evaluations.

/// A step this small, relative to the root, ends the search. Newton's error is then its square.
const STEP_TOLERANCE: f64 = 1e-13;
/// Evaluations after which the bracket has been halved below the spacing of numbers anyway.
const MAX_EVALUATIONS: usize = 200;

/// A function at one point.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) value: f64,
    pub(super) slope: f64,
}

/// Two arguments, in either order, with the root between them.
pub(super) struct Bracket {
    /// An argument at which the function is below zero.
    pub(super) below: f64,
    /// An argument at which the function is at or above zero.
    pub(super) above: f64,
}

/// The root of a monotone function, searched from `start`.
pub(super) fn find(mut bracket: Bracket, start: f64, function: impl Fn(f64) -> Point) -> f64 {
    let mut x = start;
    for _ in 0..MAX_EVALUATIONS {
        let point = function(x);
        bracket.narrow(x, point);
        let next = bracket.step(x, point);
        if (next - x).abs() <= STEP_TOLERANCE * x.abs() {
            return next;
        }
        x = next;
    }
    x
}

impl Bracket {
    fn narrow(&mut self, x: f64, point: Point) {
        if point.value < 0.0 {
            self.below = x;
        } else {
            self.above = x;
        }
    }

    fn step(&self, x: f64, point: Point) -> f64 {
        let newton = x - point.value / point.slope;
        let low = self.below.min(self.above);
        let high = self.below.max(self.above);
        // Not a number is outside, too.
        if newton >= low && newton <= high { newton } else { low + (high - low) / 2.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_rising_root() {
        let bracket = Bracket { below: 0.0, above: 9.0 };
        let root = find(bracket, 9.0, |x| Point { value: x * x - 2.0, slope: 2.0 * x });
        assert!((root - 2.0_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn finds_a_falling_root_from_the_end_where_the_slope_is_flat() {
        let bracket = Bracket { below: 40.0, above: -40.0 };
        let root = find(bracket, -40.0, |x: f64| Point { value: 1.0 - x.exp() / 3.0, slope: -x.exp() / 3.0 });
        assert!((root - 3.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn falls_back_to_halving_without_a_slope() {
        let bracket = Bracket { below: -1.0, above: 2.0 };
        let root = find(bracket, 2.0, |x| Point { value: x - 0.75, slope: f64::NAN });
        assert!((root - 0.75).abs() < 1e-12);
    }
}
