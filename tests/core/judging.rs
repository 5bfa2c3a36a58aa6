//! What follows from what is known: one behaviour a test.

use jiff::SignedDuration;
use proptest::prelude::*;
use tidegate::domain::counts::Counts;
use tidegate::domain::facts::{AbsentTable, Extent, Side};
use tidegate::domain::judge::{Decision, judge};
use tidegate::domain::policy::{Mode, WarnWhen};
use tidegate::domain::release::{Action, RolloutStatus};
use tidegate::domain::stats::Method;
use tidegate::domain::verdict::{Reason, Verdict};

use crate::support::{at, day_two, facts, judged, policy, record, start};

#[test]
fn halts_when_the_upper_bound_is_below_the_slo() {
    let judgement = judged(&facts(1000, 6, day_two()), day_two());
    assert_eq!((judgement.decision, judgement.action), (Decision::Halt, Some(Action::Halt)));
    assert_eq!(judgement.reason, Reason::UpperBoundBelowObjective);
}

#[test]
fn one_crash_less_does_not_halt() {
    // The decision line of the mixture at 1,000 sessions is 6.
    let judgement = judged(&facts(1000, 5, day_two()), day_two());
    assert_eq!((judgement.decision, judgement.action), (Decision::Warn, None));
}

#[test]
fn an_old_breach_is_still_a_breach() {
    let mut stale = facts(1000, 6, day_two());
    stale.data.newest_session_at = Some(start());
    assert_eq!(judged(&stale, day_two()).decision, Decision::Halt);
}

#[test]
fn fast_tracks_on_day_two_when_the_lower_bound_is_above_the_slo() {
    let judgement = judged(&facts(30_000, 0, day_two()), day_two());
    assert_eq!((judgement.decision, judgement.action), (Decision::FastTrack, Some(Action::FastTrack)));
    assert!(judgement.fast_track_checked);
}

#[test]
fn the_check_comes_on_day_two_and_not_before_24_hours() {
    let early = at("2026-11-17T10:59:00Z"); // Day two in Berlin, 23:59 hours after the start.
    let judgement = judged(&facts(30_000, 0, early), early);
    assert_eq!(judgement.decision, Decision::Hold);
    assert!(!judgement.fast_track_checked, "a check that was not due is not used up");
    let due = at("2026-11-17T11:00:00Z");
    assert_eq!(judged(&facts(30_000, 0, due), due).decision, Decision::FastTrack);
}

#[test]
fn day_two_is_counted_in_the_configured_zone() {
    // Summer time ends on 25 October 2026: 24 hours after midnight it is still day one in Berlin, but not in UTC.
    let mut facts = facts(30_000, 0, at("2026-10-25T22:00:00Z"));
    facts.cycle_start = at("2026-10-24T22:00:00Z");
    let now = at("2026-10-25T22:00:00Z");
    assert_eq!(judged(&facts, now).decision, Decision::Hold);
    let mut utc = policy();
    utc.zone = jiff::tz::TimeZone::UTC;
    assert_eq!(judge(&facts, &utc, now).decision, Decision::FastTrack);
}

#[test]
fn the_check_is_made_once_a_cycle() {
    let mut checked = facts(30_000, 0, day_two());
    checked.fast_track_checked_at = Some(day_two());
    let judgement = judged(&checked, day_two());
    assert_eq!((judgement.decision, judgement.action), (Decision::Hold, None));
    assert_eq!(judgement.rules[1].ruling.evidence.reason, Reason::AlreadyChecked);
}

#[test]
fn what_a_person_has_lowered_is_not_fast_tracked_and_the_check_waits() {
    let mut lowered = facts(30_000, 0, day_two());
    assert_eq!(judged(&lowered, day_two()).decision, Decision::FastTrack);
    lowered.lowered_to = lowered.user_fraction;
    let judgement = judged(&lowered, day_two());
    assert_eq!((judgement.action, judgement.fast_track_checked), (None, false));
    assert_eq!(judgement.rules[1].ruling.evidence.reason, Reason::LoweredByPerson);
}

