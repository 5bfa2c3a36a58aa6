//! What a daily report is told of real rows: each pitfall of reading batch and real-time tables together has a test.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate::adapters::embedded::Embedded;
use tidegate::adapters::events::{Answer, Events, TableInfo, Together, Warehouse};
use tidegate::config::{SessionSource, Sources};
use tidegate::demo::scenario::{NEW_BUILD, NEW_VERSION};
use tidegate::demo::{App, EventSource, Exposure, Scenario};
use tidegate::domain::calendar::Window;
use tidegate::domain::counts::Counts;
use tidegate::domain::daily::{CrashKind, Freshness, Origin, Seen, TopCrash, Totals};
use tidegate::domain::facts::{Extent, Side};
use tidegate::domain::ids::{ApplicationId, BuildNumber, Platform, VersionName};
use tidegate::domain::release::RolloutStatus;
use tidegate::ports::{
    Before, Counted, DailyReading, DailyRequest, MetricSource as _, PortError, ReleaseNames,
};
use tidegate::queries::{Engine, Query, Table};

use crate::support::{CRASHES, Fixture, SESSIONS, analytics, at, crash, session, with};

const BATCH_CRASHES: &str = "firebase_crashlytics.com_example_app_ANDROID";
const BATCH_SESSIONS: &str = "firebase_sessions.com_example_app_ANDROID";
const NOON: &str = "2026-11-18T12:00:00Z";

fn window(from: &str, to: &str) -> Window {
    Window::new(at(from), at(to))
}

fn release(version: &str, build: &str) -> ReleaseNames {
    ReleaseNames {
        builds: vec![BuildNumber::new(build).unwrap()],
        version: VersionName::new(version).unwrap(),
    }
}

/// What a report of build 200 asks at noon on the third day of its cycle.
pub fn request() -> DailyRequest {
    DailyRequest {
        release: release("2.0", "200"),
        cycle: window("2026-11-16T06:00:00Z", NOON),
        last_day: Window::last_whole_day(at(NOON), &TimeZone::UTC),
        before: None,
        known_from: at("2026-10-16T06:00:00Z"),
        seen_at: at(NOON),
    }
}

/// The same as the mender of build 199, which had half a day.
fn request_of_a_fix() -> DailyRequest {
    let before = Before {
        release: release("1.9", "199"),
        then: window("2026-11-15T06:00:00Z", "2026-11-15T18:00:00Z"),
        now: window("2026-11-16T06:00:00Z", "2026-11-16T18:00:00Z"),
    };
    DailyRequest { before: Some(before), ..request() }
}

async fn try_read<W: Warehouse + Clone + 'static>(
    warehouse: W,
    sessions: SessionSource,
    request: &DailyRequest,
) -> Result<DailyReading, PortError> {
    try_read_of("com.example.app", warehouse, sessions, request).await
}

async fn try_read_of<W: Warehouse + Clone + 'static>(
    app: &str,
    warehouse: W,
    sessions: SessionSource,
    request: &DailyRequest,
) -> Result<DailyReading, PortError> {
    let sources = Sources {
        sessions,
        crashlytics_dataset: "firebase_crashlytics".into(),
        sessions_dataset: "firebase_sessions".into(),
        crashes_table: None,
        sessions_table: None,
    };
    let app = ApplicationId::new(app).unwrap();
    Events::new(Together::new(warehouse), Platform::Android, app, sources).daily(request).await
}

async fn read(fixture: &Fixture, request: &DailyRequest) -> DailyReading {
    try_read(fixture.warehouse.clone(), SessionSource::FirebaseSessions, request).await.unwrap()
}

/// Sessions, crashed sessions, users and crashed users.
fn numbers(counted: Option<Counted>) -> [u64; 4] {
    let Totals { counts, users, crashed_users } = counted.expect("a stretch that is known").totals;
    [counts.sessions, counts.crashed_sessions, users, crashed_users]
}

fn of(row: Value, person: &str) -> Value {
    let column = if row.get("session_id").is_some() { "instance_id" } else { "installation_uuid" };
    with(row, json!({column: person}))
}

