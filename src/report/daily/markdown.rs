//! The report as a job summary of GitHub: a table with every number, and a chart of each release.
//!
//! Mermaid's `xychart-beta` has no band and no legend, so lower bound, rate, upper bound and objective are four lines that
//! the caption names; places that do not draw it show its source, so the table carries the numbers anyway. Labels of its
//! axis must differ. What has no room is counted and left out, charts first, so that GitHub shows the rest.
//! Source: <https://mermaid.js.org/syntax/xyChart.html>.

use super::{series, words};
use crate::domain::daily::{AppPage, DailyReport, Look, Measured, ReleasePage};
use crate::domain::message::grouped;
use crate::domain::verdict::Evidence;
use crate::report::escape::markdown;

/// The largest report in bytes; far below what GitHub takes.
const LARGEST: usize = 256 * 1024;
/// Points of a chart: more are not told apart.
const MOST_POINTS: usize = 60;

/// The report in at most `room` bytes.
#[must_use]
pub fn text(report: &DailyReport, room: usize) -> String {
    let room = room.min(LARGEST);
    let mut text = format!("## Release report, {}\n\n", report.at.strftime("%Y-%m-%d %H:%M UTC"));
    text.push_str(
        "| app | version | state | crash-free sessions | band | sessions | offered to | data up to |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    let left_out = |count: usize, what: &str| {
        format!("\n{count} more {what} have no room here; report.json has them.\n")
    };
    let end = left_out(report.apps.len(), "details of apps").len();
    let rows = fit(&mut text, room.saturating_sub(2 * end), report.apps.iter().map(row));
    if rows < report.apps.len() {
        text.push_str(&left_out(report.apps.len() - rows, "apps"));
    }
    let details = report.apps.iter().map(|page| details(page, report));
    let detailed = fit(&mut text, room.saturating_sub(end), details);
    if detailed < report.apps.len() && text.len() + end <= room {
        text.push_str(&left_out(report.apps.len() - detailed, "details of apps"));
    }
    if text.len() > room { String::new() } else { text }
}

/// Adds parts while there is room. Answers how many.
fn fit(text: &mut String, room: usize, parts: impl Iterator<Item = String>) -> usize {
    let mut count = 0;
    for part in parts {
        if text.len() + part.len() > room {
            break;
        }
        text.push_str(&part);
        count += 1;
    }
    count
}

fn row(page: &AppPage) -> String {
    let standing = words::standing(page);
    let release = page.release.as_ref();
    let sessions = release.and_then(|release| release.cycle.as_ref()).map(|cycle| &cycle.sessions);
    let or_unknown = |known: Option<String>| known.unwrap_or_else(|| words::UNKNOWN.to_owned());
    let cells = [
        format!("{} ({})", page.app, page.platform),
        or_unknown(release.map(|release| release.version.to_string())),
        format!("{} {}", standing.symbol, standing.word),
        or_unknown(sessions.map(words::rate)),
        or_unknown(sessions.map(words::band)),
        or_unknown(sessions.map(words::counted)),
        or_unknown(release.and_then(|release| release.user_fraction).map(|share| share.to_string())),
        or_unknown(
            release
                .and_then(|release| release.freshness.through)
                .map(|at| words::short_moment(at, &page.zone)),
        ),
    ];
    line(&cells)
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| markdown(cell)).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn details(page: &AppPage, report: &DailyReport) -> String {
    let mut text = format!(
        "\n### {} ({})\n\n{}\n",
        markdown(page.app.as_str()),
        page.platform,
        markdown(&words::verdict(page))
    );
    if let Some(hours) = page.unwatched_hours {
        text.push_str(&format!("\n> Nobody was watching for {hours} h before this report.\n"));
    }
    page.problems.iter().for_each(|problem| text.push_str(&format!("\n> {}\n", markdown(problem))));
    if let Some(release) = &page.release {
        text.push_str(&chart(page, release));
        text.push_str(&rates(release));
        text.push_str(&crashes(release));
        text.push_str(&facts(page, release, report));
    }
    text.push_str(&format!("\nCost: {}.\n", markdown(&words::cost(page))));
    text
}