#[test]
fn a_check_that_proves_nothing_is_used_up() {
    let judgement = judged(&facts(5_000, 0, day_two()), day_two());
    assert_eq!(judgement.action, None);
    assert!(judgement.fast_track_checked);
    assert_eq!(judgement.rules[1].ruling.evidence.reason, Reason::NotProven);
}

#[test]
fn a_check_without_mature_sessions_waits() {
    let mut young = facts(30_000, 0, day_two());
    young.days[0].mature = Counts::default();
    let judgement = judged(&young, day_two());
    assert!(!judgement.fast_track_checked && judgement.action.is_none());
}

#[test]
fn the_check_sees_only_mature_counts() {
    let mut young = facts(30_000, 0, day_two());
    young.days[0].mature = Counts { sessions: 9_000, crashed_sessions: 0 };
    assert_eq!(judged(&young, day_two()).action, None);
}

#[test]
fn the_margin_for_crashes_that_are_never_reported_counts() {
    // 11,000 sessions without a crash prove 99.95 %, but not with 15 % of the crashes unseen.
    let facts = facts(11_000, 0, day_two());
    assert_eq!(judged(&facts, day_two()).action, None);
    let mut bold = policy();
    bold.rules.crash_free_sessions_fast_track.margin = 0.0;
    assert_eq!(judge(&facts, &bold, day_two()).action, Some(Action::FastTrack));
}

