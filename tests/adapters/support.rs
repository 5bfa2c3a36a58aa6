//! Rows in the shape of the exports, written as `bq extract` writes them, and a warehouse to put them into.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tidegate::adapters::embedded::Embedded;
use tidegate::adapters::embedded::schema::Export;
use tidegate::queries::Table;

pub const CRASHES: &str = "firebase_crashlytics.com_example_app_ANDROID_REALTIME";
pub const SESSIONS: &str = "firebase_sessions.com_example_app_ANDROID_REALTIME";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The looks of a week up to Tuesday noon, when everything has been decided; all of them where `TIDEGATE_WHOLE_WEEK` is
/// set, which takes minutes.
pub fn some(looks: Vec<Timestamp>) -> Vec<Timestamp> {
    let whole = tidegate::adapters::environment::variable("TIDEGATE_WHOLE_WEEK").is_some();
    let noon = at("2026-11-17T12:00:00Z");
    looks.into_iter().filter(|look| whole || *look < noon).collect()
}

/// A warehouse in a folder of its own.
pub struct Fixture {
    pub folder: TempDir,
    pub warehouse: Arc<Embedded>,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Arc::new(Embedded::create(&folder.path().join("warehouse.sqlite")).unwrap());
        Self { folder, warehouse }
    }

    /// Imports rows through a file, as a user does.
    pub fn import(&self, table: &str, rows: &[Value]) {
        let path = self.file("rows.json", rows);
        let export = Export::of_table(table).unwrap();
        self.warehouse.import(&Table::new(table).unwrap(), export, &[path]).unwrap();
    }

    pub fn file(&self, name: &str, rows: &[Value]) -> PathBuf {
        let path = self.folder.path().join(name);
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        std::fs::write(&path, lines).unwrap();
        path
    }
}

/// A row with some fields put in the place of others; `null` takes a field out.
#[expect(clippy::needless_pass_by_value, reason = "calls read better with a literal")]
pub fn with(mut row: Value, changes: Value) -> Value {
    let fields: &mut Map<String, Value> = row.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(fields.shift_remove(name)),
            value => drop(fields.insert(name.clone(), value.clone())),
        }
    }
    row
}

/// An instant as BigQuery writes it.
pub fn written(instant: &str) -> String {
    at(instant).strftime("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()
}

/// A session of build 200, version 2.0.
pub fn session(id: &str, instant: &str) -> Value {
    json!({
        "session_id": id, "instance_id": format!("person of {id}"), "event_type": "SESSION_START",
        "event_timestamp": written(instant), "received_timestamp": written(instant),
        "crashlytics_data_collection_enabled": true,
        "application": {"build_version": "200", "display_version": "2.0"},
    })
}

/// A fatal crash in a session of build 200.
pub fn crash(id: &str, instant: &str) -> Value {
    json!({
        "event_id": id, "event_timestamp": written(instant), "error_type": "FATAL", "process_state": "FOREGROUND",
        "platform": "ANDROID", "firebase_session_id": format!("session of {id}"),
        "installation_uuid": format!("installation of {id}"),
        "application": {"build_version": "200", "display_version": "2.0"},
    })
}

/// A session start as Analytics exports it.
pub fn analytics(person: &str, instant: &str) -> Value {
    json!({
        "event_name": "session_start", "event_timestamp": at(instant).as_microsecond().to_string(),
        "platform": "ANDROID", "user_pseudo_id": person,
        "app_info": {"id": "com.example.app", "version": "2.0"},
    })
}
