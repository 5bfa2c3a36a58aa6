//! The daily report of one app as a message: what a person wants to know on a phone, and no more than that.
//!
//! The page has all of it. Rates round toward worse; what is not known says so. Titles of crashes come from outside: each
//! is put on one line and cut, and every sink escapes it.

use super::{AppPage, Fix, Freshness, Measured, NextStep, Origin, Phased, ReleasePage, Seen, TopCrash};
use crate::domain::keys;
use crate::domain::message::{Figure, Link, Note, NoteKind, Subject, grouped};
use crate::domain::pause_budget::MOST_DAYS;
use crate::domain::plain;
use crate::domain::rate::Rate;
use crate::domain::release::RolloutStatus;
use crate::domain::verdict::Evidence;

/// The longest title of a crash in a message, in characters.
const LONGEST_TITLE: usize = 100;
/// The longest problem in a message, in characters.
const LONGEST_PROBLEM: usize = 200;
/// Bytes in a unit of data over those of the unit below.
const UNIT: f64 = 1000.0;
/// The units in which data is billed.
const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
/// What is said of what is not known.
const UNKNOWN: &str = "not known";

/// The key of the report of an app on a date: every run of that date that wants to tell it makes the same one.
#[must_use]
pub fn key(page: &AppPage) -> String {
    let date = page.date.to_string();
    keys::key("report", &["report", page.app.as_str(), page.platform.as_str(), &date])
}

/// The report as a message.
#[must_use]
pub fn note(page: &AppPage) -> Note {
    let mut lines = Vec::new();
    lines.extend(page.release.iter().flat_map(of_release));
    lines.extend(
        page.unwatched_hours
            .map(|hours| format!("The monitor had not run for {hours} h before this report.")),
    );
    lines.extend(page.problems.iter().map(|problem| {
        format!("Missing something: {}.", plain::cut(&plain::line(problem), LONGEST_PROBLEM))
    }));
    Note {
        kind: NoteKind::DailyReport,
        headline: headline(page),
        lines,
        figures: page.release.as_ref().map(figures).unwrap_or_default(),
        next: format!("Queries have cost {}.", cost(page)),
        topic: page.date.to_string(),
        subject: page.release.as_ref().map(|release| Subject {
            release: release.id.clone(),
            version: release.version.clone(),
            builds: release.builds.clone(),
            decision: release.history.last().map(|look| look.id.clone()),
        }),
        links: Vec::new(),
    }
}

/// The pages of the crashes that the message lists, by their places in it. None where no address is known.
#[must_use]
pub fn crash_links(page: &AppPage) -> Vec<Link> {
    let crashes = page.release.iter().flat_map(|release| (1..).zip(&release.crashes));
    let link = |(place, crash): (usize, &TopCrash)| {
        crash.link.as_ref().map(|link| Link { label: format!("Crash {place}"), url: link.url.clone() })
    };
    crashes.filter_map(link).collect()
}

fn headline(page: &AppPage) -> String {
    let (symbol, word) = NoteKind::DailyReport.symbol_and_word();
    let day = page.date.strftime("%a %-d %b");
    let Some(release) = &page.release else {
        return format!("{symbol} {word} {} ({}), {day}: no release is known", page.platform, page.app);
    };
    let rate = release.cycle.as_ref().map_or_else(
        || "nothing counted yet".to_owned(),
        |cycle| format!("{} crash-free sessions", rate(&cycle.sessions)),
    );
    format!(
        "{symbol} {word} {} {} ({}), {day}: {}, {rate}",
        page.platform,
        release.version,
        page.app,
        standing(release)
    )
}

fn standing(release: &ReleasePage) -> String {
    let share = release.user_fraction.map(|share| format!(" at {share} of users")).unwrap_or_default();
    match release.status {
        RolloutStatus::RollingOut | RolloutStatus::Halted => format!("{}{share}", release.status.as_str()),
        RolloutStatus::Pending | RolloutStatus::Completed => release.status.as_str().to_owned(),
    }
}

fn of_release(release: &ReleasePage) -> Vec<String> {
    let mut lines = vec![
        format!("Last day: {}.", measured(release.last_day.as_ref())),
        format!("Whole cycle: {}.", measured(release.cycle.as_ref())),
    ];
    lines.extend(release.next.as_ref().map(next));
    lines.extend(release.phased.as_ref().map(phased));
    lines.extend(release.fix.as_ref().map(fix));
    lines.extend(crashes(release));
    lines.push(freshness(&release.freshness));
    lines
}

