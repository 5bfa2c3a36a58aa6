//! Days: the UTC day that counts are kept by, the rollout day that rules speak of, the dates that Analytics tables
//! are named by.
//!
//! Crashlytics and Sessions timestamps are UTC, so partial counts are kept per UTC day. A rollout day is counted in
//! the configured zone, because people read it. An Analytics table is named by the property's own date. Mixing the
//! three makes false halts shortly after midnight, so each conversion exists once, here.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Seconds in a UTC day; UTC days have no summer time.
const DAY_SECONDS: i64 = 86_400;

/// A UTC day, as the number of days since 1 January 1970. Printed and stored as `2026-11-18`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Date", into = "Date")]
pub struct UtcDay(i64);

impl UtcDay {
    /// The UTC day that holds the instant.
    #[must_use]
    pub fn of(instant: Timestamp) -> Self {
        Self(instant.as_second().div_euclid(DAY_SECONDS))
    }

    /// The day from the number of days since 1970, as queries answer it.
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The first instant of the day.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_second(self.0.saturating_mul(DAY_SECONDS)).unwrap_or(Timestamp::MAX)
    }

    /// The first instant after the day.
    #[must_use]
    pub fn end(self) -> Timestamp {
        self.plus(1).start()
    }

    /// The day that many days later, or earlier where negative.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Every day from this one to the other, both included; empty where the other is earlier.
    pub fn through(self, last: Self) -> impl Iterator<Item = Self> {
        (self.0..=last.0).map(Self)
    }
}

impl From<UtcDay> for Date {
    fn from(day: UtcDay) -> Date {
        TimeZone::UTC.to_datetime(day.start()).date()
    }
}

impl TryFrom<Date> for UtcDay {
    type Error = jiff::Error;
    fn try_from(date: Date) -> Result<Self, jiff::Error> {
        Ok(Self::of(date.to_zoned(TimeZone::UTC)?.timestamp()))
    }
}

impl fmt::Display for UtcDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Date::from(*self).fmt(f)
    }
}

/// A half-open stretch of time: `from` is in it, `to` is not. Both sides of a rate are counted over the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first instant inside.
    pub from: Timestamp,
    /// The first instant outside.
    pub to: Timestamp,
}

impl Window {
    /// A window; where `to` lies before `from` it is empty at `from`.
    #[must_use]
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to: to.max(from) }
    }

    /// Whether nothing can lie inside.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.from >= self.to
    }

    /// The same window, ended at `cut` where that is earlier.
    #[must_use]
    pub fn until(self, cut: Timestamp) -> Self {
        Self::new(self.from, self.to.min(cut))
    }

    /// What lies in both windows; empty where nothing does.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self::new(self.from.max(other.from), self.to.min(other.to))
    }

    /// The last day in `zone` that had ended by `now`. Where summer time begins or ends it has 23 or 25 hours.
    #[must_use]
    pub fn last_whole_day(now: Timestamp, zone: &TimeZone) -> Self {
        let today = zone.to_datetime(now).date();
        let start = |date: Date| date.to_zoned(zone.clone()).map(|start| start.timestamp());
        // Outside of the years that can be written there is no such day.
        let to = start(today).unwrap_or(now);
        let from = today.yesterday().and_then(start).unwrap_or(to);
        Self::new(from, to)
    }

    /// The UTC days that the window touches.
    pub fn days(self) -> impl Iterator<Item = UtcDay> {
        let last = if self.is_empty() { UtcDay::of(self.from) } else { UtcDay::of(last_instant(self.to)) };
        UtcDay::of(self.from).through(last)
    }

    /// The dates in `zone` that the window touches: the suffixes of the Analytics tables that cover it.
    #[must_use]
    pub fn dates_in(self, zone: &TimeZone) -> Vec<Date> {
        let last = zone.to_datetime(last_instant(self.to).max(self.from)).date();
        let first = zone.to_datetime(self.from).date();
        first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last).collect()
    }
}

