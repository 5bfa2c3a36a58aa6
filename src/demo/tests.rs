//! Whether each scenario ends as its name says, and whether the rows look like the exports.
//!
//! The week is walked with a plain model of the stores and of the reading (both sides cut at the newest session, ten
//! minutes of lag, six hours to maturity) and with the statistics of the rules. Events are counted before they are
//! written as rows, so that many seeds can be tried.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::arrival::{Build, Collection, Event, Kind, Process, Report, Session};
use super::events::{EventSource, Row};
use super::scenario::{App, Scenario};
use super::schedule::looks;
use super::traffic::Exposure;
use crate::domain::ids::Platform;
use crate::domain::release::RolloutStatus;
use crate::domain::stats::{Confidence, Method, Sample, log_evidence_worse};

const CRASH_RATE_OF_SESSIONS: f64 = 5e-4;
const CRASH_RATE_OF_USERS: f64 = 1e-3;
const FAST_TRACK_MARGIN: f64 = 0.15;
const WARN_EVIDENCE: f64 = 10.0;
const HALT_EVIDENCE: f64 = 200.0;
const LEAST_CRASHES: u64 = 3;
const LAG: SignedDuration = SignedDuration::from_mins(10);
const MATURITY: SignedDuration = SignedDuration::from_hours(6);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn hours_after_midnight(hours: i64) -> Timestamp {
    date(2026, 11, 16).to_zoned(berlin()).unwrap().timestamp() + SignedDuration::from_hours(hours)
}

fn approved() -> Timestamp {
    hours_after_midnight(8)
}

fn source(app: App, seed: u64) -> EventSource {
    EventSource::new(app.scenario, app.platform, seed, approved(), berlin())
}

/// What a store offers at an instant, after what was decided.
fn offer(platform: Platform, now: Timestamp, decided: Option<RolloutStatus>) -> Exposure {
    const PHASES: [f64; 7] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
    if now < approved() {
        return Exposure { fraction: 0.0, status: RolloutStatus::Pending };
    }
    let days = (now.duration_since(approved()).as_hours() / 24) as usize;
    let fraction = match (platform, decided) {
        (_, Some(RolloutStatus::Completed)) => 1.0,
        (Platform::Android, _) => 0.15,
        (Platform::Ios, _) => PHASES[days],
    };
    Exposure { fraction, status: decided.unwrap_or(RolloutStatus::RollingOut) }
}

/// Distinct events, counted once the cut passes them.
#[derive(Default)]
struct Count {
    seen: HashSet<(bool, u64)>,
    all: Vec<i64>,
    waiting: Vec<(i64, u32)>,
    counted: u64,
    people: HashSet<u32>,
}

impl Count {
    fn arrive(&mut self, key: (bool, u64), at_us: i64, person: u32) {
        if self.seen.insert(key) {
            self.all.push(at_us);
            self.waiting.push((at_us, person));
        }
    }

    fn cut(&mut self, to_us: i64) {
        let Self { waiting, counted, people, .. } = self;
        waiting.retain(|(at_us, person)| {
            let passed = *at_us < to_us;
            if passed {
                *counted += 1;
                people.insert(*person);
            }
            !passed
        });
    }

    fn before(&self, cut: Timestamp) -> u64 {
        self.all.iter().filter(|at_us| **at_us < cut.as_microsecond()).count() as u64
    }
}

/// What is read of the new build.
#[derive(Default)]
struct Reading {
    newest_session_us: i64,
    sessions: Count,
    crashes: Count,
}

