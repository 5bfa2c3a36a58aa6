//! What the queries make of real rows: each pitfall of the exports has a test of its own.

use jiff::tz::TimeZone;
use serde_json::json;
use tidegate::adapters::events::{Answer, Events, TableInfo, Together, Warehouse};
use tidegate::config::{SessionSource, Sources};
use tidegate::domain::calendar::{UtcDay, Window};
use tidegate::domain::counts::{CountedTo, Counts, DayPartial, Partials};
use tidegate::domain::facts::Side;
use tidegate::domain::ids::{ApplicationId, BuildNumber, Platform, VersionName};
use tidegate::ports::{MetricRequest, MetricSource, Reading};

use crate::support::{CRASHES, Fixture, SESSIONS, analytics, at, crash, session, with};

fn sources(sessions: SessionSource) -> Sources {
    Sources {
        sessions,
        crashlytics_dataset: "firebase_crashlytics".into(),
        sessions_dataset: "firebase_sessions".into(),
        crashes_table: None,
        sessions_table: None,
    }
}

fn request(from: &str, to: &str) -> MetricRequest {
    MetricRequest {
        window: Window::new(at(from), at(to)),
        crashes_from: at(from),
        mature_to: at(to),
        seen_at: at("2026-11-18T12:10:00Z"),
        builds: vec![BuildNumber::new("200").unwrap()],
        version: VersionName::new("2.0").unwrap(),
        others: Vec::new(),
    }
}

/// A reading, and the partials that it makes.
struct Counted {
    reading: Reading,
    partials: Partials,
}

impl std::ops::Deref for Counted {
    type Target = Reading;
    fn deref(&self) -> &Reading {
        &self.reading
    }
}

async fn read_from(fixture: &Fixture, sessions: SessionSource, request: &MetricRequest) -> Counted {
    let app = ApplicationId::new("com.example.app").unwrap();
    let events =
        Events::new(Together::new(fixture.warehouse.clone()), Platform::Android, app, sources(sessions));
    let reading = events.read(request).await.unwrap();
    let to = CountedTo { through: reading.through, mature_through: request.mature_to.min(reading.through) };
    let mut partials = Partials::default();
    partials.take_sessions(&reading.sessions, to);
    partials.take_crashes(&reading.crashes, to);
    Counted { reading, partials }
}

async fn read(fixture: &Fixture, request: &MetricRequest) -> Counted {
    read_from(fixture, SessionSource::FirebaseSessions, request).await
}

fn total(reading: &Counted) -> (u64, u64) {
    let counts: Counts = reading.partials.iter().map(|day| day.fresh).sum();
    (counts.sessions, counts.crashed_sessions)
}

fn only(reading: &Counted) -> &DayPartial {
    let mut days = reading.partials.iter();
    let day = days.next().unwrap();
    assert!(days.next().is_none(), "one day was expected");
    day
}

const MORNING: &str = "2026-11-18T00:00:00Z";
const NOON: &str = "2026-11-18T12:00:00Z";

/// Two sessions at 8 and 10, so that the newest lies after every crash of these tests.
fn two_sessions(fixture: &Fixture) {
    fixture.import(SESSIONS, &[session("a", "2026-11-18T08:00:00Z"), session("b", "2026-11-18T10:00:00Z")]);
}

#[tokio::test]
async fn counts_from_the_start_of_the_day_up_to_now() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    fixture.import(SESSIONS, &[session("yesterday", "2026-11-17T23:59:59Z"), session("later", NOON)]);
    fixture.import(CRASHES, &[crash("c", "2026-11-18T09:00:00Z"), crash("old", "2026-11-17T23:59:59Z")]);
    let reading = read(&fixture, &request(MORNING, NOON)).await;
    assert_eq!(total(&reading), (2, 1), "an event at `to` is outside, one before `from` too");
    assert_eq!(only(&reading).fatal_events, 1);
}

