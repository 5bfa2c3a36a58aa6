//! Days that turn while a release is watched: midnight in UTC and in a zone, days of 23 and 25 hours, leap days, the turn
//! of a year.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tidegate::domain::calendar::{UtcDay, Window, rollout_day};
use tidegate::domain::counts::{CountedTo, DaySessions, Partials};
use tidegate::domain::sketch::Sketch;
use tidegate::queries::{Export, Table};

use crate::support::at;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// Zones on both sides of UTC, with and without summer time, and one that is a quarter of an hour off.
const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/Los_Angeles",
    "Pacific/Auckland",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
];

/// One session every seven minutes.
fn sessions(cycle: Window) -> Vec<Timestamp> {
    let all = std::iter::successors(Some(cycle.from), |at| Some(*at + SignedDuration::from_mins(7)));
    all.take_while(|at| *at < cycle.to).collect()
}

/// What a reading of a window finds, a row for each UTC day that it touches.
fn read(events: &[Timestamp], window: Window) -> Vec<DaySessions> {
    let of_day = |day: UtcDay| {
        let inside = |at: &&Timestamp| **at >= window.from && **at < window.to && UtcDay::of(**at) == day;
        let sessions = events.iter().filter(inside).count() as u64;
        DaySessions { day, sessions, mature_sessions: 0, users: Sketch::default() }
    };
    window.days().map(of_day).collect()
}

#[test]
fn f69_runs_across_midnight_count_each_session_once() {
    let cycle = Window::new(at("2026-10-23T15:00:00Z"), at("2026-10-27T03:00:00Z"));
    let events = sessions(cycle);
    let mut partials = Partials::default();
    let mut now = cycle.from;
    let mut looks = 0;
    while now < cycle.to {
        // Runs come late, and some not at all.
        now += SignedDuration::from_mins([15, 7, 61, 15, 184][looks % 5]);
        looks += 1;
        let so_far = cycle.until(now);
        let window = partials.incomplete(so_far);
        let to = CountedTo { through: window.to, mature_through: cycle.from };
        partials.take_sessions(&read(&events, window), to);
        let counted: u64 = partials.iter().map(|day| day.fresh.sessions).sum();
        let there = events.iter().filter(|at| **at < so_far.to).count() as u64;
        assert_eq!(counted, there, "at {now}");
        assert!(partials.missing(so_far).is_empty(), "at {now}");
    }
    assert!(looks > 50);
}

#[test]
fn f69_every_instant_of_a_window_lies_in_exactly_one_of_its_dates_in_any_zone() {
    let days =
        ["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2026-12-31T05:00:00Z", "2028-02-28T05:00:00Z"];
    for name in ZONES {
        let zone = zone(name);
        for from in days {
            let window = Window::new(at(from), at(from) + SignedDuration::from_hours(53));
            let dates = window.dates_in(&zone);
            assert!(dates.windows(2).all(|pair| pair[0].tomorrow().unwrap() == pair[1]), "{name}: {dates:?}");
            for event in sessions(window) {
                let date = zone.to_datetime(event).date();
                assert_eq!(dates.iter().filter(|named| **named == date).count(), 1, "{name}: {event}");
            }
            let ends = [window.from, window.to - SignedDuration::from_micros(1)];
            let named = ends.map(|end| zone.to_datetime(end).date());
            assert_eq!([dates[0], dates[dates.len() - 1]], named, "{name}: no date too many");
        }
    }
}

#[test]
fn f69_a_window_that_ends_at_midnight_does_not_touch_the_next_date() {
    for (name, midnight) in [("UTC", "2026-11-19T00:00:00Z"), ("Europe/Berlin", "2026-11-18T23:00:00Z")] {
        let zone = zone(name);
        let until = |to: Timestamp| Window::new(at("2026-11-18T12:00:00Z"), to).dates_in(&zone).len();
        assert_eq!(until(at(midnight)), 1, "{name}");
        assert_eq!(until(at(midnight) + SignedDuration::from_micros(1)), 2, "{name}");
    }
}

#[test]
fn f69_rollout_days_turn_at_midnight_of_the_zone_on_days_of_23_and_25_hours() {
    let berlin = zone("Europe/Berlin");
    // Summer time begins on 29 March 2026 and ends on 25 October 2026.
    for (start, hours) in [("2026-03-28T23:00:00Z", 23), ("2026-10-24T22:00:00Z", 25)] {
        let start = at(start);
        let last = start + SignedDuration::from_hours(hours) - SignedDuration::from_secs(1);
        assert_eq!(rollout_day(start, last, &berlin), 1, "{start}");
        assert_eq!(rollout_day(start, last + SignedDuration::from_secs(1), &berlin), 2, "{start}");
    }
}

/// The names of the daily tables that cover a window.
fn tables(from: &str, to: &str, zone_name: &str) -> Vec<String> {
    let dates = Window::new(at(from), at(to)).dates_in(&zone(zone_name)).into_iter();
    let tables = dates.map(|date| Table::analytics("analytics_1", date, Export::Batch).unwrap());
    tables.map(|table| table.name().to_owned()).collect()
}

#[test]
fn f70_leap_days_have_tables_and_other_years_have_none() {
    let leap = tables("2028-02-28T12:00:00Z", "2028-03-01T12:00:00Z", "UTC");
    assert_eq!(leap, ["events_20280228", "events_20280229", "events_20280301"]);
    for year in ["2027", "2100"] {
        let names = tables(&format!("{year}-02-28T12:00:00Z"), &format!("{year}-03-01T12:00:00Z"), "UTC");
        assert_eq!(names, [format!("events_{year}0228"), format!("events_{year}0301")]);
    }
}

#[test]
fn f70_at_the_turn_of_a_year_the_propertys_own_date_names_the_table() {
    let evening = ["2026-12-31T22:30:00Z", "2026-12-31T23:30:00Z"];
    assert_eq!(tables(evening[0], evening[1], "UTC"), ["events_20261231"]);
    assert_eq!(tables(evening[0], evening[1], "Europe/Berlin"), ["events_20261231", "events_20270101"]);
    assert_eq!(tables(evening[0], evening[1], "America/Los_Angeles"), ["events_20261231"]);
    let morning = ["2027-01-01T07:30:00Z", "2027-01-01T08:30:00Z"];
    assert_eq!(tables(morning[0], morning[1], "America/Los_Angeles"), ["events_20261231", "events_20270101"]);
    assert_eq!(UtcDay::of(at("2026-12-31T23:59:59.999999Z")).plus(1), UtcDay::of(at("2027-01-01T00:00:00Z")));
}