impl Reading {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Session(session) => self.take_session(session),
            Event::Report(report) if counts(report) => {
                let key = report.session.map_or((false, report.number), |session| (true, session));
                self.crashes.arrive(key, report.at_us, report.person);
            }
            Event::Report(_) => {}
        }
    }

    fn take_session(&mut self, session: &Session) {
        if session.collection == Collection::Disabled {
            return;
        }
        self.newest_session_us = self.newest_session_us.max(session.at_us);
        if session.build == Build::New && session.at_us >= approved().as_microsecond() {
            self.sessions.arrive((true, session.number), session.at_us, session.person);
        }
    }

    fn cut(&mut self, now: Timestamp) {
        let to_us = (now - LAG).as_microsecond().min(self.newest_session_us + 1);
        self.sessions.cut(to_us);
        self.crashes.cut(to_us);
    }

    fn fresh(&self) -> Sample {
        Sample::new(self.sessions.counted, self.crashes.counted).unwrap()
    }

    fn mature(&self, now: Timestamp) -> Sample {
        let cut = now - MATURITY;
        Sample::new(self.sessions.before(cut), self.crashes.before(cut)).unwrap()
    }

    fn users(&self) -> Sample {
        Sample::new(self.sessions.people.len() as u64, self.crashes.people.len() as u64).unwrap()
    }
}

fn counts(report: &Report) -> bool {
    let anr = report.kind == Kind::Anr && report.process == Process::Foreground;
    let crash = anr || report.kind == Kind::Fatal;
    crash && report.build == Build::New && report.at_us >= approved().as_microsecond()
}

/// How a week went, up to the decision that ended it.
#[derive(Default)]
struct Week {
    rows: usize,
    /// Hours since Monday 00:00, as all of them.
    halted: Option<f64>,
    warned: Option<f64>,
    users_warned: Option<f64>,
    fast_tracked: bool,
    mature_on_day_two: Option<Sample>,
    fresh_on_day_two: Option<Sample>,
    last: Option<Sample>,
    greatest_evidence: f64,
    last_evidence: f64,
}

impl Week {
    fn decided(&self) -> Option<RolloutStatus> {
        let halted = self.halted.map(|_| RolloutStatus::Halted);
        halted.or(self.fast_tracked.then_some(RolloutStatus::Completed))
    }

    fn judge(&mut self, reading: &Reading, now: Timestamp) {
        let hour = now.duration_since(hours_after_midnight(0)).as_secs_f64() / 3600.0;
        if now >= approved() + DAY && self.mature_on_day_two.is_none() {
            self.check(reading, now);
        }
        let fresh = reading.fresh();
        self.last_evidence = log_evidence_worse(fresh, CRASH_RATE_OF_SESSIONS);
        self.greatest_evidence = self.greatest_evidence.max(self.last_evidence);
        self.last = Some(fresh);
        if self.last_evidence >= WARN_EVIDENCE.ln() {
            self.warned.get_or_insert(hour);
        }
        if log_evidence_worse(reading.users(), CRASH_RATE_OF_USERS) >= WARN_EVIDENCE.ln() {
            self.users_warned.get_or_insert(hour);
        }
        if self.last_evidence >= HALT_EVIDENCE.ln() && reading.crashes.counted >= LEAST_CRASHES {
            self.halted.get_or_insert(hour);
        }
    }

    fn check(&mut self, reading: &Reading, now: Timestamp) {
        let tightened = CRASH_RATE_OF_SESSIONS * (1.0 - FAST_TRACK_MARGIN);
        let mature = reading.mature(now);
        let level = Confidence::new(0.99).unwrap();
        self.fast_tracked = Method::ClopperPearson.better_than(mature, tightened, level);
        self.mature_on_day_two = Some(mature);
        self.fresh_on_day_two = Some(reading.fresh());
    }
}

/// Walks the week under the decisions that the rules would take.
fn walk(app: App, seed: u64) -> Week {
    let (mut source, mut week, mut reading) = (source(app, seed), Week::default(), Reading::default());
    let mut last = hours_after_midnight(0);
    let mut instants = looks(date(2026, 11, 16), &berlin());
    instants.push(approved());
    instants.sort_unstable();
    for now in instants {
        let arrivals = source.arrivals(last, now, offer(app.platform, last, week.decided()));
        week.rows += arrivals.len();
        if week.decided().is_none() {
            arrivals.iter().for_each(|arrival| reading.take(&arrival.event));
            reading.cut(now);
            week.judge(&reading, now);
        }
        last = now;
    }
    week
}

fn both_platforms(scenario: Scenario) -> impl Iterator<Item = App> {
    App::ALL.into_iter().filter(move |app| app.scenario == scenario)
}

