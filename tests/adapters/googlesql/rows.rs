//! Rows as `bq extract` writes them: those that the exports are known for, one by one, and many at random.
//!
//! The random ones are drawn from small pools, so that ids, instants, versions and people meet each other often. The
//! seed is fixed: the rows are the same on every machine.

use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tidegate::domain::sketch::SKETCH_SIZE;

use crate::support::{at, with};

/// The window that starts and ends exactly at events, and its mature cut, which is an event too.
pub const FROM: &str = "2026-11-16T08:00:00Z";
pub const MATURE: &str = "2026-11-17T12:00:00.25Z";
pub const TO: &str = "2026-11-18T16:30:00.5Z";
/// The window around everything that is not extreme.
pub const FIRST_DAY: &str = "2026-11-15T00:00:00Z";
pub const AFTER_LAST_DAY: &str = "2026-11-20T00:00:00Z";
/// Where one UTC day ends and the next begins.
pub const MIDNIGHT: &str = "2026-11-18T00:00:00Z";
/// The ends of what BigQuery's timestamps and the importer's can both say.
pub const EARLIEST: &str = "0001-01-01T00:00:00Z";
pub const LATEST: &str = "9999-12-30T21:59:59.999999Z";
const BEFORE_1970: &str = "1969-12-31T23:59:59.999999Z";

/// After midnight and inside every longer window.
const LATE: &str = "2026-11-18T09:00:00Z";

/// One of them holds the other, and the wildcards, escapes, quotes and separators of one engine or another are in them.
pub const VERSIONS: [&str; 21] = [
    "2.0",
    "2.0.1",
    "2.0-rc1",
    "2.0-RC1",
    "2.0 (debug)",
    "2.0 ",
    "2_0",
    "2%0",
    "%",
    "2\u{0}0",
    r"2\0",
    r"2.0\",
    "2.0'; --",
    "\"2.0\"",
    "2.0,2.0.1",
    "",
    "версия 2",
    "2.0 🚀",
    "caf\u{e9}",
    "cafe\u{301}",
    "2.0\n@builds {table} ?1",
];
pub const BUILDS: [&str; 16] = [
    "20", "200", "2000", "201", "020", "20a", "20A", "2_0", "2%", "_", r"20\", r"2\00", "'", "20,200", "",
    "２０",
];

/// Titles that are hard to compare, to hold or to show.
pub const TITLES: [&str; 6] =
    ["com.example.Main.onCreate", "List<T> & 'first'", "", " ", "\u{0}\u{1b}[31m\r\n\t\u{202e}", "ошибка 🚀"];
/// A report may carry a whole message in its title, in characters.
const LONG_TITLE: usize = 10_000;

/// As few as can be: the time of Google's engine grows with the square of a day's people.
const PEOPLE_OF_A_CROWD: usize = SKETCH_SIZE + 1;
const RANDOM_ROWS: usize = 500;
const SEED: u64 = 20_261_118;

/// The rows of each export.
pub struct Rows {
    pub crashes: Vec<Value>,
    pub sessions: Vec<Value>,
    pub analytics: Vec<Value>,
    /// Sessions of more people than a sketch keeps, on one day.
    pub crowd: Vec<Value>,
}

impl Rows {
    pub fn new() -> Self {
        let mut chance = Chance(ChaCha8Rng::seed_from_u64(SEED));
        let mut random =
            |row: fn(&mut Chance) -> Value| (0..RANDOM_ROWS).map(|_| row(&mut chance)).collect::<Vec<_>>();
        Self {
            crashes: extracted([known_crashes(), random(Chance::crash)].concat()),
            sessions: extracted([known_sessions(), random(Chance::session)].concat()),
            analytics: extracted([known_analytics(), random(Chance::analytics)].concat()),
            crowd: extracted((0..PEOPLE_OF_A_CROWD).map(of_a_crowd).collect()),
        }
    }
}

fn of_a_crowd(person: usize) -> Value {
    json!({
        "session_id": format!("s{person}"), "instance_id": format!("person {person}"), "event_type": "SESSION_START",
        "event_timestamp": written(at(MIDNIGHT)), "crashlytics_data_collection_enabled": true,
        "application": application("2.0", "200"),
    })
}

