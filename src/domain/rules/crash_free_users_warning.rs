//! `crash-free-users-warning`: a guardrail on people instead of sessions. It warns and never acts.
//!
//! Users are counted over the whole cycle, by merged sketches: a sum of daily users would count most people several
//! times. The two sides use different ids, so only the ratio of the counts means anything.

use jiff::Timestamp;

use super::crash_free_sessions_warning::danger;
use crate::domain::counts;
use crate::domain::facts::Facts;
use crate::domain::policy::Policy;
use crate::domain::verdict::{Evidence, Reason, Ruling, Verdict};

/// The id of the rule.
pub const ID: &str = "crash-free-users-warning";

/// Judges the people of the cycle against the users' objective.
#[must_use]
pub fn judge(facts: &Facts, policy: &Policy, _now: Timestamp) -> Ruling {
    let (users, crashed) = (facts.people.users, facts.people.crashed_users);
    let objective = policy.slo.crash_free_users;
    let when = policy.rules.crash_free_sessions_warning.when;
    let (verdict, reason) = match counts::sample(users, crashed) {
        Err(_) => (Verdict::Inconclusive, Reason::MoreCrashesThanSessions),
        Ok(_) if users == 0 => (Verdict::Inconclusive, Reason::NoSessions),
        Ok(sample) => match danger(sample, objective.complement(), policy, when) {
            Some(reason) => (Verdict::Warn, reason),
            None => (Verdict::Inconclusive, Reason::NothingToDo),
        },
    };
    let slo = &policy.slo;
    Ruling { verdict, evidence: Evidence::of(users, crashed, objective, slo.method, slo.confidence, reason) }
}
