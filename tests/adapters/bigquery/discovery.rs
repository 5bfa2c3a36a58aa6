//! Which tables are there, what they look like, and what readings make of it.

use serde_json::json;
use std::sync::Arc;
use tidegate::adapters::events::{Events, Together, Warehouse as _};
use tidegate::config::{SessionSource, Sources};
use tidegate::domain::calendar::Window;
use tidegate::domain::facts::Side;
use tidegate::domain::ids::{ApplicationId, BuildNumber, Platform, VersionName};
use tidegate::ports::{MetricRequest, MetricSource as _, Reading};
use tidegate::queries::{Question, Source};

use super::fake::{Fake, Fault, Job};
use super::{CRASHES, TABLE, bigquery, columns, fake, query, row, rows, schema, table};
use crate::support::at;

#[tokio::test]
async fn a_table_is_there_only_where_the_dataset_lists_it() {
    let fake = fake().await;
    fake.tables_a_page(1);
    for name in ["firebase_sessions.a_ANDROID", "firebase_sessions.z_ANDROID"] {
        fake.table(name, "EU", &columns(Source::FirebaseSessions), &json!({}));
    }
    let bigquery = bigquery(&fake);
    for there in ["firebase_sessions.a_ANDROID", TABLE, "firebase_sessions.z_ANDROID"] {
        assert!(bigquery.table(&table(there)).await.unwrap().is_some(), "{there}");
    }
    assert!(bigquery.table(&table("firebase_sessions.b_ANDROID")).await.unwrap().is_none());
    assert!(bigquery.table(&table("nowhere.b_ANDROID")).await.unwrap().is_none(), "nor is a dataset");
    assert_eq!(
        fake.requests("/datasets/firebase_sessions/tables").len(),
        3 + 3,
        "three pages once, three tables once"
    );
}

#[tokio::test]
async fn what_is_known_is_asked_once_a_run_however_many_ask() {
    let fake = fake().await;
    let bigquery = bigquery(&fake);
    let name = table(TABLE);
    let asked = (0..20).map(|_| bigquery.table(&name));
    let known = futures_util::future::join_all(asked).await;
    assert!(known.iter().all(|info| info.as_ref().unwrap().is_some()));
    assert_eq!(fake.requests("GET").len(), 3, "the dataset, its list, the table");
}

#[tokio::test]
async fn an_error_is_not_remembered() {
    let fake = fake().await;
    let denied =
        "Access Denied: Dataset my-project:firebase_sessions: Permission bigquery.datasets.get denied";
    fake.fault("/datasets/firebase_sessions", Fault::error(403, "accessDenied", denied));
    let bigquery = bigquery(&fake);
    assert!(bigquery.table(&table(TABLE)).await.is_err());
    assert!(bigquery.table(&table(TABLE)).await.unwrap().is_some());
}

#[tokio::test]
async fn only_bigquery_itself_can_say_that_a_dataset_is_not_there() {
    let fake = fake().await;
    fake.fault("/datasets/", Fault::Status(404, Vec::new(), "<html>no such host</html>".into()));
    let project = "Not found: Project other-project";
    fake.fault("/datasets/", Fault::error(404, "notFound", project));
    let bigquery = bigquery(&fake);
    for _ in 0..2 {
        let error = bigquery.table(&table(TABLE)).await.unwrap_err().to_string();
        assert!(error.contains("dataset my-project.firebase_sessions"), "{error}");
    }
}

#[tokio::test]
async fn a_table_that_goes_between_its_list_and_its_description_is_absent() {
    let fake = fake().await;
    let gone = format!("Not found: Table my-project:{TABLE}");
    fake.fault(&format!("tables/{}", table(TABLE).name()), Fault::error(404, "notFound", &gone));
    assert!(bigquery(&fake).table(&table(TABLE)).await.unwrap().is_none());
}

#[tokio::test]
async fn f21_the_location_is_that_of_the_dataset() {
    let fake = fake().await;
    fake.table("analytics_1.events_20261118", "US", &columns(Source::Analytics), &json!({}));
    let bigquery = bigquery(&fake);
    for (name, location) in [(TABLE, "EU"), ("analytics_1.events_20261118", "US")] {
        fake.next_job(rows(1));
        let mut query = query();
        query.table = table(name);
        bigquery.run(&query).await.unwrap();
        assert_eq!(fake.requests("POST").pop().unwrap().body["jobReference"]["location"], location);
    }
}

