//! `[slo]`: the objectives, and how they are tested.
//!
//! Objectives are written in percent, as people say them, and the confidence level as a ratio, as statistics does. Each
//! is refused with the likely meaning where the two were mixed up.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::at::{At, Section, own_or, value_or};
use super::error::{Problem, Refused};
use crate::domain::ids::AppId;
use crate::domain::policy::Slo;
use crate::domain::rate::Rate;
use crate::domain::stats::{Confidence, Method};

/// The default objective of sessions, in percent.
const DEFAULT_SESSIONS_PERCENT: f64 = 99.95;
/// The default objective of users, in percent.
const DEFAULT_USERS_PERCENT: f64 = 99.90;
/// The default confidence level, a ratio.
const DEFAULT_CONFIDENCE: f64 = 0.99;
/// The default method.
const DEFAULT_METHOD: Method = Method::Mixture;
/// Percent in one.
const PERCENT: f64 = 100.0;
/// An objective at or below this is a slip of the pen: nobody ships an app of which half the sessions crash.
const LEAST_PERCENT: f64 = 50.0;
/// A confidence level below this proves nothing: it says that the opposite is as likely.
const LEAST_CONFIDENCE: f64 = 0.5;

/// The objectives, and how they are tested.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Slo")]
pub(super) struct RawSlo {
    /// The crash-free sessions rate that a release must not fall below, in percent. Default: 99.95.
    #[schemars(extend("default" = DEFAULT_SESSIONS_PERCENT))]
    crash_free_sessions: Option<At<Objective>>,
    /// The crash-free users rate that a release should not fall below, in percent. It warns and never acts. Default: 99.9.
    #[schemars(extend("default" = DEFAULT_USERS_PERCENT))]
    crash_free_users: Option<At<Objective>>,
    /// The confidence level of every bound, a ratio. Default: 0.99.
    #[schemars(extend("default" = DEFAULT_CONFIDENCE))]
    confidence: Option<At<Level>>,
    /// How bounds are computed. Default: mixture, which stays true however often it is looked at.
    #[schemars(extend("default" = DEFAULT_METHOD.name()))]
    method: Option<At<MethodName>>,
    /// With method wald only: remove the guards that are added to it, to get the article's rule number for number. Default: false.
    #[schemars(extend("default" = false))]
    compat: Option<At<bool>>,
}

/// Whether the guards that `wald` is given here are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guards {
    /// Fewer crashes or sessions than can prove anything decide nothing.
    Kept,
    /// The article's rule, number for number.
    Removed,
}

impl Section for RawSlo {
    fn over(&self, base: &Self) -> Self {
        Self {
            crash_free_sessions: own_or(self.crash_free_sessions.as_ref(), base.crash_free_sessions.as_ref()),
            crash_free_users: own_or(self.crash_free_users.as_ref(), base.crash_free_users.as_ref()),
            confidence: own_or(self.confidence.as_ref(), base.confidence.as_ref()),
            method: own_or(self.method.as_ref(), base.method.as_ref()),
            compat: own_or(self.compat.as_ref(), base.compat.as_ref()),
        }
    }
}

impl RawSlo {
    /// The objectives of an app, and whether its guards are in force.
    pub(super) fn check(&self, app: &AppId) -> Result<(Slo, Guards), Problem> {
        let MethodName(method) = value_or(self.method.as_ref(), MethodName(DEFAULT_METHOD));
        let slo = Slo {
            crash_free_sessions: objective(self.crash_free_sessions.as_ref(), DEFAULT_SESSIONS_PERCENT),
            crash_free_users: objective(self.crash_free_users.as_ref(), DEFAULT_USERS_PERCENT),
            confidence: self.confidence.as_ref().map_or_else(default_confidence, |level| level.get().0),
            method,
        };
        match &self.compat {
            Some(compat) if *compat.get() && method != Method::Wald => Err(Problem::new(
                compat.span(),
                format!(
                    "`compat` in [slo] means something for method wald only, and app `{app}` uses {method}"
                ),
                "write compat = false here, or method = \"wald\"",
            )),
            Some(compat) if *compat.get() => Ok((slo, Guards::Removed)),
            Some(_) | None => Ok((slo, Guards::Kept)),
        }
    }
}

fn objective(given: Option<&At<Objective>>, default_percent: f64) -> Rate {
    let default = || Rate::clipped(ratio(default_percent));
    given.map_or_else(default, |objective| objective.get().0)
}

fn default_confidence() -> Confidence {
    Confidence::new(DEFAULT_CONFIDENCE).expect("the default confidence level lies between 0 and 1")
}

/// The ratio of a percentage. Dividing by 100 would make 0.9990000000000001 of 99.9; reading the decimal with its
/// point moved makes the number that was meant.
fn ratio(percent: f64) -> f64 {
    format!("{percent}e-2").parse().unwrap_or(percent / PERCENT)
}

/// An objective, written in percent.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(with = "f64", inline, extend("exclusiveMinimum" = LEAST_PERCENT, "exclusiveMaximum" = PERCENT))]
struct Objective(Rate);