#[tokio::test]
async fn each_day_has_a_partial_of_its_own() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &[session("a", "2026-11-16T08:00:00Z"), session("b", "2026-11-18T10:00:00Z")]);
    fixture.import(CRASHES, &[crash("c", "2026-11-16T09:00:00Z")]);
    let reading = read(&fixture, &request("2026-11-16T00:00:00Z", NOON)).await;
    let days: Vec<_> = reading.partials.iter().map(|d| (d.day.to_string(), d.fresh.sessions)).collect();
    let expected = [("2026-11-16", 1), ("2026-11-17", 0), ("2026-11-18", 1)];
    assert_eq!(
        days,
        expected.map(|(day, n)| (day.to_owned(), n)),
        "a day without events is known to be empty"
    );
}

#[tokio::test]
async fn late_rows_are_counted_when_their_day_is_read_again() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &[session("a", "2026-11-17T08:00:00Z"), session("b", "2026-11-18T10:00:00Z")]);
    fixture.import(CRASHES, &[crash("c", "2026-11-17T09:00:00Z")]);
    let window = request("2026-11-17T00:00:00Z", NOON);
    let mut partials = read(&fixture, &window).await.partials;
    fixture.import(CRASHES, &[crash("late", "2026-11-17T07:00:00Z")]);
    partials.replace(read(&fixture, &window).await.partials.iter().cloned());
    let crashed: Vec<u64> = partials.iter().map(|day| day.fresh.crashed_sessions).collect();
    assert_eq!(crashed, [2, 0], "replaced, not added");
}

#[tokio::test]
async fn a_report_that_is_stored_twice_counts_once() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    let report = crash("c", "2026-11-18T09:00:00Z");
    fixture.import(
        CRASHES,
        &[report.clone(), report, with(crash("c", "2026-11-18T09:00:00Z"), json!({"variant_id": "2"}))],
    );
    fixture.import(SESSIONS, &[session("a", "2026-11-18T08:00:00Z")]);
    let reading = read(&fixture, &request(MORNING, NOON)).await;
    assert_eq!(total(&reading), (2, 1));
    assert_eq!(only(&reading).fatal_events, 1);
}

#[tokio::test]
async fn only_fatal_reports_and_anrs_in_the_foreground_count() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    let anr = |id: &str, state: serde_json::Value| {
        with(crash(id, "2026-11-18T09:00:00Z"), json!({"error_type": "ANR", "process_state": state}))
    };
    fixture.import(
        CRASHES,
        &[
            anr("foreground", json!("FOREGROUND")),
            anr("background", json!("BACKGROUND")),
            anr("unknown", json!("UNKNOWN_PROCESS_STATE")),
            anr("none", json!(null)),
            with(crash("nonfatal", "2026-11-18T09:00:00Z"), json!({"error_type": "NON_FATAL"})),
            with(
                crash("fatal in the background", "2026-11-18T09:00:00Z"),
                json!({"process_state": "BACKGROUND"}),
            ),
        ],
    );
    let reading = read(&fixture, &request(MORNING, NOON)).await;
    assert_eq!(total(&reading), (2, 2));
    assert_eq!((only(&reading).fatal_events, only(&reading).foreground_anr_events), (1, 1));
}

#[tokio::test]
async fn a_session_counts_once_and_a_report_without_a_session_counts_as_one() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    let same = json!({"firebase_session_id": "s"});
    fixture.import(
        CRASHES,
        &[
            with(crash("1", "2026-11-18T09:00:00Z"), same.clone()),
            with(crash("2", "2026-11-18T09:05:00Z"), same),
            with(crash("3", "2026-11-18T09:05:00Z"), json!({"firebase_session_id": null})),
            with(crash("4", "2026-11-18T09:06:00Z"), json!({"firebase_session_id": null})),
        ],
    );
    assert_eq!(total(&read(&fixture, &request(MORNING, NOON)).await).1, 3);
}

