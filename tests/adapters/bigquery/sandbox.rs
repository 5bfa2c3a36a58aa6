//! The adapter against the sandbox's BigQuery, whose answers come from the embedded engine: what both read must be the
//! same, and the real binary must decide the same.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::json;
use tidegate::adapters::bigquery::{BigQuery, Settings};
use tidegate::adapters::clock::steady;
use tidegate::adapters::environment::secret;
use tidegate::adapters::events::{Events, Together, Warehouse};
use tidegate::adapters::google::{Identity, Scope};
use tidegate::adapters::http::{Service, client};
use tidegate::config::{SecretRef, SessionSource, Sources};
use tidegate::domain::calendar::Window;
use tidegate::domain::cost::QueryCost;
use tidegate::domain::ids::{ApplicationId, BuildNumber, Platform, VersionName};
use tidegate::ports::{DailyReading, Marks, MetricRequest, MetricSource as _, PortError, Reading};
use tidegate::sandbox::{
    Access, DatasetChange, DatasetSeed, JobConditions, JobFailure, LoggedRequest, Ports, Sandbox,
    SandboxOptions, Seed, Service as Served, TableConditions, TablePartitioning,
};

use super::{GIB, query, table};
use crate::support::{CRASHES, Fixture, SESSIONS, analytics, at, crash, session, with};
use crate::town::{Apps, Events as Told, Town};

const PROJECT: &str = "my-project";

/// A sandbox over a warehouse with two days of events.
struct Place {
    fixture: Fixture,
    sandbox: Sandbox,
}

impl Place {
    async fn new() -> Self {
        let fixture = Fixture::new();
        let instants =
            ["2026-11-17T08:00:00Z", "2026-11-17T21:00:00Z", "2026-11-18T08:00:00Z", "2026-11-18T11:00:00Z"];
        let sessions: Vec<_> = instants.iter().map(|at| session(at, at)).collect();
        let mut crashes: Vec<_> = instants[..3].iter().map(|at| crash(at, at)).collect();
        crashes.push(with(crash("x", "2026-11-18T09:00:00Z"), json!({"error_type": "ANR"})));
        crashes.push(with(crash("y", "2026-11-18T09:00:00Z"), json!({"firebase_session_id": null})));
        fixture.import(SESSIONS, &sessions);
        fixture.import(CRASHES, &crashes);
        for day in ["17", "18"] {
            let instant = format!("2026-11-{day}T10:00:00Z");
            fixture
                .import(&format!("analytics_1.events_intraday_202611{day}"), &[analytics("ada", &instant)]);
        }
        let file = fixture.folder.path().join("warehouse.sqlite");
        let dataset = |name: &str| DatasetSeed::new(PROJECT, name, &file);
        let bigquery = vec![
            dataset("firebase_crashlytics").located("EU"),
            dataset("firebase_sessions").located("EU"),
            dataset("analytics_1").located("europe-west3"),
        ];
        let credentials_dir = fixture.folder.path().join("keys");
        let seed = Seed { bigquery, ..Seed::default() };
        let sandbox =
            Sandbox::start(SandboxOptions { ports: Ports::default(), seed, credentials_dir }).await.unwrap();
        sandbox.model().set_now(Some(at("2026-11-18T12:00:00Z")));
        Self { fixture, sandbox }
    }

    fn bigquery(&self, time: Duration) -> BigQuery {
        let http = client().unwrap();
        let path = &self.sandbox.credentials.play_service_account_path;
        let reference: SecretRef = format!("file:{}", path.display()).try_into().unwrap();
        let key = secret(&reference, self.fixture.folder.path()).unwrap();
        let identity = Identity::from_key(&key, "key", &tidegate::config::Endpoints::default()).unwrap();
        let token = identity.token_source(Scope::BigQuery).unwrap();
        let settings = Settings {
            project: PROJECT.into(),
            billing_project: PROJECT.into(),
            location: None,
            max_bytes_billed: 20 * GIB,
        };
        let service = Service::new("BigQuery", self.sandbox.endpoints.bigquery.clone(), http);
        BigQuery::new(service, Box::new(token), settings, steady() + time).unwrap()
    }

    async fn read(&self) -> Result<Reading, PortError> {
        reading(Arc::new(self.bigquery(Duration::from_secs(30))), SessionSource::FirebaseSessions).await
    }

    async fn marks(&self) -> Marks {
        let warehouse = Arc::new(self.bigquery(Duration::from_secs(30)));
        events(warehouse, SessionSource::FirebaseSessions).marks(&request()).await.unwrap()
    }

    fn set(&self, table: &str, conditions: TableConditions) {
        let (dataset, table) = table.split_once('.').unwrap();
        self.sandbox.model().set_bigquery_table(PROJECT, dataset, table, conditions).unwrap();
    }
}

type AnyWarehouse = Arc<dyn Warehouse>;