impl TryFrom<f64> for Objective {
    type Error = Refused;
    fn try_from(percent: f64) -> Result<Self, Refused> {
        if percent > LEAST_PERCENT && percent < PERCENT {
            return Rate::new(ratio(percent)).map(Self).map_err(|_| refused_objective(percent));
        }
        Err(refused_objective(percent))
    }
}

fn refused_objective(percent: f64) -> Refused {
    let meant = |percent: f64| LEAST_PERCENT < percent && percent < PERCENT;
    if meant(percent * PERCENT) && percent < 1.0 {
        let likely = shown(percent * PERCENT);
        return Refused::new(
            format!("is {percent}, which looks like a ratio; objectives are written in percent"),
            format!("write {likely}"),
        );
    }
    for power in [10.0, PERCENT, 1_000.0, 10_000.0] {
        if meant(percent / power) && percent > PERCENT {
            return Refused::new(
                format!("is {percent}, which is more than 100 percent"),
                format!("did you mean {}?", shown(percent / power)),
            );
        }
    }
    let problem = match percent {
        p if p == PERCENT => {
            "is 100, which leaves no error budget: a single crash would halt a release".to_owned()
        }
        p => format!("is {p}, which is no objective in percent"),
    };
    Refused::new(problem, "write a percentage above 50 and below 100, such as 99.95")
}

/// A percentage without the digits that only a multiplication made.
fn shown(percent: f64) -> String {
    const DIGITS: f64 = 1e9;
    ((percent * DIGITS).round() / DIGITS).to_string()
}

/// A confidence level, written as a ratio.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(with = "f64", inline, extend("minimum" = LEAST_CONFIDENCE, "exclusiveMaximum" = 1))]
struct Level(Confidence);

impl TryFrom<f64> for Level {
    type Error = Refused;
    fn try_from(level: f64) -> Result<Self, Refused> {
        if level > LEAST_PERCENT && level < PERCENT {
            return Err(Refused::new(
                format!("is {level}, which looks like a percentage; the confidence level is a ratio"),
                format!("write {}", shown(level / PERCENT)),
            ));
        }
        let in_range = level >= LEAST_CONFIDENCE;
        Confidence::new(level).ok().filter(|_| in_range).map(Self).ok_or_else(|| {
            Refused::new(
                format!("is {level}, which is no confidence level"),
                "write a ratio from 0.5 to below 1, such as 0.99",
            )
        })
    }
}

/// A method by its name.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(super) struct MethodName(pub(super) Method);

impl JsonSchema for MethodName {
    fn schema_name() -> Cow<'static, str> {
        "Method".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "How bounds are formed and decisions are made.",
            "enum": Method::ALL.map(Method::name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(percent: f64) -> String {
        Objective::try_from(percent).unwrap_err().to_string().replace('\n', " / ")
    }

    #[test]
    fn percentages_become_the_ratios_that_were_meant() {
        assert_eq!(ratio(99.95).to_bits(), 0.9995_f64.to_bits());
        assert_eq!(ratio(99.9).to_bits(), 0.999_f64.to_bits());
        assert_eq!(ratio(99.99).to_bits(), 0.9999_f64.to_bits());
    }

    #[test]
    fn an_objective_off_by_a_power_of_ten_is_refused_with_its_likely_meaning() {
        insta::assert_snapshot!(refusal(0.9995), @"is 0.9995, which looks like a ratio; objectives are written in percent / write 99.95");
        insta::assert_snapshot!(refusal(9995.0), @"is 9995, which is more than 100 percent / did you mean 99.95?");
        insta::assert_snapshot!(refusal(99950.0), @"is 99950, which is more than 100 percent / did you mean 99.95?");
        insta::assert_snapshot!(refusal(999.0), @"is 999, which is more than 100 percent / did you mean 99.9?");
        insta::assert_snapshot!(refusal(100.0), @"is 100, which leaves no error budget: a single crash would halt a release / write a percentage above 50 and below 100, such as 99.95");
        insta::assert_snapshot!(refusal(0.0), @"is 0, which is no objective in percent / write a percentage above 50 and below 100, such as 99.95");
        insta::assert_snapshot!(refusal(-99.95), @"is -99.95, which is no objective in percent / write a percentage above 50 and below 100, such as 99.95");
        insta::assert_snapshot!(refusal(f64::NAN), @"is NaN, which is no objective in percent / write a percentage above 50 and below 100, such as 99.95");
        insta::assert_snapshot!(refusal(f64::INFINITY), @"is inf, which is no objective in percent / write a percentage above 50 and below 100, such as 99.95");
    }

    #[test]
    fn every_number_is_judged_and_none_panics() {
        for level in [99.0, 99.9, 1.0, 0.0, 0.3, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Level::try_from(level).is_err(), "{level}");
        }
        assert_eq!(Level::try_from(0.995).unwrap().0.level(), 0.995);
    }
}