#[tokio::test]
async fn a_session_that_cannot_report_a_crash_is_not_in_the_denominator() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    let silent = json!({"crashlytics_data_collection_enabled": false});
    let other = json!({"event_type": "SESSION_END"});
    fixture.import(
        SESSIONS,
        &[
            with(session("x", "2026-11-18T09:00:00Z"), silent),
            with(session("y", "2026-11-18T09:00:00Z"), other),
        ],
    );
    fixture.import(CRASHES, &[]);
    assert_eq!(total(&read(&fixture, &request(MORNING, NOON)).await), (2, 0));
}

#[tokio::test]
async fn other_builds_of_the_same_version_do_not_count() {
    let fixture = Fixture::new();
    let hotfix = json!({"application": {"build_version": "2001", "display_version": "2.0"}});
    fixture.import(
        SESSIONS,
        &[session("a", "2026-11-18T08:00:00Z"), with(session("b", "2026-11-18T10:00:00Z"), hotfix.clone())],
    );
    fixture.import(CRASHES, &[with(crash("c", "2026-11-18T09:00:00Z"), hotfix)]);
    let reading = read(&fixture, &request(MORNING, NOON)).await;
    assert_eq!(total(&reading), (1, 0));
    assert_eq!(
        reading.newest_session_at,
        Some(at("2026-11-18T10:00:00Z")),
        "freshness is that of every version"
    );
    assert_eq!(reading.newest_crash_at, Some(at("2026-11-18T09:00:00Z")));
}

#[tokio::test]
async fn crashes_after_the_newest_session_are_cut_off() {
    let fixture = Fixture::new();
    fixture.import(SESSIONS, &[session("a", "2026-11-18T08:00:00Z"), session("b", "2026-11-18T08:30:00Z")]);
    fixture
        .import(CRASHES, &[crash("before", "2026-11-18T08:30:00Z"), crash("after", "2026-11-18T11:00:00Z")]);
    let reading = read(&fixture, &request(MORNING, NOON)).await;
    assert_eq!(
        total(&reading),
        (2, 1),
        "three hours of crashes without their sessions would fake a bad release"
    );
    assert_eq!(reading.through, at("2026-11-18T08:30:00.000001Z"));
}

#[tokio::test]
async fn mature_counts_leave_the_last_hours_out_of_both_sides() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    fixture.import(CRASHES, &[crash("1", "2026-11-18T08:00:01Z"), crash("2", "2026-11-18T09:30:00Z")]);
    let mut request = request(MORNING, NOON);
    request.mature_to = at("2026-11-18T09:00:00Z");
    let reading = read(&fixture, &request).await;
    assert_eq!(only(&reading).mature, Counts { sessions: 1, crashed_sessions: 1 });
    assert_eq!(only(&reading).fresh, Counts { sessions: 2, crashed_sessions: 2 });
}

#[tokio::test]
async fn a_missing_table_is_named_and_not_counted_as_zero() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    let reading = read(&fixture, &request(MORNING, NOON)).await;
    assert_eq!(reading.absent.len(), 1);
    assert_eq!((reading.absent[0].side, reading.absent[0].table.as_str()), (Side::Crashes, CRASHES));

    let empty = Fixture::new();
    empty.import(CRASHES, &[crash("c", "2026-11-18T09:00:00Z")]);
    let reading = read(&empty, &request(MORNING, NOON)).await;
    assert_eq!(reading.absent[0].side, Side::Sessions);
    assert_eq!(total(&reading), (0, 0), "without sessions no crash is counted");
}

#[tokio::test]
async fn an_empty_table_is_there() {
    let fixture = Fixture::new();
    fixture.import(CRASHES, &[]);
    fixture.import(SESSIONS, &[]);
    let reading = read(&fixture, &request(MORNING, NOON)).await;
    assert_eq!((reading.absent.len(), total(&reading)), (0, (0, 0)));
    assert_eq!((reading.newest_session_at, reading.newest_crash_at), (None, None));
}