async fn reading(warehouse: AnyWarehouse, sessions: SessionSource) -> Result<Reading, PortError> {
    events(warehouse, sessions).read(&request()).await
}

fn events(warehouse: AnyWarehouse, sessions: SessionSource) -> Events<AnyWarehouse> {
    let sources = Sources {
        sessions,
        crashlytics_dataset: "firebase_crashlytics".into(),
        sessions_dataset: "firebase_sessions".into(),
        crashes_table: None,
        sessions_table: None,
    };
    let app = ApplicationId::new("com.example.app").unwrap();
    Events::new(Together::new(warehouse), Platform::Android, app, sources)
}

fn request() -> MetricRequest {
    let window = Window::new(at("2026-11-17T00:00:00Z"), at("2026-11-18T12:00:00Z"));
    MetricRequest {
        window,
        crashes_from: window.from,
        mature_to: at("2026-11-18T09:00:00Z"),
        seen_at: at("2026-11-18T12:10:00Z"),
        builds: vec![BuildNumber::new("200").unwrap()],
        version: VersionName::new("2.0").unwrap(),
        others: Vec::new(),
    }
}

/// A reading without what only one of the two engines can know.
fn plain(reading: Reading) -> Reading {
    let queries = reading.queries.into_iter();
    let queries = queries
        .map(|cost| QueryCost { question: cost.question, table: cost.table, ..QueryCost::default() })
        .collect();
    Reading { queries, ..reading }
}

fn by_analytics() -> SessionSource {
    SessionSource::Analytics { dataset: "analytics_1".into(), time_zone: TimeZone::UTC }
}

#[tokio::test]
async fn both_engines_read_the_same() {
    let place = Place::new().await;
    let slow = JobConditions { running_polls: 2, page_rows: Some(1), ..JobConditions::default() };
    place.sandbox.model().set_bigquery_jobs(slow);
    for sessions in [SessionSource::FirebaseSessions, by_analytics()] {
        let remote =
            reading(Arc::new(place.bigquery(Duration::from_secs(30))), sessions.clone()).await.unwrap();
        assert!(
            remote.queries.iter().all(|cost| cost.job.is_some() && cost.bytes_billed >= 10 << 20),
            "{remote:?}"
        );
        let local = reading(place.fixture.warehouse.clone(), sessions).await.unwrap();
        assert_eq!(plain(remote), plain(local));
    }
}

#[tokio::test]
async fn both_engines_tell_a_daily_report_the_same() {
    const BATCH: &str = "firebase_crashlytics.com_example_app_ANDROID";
    let place = Place::new().await;
    let issue = json!({"issue_id": "i", "issue_title": "Main.pay", "issue_subtitle": "no price"});
    let rows = ["2026-11-16T08:00:00Z", "2026-11-17T08:00:00Z"].map(|at| with(crash(at, at), issue.clone()));
    place.fixture.import(BATCH, &rows);
    // An older batch table lacks a column that the streamed one has, and is partitioned otherwise.
    let older = TableConditions {
        partitioning: Some(TablePartitioning::LoadTime),
        hidden: vec!["firebase_session_id".into()],
        ..TableConditions::default()
    };
    place.set(BATCH, older);
    let request = crate::daily_reading::request();
    for sessions in [SessionSource::FirebaseSessions, by_analytics()] {
        let remote: AnyWarehouse = Arc::new(place.bigquery(Duration::from_secs(30)));
        let remote = events(remote, sessions.clone()).daily(&request).await.unwrap();
        let local = events(place.fixture.warehouse.clone(), sessions).daily(&request).await.unwrap();
        let of_both = |cost: &QueryCost| cost.table.contains(" + ");
        assert!(
            remote
                .queries
                .iter()
                .all(|cost| cost.bytes_billed >= if of_both(cost) { 20 << 20 } else { 10 << 20 })
        );
        assert!(remote.queries.iter().any(of_both), "{:?}", remote.queries);
        assert_eq!(remote.crashes.as_ref().map(Vec::len), Some(1));
        let plain = |reading: DailyReading| DailyReading { queries: Vec::new(), ..reading };
        assert_eq!(plain(remote), plain(local));
    }
}

#[tokio::test]
async fn an_unchanged_table_bears_the_same_mark() {
    let place = Place::new().await;
    let first = place.marks().await;
    assert!(first.crashes.is_some());
    assert_eq!(first, place.marks().await);
    place.fixture.import(CRASHES, &[crash("new", "2026-11-18T10:00:00Z")]);
    let third = place.marks().await;
    assert_ne!(first.crashes, third.crashes);
    assert_eq!(first.sessions, third.sessions);
}

#[tokio::test]
async fn f06_an_endless_job_is_cancelled() {
    let place = Place::new().await;
    place
        .sandbox
        .model()
        .set_bigquery_jobs(JobConditions { running_polls: 10_000, ..JobConditions::default() });
    let error = place.bigquery(Duration::from_secs(2)).run(&query()).await.unwrap_err();
    assert!(error.what.contains("the time of the run was up"), "{error}");
    let state = place.sandbox.model().state()["bigquery"].to_string();
    assert!(state.contains("User requested cancellation"), "{state}");
}