fn of_issue(row: Value, issue: &str) -> Value {
    with(row, json!({"issue_id": issue, "issue_title": format!("title of {issue}"), "issue_subtitle": "why"}))
}

fn of_build(row: Value, version: &str, build: &str) -> Value {
    with(row, json!({"application": {"build_version": build, "display_version": version}}))
}

/// Three sessions of two people on two days, of which one crashed twice.
fn sessions() -> Vec<Value> {
    [
        ("a", "2026-11-16T08:00:00Z", "ann"),
        ("b", "2026-11-17T08:00:00Z", "ann"),
        ("c", "2026-11-18T11:00:00Z", "bob"),
    ]
    .map(|(id, at, person)| of(session(id, at), person))
    .into()
}

fn crashes() -> Vec<Value> {
    let first = of(crash("1", "2026-11-17T08:10:00Z"), "ann");
    let second =
        with(of(crash("2", "2026-11-17T08:20:00Z"), "ann"), json!({"firebase_session_id": "session of 1"}));
    vec![of_issue(first, "i"), of_issue(second, "i")]
}

const WHOLE: [u64; 4] = [3, 1, 2, 1];
const LAST_DAY: [u64; 4] = [1, 1, 1, 1];

fn is_whole(reading: &DailyReading) {
    assert_eq!(numbers(reading.cycle), WHOLE, "{reading:?}");
    assert_eq!(numbers(reading.last_day), LAST_DAY, "{reading:?}");
    let crashes = reading.crashes.as_ref().unwrap();
    assert_eq!(crashes.iter().map(|crash| (crash.events, crash.users)).collect::<Vec<_>>(), [(2, 1)]);
}

#[tokio::test]
async fn what_is_in_batch_and_real_time_tables_counts_once() {
    let fixture = Fixture::new();
    // The batch tables lack the newest session and crash, the streamed ones the oldest.
    fixture.import(BATCH_SESSIONS, &sessions()[..2]);
    fixture.import(SESSIONS, &sessions()[1..]);
    fixture.import(SESSIONS, &sessions()[1..]);
    fixture.import(BATCH_CRASHES, &crashes());
    fixture.import(CRASHES, &crashes()[1..]);
    let reading = read(&fixture, &request()).await;
    is_whole(&reading);
    let tables: Vec<_> = reading.queries.iter().map(|cost| cost.table.clone()).collect();
    let both = [format!("{SESSIONS} + {BATCH_SESSIONS}"), format!("{CRASHES} + {BATCH_CRASHES}")];
    assert_eq!(tables, [both[0].clone(), both[1].clone(), both[1].clone()]);
    let expected = Freshness {
        through: Some(at("2026-11-18T11:00:00.000001Z")),
        newest_session_at: Some(at("2026-11-18T11:00:00Z")),
        newest_crash_at: Some(at("2026-11-17T08:20:00Z")),
        sessions_from: Some(Origin::Batch),
        crashes_from: Some(Origin::Batch),
        absent: Vec::new(),
    };
    assert_eq!(reading.freshness, expected);
}

#[tokio::test]
async fn batch_tables_alone_are_enough() {
    let fixture = Fixture::new();
    fixture.import(BATCH_SESSIONS, &sessions());
    fixture.import(BATCH_CRASHES, &crashes());
    let reading = read(&fixture, &request()).await;
    is_whole(&reading);
    assert_eq!(reading.freshness.sessions_from, Some(Origin::Batch));
}

#[tokio::test]
async fn real_time_tables_alone_are_enough_and_say_so() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    fixture.import(CRASHES, &crashes());
    let reading = read(&fixture, &request()).await;
    is_whole(&reading);
    let Freshness { sessions_from, crashes_from, absent, .. } = reading.freshness;
    assert_eq!((sessions_from, crashes_from), (Some(Origin::Realtime), Some(Origin::Realtime)));
    assert_eq!(absent, [], "a daily table that never comes is not missed");
}