/// Nothing is written for NULL.
fn extracted(rows: Vec<Value>) -> Vec<Value> {
    rows.into_iter().map(without_nulls).collect()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let there = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(there.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_nulls).collect()),
        plain => plain,
    }
}

/// An instant as BigQuery writes it, a whole second without a fraction.
pub fn written(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M:%S%.f UTC").to_string()
}

/// An instant of an Analytics event.
pub fn micros(instant: Timestamp) -> String {
    instant.as_microsecond().to_string()
}

fn just_before(instant: &str) -> String {
    (at(instant) - SignedDuration::from_micros(1)).to_string()
}

fn application(version: &str, build: &str) -> Value {
    json!({"display_version": version, "build_version": build})
}

/// A fatal report of version 2.0, build 200, with everything that Android sends.
fn report(id: &str, instant: &str) -> Value {
    let frame = json!({
        "address": "1311768467463790320", "blamed": true, "file": "Main \"quoted\".kt", "line": "42", "offset": "-1",
        "owner": "DEVELOPER", "symbol": "com.example.Main.onCreate",
    });
    json!({
        "event_id": id, "event_timestamp": written(at(instant)), "error_type": "FATAL", "process_state": "FOREGROUND",
        "received_timestamp": written(at(instant)), "platform": "ANDROID", "bundle_identifier": "com.example.app",
        "is_fatal": true, "firebase_session_id": format!("session of {id}"),
        "installation_uuid": format!("installation of {id}"), "application": application("2.0", "200"),
        "issue_id": "i1", "issue_title": "Main.kt line 42 — «Ошибка»", "issue_subtitle": "it's \"bad\"", "variant_id": "v1",
        "blame_frame": frame, "memory": {"free": "123", "used": "456"}, "user": {"id": "u"},
        "exceptions": [
            {"type": "java.lang.IllegalStateException", "exception_message": "it's\n\"bad\" 100 %", "nested": false,
             "frames": [frame, {"symbol": "run"}]},
            {"type": "java.io.IOException", "nested": true},
        ],
        "breadcrumbs": [{"name": "screen_view", "timestamp": written(at(instant)),
                         "params": [{"key": "k", "value": "v"}, {"key": "empty"}]}],
        "custom_keys": [{"key": "build_version", "value": "999"}],
        "threads": [{"crashed": true, "thread_name": "main", "frames": [frame]}, {"crashed": false}],
        "unity_metadata": {"debug_build": false, "processor_count": "8"},
        "logs": [], "device": {"manufacturer": "Google", "model": "Pixel 9"},
        "operating_system": {"name": "Android", "display_version": "17", "modification_state": "UNMODIFIED"},
    })
}

/// The same with what Apple's platforms send.
fn report_of_ios(id: &str, instant: &str) -> Value {
    let errors = json!([{"blamed": true, "code": "-1009", "title": "NSURLErrorDomain",
                         "frames": [{"library": "App", "offset": "7"}]}]);
    with(report(id, instant), json!({"platform": "IOS", "exceptions": null, "errors": errors}))
}