#[tokio::test]
async fn a_job_that_failed_at_the_backend_is_run_again() {
    let place = Place::new().await;
    let failures = vec![JobFailure::backend(), JobFailure::backend()];
    place.sandbox.model().set_bigquery_jobs(JobConditions { failures, ..JobConditions::default() });
    assert_eq!(place.read().await.unwrap().queries.len(), 2);
}

#[tokio::test]
async fn f18_a_table_that_is_too_dear_is_not_read() {
    let place = Place::new().await;
    place.set(SESSIONS, TableConditions { bytes: Some(30 * GIB), ..TableConditions::default() });
    let error = place.read().await.unwrap_err();
    assert!(error.what.contains("cap of 20 GiB") && error.what.contains(SESSIONS), "{error}");

    place.set(SESSIONS, TableConditions { bytes: Some(7 * GIB), ..TableConditions::default() });
    let reading = place.read().await.unwrap();
    assert!(reading.queries[0].bytes_billed >= 7 * GIB, "more than a share, less than the cap");
}

#[tokio::test]
async fn f19_the_right_that_is_missing_is_named() {
    let place = Place::new().await;
    let denied = DatasetChange { access: Some(Access::Denied), ..DatasetChange::default() };
    place.sandbox.model().change_bigquery_dataset(PROJECT, "firebase_crashlytics", denied).unwrap();
    let error = place.read().await.unwrap_err();
    assert!(
        error.fix.contains("roles/bigquery.dataViewer") && error.what.contains("firebase_crashlytics"),
        "{error}"
    );
    assert!(place.bigquery(Duration::from_secs(30)).table(&table(SESSIONS)).await.unwrap().is_some());

    place.sandbox.model().set_bigquery_job_access(PROJECT, Access::Denied);
    let error = place.bigquery(Duration::from_secs(30)).run(&query()).await.unwrap_err();
    assert!(error.fix.contains("roles/bigquery.jobUser"), "{error}");
}

#[tokio::test]
async fn f09_f10_a_dataset_that_is_not_there_has_no_tables() {
    let place = Place::new().await;
    let missing = DatasetChange { access: Some(Access::Missing), ..DatasetChange::default() };
    place.sandbox.model().change_bigquery_dataset(PROJECT, "firebase_crashlytics", missing).unwrap();
    let reading = place.read().await.unwrap();
    assert_eq!(reading.absent.len(), 1);
    assert_eq!(reading.absent[0].table, CRASHES);
}

#[tokio::test]
async fn tables_that_look_otherwise_are_read_all_the_same() {
    let place = Place::new().await;
    let expected = plain(place.read().await.unwrap());
    let loaded =
        TableConditions { partitioning: Some(TablePartitioning::LoadTime), ..TableConditions::default() };
    place.set(SESSIONS, loaded.clone());
    place.set(CRASHES, TableConditions { extra: vec!["received".into()], ..loaded });
    assert_eq!(plain(place.read().await.unwrap()), expected);
    let sent = |request: &LoggedRequest| request.body.to_string().contains("_PARTITIONTIME");
    assert_eq!(place.sandbox.model().requests().iter().filter(|request| sent(request)).count(), 2);
}

#[tokio::test]
async fn f20_a_column_that_is_gone_is_named() {
    let place = Place::new().await;
    place
        .set(CRASHES, TableConditions { hidden: vec!["process_state".into()], ..TableConditions::default() });
    let error = place.read().await.unwrap_err();
    assert!(error.what.contains("process_state") && error.what.contains(CRASHES), "{error}");
}

#[tokio::test]
async fn the_real_binary_halts_a_bad_release_on_the_events_of_bigquery() {
    let town = Town::on_bigquery(Apps::Android, Told::Bad).await;
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let result = ran.result();
    assert_eq!(result["decision"], "halt");
    assert!(result["bytes_billed"].as_u64().unwrap() >= 20 << 20, "{result:#}");
    assert_eq!(town.store_status(), town.halted_status());
}

/// One call of each kind that the adapter makes, with its answer.
pub async fn every_kind_of_call() -> Vec<LoggedRequest> {
    let place = Place::new().await;
    let slow = JobConditions { running_polls: 1, page_rows: Some(1), ..JobConditions::default() };
    place.sandbox.model().set_bigquery_jobs(slow);
    reading(Arc::new(place.bigquery(Duration::from_secs(30))), by_analytics()).await.unwrap();
    place.read().await.unwrap();
    place
        .sandbox
        .model()
        .set_bigquery_jobs(JobConditions { running_polls: 10_000, ..JobConditions::default() });
    assert!(place.bigquery(Duration::from_secs(2)).run(&query()).await.is_err());
    place.sandbox.model().requests().into_iter().filter(|call| call.service == Served::BigQuery).collect()
}
