//! `[rules.<id>]`: what each rule may lead to, and its own settings.
//!
//! With method `wald` the defaults are those of the reference article, plus two guards against deciding on too little:
//! ten crashed sessions to halt, and as many sessions as would hold ten crashes to fast-track. They take its chance to
//! fast-track a release just below the objective from 98.6 % to 0.7 %. `compat = true` removes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, Section, merged, own_or, value_or};
use super::error::Refused;
use super::slo::{Guards, MethodName};
use crate::domain::policy::{
    FastTrackPolicy, HaltPolicy, Mode, RulePolicies, Slo, UsersWarningPolicy, WarnWhen, WarningPolicy,
};
use crate::domain::stats::Method;

/// With `wald`, fewer crashed sessions than this never halt.
const WALD_MIN_CRASHED_SESSIONS: u64 = 10;
/// With `wald`, a fast-track needs as many sessions as would hold this many crashes at the objective.
const WALD_EXPECTED_CRASHES: f64 = 10.0;
/// The share of crashes that may never be reported: without it, 13 % of crashes missing are enough to fast-track a
/// release that only just meets its objective.
const DEFAULT_MARGIN: f64 = 0.15;
/// The share of the error budget whose use is worth telling: half of it.
const DEFAULT_ALERT_BUDGET_FRACTION: f64 = 0.5;
/// Slack for a division such as 10 / (1 - 0.9999), which lands a rounding error above the whole number that is meant.
const ROUNDING_SLACK: f64 = 1e-6;

/// The rules, each by its id.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Rules")]
pub(super) struct RawRules {
    /// Halts a release whose crash-free sessions rate is proven to be below its objective.
    crash_free_sessions_halt: Option<RawHalt>,
    /// Offers a release to everybody, on day two, when its crash-free sessions rate is proven to be above its objective.
    crash_free_sessions_fast_track: Option<RawFastTrack>,
    /// Warns when the crash-free sessions rate is in danger, and tells when much of the error budget is used.
    crash_free_sessions_warning: Option<RawWarning>,
    /// Warns when the crash-free users rate is in danger. It never acts.
    crash_free_users_warning: Option<RawUsersWarning>,
}

/// `crash-free-sessions-halt`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CrashFreeSessionsHalt")]
struct RawHalt {
    /// What the verdict may lead to. Default: enforce.
    #[schemars(extend("default" = Mode::Enforce))]
    mode: Option<At<Mode>>,
    /// Fewer crashed sessions than this never halt; 0 asks for none. Default: 0, and 10 with method wald.
    #[schemars(extend("default" = 0))]
    min_crashed_sessions: Option<At<u32>>,
}

/// `crash-free-sessions-fast-track`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CrashFreeSessionsFastTrack")]
struct RawFastTrack {
    /// What the verdict may lead to. Default: enforce.
    #[schemars(extend("default" = Mode::Enforce))]
    mode: Option<At<Mode>>,
    /// How the bound of the one check is computed. Default: clopper-pearson, and wald with method wald.
    #[schemars(extend("default" = Method::ClopperPearson.name()))]
    method: Option<At<MethodName>>,
    /// The share of crashes that may never be reported, from 0 to below 1: the objective is tightened by it. Default: 0.15, and 0 with method wald.
    #[schemars(extend("default" = DEFAULT_MARGIN))]
    margin: Option<At<Margin>>,
    /// Fewer mature sessions than this are never fast-tracked; 0 asks for none. Default: 0; with method wald ten divided by the allowed crash rate, 20000 at 99.95.
    #[schemars(extend("default" = 0))]
    min_sessions: Option<At<u32>>,
}

/// `crash-free-sessions-warning`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CrashFreeSessionsWarning")]
struct RawWarning {
    /// What the verdict may lead to. Default: enforce.
    #[schemars(extend("default" = Mode::Enforce))]
    mode: Option<At<Mode>>,
    /// When the warning is given. Default: evidence, and straddle with method wald. The warning on users follows it too.
    #[schemars(extend("default" = RawWhen::Evidence))]
    when: Option<At<RawWhen>>,
    /// The share of the error budget whose use is worth telling, above 0 and at most 1. Default: 0.5.
    #[schemars(extend("default" = DEFAULT_ALERT_BUDGET_FRACTION))]
    alert_budget_fraction: Option<At<BudgetFraction>>,
}

/// When the crash-free sessions warning is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "WarnWhen")]
enum RawWhen {
    /// The evidence for a breach is ten to one.
    Evidence,
    /// The objective lies between the bounds.
    Straddle,
}

impl From<RawWhen> for WarnWhen {
    fn from(raw: RawWhen) -> Self {
        match raw {
            RawWhen::Evidence => Self::Evidence,
            RawWhen::Straddle => Self::Straddle,
        }
    }
}

/// `crash-free-users-warning`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CrashFreeUsersWarning")]
struct RawUsersWarning {
    /// What the verdict may lead to. Default: enforce.
    #[schemars(extend("default" = Mode::Enforce))]
    mode: Option<At<Mode>>,
}

