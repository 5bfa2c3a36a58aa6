//! `crash-free-sessions-warning`: the objective is in danger, or much of the error budget is gone.
//!
//! By default people are told once the evidence for a breach is ten to one, hours before a halt would be proven
//! (facts on statistics 6.4). `when = "straddle"` gives the reference article's rule instead: the objective lies
//! between the bounds. Apart from that, a budget alert says that half the error budget is very probably used; it is
//! information, not a warning, so it never holds a release.

use jiff::Timestamp;

use crate::domain::facts::Facts;
use crate::domain::policy::{Policy, WarnWhen};
use crate::domain::stats::{Sample, log_evidence_worse};
use crate::domain::verdict::{Evidence, Reason, Ruling, Verdict};

/// The id of the rule.
pub const ID: &str = "crash-free-sessions-warning";

/// Evidence of ten to one for a breach: 0.1-0.2 % of releases at 99.99 % are ever warned about, 4.5 % at 99.95 %.
const WARN_EVIDENCE: f64 = 10.0;
/// Evidence of twenty to one that the set share of the budget is used.
const ALERT_EVIDENCE: f64 = 20.0;

/// Judges the fresh counts.
#[must_use]
pub fn judge(facts: &Facts, policy: &Policy, _now: Timestamp) -> Ruling {
    let counts = facts.fresh();
    let (verdict, reason) = match counts.sample() {
        Err(_) => (Verdict::Inconclusive, Reason::MoreCrashesThanSessions),
        Ok(_) if counts.sessions == 0 => (Verdict::Inconclusive, Reason::NoSessions),
        Ok(sample) => of_sample(sample, policy),
    };
    Ruling { verdict, evidence: Evidence::of_sessions(counts, &policy.slo, policy.slo.method, reason) }
}

fn of_sample(sample: Sample, policy: &Policy) -> (Verdict, Reason) {
    let rule = &policy.rules.crash_free_sessions_warning;
    let crash_rate = policy.slo.crash_rate();
    if let Some(reason) = danger(sample, crash_rate, policy, rule.when) {
        return (Verdict::Warn, reason);
    }
    if log_evidence_worse(sample, crash_rate * rule.alert_budget_fraction) >= ALERT_EVIDENCE.ln() {
        return (Verdict::Hold, Reason::BudgetAlert);
    }
    (Verdict::Inconclusive, Reason::NothingToDo)
}

/// Why a rate with this sample is in danger of missing its objective; shared with the rule on users.
#[must_use]
pub fn danger(sample: Sample, crash_rate: f64, policy: &Policy, when: WarnWhen) -> Option<Reason> {
    match when {
        WarnWhen::Evidence => {
            (log_evidence_worse(sample, crash_rate) >= WARN_EVIDENCE.ln()).then_some(Reason::EvidenceOfBreach)
        }
        WarnWhen::Straddle => {
            let bounds = policy.slo.method.bounds(sample, policy.slo.confidence);
            match (bounds.lower < crash_rate, crash_rate < bounds.upper) {
                (true, true) => Some(Reason::ObjectiveBetweenBounds),
                // Beyond the bounds it is worse, not better; the halt may be off, or ask for more crashes.
                (false, _) => Some(Reason::UpperBoundBelowObjective),
                (true, false) => None,
            }
        }
    }
}