#[tokio::test]
async fn the_batch_table_is_read_only_where_nothing_is_streamed() {
    let fixture = Fixture::new();
    let batch = |table: &str| table.trim_end_matches("_REALTIME").to_owned();
    fixture.import(&batch(SESSIONS), &[session("a", "2026-11-18T08:00:00Z")]);
    fixture.import(&batch(CRASHES), &[crash("c", "2026-11-18T08:00:00Z")]);
    assert_eq!(total(&read(&fixture, &request(MORNING, NOON)).await), (1, 1));
    fixture.import(SESSIONS, &[session("a", "2026-11-18T08:00:00Z")]);
    fixture.import(CRASHES, &[crash("c", "2026-11-18T08:00:00Z")]);
    assert_eq!(total(&read(&fixture, &request(MORNING, NOON)).await), (1, 1), "both hold the same events");
}

#[tokio::test]
async fn people_are_counted_once_over_days() {
    let fixture = Fixture::new();
    let ann = json!({"instance_id": "ann"});
    let ann_crashed = json!({"installation_uuid": "ANN"});
    fixture.import(
        SESSIONS,
        &[
            with(session("a", "2026-11-17T08:00:00Z"), ann.clone()),
            with(session("b", "2026-11-18T08:00:00Z"), ann),
            session("c", "2026-11-18T10:00:00Z"),
        ],
    );
    fixture.import(
        CRASHES,
        &[
            with(crash("1", "2026-11-17T09:00:00Z"), ann_crashed.clone()),
            with(crash("2", "2026-11-18T09:00:00Z"), ann_crashed.clone()),
            with(crash("3", "2026-11-18T09:30:00Z"), ann_crashed),
        ],
    );
    let partials = read(&fixture, &request("2026-11-17T00:00:00Z", NOON)).await.partials;
    assert_eq!(partials.users().people(), 2);
    assert_eq!(partials.crashed_installations().people(), 1);
    assert_eq!(
        partials.crashed_installations().concentration(),
        Some(3.0),
        "one installation crashed three times"
    );
}

#[tokio::test]
async fn the_first_session_of_the_build_is_found() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    let app = ApplicationId::new("com.example.app").unwrap();
    let events = Events::new(
        Together::new(fixture.warehouse.clone()),
        Platform::Android,
        app,
        sources(SessionSource::FirebaseSessions),
    );
    let request = request(MORNING, NOON);
    let first = events.first_session(&request, at("2026-10-19T00:00:00Z")).await.unwrap();
    assert_eq!(first, Some(at("2026-11-18T08:00:00Z")));
    let after = events.first_session(&request, at("2026-11-18T11:00:00Z")).await.unwrap();
    assert_eq!(after, None);
}

mod with_analytics {
    use super::*;

    fn berlin() -> SessionSource {
        SessionSource::Analytics {
            dataset: "analytics_1".into(),
            time_zone: TimeZone::get("Europe/Berlin").unwrap(),
        }
    }

    async fn read(fixture: &Fixture, from: &str, to: &str) -> Counted {
        read_from(fixture, berlin(), &request(from, to)).await
    }

    #[tokio::test]
    async fn a_utc_day_is_covered_by_the_tables_of_two_local_dates() {
        let fixture = Fixture::new();
        // 23:30 UTC is 00:30 of the next date in Berlin.
        fixture.import("analytics_1.events_intraday_20261118", &[analytics("ann", "2026-11-18T20:00:00Z")]);
        fixture.import("analytics_1.events_intraday_20261119", &[analytics("bob", "2026-11-18T23:30:00Z")]);
        fixture.import(CRASHES, &[crash("c", "2026-11-18T23:00:00Z")]);
        let reading = read(&fixture, MORNING, "2026-11-19T00:00:00Z").await;
        assert_eq!(total(&reading), (2, 1), "both sides cover the same hours");
        assert_eq!(reading.absent, []);
    }

    #[tokio::test]
    async fn shortly_after_local_midnight_nothing_is_judged_on_half_an_hour_of_sessions() {
        let fixture = Fixture::new();
        let day: Vec<_> =
            (0..24).map(|h| analytics(&format!("p{h}"), &format!("2026-11-18T{h:02}:10:00Z"))).collect();
        let (before, after) = day.split_at(23);
        fixture.import("analytics_1.events_intraday_20261118", before);
        fixture.import("analytics_1.events_intraday_20261119", after);
        fixture.import(CRASHES, &[crash("c", "2026-11-18T05:00:00Z")]);
        let reading = read(&fixture, MORNING, "2026-11-18T23:30:00Z").await;
        assert_eq!(total(&reading), (24, 1));
    }