impl Section for RawRules {
    fn over(&self, base: &Self) -> Self {
        let (own, base) = (self, base);
        Self {
            crash_free_sessions_halt: both(&own.crash_free_sessions_halt, &base.crash_free_sessions_halt),
            crash_free_sessions_fast_track: both(
                &own.crash_free_sessions_fast_track,
                &base.crash_free_sessions_fast_track,
            ),
            crash_free_sessions_warning: both(
                &own.crash_free_sessions_warning,
                &base.crash_free_sessions_warning,
            ),
            crash_free_users_warning: both(&own.crash_free_users_warning, &base.crash_free_users_warning),
        }
    }
}

fn both<S: Section>(own: &Option<S>, base: &Option<S>) -> Option<S> {
    Some(merged(own.as_ref(), base.as_ref()))
}

impl Section for RawHalt {
    fn over(&self, base: &Self) -> Self {
        Self {
            mode: own_or(self.mode.as_ref(), base.mode.as_ref()),
            min_crashed_sessions: own_or(
                self.min_crashed_sessions.as_ref(),
                base.min_crashed_sessions.as_ref(),
            ),
        }
    }
}

impl Section for RawFastTrack {
    fn over(&self, base: &Self) -> Self {
        Self {
            mode: own_or(self.mode.as_ref(), base.mode.as_ref()),
            method: own_or(self.method.as_ref(), base.method.as_ref()),
            margin: own_or(self.margin.as_ref(), base.margin.as_ref()),
            min_sessions: own_or(self.min_sessions.as_ref(), base.min_sessions.as_ref()),
        }
    }
}

impl Section for RawWarning {
    fn over(&self, base: &Self) -> Self {
        Self {
            mode: own_or(self.mode.as_ref(), base.mode.as_ref()),
            when: own_or(self.when.as_ref(), base.when.as_ref()),
            alert_budget_fraction: own_or(
                self.alert_budget_fraction.as_ref(),
                base.alert_budget_fraction.as_ref(),
            ),
        }
    }
}

impl Section for RawUsersWarning {
    fn over(&self, base: &Self) -> Self {
        Self { mode: own_or(self.mode.as_ref(), base.mode.as_ref()) }
    }
}

impl RawRules {
    /// The settings of every rule, with the defaults that belong to the method.
    pub(super) fn check(&self, slo: &Slo, guards: Guards) -> RulePolicies {
        RulePolicies {
            crash_free_sessions_halt: halt(self.crash_free_sessions_halt.as_ref(), slo, guards),
            crash_free_sessions_fast_track: fast_track(
                self.crash_free_sessions_fast_track.as_ref(),
                slo,
                guards,
            ),
            crash_free_sessions_warning: warning(self.crash_free_sessions_warning.as_ref(), slo),
            crash_free_users_warning: UsersWarningPolicy {
                mode: value_or(
                    self.crash_free_users_warning.as_ref().and_then(|rule| rule.mode.as_ref()),
                    Mode::default(),
                ),
            },
        }
    }
}

fn halt(given: Option<&RawHalt>, slo: &Slo, guards: Guards) -> HaltPolicy {
    let raw = given.cloned().unwrap_or_default();
    let default = match (slo.method, guards) {
        (Method::Wald, Guards::Kept) => WALD_MIN_CRASHED_SESSIONS,
        (Method::Wald, Guards::Removed)
        | (Method::Wilson | Method::ClopperPearson | Method::Mixture, Guards::Kept | Guards::Removed) => 0,
    };
    HaltPolicy {
        mode: value_or(raw.mode.as_ref(), Mode::default()),
        min_crashed_sessions: count_or(raw.min_crashed_sessions.as_ref(), default),
    }
}

fn fast_track(given: Option<&RawFastTrack>, slo: &Slo, guards: Guards) -> FastTrackPolicy {
    let raw = given.cloned().unwrap_or_default();
    let as_the_article = slo.method == Method::Wald;
    let (usual, usual_margin) = match as_the_article {
        true => (Method::Wald, 0.0),
        false => (Method::ClopperPearson, DEFAULT_MARGIN),
    };
    let MethodName(method) = value_or(raw.method.as_ref(), MethodName(usual));
    let needs_guard = as_the_article || method == Method::Wald;
    let least = if needs_guard && guards == Guards::Kept { sessions_of_ten_crashes(slo) } else { 0 };
    FastTrackPolicy {
        mode: value_or(raw.mode.as_ref(), Mode::default()),
        method,
        margin: raw.margin.as_ref().map_or(usual_margin, |margin| margin.get().0),
        min_sessions: count_or(raw.min_sessions.as_ref(), least),
    }
}

fn warning(given: Option<&RawWarning>, slo: &Slo) -> WarningPolicy {
    let raw = given.cloned().unwrap_or_default();
    let usual = if slo.method == Method::Wald { WarnWhen::Straddle } else { WarnWhen::Evidence };
    let share = raw.alert_budget_fraction.as_ref().map(|fraction| fraction.get().0);
    WarningPolicy {
        mode: value_or(raw.mode.as_ref(), Mode::default()),
        when: raw.when.as_ref().map_or(usual, |when| WarnWhen::from(*when.get())),
        alert_budget_fraction: share.unwrap_or(DEFAULT_ALERT_BUDGET_FRACTION),
    }
}

