//! The words of every face: how a release stands, in a word and in a sentence, and how numbers and times are written.
//!
//! Percentages round toward worse and never across an objective. Times are those of the team. No word here is a colour.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::daily::{AppPage, CrashKind, Look, Measured, NextStep, Origin, Phased, ReleasePage, Seen};
use crate::domain::facts::{AbsentTable, Extent, Side};
use crate::domain::judge::Decision;
use crate::domain::message::grouped;
use crate::domain::pause_budget::MOST_DAYS;
use crate::domain::rate::Rate;
use crate::domain::release::RolloutStatus;
use crate::domain::verdict::Evidence;

/// What stands where a number is not known.
pub const UNKNOWN: &str = "not known";
/// Days of a phased release.
pub const PHASED_DAYS: u32 = 7;
/// Below this an age is told in minutes.
const MINUTES_BELOW: i64 = 2;
/// Below this an age is told in hours.
const HOURS_BELOW: i64 = 48;
const HOURS_OF_A_DAY: i64 = 24;
const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
const UNIT: f64 = 1024.0;

/// How much a reader should care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The release was stopped.
    Bad,
    /// Something needs a look.
    Doubt,
    /// The release is with everybody.
    Good,
    /// It goes on as it should.
    Calm,
    /// There is nothing to tell.
    Unknown,
}

/// How a release stands, in a word with its own symbol, so that no colour is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How much a reader should care.
    pub tone: Tone,
    /// A sign of its own shape.
    pub symbol: &'static str,
    /// The word.
    pub word: &'static str,
}

/// How the release of an app stands.
#[must_use]
pub fn standing(page: &AppPage) -> Standing {
    let of = |tone, symbol, word| Standing { tone, symbol, word };
    let Some(release) = &page.release else {
        return of(Tone::Unknown, "○", "Unknown");
    };
    let newest = release.history.last().map(|look| look.decision);
    match (release.status, newest) {
        (RolloutStatus::Halted, _) => of(Tone::Bad, "■", "Halted"),
        (RolloutStatus::Completed, _) => of(Tone::Good, "✓", "Completed"),
        (RolloutStatus::Pending, _) => of(Tone::Unknown, "○", "Pending"),
        (RolloutStatus::RollingOut, Some(Decision::Halt)) => of(Tone::Bad, "■", "Must be halted"),
        (RolloutStatus::RollingOut, Some(Decision::Warn)) => of(Tone::Doubt, "▲", "Warned"),
        (
            RolloutStatus::RollingOut,
            Some(Decision::StaleData | Decision::InsufficientData | Decision::Error),
        ) => of(Tone::Doubt, "?", "Data in doubt"),
        (RolloutStatus::RollingOut, _) => of(Tone::Calm, "▶", "Rolling out"),
    }
}

/// The answer in a sentence or three: what is offered, how the rate compares, what stands against it.
#[must_use]
pub fn verdict(page: &AppPage) -> String {
    let Some(release) = &page.release else {
        return "The store lists no release, or none was looked at yet.".to_owned();
    };
    let mut sentences = vec![offered(release)];
    sentences
        .push(release.cycle.as_ref().map_or_else(|| "No session has been counted yet.".to_owned(), compared));
    let doubted = release.history.last().filter(|_| standing(page).symbol == "?");
    sentences.extend(doubted.map(|look| format!("The newest look could not judge it ({}).", look.reason)));
    sentences.join(" ")
}

fn offered(release: &ReleasePage) -> String {
    let share = release.user_fraction.map(|share| format!("{share} of users"));
    match (release.status, share) {
        (RolloutStatus::Pending, _) => "Not offered to anybody yet.".to_owned(),
        (RolloutStatus::Completed, _) => "Offered to everybody.".to_owned(),
        (RolloutStatus::RollingOut, Some(share)) => format!("Offered to {share}."),
        (RolloutStatus::RollingOut, None) => "Offered to a part of the users.".to_owned(),
        (RolloutStatus::Halted, Some(share)) => format!("Stopped at {share}."),
        (RolloutStatus::Halted, None) => "No longer offered.".to_owned(),
    }
}

fn compared(measured: &Measured) -> String {
    let evidence = &measured.sessions;
    let objective = percent(evidence.objective.ratio(), evidence.objective);
    let (Some(rate), Some(lower), Some(upper)) = (evidence.rate, evidence.lower, evidence.upper) else {
        return "No rate can be formed of what was counted.".to_owned();
    };
    let shown = percent(rate, evidence.objective);
    let against = match evidence.objective.ratio() {
        objective_ratio if upper < objective_ratio => {
            format!("the whole band lies below the objective of {objective}")
        }
        objective_ratio if lower > objective_ratio => {
            format!("the whole band lies above the objective of {objective}")
        }
        _ => format!("the objective of {objective} lies within the band"),
    };
    format!("{shown} of sessions are crash-free; {against}.")
}

/// A rate as a percentage that stays on its own side of the objective.
#[must_use]
pub fn percent(ratio: f64, objective: Rate) -> String {
    Rate::clipped(ratio).percent_against(objective)
}

/// The rate of evidence.
#[must_use]
pub fn rate(evidence: &Evidence) -> String {
    evidence.rate.map_or_else(|| UNKNOWN.to_owned(), |rate| percent(rate, evidence.objective))
}

/// The bounds of evidence.
#[must_use]
pub fn band(evidence: &Evidence) -> String {
    evidence.lower.zip(evidence.upper).map_or_else(
        || UNKNOWN.to_owned(),
        |(lower, upper)| {
            format!("{} to {}", percent(lower, evidence.objective), percent(upper, evidence.objective))
        },
    )
}

