//! The report on a terminal: per app the answer, its numbers, its crashes.

use std::fmt::Write as _;

use super::words;
use crate::domain::daily::{AppPage, DailyReport, Measured, ReleasePage};
use crate::domain::message::grouped;
use crate::report::escape;

/// The report of all apps.
#[must_use]
pub fn text(report: &DailyReport) -> String {
    let pages: Vec<String> = report.apps.iter().map(|page| app(page, report)).collect();
    escape::terminal(&pages.join("\n"))
}

fn app(page: &AppPage, report: &DailyReport) -> String {
    let standing = words::standing(page);
    let version = page.release.as_ref().map(|release| format!(" {}", release.version)).unwrap_or_default();
    let mut lines = vec![
        format!("{} {} ({}){version}: {}", standing.symbol, page.app, page.platform, standing.word),
        words::verdict(page),
    ];
    lines.extend(
        page.unwatched_hours.map(|hours| format!("! nobody was watching for {hours} h before this report")),
    );
    lines.extend(page.problems.iter().map(|problem| format!("! {problem}")));
    lines.extend(page.release.iter().flat_map(|release| of_release(page, release, report)));
    lines.push(format!("{:<22}{}", "cost", words::cost(page)));
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let indent = if index == 0 { "" } else { "  " };
        // Writing to a text never fails.
        let _ = writeln!(text, "{indent}{}", line.replace('\n', " "));
    }
    text
}

fn of_release(page: &AppPage, release: &ReleasePage, report: &DailyReport) -> Vec<String> {
    let row = |name: &str, value: String| format!("{name:<22}{value}");
    let mut lines = Vec::new();
    for (name, measured) in [("last day", &release.last_day), ("whole cycle", &release.cycle)] {
        lines.push(row(&format!("{name} sessions"), of(measured.as_ref(), |measured| &measured.sessions)));
        lines.push(row(&format!("{name} users"), of(measured.as_ref(), |measured| &measured.users)));
    }
    lines.extend(release.next.as_ref().map(|next| row("next", words::next(next))));
    lines.extend(release.phased.as_ref().map(|phased| row("phased release", words::phased(phased))));
    lines.extend(release.fix.as_ref().map(|fix| {
        let change = words::difference(&fix.then.sessions, &fix.now.sessions);
        row("fix", format!("crash-free sessions {change} than {}", fix.before))
    }));
    lines.extend(release.crashes.iter().map(|crash| {
        let (users, events) = (grouped(crash.users), grouped(crash.events));
        row("crash", format!("{} ({users} users, {events} events, {})", crash.title, words::seen(crash.seen)))
    }));
    if release.crashes.is_empty() {
        let known = if release.warehouse_at.is_some() { "none in this cycle" } else { words::UNKNOWN };
        lines.push(row("top crashes", known.to_owned()));
    }
    lines.push(row("data up to", words::moment_and_age(release.freshness.through, report.at, &page.zone)));
    lines.extend(release.freshness.absent.iter().map(|table| row("missing", words::absent(table))));
    lines
}

fn of(measured: Option<&Measured>, side: fn(&Measured) -> &crate::domain::verdict::Evidence) -> String {
    measured.map(side).map_or_else(
        || words::UNKNOWN.to_owned(),
        |evidence| {
            format!(
                "{} crash-free [{}], {}",
                words::rate(evidence),
                words::band(evidence),
                words::counted(evidence)
            )
        },
    )
}