#[tokio::test]
async fn people_are_counted_over_the_whole_stretch_and_not_added_up() {
    let fixture = Fixture::new();
    let every_day = ["16T08", "17T08", "18T08"].map(|hour| format!("2026-11-{hour}:00:00Z"));
    let rows: Vec<Value> = every_day.iter().map(|at| of(session(at, at), "ann")).collect();
    let crashed: Vec<Value> = every_day.iter().map(|at| of(crash(at, at), "ann")).collect();
    fixture.import(SESSIONS, &rows);
    fixture.import(CRASHES, &crashed);
    assert_eq!(numbers(read(&fixture, &request()).await.cycle), [3, 3, 1, 1]);
}

#[tokio::test]
async fn a_crash_without_a_session_counts_as_one_of_its_own_and_one_without_an_installation_as_nobodys() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    let alone = |id: &str| with(crash(id, "2026-11-17T09:00:00Z"), json!({"firebase_session_id": null}));
    let nobody = with(alone("3"), json!({"installation_uuid": null}));
    fixture.import(CRASHES, &[alone("1"), alone("2"), nobody.clone()]);
    fixture.import(BATCH_CRASHES, &[alone("1"), nobody]);
    assert_eq!(numbers(read(&fixture, &request()).await.cycle), [3, 3, 2, 2]);
}

#[tokio::test]
async fn what_is_no_crash_counts_for_freshness_alone() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    let anr = |id: &str, state: Value| {
        with(
            crash(id, "2026-11-17T09:00:00Z"),
            json!({"error_type": "ANR", "process_state": state, "issue_id": "anr"}),
        )
    };
    let non_fatal =
        with(crash("n", "2026-11-18T10:00:00Z"), json!({"error_type": "NON_FATAL", "issue_id": "n"}));
    let rows =
        [anr("f", json!("FOREGROUND")), anr("b", json!("BACKGROUND")), anr("u", Value::Null), non_fatal];
    fixture.import(CRASHES, &rows);
    let reading = read(&fixture, &request()).await;
    assert_eq!(numbers(reading.cycle), [3, 1, 2, 1]);
    assert_eq!(reading.freshness.newest_crash_at, Some(at("2026-11-18T10:00:00Z")));
    let crashes = reading.crashes.unwrap();
    assert_eq!((crashes.len(), crashes[0].kind, crashes[0].events), (1, CrashKind::ForegroundAnr, 1));
}

#[tokio::test]
async fn a_hotfix_with_the_same_version_name_is_told_apart_by_its_build() {
    let fixture = Fixture::new();
    let mut rows = sessions();
    rows.extend(["x", "y"].map(|id| of_build(session(id, "2026-11-15T08:00:00Z"), "2.0", "199")));
    fixture.import(BATCH_SESSIONS, &rows);
    let old = of_build(of_issue(crash("o", "2026-11-15T09:00:00Z"), "i"), "2.0", "199");
    fixture.import(BATCH_CRASHES, &[crashes(), vec![old]].concat());
    let mut asked = request_of_a_fix();
    asked.before.as_mut().unwrap().release = release("2.0", "199");
    let reading = read(&fixture, &asked).await;
    assert_eq!(numbers(reading.cycle), WHOLE);
    assert_eq!(numbers(reading.then), [2, 1, 2, 1]);
    assert_eq!(numbers(reading.now), [1, 0, 1, 0], "half a day of this one");
    assert_eq!(reading.crashes.unwrap()[0].seen, Seen::Before, "another build of the same version had it");
}

#[tokio::test]
async fn the_release_before_is_counted_over_its_own_stretch() {
    let fixture = Fixture::new();
    let old = |id: &str, at: &str| of_build(session(id, at), "1.9", "199");
    let rows = [
        old("x", "2026-11-15T06:00:00Z"),
        old("y", "2026-11-15T17:59:59Z"),
        old("z", "2026-11-15T18:00:00Z"),
    ];
    fixture.import(BATCH_SESSIONS, &[rows.to_vec(), sessions()].concat());
    let crashed = of_build(crash("o", "2026-11-15T07:00:00Z"), "1.9", "199");
    fixture.import(BATCH_CRASHES, &[crashed]);
    let reading = read(&fixture, &request_of_a_fix()).await;
    assert_eq!(numbers(reading.then), [2, 1, 2, 1], "its end is outside");
    assert_eq!(numbers(reading.cycle), [3, 0, 2, 0]);
    assert_eq!(read(&fixture, &request()).await.then, None, "where nothing is compared");
}