fn count_or(given: Option<&At<u32>>, default: u64) -> u64 {
    given.map_or(default, |count| u64::from(*count.get()))
}

/// The sessions that hold ten crashes at the objective: 20,000 at 99.95 %.
fn sessions_of_ten_crashes(slo: &Slo) -> u64 {
    (WALD_EXPECTED_CRASHES / slo.crash_rate() - ROUNDING_SLACK).ceil() as u64
}

/// A share of crashes that may never be reported.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(with = "f64", inline, extend("minimum" = 0, "exclusiveMaximum" = 1))]
struct Margin(f64);

impl TryFrom<f64> for Margin {
    type Error = Refused;
    fn try_from(share: f64) -> Result<Self, Refused> {
        if (0.0..1.0).contains(&share) {
            return Ok(Self(share));
        }
        Err(Refused::new(
            format!("is {share}, which is no margin"),
            "write a ratio from 0 to below 1, such as 0.15",
        ))
    }
}

/// A share of the error budget.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(with = "f64", inline, extend("exclusiveMinimum" = 0, "maximum" = 1))]
struct BudgetFraction(f64);

impl TryFrom<f64> for BudgetFraction {
    type Error = Refused;
    fn try_from(share: f64) -> Result<Self, Refused> {
        if share > 0.0 && share <= 1.0 {
            return Ok(Self(share));
        }
        Err(Refused::new(
            format!("is {share}, which is no share of the error budget"),
            "write a ratio above 0 and at most 1, such as 0.5",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rate::Rate;
    use crate::domain::stats::Confidence;

    fn slo(method: Method, objective: f64) -> Slo {
        Slo {
            crash_free_sessions: Rate::new(objective).unwrap(),
            crash_free_users: Rate::new(0.999).unwrap(),
            confidence: Confidence::new(0.99).unwrap(),
            method,
        }
    }

    fn rules(method: Method, guards: Guards) -> RulePolicies {
        RawRules::default().check(&slo(method, 0.9995), guards)
    }

    #[test]
    fn wald_brings_its_own_defaults_and_guards() {
        let rules = rules(Method::Wald, Guards::Kept);
        assert_eq!(rules.crash_free_sessions_halt.min_crashed_sessions, 10);
        let fast_track = &rules.crash_free_sessions_fast_track;
        assert_eq!((fast_track.method, fast_track.margin), (Method::Wald, 0.0));
        assert_eq!(fast_track.min_sessions, 20_000);
        assert_eq!(rules.crash_free_sessions_warning.when, WarnWhen::Straddle);
    }

    #[test]
    fn compat_removes_the_guards_of_wald_and_nothing_else() {
        let rules = rules(Method::Wald, Guards::Removed);
        assert_eq!(rules.crash_free_sessions_halt.min_crashed_sessions, 0);
        assert_eq!(rules.crash_free_sessions_fast_track.min_sessions, 0);
        assert_eq!(rules.crash_free_sessions_fast_track.margin, 0.0);
        assert_eq!(rules.crash_free_sessions_warning.when, WarnWhen::Straddle);
    }

    #[test]
    fn the_other_methods_need_no_guards() {
        for method in [Method::Mixture, Method::Wilson, Method::ClopperPearson] {
            let rules = rules(method, Guards::Kept);
            assert_eq!(rules.crash_free_sessions_halt.min_crashed_sessions, 0);
            let fast_track = &rules.crash_free_sessions_fast_track;
            assert_eq!((fast_track.method, fast_track.margin), (Method::ClopperPearson, DEFAULT_MARGIN));
            assert_eq!(fast_track.min_sessions, 0);
            assert_eq!(rules.crash_free_sessions_warning.when, WarnWhen::Evidence);
        }
    }

    #[test]
    fn a_wald_fast_track_is_guarded_under_any_method() {
        let raw: RawRules = toml::from_str("[crash-free-sessions-fast-track]\nmethod = \"wald\"").unwrap();
        let fast_track =
            raw.check(&slo(Method::Mixture, 0.9995), Guards::Kept).crash_free_sessions_fast_track;
        assert_eq!((fast_track.min_sessions, fast_track.margin), (20_000, DEFAULT_MARGIN));
    }

    #[test]
    fn the_guard_on_sessions_is_a_whole_number_at_common_objectives() {
        for (objective, sessions) in [(0.999, 10_000), (0.9995, 20_000), (0.9999, 100_000), (0.99, 1_000)] {
            assert_eq!(sessions_of_ten_crashes(&slo(Method::Wald, objective)), sessions);
        }
    }

    #[test]
    fn every_rule_of_the_program_has_its_settings() {
        let schema = schemars::schema_for!(RawRules);
        let known: Vec<&String> = schema.get("properties").unwrap().as_object().unwrap().keys().collect();
        for rule in crate::domain::rules::ALL {
            assert!(known.iter().any(|key| key.as_str() == rule.id), "{} has no settings", rule.id);
        }
        assert_eq!(known.len(), crate::domain::rules::ALL.len());
    }
}