fn measured(measured: Option<&Measured>) -> String {
    let Some(Measured { sessions, users, .. }) = measured else { return UNKNOWN.to_owned() };
    format!(
        "{} crash-free sessions ({} of {} crashed), {} crash-free users",
        rate(sessions),
        grouped(sessions.crashed),
        grouped(sessions.valid),
        rate(users)
    )
}

fn rate(evidence: &Evidence) -> String {
    let shown = |rate| Rate::clipped(rate).percent_against(evidence.objective);
    evidence.rate.map_or_else(|| UNKNOWN.to_owned(), shown)
}

fn next(next: &NextStep) -> String {
    let on = next.on.map(|on| format!(", on {on} at the earliest")).unwrap_or_default();
    let waits = match next.waits_for.as_slice() {
        [] => String::new(),
        waits => format!("; against it: {}", waits.join("; ")),
    };
    format!("Next: {} of users{on}{waits}.", next.to)
}

fn phased(phased: &Phased) -> String {
    let day = phased.day.map_or_else(|| "of unknown day".to_owned(), |day| format!("on day {day} of 7"));
    format!(
        "Phased release {day}; {} of {MOST_DAYS} days of pause used, {} left.",
        phased.paused_days, phased.pause_days_left
    )
}

fn fix(fix: &Fix) -> String {
    format!(
        "Against {}: {} crash-free sessions instead of {}, over as much of its life.",
        fix.before,
        rate(&fix.now.sessions),
        rate(&fix.then.sessions)
    )
}

fn crashes(release: &ReleasePage) -> Vec<String> {
    match (release.crashes.as_slice(), release.warehouse_at) {
        ([], None) => vec!["Top crashes: not known.".to_owned()],
        ([], Some(_)) => vec!["Top crashes: none in this cycle.".to_owned()],
        (crashes, _) => crashes.iter().enumerate().map(|(index, top)| crash(index + 1, top)).collect(),
    }
}

fn crash(place: usize, crash: &TopCrash) -> String {
    let title = plain::cut(&plain::line(&crash.title), LONGEST_TITLE);
    let title = if title.trim().is_empty() { crash.issue.clone() } else { title };
    let seen = match crash.seen {
        Seen::New => "new",
        Seen::Before => "seen before",
    };
    format!(
        "Crash {place}: {title} ({} users, {} events, {seen})",
        grouped(crash.users),
        grouped(crash.events)
    )
}

fn freshness(freshness: &Freshness) -> String {
    let through = freshness
        .through
        .map_or_else(|| UNKNOWN.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
    let from = match freshness.sessions_from {
        Some(Origin::Batch) => ", from tables of finished days and real-time ones",
        Some(Origin::Realtime) => ", from real-time tables alone",
        None => "",
    };
    let absent: Vec<String> =
        freshness.absent.iter().map(|absent| format!(" Table {} is not there.", absent.table)).collect();
    format!("Data up to {through}{from}.{}", absent.concat())
}

fn figures(release: &ReleasePage) -> Vec<Figure> {
    let figure = |label: &str, value: String| Figure { label: label.to_owned(), value };
    let mut figures = Vec::new();
    if let Some(cycle) = &release.cycle {
        figures.push(figure("Crash-free sessions", rate(&cycle.sessions)));
        figures.push(figure("Crash-free users", rate(&cycle.users)));
        figures.push(figure("Sessions", grouped(cycle.sessions.valid)));
    }
    figures.extend(release.user_fraction.map(|share| figure("Users now", share.to_string())));
    figures.extend(release.next.as_ref().map(|next| figure("Users next", next.to.to_string())));
    figures
}

fn cost(page: &AppPage) -> String {
    let budget = page.cost.month_budget.map(|budget| format!(" of {}", bytes(budget))).unwrap_or_default();
    format!(
        "{} in this cycle and {}{budget} this month",
        bytes(page.cost.cycle_bytes),
        bytes(page.cost.month_bytes)
    )
}

fn bytes(count: u64) -> String {
    let steps = UNITS.iter().scan(count as f64, |value, unit| {
        let now = *value;
        *value /= UNIT;
        Some((now, *unit))
    });
    let fitting = steps.clone().find(|(value, _)| *value < UNIT).or_else(|| steps.last());
    match fitting {
        Some((value, unit)) if unit == UNITS[0] => format!("{value} {unit}"),
        Some((value, unit)) => format!("{value:.1} {unit}"),
        None => UNKNOWN.to_owned(),
    }
}