/// Walks a scenario on both platforms under many seeds, and prints the ranges of what was found.
fn walk_all(scenario: Scenario, seeds: u64, check: fn(&Week)) {
    for app in both_platforms(scenario) {
        let mut found = Ranges::default();
        for seed in 0..seeds {
            let week = walk(app, seed);
            found.note(&week);
            check(&week);
        }
        println!("{} under {seeds} seeds: {found}", app.id());
    }
}

/// The least and the greatest of each number.
#[derive(Default)]
struct Ranges(BTreeMap<&'static str, (f64, f64)>);

impl Ranges {
    fn note(&mut self, week: &Week) {
        let sample = |sample: Option<Sample>| sample.map(|sample| (sample.trials(), sample.events()));
        let (mature, fresh) = (sample(week.mature_on_day_two), sample(week.fresh_on_day_two));
        let last = sample(week.last);
        self.widen("rows", Some(week.rows as f64));
        self.widen("mature sessions on day two", mature.map(|s| s.0));
        self.widen("mature crashes on day two", mature.map(|s| s.1));
        self.widen("fresh sessions on day two", fresh.map(|s| s.0));
        self.widen("last sessions", last.map(|s| s.0));
        self.widen("last crashes", last.map(|s| s.1));
        self.widen("greatest evidence", Some(week.greatest_evidence));
        self.widen("last evidence", Some(week.last_evidence));
        self.widen("warned in hour", week.warned);
        self.widen("warned of users in hour", week.users_warned);
        self.widen("halted in hour", week.halted);
    }

    fn widen(&mut self, name: &'static str, value: Option<f64>) {
        let Some(value) = value else { return };
        let range = self.0.entry(name).or_insert((value, value));
        *range = (range.0.min(value), range.1.max(value));
    }
}

impl std::fmt::Display for Ranges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(name, (least, most))| write!(f, "{name} {least:.2}..{most:.2}, "))
    }
}

/// Seeds that are tried on every run of the tests. After changing a number of the scenarios, try 60.
const SOME_SEEDS: u64 = 3;

fn is_proven_on_day_two(week: &Week) {
    let (mature, fresh) = (week.mature_on_day_two.unwrap(), week.fresh_on_day_two.unwrap());
    assert!(week.fast_tracked && week.halted.is_none());
    assert!((22_000.0..26_000.0).contains(&mature.trials()), "{mature:?}");
    assert!((27_000.0..32_000.0).contains(&fresh.trials()), "{fresh:?}");
    assert!(fresh.events() <= 1.0, "{fresh:?}");
    assert_eq!(
        (week.warned, week.users_warned),
        (None, None),
        "a warning would keep it from being completed"
    );
}

fn is_halted_on_monday(week: &Week) {
    let (hour, last) = (week.halted.unwrap(), week.last.unwrap());
    assert!((9.0..24.0).contains(&hour), "halted in hour {hour}");
    assert!((200.0..4000.0).contains(&last.trials()), "{last:?}");
}

fn is_warned_about_in_the_middle_of_the_week(week: &Week) {
    assert!(!week.fast_tracked && week.halted.is_none());
    assert!(week.greatest_evidence < HALT_EVIDENCE.ln(), "{}", week.greatest_evidence);
    let (warned, users_warned) = (week.warned.unwrap(), week.users_warned.unwrap());
    assert!((48.0..144.0).contains(&warned), "warned in hour {warned}");
    assert!((24.0..96.0).contains(&users_warned), "warned of users in hour {users_warned}");
}

#[test]
fn the_good_release_is_proven_at_the_check_of_day_two() {
    walk_all(Scenario::Good, SOME_SEEDS, is_proven_on_day_two);
}

#[test]
fn the_bad_release_is_halted_on_monday() {
    walk_all(Scenario::Bad, SOME_SEEDS, is_halted_on_monday);
}

#[test]
fn the_doubtful_release_is_warned_about_and_neither_halted_nor_proven() {
    walk_all(Scenario::Doubtful, SOME_SEEDS, is_warned_about_in_the_middle_of_the_week);
}

#[test]
fn the_week_of_all_apps_has_few_rows() {
    let rows: usize = App::ALL.into_iter().map(|app| walk(app, 1).rows).sum();
    assert!((200_000..300_000).contains(&rows), "{rows}");
}