#[tokio::test]
async fn f19_a_dataset_that_may_not_be_read_leaves_the_others_alone() {
    let fake = fake().await;
    let denied =
        "Access Denied: Dataset my-project:firebase_crashlytics: Permission bigquery.datasets.get denied";
    fake.fault("/datasets/firebase_crashlytics", Fault::error(403, "accessDenied", denied));
    let bigquery = bigquery(&fake);
    let error = bigquery.table(&table(CRASHES)).await.unwrap_err();
    assert!(error.what.contains("my-project.firebase_crashlytics"), "{error}");
    assert!(
        error.fix.contains("GRANT `roles/bigquery.dataViewer` ON SCHEMA `my-project.firebase_crashlytics`"),
        "{error}"
    );
    fake.next_job(rows(1));
    assert!(bigquery.run(&query()).await.is_ok());
}

/// The reading of one app with both Firebase sources.
async fn reading(fake: &Fake) -> Result<Reading, tidegate::ports::PortError> {
    let sources = Sources {
        sessions: SessionSource::FirebaseSessions,
        crashlytics_dataset: "firebase_crashlytics".into(),
        sessions_dataset: "firebase_sessions".into(),
        crashes_table: None,
        sessions_table: None,
    };
    let app = ApplicationId::new("com.example.app").unwrap();
    let events = Events::new(Together::new(Arc::new(bigquery(fake))), Platform::Android, app, sources);
    let window = Window::new(at("2026-11-18T00:00:00Z"), at("2026-11-18T12:00:00Z"));
    let request = MetricRequest {
        window,
        crashes_from: window.from,
        mature_to: window.to,
        seen_at: at("2026-11-18T12:10:00Z"),
        builds: vec![BuildNumber::new("200").unwrap()],
        version: VersionName::new("2.0").unwrap(),
        others: Vec::new(),
    };
    events.read(&request).await
}

fn sessions(count: i64, newest: &str) -> Job {
    let newest = at(newest).as_microsecond();
    let day = newest / 86_400_000_000;
    let cells = [
        json!(day.to_string()),
        json!(null),
        json!(null),
        json!("2.0"),
        json!("200"),
        json!(count.to_string()),
        json!(count.to_string()),
        json!(newest.to_string()),
        json!("-7"),
    ];
    Job::Rows { fields: schema(Question::Sessions), rows: vec![row(&cells)], page: 10, unfinished: 0 }
}

fn crashes(sessions: i64, newest: &str) -> Job {
    let newest = at(newest).as_microsecond();
    let day = newest / 86_400_000_000;
    let count = json!(sessions.to_string());
    let cells = [
        json!(day.to_string()),
        json!("2.0"),
        json!("200"),
        count.clone(),
        json!("0"),
        count.clone(),
        count.clone(),
        json!(newest.to_string()),
        json!("9"),
        count,
    ];
    Job::Rows { fields: schema(Question::Crashes), rows: vec![row(&cells)], page: 10, unfinished: 0 }
}

#[tokio::test]
async fn a_reading_counts_both_sides_and_keeps_what_each_cost() {
    let fake = fake().await;
    fake.next_job(sessions(1_000, "2026-11-18T11:00:00Z"));
    fake.next_job(crashes(3, "2026-11-18T10:00:00Z"));
    let reading = reading(&fake).await.unwrap();
    assert_eq!(reading.sessions.iter().map(|day| day.sessions).sum::<u64>(), 1_000);
    assert_eq!(reading.crashes.iter().map(|day| day.crashed_sessions).sum::<u64>(), 3);
    assert_eq!(reading.queries.len(), 2);
    assert!(reading.queries.iter().all(|cost| cost.job.is_some() && cost.bytes_billed > 0));
    assert!(reading.absent.is_empty());
}

