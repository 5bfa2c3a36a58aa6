//! The output for people: the answer first, then the numbers, then each rule.

use crate::domain::decision::Record;
use crate::domain::judge::RuleOutcome;
use crate::domain::message::grouped;
use crate::domain::rate::Rate;
use crate::domain::verdict::Evidence;
use crate::jobs::{Acted, AppReport};

/// The text of a whole run.
#[must_use]
pub fn text(reports: &[AppReport]) -> String {
    reports.iter().map(report).collect::<Vec<_>>().join("\n")
}

/// The text of one app.
#[must_use]
pub fn report(report: &AppReport) -> String {
    let version = report.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let acted = match (report.acted, report.record.as_ref().and_then(|record| record.judgement.action)) {
        (Acted::Yes, _) => ", done and read back from the store",
        (Acted::No, Some(_)) => ", not done",
        (Acted::No, None) => "",
    };
    let mut lines = vec![format!(
        "{} ({}){version}: {} ({}){acted}",
        report.app,
        report.platform,
        report.decision.as_str().to_uppercase(),
        report.reason
    )];
    lines.extend(report.record.iter().flat_map(evidence));
    lines.extend(report.notices.iter().map(|notice| format!("  note: {notice}")));
    lines.extend(report.withheld.iter().map(|why| format!("  {why}")));
    lines.extend(report.problems.iter().map(|problem| format!("  ! {}", problem.replace('\n', "\n  "))));
    lines.join("\n") + "\n"
}

/// The numbers and rules of a decision.
#[must_use]
pub fn evidence(record: &Record) -> Vec<String> {
    let facts = &record.facts;
    let fraction =
        facts.user_fraction.map(|f| format!("{f} of users")).unwrap_or_else(|| "users not told".to_owned());
    let data = &facts.data;
    let mut lines = vec![
        format!("  rollout {fraction}, counted {} to {}", minute(facts.cycle_start), minute(data.through)),
        format!(
            "  {} sessions, {} crashed; {} users, {} crashed; {} fatal and {} foreground ANR reports",
            grouped(facts.fresh().sessions),
            grouped(facts.fresh().crashed_sessions),
            grouped(facts.people.users),
            grouped(facts.people.crashed_users),
            grouped(facts.fatal_events),
            grouped(facts.foreground_anr_events),
        ),
    ];
    lines.extend(data.absent.iter().map(|absent| format!("  missing table: {}", absent.table)));
    lines.extend(record.judgement.rules.iter().map(rule));
    lines.push(format!("  decision {}", record.id));
    lines
}

fn rule(outcome: &RuleOutcome) -> String {
    let evidence = &outcome.ruling.evidence;
    let observed =
        if outcome.effective == outcome.ruling.verdict { "" } else { " (without effect in its mode)" };
    format!(
        "  {:<32} {:<12} {} ({}){observed}",
        outcome.rule,
        outcome.ruling.verdict.as_str(),
        interval(evidence),
        evidence.reason
    )
}

/// The rate with its bounds, rounded toward worse.
#[must_use]
pub fn interval(evidence: &Evidence) -> String {
    let shown = |ratio: f64| Rate::clipped(ratio).percent_against(evidence.objective);
    match (evidence.rate, evidence.lower, evidence.upper) {
        (Some(rate), Some(lower), Some(upper)) => {
            format!(
                "{} [{} to {}] vs {}",
                shown(rate),
                shown(lower),
                shown(upper),
                shown(evidence.objective.ratio())
            )
        }
        _ => format!("no rate vs {}", shown(evidence.objective.ratio())),
    }
}

/// An instant to the minute.
#[must_use]
pub fn minute(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