#[tokio::test]
async fn the_last_local_day_has_23_or_25_hours_when_the_clocks_change() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    for (now, first, last) in [
        ("2026-03-30T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999999Z"),
        ("2026-10-26T11:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59.999999Z"),
    ] {
        let fixture = Fixture::new();
        let just = |instant: &str, micros: i64| {
            (at(instant) + jiff::SignedDuration::from_micros(micros)).to_string()
        };
        let instants = [just(first, -1), first.to_owned(), last.to_owned(), just(last, 1)];
        let rows: Vec<Value> = instants.iter().map(|at| session(at, at)).collect();
        fixture.import(BATCH_SESSIONS, &rows);
        fixture.import(BATCH_CRASHES, &[crash("1", last), crash("2", &just(last, 1))]);
        let last_day = Window::last_whole_day(at(now), &berlin);
        let asked = DailyRequest {
            cycle: Window::new(last_day.from - jiff::SignedDuration::from_hours(24), at(now)),
            last_day,
            seen_at: at(now),
            ..request()
        };
        let reading = read(&fixture, &asked).await;
        assert_eq!(numbers(reading.last_day), [2, 1, 2, 1], "{now}");
        assert_eq!(numbers(reading.cycle), [4, 2, 4, 2], "{now}");
    }
}

#[tokio::test]
async fn of_a_last_day_only_what_belongs_to_the_cycle_is_counted() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    fixture.import(CRASHES, &crashes());
    let late = DailyRequest { cycle: window("2026-11-17T08:05:00Z", NOON), ..request() };
    let reading = read(&fixture, &late).await;
    assert_eq!(numbers(reading.last_day), [0, 1, 0, 1], "the session began before");
    assert_eq!(reading.last_day.unwrap().window, window("2026-11-17T08:05:00Z", "2026-11-18T00:00:00Z"));
    let today = DailyRequest { cycle: window("2026-11-18T08:00:00Z", NOON), ..request() };
    assert_eq!(read(&fixture, &today).await.last_day, None, "there was no whole day yet");
}

#[tokio::test]
async fn both_sides_end_at_the_newest_session_and_the_list_of_crashes_does_not() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions()[..2]);
    let late = of_issue(crash("late", "2026-11-18T11:00:00Z"), "late");
    fixture.import(CRASHES, &[crashes()[0].clone(), late, crash("future", "2026-11-18T12:00:00Z")]);
    let reading = read(&fixture, &request()).await;
    // The first session of the pair is the newest: the crash ten minutes later has no session around it yet.
    assert_eq!(numbers(reading.cycle), [2, 0, 1, 0]);
    assert_eq!(reading.cycle.unwrap().window.to, at("2026-11-17T08:00:00.000001Z"));
    assert_eq!(
        reading.freshness.newest_crash_at,
        Some(at("2026-11-18T11:00:00Z")),
        "none is from the future"
    );
    let issues: Vec<String> = reading.crashes.unwrap().into_iter().map(|crash| crash.issue).collect();
    assert_eq!(issues, ["i", "late"]);
}

#[tokio::test]
async fn without_a_crash_nothing_crashed_and_without_a_session_nothing_is_counted() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    fixture.import(CRASHES, &[crash("old", "2026-11-01T08:00:00Z")]);
    let reading = read(&fixture, &request()).await;
    assert_eq!((numbers(reading.cycle), reading.crashes), ([3, 0, 2, 0], Some(Vec::new())));
    assert_eq!(reading.freshness.newest_crash_at, Some(at("2026-11-01T08:00:00Z")));

    let fixture = Fixture::new();
    fixture.import(SESSIONS, &[session("old", "2026-11-01T08:00:00Z")]);
    fixture.import(CRASHES, &crashes());
    let reading = read(&fixture, &request()).await;
    assert_eq!(numbers(reading.cycle), [0; 4], "crashes without their sessions would fake a bad release");
    assert_eq!((reading.freshness.through, reading.freshness.newest_session_at), (None, None));
}

