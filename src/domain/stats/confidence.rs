//! The confidence level, and what the methods make of it.
//!
//! A level of 0.99 leaves alpha = 0.01, half of it in each tail: every method may be wrong with at most
//! 0.005 on the halting side and 0.005 on the side that completes.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::normal;

/// Both tails share alpha equally.
const TAILS: f64 = 2.0;

/// A confidence level, a ratio strictly between 0 and 1. Written as a plain number, such as `0.99`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// A level between 0 and 1.
    ///
    /// # Errors
    /// [`ConfidenceOutOfRange`] for 0, 1, anything outside and what is not a number.
    pub fn new(level: f64) -> Result<Self, ConfidenceOutOfRange> {
        if level > 0.0 && level < 1.0 { Ok(Self(level)) } else { Err(ConfidenceOutOfRange { level }) }
    }

    /// The level itself, such as 0.99.
    pub fn level(self) -> f64 {
        self.0
    }

    /// The probability of being wrong, both tails together: one minus the level.
    pub fn alpha(self) -> f64 {
        1.0 - self.0
    }

    /// The probability of being wrong on one side: half of alpha.
    pub fn tail(self) -> f64 {
        self.alpha() / TAILS
    }

    /// Exact quantile of the normal distribution for this level: 2.5758 for 0.99.
    pub fn z(self) -> f64 {
        normal::upper_quantile(self.tail())
    }

    /// Natural logarithm of the e-value that decides, ln(2 / alpha): 5.2983 for 0.99.
    pub fn log_threshold(self) -> f64 {
        (TAILS / self.alpha()).ln()
    }
}

impl TryFrom<f64> for Confidence {
    type Error = ConfidenceOutOfRange;

    fn try_from(level: f64) -> Result<Self, ConfidenceOutOfRange> {
        Self::new(level)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

/// A confidence level that is not strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceOutOfRange {
    /// The level as given.
    pub level: f64,
}

impl fmt::Display for ConfidenceOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level;
        write!(f, "confidence level {level} is not between 0 and 1: write 0.99 for 99 %")
    }
}

impl Error for ConfidenceOutOfRange {}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error as ValueError, F64Deserializer};

    use super::*;

    fn read(level: f64) -> Result<Confidence, ValueError> {
        let input: F64Deserializer<ValueError> = level.into_deserializer();
        Confidence::deserialize(input)
    }

    #[test]
    fn splits_alpha_between_the_tails() {
        let confidence = Confidence::new(0.99).unwrap();
        assert!((confidence.alpha() - 0.01).abs() < 1e-16);
        assert!((confidence.tail() - 0.005).abs() < 1e-16);
        assert!((confidence.log_threshold() - 5.298317366548036).abs() < 1e-14);
    }

    #[test]
    fn refuses_what_is_not_between_zero_and_one() {
        for level in [0.0, 1.0, -0.5, 99.0, f64::NAN, f64::INFINITY] {
            assert!(Confidence::new(level).is_err(), "{level}");
            assert!(read(level).is_err(), "{level}");
        }
        assert_eq!(read(0.95).unwrap().level(), 0.95);
    }

    #[test]
    fn the_least_level_has_a_quantile_of_zero() {
        let confidence = Confidence::new(f64::MIN_POSITIVE).unwrap();
        assert_eq!(confidence.z(), 0.0);
    }
}