fn known_crashes() -> Vec<Value> {
    let mut rows = Vec::new();
    let morning = "2026-11-17T09:00:00Z";
    let mut add = |row: Value, changes: Value| rows.push(with(row, changes));

    for _ in 0..2 {
        add(report("stored twice", morning), json!({}));
    }
    add(report("stored twice", morning), json!({"variant_id": "v2", "process_state": null}));
    add(report("stored twice", FROM), json!({"application": application("1.9", "199")}));

    for (name, instant) in
        [("at from", FROM), ("at to", TO), ("at the mature cut", MATURE), ("at midnight", MIDNIGHT)]
    {
        add(report(name, instant), json!({}));
        add(report(&format!("just before {name}"), &just_before(instant)), json!({}));
    }
    for instant in [EARLIEST, BEFORE_1970, "1970-01-01T00:00:00Z", LATEST] {
        add(report(instant, instant), json!({}));
    }

    for state in ["FOREGROUND", "BACKGROUND", "UNKNOWN_PROCESS_STATE"] {
        add(
            report(&format!("anr {state}"), morning),
            json!({"error_type": "ANR", "process_state": state, "is_fatal": false}),
        );
        add(report(&format!("fatal {state}"), morning), json!({"process_state": state}));
    }
    add(report("anr nowhere", morning), json!({"error_type": "ANR", "process_state": null}));
    add(report("fatal nowhere", morning), json!({"process_state": null}));
    add(
        report_of_ios("non-fatal", morning),
        json!({"error_type": "NON_FATAL", "installation_uuid": "only a non-fatal"}),
    );

    let issue = |issue: &str, person: &str| json!({"issue_id": issue, "installation_uuid": person});
    for (id, issue_id, person) in
        [("t1", "tie", "p1"), ("t2", "tie", "p2"), ("t3", "a tie", "p1"), ("t4", "a tie", "p1")]
    {
        add(report(id, morning), issue(issue_id, person));
    }
    for (id, instant, title) in
        [("n1", morning, json!("old title")), ("n2", MIDNIGHT, json!("x".repeat(LONG_TITLE)))]
    {
        add(report(id, instant), json!({"issue_id": "renamed", "issue_title": title}));
    }
    add(
        report("n3", LATE),
        json!({"issue_id": "renamed", "issue_title": null, "issue_subtitle": "of no title"}),
    );
    add(
        report("untitled", morning),
        json!({"issue_id": "untitled", "issue_title": null, "issue_subtitle": null}),
    );
    add(report("of no issue", morning), json!({"issue_id": null}));

    let same = |id: &str| json!({"firebase_session_id": id});
    add(report("first of a session", morning), same("two crashes"));
    add(report("second of a session", morning), same("two crashes"));
    add(report("third of a session", MIDNIGHT), same("two crashes"));
    add(
        report("a", FROM),
        json!({"firebase_session_id": "non-fatal, then a crash", "error_type": "NON_FATAL"}),
    );
    add(report("b", MATURE), same("non-fatal, then a crash"));
    add(report("c", morning), json!({"firebase_session_id": "both", "error_type": "ANR"}));
    add(report("d", morning), same("both"));
    add(report("absent", morning), same("a session that no table has"));
    for id in ["no session 1", "no session 2"] {
        add(report(id, morning), json!({"firebase_session_id": null}));
        add(
            report(&format!("{id}, no installation"), morning),
            json!({"firebase_session_id": null, "installation_uuid": null}),
        );
    }
    add(report("no installation", morning), json!({"installation_uuid": null}));
    add(report("late", "2026-11-16T23:30:00Z"), json!({"received_timestamp": "2026-11-19 06:00:00 UTC"}));

    for application in nameless() {
        add(report(&format!("of {application}"), morning), json!({"application": application}));
    }
    for (place, (version, build)) in names().enumerate() {
        add(report(&format!("name {place}"), morning), json!({"application": application(version, build)}));
        let person = json!({"application": application(version, build), "installation_uuid": version, "firebase_session_id": build});
        add(report(&format!("%_\\'\"🚀 {place}"), morning), person);
    }
    rows
}

/// A session of version 2.0, build 200.
fn session(id: &str, instant: &str) -> Value {
    json!({
        "session_id": id, "first_session_id": id, "session_index": "0", "instance_id": format!("person of {id}"),
        "event_type": "SESSION_START", "event_timestamp": written(at(instant)),
        "received_timestamp": written(at(instant)), "performance_data_collection_enabled": false,
        "crashlytics_data_collection_enabled": true, "application": application("2.0", "200"),
        "device": {"manufacturer": "Google", "model": "Pixel 9"},
        "operating_system": {"name": "Android", "display_version": "17", "device_type": "MOBILE_PHONE"},
    })
}

