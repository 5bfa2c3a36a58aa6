//! Leaving sessions unread changes no decision: walks of a release in which every tick is judged twice, once with all
//! counts and once with the sessions that the monitor would have read by then.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tidegate::domain::counts::Counts;
use tidegate::domain::facts::{Facts, Spared};
use tidegate::domain::judge::{Judgement, judge};
use tidegate::domain::looking::{Need, need, need_at_worst};
use tidegate::domain::policy::{Policy, WarnWhen};
use tidegate::domain::stats::Method;

use crate::support::{facts, policy, start};

/// One tick: what the tables hold by then.
#[derive(Debug, Clone)]
struct Tick {
    now: Timestamp,
    sessions: u64,
    users: u64,
    /// Crashes whose sessions have been counted, and those that have arrived besides.
    crashed: u64,
    ahead: u64,
    crashed_users: u64,
    newest_session_at: Timestamp,
    newest_crash_at: Timestamp,
}

impl Tick {
    fn facts(&self) -> Facts {
        let mut facts = facts(self.sessions, self.crashed, self.now);
        facts.people.users = self.users;
        facts.people.crashed_users = self.crashed_users.min(self.crashed);
        facts.data.newest_session_at = Some(self.newest_session_at);
        facts.data.newest_crash_at = Some(self.newest_crash_at);
        // The one check has been made, or the second day has not come: what is due is always read.
        facts.fast_track_checked_at = Some(start());
        facts
    }

    fn crashes(&self) -> Spared {
        let crashed = self.crashed + self.ahead;
        Spared { crashed_sessions_at_most: crashed, crashed_users_at_most: self.crashed_users.min(crashed) }
    }
}

/// What a person and a store would notice of a judgement.
fn effect(judgement: &Judgement) -> impl PartialEq + std::fmt::Debug {
    let rules: Vec<_> = judgement
        .rules
        .iter()
        .map(|o| (o.rule.clone(), o.ruling.verdict, o.ruling.evidence.reason))
        .collect();
    (judgement.decision, judgement.reason, judgement.action, rules)
}

/// Walks a release and compares; answers how many ticks were spared.
fn walk(ticks: &[Tick], policy: &Policy) -> usize {
    let mut known: Option<Facts> = None;
    let mut spared = 0;
    for tick in ticks {
        let truth = judge(&tick.facts(), policy, tick.now);
        let mut older = known.clone().unwrap_or_else(|| tick.facts());
        older.data.newest_crash_at = Some(tick.newest_crash_at);
        let needs = known.is_none()
            || need(&judge(&older, policy, tick.now)) != Need::Nothing
            || need_at_worst(&older, tick.crashes(), policy, tick.now) == Need::Everything;
        if needs {
            known = Some(tick.facts());
        } else {
            spared += 1;
            assert_eq!(effect(&judge(&older, policy, tick.now)), effect(&truth), "at {}: {tick:?}", tick.now);
        }
    }
    spared
}

/// Ticks of a quarter of an hour over two days, of a release with this crash rate and traffic.
fn release() -> impl Strategy<Value = Vec<Tick>> {
    let rate = prop_oneof![Just(0.0), 0.0001..0.0004, 0.0004..0.0006, 0.0006..0.01];
    let step = (0u64..4_000, 0u32..1_000, 0u32..100, 0i64..130);
    (rate, prop::collection::vec(step, 190)).prop_map(|(rate, steps)| {
        let (mut sessions, mut expected, mut crashed) = (0u64, 0.0, 0u64);
        let tick = |(index, (more, luck, burst, age)): (usize, (u64, u32, u32, i64))| {
            let now = start() + SignedDuration::from_mins(15) * (i32::try_from(index).unwrap() + 1);
            sessions += more;
            expected += more as f64 * rate * (f64::from(luck) / 500.0);
            // Now and then a burst of crashes arrives.
            expected += if burst == 0 { 20.0 } else { 0.0 };
            crashed = (expected as u64).min(sessions);
            Tick {
                now,
                sessions,
                users: sessions / 2,
                crashed,
                ahead: u64::from(burst % 5),
                crashed_users: crashed,
                newest_session_at: now - SignedDuration::from_mins(11 + age.saturating_sub(60).max(0)),
                newest_crash_at: now - SignedDuration::from_mins(age),
            }
        };
        steps.into_iter().enumerate().map(tick).collect()
    })
}

fn methods() -> impl Strategy<Value = Policy> {
    let method = prop_oneof![
        Just(Method::Mixture),
        Just(Method::Wald),
        Just(Method::Wilson),
        Just(Method::ClopperPearson)
    ];
    let when = prop_oneof![Just(WarnWhen::Evidence), Just(WarnWhen::Straddle)];
    (method, when, 0u64..12).prop_map(|(method, when, least)| {
        let mut policy = policy();
        policy.slo.method = method;
        policy.rules.crash_free_sessions_warning.when = when;
        policy.rules.crash_free_sessions_halt.min_crashed_sessions = least;
        policy
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn leaving_sessions_unread_changes_no_decision(ticks in release(), policy in methods()) {
        walk(&ticks, &policy);
    }
}

#[test]
fn a_healthy_release_is_read_a_few_times_a_day() {
    let ticks: Vec<Tick> = (1..=190)
        .map(|index: i32| {
            let now = start() + SignedDuration::from_mins(15) * index;
            let sessions = 5_000 * u64::try_from(index).unwrap();
            let newest = now - SignedDuration::from_mins(11);
            let crashed = sessions / 20_000;
            Tick {
                now,
                sessions,
                users: sessions / 2,
                crashed,
                ahead: 0,
                crashed_users: crashed,
                newest_session_at: newest,
                newest_crash_at: newest,
            }
        })
        .collect();
    let spared = walk(&ticks, &policy());
    assert!(spared * 10 >= ticks.len() * 8, "only {spared} of {} looks were spared", ticks.len());
}

#[test]
fn counts_that_are_too_few_to_judge_are_read() {
    let now = start() + SignedDuration::from_hours(2);
    assert_eq!(need(&judge(&facts(500, 0, now), &policy(), now)), Need::Everything);
    let few = Counts { sessions: 50_000, crashed_sessions: 3 };
    let enough = facts(few.sessions, few.crashed_sessions, now);
    assert_eq!(need(&judge(&enough, &policy(), now)), Need::Nothing);
}