    #[tokio::test]
    async fn the_daily_table_is_read_once_the_streamed_one_is_gone_and_never_both() {
        let fixture = Fixture::new();
        let row = analytics("ann", "2026-11-18T10:00:00Z");
        fixture.import("analytics_1.events_20261118", std::slice::from_ref(&row));
        fixture.import(CRASHES, &[]);
        let window = (MORNING, "2026-11-18T22:00:00Z");
        assert_eq!(total(&read(&fixture, window.0, window.1).await), (1, 0));
        fixture
            .import("analytics_1.events_intraday_20261118", &[row, analytics("bob", "2026-11-18T11:00:00Z")]);
        assert_eq!(total(&read(&fixture, window.0, window.1).await), (2, 0));
    }

    #[tokio::test]
    async fn a_date_that_has_just_begun_may_have_no_table_yet() {
        let fixture = Fixture::new();
        fixture.import("analytics_1.events_intraday_20261118", &[analytics("ann", "2026-11-18T10:00:00Z")]);
        fixture.import(CRASHES, &[]);
        let reading = read(&fixture, MORNING, "2026-11-18T23:10:00Z").await;
        assert_eq!((total(&reading), reading.absent.len()), ((1, 0), 0));
        let reading = read(&fixture, "2026-11-16T23:30:00Z", "2026-11-18T10:30:00Z").await;
        assert_eq!(
            reading.absent[0].table, "analytics_1.events_intraday_20261117",
            "a gap is not a beginning"
        );
    }

    #[tokio::test]
    async fn both_sides_are_matched_by_version_and_other_apps_do_not_count() {
        let fixture = Fixture::new();
        let web = json!({"platform": "WEB", "app_info": null});
        let other_app = json!({"app_info": {"id": "com.other", "version": "2.0"}});
        let old = json!({"app_info": {"id": "com.example.app", "version": "1.9"}});
        let twice = analytics("ann", "2026-11-18T10:00:00Z");
        fixture.import(
            "analytics_1.events_intraday_20261118",
            &[
                twice.clone(),
                twice,
                with(analytics("bob", "2026-11-18T10:00:00Z"), web),
                with(analytics("cid", "2026-11-18T10:00:00Z"), other_app),
                with(analytics("dan", "2026-11-18T10:00:00Z"), old),
                with(analytics("eve", "2026-11-18T10:00:00Z"), json!({"event_name": "screen_view"})),
            ],
        );
        let another_build = json!({"application": {"build_version": "201", "display_version": "2.0"}});
        fixture.import(CRASHES, &[with(crash("c", "2026-11-18T09:00:00Z"), another_build)]);
        let reading = read(&fixture, MORNING, "2026-11-18T22:00:00Z").await;
        assert_eq!(
            total(&reading),
            (1, 1),
            "Analytics knows no build, so crashes are matched by version as well"
        );
    }
}

#[test]
fn days_are_utc() {
    assert_eq!(UtcDay::of(at("2026-11-18T23:59:59Z")).to_string(), "2026-11-18");
}

/// Counts what is run.
#[derive(Clone)]
struct Counting(
    std::sync::Arc<tidegate::adapters::embedded::Embedded>,
    std::sync::Arc<std::sync::Mutex<u32>>,
);

#[async_trait::async_trait]
impl Warehouse for Counting {
    fn engine(&self) -> tidegate::queries::Engine {
        self.0.engine()
    }

    async fn table(
        &self,
        table: &tidegate::queries::Table,
    ) -> Result<Option<TableInfo>, tidegate::ports::PortError> {
        self.0.table(table).await
    }

