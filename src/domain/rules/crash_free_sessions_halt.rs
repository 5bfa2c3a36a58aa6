//! `crash-free-sessions-halt`: the upper bound of the crash-free sessions rate lies below the objective.
//!
//! Looked at on every run, over the fresh counts of the whole cycle, so the method must allow repeated looks
//! (`mixture` does). Asks for no freshness: an old breach is still a breach.

use jiff::Timestamp;

use crate::domain::facts::Facts;
use crate::domain::policy::Policy;
use crate::domain::stats::Sample;
use crate::domain::verdict::{Evidence, Reason, Ruling, Verdict};

/// The id of the rule.
pub const ID: &str = "crash-free-sessions-halt";

/// Judges the fresh counts against the objective.
#[must_use]
pub fn judge(facts: &Facts, policy: &Policy, _now: Timestamp) -> Ruling {
    let counts = facts.fresh();
    let (verdict, reason) = match counts.sample() {
        Err(_) => (Verdict::Inconclusive, Reason::MoreCrashesThanSessions),
        Ok(_) if counts.sessions == 0 => (Verdict::Inconclusive, Reason::NoSessions),
        Ok(sample) => of_sample(sample, counts.crashed_sessions, policy),
    };
    Ruling { verdict, evidence: Evidence::of_sessions(counts, &policy.slo, policy.slo.method, reason) }
}

fn of_sample(sample: Sample, crashed_sessions: u64, policy: &Policy) -> (Verdict, Reason) {
    let slo = &policy.slo;
    if slo.method.worse_than(sample, slo.crash_rate(), slo.confidence) {
        let enough = crashed_sessions >= policy.rules.crash_free_sessions_halt.min_crashed_sessions;
        return match enough {
            true => (Verdict::Halt, Reason::UpperBoundBelowObjective),
            false => (Verdict::Inconclusive, Reason::TooFewCrashes),
        };
    }
    match conclusive(sample.trials(), policy) {
        true => (Verdict::Hold, Reason::NothingToDo),
        false => (Verdict::Inconclusive, Reason::TooFewSessions),
    }
}

/// Whether a sample of this size could prove the objective at all, if none of its sessions had crashed.
fn conclusive(sessions: f64, policy: &Policy) -> bool {
    let slo = &policy.slo;
    let nothing_crashed = Sample::new(sessions as u64, 0);
    nothing_crashed.is_ok_and(|sample| slo.method.better_than(sample, slo.crash_rate(), slo.confidence))
}
