//! The steps of a rollout: which one comes next and what stands against it, and walks of weeks in which cron, people and
//! clock changes do as they like.

use jiff::civil::{Time, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tidegate::domain::advance::{Dates, DayOfWeek, Plan, ShareFacts, Step, is_hotfix, next, stuck};
use tidegate::domain::calendar::{date_in, has_come};
use tidegate::domain::counts::Counts;
use tidegate::domain::facts::{AbsentTable, Extent, Facts, Side, Spared};
use tidegate::domain::ids::{AppId, BuildNumber, Platform, VersionName};
use tidegate::domain::judge::{Decision, judge};
use tidegate::domain::outbox::step_intent_key;
use tidegate::domain::policy::{Mode, Policy};
use tidegate::domain::rate::UserFraction;
use tidegate::domain::release::{Action, Change, Release, ReleaseId, ReleaseState, RolloutStatus};
use tidegate::domain::rollout::{self, NextStep, next_step};
use tidegate::domain::verdict::Reason;

use crate::support::{at, facts, policy, start};

fn share(share: f64) -> UserFraction {
    UserFraction::new(share).unwrap()
}

fn plan() -> Plan {
    Plan {
        steps: [0.15, 0.75, 1.0].map(share).to_vec(),
        min_sessions: 1_000,
        not_before: Time::constant(12, 0, 0, 0),
        quiet_days: Vec::new(),
        quiet_dates: Vec::new(),
        stuck_after_days: 3,
    }
}

fn planned(zone: &str, plan: Plan) -> Policy {
    let mut policy = policy();
    policy.zone = TimeZone::get(zone).unwrap();
    policy.rules.crash_free_sessions_fast_track.mode = Mode::Off;
    policy.rollout = Some(plan);
    policy
}

/// Tuesday, one in the afternoon in Berlin, the day after the start.
const TUESDAY: &str = "2026-11-17T12:00:00Z";

/// A release that may take its step.
fn ready(fraction: f64) -> Facts {
    let history = ShareFacts { since: start(), lowered_to: None, taken_over: None };
    Facts { user_fraction: Some(share(fraction)), share: Some(history), ..facts(20_000, 0, at(TUESDAY)) }
}

/// What the judge answers on that Tuesday.
fn answer(facts: &Facts) -> (Decision, Reason, Option<Action>) {
    let judged = judge(facts, &planned("Europe/Berlin", plan()), at(TUESDAY));
    (judged.decision, judged.reason, judged.action)
}

#[test]
fn each_share_has_its_next_step() {
    for (from, to) in
        [(0.01, 0.15), (0.15, 0.75), (0.150_000_005_960_464_48, 0.75), (0.3, 0.75), (0.75, 1.0), (0.999, 1.0)]
    {
        let expected = if to < 1.0 { Decision::Advance } else { Decision::Complete };
        let raise = Action::Raise { from: share(from), to: share(to) };
        assert_eq!(answer(&ready(from)), (expected, Reason::StepAllowed, Some(raise)), "from {from}");
    }
    assert_eq!(answer(&ready(0.999_999_9)).1, Reason::NothingToDo, "it is everybody for a store");
}

#[test]
fn without_a_question_the_judge_says_nothing_of_steps() {
    let asked = ready(0.15);
    let unasked = Facts { share: None, ..asked };
    let (decision, _, action) = answer(&unasked);
    assert_eq!((decision, action), (Decision::Hold, None));
}

#[test]
fn too_few_sessions_for_a_proof_are_enough_for_a_step_where_the_plan_says_so() {
    let counts = Counts { sessions: 1_000, crashed_sessions: 0 };
    let mut few = ready(0.15);
    (few.days[0].fresh, few.days[0].mature) = (counts, counts);
    assert_eq!(answer(&few).0, Decision::Advance);
    few.days[0].mature.sessions = 999;
    assert_eq!(answer(&few), (Decision::Continue, Reason::TooFewSessions, None));
}

#[test]
fn a_rate_below_the_objective_is_no_reason_to_go_on() {
    for (fresh, mature) in [(11, 0), (11, 11)] {
        let mut facts = ready(0.15);
        facts.days[0].fresh.crashed_sessions = fresh;
        facts.days[0].mature.crashed_sessions = mature;
        let (decision, reason, action) = answer(&facts);
        assert!(matches!(decision, Decision::Hold | Decision::Continue), "{decision:?}");
        assert_eq!((reason, action), (Reason::BelowObjective, None));
    }
}

#[test]
fn whatever_objects_keeps_the_share() {
    type Spoil = fn(&mut Facts);
    let spoils: [(&str, Spoil, Decision); 11] = [
        ("a halt", |facts| facts.days[0].fresh.crashed_sessions = 200, Decision::Halt),
        ("users", |facts| facts.people.crashed_users = 60, Decision::Warn),
        ("stale sessions", |facts| facts.data.newest_session_at = None, Decision::StaleData),
        ("no crash for a day", |facts| facts.data.newest_crash_at = Some(start()), Decision::StaleData),
        ("revised counts", |facts| facts.data.revised = true, Decision::StaleData),
        ("a wrong clock", |facts| facts.data.clock_off_seconds = Some(400), Decision::StaleData),
        ("no sessions", |facts| facts.days.clear(), Decision::InsufficientData),
        ("absurd counts", |facts| facts.fatal_events = 10_000_000, Decision::Error),
        (
            "a missing table",
            |facts| {
                let (side, table) = (Side::Crashes, "t".to_owned());
                facts.data.absent.push(AbsentTable { side, table, extent: Extent::Whole });
            },
            Decision::StaleData,
        ),
        (
            "crashes that lag",
            |facts| facts.data.newest_crash_at = Some(at(TUESDAY) - SignedDuration::from_hours(3)),
            Decision::Hold,
        ),
        (
            "sessions that were not read",
            |facts| {
                let (crashed_sessions_at_most, crashed_users_at_most) = (0, 0);
                facts.data.spared = Some(Spared { crashed_sessions_at_most, crashed_users_at_most });
            },
            Decision::Hold,
        ),
    ];
    for (name, spoil, expected) in spoils {
        let mut facts = ready(0.15);
        spoil(&mut facts);
        let (decision, reason, action) = answer(&facts);
        assert_eq!(decision, expected, "{name}: {reason}");
        assert!(!matches!(action, Some(Action::Raise { .. })), "{name}");
    }
}

#[test]
fn a_rule_that_says_everybody_is_not_held_back_to_a_step() {
    let mut policy = planned("Europe/Berlin", plan());
    policy.rules.crash_free_sessions_fast_track.mode = Mode::Enforce;
    let judged = judge(&ready(0.15), &policy, at(TUESDAY));
    assert_eq!((judged.decision, judged.action), (Decision::FastTrack, Some(Action::FastTrack)));
}

#[test]
fn the_calendar_is_respected() {
    let reason = |plan: Plan, now: &str| {
        let facts = Facts { share: ready(0.15).share, ..facts(20_000, 0, at(now)) };
        next(&facts, &facts.share.unwrap(), &planned("Europe/Berlin", plan), at(now)).map(|step| step.to)
    };
    assert_eq!(reason(plan(), "2026-11-17T10:59:59Z"), Err(Reason::BeforeTime));
    assert_eq!(reason(plan(), "2026-11-17T11:00:00Z"), Ok(share(0.75)));
    assert_eq!(reason(plan(), "2026-11-17T22:59:00Z"), Ok(share(0.75)), "late on the same date");
    assert_eq!(reason(plan(), "2026-11-16T22:00:00Z"), Err(Reason::StepTaken), "the day of the start");
    let quiet = Plan { quiet_days: vec![DayOfWeek::Tue], ..plan() };
    assert_eq!(reason(quiet.clone(), TUESDAY), Err(Reason::QuietDay));
    assert_eq!(reason(quiet, "2026-11-18T12:00:00Z"), Ok(share(0.75)));
    let dates = Dates { first: date(2026, 11, 17), last: date(2026, 11, 18) };
    let quiet = Plan { quiet_dates: vec![dates], ..plan() };
    assert_eq!(reason(quiet.clone(), "2026-11-18T12:00:00Z"), Err(Reason::QuietDay));
    assert_eq!(reason(quiet.clone(), "2026-11-19T12:00:00Z"), Ok(share(0.75)));
    let then = quiet.then(share(0.75), date(2026, 11, 16));
    assert_eq!(then, Some((share(1.0), Some(date(2026, 11, 19)))));
    assert_eq!(plan().then(share(1.0), date(2026, 11, 16)), None);
}

#[test]
fn a_hotfix_takes_over_the_latest_share_where_that_is_more() {
    let to = |taken_over| {
        let mut facts = ready(0.15);
        facts.share = facts.share.map(|known| ShareFacts { taken_over, ..known });
        answer(&facts).2
    };
    let raise = |to| Some(Action::Raise { from: share(0.15), to: share(to) });
    assert_eq!(to(Some(share(0.9))), raise(0.9));
    assert_eq!(to(Some(share(0.5))), raise(0.75));
    assert_eq!(to(None), raise(0.75));
    let version = |name| VersionName::new(name).unwrap();
    for (new, old, expected) in [
        ("26.3.1", "26.3.0", true),
        ("26.3.0", "26.3.0", true),
        ("26.4.0", "26.3.0", false),
        ("26.3.0", "26.3.1", false),
        ("2.1", "2.0", false),
        ("26.3.1", "26.3", false),
        ("spring", "spring", true),
        ("spring", "summer", false),
    ] {
        assert_eq!(is_hotfix(&version(new), &version(old)), expected, "{new} of {old}");
    }
}

#[test]
fn a_hotfix_knows_the_release_in_whose_place_it_rolls_out() {
    let state = |key: &str, version: &str, status, fraction, start: Timestamp| {
        let mut live = release(fraction);
        (live.key, live.status) = (key.to_owned(), status);
        live.version = VersionName::new(version).unwrap();
        let app = AppId::new("android").unwrap();
        let id = ReleaseId { app, platform: Platform::Android, key: key.to_owned() };
        ReleaseState::first_seen(id, &live, start, start)
    };
    let hour = |hours| start() + SignedDuration::from_hours(hours);
    let halted = state("300", "26.3.0", RolloutStatus::Halted, 0.75, hour(0));
    let completed = state("200", "26.2.0", RolloutStatus::Completed, 1.0, hour(-99));
    let hotfix = state("301", "26.3.1", RolloutStatus::RollingOut, 0.05, hour(20));
    let known = [halted.clone(), completed, hotfix.clone()];
    assert_eq!(ShareFacts::of(&hotfix, &known).taken_over, Some(share(0.75)));
    assert_eq!(ShareFacts::of(&halted, &known).taken_over, None);
    // One that was replaced while it was staged, and is not listed any more, is not the one before the next hotfix.
    let done = state("301", "26.3.1", RolloutStatus::Completed, 1.0, hour(20));
    let next = state("302", "26.3.2", RolloutStatus::RollingOut, 0.05, hour(40));
    let known = [halted, done, next.clone()];
    assert_eq!(ShareFacts::of(&next, &known).taken_over, None);
}

#[test]
fn a_rollout_that_stands_still_is_told_after_days_that_were_not_quiet() {
    let days = |plan: Plan, now: &str| {
        let facts = Facts { share: ready(0.15).share, ..facts(20_000, 0, at(now)) };
        stuck(&facts, &planned("Europe/Berlin", plan), at(now)).map(|stuck| stuck.days)
    };
    assert_eq!(days(plan(), "2026-11-18T13:00:00Z"), None);
    assert_eq!(days(plan(), "2026-11-19T10:59:00Z"), None, "today's time has not come");
    assert_eq!(days(plan(), "2026-11-19T11:00:00Z"), Some(3));
    let quiet = Plan { quiet_days: vec![DayOfWeek::Wed, DayOfWeek::Thu], ..plan() };
    assert_eq!(days(quiet.clone(), "2026-11-19T11:00:00Z"), None, "it is a quiet day");
    assert_eq!(days(quiet.clone(), "2026-11-20T11:00:00Z"), None);
    assert_eq!(days(quiet, "2026-11-21T11:00:00Z"), Some(3));
}

#[test]
fn what_a_person_has_lowered_stays_until_a_person_raises_it() {
    let mut live = release(0.75);
    let app = AppId::new("a").unwrap();
    let id = ReleaseId { app, platform: Platform::Android, key: "2630".to_owned() };
    let mut state = ReleaseState::first_seen(id, &live, start(), start());
    let mut look = |fraction: f64, now: Timestamp| {
        live.user_fraction = Some(share(fraction));
        state = rollout::seen(state.clone(), &live, now);
        let share = ShareFacts::of(&state, &[]);
        let facts = Facts { user_fraction: live.user_fraction, ..facts(20_000, 0, now) };
        next(&facts, &share, &planned("Europe/Berlin", plan()), now).map(|step| step.to.get())
    };
    let noon = |day: i64| at(TUESDAY) + SignedDuration::from_hours(24 * day);
    assert_eq!(look(0.75, noon(0)), Ok(1.0));
    assert_eq!(look(0.3, noon(0)), Err(Reason::LoweredByPerson));
    assert_eq!(look(0.300_000_011_92, noon(5)), Err(Reason::LoweredByPerson), "however long ago");
    assert_eq!(look(0.4, noon(6)), Err(Reason::StepTaken), "a person's change is the step of its day");
    assert_eq!(look(0.4, noon(7)), Ok(0.75));
}

#[test]
fn the_key_of_a_step_is_one_of_its_date() {
    let state = ReleaseState::first_seen(
        ReleaseId { app: AppId::new("a").unwrap(), platform: Platform::Android, key: "1".to_owned() },
        &release(0.15),
        start(),
        start(),
    );
    let step = Step { from: share(0.15), to: share(0.75) };
    let key = |step, day| step_intent_key(step, date(2026, 11, day), &state);
    assert_eq!(key(step, 17), key(step, 17));
    assert_ne!(key(step, 17), key(step, 18));
    assert_ne!(key(step, 17), key(Step { to: share(1.0), ..step }, 17));
}

fn release(fraction: f64) -> Release {
    Release {
        key: "2630".to_owned(),
        version: VersionName::new("26.3.0").unwrap(),
        builds: vec![BuildNumber::new("2630").unwrap()],
        status: RolloutStatus::RollingOut,
        user_fraction: Some(share(fraction)),
        started_at: None,
        paused_days: None,
    }
}

/// What may happen between two firings.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The job runs after so many minutes.
    Firing(i64),
    /// The job runs, and a person is faster than its change of the store.
    Overtaken(i64, f64),
    /// A person sets the share.
    Person(f64),
    /// A person halts the release, or resumes it.
    Stop,
    Resume,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let share = prop::sample::select(vec![0.01, 0.05, 0.15, 0.3, 0.5, 0.75, 0.9]);
    let minutes = prop_oneof![1i64..30, 30i64..900, 900i64..3_000];
    let event = prop_oneof![
        20 => minutes.clone().prop_map(Event::Firing),
        1 => (minutes, share.clone()).prop_map(|(minutes, share)| Event::Overtaken(minutes, share)),
        2 => share.prop_map(Event::Person),
        1 => Just(Event::Stop),
        1 => Just(Event::Resume),
    ];
    prop::collection::vec(event, 1..120)
}