#[tokio::test]
async fn a_table_that_is_not_there_is_not_zero() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    let reading = read(&fixture, &request()).await;
    assert_eq!((reading.cycle, reading.last_day, &reading.crashes), (None, None, &None));
    let absent = &reading.freshness.absent;
    assert_eq!((absent.len(), absent[0].side, absent[0].extent), (1, Side::Crashes, Extent::Whole));
    assert_eq!((absent[0].table.as_str(), reading.freshness.crashes_from), (CRASHES, None));
    assert_eq!(reading.freshness.newest_session_at, Some(at("2026-11-18T11:00:00Z")));

    let fixture = Fixture::new();
    fixture.import(BATCH_CRASHES, &crashes());
    let reading = read(&fixture, &request()).await;
    assert_eq!((reading.cycle, reading.crashes.unwrap().len()), (None, 1), "crashes alone are still told");
    assert_eq!(reading.freshness.absent[0].table, SESSIONS);
}

#[tokio::test]
async fn the_top_three_are_those_with_most_reports_then_most_people_then_by_their_id() {
    let row =
        |id: &str, issue: &str, person: &str| of(of_issue(crash(id, "2026-11-17T09:00:00Z"), issue), person);
    let rows = [
        row("1", "d", "ann"),
        row("2", "c", "ann"),
        row("3", "b", "ann"),
        row("4", "b", "ann"),
        row("5", "a", "ann"),
        row("6", "a", "bob"),
        row("7", "e", "ann"),
        row("8", "e", "bob"),
        // One more report that is stored in both tables, and one that is no crash.
        row("2", "c", "ann"),
        with(row("9", "d", "bob"), json!({"error_type": "NON_FATAL"})),
        with(row("10", "x", "bob"), json!({"issue_id": null})),
    ];
    for tables in [[CRASHES, BATCH_CRASHES], [BATCH_CRASHES, CRASHES]] {
        let fixture = Fixture::new();
        fixture.import(SESSIONS, &sessions());
        fixture.import(tables[0], &rows);
        fixture.import(tables[1], &rows[1..4]);
        let top = read(&fixture, &request()).await.crashes.unwrap();
        let told: Vec<_> =
            top.iter().map(|crash| (crash.issue.as_str(), crash.events, crash.users)).collect();
        assert_eq!(told, [("a", 2, 2), ("e", 2, 2), ("b", 2, 1)]);
    }
}

#[tokio::test]
async fn a_crash_is_new_where_no_other_version_had_it_in_the_time_that_was_looked_at() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    let ours = |id: &str, issue: &str| of_issue(crash(id, "2026-11-17T09:00:00Z"), issue);
    let other = |id: &str, issue: &str, at: &str| of_build(of_issue(crash(id, at), issue), "1.9", "199");
    let rows = [
        ours("1", "known"),
        ours("2", "new"),
        ours("3", "long ago"),
        other("4", "known", "2026-11-01T09:00:00Z"),
        other("5", "long ago", "2026-10-01T09:00:00Z"),
        // A tester had it before the cycle, and a report that no build is known of.
        of_issue(crash("6", "2026-11-15T09:00:00Z"), "new"),
        with(ours("7", "new"), json!({"application": {"display_version": "1.9"}})),
    ];
    fixture.import(BATCH_CRASHES, &rows);
    let top = read(&fixture, &request()).await.crashes.unwrap();
    let told: Vec<_> = top.iter().map(|crash| (crash.issue.as_str(), crash.seen, crash.events)).collect();
    assert_eq!(told, [("known", Seen::Before, 1), ("long ago", Seen::New, 1), ("new", Seen::New, 1)]);
}