/// How many percentage points a fix has won or lost, with a sign and a word.
#[must_use]
pub fn difference(then: &Evidence, now: &Evidence) -> String {
    /// Digits that show a change of one crash in a hundred thousand sessions.
    const DIGITS: usize = 3;
    then.rate.zip(now.rate).map_or_else(
        || UNKNOWN.to_owned(),
        |(then, now)| {
            let points = (now - then) * 100.0;
            let word = if points < 0.0 { "worse" } else { "better" };
            format!("{points:+.DIGITS$} percentage points ({word})")
        },
    )
}

/// What comes next.
#[must_use]
pub fn next(next: &NextStep) -> String {
    let on = next.on.map(|on| format!(" on {} or later", on.strftime("%a %-d %b"))).unwrap_or_default();
    let waits = if next.waits_for.is_empty() {
        String::new()
    } else {
        format!("; waits for: {}", next.waits_for.join(", "))
    };
    format!("{} of users{on}{waits}", next.to)
}

/// Where a phased release stands.
#[must_use]
pub fn phased(phased: &Phased) -> String {
    let day =
        phased.day.map_or_else(|| "day not told".to_owned(), |day| format!("day {day} of {PHASED_DAYS}"));
    format!(
        "{day}; paused {} of {MOST_DAYS} days, {} left",
        days(phased.paused_days),
        days(phased.pause_days_left)
    )
}

fn days(count: i64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

/// What ended the app.
#[must_use]
pub fn kind(kind: CrashKind) -> &'static str {
    match kind {
        CrashKind::Fatal => "crash",
        CrashKind::ForegroundAnr => "foreground ANR",
    }
}

/// Whether a crash is older than the release.
#[must_use]
pub fn seen(seen: Seen) -> &'static str {
    match seen {
        Seen::New => "new",
        Seen::Before => "seen before",
    }
}

/// Which tables were counted.
#[must_use]
pub fn origin(origin: Option<Origin>) -> &'static str {
    match origin {
        Some(Origin::Batch) => "tables of finished days",
        Some(Origin::Realtime) => "real-time tables",
        None => UNKNOWN,
    }
}

/// A table that is not there.
#[must_use]
pub fn absent(absent: &AbsentTable) -> String {
    let side = match absent.side {
        Side::Crashes => "crashes",
        Side::Sessions => "sessions",
    };
    let extent = match absent.extent {
        Extent::Whole => "not there",
        Extent::Part => "partly not there",
    };
    format!("{} ({side}) is {extent}", absent.table)
}

/// Bytes in the unit that leaves up to three digits before the point.
#[must_use]
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = 0;
    while value >= UNIT && unit + 1 < UNITS.len() {
        value /= UNIT;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{count} {name}") } else { format!("{value:.1} {name}") }
}

/// What the queries of an app have cost.
#[must_use]
pub fn cost(page: &AppPage) -> String {
    let cost = &page.cost;
    let of_budget = cost.month_budget.map(|budget| format!(" of {}", bytes(budget))).unwrap_or_default();
    format!("{} in this cycle, {} this month{of_budget}", bytes(cost.cycle_bytes), bytes(cost.month_bytes))
}

/// An instant where the team works, with its weekday.
#[must_use]
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %-d %b %Y, %H:%M").to_string()
}

/// An instant of this year where the team works, for tables.
#[must_use]
pub fn short_moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %-d %b, %H:%M").to_string()
}

/// The name of a zone.
#[must_use]
pub fn zone(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

/// An instant and how long before `now` it was.
#[must_use]
pub fn moment_and_age(at: Option<Timestamp>, now: Timestamp, zone: &TimeZone) -> String {
    at.map_or_else(
        || UNKNOWN.to_owned(),
        |at| format!("{} ({} before)", short_moment(at, zone), age(now.duration_since(at))),
    )
}

fn age(age: SignedDuration) -> String {
    match age.as_hours() {
        hours if hours < MINUTES_BELOW => format!("{} min", age.as_mins().max(0)),
        hours if hours < HOURS_BELOW => format!("{hours} h"),
        hours => format!("{} days", hours / HOURS_OF_A_DAY),
    }
}

/// What was decided at a look, and why.
#[must_use]
pub fn decided(look: &Look) -> String {
    format!("{} ({})", look.decision.as_str(), look.reason)
}

/// Sessions of which some crashed.
#[must_use]
pub fn counted(evidence: &Evidence) -> String {
    format!("{} ({} crashed)", grouped(evidence.valid), grouped(evidence.crashed))
}

/// How many apps stand how: `2 halted, 1 warned`.
#[must_use]
pub fn census(pages: &[AppPage]) -> Vec<(Standing, usize)> {
    let mut counted: Vec<(Standing, usize)> = Vec::new();
    for standing in pages.iter().map(standing) {
        match counted.iter_mut().find(|(known, _)| *known == standing) {
            Some((_, count)) => *count += 1,
            None => counted.push((standing, 1)),
        }
    }
    counted.sort_by_key(|(standing, _)| standing.tone as u8);
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_a_unit() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(20 << 30), "20.0 GiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn ages_are_told_in_the_unit_that_reads_best() {
        let told = |minutes| age(SignedDuration::from_mins(minutes));
        assert_eq!((told(-5), told(119), told(120)), ("0 min".into(), "119 min".into(), "2 h".into()));
        assert_eq!((told(47 * 60), told(48 * 60)), ("47 h".into(), "2 days".into()));
    }
}
