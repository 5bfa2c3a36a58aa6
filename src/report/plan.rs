//! What `plan` shows: what happens next to each release, and when. Rough figures for people; nothing acts on them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::human::{interval, minute};
use crate::domain::daily::{AppPage, Cost, NextStep, Phased, ReleasePage};
use crate::domain::forecast::{Forecast, Wait};
use crate::domain::message::grouped;
use crate::domain::pause_budget::MOST_DAYS;
use crate::domain::plain;

/// The longest version or reason that is shown, in characters.
const LONGEST: usize = 200;
/// Bytes of a GiB.
const GIB: f64 = 1_073_741_824.0;

/// What is ahead of an app.
#[derive(Debug, Clone, PartialEq)]
pub struct Ahead {
    /// What is known of it now.
    pub page: AppPage,
    /// What can be expected of its release; none where nothing was decided about it yet.
    pub forecast: Option<Forecast>,
    /// The first instant of its next daily report.
    pub next_report: Option<Timestamp>,
    /// Bytes billed for its cycle when that has lasted a week.
    pub bytes_at_end: Option<u64>,
}

/// The text for people.
#[must_use]
pub fn text(ahead: &Ahead) -> String {
    let page = &ahead.page;
    let mut lines = vec![match &page.release {
        Some(release) => title(page, release),
        None => format!("{} ({}): nothing is remembered of any release", page.app, page.platform),
    }];
    if let Some(release) = &page.release {
        lines.extend(release.cycle.as_ref().map(|cycle| {
            let (sessions, to) = (grouped(cycle.sessions.valid), minute(cycle.window.to));
            format!("  crash-free sessions {}, {sessions} sessions to {to}", interval(&cycle.sessions))
        }));
        lines.extend(ahead.forecast.iter().flat_map(expected));
        lines.extend(release.next.as_ref().map(step));
        lines.extend(release.phased.as_ref().map(phased));
    }
    lines.extend(ahead.next_report.map(|at| {
        let there = at.to_zoned(page.zone.clone());
        format!("  next report: {}", there.strftime("%Y-%m-%d %H:%M %Z"))
    }));
    lines.push(cost(&page.cost, ahead.bytes_at_end));
    lines.extend(page.problems.iter().map(|problem| format!("  ! {}", plain::cut(problem, LONGEST))));
    lines.join("\n") + "\n"
}

fn title(page: &AppPage, release: &ReleasePage) -> String {
    let share = release.user_fraction.map(|share| format!(", {share} of users")).unwrap_or_default();
    let version = plain::cut(release.version.as_str(), LONGEST);
    format!("{} ({}) {version}: {}{share}", page.app, page.platform, release.status.as_str())
}

fn expected(forecast: &Forecast) -> Vec<String> {
    let traffic = match forecast.sessions_per_day {
        Some(sessions) => format!("about {} sessions a day", grouped(sessions.round() as u64)),
        None => "not known yet".to_owned(),
    };
    let check = forecast.fast_track_check.map(|at| format!("; checked once, from {} on", minute(at)));
    vec![
        format!("  traffic: {traffic}"),
        format!("  anything can be proven: {}", wait(&forecast.conclusive)),
        format!("  halt: {}", wait(&forecast.halt)),
        format!("  fast-track: {}{}", wait(&forecast.fast_track), check.unwrap_or_default()),
    ]
}

fn wait(wait: &Wait) -> String {
    match wait {
        Wait::Over => "now".to_owned(),
        Wait::OutOfReach => "out of reach at the present crash rate".to_owned(),
        Wait::Past => "its one check has been made".to_owned(),
        Wait::Barred => {
            "none, whatever the counts: the rule is not enforced, or a person has lowered the share"
                .to_owned()
        }
        Wait::For { sessions, until } => {
            let when = until.map(|at| format!(", about {}", minute(at))).unwrap_or_default();
            format!("in {} more sessions{when}", grouped(*sessions))
        }
    }
}

fn step(next: &NextStep) -> String {
    let on = next.on.map(|date| format!(", not before {date}")).unwrap_or_default();
    let waits: Vec<String> = next.waits_for.iter().map(|why| plain::cut(why, LONGEST)).collect();
    let waits = if waits.is_empty() { String::new() } else { format!("; waits for: {}", waits.join("; ")) };
    format!("  next step: {} of users{on}{waits}", next.to)
}

fn phased(phased: &Phased) -> String {
    let day = phased.day.map(|day| format!("day {day} of 7, ")).unwrap_or_default();
    format!("  phased release: {day}paused {} of {MOST_DAYS} days", phased.paused_days)
}

fn cost(cost: &Cost, at_end: Option<u64>) -> String {
    let end = at_end.map(|bytes| format!(", about {} after a week", gib(bytes))).unwrap_or_default();
    let budget = cost.month_budget.map(|bytes| format!(" of {}", gib(bytes))).unwrap_or_default();
    let (cycle, month) = (gib(cost.cycle_bytes), gib(cost.month_bytes));
    format!("  billed: {cycle} in this cycle{end}; {month}{budget} this month")
}

fn gib(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / GIB)
}

/// The document for machines.
#[must_use]
pub fn document(ahead: &Ahead) -> Value {
    let Ahead { page, forecast, next_report, bytes_at_end } = ahead;
    let release = page.release.as_ref();
    json!({
        "app": page.app,
        "platform": page.platform,
        "version": release.map(|release| &release.version),
        "status": release.map(|release| release.status),
        "user_fraction": release.and_then(|release| release.user_fraction),
        "cycle": release.and_then(|release| release.cycle.as_ref()),
        "forecast": forecast,
        "next_step": release.and_then(|release| release.next.as_ref()),
        "phased": release.and_then(|release| release.phased),
        "next_report": next_report,
        "cost": page.cost,
        "bytes_at_end": bytes_at_end,
        "problems": page.problems,
    })
}