#[tokio::test]
async fn titles_are_kept_as_they_are_and_cut_at_a_sane_length() {
    const LONGEST: usize = 300;
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    let titled = |id: &str, at: &str, title: Value| {
        with(of_issue(crash(id, at), id), json!({"issue_title": title, "issue_subtitle": title}))
    };
    let hostile = "\u{1b}[31m<b>\u{202e}\r\n*x*";
    let rows = [
        titled("a", "2026-11-17T09:00:00Z", Value::Null),
        titled("b", "2026-11-17T09:00:00Z", json!(hostile)),
        titled("c", "2026-11-17T09:00:00Z", json!("é".repeat(10_000))),
    ];
    fixture.import(CRASHES, &rows);
    let top = read(&fixture, &request()).await.crashes.unwrap();
    let [none, same, long] = top.as_slice() else { panic!("{top:?}") };
    assert_eq!((none.title.as_str(), none.subtitle.as_str()), ("", ""));
    assert_eq!((same.title.as_str(), same.subtitle.as_str()), (hostile, hostile));
    assert_eq!((long.title.chars().count(), long.subtitle.chars().count()), (LONGEST, LONGEST));
}

#[tokio::test]
async fn the_newest_title_of_an_issue_is_told() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    let row =
        |id: &str, at: &str, title: Value| with(of_issue(crash(id, at), "i"), json!({"issue_title": title}));
    let rows = [
        row("1", "2026-11-17T09:00:00Z", json!("without symbols")),
        row("2", "2026-11-17T10:00:00Z", json!("App.main")),
        row("3", "2026-11-17T11:00:00Z", Value::Null),
        of_build(row("4", "2026-11-17T12:00:00Z", json!("of another version")), "1.9", "199"),
    ];
    fixture.import(CRASHES, &rows);
    let top = read(&fixture, &request()).await.crashes.unwrap();
    assert_eq!((top[0].title.as_str(), top[0].events, top[0].seen), ("App.main", 3, Seen::Before));
}

#[tokio::test]
async fn the_demo_shows_crashes_of_which_one_is_new_in_a_bad_release() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let approved = at("2026-11-16T07:00:00Z");
    let [before, after] = [-24, 30].map(|hours| approved + jiff::SignedDuration::from_hours(hours));
    // A good one has hardly any, and none that is new.
    for (scenario, least, leading) in [(Scenario::Good, 1, Seen::Before), (Scenario::Bad, 3, Seen::New)] {
        let app = App { scenario, platform: Platform::Android };
        let mut source = EventSource::new(scenario, app.platform, 7, approved, berlin.clone());
        let offered = |fraction, status| Exposure { fraction, status };
        let mut rows = source.advance(before, approved, offered(0.0, RolloutStatus::Pending));
        rows.extend(source.advance(approved, after, offered(0.15, RolloutStatus::RollingOut)));
        let fixture = Fixture::new();
        for table in [app.crashes_table(), app.sessions_table()] {
            let of_table = rows.iter().filter(|row| row.table == table).map(|row| row.values.clone());
            fixture.import(&table, &of_table.collect::<Vec<_>>());
        }
        let asked = DailyRequest {
            release: release(NEW_VERSION, NEW_BUILD),
            cycle: Window::new(approved, after),
            last_day: Window::last_whole_day(after, &berlin),
            seen_at: after,
            ..request()
        };
        let embedded = fixture.warehouse.clone();
        let reading =
            try_read_of(&app.package(), embedded, SessionSource::FirebaseSessions, &asked).await.unwrap();
        let top = reading.crashes.unwrap();
        assert!(top.len() >= least && top[0].seen == leading, "{top:?}");
        assert!(top[0].title.contains("CheckoutViewModel.pay"), "{top:?}");
        assert!(top.iter().any(|crash| crash.seen == Seen::Before), "{top:?}");
        assert!(reading.last_day.unwrap().totals.counts.sessions > 0);
    }
}

mod with_analytics {
    use super::*;

    const BATCH: &str = "analytics_1.events_202611";
    const INTRADAY: &str = "analytics_1.events_intraday_202611";