fn last_instant(to: Timestamp) -> Timestamp {
    to.checked_sub(SignedDuration::from_micros(1)).unwrap_or(to)
}

/// The date of an instant in `zone`.
#[must_use]
pub fn date_in(zone: &TimeZone, at: Timestamp) -> Date {
    zone.to_datetime(at).date()
}

/// Whether a time of day has come on the date of `now` in `zone`. A time that a clock change skips comes when the clock
/// has passed it; one that comes twice has come from its first time on.
#[must_use]
pub fn has_come(time: Time, now: Timestamp, zone: &TimeZone) -> bool {
    let due = date_in(zone, now).to_datetime(time).to_zoned(zone.clone());
    due.is_ok_and(|due| due.timestamp() <= now)
}

/// When what is made once per local date, after a time of day, is made next: `now` where it is due. `made` is the newest date
/// that has it.
#[must_use]
pub fn next_due(time: Time, made: Option<Date>, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let today = date_in(zone, now);
    let date = match made {
        Some(made) if made >= today => made.tomorrow().ok()?,
        _ => today,
    };
    let due = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
    Some(due.timestamp().max(now))
}

/// The rollout day in `zone`: day one is the calendar day on which the rollout started.
#[must_use]
pub fn rollout_day(started_at: Timestamp, now: Timestamp, zone: &TimeZone) -> u32 {
    let first = zone.to_datetime(started_at).date();
    let today = zone.to_datetime(now).date();
    let days = (today - first).get_days();
    u32::try_from(days.saturating_add(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    #[test]
    fn rollout_days_turn_at_local_midnight() {
        let start = at("2026-11-16T22:30:00Z"); // 23:30 in Berlin.
        assert_eq!(rollout_day(start, start, &berlin()), 1);
        assert_eq!(rollout_day(start, at("2026-11-16T23:00:00Z"), &berlin()), 2);
        assert_eq!(rollout_day(start, at("2026-11-16T23:30:00Z"), &TimeZone::UTC), 1);
    }

    #[test]
    fn a_utc_day_touches_two_dates_of_a_property_east_of_greenwich() {
        let day = Window::new(at("2026-11-18T00:00:00Z"), at("2026-11-19T00:00:00Z"));
        let dates: Vec<String> = day.dates_in(&berlin()).iter().map(ToString::to_string).collect();
        assert_eq!(dates, ["2026-11-18", "2026-11-19"]);
        assert_eq!(day.dates_in(&TimeZone::UTC).len(), 1);
    }

    #[test]
    fn the_last_whole_day_is_yesterdays_local_one_on_days_of_any_length() {
        let hours = |now: &str, zone: &TimeZone| {
            let day = Window::last_whole_day(at(now), zone);
            (day.from.to_string(), day.to.duration_since(day.from).as_hours())
        };
        let said = |from: &str, hours: i64| (from.to_owned(), hours);
        assert_eq!(hours("2026-11-18T11:00:00Z", &berlin()), said("2026-11-16T23:00:00Z", 24));
        assert_eq!(hours("2026-03-30T10:00:00Z", &berlin()), said("2026-03-28T23:00:00Z", 23));
        assert_eq!(hours("2026-10-26T11:00:00Z", &berlin()), said("2026-10-24T22:00:00Z", 25));
        assert_eq!(
            hours("2026-10-25T22:59:59Z", &berlin()),
            said("2026-10-23T22:00:00Z", 24),
            "a second to midnight"
        );
        assert_eq!(hours("2026-10-25T23:00:00Z", &berlin()), said("2026-10-24T22:00:00Z", 25), "midnight");
        // There the clocks go forward at midnight, and back to it.
        let (beirut, havana) =
            (TimeZone::get("Asia/Beirut").unwrap(), TimeZone::get("America/Havana").unwrap());
        assert_eq!(hours("2026-03-30T10:00:00Z", &beirut), said("2026-03-28T22:00:00Z", 23));
        assert_eq!(hours("2026-11-02T17:00:00Z", &havana), said("2026-11-01T04:00:00Z", 25));
    }

    #[test]
    fn what_lies_in_two_windows() {
        let window = |from: &str, to: &str| Window::new(at(from), at(to));
        let noon = window("2026-11-18T10:00:00Z", "2026-11-18T14:00:00Z");
        let late = window("2026-11-18T12:00:00Z", "2026-11-18T16:00:00Z");
        assert_eq!(noon.within(late), window("2026-11-18T12:00:00Z", "2026-11-18T14:00:00Z"));
        assert!(noon.within(window("2026-11-18T14:00:00Z", "2026-11-18T16:00:00Z")).is_empty());
    }

    #[test]
    fn the_day_summer_time_ends_has_25_hours_and_two_names_in_utc() {
        let local_day = Window::new(at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z"));
        assert_eq!(local_day.dates_in(&berlin()).len(), 1);
        assert_eq!(local_day.days().count(), 2);
    }

    #[test]
    fn f68_a_time_of_day_comes_once_on_days_of_23_and_25_hours() {
        let time = |hour, minute| Time::constant(hour, minute, 0, 0);
        let came = |hour, minute, now: &str| has_come(time(hour, minute), at(now), &berlin());
        // Summer time begins at 2 o'clock, and half past two is skipped.
        assert!(!came(2, 30, "2027-03-28T00:59:59Z") && came(2, 30, "2027-03-28T01:30:00Z"));
        assert!(!came(12, 0, "2027-03-28T09:59:59Z") && came(12, 0, "2027-03-28T10:00:00Z"));
        // It ends at 3 o'clock, and half past two comes twice.
        assert!(!came(2, 30, "2026-10-25T00:29:59Z") && came(2, 30, "2026-10-25T00:30:00Z"));
        assert!(came(2, 30, "2026-10-25T01:15:00Z"), "a quarter past two for the second time");
        assert!(!came(12, 0, "2026-10-25T10:59:59Z") && came(12, 0, "2026-10-25T11:00:00Z"));
        assert!(!came(12, 0, "2026-10-25T23:00:00Z"), "the next date has its own noon");
    }

    #[test]
    fn what_is_made_once_a_date_is_due_at_its_time_and_at_once_where_it_is_late() {
        let noon = Time::constant(12, 0, 0, 0);
        let next = |made: Option<&str>, now| {
            next_due(noon, made.map(|date| date.parse().unwrap()), at(now), &berlin()).unwrap().to_string()
        };
        assert_eq!(next(None, "2026-11-18T08:00:00Z"), "2026-11-18T11:00:00Z");
        assert_eq!(next(Some("2026-11-17"), "2026-11-18T13:00:00Z"), "2026-11-18T13:00:00Z");
        assert_eq!(next(Some("2026-11-18"), "2026-11-18T13:00:00Z"), "2026-11-19T11:00:00Z");
        // Summer time ends in the night.
        assert_eq!(next(Some("2026-10-24"), "2026-10-24T20:00:00Z"), "2026-10-25T11:00:00Z");
        assert_eq!(next(Some("2026-10-23"), "2026-10-24T02:00:00Z"), "2026-10-24T10:00:00Z");
    }

    #[test]
    fn leap_days_and_new_year_have_names() {
        assert_eq!(UtcDay::of(at("2028-02-29T12:00:00Z")).to_string(), "2028-02-29");
        assert_eq!(UtcDay::of(at("2026-12-31T23:59:59Z")).plus(1).to_string(), "2027-01-01");
    }

    #[test]
    fn a_window_never_runs_backwards() {
        let window = Window::new(at("2026-11-18T10:00:00Z"), at("2026-11-18T09:00:00Z"));
        assert!(window.is_empty());
        assert_eq!(window.days().count(), 1);
    }
}
