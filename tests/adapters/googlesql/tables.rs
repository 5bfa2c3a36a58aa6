//! The tables that both engines get: every source in the shapes that real ones have.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate::adapters::embedded::schema::{Export, Type};
use tidegate::queries::{Partitioning, Shape, Source, Table};

use super::rows::{Rows, written};
use super::sets::{EVENT_TO_EVENT, ONE_DAY, STRANGE_BUILDS, WANTED};
use crate::support::{Fixture, at};

const CRASHLYTICS: &str = include_str!("../../googlesql/schemas/crashlytics.json");
const FIREBASE_SESSIONS: &str = include_str!("../../googlesql/schemas/firebase_sessions.json");
const ANALYTICS: &str = include_str!("../../googlesql/schemas/analytics.json");
/// What an old table may lack and no question needs, as `record.field`.
const LACKING: [&str; 2] = ["firebase_session_id", "application.build_version"];
const PARTITION_TIME: &str = "_PARTITIONTIME";
/// Some of the rows that came in since then are still in the streaming buffer.
const STREAMED_SINCE: &str = "2026-11-18T12:00:00Z";

/// A table as both engines have it.
pub struct Stored {
    pub source: Source,
    pub table: Table,
    pub shape: Shape,
    /// The columns, as `bq show --schema` prints them.
    schema: Vec<Value>,
    partitioning: Partitioning,
    rows: Vec<Value>,
    /// The sets of parameters that it is asked with; every set where none is named.
    pub asked_with: Option<&'static [&'static str]>,
    /// Whether it holds one day with very many people.
    pub is_crowded: bool,
    /// Whether it is read together with the one before it.
    pub is_second: bool,
}

/// What depends on how a table is kept.
const KEPT_OTHERWISE: &[&str] = &[WANTED, STRANGE_BUILDS, EVENT_TO_EVENT, ONE_DAY];

/// Every table, in every shape. The crowded one comes first: it takes Google's engine as long as all the others.
pub fn tables(rows: &Rows) -> Vec<Stored> {
    use Source::{Analytics, Crashlytics, FirebaseSessions};
    vec![
        Stored::new(FirebaseSessions, "firebase_sessions.com_crowded_app_IOS", &rows.crowd).crowded(),
        Stored::new(Crashlytics, "firebase_crashlytics.com_example_app_ANDROID_REALTIME", &rows.crashes),
        Stored::new(Crashlytics, "firebase_crashlytics.com_example_app_ANDROID", &rows.crashes)
            .by_load_time()
            .asked_with(KEPT_OTHERWISE),
        Stored::new(Crashlytics, "firebase_crashlytics.com_older_app_ANDROID", &rows.crashes)
            .lacking(&LACKING)
            .asked_with(KEPT_OTHERWISE),
        Stored::new(FirebaseSessions, "firebase_sessions.com_example_app_ANDROID_REALTIME", &rows.sessions),
        Stored::new(FirebaseSessions, "firebase_sessions.com_example_app_ANDROID", &rows.sessions)
            .by_load_time()
            .asked_with(KEPT_OTHERWISE),
        Stored::new(Analytics, "analytics_1.events_intraday_20261118", &rows.analytics),
        // During the switch the streamed and the daily table of one date hold the same events.
        Stored::new(Analytics, "analytics_1.events_20261118", &rows.analytics).asked_with(KEPT_OTHERWISE),
        // The batch tables lack the newest rows, and the streamed ones the oldest.
        Stored::new(Crashlytics, "firebase_crashlytics.com_split_app_ANDROID", first(&rows.crashes))
            .by_load_time()
            .asked_with(&[]),
        Stored::new(Crashlytics, "firebase_crashlytics.com_split_app_ANDROID_REALTIME", rest(&rows.crashes))
            .lacking(&["issue_title"])
            .second(),
        Stored::new(FirebaseSessions, "firebase_sessions.com_split_app_ANDROID", first(&rows.sessions))
            .by_load_time()
            .asked_with(&[]),
        Stored::new(
            FirebaseSessions,
            "firebase_sessions.com_split_app_ANDROID_REALTIME",
            rest(&rows.sessions),
        )
        .second(),
        Stored::new(Analytics, "analytics_2.events_20261118", first(&rows.analytics)).asked_with(&[]),
        Stored::new(Analytics, "analytics_2.events_intraday_20261118", rest(&rows.analytics)).second(),
    ]
}

/// Two thirds of the rows: of two such parts, one third is in both.
fn first(rows: &[Value]) -> &[Value] {
    &rows[..rows.len() / 3 * 2]
}

fn rest(rows: &[Value]) -> &[Value] {
    &rows[rows.len() / 3..]
}

impl Stored {
    fn new(source: Source, name: &str, rows: &[Value]) -> Self {
        let schema = serde_json::from_str(schema(source)).unwrap();
        Self {
            source,
            table: Table::new(name).unwrap(),
            shape: Shape::default(),
            schema,
            partitioning: Partitioning::default(),
            rows: rows.to_vec(),
            asked_with: None,
            is_crowded: false,
            is_second: false,
        }
    }

    fn crowded(self) -> Self {
        Self { is_crowded: true, asked_with: Some(&[WANTED]), ..self }
    }

    /// The table that is read together with the one before it; asked alone it would tell nothing new.
    fn second(self) -> Self {
        Self { is_second: true, ..self.asked_with(&[]) }
    }