    async fn read(fixture: &Fixture, request: &DailyRequest) -> DailyReading {
        let property = SessionSource::Analytics {
            dataset: "analytics_1".into(),
            time_zone: TimeZone::get("Europe/Berlin").unwrap(),
        };
        try_read(fixture.warehouse.clone(), property, request).await.unwrap()
    }

    /// A fixture with a streamed table for each of some dates, and the crashes.
    fn streamed(days: &[(&str, &[Value])]) -> Fixture {
        let fixture = Fixture::new();
        fixture.import(CRASHES, &crashes());
        days.iter().for_each(|(day, rows)| fixture.import(&format!("{INTRADAY}{day}"), rows));
        fixture
    }

    fn starts() -> [Value; 3] {
        [("ann", "2026-11-16T08:00:00Z"), ("ann", "2026-11-17T08:00:00Z"), ("bob", "2026-11-18T11:00:00Z")]
            .map(|(person, at)| analytics(person, at))
    }

    #[tokio::test]
    async fn the_daily_and_the_intraday_table_of_one_date_count_once() {
        let [first, second, third] = starts();
        let fixture = streamed(&[("17", std::slice::from_ref(&second)), ("18", &[third])]);
        fixture.import(&format!("{BATCH}16"), &[first]);
        fixture.import(&format!("{BATCH}17"), &[second]);
        let reading = read(&fixture, &request()).await;
        is_whole(&reading);
        let Freshness { sessions_from, absent, .. } = reading.freshness;
        assert_eq!((sessions_from, absent), (Some(Origin::Batch), Vec::new()));
    }

    #[tokio::test]
    async fn where_no_daily_table_will_ever_come_intraday_ones_are_enough() {
        let [first, second, third] = starts();
        let fixture = streamed(&[("16", &[first]), ("17", &[second]), ("18", &[third])]);
        let reading = read(&fixture, &request()).await;
        is_whole(&reading);
        assert_eq!(reading.freshness.sessions_from, Some(Origin::Realtime));
    }

    #[tokio::test]
    async fn other_apps_and_platforms_of_the_property_are_not_counted() {
        let [first, second, third] = starts();
        let other = json!({"app_info": {"id": "com.example.other", "version": "2.0"}});
        let elsewhere = with(analytics("eve", "2026-11-18T11:30:00Z"), other);
        let apple = with(analytics("joe", "2026-11-18T11:30:00Z"), json!({"platform": "IOS"}));
        let unknown = with(analytics("kim", "2026-11-18T11:30:00Z"), json!({"app_info": {"version": "2.0"}}));
        let fixture =
            streamed(&[("16", &[first]), ("17", &[second]), ("18", &[third, elsewhere, apple, unknown])]);
        let reading = read(&fixture, &request()).await;
        is_whole(&reading);
        assert_eq!(reading.freshness.newest_session_at, Some(at("2026-11-18T11:00:00Z")));
    }

    #[tokio::test]
    async fn a_date_without_a_table_makes_unknown_what_it_belongs_to_and_nothing_else() {
        let [_, second, third] = starts();
        // The date in Berlin begins an hour before the day in UTC.
        let fixture = streamed(&[("17", &[second]), ("18", &[third])]);
        let reading = read(&fixture, &request()).await;
        assert_eq!((reading.cycle, numbers(reading.last_day)), (None, LAST_DAY));
        let absent = &reading.freshness.absent;
        assert_eq!((absent.len(), absent[0].extent), (1, Extent::Part));
        assert_eq!(absent[0].table, format!("{INTRADAY}16"));
    }

    #[tokio::test]
    async fn a_newest_date_without_a_table_has_just_begun_if_the_one_before_has_one() {
        let [first, second, _] = starts();
        let fixture = streamed(&[("16", &[first]), ("17", &[second])]);
        let midnight = at("2026-11-17T23:05:00Z");
        let asked = DailyRequest { cycle: request().cycle.until(midnight), seen_at: midnight, ..request() };
        let reading = read(&fixture, &asked).await;
        assert_eq!((numbers(reading.cycle), reading.freshness.absent), ([2, 0, 1, 0], Vec::new()));
        let noon = read(&fixture, &request()).await;
        assert_eq!(numbers(noon.cycle), [2, 0, 1, 0], "the newest session says how far it goes");
    }
}

