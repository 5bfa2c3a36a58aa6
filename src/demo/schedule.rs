//! When the demo looks: the schedule of the example workflow, over one week.
//!
//! Two cron lines, read in the zone of the app: every quarter of an hour from Monday to Wednesday, when most releases
//! are decided, and once an hour from Thursday to Sunday. The minutes avoid the full hour, when schedulers are busiest.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::jobs::JobId;

/// Days that one release cycle is watched.
const DAYS: usize = 7;
/// Hours of a day on the clock.
const HOURS: i8 = 24;
/// Minutes of the looks from Monday to Wednesday: cron `4,19,34,49 * * * 1-3`.
const DENSE_MINUTES: &[i8] = &[4, 19, 34, 49];
/// Minutes of the looks from Thursday to Sunday: cron `11 * * * 0,4-6`.
const SPARSE_MINUTES: &[i8] = &[11];

/// Hours at which the daily jobs are fired: cron `M 12-16 * * *`. The first firing of a date does its work.
const DAILY_HOURS: std::ops::RangeInclusive<i8> = 12..=16;
/// The minute of the report.
const REPORT_MINUTE: i8 = 7;
/// The minute of the next step of a rollout.
const ROLLOUT_MINUTE: i8 = 23;

/// Every firing of the three jobs in the week that begins on `monday`, in order.
#[must_use]
pub fn firings(monday: Date, zone: &TimeZone) -> Vec<(Timestamp, JobId)> {
    let mut firings: Vec<(Timestamp, JobId)> =
        looks(monday, zone).into_iter().map(|at| (at, JobId::ReleaseMonitor)).collect();
    for day in monday.series(Span::new().days(1)).take(DAYS) {
        for (minute, job) in [(REPORT_MINUTE, JobId::StatusReporter), (ROLLOUT_MINUTE, JobId::AndroidRollout)]
        {
            let at = DAILY_HOURS.filter_map(|hour| day.at(hour, minute, 0, 0).to_zoned(zone.clone()).ok());
            firings.extend(at.map(|at| (at.timestamp(), job)));
        }
    }
    firings.sort_by_key(|(at, _)| *at);
    firings
}

/// Every look of the week that begins on `monday`, in order: 384 on an ordinary week.
///
/// On the day when summer time begins there is one hour less to look in. On the day when it ends, the repeated hour is
/// looked at once.
#[must_use]
pub fn looks(monday: Date, zone: &TimeZone) -> Vec<Timestamp> {
    let days = monday.series(Span::new().days(1)).take(DAYS);
    let mut looks: Vec<Timestamp> = days.flat_map(|day| looks_of_day(day, zone)).collect();
    looks.dedup();
    looks
}

fn looks_of_day(day: Date, zone: &TimeZone) -> impl Iterator<Item = Timestamp> {
    let at = move |hour, minute| day.at(hour, minute, 0, 0).to_zoned(zone.clone()).ok();
    let minutes = minutes_of(day.weekday());
    (0..HOURS).flat_map(move |hour| minutes.iter().map(move |minute| (hour, *minute))).filter_map(
        move |(hour, minute)| {
            let zoned = at(hour, minute)?;
            // An instant that a clock change skips is moved on by the zone, and is no look of its own.
            (zoned.hour() == hour).then(|| zoned.timestamp())
        },
    )
}

fn minutes_of(weekday: Weekday) -> &'static [i8] {
    match weekday {
        Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday => DENSE_MINUTES,
        Weekday::Thursday | Weekday::Friday | Weekday::Saturday | Weekday::Sunday => SPARSE_MINUTES,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::date;

    use super::*;

    const CRONS: [&str; 2] = ["4,19,34,49 * * * 1-3", "11 * * * 0,4-6"];

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    /// Whether a cron field such as `*` or `0,4-6` names the number.
    fn names(field: &str, number: i8) -> bool {
        field.split(',').any(|part| match part.split_once('-') {
            Some((low, high)) => (low.parse().unwrap()..=high.parse().unwrap()).contains(&number),
            None => part == "*" || part.parse() == Ok(number),
        })
    }

    /// Every minute of the week that one of the cron lines names.
    fn by_cron(monday: Date, zone: &TimeZone) -> Vec<Timestamp> {
        let end = (monday + Span::new().days(7)).to_zoned(zone.clone()).unwrap();
        let mut minute = monday.to_zoned(zone.clone()).unwrap();
        let mut named = Vec::new();
        while minute < end {
            let weekday = minute.weekday().to_sunday_zero_offset();
            let matches = |cron: &&str| {
                let fields: Vec<&str> = cron.split(' ').collect();
                names(fields[0], minute.minute())
                    && names(fields[1], minute.hour())
                    && names(fields[4], weekday)
            };
            if CRONS.iter().any(matches) {
                named.push(minute.timestamp());
            }
            minute += SignedDuration::from_mins(1);
        }
        named
    }

    #[test]
    fn an_ordinary_week_has_384_looks() {
        let looks = looks(date(2026, 11, 16), &berlin());
        assert_eq!(looks.len(), 384);
        assert_eq!(looks[0].to_string(), "2026-11-15T23:04:00Z");
        assert_eq!(looks[383].to_string(), "2026-11-22T22:11:00Z");
        assert!(looks.is_sorted());
    }

    #[test]
    fn the_looks_are_those_of_the_cron_lines() {
        for zone in [berlin(), TimeZone::UTC] {
            let monday = date(2026, 11, 16);
            assert_eq!(looks(monday, &zone), by_cron(monday, &zone));
        }
    }

    #[test]
    fn the_week_in_which_summer_time_begins_has_one_look_less() {
        let monday = date(2026, 3, 23);
        let looks = looks(monday, &berlin());
        assert_eq!(looks.len(), 383);
        assert_eq!(looks, by_cron(monday, &berlin()));
    }

    #[test]
    fn f68_the_daily_jobs_are_fired_on_every_date_of_weeks_of_any_length() {
        for monday in [date(2026, 11, 16), date(2026, 3, 23), date(2026, 10, 19)] {
            let firings = firings(monday, &berlin());
            assert!(firings.is_sorted_by_key(|(at, _)| *at));
            for job in [JobId::StatusReporter, JobId::AndroidRollout] {
                let fired = firings.iter().filter(|(_, fired)| *fired == job);
                let mut dates: Vec<Date> = fired.map(|(at, _)| at.to_zoned(berlin()).date()).collect();
                assert_eq!(dates.len(), 35);
                dates.dedup();
                assert_eq!(dates.len(), 7);
            }
        }
    }

    #[test]
    fn the_hour_that_is_repeated_is_looked_at_once() {
        assert_eq!(looks(date(2026, 10, 19), &berlin()).len(), 384);
    }
}
