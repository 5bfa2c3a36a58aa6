//! What the judge is told to care about: the objectives, each rule's settings, and how fresh data must be.
//!
//! A policy is a value. It is stored with every decision, so that the decision can be recomputed after the
//! configuration has changed.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::advance::Plan;
use super::rate::Rate;
use super::stats::{Confidence, Method};

/// The service level objectives and how they are tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    /// The crash-free sessions rate that a release must not fall below.
    pub crash_free_sessions: Rate,
    /// The crash-free users rate that a release should not fall below.
    pub crash_free_users: Rate,
    /// The confidence level of every bound.
    pub confidence: Confidence,
    /// How bounds are computed.
    pub method: Method,
}

impl Slo {
    /// The crash rate at the objective: what statistics compare with.
    #[must_use]
    pub fn crash_rate(&self) -> f64 {
        self.crash_free_sessions.complement()
    }
}

/// What a rule's verdict may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The verdict counts, and the store is asked to follow it.
    #[default]
    Enforce,
    /// The verdict counts at most as a warning; the store is never touched for it.
    Warn,
    /// Judged and shown, without effect.
    Observe,
    /// Not judged.
    Off,
}

/// When the crash-free sessions warning is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WarnWhen {
    /// The evidence for a breach is ten to one (the default; facts on statistics 6.4).
    Evidence,
    /// The objective lies between the bounds (the reference article's rule).
    Straddle,
}

/// Settings of `crash-free-sessions-halt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HaltPolicy {
    /// What the verdict may lead to.
    pub mode: Mode,
    /// Fewer crashed sessions than this never halt; 0 asks for none.
    pub min_crashed_sessions: u64,
}

/// Settings of `crash-free-sessions-fast-track`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FastTrackPolicy {
    /// What the verdict may lead to.
    pub mode: Mode,
    /// How the bound of the one check is computed.
    pub method: Method,
    /// The share of crashes that may never be reported: the objective's crash rate is tightened by it.
    pub margin: f64,
    /// Fewer mature sessions than this are never fast-tracked; 0 asks for none.
    pub min_sessions: u64,
}

/// Settings of `crash-free-sessions-warning`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WarningPolicy {
    /// What the verdict may lead to.
    pub mode: Mode,
    /// When the warning is given.
    pub when: WarnWhen,
    /// The share of the error budget whose use is worth telling.
    pub alert_budget_fraction: f64,
}

/// Settings of `crash-free-users-warning`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsersWarningPolicy {
    /// What the verdict may lead to.
    pub mode: Mode,
}

/// The settings of every rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RulePolicies {
    /// `crash-free-sessions-halt`.
    pub crash_free_sessions_halt: HaltPolicy,
    /// `crash-free-sessions-fast-track`.
    pub crash_free_sessions_fast_track: FastTrackPolicy,
    /// `crash-free-sessions-warning`.
    pub crash_free_sessions_warning: WarningPolicy,
    /// `crash-free-users-warning`.
    pub crash_free_users_warning: UsersWarningPolicy,
}

/// How fresh and complete data must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataPolicy {
    /// Both sides are cut this long before now, because the newest minutes are still arriving.
    pub lag: SignedDuration,
    /// Events older than this are mature: late reports have mostly arrived.
    pub maturity: SignedDuration,
    /// A newest session older than this is stale.
    pub max_age: SignedDuration,
    /// Without a crash report of any version for this long, the export is taken to have stopped.
    pub max_crash_silence: SignedDuration,
}

/// Everything the judge is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The objectives.
    pub slo: Slo,
    /// The rules.
    pub rules: RulePolicies,
    /// The data.
    pub data: DataPolicy,
    /// For so long after a person's resume a halt counts as a warning.
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    pub resume_grace: SignedDuration,
    /// The zone in which rollout days are counted.
    #[serde(with = "jiff::fmt::serde::tz::required")]
    pub zone: TimeZone,
    /// How a staged rollout widens; none where it widens by itself, and in records that are older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Plan>,
}
