//! Other people's clients against the sandbox: what it serves must do for who never heard of it.
//!
//! They are Python programs in an environment that `scripts/test` makes; `CLIENTS_PYTHON` names its interpreter.
//! Without it the test says that it was skipped, and where `CI` is `true` it fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tidegate::queries::{self, Question, Source, Table};

use crate::bigquery_surface::{PROJECT, Surface, job};
use crate::support::{CRASHES, at};

/// The interpreter that has the clients.
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment where the clients are")]
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("CLIENTS_PYTHON").filter(|path| !path.is_empty()).map(PathBuf::from);
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(python.is_some() || !is_ci, "CLIENTS_PYTHON is not set: scripts/test makes it");
    python
}

/// Runs a client with a file of what it is asked, in an environment without anything of ours.
async fn run(python: &Path, folder: &Path, script: &str, asked: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adapters/clients").join(script);
    let file = folder.join("asked.json");
    std::fs::write(&file, asked.to_string()).unwrap();
    let mut command = Command::new(python);
    command.arg("-I").arg(script).arg(file).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{stderr}"))
}

#[tokio::test]
async fn googles_bigquery_client_reads_tables_and_asks_our_question() {
    let Some(python) = python() else {
        eprintln!("SKIPPED: CLIENTS_PYTHON is not set, so no other client was run against the sandbox");
        return;
    };
    let surface = Surface::new().await;
    let (dataset, table) = CRASHES.split_once('.').unwrap();
    let asked = queries::Parameters {
        from_us: at("2026-11-17T00:00:00Z").as_microsecond(),
        to_us: at("2026-11-19T00:00:00Z").as_microsecond(),
        mature_us: at("2026-11-19T00:00:00Z").as_microsecond(),
        builds: vec!["200".into()],
        versions: Vec::new(),
    };
    let ours = job("unused", Question::Crashes, Source::Crashlytics, CRASHES, &asked);
    let query = &ours["configuration"]["query"];
    let parameters: Vec<Value> = query["queryParameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| {
            let (kind, value) = (&parameter["parameterType"]["type"], &parameter["parameterValue"]["value"]);
            // The client takes numbers as numbers.
            let value =
                if kind == "INT64" { value.as_str().unwrap().parse().unwrap() } else { value.clone() };
            json!({"name": parameter["name"], "type": kind, "value": value})
        })
        .collect();
    let found = run(
        &python,
        surface.fixture.folder.path(),
        "google_cloud_bigquery.py",
        &json!({
            "endpoint": surface.sandbox.endpoints.bigquery,
            "key": surface.sandbox.credentials.play_service_account_path,
            "project": PROJECT, "dataset": dataset, "table": table,
            "sql": query["query"], "labels": ours["configuration"]["labels"], "parameters": parameters,
        }),
    )
    .await;

    assert_eq!(found["datasets"], json!(["analytics_1", "firebase_crashlytics", "firebase_sessions"]));
    assert_eq!(found["tables"], json!([table]));
    assert_eq!((&found["table"]["rows"], &found["table"]["location"]), (&json!(3), &json!("US")));
    assert_eq!(found["table"]["partitioned_by"], "event_timestamp");
    assert_eq!(found["table"]["fields"]["application"], json!(["build_version", "display_version"]));
    assert_eq!(found["dry_run"]["processed"], found["job"]["processed"]);
    assert_ne!(found["job"]["processed"], 0);
    assert_eq!(found["dry_run"]["billed"], 0);
    let job = &found["job"];
    assert_eq!(
        (&job["state"], &job["billed"], &job["cache_hit"]),
        (&json!("DONE"), &json!(10_485_760), &json!(false))
    );
    assert_eq!(
        (&job["statement"], &job["tables"]),
        (&json!("SELECT"), &json!([format!("{PROJECT}.{CRASHES}")]))
    );

    // The very rows that the embedded engine gives for the same question.
    let table = Table::new(CRASHES).unwrap();
    let shape = queries::Shape::default();
    let query = queries::render(
        Question::Crashes,
        Source::Crashlytics,
        queries::Engine::Sqlite,
        &table,
        &shape,
        &asked,
    );
    let rows = surface.fixture.warehouse.ask(&query).unwrap().rows;
    let cell = |cell| match cell {
        queries::Cell::Null => Value::Null,
        queries::Cell::Integer(value) => json!(value),
        queries::Cell::Text(text) => json!(text),
    };
    let rows: Vec<Vec<Value>> = rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect();
    assert_eq!((rows.len(), &found["rows"]), (2, &json!(rows)));
    let columns: Vec<&str> = Question::Crashes.columns().iter().map(|(name, _)| *name).collect();
    assert_eq!(found["columns"], json!(columns));
    assert_eq!(found["one"], json!([1]));
    assert_eq!(
        (&found["no_table"]["kind"], &found["no_table"]["reason"]),
        (&json!("NotFound"), &json!("notFound"))
    );
    let text = found["too_dear"]["message"].as_str().unwrap();
    assert!(text.contains("limit for bytes billed: 1. 10485760 or higher required."), "{text}");
    assert_eq!(found["too_dear"]["reason"], "bytesBilledLimitExceeded");
    assert_eq!(
        (&found["no_sense"]["kind"], &found["no_sense"]["reason"]),
        (&json!("BadRequest"), &json!("invalidQuery"))
    );
}