/// The chart; empty where nothing was counted.
fn chart(page: &AppPage, release: &ReleasePage) -> String {
    let points = series::thinned(&release.history, MOST_POINTS);
    if points.len() < 2 {
        return String::new();
    }
    let objective = page.slo.crash_free_sessions;
    let (from, to) = series::rate_axis(&points, objective);
    let labels: Vec<String> = unique_labels(&points, page);
    let line = |value: fn(&Look) -> Option<f64>| {
        let values = points.iter().map(|look| percent(value(look).unwrap_or(1.0).clamp(from, to)));
        values.collect::<Vec<_>>().join(", ")
    };
    let flat = vec![percent(objective.ratio()); points.len()].join(", ");
    format!(
        "\n```mermaid\nxychart-beta\n    title \"Crash-free sessions in percent\"\n    x-axis [{}]\n    \
         y-axis \"percent\" {} --> {}\n    line [{}]\n    line [{}]\n    line [{}]\n    line [{flat}]\n```\n\n\
         Lines, in this order: lower bound, rate, upper bound, objective ({}). The axis begins at {} %.\n",
        labels.join(", "),
        percent(from),
        percent(to),
        line(|look| look.lower),
        line(|look| look.rate),
        line(|look| look.upper),
        words::percent(objective.ratio(), objective),
        percent(from),
    )
}

/// A label for each point that no other has: of two at the same minute, the second is numbered.
fn unique_labels(points: &[&Look], page: &AppPage) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for look in points {
        let label = look.at.to_zoned(page.zone.clone()).strftime("%d.%m. %H:%M").to_string();
        let same = labels
            .iter()
            .filter(|known| **known == format!("\"{label}\"") || known.starts_with(&format!("\"{label} (")))
            .count();
        labels.push(if same == 0 { format!("\"{label}\"") } else { format!("\"{label} ({})\"", same + 1) });
    }
    labels
}

fn percent(ratio: f64) -> String {
    format!("{:.4}", ratio * 100.0)
}

fn rates(release: &ReleasePage) -> String {
    let mut text = "\n| rates | crash-free sessions | band | sessions | crash-free users | band | users |\n|---|---|---|---|---|---|---|\n".to_owned();
    let before = release.fix.as_ref().map(|fix| (format!("{} so long", fix.before), Some(&fix.then)));
    let now = release.fix.as_ref().map(|fix| (format!("{} so long", release.version), Some(&fix.now)));
    let stretches = [
        ("last day".to_owned(), release.last_day.as_ref()),
        ("whole cycle".to_owned(), release.cycle.as_ref()),
    ];
    for (name, measured) in stretches.into_iter().chain(before).chain(now) {
        let cells = |side: fn(&Measured) -> &Evidence| match measured.map(side) {
            Some(evidence) => [words::rate(evidence), words::band(evidence), words::counted(evidence)],
            None => [(); 3].map(|()| words::UNKNOWN.to_owned()),
        };
        let of_sides =
            cells(|measured| &measured.sessions).into_iter().chain(cells(|measured| &measured.users));
        text.push_str(&line(&std::iter::once(name).chain(of_sides).collect::<Vec<_>>()));
    }
    text
}

fn crashes(release: &ReleasePage) -> String {
    if release.crashes.is_empty() {
        let known =
            if release.warehouse_at.is_some() { "none of an issue in this cycle" } else { words::UNKNOWN };
        return format!("\nTop crashes: {known}.\n");
    }
    let mut text = "\n| crash | kind | users | events | seen |\n|---|---|---|---|---|\n".to_owned();
    for crash in &release.crashes {
        text.push_str(&line(&[
            format!("{} {}", crash.title, crash.subtitle),
            words::kind(crash.kind).to_owned(),
            grouped(crash.users),
            grouped(crash.events),
            words::seen(crash.seen).to_owned(),
        ]));
    }
    text
}

fn facts(page: &AppPage, release: &ReleasePage, report: &DailyReport) -> String {
    let fresh = &release.freshness;
    let told = |at| words::moment_and_age(at, report.at, &page.zone);
    let mut facts = vec![
        format!("counted up to {}", told(fresh.through)),
        format!("newest session {}", told(fresh.newest_session_at)),
        format!("newest crash {}", told(fresh.newest_crash_at)),
    ];
    facts.extend(release.next.as_ref().map(|next| format!("next: {}", words::next(next))));
    facts.extend(release.phased.as_ref().map(|phased| format!("phased release: {}", words::phased(phased))));
    facts.extend(fresh.absent.iter().map(words::absent));
    let facts: Vec<String> = facts.iter().map(|fact| format!("- {}\n", markdown(fact))).collect();
    format!("\n{}", facts.concat())
}