/// The rows of an app from Monday 00:00 on, nothing being decided.
fn rows_of(app: App, seed: u64, last_hour: i64) -> Vec<Row> {
    let mut source = source(app, seed);
    let offered = |hour| offer(app.platform, hours_after_midnight(hour), None);
    (0..last_hour)
        .flat_map(|hour| {
            source.advance(hours_after_midnight(hour), hours_after_midnight(hour + 1), offered(hour))
        })
        .collect()
}

fn written(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{} {}\n", row.table, row.values)).collect()
}

#[test]
fn the_same_seed_gives_the_same_rows_byte_for_byte() {
    for app in App::ALL {
        let rows = written(&rows_of(app, 7, 10));
        assert_eq!(rows, written(&rows_of(app, 7, 10)));
        assert_ne!(rows, written(&rows_of(app, 8, 10)));
    }
}

#[test]
fn rows_come_in_the_order_in_which_they_are_received_and_in_their_time() {
    let app = App::ALL[1];
    let mut source = source(app, 3);
    for hour in 6..14 {
        let (from, to) = (hours_after_midnight(hour), hours_after_midnight(hour + 1));
        let arrivals = source.arrivals(from, to, offer(app.platform, from, None));
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.received_us));
        let stretch = from.as_microsecond()..to.as_microsecond();
        assert!(
            !arrivals.is_empty() && arrivals.iter().all(|arrival| stretch.contains(&arrival.received_us))
        );
    }
}

#[test]
fn every_app_looks_alive_before_its_release() {
    for app in App::ALL {
        let rows = rows_of(app, 5, 6);
        let sessions = rows.iter().filter(|row| row.table == app.sessions_table()).count();
        let reports = rows.iter().filter(|row| row.table == app.crashes_table()).count();
        assert!((190..260).contains(&sessions) && (6..22).contains(&reports), "{sessions} {reports}");
        assert!(rows.iter().all(|row| row.values["application"]["build_version"] == "2620"));
    }
}

fn texts(rows: &[&Row], column: &str) -> BTreeMap<String, usize> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    rows.iter().fold(BTreeMap::new(), |mut found, row| {
        *found.entry(text(row.values.get(column).unwrap_or(&Value::Null))).or_default() += 1;
        found
    })
}

fn table<'r>(rows: &'r [Row], name: &str) -> Vec<&'r Row> {
    rows.iter().filter(|row| row.table == name).collect()
}

const SESSION_COLUMNS: &[&str] = &[
    "application",
    "crashlytics_data_collection_enabled",
    "device",
    "event_timestamp",
    "event_type",
    "first_session_id",
    "instance_id",
    "operating_system",
    "performance_data_collection_enabled",
    "received_timestamp",
    "session_id",
    "session_index",
];

const REPORT_COLUMNS: &[&str] = &[
    "application",
    "blame_frame",
    "bundle_identifier",
    "device",
    "error_type",
    "event_id",
    "event_timestamp",
    "firebase_session_id",
    "installation_uuid",
    "is_fatal",
    "issue_id",
    "issue_subtitle",
    "issue_title",
    "operating_system",
    "platform",
    "process_state",
    "received_timestamp",
];

/// What `bq extract` writes for the type of a column.
fn has_its_type(column: &str, value: &Value) -> bool {
    let text = value.as_str();
    match column {
        "application" | "blame_frame" | "device" | "operating_system" => value.is_object(),
        "crashlytics_data_collection_enabled" | "performance_data_collection_enabled" | "is_fatal" => {
            value.is_boolean()
        }
        "session_index" => text.is_some_and(|text| text.parse::<i64>().is_ok()),
        "event_timestamp" | "received_timestamp" => text
            .and_then(|text| text.strip_suffix(" UTC"))
            .is_some_and(|text| text.len() == 26 && format!("{text}Z").parse::<Timestamp>().is_ok()),
        _ => text.is_some_and(|text| !text.is_empty()),
    }
}