#[tokio::test]
async fn the_streamed_and_the_daily_table_are_never_both_counted() {
    let fake = fake().await;
    fake.table(
        "firebase_sessions.com_example_app_ANDROID",
        "EU",
        &columns(Source::FirebaseSessions),
        &json!({}),
    );
    fake.next_job(sessions(1_000, "2026-11-18T11:00:00Z"));
    fake.next_job(crashes(3, "2026-11-18T10:00:00Z"));
    assert_eq!(reading(&fake).await.unwrap().sessions.iter().map(|day| day.sessions).sum::<u64>(), 1_000);
    assert_eq!(fake.requests("POST").len(), 2);
}

#[tokio::test]
async fn f09_a_missing_session_table_is_named_and_not_zero() {
    let fake = Fake::start().await;
    fake.table(CRASHES, "EU", &columns(Source::Crashlytics), &json!({}));
    fake.next_job(crashes(0, "2026-11-18T10:00:00Z"));
    let reading = reading(&fake).await.unwrap();
    assert_eq!((reading.absent[0].side, reading.absent[0].table.as_str()), (Side::Sessions, TABLE));
}

#[tokio::test]
async fn f10_a_missing_crash_table_is_named_and_not_zero() {
    let fake = Fake::start().await;
    fake.table(TABLE, "EU", &columns(Source::FirebaseSessions), &json!({}));
    fake.next_job(sessions(1_000, "2026-11-18T11:00:00Z"));
    let reading = reading(&fake).await.unwrap();
    assert_eq!((reading.absent[0].side, reading.absent[0].table.as_str()), (Side::Crashes, CRASHES));
    assert_eq!(fake.requests("POST").len(), 1, "nothing is asked of a table that is not there");
}

#[tokio::test]
async fn f20_a_renamed_column_is_an_error_with_its_name() {
    let fake = fake().await;
    let mut renamed = columns(Source::Crashlytics);
    renamed.retain(|column| *column != "process_state");
    renamed.push("process_status");
    fake.table(CRASHES, "EU", &renamed, &json!({}));
    fake.next_job(sessions(1_000, "2026-11-18T11:00:00Z"));
    let error = reading(&fake).await.unwrap_err().to_string();
    assert!(error.contains("process_state") && error.contains(CRASHES), "{error}");

    // The table changes between its description and the query.
    let fake = super::fake().await;
    let message = "Unrecognized name: instance_id; Did you mean instance_uuid? at [14:3]";
    fake.next_job(Job::Failed("invalidQuery", message.into()));
    let error = reading(&fake).await.unwrap_err().to_string();
    assert!(error.contains("no usable column instance_id") && error.contains(TABLE), "{error}");
}

#[tokio::test]
async fn a_missing_optional_column_reads_as_nothing() {
    let fake = fake().await;
    fake.next_job(sessions(1_000, "2026-11-18T11:00:00Z"));
    fake.next_job(crashes(3, "2026-11-18T10:00:00Z"));
    reading(&fake).await.unwrap();
    let sql = |place: usize| {
        fake.requests("POST")[place].body["configuration"]["query"]["query"].as_str().unwrap().to_owned()
    };
    assert!(sql(1).contains("CAST(NULL AS STRING) AS session_id"), "{}", sql(1));
    assert!(sql(1).contains("application.build_version AS build"));
    assert!(!sql(0).contains("_PARTITIONTIME"));
}

#[tokio::test]
async fn a_table_that_is_partitioned_by_load_time_is_pruned_by_it() {
    let fake = fake().await;
    let partitioned = json!({"timePartitioning": {"type": "DAY", "expirationMs": "2592000000"}});
    fake.table(TABLE, "EU", &columns(Source::FirebaseSessions), &partitioned);
    fake.next_job(sessions(1_000, "2026-11-18T11:00:00Z"));
    fake.next_job(crashes(3, "2026-11-18T10:00:00Z"));
    reading(&fake).await.unwrap();
    let sql = fake.requests("POST").remove(0).body["configuration"]["query"]["query"].to_string();
    assert!(sql.contains("_PARTITIONTIME IS NULL"), "rows in the streaming buffer have no partition: {sql}");
}

#[tokio::test]
async fn f17_a_negative_count_is_refused_with_its_table() {
    let fake = fake().await;
    fake.next_job(sessions(-1, "2026-11-18T11:00:00Z"));
    let error = reading(&fake).await.unwrap_err().to_string();
    assert!(error.contains("sessions") && error.contains("-1") && error.contains(TABLE), "{error}");
}
