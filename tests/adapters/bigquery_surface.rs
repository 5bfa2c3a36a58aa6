//! The sandbox's BigQuery over real HTTP, as a client meets it: what is there, how jobs go, what they cost, and how each
//! refusal looks.

use std::time::Duration;

use google_cloud_auth::credentials::service_account::{AccessSpecifier, Builder};
use jiff::SignedDuration;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tidegate::queries::{self, Engine, Parameters, Partitioning, Question, Shape, Source, Table, render};
use tidegate::sandbox::{
    Access, CannedReply, DatasetChange, DatasetSeed, Fault, FaultKind, JobConditions, JobFailure,
    LoggedRequest, Ports, Sandbox, SandboxOptions, Seed, Service, TableConditions, TablePartitioning,
};

use crate::support::{CRASHES, Fixture, SESSIONS, analytics, at, crash, session};

pub const PROJECT: &str = "example-project";
const CRASHLYTICS: &str = "firebase_crashlytics";
const NOW: &str = "2026-11-18T12:00:00Z";
const MIB: u64 = 1024 * 1024;

/// A sandbox whose BigQuery serves the three datasets of a fixture, and a client that is signed in.
pub struct Surface {
    pub fixture: Fixture,
    pub sandbox: Sandbox,
    client: Client,
    token: String,
}