#[test]
fn rows_have_the_columns_and_types_of_the_exports() {
    for app in App::ALL {
        let rows = rows_of(app, 2, 12);
        assert!(rows.iter().all(|row| row.table == app.sessions_table() || row.table == app.crashes_table()));
        for (name, columns) in
            [(app.sessions_table(), SESSION_COLUMNS), (app.crashes_table(), REPORT_COLUMNS)]
        {
            let mut found = BTreeSet::new();
            for row in table(&rows, &name) {
                for (column, value) in row.values.as_object().unwrap() {
                    assert!(has_its_type(column, value), "{column} of {name}: {value}");
                    found.insert(column.as_str());
                }
            }
            assert_eq!(found.into_iter().collect::<Vec<_>>(), columns, "{name}");
        }
    }
}

#[test]
fn a_row_is_written_as_bq_extract_writes_it() {
    let app = App::ALL[0];
    let rows = rows_of(app, 2, 9);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let [session, report] = [app.sessions_table(), app.crashes_table()].map(|name| table(&rows, &name)[0]);
    assert_eq!(session.values["event_type"], "SESSION_START");
    assert_eq!(keys(&session.values["application"]), ["build_version", "display_version"]);
    assert_eq!(report.values["platform"], "ANDROID");
    assert_eq!(report.values["bundle_identifier"], "com.example.good");
    assert!(report.values["blame_frame"]["line"].is_string(), "INT64 is written as text");
}

#[test]
fn the_rows_hold_what_the_questions_must_leave_out() {
    let app = App::ALL[0];
    let rows = rows_of(app, 4, 40);
    let (sessions, reports) = (table(&rows, &app.sessions_table()), table(&rows, &app.crashes_table()));
    assert!(texts(&sessions, "crashlytics_data_collection_enabled")["false"] > 100);
    assert!(texts(&sessions, "session_id").values().any(|rows| *rows == 2));
    assert!(texts(&reports, "event_id").values().any(|rows| *rows == 2));
    let states = texts(&reports, "process_state");
    let some = |name: &str| assert!(states.contains_key(name), "{name} is missing in {states:?}");
    ["FOREGROUND", "BACKGROUND", "UNKNOWN_PROCESS_STATE", "null"].into_iter().for_each(some);
    assert_eq!(texts(&reports, "error_type").keys().collect::<Vec<_>>(), ["ANR", "FATAL", "NON_FATAL"]);
    assert!(texts(&reports, "firebase_session_id").contains_key("null"));
    assert!(reports.iter().all(|r| (r.values["error_type"] == "FATAL") == (r.values["is_fatal"] == true)));
}

#[test]
fn ios_has_no_anr_and_apple_devices_no_manufacturer_in_sessions() {
    let app = App::ALL[4];
    let rows = rows_of(app, 4, 60);
    let reports = table(&rows, &app.crashes_table());
    assert_eq!(texts(&reports, "error_type").keys().collect::<Vec<_>>(), ["FATAL", "NON_FATAL"]);
    assert!(!texts(&reports, "firebase_session_id").contains_key("null"));
    let sessions = table(&rows, &app.sessions_table());
    assert!(sessions.iter().all(|row| row.values["device"].get("manufacturer").is_none()));
}

#[test]
fn testers_have_the_new_build_before_the_release() {
    let app = App::ALL[2];
    let rows = rows_of(app, 4, 8);
    let of_new_build = |name: &str| {
        let is_new = |row: &&&Row| row.values["application"]["build_version"] == "2630";
        table(&rows, name).iter().filter(is_new).count()
    };
    assert!((10..25).contains(&of_new_build(&app.sessions_table())));
    assert!((1..8).contains(&of_new_build(&app.crashes_table())));
}

#[test]
fn a_person_has_two_ids_that_no_join_finds() {
    let app = App::ALL[1];
    let rows = rows_of(app, 4, 16);
    let people = |name: &str, column: &str| -> BTreeSet<String> {
        texts(&table(&rows, name), column).into_keys().collect()
    };
    let instances = people(&app.sessions_table(), "instance_id");
    let installations = people(&app.crashes_table(), "installation_uuid");
    assert!(instances.is_disjoint(&installations));
    assert!(instances.iter().all(|id| id.len() == 22) && installations.iter().all(|id| id.len() == 64));
}
