//! What is expected of a release: how many sessions a decision still needs, and when they come.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tidegate::domain::forecast::{Wait, bytes_at_end, forecast};
use tidegate::domain::policy::Mode;
use tidegate::domain::rules::crash_free_sessions_fast_track as fast_track;
use tidegate::domain::verdict::Reason;

use crate::support::{at, day_two, facts, policy, record, start};

#[test]
fn a_young_release_needs_as_many_sessions_as_could_prove_anything() {
    let now = start() + SignedDuration::from_hours(2);
    let expected = forecast(&record(facts(1_000, 0, now), now), now);
    // The published number for a release without a crash: facts on statistics, 12,704 sessions.
    assert!(matches!(expected.conclusive, Wait::For { sessions: 11_704, until: Some(_) }), "{expected:?}");
    assert_eq!(expected.halt, Wait::OutOfReach, "nothing crashed");
}

#[test]
fn sessions_come_at_the_traffic_of_the_last_day_or_two() {
    let now = start() + SignedDuration::from_mins(130);
    let expected = forecast(&record(facts(1_000, 0, now), now), now);
    // A thousand in the two hours up to ten minutes ago.
    assert_eq!(expected.sessions_per_day.map(f64::round), Some(12_000.0));
    let Wait::For { sessions, until: Some(until) } = expected.conclusive else { panic!("{expected:?}") };
    let hours = sessions as f64 / 500.0;
    let wait = until.duration_since(now - SignedDuration::from_mins(10)).as_secs_f64() / 3_600.0;
    assert!((wait - hours).abs() < 0.001, "{wait} against {hours}");
}

#[test]
fn what_is_decided_waits_for_nothing_and_what_can_not_come_is_said_to_be_out_of_reach() {
    let bad = forecast(&record(facts(1_000, 40, day_two()), day_two()), day_two());
    assert_eq!((bad.halt, bad.conclusive, bad.fast_track), (Wait::Over, Wait::Over, Wait::OutOfReach));
}

#[test]
fn without_traffic_there_is_no_date() {
    let now = start() + SignedDuration::from_mins(20);
    let expected = forecast(&record(facts(3, 0, now), now), now);
    assert_eq!(expected.sessions_per_day, None);
    assert!(matches!(expected.conclusive, Wait::For { until: None, .. }), "{expected:?}");
    let slow = forecast(&record(facts(1, 0, day_two()), day_two()), day_two());
    assert!(matches!(slow.conclusive, Wait::For { until: None, .. }), "a date in decades is none: {slow:?}");
}

#[test]
fn a_check_that_was_made_does_not_come_again() {
    let mut facts = facts(50_000, 0, day_two());
    facts.fast_track_checked_at = Some(day_two());
    let expected = forecast(&record(facts, day_two()), day_two());
    assert_eq!((expected.fast_track, expected.fast_track_check), (Wait::Past, None));
}

#[test]
fn a_fast_track_that_nothing_would_follow_is_not_forecast() {
    let mut lowered = facts(50_000, 0, day_two());
    lowered.lowered_to = lowered.user_fraction;
    assert_eq!(forecast(&record(lowered, day_two()), day_two()).fast_track, Wait::Barred);
    let mut observed = record(facts(50_000, 0, day_two()), day_two());
    observed.policy.rules.crash_free_sessions_fast_track.mode = Mode::Observe;
    assert_eq!(forecast(&observed, day_two()).fast_track, Wait::Barred);
}

#[test]
fn the_cost_goes_on_as_it_has() {
    let after = |hours| bytes_at_end(1_000, start(), start() + SignedDuration::from_hours(hours));
    assert_eq!((after(0), after(24), after(84), after(200)), (None, Some(7_000), Some(2_000), Some(1_000)));
}

proptest! {
    #[test]
    fn the_check_is_due_exactly_when_the_rule_makes_it(hours in 0i64..24 * 400, zone in 0usize..4) {
        let names = ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"];
        let mut policy = policy();
        policy.zone = TimeZone::get(names[zone]).unwrap();
        let begin = at("2026-01-01T00:30:00Z") + SignedDuration::from_hours(hours);
        let reason = |now| {
            let mut facts = facts(50_000, 0, now);
            facts.cycle_start = begin;
            fast_track::judge(&facts, &policy, now).evidence.reason
        };
        let mut young = facts(50_000, 0, begin);
        young.cycle_start = begin;
        let due = fast_track::due_at(&young, &policy).unwrap();
        prop_assert_eq!(reason(due - SignedDuration::from_secs(1)), Reason::BeforeDayTwo);
        prop_assert_ne!(reason(due), Reason::BeforeDayTwo);
    }
}