impl Surface {
    pub async fn new() -> Self {
        // Another test may have installed it already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let fixture = Fixture::new();
        let days = ["2026-11-16T23:59:59.999999Z", "2026-11-17T00:00:00Z", "2026-11-18T11:00:00Z"];
        let crashes: Vec<Value> =
            days.iter().enumerate().map(|(n, day)| crash(&format!("c{n}"), day)).collect();
        let sessions: Vec<Value> =
            days.iter().enumerate().map(|(n, day)| session(&format!("s{n}"), day)).collect();
        fixture.import(CRASHES, &crashes);
        fixture.import(SESSIONS, &sessions);
        fixture.import("analytics_1.events_intraday_20261118", &[analytics("ada", "2026-11-18T10:00:00Z")]);
        let file = fixture.folder.path().join("warehouse.sqlite");
        let dataset = |name: &str| DatasetSeed::new(PROJECT, name, &file);
        let bigquery =
            vec![dataset(CRASHLYTICS), dataset("firebase_sessions"), dataset("analytics_1").located("EU")];
        let options = SandboxOptions {
            ports: Ports::default(),
            seed: Seed { bigquery, ..Seed::default() },
            credentials_dir: fixture.folder.path().join("keys"),
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        sandbox.model().set_now(Some(at(NOW)));
        let token = token(&sandbox, "https://www.googleapis.com/auth/bigquery").await;
        let client = Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().unwrap();
        Self { fixture, sandbox, client, token }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Response> {
        let address = format!("{}/bigquery/v2/projects/{PROJECT}{path}", self.sandbox.endpoints.bigquery);
        let request = self.client.request(method, address).bearer_auth(&self.token);
        match body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        read(self.send(Method::GET, path, None).await.unwrap()).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        read(self.send(Method::POST, path, Some(body)).await.unwrap()).await
    }

    /// Starts a job that must be accepted.
    async fn start(&self, job: &Value) -> Value {
        let (status, job) = self.post("/jobs", job).await;
        assert_eq!(status, 200, "{job:#}");
        job
    }

    fn set(&self, conditions: TableConditions) {
        let table = CRASHES.split_once('.').unwrap().1;
        self.sandbox.model().set_bigquery_table(PROJECT, CRASHLYTICS, table, conditions).unwrap();
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

async fn token(sandbox: &Sandbox, scope: &str) -> String {
    let key = std::fs::read_to_string(&sandbox.credentials.play_service_account_path).unwrap();
    let builder = Builder::new(serde_json::from_str(&key).unwrap())
        .with_access_specifier(AccessSpecifier::from_scopes([scope]));
    builder.build_access_token_credentials().unwrap().access_token().await.unwrap().token
}

fn window(from: &str, to: &str) -> Parameters {
    Parameters {
        from_us: at(from).as_microsecond(),
        to_us: at(to).as_microsecond(),
        mature_us: at(to).as_microsecond(),
        builds: vec!["200".into()],
        ..Parameters::default()
    }
}

/// A job that asks a question, as a client of BigQuery writes it.
pub fn job(id: &str, question: Question, source: Source, table: &str, asked: &Parameters) -> Value {
    shaped_job(id, question, source, table, asked, &Shape::default())
}

fn shaped_job(
    id: &str,
    question: Question,
    source: Source,
    table: &str,
    asked: &Parameters,
    shape: &Shape,
) -> Value {
    let query = render(question, source, Engine::BigQuery, &Table::new(table).unwrap(), shape, asked);
    let parameters: Vec<Value> = query
        .parameters
        .iter()
        .map(|(name, value)| {
            let (kind, value) = match value {
                queries::Value::Integer(value) => ("INT64", value.to_string()),
                queries::Value::Text(value) => ("STRING", value.clone()),
            };
            json!({"name": name, "parameterType": {"type": kind}, "parameterValue": {"value": value}})
        })
        .collect();
    let text = query.sql.replace(&format!("`{table}`"), &format!("`{PROJECT}.{table}`"));
    json!({
        "jobReference": {"projectId": PROJECT, "jobId": id},
        "configuration": {
            "labels": {"tidegate_question": question.name(), "tidegate_source": source.name()},
            "query": {"query": text, "useLegacySql": false, "parameterMode": "NAMED", "queryParameters": parameters},
        },
    })
}

fn crashes(id: &str) -> Value {
    let asked = window("2026-11-17T00:00:00Z", "2026-11-19T00:00:00Z");
    job(id, Question::Crashes, Source::Crashlytics, CRASHES, &asked)
}

/// What the sandbox's BigQuery was asked and what it answered, each kind of call and of answer at least once.
pub async fn every_kind_of_call() -> Vec<LoggedRequest> {
    let surface = Surface::new().await;
    let model = surface.sandbox.model();
    let table = CRASHES.replace('.', "/tables/");
    surface.get("/datasets?maxResults=2").await;
    surface.get("/datasets/analytics_1").await;
    surface.get("/datasets/nowhere").await;
    surface.get("/datasets/firebase_crashlytics/tables?maxResults=1").await;
    surface.get(&format!("/datasets/{table}")).await;
    surface.fixture.import(CRASHES, &[crash("new", "2026-11-18T11:05:00Z")]);
    surface.get(&format!("/datasets/{table}?prettyPrint=false")).await;
    surface.get(&format!("/datasets/{table}_nowhere")).await;
    surface.set(TableConditions {
        partitioning: Some(TablePartitioning::LoadTime),
        extra: vec!["x".into()],
        ..TableConditions::default()
    });
    surface.get(&format!("/datasets/{table}")).await;
    surface.set(TableConditions::default());
    kinds_of_jobs(&surface).await;
    let change = DatasetChange { access: Some(Access::Denied), ..DatasetChange::default() };
    model.change_bigquery_dataset(PROJECT, CRASHLYTICS, change).unwrap();
    surface.get("/datasets/firebase_crashlytics/tables").await;
    surface.start(&crashes("denied")).await;
    model.set_bigquery_job_access(PROJECT, Access::Denied);
    surface.post("/jobs", &crashes("nobody")).await;
    let address =
        format!("{}/bigquery/v2/projects/{PROJECT}/datasets/nowhere", surface.sandbox.endpoints.bigquery);
    surface.client.get(address).bearer_auth("stranger").send().await.unwrap();
    model.requests()
}

async fn kinds_of_jobs(surface: &Surface) {
    let model = surface.sandbox.model();
    surface.start(&crashes("one")).await;
    surface.post("/jobs", &crashes("one")).await;
    surface.get("/jobs/one?location=US").await;
    surface.get("/queries/one?maxResults=1&timeoutMs=10&location=US").await;
    surface.get("/queries/one?formatOptions.useInt64Timestamp=true").await;
    let mut dry = crashes("dry");
    dry["configuration"]["dryRun"] = json!(true);
    surface.start(&dry).await;
    let mut limited = crashes("limited");
    limited["configuration"]["query"]["maximumBytesBilled"] = json!("1");
    surface.start(&limited).await;
    surface.get("/queries/limited").await;
    surface.post("/jobs", &json!({"configuration": {"query": {"useLegacySql": false}}})).await;
    let mut body = crashes("unused")["configuration"]["query"].clone();
    surface.post("/queries", &body).await;
    let labels = crashes("unused")["configuration"]["labels"].clone();
    (body["labels"], body["maxResults"]) = (labels, json!(1));
    surface.post("/queries", &body).await;
    body["dryRun"] = json!(true);
    surface.post("/queries", &body).await;
    surface.post("/queries", &json!({"query": "SELECT 1", "useLegacySql": false, "timeoutMs": 0})).await;
    model.set_bigquery_jobs(JobConditions { running_polls: 3, ..JobConditions::default() });
    surface.start(&crashes("slow")).await;
    surface.get("/queries/slow").await;
    surface.get("/jobs/slow").await;
    let unavailable = FaultKind::Status(CannedReply::status(503));
    model.add_fault(Fault::new(Service::BigQuery, unavailable));
    surface.get("/jobs/slow").await;
    surface.send(Method::POST, "/jobs/slow/cancel", None).await.unwrap();
}

fn reason((status, body): (u16, Value)) -> (u16, String, String) {
    let error = &body["error"];
    assert_eq!(error["code"], status, "{body:#}");
    assert_eq!(error["errors"][0]["message"], error["message"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (status, text(&error["errors"][0]["reason"]), text(&error["message"]))
}

#[tokio::test]
async fn datasets_and_tables_are_described() {
    let surface = Surface::new().await;
    let (_, dataset) = surface.get("/datasets/analytics_1").await;
    assert_eq!((&dataset["location"], &dataset["id"]), (&json!("EU"), &json!("example-project:analytics_1")));
    let (_, datasets) = surface.get("/datasets?maxResults=2").await;
    assert_eq!(datasets["datasets"].as_array().unwrap().len(), 2);
    let next = datasets["nextPageToken"].as_str().unwrap();
    let (_, rest) = surface.get(&format!("/datasets?maxResults=2&pageToken={next}")).await;
    assert_eq!(rest["datasets"].as_array().unwrap().len(), 1);
    assert_eq!(rest.get("nextPageToken"), None);

    let (_, tables) = surface.get("/datasets/firebase_crashlytics/tables").await;
    assert_eq!(tables["totalItems"], 1);
    let id = tables["tables"][0]["tableReference"]["tableId"].as_str().unwrap();
    let (_, table) = surface.get(&format!("/datasets/firebase_crashlytics/tables/{id}")).await;
    assert_eq!(table["timePartitioning"]["field"], "event_timestamp");
    assert_eq!((&table["numRows"], &table["location"]), (&json!("3"), &json!("US")));
    assert!(table["numBytes"].as_str().unwrap().parse::<u64>().unwrap() > 300, "{table:#}");
    assert_eq!(table.get("streamingBuffer"), None);

    surface.sandbox.model().set_now(Some(at(NOW) + SignedDuration::from_mins(10)));
    surface.fixture.import(CRASHES, &[crash("new", "2026-11-18T12:05:00Z")]);
    let (_, changed) = surface.get(&format!("/datasets/firebase_crashlytics/tables/{id}")).await;
    assert_ne!(changed["lastModifiedTime"], table["lastModifiedTime"]);
    assert_ne!(changed["etag"], table["etag"]);
    assert_eq!(
        (&changed["numRows"], &changed["streamingBuffer"]["estimatedRows"]),
        (&json!("3"), &json!("1"))
    );
    surface.sandbox.model().set_now(Some(at(NOW) + SignedDuration::from_hours(3)));
    let (_, flushed) = surface.get(&format!("/datasets/firebase_crashlytics/tables/{id}")).await;
    assert_eq!((&flushed["numRows"], flushed.get("streamingBuffer")), (&json!("4"), None));
}

#[tokio::test]
async fn a_question_is_answered_as_the_embedded_engine_answers_it() {
    let surface = Surface::new().await;
    let job = surface.start(&crashes("first")).await;
    assert_eq!(job["id"], "example-project:US.first");
    assert_eq!(job["status"], json!({"state": "DONE"}));
    let (_, results) = surface.get("/queries/first?maxResults=1").await;
    assert_eq!((&results["totalRows"], results["rows"].as_array().unwrap().len()), (&json!("2"), 1));
    assert_eq!(
        results["schema"]["fields"][1],
        json!({"name": "version", "type": "STRING", "mode": "NULLABLE"})
    );
    let next = results["pageToken"].as_str().unwrap();
    let (_, rest) = surface.get(&format!("/queries/first?pageToken={next}")).await;
    let row: Vec<&Value> = rest["rows"][0]["f"].as_array().unwrap().iter().map(|cell| &cell["v"]).collect();
    assert_eq!(row[1..4], [&json!("2.0"), &json!("200"), &json!("1")]);
    assert_eq!(rest.get("pageToken"), None);
    // Two of three reports are in the window: their columns, and not a byte more.
    let row =
        "c1".len() + "FATAL".len() + "FOREGROUND".len() + "session of c1".len() + "installation of c1".len();
    let row = row + "2.0".len() + "200".len() + 7 * 2 + 8;
    let query = &job["statistics"]["query"];
    assert_eq!(query["totalBytesProcessed"], (2 * row).to_string());
    assert_eq!(query["totalBytesBilled"], (10 * MIB).to_string());
    assert_eq!(query["referencedTables"][0]["datasetId"], CRASHLYTICS);
}

#[tokio::test]
async fn a_dry_run_costs_nothing_and_leaves_nothing() {
    let surface = Surface::new().await;
    let mut dry = crashes("dry");
    dry["configuration"]["dryRun"] = json!(true);
    let (status, checked) = surface.post("/jobs", &dry).await;
    let query = &checked["statistics"]["query"];
    assert_eq!((status, &query["totalBytesBilled"], &query["cacheHit"]), (200, &json!("0"), &json!(false)));
    assert_ne!(checked["statistics"]["totalBytesProcessed"], "0");
    assert_eq!(reason(surface.get("/jobs/dry").await).0, 404);
    assert_eq!(checked["jobReference"].get("jobId"), None);
}

#[tokio::test]
async fn an_id_is_used_once() {
    let surface = Surface::new().await;
    surface.start(&crashes("mine")).await;
    let again = reason(surface.post("/jobs", &crashes("mine")).await);
    let text = "Already Exists: Job example-project:US.mine";
    assert_eq!(again, (409, "duplicate".to_owned(), text.to_owned()));
    let (_, kept) = surface.get("/jobs/mine").await;
    assert_eq!(kept["statistics"]["query"]["cacheHit"], false);
}

#[tokio::test]
async fn the_same_question_of_the_same_rows_is_free_for_a_day() {
    let surface = Surface::new().await;
    let cost = async |id: &str| {
        let query = surface.start(&crashes(id)).await["statistics"]["query"].clone();
        (query["cacheHit"].as_bool().unwrap(), query["totalBytesBilled"].as_str().unwrap().to_owned())
    };
    let paid = (false, (10 * MIB).to_string());
    assert_eq!(cost("a").await, paid);
    assert_eq!(cost("b").await, (true, "0".to_owned()));
    let mut anew = crashes("c");
    anew["configuration"]["query"]["useQueryCache"] = json!(false);
    assert_eq!(surface.start(&anew).await["statistics"]["query"]["cacheHit"], false);
    surface.sandbox.model().set_now(Some(at(NOW) + SignedDuration::from_hours(25)));
    assert_eq!(cost("d").await, paid);
    surface.fixture.import(CRASHES, &[crash("new", "2026-11-18T12:05:00Z")]);
    assert_eq!(cost("e").await, paid);
    assert_eq!(cost("f").await, paid, "nothing is kept of a table with rows in the streaming buffer");
}

#[tokio::test]
async fn a_query_that_costs_too_much_fails_for_free() {
    let surface = Surface::new().await;
    surface.set(TableConditions { bytes: Some(30 * MIB + 1), ..TableConditions::default() });
    let mut limited = crashes("limited");
    limited["configuration"]["query"]["maximumBytesBilled"] = json!((20 * MIB).to_string());
    let job = surface.start(&limited).await;
    let text = "Query exceeded limit for bytes billed: 20971520. 32505856 or higher required.";
    assert_eq!(job["status"]["errorResult"], json!({"reason": "bytesBilledLimitExceeded", "message": text}));
    assert_eq!(job["statistics"]["query"]["totalBytesBilled"], "0");
    let results = reason(surface.get("/queries/limited").await);
    assert_eq!(results, (400, "bytesBilledLimitExceeded".to_owned(), text.to_owned()));
    let job = surface.start(&crashes("free")).await;
    assert_eq!(job["statistics"]["query"]["totalBytesBilled"], (31 * MIB).to_string());
}

#[tokio::test]
async fn a_job_runs_as_long_as_it_is_told_and_can_be_cancelled() {
    let surface = Surface::new().await;
    let conditions = JobConditions { running_polls: 2, ..JobConditions::default() };
    surface.sandbox.model().set_bigquery_jobs(conditions);
    assert_eq!(surface.start(&crashes("slow")).await["status"]["state"], "RUNNING");
    let (_, waiting) = surface.get("/queries/slow?timeoutMs=10").await;
    assert_eq!((&waiting["jobComplete"], waiting.get("rows")), (&json!(false), None));
    assert_eq!(surface.get("/jobs/slow").await.1["status"]["state"], "RUNNING");
    assert_eq!(surface.get("/queries/slow").await.1["jobComplete"], true);

    surface.start(&crashes("doomed")).await;
    let (_, cancelled) = surface.post("/jobs/doomed/cancel", &json!({})).await;
    assert_eq!(cancelled["job"]["status"]["errorResult"]["reason"], "stopped");
    assert_eq!(reason(surface.get("/queries/doomed").await).1, "stopped");
    let (_, done) = surface.post("/jobs/slow/cancel", &json!({})).await;
    assert_eq!(done["job"]["status"], json!({"state": "DONE"}));
}

#[tokio::test]
async fn jobs_query_answers_at_once_or_later() {
    let surface = Surface::new().await;
    let asked = crashes("unused");
    let mut body = asked["configuration"]["query"].clone();
    body["labels"] = asked["configuration"]["labels"].clone();
    body["maxResults"] = json!(1);
    let (status, reply) = surface.post("/queries", &body).await;
    assert_eq!((status, &reply["jobComplete"], &reply["totalRows"]), (200, &json!(true), &json!("2")));
    assert_eq!(reply["totalBytesBilled"], (10 * MIB).to_string());
    let id = reply["jobReference"]["jobId"].as_str().unwrap();
    let next = reply["pageToken"].as_str().unwrap();
    let (_, rest) = surface.get(&format!("/queries/{id}?pageToken={next}")).await;
    assert_eq!(rest["rows"].as_array().unwrap().len(), 1);
    body["timeoutMs"] = json!(0);
    assert_eq!(surface.post("/queries", &body).await.1["jobComplete"], false);
    body["dryRun"] = json!(true);
    let (_, checked) = surface.post("/queries", &body).await;
    assert_eq!(checked["jobReference"].get("jobId"), None);
    assert_ne!(checked["totalBytesProcessed"], "0");
    body["query"] = json!("SELECT x");
    assert_eq!(reason(surface.post("/queries", &body).await).1, "invalidQuery");
    let one = json!({"query": "SELECT 1 AS one", "useLegacySql": false});
    assert_eq!(surface.post("/queries", &one).await.1["rows"], json!([{"f": [{"v": "1"}]}]));
    let count = format!("SELECT COUNT(*) AS n FROM `{PROJECT}.{CRASHES}`");
    let count = json!({"query": count, "useLegacySql": false});
    assert_eq!(surface.post("/queries", &count).await.1["rows"], json!([{"f": [{"v": "3"}]}]));
}

#[tokio::test]
async fn a_job_outside_the_us_is_found_only_with_its_location() {
    let surface = Surface::new().await;
    let asked = window("2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z");
    let table = "analytics_1.events_intraday_20261118";
    let eu = |id: &str| job(id, Question::Sessions, Source::Analytics, table, &asked);
    assert_eq!(surface.start(&eu("far")).await["jobReference"]["location"], "EU");
    let text = "Not found: Job example-project:far";
    assert_eq!(reason(surface.get("/queries/far").await), (404, "notFound".to_owned(), text.to_owned()));
    let (status, results) = surface.get("/queries/far?location=eu").await;
    assert_eq!((status, &results["totalRows"]), (200, &json!("1")));
    let mut elsewhere = eu("elsewhere");
    elsewhere["jobReference"]["location"] = json!("US");
    let job = surface.start(&elsewhere).await;
    let text = "Not found: Dataset example-project:analytics_1 was not found in location US";
    assert_eq!(job["status"]["errorResult"], json!({"reason": "notFound", "message": text}));
}

#[tokio::test]
async fn rows_are_kept_for_a_while() {
    let surface = Surface::new().await;
    surface.start(&crashes("old")).await;
    for number in 0..100 {
        assert_eq!(surface.get("/queries/old").await.0, 200);
        surface.start(&crashes(&format!("newer{number}"))).await;
    }
    assert_eq!(reason(surface.get("/queries/old").await).0, 404);
    let (_, job) = surface.get("/jobs/old").await;
    assert_eq!(job["statistics"]["query"]["totalBytesBilled"], (10 * MIB).to_string());
}

#[tokio::test]
async fn what_is_missing_or_forbidden_is_refused_in_bigquerys_words() {
    let surface = Surface::new().await;
    let model = surface.sandbox.model();
    let missing = reason(surface.get("/datasets/firebase_crashlytics/tables/nowhere").await);
    let text = "Not found: Table example-project:firebase_crashlytics.nowhere";
    assert_eq!(missing, (404, "notFound".to_owned(), text.to_owned()));
    assert_eq!(
        reason(surface.get("/datasets/nowhere").await).2,
        "Not found: Dataset example-project:nowhere"
    );
    let change = |access| DatasetChange { access: Some(access), ..DatasetChange::default() };
    model.change_bigquery_dataset(PROJECT, CRASHLYTICS, change(Access::Denied)).unwrap();
    let (status, reason_word, text) = reason(surface.get("/datasets/firebase_crashlytics").await);
    assert_eq!((status, reason_word.as_str()), (403, "accessDenied"), "{text}");
    let job = surface.start(&crashes("denied")).await;
    let text = job["status"]["errorResult"]["message"].as_str().unwrap();
    assert!(text.starts_with("Access Denied: Table example-project:firebase_crashlytics.com"), "{text}");
    model.change_bigquery_dataset(PROJECT, CRASHLYTICS, change(Access::Missing)).unwrap();
    let job = surface.start(&crashes("missing")).await;
    assert_eq!(job["status"]["errorResult"]["reason"], "notFound");
    model.set_bigquery_job_access(PROJECT, Access::Denied);
    let (status, _, text) = reason(surface.post("/jobs", &crashes("nobody")).await);
    assert!(status == 403 && text.contains("does not have bigquery.jobs.create permission"), "{text}");
    let stranger = token(&surface.sandbox, "https://www.googleapis.com/auth/androidpublisher").await;
    let address = format!("{}/bigquery/v2/projects/{PROJECT}/datasets", surface.sandbox.endpoints.bigquery);
    let reply = read(surface.client.get(address).bearer_auth(stranger).send().await.unwrap()).await;
    assert_eq!(reason(reply).0, 401);
}

#[tokio::test]
async fn another_text_or_parameter_is_refused() {
    let surface = Surface::new().await;
    let ended = async |id: &str, spoil: fn(&mut Value)| {
        let mut job = crashes(id);
        spoil(&mut job["configuration"]["query"]);
        let job = surface.start(&job).await;
        job["status"]["errorResult"]["message"].as_str().unwrap_or_default().to_owned()
    };
    let spoil =
        |query: &mut Value| query["query"] = json!(query["query"].as_str().unwrap().replace("MIN", "MAX"));
    let other = ended("text", spoil).await;
    assert!(other.contains("MAX(day) AS day") && other.contains("MIN(day) AS day"), "{other}");
    let missing =
        ended("less", |query| drop(query["queryParameters"].as_array_mut().unwrap().remove(0))).await;
    assert!(missing.contains("Query parameter 'from_us' not found"), "{missing}");
    let spoil = |query: &mut Value| {
        query["queryParameters"][0]["parameterType"]["type"] = json!("STRING");
    };
    assert!(ended("kind", spoil).await.contains("is of type STRING, and INT64 is needed"));
    let spoil = |query: &mut Value| {
        let extra =
            json!({"name": "x", "parameterType": {"type": "INT64"}, "parameterValue": {"value": "1"}});
        query["queryParameters"].as_array_mut().unwrap().push(extra);
    };
    assert!(ended("more", spoil).await.contains("'x' is not used"));
    assert_eq!(ended("good", |_| {}).await, "");
}

#[tokio::test]
async fn a_table_can_lack_columns_and_be_partitioned_otherwise() {
    let surface = Surface::new().await;
    let hidden = vec!["application.build_version".to_owned(), "issue_title".to_owned()];
    surface.set(TableConditions {
        hidden,
        partitioning: Some(TablePartitioning::LoadTime),
        ..TableConditions::default()
    });
    let job = surface.start(&crashes("unknown")).await;
    let text = job["status"]["errorResult"]["message"].as_str().unwrap();
    assert!(text.starts_with("Field name build_version does not exist in STRUCT"), "{text}");
    let path = format!("/datasets/{}", CRASHES.replace('.', "/tables/"));
    let (_, table) = surface.get(&path).await;
    assert_eq!(table["timePartitioning"].get("field"), None);
    let fields = table["schema"]["fields"].as_array().unwrap();
    assert!(!fields.iter().any(|field| field["name"] == "issue_title"));

    let columns = Source::Crashlytics.needed().iter().map(|name| (*name).to_owned());
    let shape =
        Shape::new(columns.chain(["firebase_session_id".to_owned()]).collect(), Partitioning::ByLoadTime);
    let asked = window("2026-11-17T00:00:00Z", "2026-11-18T00:00:00Z");
    let known = shaped_job("known", Question::Crashes, Source::Crashlytics, CRASHES, &asked, &shape);
    let job = surface.start(&known).await;
    assert_eq!(job["status"], json!({"state": "DONE"}), "{job:#}");
    let (_, results) = surface.get("/queries/known").await;
    assert_eq!(results["rows"][0]["f"][2]["v"], Value::Null, "the build is not known");
    // The window ends before the third report, which its day of loading does not tell.
    let row =
        "c1".len() + "FATAL".len() + "FOREGROUND".len() + "session of c1".len() + "installation of c1".len();
    let row = row + "2.0".len() + 6 * 2 + 8;
    assert_eq!(job["statistics"]["totalBytesProcessed"], (2 * row).to_string());

    surface
        .set(TableConditions { partitioning: Some(TablePartitioning::None), ..TableConditions::default() });
    let job = surface.start(&crashes("whole")).await;
    assert_eq!(job["statistics"]["totalBytesProcessed"], (3 * (row + 5)).to_string());
    let late = shaped_job(
        "late",
        Question::Crashes,
        Source::Crashlytics,
        CRASHES,
        &asked,
        &Shape::new(fields_of_all(), Partitioning::ByLoadTime),
    );
    let text = surface.start(&late).await["status"]["errorResult"]["message"].clone();
    assert!(text.as_str().unwrap().starts_with("Unrecognized name: _PARTITIONTIME at ["), "{text}");
}

fn fields_of_all() -> std::collections::BTreeSet<String> {
    let needed = Source::Crashlytics.needed().iter().copied();
    needed.chain(["firebase_session_id", "application.build_version"]).map(str::to_owned).collect()
}

#[tokio::test]
async fn jobs_fail_as_they_are_told() {
    let surface = Surface::new().await;
    let failures = vec![JobFailure::backend()];
    surface.sandbox.model().set_bigquery_jobs(JobConditions { failures, ..JobConditions::default() });
    let job = surface.start(&crashes("bad")).await;
    assert_eq!(job["status"]["errorResult"]["reason"], "jobBackendError");
    assert_eq!(reason(surface.get("/queries/bad").await).0, 400);
    assert_eq!(surface.start(&crashes("good")).await["status"], json!({"state": "DONE"}));
}

#[tokio::test]
async fn faults_hit_this_service_too() {
    let surface = Surface::new().await;
    let model = surface.sandbox.model();
    model.add_fault(Fault::new(Service::BigQuery, FaultKind::TruncatedGzip));
    let reply = surface.send(Method::POST, "/jobs", Some(&crashes("cut"))).await.unwrap();
    assert!(reply.status().is_success());
    assert!(reply.text().await.is_err(), "half a gzip body was taken for whole");
    let (status, job) = surface.get("/jobs/cut").await;
    assert_eq!((status, &job["status"]["state"]), (200, &json!("DONE")), "the request had its effect");
    model.add_fault(Fault::new(Service::BigQuery, FaultKind::Empty));
    assert_eq!(surface.get("/jobs/cut").await, (200, Value::Null));
    let canned = CannedReply::status(503);
    model.add_fault(Fault::new(Service::BigQuery, FaultKind::Status(canned)));
    assert_eq!(reason(surface.get("/jobs/cut").await).1, "backendError");
}

#[tokio::test]
async fn the_control_surface_sets_everything() {
    let surface = Surface::new().await;
    let control = &surface.sandbox.endpoints.control;
    let send = async |method: Method, path: &str, body: Value| {
        read(surface.client.request(method, format!("{control}{path}")).json(&body).send().await.unwrap())
            .await
    };
    let file = surface.fixture.folder.path().join("warehouse.sqlite");
    let dataset = json!({"project": "other", "dataset": "firebase_crashlytics", "warehouse": file});
    assert_eq!(send(Method::POST, "/bigquery/datasets", dataset.clone()).await.0, 204);
    assert_eq!(send(Method::POST, "/bigquery/datasets", dataset).await.0, 409);
    let path = "/bigquery/datasets/other/firebase_crashlytics";
    assert_eq!(send(Method::PATCH, path, json!({"location": "EU", "access": "denied"})).await.0, 204);
    let table = format!("{path}/tables/{}", CRASHES.split_once('.').unwrap().1);
    let conditions = json!({"partitioning": "load-time", "extra": ["x"], "bytes": 5});
    assert_eq!(send(Method::PUT, &table, conditions).await.0, 204);
    let (status, refusal) = send(Method::PUT, &table, json!({"hidden": ["nothing"]})).await;
    assert!(status == 400 && refusal["error"].as_str().unwrap().contains("issue_title"), "{refusal}");
    assert_eq!(send(Method::PUT, "/bigquery/projects/other", json!({"jobs": "denied"})).await.0, 204);
    let jobs = json!({"running_polls": 1, "failures": [{"reason": "jobInternalError", "message": "m"}]});
    assert_eq!(send(Method::PUT, "/bigquery/jobs", jobs).await.0, 204);
    let state = surface.sandbox.model().state();
    let other = &state["bigquery"]["projects"]["other"];
    assert_eq!(
        (&other["jobs"], &other["datasets"][CRASHLYTICS]["location"]),
        (&json!("denied"), &json!("EU"))
    );
}