    async fn run(&self, query: &tidegate::queries::Query) -> Result<Answer, tidegate::ports::PortError> {
        if query.question == tidegate::queries::Question::Sessions {
            *self.1.lock().unwrap() += 1;
        }
        self.0.run(query).await
    }
}

#[tokio::test]
async fn apps_of_one_property_are_read_in_one_scan() {
    let fixture = Fixture::new();
    let row = |person: &str, platform: &str, version: &str| {
        with(
            analytics(person, "2026-11-18T08:00:00Z"),
            json!({"platform": platform, "app_info": {"id": "com.example.app", "version": version}}),
        )
    };
    let rows = [
        row("a", "ANDROID", "2.0"),
        row("b", "ANDROID", "2.0"),
        row("c", "IOS", "7.1"),
        row("d", "IOS", "1.0"),
    ];
    fixture.import("analytics_1.events_intraday_20261118", &rows);
    for platform in ["ANDROID", "IOS"] {
        let table = format!("firebase_crashlytics.com_example_app_{platform}_REALTIME");
        fixture.import(&table, &[crash(&format!("c of {platform}"), "2026-11-18T07:00:00Z")]);
    }
    let scans = std::sync::Arc::new(std::sync::Mutex::new(0));
    let together = Together::new(Counting(fixture.warehouse.clone(), scans.clone()));
    let property = SessionSource::Analytics { dataset: "analytics_1".into(), time_zone: TimeZone::UTC };
    let events = |platform| {
        let app = ApplicationId::new("com.example.app").unwrap();
        Events::new(together.clone(), platform, app, sources(property.clone()))
    };
    let (android, ios) = (events(Platform::Android), events(Platform::Ios));
    let seats = (android.sit(), ios.sit());
    let of_android = request(MORNING, NOON);
    let of_ios = MetricRequest { version: VersionName::new("7.1").unwrap(), ..request(MORNING, NOON) };
    let (android, ios) = tokio::join!(android.read(&of_android), ios.read(&of_ios));
    drop(seats);
    let sum = |reading: &Reading| {
        let day = &reading.sessions[0];
        (day.sessions, day.users.people())
    };
    assert_eq!((sum(&android.unwrap()), sum(&ios.unwrap())), ((2, 2), (1, 1)));
    assert_eq!(*scans.lock().unwrap(), 1, "one scan for both platforms");
}

#[tokio::test]
async fn nobody_waits_for_an_app_that_has_gone() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    let together = Together::new(fixture.warehouse.clone());
    let app = ApplicationId::new("com.example.app").unwrap();
    let events = Events::new(together, Platform::Android, app, sources(SessionSource::FirebaseSessions));
    let (ours, theirs) = (events.sit(), events.sit());
    let asked = request(MORNING, NOON);
    let reading = events.read(&asked);
    let leaving = async {
        tokio::task::yield_now().await;
        drop(theirs);
    };
    let started = tidegate::adapters::clock::steady();
    let (reading, ()) = tokio::join!(reading, leaving);
    assert_eq!(reading.unwrap().sessions[0].sessions, 2);
    assert!(started.elapsed() < std::time::Duration::from_secs(4), "the others' patience was not needed");
    drop(ours);
}

#[tokio::test]
async fn a_crash_from_the_future_does_not_make_a_dead_export_look_alive() {
    let fixture = Fixture::new();
    two_sessions(&fixture);
    fixture.import(CRASHES, &[crash("old", "2026-11-17T09:00:00Z"), crash("ahead", "2026-11-19T05:00:00Z")]);
    let app = ApplicationId::new("com.example.app").unwrap();
    let together = Together::new(fixture.warehouse.clone());
    let events = Events::new(together, Platform::Android, app, sources(SessionSource::FirebaseSessions));
    let reading = events.crashes(&request("2026-11-17T00:00:00Z", NOON)).await.unwrap();
    assert_eq!(reading.newest_crash_at, Some(at("2026-11-17T09:00:00Z")));
    let counted: u64 = reading.days.iter().map(|day| day.crashed_sessions).sum();
    assert_eq!(counted, 2, "it counts for the worst that there can be");
}
