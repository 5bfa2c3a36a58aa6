//! The list of methods. Adding one means one file and one arm in each `match` below.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::confidence::Confidence;
use super::sample::{Bounds, Sample};
use super::{clopper_pearson, mixture, wald, wilson};

/// How bounds are formed and decisions are made. Written in kebab case, such as `clopper-pearson`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The reference article's normal approximation with its rounded z, for comparison.
    Wald,
    /// Score test and its interval, for one look.
    Wilson,
    /// Exact binomial test and its interval, for one look.
    ClopperPearson,
    /// Mixture of likelihood ratios, valid at every look. The default.
    Mixture,
}

impl Method {
    /// Every method, in the order in which they are listed to people.
    pub const ALL: [Self; 4] = [Self::Wald, Self::Wilson, Self::ClopperPearson, Self::Mixture];

    /// The name in configuration and output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wald => "wald",
            Self::Wilson => "wilson",
            Self::ClopperPearson => "clopper-pearson",
            Self::Mixture => "mixture",
        }
    }

    /// Bounds of the crash rate; 0 to 1 without trials. Those of [`Method::Wald`] are not cut.
    pub fn bounds(self, sample: Sample, confidence: Confidence) -> Bounds {
        match self {
            Self::Wald => wald::bounds(sample, confidence),
            Self::Wilson => wilson::bounds(sample, confidence),
            Self::ClopperPearson => clopper_pearson::bounds(sample, confidence),
            Self::Mixture => mixture::bounds(sample, confidence),
        }
    }

    /// The halt decision: the crash rate is above `q0`, so the crash-free rate is below its objective.
    /// False without trials and for a `q0` outside 0..=1.
    pub fn worse_than(self, sample: Sample, q0: f64, confidence: Confidence) -> bool {
        let decide = match self {
            Self::Wald => wald::worse_than,
            Self::Wilson => wilson::worse_than,
            Self::ClopperPearson => clopper_pearson::worse_than,
            Self::Mixture => mixture::worse_than,
        };
        sample.can_be_judged_against(q0) && decide(sample, q0, confidence)
    }

    /// The fast-track decision: the crash rate is below `q0`, so the crash-free rate is above its
    /// objective. False without trials and for a `q0` outside 0..=1.
    pub fn better_than(self, sample: Sample, q0: f64, confidence: Confidence) -> bool {
        let decide = match self {
            Self::Wald => wald::better_than,
            Self::Wilson => wilson::better_than,
            Self::ClopperPearson => clopper_pearson::better_than,
            Self::Mixture => mixture::better_than,
        };
        sample.can_be_judged_against(q0) && decide(sample, q0, confidence)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| UnknownMethod { name: name.to_owned() })
    }
}

/// A name that is not a method's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownMethod {
    /// The name as given.
    pub name: String,
}

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Method::ALL.map(Method::name).join(", ");
        write!(f, "unknown method `{}`: use one of {known}", self.name)
    }
}

impl Error for UnknownMethod {}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error as ValueError, StrDeserializer};

    use super::*;

    #[test]
    fn names_read_back_in_every_form() {
        for method in Method::ALL {
            let name = method.to_string();
            let input: StrDeserializer<'_, ValueError> = name.as_str().into_deserializer();
            assert_eq!(name.parse(), Ok(method));
            assert_eq!(Method::deserialize(input), Ok(method));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "bayes".parse::<Method>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown method `bayes`: use one of wald, wilson, clopper-pearson, mixture"
        );
    }

    #[test]
    fn no_trials_are_undetermined_and_decide_nothing() {
        let (nothing, level) = (Sample::new(0, 0).unwrap(), Confidence::new(0.99).unwrap());
        for method in Method::ALL {
            assert_eq!(method.bounds(nothing, level), Bounds::UNDETERMINED);
            for q0 in [0.0, 5e-4, 1.0] {
                assert!(!method.worse_than(nothing, q0, level), "{method}");
                assert!(!method.better_than(nothing, q0, level), "{method}");
            }
        }
    }

    #[test]
    fn a_limit_that_is_no_rate_decides_nothing() {
        let level = Confidence::new(0.99).unwrap();
        let (none, all) = (Sample::new(9, 0).unwrap(), Sample::new(9, 9).unwrap());
        for method in Method::ALL {
            for q0 in [-0.1, 1.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert!(!method.worse_than(all, q0, level), "{method} {q0}");
                assert!(!method.better_than(none, q0, level), "{method} {q0}");
            }
        }
    }
}
