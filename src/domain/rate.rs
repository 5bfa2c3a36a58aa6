//! Ratios in 0..=1, and the share of users that a release is offered to.
//!
//! A rate is never a percentage inside the program. Comparing is done in full precision; rounding happens only in
//! [`Rate::percent_against`], which rounds toward worse and never across an objective.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A ratio in 0..=1, for example a crash-free sessions rate.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(f64);

/// A number that is not a ratio in the range that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{given} is not {wanted}")]
pub struct OutOfRange {
    given: f64,
    wanted: &'static str,
}

impl Rate {
    /// A rate from a ratio.
    ///
    /// # Errors
    /// [`OutOfRange`] where it is not a number in 0..=1.
    pub fn new(ratio: f64) -> Result<Self, OutOfRange> {
        if (0.0..=1.0).contains(&ratio) {
            return Ok(Self(ratio));
        }
        Err(OutOfRange { given: ratio, wanted: "a ratio from 0 to 1" })
    }

    /// The nearest rate to a bound that may lie outside 0..=1, as the unclipped Wald bounds do. For display only.
    #[must_use]
    pub fn clipped(ratio: f64) -> Self {
        Self(ratio.clamp(0.0, 1.0))
    }

    /// The ratio.
    #[must_use]
    pub fn ratio(self) -> f64 {
        self.0
    }

    /// What is missing to one: the crash rate of a crash-free rate.
    #[must_use]
    pub fn complement(self) -> f64 {
        1.0 - self.0
    }

    /// As a percentage, rounded down, with as many digits as it takes to stay on its own side of `objective`.
    #[must_use]
    pub fn percent_against(self, objective: Self) -> String {
        const FEWEST_DIGITS: usize = 3;
        const MOST_DIGITS: usize = 9;
        let is_below = |shown: f64| shown + ROUNDING_SLACK < objective.0 * 100.0;
        (FEWEST_DIGITS..=MOST_DIGITS)
            .map(|digits| (digits, floor_percent(self.0, digits)))
            .find(|(digits, shown)| *digits == MOST_DIGITS || is_below(*shown) == (self.0 < objective.0))
            .map(|(digits, shown)| format!("{shown:.digits$} %"))
            .unwrap_or_default()
    }
}

/// Slack for a product such as 0.9995 * 100 that lands a rounding error away from the number that was meant.
const ROUNDING_SLACK: f64 = 1e-9;

fn floor_percent(ratio: f64, digits: usize) -> f64 {
    let digits = i32::try_from(digits).unwrap_or(i32::MAX);
    let scale = 10f64.powi(digits);
    (ratio * 100.0 * scale + ROUNDING_SLACK).floor() / scale
}

impl TryFrom<f64> for Rate {
    type Error = OutOfRange;
    fn try_from(ratio: f64) -> Result<Self, OutOfRange> {
        Self::new(ratio)
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> f64 {
        rate.0
    }
}

/// Fractions that differ by less are the same: a store gives 0.15 back as 0.15000000596.
const FRACTION_TOLERANCE: f64 = 1e-6;

/// The share of users that a release is offered to: 0 < f <= 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct UserFraction(f64);

impl UserFraction {
    /// Everybody.
    pub const EVERYBODY: Self = Self(1.0);

    /// A fraction of the users.
    ///
    /// # Errors
    /// [`OutOfRange`] where it is not above 0 and at most 1.
    pub fn new(fraction: f64) -> Result<Self, OutOfRange> {
        if fraction > 0.0 && fraction <= 1.0 {
            return Ok(Self(fraction));
        }
        Err(OutOfRange { given: fraction, wanted: "a user fraction above 0 and at most 1" })
    }

    /// The fraction as a number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Whether it is the same fraction for a store, which may keep it in single precision.
    #[must_use]
    pub fn is_about(self, other: Self) -> bool {
        (self.0 - other.0).abs() < FRACTION_TOLERANCE
    }
}

impl TryFrom<f64> for UserFraction {
    type Error = OutOfRange;
    fn try_from(fraction: f64) -> Result<Self, OutOfRange> {
        Self::new(fraction)
    }
}

impl From<UserFraction> for f64 {
    fn from(fraction: UserFraction) -> f64 {
        fraction.0
    }
}

impl fmt::Display for UserFraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Play answers 0.15000000596 for 0.15; three digits of a percent are enough for a person.
        let percent = (self.0 * 100_000.0).round() / 1000.0;
        write!(f, "{percent} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(ratio: f64) -> Rate {
        Rate::new(ratio).unwrap()
    }

    #[test]
    fn prints_toward_worse_and_never_across_the_objective() {
        let objective = rate(0.9995);
        assert_eq!(rate(0.999_499_1).percent_against(objective), "99.949 %");
        assert_eq!(rate(0.999_499_999_9).percent_against(objective), "99.949 %");
        assert_eq!(rate(0.9995).percent_against(objective), "99.950 %");
        assert_eq!(rate(0.999_500_04).percent_against(objective), "99.950 %");
        assert_eq!(rate(1.0).percent_against(objective), "100.000 %");
        let tightened = rate(1.0 - 0.000_5 * 0.85);
        assert_eq!(tightened.percent_against(tightened), "99.9575 %");
        assert_eq!(rate(0.999_505_4).percent_against(rate(0.999_505)), "99.9505 %");
    }

    #[test]
    fn fractions_hide_the_float_that_play_answers() {
        assert_eq!(UserFraction::new(0.150_000_005_96).unwrap().to_string(), "15 %");
        assert_eq!(UserFraction::EVERYBODY.to_string(), "100 %");
        assert!(UserFraction::new(0.0).is_err() && UserFraction::new(1.01).is_err());
        assert!(UserFraction::new(f64::NAN).is_err() && Rate::new(f64::NAN).is_err());
    }
}
