//! What the rows must hold for the comparison to mean something: the known pitfalls of the exports, each with the
//! predicate that finds it. Which tables are read at all (a zone's midnight, days with 23 hours, a date that has two
//! tables or none) is not asked in SQL and has its tests beside the metric source.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidegate::domain::sketch::SKETCH_SIZE;

use super::rows::{BUILDS, EARLIEST, FROM, LATEST, MIDNIGHT, Rows, TITLES, TO, VERSIONS, micros, written};
use crate::support::at;

type Case = (&'static str, fn(&Rows) -> bool);

const CASES: [Case; 34] = [
    ("a report that is stored twice", |rows| is_repeated(&rows.crashes, "/event_id")),
    ("a session that is stored twice", |rows| is_repeated(&rows.sessions, "/session_id")),
    ("an event exactly at the start of a window", |rows| is_in_each(rows, FROM)),
    ("an event exactly at the end of a window", |rows| is_in_each(rows, TO)),
    ("an event at midnight", |rows| is_in_each(rows, MIDNIGHT)),
    ("an ANR in the foreground", |rows| anr(rows, Some("FOREGROUND"))),
    ("an ANR in the background", |rows| anr(rows, Some("BACKGROUND"))),
    ("an ANR in a state that is not known", |rows| anr(rows, Some("UNKNOWN_PROCESS_STATE"))),
    ("an ANR without a state", |rows| anr(rows, None)),
    ("a non-fatal report", |rows| holds(&rows.crashes, "/error_type", &json!("NON_FATAL"))),
    ("a crash without a session", |rows| lacks(&rows.crashes, "/firebase_session_id")),
    ("a crash without an installation", |rows| lacks(&rows.crashes, "/installation_uuid")),
    ("a crash whose session is in no table", |rows| {
        let sessions = texts(&rows.sessions, "/session_id");
        texts(&rows.crashes, "/firebase_session_id").iter().any(|session| !sessions.contains(session))
    }),
    ("a crash whose session is in a table", |rows| {
        let sessions = texts(&rows.sessions, "/session_id");
        texts(&rows.crashes, "/firebase_session_id").iter().any(|session| sessions.contains(session))
    }),
    ("a crash that came in on a later day", |rows| {
        let day = |row: &Value, column: &str| {
            row[column].as_str().and_then(|text| text.get(..10)).map(str::to_owned)
        };
        rows.crashes.iter().any(|row| day(row, "event_timestamp") < day(row, "received_timestamp"))
    }),
    ("a crash of no issue", |rows| lacks(&rows.crashes, "/issue_id")),
    ("a crash without a title", |rows| lacks(&rows.crashes, "/issue_title")),
    ("a title with a NUL and control characters", |rows| {
        TITLES.iter().all(|title| holds(&rows.crashes, "/issue_title", &json!(title)))
    }),
    ("a title of 10 kB", |rows| {
        texts(&rows.crashes, "/issue_title").iter().any(|title| title.len() >= 10_000)
    }),
    ("a session that can't report a crash", |rows| {
        holds(&rows.sessions, "/crashlytics_data_collection_enabled", &json!(false))
    }),
    ("a session of nobody", |rows| {
        lacks(&rows.sessions, "/instance_id") && lacks(&rows.analytics, "/user_pseudo_id")
    }),
    ("a version with a suffix", |rows| has_version(rows, "2.0-rc1")),
    ("versions that differ in case only", |rows| has_version(rows, "2.0-RC1")),
    ("builds that hold one another", |rows| ["20", "200", "2000"].iter().all(|build| has_build(rows, build))),
    ("every strange version and build", |rows| {
        VERSIONS.iter().all(|version| has_version(rows, version))
            && BUILDS.iter().all(|build| has_build(rows, build))
    }),
    ("two builds of one version", |rows| {
        let mut builds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in &rows.sessions {
            let name = |field: &str| row["application"][field].as_str().unwrap_or_default().to_owned();
            builds.entry(name("display_version")).or_default().insert(name("build_version"));
        }
        builds["2.0"].contains("200") && builds["2.0"].contains("201")
    }),
    ("no version", |rows| {
        lacks(&rows.crashes, "/application/display_version")
            && lacks(&rows.sessions, "/application/display_version")
            && lacks(&rows.analytics, "/app_info/version")
    }),
    ("no build", |rows| {
        lacks(&rows.crashes, "/application/build_version")
            && lacks(&rows.sessions, "/application/build_version")
    }),
    ("a property with web, iOS and Android", |rows| {
        texts(&rows.analytics, "/platform") == ["ANDROID", "IOS", "WEB"].into()
    }),
    ("a property with two apps", |rows| {
        let apps = texts(&rows.analytics, "/app_info/id");
        apps.contains("com.example.app") && apps.contains("com.example.other")
    }),
    ("the first and the last instant", |rows| {
        let there = |instant| holds(&rows.crashes, "/event_timestamp", &json!(written(at(instant))));
        there(EARLIEST)
            && there(LATEST)
            && holds(&rows.analytics, "/event_timestamp", &json!(i64::MIN.to_string()))
    }),
    ("nested columns with and without values", |rows| {
        let there = |pointer: &str| rows.crashes.iter().any(|row| row.pointer(pointer).is_some());
        there("/exceptions/0/frames/0/symbol")
            && there("/errors/0/frames/0/offset")
            && lacks(&rows.crashes, "/errors")
    }),
    ("events that start no session", |rows| holds(&rows.analytics, "/event_name", &json!("app_exception"))),
    ("a day with more people than a sketch keeps", |rows| {
        texts(&rows.crowd, "/instance_id").len() > SKETCH_SIZE
            && texts(&rows.crowd, "/event_timestamp").len() == 1
    }),
];

#[test]
fn the_rows_hold_every_known_case() {
    let rows = Rows::new();
    let missing: Vec<_> =
        CASES.iter().filter(|(_, is_there)| !is_there(&rows)).map(|(name, _)| name).collect();
    assert!(missing.is_empty(), "the rows do not hold {missing:#?}");
}

fn holds(rows: &[Value], pointer: &str, value: &Value) -> bool {
    rows.iter().any(|row| row.pointer(pointer) == Some(value))
}

fn lacks(rows: &[Value], pointer: &str) -> bool {
    rows.iter().any(|row| row.pointer(pointer).is_none())
}

fn texts<'r>(rows: &'r [Value], pointer: &str) -> BTreeSet<&'r str> {
    rows.iter().filter_map(|row| row.pointer(pointer)?.as_str()).collect()
}

fn is_repeated(rows: &[Value], pointer: &str) -> bool {
    texts(rows, pointer).len() < rows.len()
}

fn is_in_each(rows: &Rows, instant: &str) -> bool {
    let written = json!(written(at(instant)));
    holds(&rows.crashes, "/event_timestamp", &written)
        && holds(&rows.sessions, "/event_timestamp", &written)
        && holds(&rows.analytics, "/event_timestamp", &json!(micros(at(instant))))
}

fn anr(rows: &Rows, state: Option<&str>) -> bool {
    let is_anr = |row: &&Value| row["error_type"] == "ANR";
    rows.crashes.iter().filter(is_anr).any(|row| row.get("process_state").and_then(Value::as_str) == state)
}

fn has_version(rows: &Rows, version: &str) -> bool {
    texts(&rows.crashes, "/application/display_version").contains(version)
        && texts(&rows.sessions, "/application/display_version").contains(version)
        && texts(&rows.analytics, "/app_info/version").contains(version)
}

fn has_build(rows: &Rows, build: &str) -> bool {
    texts(&rows.crashes, "/application/build_version").contains(build)
        && texts(&rows.sessions, "/application/build_version").contains(build)
}