fn known_sessions() -> Vec<Value> {
    let mut rows = Vec::new();
    let morning = "2026-11-17T09:00:00Z";
    let mut add = |row: Value, changes: Value| rows.push(with(row, changes));

    for _ in 0..2 {
        add(session("stored twice", morning), json!({}));
    }
    add(
        session("stored twice", FROM),
        json!({"application": application("1.9", "199"), "instance_id": "another"}),
    );
    for (name, instant) in
        [("at from", FROM), ("at to", TO), ("at the mature cut", MATURE), ("at midnight", MIDNIGHT)]
    {
        add(session(name, instant), json!({}));
        add(session(&format!("just before {name}"), &just_before(instant)), json!({}));
    }
    for instant in [EARLIEST, BEFORE_1970, "1970-01-01T00:00:00Z", LATEST] {
        add(session(instant, instant), json!({}));
    }
    add(session("two crashes", morning), json!({}));
    add(session("collection disabled", morning), json!({"crashlytics_data_collection_enabled": false}));
    add(session("of another type", morning), json!({"event_type": "SESSION_END"}));
    add(session("of nobody", morning), json!({"instance_id": null}));
    add(session("of nobody either", morning), json!({"instance_id": null}));
    for application in nameless() {
        add(session(&format!("of {application}"), morning), json!({"application": application}));
    }
    for (place, (version, build)) in names().enumerate() {
        let person = json!({"application": application(version, build), "instance_id": version});
        add(session(&format!("%_\\'\"🚀 {place}"), morning), person);
    }
    rows
}

/// A session start of version 2.0 on Android.
fn start(person: &str, instant: &str) -> Value {
    json!({
        "event_name": "session_start", "event_timestamp": micros(at(instant)), "platform": "ANDROID",
        "event_date": "20261118", "user_pseudo_id": person,
        "app_info": {"id": "com.example.app", "version": "2.0", "install_source": "com.android.vending"},
        "event_params": [
            {"key": "ga_session_id", "value": {"int_value": "1794816062"}},
            {"key": "firebase_screen", "value": {"string_value": "it's \"home\" 100 %"}},
            {"key": "nothing"},
        ],
        "user_properties": [{"key": "plan", "value": {"double_value": 1.5, "set_timestamp_micros": "1"}}],
        "device": {"category": "mobile", "web_info": {"hostname": "example.com"}}, "geo": {"country": "Österreich"},
        "items": [], "privacy_info": {"analytics_storage": "Yes"}, "batch_event_index": "3", "is_active_user": true,
    })
}

fn known_analytics() -> Vec<Value> {
    let mut rows = Vec::new();
    let morning = "2026-11-17T09:00:00Z";
    let mut add = |row: Value, changes: Value| rows.push(with(row, changes));
    let app = |id: &str, version: &str| json!({"app_info": {"id": id, "version": version}});

    for _ in 0..2 {
        add(start("stored twice", morning), json!({}));
    }
    add(
        start("stored twice", morning),
        json!({"batch_event_index": "4", "app_info": {"id": "com.example.app", "version": "2.0.1"}}),
    );
    for (name, instant) in
        [("at from", FROM), ("at to", TO), ("at the mature cut", MATURE), ("at midnight", MIDNIGHT)]
    {
        add(start(name, instant), json!({}));
        add(start(&format!("just before {name}"), &just_before(instant)), json!({}));
    }
    for number in [i64::MIN, -86_400_000_001, -1, 0, i64::MAX] {
        add(start("far away", morning), json!({"event_timestamp": number.to_string()}));
    }
    add(start("one who does something else", morning), json!({"event_name": "screen_view"}));
    add(start("app_exception", morning), json!({"event_name": "app_exception"}));
    // The same person, instant and version on three platforms and in two apps: five sessions, and none of them another's.
    add(start("one of all", morning), json!({"platform": "WEB", "app_info": null}));
    for platform in ["ANDROID", "IOS"] {
        for id in ["com.example.app", "com.example.other"] {
            add(with(start("one of all", morning), app(id, "2.0")), json!({"platform": platform}));
        }
    }
    // Without consent there is no id.
    for instant in [morning, morning, MIDNIGHT] {
        add(start("nobody", instant), json!({"user_pseudo_id": null}));
    }
    add(start("", morning), json!({}));
    add(start("without a version", morning), json!({"app_info": {"id": "com.example.app"}}));
    add(start("without an app", morning), json!({"app_info": {"version": "2.0"}}));
    for version in VERSIONS {
        add(start(version, morning), app("com.example.app", version));
        add(start("%_\\'\"🚀", morning), app(version, version));
    }
    rows
}