    fn asked_with(self, sets: &'static [&'static str]) -> Self {
        Self { asked_with: Some(sets), ..self }
    }

    /// The table that some columns are missing from, and its rows without them.
    fn lacking(mut self, names: &[&str]) -> Self {
        for name in names {
            self.schema = without(std::mem::take(&mut self.schema), name);
            for row in &mut self.rows {
                let (record, field) = name.rsplit_once('.').unwrap_or(("", name));
                let record =
                    record.split('.').filter(|part| !part.is_empty()).fold(row, |row, part| &mut row[part]);
                record.as_object_mut().unwrap().shift_remove(field);
            }
        }
        self.known()
    }

    /// The table that is partitioned by the time of loading; some of its newest rows are still in the streaming buffer.
    fn by_load_time(mut self) -> Self {
        self.partitioning = Partitioning::ByLoadTime;
        for (place, row) in self.rows.iter_mut().enumerate() {
            let loaded = loaded(row);
            if place % 3 > 0 || loaded < at(STREAMED_SINCE) {
                row[PARTITION_TIME] = json!(day(loaded));
            }
        }
        self.known()
    }

    /// The shape as the catalogue of the warehouse would tell it.
    fn known(self) -> Self {
        Self { shape: Shape::new(columns(&self.schema), self.partitioning), ..self }
    }

    fn is_by_load_time(&self) -> bool {
        self.partitioning == Partitioning::ByLoadTime
    }

    /// The table as the harness takes it.
    pub fn for_googlesql(&self) -> Value {
        json!({
            "name": self.table.as_str(), "schema": self.schema, "rows": self.rows,
            "partitioned_by_load_time": self.is_by_load_time(),
        })
    }

    /// Puts the rows into the embedded warehouse, by import as a user does where the importer takes such a table.
    pub fn import(&self, fixture: &Fixture) {
        let mut rows = self.rows.clone();
        // `bq extract` leaves the pseudo column out.
        rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().shift_remove(PARTITION_TIME)));
        let export = Export::of_table(self.table.as_str()).unwrap();
        let is_whole = export.expected().iter().all(|column| self.shape.has(column));
        if is_whole {
            fixture.import(self.table.as_str(), &rows);
        } else {
            let rows = rows.iter().map(|row| row.as_object().unwrap());
            fixture.warehouse.insert(&self.table, export, rows).unwrap();
        }
    }
}

fn schema(source: Source) -> &'static str {
    match source {
        Source::Crashlytics | Source::CrashIssues => CRASHLYTICS,
        Source::FirebaseSessions => FIREBASE_SESSIONS,
        Source::Analytics => ANALYTICS,
    }
}

/// The names of the columns, fields of records as `record.field`.
fn columns(schema: &[Value]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for column in schema {
        let name = column["name"].as_str().unwrap();
        let fields = column["fields"].as_array().map_or(&[][..], Vec::as_slice);
        names.extend(columns(fields).into_iter().map(|field| format!("{name}.{field}")));
        names.insert(name.to_owned());
    }
    names
}

fn without(schema: Vec<Value>, name: &str) -> Vec<Value> {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let mut left = Vec::new();
    for mut column in schema {
        let is_it = column["name"] == first;
        if is_it && !rest.is_empty() {
            let fields = column["fields"].as_array().unwrap().clone();
            column["fields"] = Value::Array(without(fields, rest));
        }
        if !is_it || !rest.is_empty() {
            left.push(column);
        }
    }
    left
}

/// When a row came in: never before its own instant here, as a clock that runs ahead over midnight is lost by design.
fn loaded(row: &Value) -> Timestamp {
    let instant = |column: &str| row[column].as_str().map(|text| at(&text.replace(" UTC", "Z")));
    instant("received_timestamp").max(instant("event_timestamp")).unwrap()
}

fn day(instant: Timestamp) -> String {
    const DAY_US: i64 = 86_400_000_000;
    let start = instant.as_microsecond().div_euclid(DAY_US) * DAY_US;
    written(Timestamp::from_microsecond(start).unwrap())
}

#[test]
fn the_warehouse_keeps_every_documented_column_in_its_type() {
    let of_crashes = [Export::Crashlytics; 2].into_iter();
    let exports = of_crashes.chain([Export::FirebaseSessions, Export::Analytics]);
    for (source, export) in Source::ALL.into_iter().zip(exports) {
        let schema: Vec<Value> = serde_json::from_str(schema(source)).unwrap();
        for column in &schema {
            let kind = match (column["type"].as_str().unwrap(), column["mode"].as_str().unwrap()) {
                ("RECORD", _) | (_, "REPEATED") => Type::Nested,
                ("STRING", _) => Type::String,
                ("INTEGER", _) => Type::Integer,
                ("FLOAT", _) => Type::Float,
                ("BOOLEAN", _) => Type::Boolean,
                ("TIMESTAMP", _) => Type::Timestamp,
                other => panic!("{other:?} is no type of an export"),
            };
            let kept = export.columns().iter().find(|kept| column["name"] == kept.name);
            assert_eq!(kept.map(|kept| kept.kind), Some(kind), "{column} of {source:?}");
        }
        let columns = columns(&schema);
        for read in source.needed().iter().copied().chain(source.optional()) {
            assert!(columns.contains(read), "{read} is not a documented column of {source:?}");
        }
    }
}

#[test]
fn the_tables_have_every_shape() {
    let tables = tables(&Rows::new());
    let of_load_time: Vec<_> = tables.iter().filter(|stored| stored.is_by_load_time()).collect();
    assert_eq!(of_load_time.len(), 4);
    for stored in of_load_time {
        let streamed = stored.rows.iter().filter(|row| row.get(PARTITION_TIME).is_none()).count();
        assert!(streamed > 0 && streamed < stored.rows.len(), "{streamed} rows in the streaming buffer");
    }
    for column in LACKING {
        assert!(tables.iter().any(|stored| !stored.shape.has(column)), "every table has {column}");
    }
    for name in ["analytics_1.events_intraday_20261118", "analytics_1.events_20261118"] {
        assert!(tables.iter().any(|stored| stored.table.as_str() == name), "{name}");
    }
}