/// A warehouse whose answers lack their last row.
#[derive(Clone)]
struct Cut(Arc<Embedded>);

#[async_trait]
impl Warehouse for Cut {
    fn engine(&self) -> Engine {
        self.0.engine()
    }

    async fn table(&self, table: &Table) -> Result<Option<TableInfo>, PortError> {
        self.0.table(table).await
    }

    async fn run(&self, query: &Query) -> Result<Answer, PortError> {
        let mut answer = self.0.run(query).await?;
        answer.rows.pop();
        Ok(answer)
    }
}

#[tokio::test]
async fn an_answer_that_is_not_whole_is_an_error_and_never_zero() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &sessions());
    fixture.import(CRASHES, &crashes());
    let cut = Cut(fixture.warehouse.clone());
    let error = try_read(cut, SessionSource::FirebaseSessions, &request()).await.unwrap_err();
    assert!(error.what.contains("session_totals") && error.what.contains("0 rows"), "{error}");
}

/// Which tables hold a row: the batch one, the streamed one, or both, some of them twice.
fn places() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1u8..=4, ROWS)
}

const ROWS: usize = 24;

fn spread(rows: &[Value], places: &[u8], table: &str, wanted: &[u8], fixture: &Fixture) {
    let here = rows.iter().zip(places).filter(|(_, place)| wanted.contains(place));
    let here: Vec<Value> =
        here.flat_map(|(row, place)| vec![row.clone(); if *place == 4 { 2 } else { 1 }]).collect();
    fixture.import(table, &[here, vec![rows[0].clone()]].concat());
}

/// Rows of a few people, sessions and issues, an hour apart.
fn many() -> (Vec<Value>, Vec<Value>) {
    let instant =
        |row: usize| (at("2026-11-17T00:00:00Z") + jiff::SignedDuration::from_hours(row as i64)).to_string();
    let sessions =
        (0..ROWS).map(|row| of(session(&format!("s{row}"), &instant(row)), &format!("p{}", row % 7)));
    let crashes = (0..ROWS).map(|row| {
        let issue = of_issue(crash(&format!("c{row}"), &instant(row)), &format!("i{}", row % 5));
        let session = json!({"firebase_session_id": format!("s{}", row / 2)});
        with(of(issue, &format!("p{}", row % 3)), session)
    });
    (sessions.collect(), crashes.collect())
}

/// What must not depend on where a row is stored.
fn told(reading: DailyReading) -> (Option<Counted>, Option<Counted>, Option<Vec<TopCrash>>) {
    (reading.cycle, reading.last_day, reading.crashes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn it_does_not_matter_which_table_holds_a_row(of_sessions in places(), of_crashes in places()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (sessions, crashes) = many();
        let whole = Fixture::new();
        whole.import(BATCH_SESSIONS, &sessions);
        whole.import(BATCH_CRASHES, &crashes);
        let split = Fixture::new();
        spread(&sessions, &of_sessions, BATCH_SESSIONS, &[1, 3, 4], &split);
        spread(&sessions, &of_sessions, SESSIONS, &[2, 3, 4], &split);
        spread(&crashes, &of_crashes, BATCH_CRASHES, &[1, 3, 4], &split);
        spread(&crashes, &of_crashes, CRASHES, &[2, 3, 4], &split);
        let (one, other) = runtime.block_on(async { (read(&whole, &request()).await, read(&split, &request()).await) });
        let counts = one.cycle.unwrap().totals.counts;
        prop_assert_eq!(counts, Counts { sessions: ROWS as u64, crashed_sessions: ROWS as u64 / 2 });
        let people: BTreeSet<u64> = [one.cycle.unwrap().totals.users, one.cycle.unwrap().totals.crashed_users].into();
        prop_assert_eq!(people, [3, 7].into());
        prop_assert_eq!(told(one), told(other));
    }
}
