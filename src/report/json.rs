//! The machine output of a job: one document, stable and versioned. Rates are ratios in 0..=1, instants RFC 3339 UTC.

use serde_json::{Value, json};

use crate::domain::cost::bytes_billed;
use crate::domain::judge::{Decision, RuleOutcome};
use crate::domain::rate::{Rate, UserFraction};
use crate::domain::release::Action;
use crate::domain::verdict::Evidence;
use crate::jobs::{Acted, AppReport};

/// Raised when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// The document of a run.
#[must_use]
pub fn document(job: &str, dry_run: bool, reports: &[AppReport]) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION,
        "job": job,
        "dry_run": dry_run,
        "results": reports.iter().map(result).collect::<Vec<_>>(),
    })
}

/// The object of one app.
#[must_use]
pub fn result(report: &AppReport) -> Value {
    let record = report.record.as_ref();
    let facts = record.map(|record| &record.facts);
    let counts = facts.map(|facts| facts.fresh());
    let overall = record.map(|record| {
        let slo = &record.policy.slo;
        Evidence::of_sessions(record.facts.fresh(), slo, slo.method, record.judgement.reason)
    });
    let people = facts.map(|facts| &facts.people);
    json!({
        "app": report.app,
        "platform": report.platform,
        "version": report.version,
        "builds": report.builds,
        "decision": report.decision,
        "decision_id": record.map(|record| &record.id),
        "acted": report.acted == Acted::Yes,
        "reason": report.reason,
        "sessions": counts.map(|counts| counts.sessions),
        "crashed_sessions": counts.map(|counts| counts.crashed_sessions),
        "cfsr": overall.as_ref().and_then(|evidence| evidence.rate),
        "cfsr_lower": overall.as_ref().and_then(|evidence| evidence.lower).map(clipped),
        "cfsr_upper": overall.as_ref().and_then(|evidence| evidence.upper).map(clipped),
        "users": people.map(|people| people.users),
        "crashed_users": people.map(|people| people.crashed_users),
        "cfur": people.and_then(|people| crash_free(people.users, people.crashed_users)),
        "user_fraction": report.user_fraction,
        "next_user_fraction": next_user_fraction(report),
        "data_through": facts.map(|facts| facts.data.through),
        "bytes_billed": record.map(|record| bytes_billed(&record.queries)),
        "rules": record.map(|record| record.judgement.rules.iter().map(rule).collect::<Vec<_>>()).unwrap_or_default(),
        "withheld": report.withheld,
        "problems": report.problems,
        "notices": report.notices,
        "report": report.daily.as_deref().map(super::daily::json),
    })
}

fn rule(outcome: &RuleOutcome) -> Value {
    json!({
        "id": outcome.rule,
        "verdict": outcome.ruling.verdict,
        "mode": outcome.mode,
        "evidence": outcome.ruling.evidence,
    })
}

fn clipped(ratio: f64) -> f64 {
    Rate::clipped(ratio).ratio()
}

fn crash_free(users: u64, crashed: u64) -> Option<f64> {
    (users > 0 && crashed <= users).then(|| (users - crashed) as f64 / users as f64)
}

/// The share of users that the decision asks for, where it asks for another than the present one.
fn next_user_fraction(report: &AppReport) -> Option<UserFraction> {
    let asks = matches!(report.decision, Decision::FastTrack | Decision::Advance | Decision::Complete);
    report.record.as_ref().filter(|_| asks)?.judgement.action.and_then(Action::share)
}
