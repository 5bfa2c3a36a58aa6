//! The worst time from a killed run to the run that takes over, by the lease and the schedule of the example workflow:
//! the numbers of docs/state.md.
//!
//! The lease begins with the run, so it is over [`LEASE`] after the run began, however late that was and whenever the run
//! was killed. The first firing of the schedule from then on takes over. The worst kill is one right at the beginning:
//! every later one waits less for the same firing.

use std::ops::Range;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use tidegate::adapters::fail_point::FailPoint;
use tidegate::demo::schedule::looks;
use tidegate::jobs::release_monitor::LEASE;

/// Looks of one week, and those of them from Monday to Wednesday.
const WEEK: usize = 384;
const DENSE: usize = 3 * 24 * 4;
/// How finely runs that begin late are tried.
const STEP: SignedDuration = SignedDuration::from_secs(30);

/// How late runs begin.
#[derive(Clone, Copy)]
enum Begin {
    InTime,
    /// At any time before the next firing.
    Late,
}

/// The looks of a week and of the one after it, so that every look of the first has a next one.
fn two_weeks(monday: Date) -> Vec<Timestamp> {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let next = monday.checked_add(Span::new().days(7)).unwrap();
    [looks(monday, &berlin), looks(next, &berlin)].concat()
}

/// When the work of a killed run that began then is taken over. A lease that has just ended is free.
fn taken_over(looks: &[Timestamp], began: Timestamp) -> Timestamp {
    *looks.iter().find(|look| **look >= began + LEASE).unwrap()
}

/// The longest wait after a run of these looks, in minutes.
fn worst(looks: &[Timestamp], of: Range<usize>, begin: Begin) -> f64 {
    let waits = of.flat_map(|at| {
        let (look, next) = (looks[at], looks[at + 1]);
        let begins = (0..).map(move |steps| look + STEP * steps).take_while(move |began| match begin {
            Begin::InTime => *began == look,
            Begin::Late => *began < next,
        });
        begins.map(|began| taken_over(looks, began).duration_since(began))
    });
    waits.max().unwrap().as_secs_f64() / 60.0
}

#[test]
fn a_killed_run_that_began_in_time_is_taken_over_by_the_next_firing() {
    let looks = two_weeks(date(2026, 11, 16));
    for pair in looks.windows(2).take(WEEK) {
        assert_eq!(taken_over(&looks, pair[0]), pair[1], "the lease of {} is over by then", pair[0]);
    }
}

#[test]
fn a_killed_run_is_taken_over_within_the_times_of_the_documentation() {
    let looks = two_weeks(date(2026, 11, 16));
    let autumn = two_weeks(date(2026, 10, 19));
    let times = [
        ("Monday to Wednesday", worst(&looks, 0..DENSE - 1, Begin::InTime), 15.0),
        ("the last of Wednesday", worst(&looks, DENSE - 1..DENSE, Begin::InTime), 22.0),
        ("Thursday to Sunday", worst(&looks, DENSE..WEEK, Begin::InTime), 60.0),
        ("the last of Sunday", worst(&looks, WEEK - 1..WEEK, Begin::InTime), 53.0),
        // Late by more than 5 minutes, or by more than 50, the lease outlives the next firing: under 25, and under 70.
        ("Monday to Wednesday, begun late", worst(&looks, 0..DENSE - 2, Begin::Late), 24.5),
        ("any day, begun late", worst(&looks, 0..WEEK, Begin::Late), 69.5),
        ("the hour that is repeated when summer time ends", worst(&autumn, 0..WEEK, Begin::InTime), 120.0),
    ];
    let points = FailPoint::ALL.map(FailPoint::as_str).join(", ");
    eprintln!(
        "killed at {points}, as soon as the run has begun: {} min of the lease are left",
        LEASE.as_mins()
    );
    for (when, found, documented) in times {
        eprintln!("{when}: the next run that finds it over begins {found} min after the kill at the latest");
        assert_eq!(found, documented, "{when}");
    }
}