#[test]
fn nothing_permissive_comes_of_doubtful_data() {
    let healthy = facts(30_000, 0, day_two());
    type Doubt = (&'static str, fn(&mut tidegate::domain::facts::Facts), Decision);
    let doubts: [Doubt; 6] = [
        ("stale sessions", |f| f.data.newest_session_at = Some(start()), Decision::StaleData),
        (
            "silent crash export",
            |f| f.data.newest_crash_at = Some(day_two() - SignedDuration::from_hours(25)),
            Decision::StaleData,
        ),
        ("no crash ever seen in 25 hours", |f| f.data.newest_crash_at = None, Decision::StaleData),
        (
            "crash table missing",
            |f| {
                f.data.absent.push(AbsentTable {
                    side: Side::Crashes,
                    table: "d.t".into(),
                    extent: Extent::Whole,
                });
            },
            Decision::StaleData,
        ),
        (
            "session table missing",
            |f| {
                f.data.absent.push(AbsentTable {
                    side: Side::Sessions,
                    table: "d.t".into(),
                    extent: Extent::Whole,
                });
            },
            Decision::InsufficientData,
        ),
        (
            "a day missing",
            |f| f.data.missing_days.push(tidegate::domain::calendar::UtcDay::of(start())),
            Decision::StaleData,
        ),
    ];
    for (doubt, change, expected) in doubts {
        let mut facts = healthy.clone();
        change(&mut facts);
        let judgement = judged(&facts, day_two());
        assert_eq!((judgement.decision, judgement.action), (expected, None), "{doubt}");
        assert!(!judgement.fast_track_checked, "{doubt} must not use up the check");
    }
}

#[test]
fn no_sessions_are_insufficient_data() {
    let judgement = judged(&facts(0, 0, day_two()), day_two());
    assert_eq!((judgement.decision, judgement.reason), (Decision::InsufficientData, Reason::NoSessions));
}

#[test]
fn more_crashes_than_sessions_are_refused() {
    let judgement = judged(&facts(10, 11, day_two()), day_two());
    assert_eq!((judgement.decision, judgement.action), (Decision::Error, None));
    assert_eq!(judgement.reason, Reason::MoreCrashesThanSessions);
}

#[test]
fn few_sessions_go_on_and_many_hold() {
    let now = at("2026-11-16T15:00:00Z");
    assert_eq!(judged(&facts(500, 0, now), now).decision, Decision::Continue);
    assert_eq!(judged(&facts(100_000, 20, now), now).decision, Decision::Hold);
}

#[test]
fn a_users_warning_holds_back_a_fast_track() {
    let mut crashing = facts(30_000, 0, day_two());
    crashing.people.crashed_users = 30;
    let judgement = judged(&crashing, day_two());
    assert_eq!((judgement.decision, judgement.action), (Decision::Warn, None));
    assert_eq!(judgement.rule.as_deref(), Some("crash-free-users-warning"));
}

#[test]
fn a_budget_alert_is_information_and_holds_nothing_back() {
    let now = at("2026-11-16T15:00:00Z");
    let judgement = judged(&facts(500_000, 185, now), now);
    assert_eq!(judgement.rules[2].ruling.evidence.reason, Reason::BudgetAlert);
    assert_eq!(judgement.decision, Decision::Hold);
}

#[test]
fn the_straddle_rule_warns_where_the_objective_lies_between_the_bounds() {
    let mut article = policy();
    article.rules.crash_free_sessions_warning.when = WarnWhen::Straddle;
    article.slo.method = Method::Wald;
    let judgement = judge(&facts(10_000, 5, day_two()), &article, day_two());
    assert_eq!((judgement.decision, judgement.reason), (Decision::Warn, Reason::ObjectiveBetweenBounds));
}

#[test]
fn modes_limit_what_a_verdict_may_do() {
    let bad = facts(1000, 20, day_two());
    let with = |mode| {
        let mut policy = policy();
        policy.rules.crash_free_sessions_halt.mode = mode;
        policy.rules.crash_free_sessions_warning.mode = Mode::Off;
        policy.rules.crash_free_users_warning.mode = Mode::Off;
        judge(&bad, &policy, day_two())
    };
    assert_eq!((with(Mode::Warn).decision, with(Mode::Warn).action), (Decision::Warn, None));
    assert_eq!(with(Mode::Observe).action, None);
    assert_eq!(with(Mode::Observe).rules[0].ruling.verdict, Verdict::Halt, "it is still shown");
    assert!(with(Mode::Off).rules.iter().all(|outcome| outcome.rule != "crash-free-sessions-halt"));
}

#[test]
fn a_halted_release_is_never_acted_on() {
    let mut halted = facts(30_000, 0, day_two());
    halted.status = RolloutStatus::Halted;
    assert_eq!(judged(&halted, day_two()).action, None);
    halted.days[0].fresh.crashed_sessions = 1000;
    assert_eq!(judged(&halted, day_two()).action, None);
}

#[test]
fn a_record_holds_after_it_was_stored() {
    let record = record(facts(1000, 6, day_two()), day_two());
    let text = serde_json::to_string(&record).unwrap();
    let read: tidegate::domain::decision::Record = serde_json::from_str(&text).unwrap();
    assert_eq!(read, record);
    assert_eq!(read.judged_again(), read);
    assert_eq!(serde_json::to_string(&read).unwrap(), text, "the same bytes");
}

#[test]
fn a_record_that_was_tampered_with_does_not_hold() {
    let mut record = record(facts(1000, 6, day_two()), day_two());
    record.facts.days[0].fresh.crashed_sessions = 0;
    assert_ne!(record.judged_again(), record);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_input_gives_the_same_decision(sessions in 0u64..2_000_000, crashed in 0u64..2000) {
        let facts = facts(sessions, crashed, day_two());
        prop_assert_eq!(judged(&facts, day_two()), judged(&facts, day_two()));
    }

    #[test]
    fn more_crashes_never_make_a_decision_more_permissive(sessions in 1u64..1_000_000, crashed in 0u64..500, more in 1u64..500) {
        let crashed = crashed.min(sessions);
        let fewer = judged(&facts(sessions, crashed, day_two()), day_two());
        let worse = judged(&facts(sessions, (crashed + more).min(sessions), day_two()), day_two());
        if fewer.action != Some(Action::FastTrack) {
            prop_assert_ne!(worse.action, Some(Action::FastTrack));
        }
        if fewer.action == Some(Action::Halt) {
            prop_assert_eq!(worse.action, Some(Action::Halt));
        }
    }
}
