//! The output for people: the answer first, then the numbers, then each rule.

use jiff::Timestamp;

use crate::domain::decision::Record;
use crate::domain::heartbeat::{Heartbeat, Silence};
use crate::domain::judge::RuleOutcome;
use crate::domain::message::grouped;
use crate::domain::rate::Rate;
use crate::domain::verdict::Evidence;
use crate::jobs::{Acted, AppReport};
use crate::report::daily;

/// The text of a whole run.
#[must_use]
pub fn text(reports: &[AppReport]) -> String {
    reports.iter().map(report).collect::<Vec<_>>().join("\n")
}

/// What holds for the whole run, a line each.
#[must_use]
pub fn notices(notices: &[String]) -> String {
    notices.iter().map(|notice| format!("! {}\n", notice.replace('\n', "\n  "))).collect()
}

/// That nobody was watching for a while.
#[must_use]
pub fn silence(silence: Silence) -> String {
    format!(
        "the monitor has not run for {} h: the last run completed {}\n  fix: look at the schedule if this goes on; \
         GitHub starts runs late, and leaves some out",
        silence.hours(),
        minute(silence.since)
    )
}

/// When a job ran last, on one line.
#[must_use]
pub fn heartbeat(heartbeat: &Heartbeat, now: Timestamp) -> String {
    let Heartbeat { job, run, exit, .. } = heartbeat;
    let completed = heartbeat
        .last_completed
        .map_or_else(|| "never completed".to_owned(), |at| format!("last completed {}", minute(at)));
    let expected = heartbeat.next_expected.map(|at| match now > at {
        true => format!(", overdue since {}", minute(at)),
        false => format!(", next expected by {}", minute(at)),
    });
    let started = minute(heartbeat.last_started);
    format!(
        "{job}: {completed}{} (newest run {run} of {started}, exit {exit})\n",
        expected.unwrap_or_default()
    )
}

/// The releases of an app and what was decided of each, on one line.
#[must_use]
pub fn titles(reports: &[AppReport]) -> String {
    let one = |report: &AppReport| {
        let version = report.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        format!("{}{version}: {}", report.app, report.decision.as_str())
    };
    reports.iter().map(one).collect::<Vec<_>>().join(", ")
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
    lines.extend(
        report.daily.iter().map(|daily| daily::terminal::text(daily).trim_end().replace('\n', "\n  ")),
    );
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
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