/// Records of the application that lack something, and two builds of one version.
fn nameless() -> [Value; 5] {
    [
        json!({}),
        json!({"display_version": "2.0"}),
        json!({"build_version": "200"}),
        application("2.0", "201"),
        application("2.0.1", "200"),
    ]
}

/// Every version and every build at least once.
fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    VERSIONS.into_iter().zip(BUILDS.into_iter().cycle())
}

struct Chance(ChaCha8Rng);

impl Chance {
    fn of<T: Copy>(&mut self, pool: &[T]) -> T {
        pool[self.0.random_range(0..pool.len())]
    }

    fn sometimes(&mut self, value: Value) -> Value {
        if self.0.random_bool(0.9) { value } else { Value::Null }
    }

    /// An id out of so many, most of the time.
    fn id(&mut self, of: &str, many: u32) -> Value {
        let number = self.0.random_range(0..many);
        self.sometimes(json!(format!("{of} {number}")))
    }

    /// An instant of the days around, often on the hour, so that some are met exactly and by several.
    fn instant(&mut self) -> Timestamp {
        const HOURS: i64 = 24 * 5;
        const MICROS_OF_HOUR: i64 = 3_600_000_000;
        let hour = self.0.random_range(0..HOURS) * MICROS_OF_HOUR;
        let rest = if self.0.random_bool(0.5) { self.0.random_range(-1..MICROS_OF_HOUR) } else { 0 };
        at(FIRST_DAY) + SignedDuration::from_micros(hour + rest)
    }

    fn application(&mut self) -> Value {
        let often = self.0.random_bool(0.4);
        let (version, build) = (self.of(&VERSIONS), self.of(&BUILDS));
        let named = if often { (json!("2.0"), json!("200")) } else { (json!(version), json!(build)) };
        json!({"display_version": self.sometimes(named.0), "build_version": self.sometimes(named.1)})
    }

    fn crash(&mut self) -> Value {
        let instant = self.instant();
        let late = SignedDuration::from_hours(self.0.random_range(0..72));
        let id = format!("event {}", self.0.random_range(0..RANDOM_ROWS));
        let row = report(&id, &instant.to_string());
        let title = self.of(&TITLES);
        with(
            row,
            json!({
                "received_timestamp": written(instant + late),
                "error_type": self.of(&["FATAL", "NON_FATAL", "ANR"]),
                "process_state": self.of(&[Some("FOREGROUND"), Some("BACKGROUND"), Some("UNKNOWN_PROCESS_STATE"), None]),
                "firebase_session_id": self.id("session", 200),
                "installation_uuid": self.id("installation", 100),
                "application": self.application(),
                "issue_id": self.id("issue", 4),
                "issue_title": self.sometimes(json!(title)),
                "issue_subtitle": self.sometimes(json!(title)),
            }),
        )
    }

    fn session(&mut self) -> Value {
        let instant = self.instant().to_string();
        let id = format!("session {}", self.0.random_range(0..RANDOM_ROWS));
        with(
            session(&id, &instant),
            json!({
                "instance_id": self.id("person", 100),
                "crashlytics_data_collection_enabled": self.0.random_bool(0.9),
                "application": self.application(),
            }),
        )
    }

    fn analytics(&mut self) -> Value {
        let instant = self.instant().to_string();
        let version = self.of(&VERSIONS);
        let app = json!({"id": self.of(&["com.example.app", "com.example.other"]), "version": self.sometimes(json!(version))});
        with(
            start("", &instant),
            json!({
                "event_name": self.of(&["session_start", "session_start", "screen_view"]),
                "platform": self.of(&["ANDROID", "IOS", "WEB"]),
                "user_pseudo_id": self.id("person", 60),
                "app_info": self.sometimes(app),
            }),
        )
    }
}