fn zones() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kathmandu",
    ])
}

/// Days shortly before clocks change, in one half of the world or the other, and an ordinary one.
fn beginnings() -> impl Strategy<Value = Timestamp> {
    let days =
        ["2026-03-06T09:00:00Z", "2026-03-26T09:00:00Z", "2026-10-23T09:00:00Z", "2026-11-16T09:00:00Z"];
    prop::sample::select(days.map(at).to_vec())
}

/// One run of the job: the judge on what the store shows, then the change, if the store still shows the same.
fn fire(
    state: &mut ReleaseState,
    live: &mut Release,
    policy: &Policy,
    now: Timestamp,
    meanwhile: impl FnOnce(&mut Release),
) -> Option<Step> {
    *state = rollout::seen(state.clone(), live, now);
    let mut facts = facts(50_000, 0, now);
    (facts.status, facts.user_fraction) = (live.status, live.user_fraction);
    facts.cycle_start = state.cycle_start;
    facts.share = Some(ShareFacts::of(state, std::slice::from_ref(state)));
    let Some(Action::Raise { from, to }) = judge(&facts, policy, now).action else { return None };
    meanwhile(live);
    let change = Change::Raise { from, to };
    if next_step(&change, Some(live)) != NextStep::Mutate {
        // What a person was faster with is written down.
        state.shows(live, now);
        return None;
    }
    let completes = Step { from, to }.completes();
    live.status = if completes { RolloutStatus::Completed } else { RolloutStatus::RollingOut };
    // Play keeps single precision.
    live.user_fraction = Some(if completes { to } else { share(f64::from(to.get() as f32)) });
    state.shows(live, now);
    Some(Step { from, to })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn f68_a_step_a_date_whatever_cron_and_people_do(
        events in events(),
        zone in zones(),
        began in beginnings(),
        quiet in prop::sample::select(vec![Vec::new(), vec![DayOfWeek::Sat, DayOfWeek::Sun]]),
    ) {
        let plan = Plan { quiet_days: quiet, ..plan() };
        let policy = planned(zone, plan.clone());
        let id = ReleaseId { app: AppId::new("a").unwrap(), platform: Platform::Android, key: "2630".to_owned() };
        let mut live = release(0.15);
        let mut state = ReleaseState::first_seen(id, &live, began, began);
        let (mut now, mut last_step, mut lowered) = (began, None, false);
        for event in events {
            let before = live.clone();
            let fired = match event {
                Event::Firing(minutes) => {
                    now += SignedDuration::from_mins(minutes);
                    fire(&mut state, &mut live, &policy, now, |_| {})
                }
                Event::Overtaken(minutes, persons) => {
                    now += SignedDuration::from_mins(minutes);
                    let step = fire(&mut state, &mut live, &policy, now, |live| live.user_fraction = Some(share(persons)));
                    lowered |= live.status == RolloutStatus::RollingOut
                        && live.user_fraction < before.user_fraction
                        && !live.user_fraction.unwrap().is_about(before.user_fraction.unwrap());
                    step
                }
                Event::Person(persons) if live.status == RolloutStatus::RollingOut => {
                    live.user_fraction = Some(share(persons));
                    // Each change is seen by a look before the next one.
                    state = rollout::seen(state, &live, now);
                    if live.user_fraction != before.user_fraction {
                        let stays = live.user_fraction.unwrap().is_about(before.user_fraction.unwrap());
                        lowered = if stays { lowered } else { live.user_fraction < before.user_fraction };
                    }
                    continue;
                }
                Event::Stop if live.status == RolloutStatus::RollingOut => {
                    live.status = RolloutStatus::Halted;
                    continue;
                }
                Event::Resume if live.status == RolloutStatus::Halted => {
                    state = rollout::seen(state, &live, now);
                    live.status = RolloutStatus::RollingOut;
                    state = rollout::seen(state, &live, now);
                    lowered = false;
                    continue;
                }
                _ => continue,
            };
            let Some(step) = fired else { continue };
            let today = date_in(&policy.zone, now);
            prop_assert_eq!(before.status, RolloutStatus::RollingOut, "only what rolls out is moved");
            prop_assert!(before.user_fraction.unwrap().is_about(step.from) && step.to > step.from);
            prop_assert!(!lowered, "a person has lowered it");
            prop_assert!(last_step < Some(today), "{last_step:?} and {today}");
            prop_assert!(today > date_in(&policy.zone, began) && !plan.is_quiet(today));
            prop_assert!(has_come(plan.not_before, now, &policy.zone));
            prop_assert!(plan.steps.contains(&step.to));
            last_step = Some(today);
        }
    }
}
