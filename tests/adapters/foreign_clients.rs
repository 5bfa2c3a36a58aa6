//! Other people's clients against the sandbox: what it serves must do for who never heard of it.
//!
//! They are Python programs in an environment that `scripts/test` makes; `CLIENTS_PYTHON` names its interpreter.
//! Without it the test says that it was skipped, and where `CI` is `true` it fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tidegate::queries::{self, Question, Source, Table};
use tidegate::sandbox::{AscAppSeed, ChannelSeed, PlayAppSeed, Ports, Sandbox, SandboxOptions, Seed};

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
        ..queries::Parameters::default()
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

/// A sandbox with version 2.0 on its way in both stores, and a channel.
async fn stores(folder: &Path) -> Sandbox {
    let releases = vec![
        json!({"name": "1.9", "versionCodes": ["190"], "status": "completed"}),
        json!({"name": "2.0", "versionCodes": ["200"], "status": "inProgress", "userFraction": 0.15}),
    ];
    let seed = Seed {
        play: vec![PlayAppSeed::new(APP).with_track("production", releases)],
        asc: vec![AscAppSeed::phased(APP, "2.0", "200", at("2026-11-16T08:00:00Z"))],
        slack_channels: vec![ChannelSeed::new(CHANNEL, "releases")],
        ..Seed::default()
    };
    let credentials_dir = folder.join("keys");
    Sandbox::start(SandboxOptions { ports: Ports::default(), seed, credentials_dir }).await.unwrap()
}

const APP: &str = "com.example.app";
const CHANNEL: &str = "C0123456";

#[tokio::test]
async fn googles_play_client_raises_halts_resumes_and_completes() {
    let Some(python) = python() else {
        eprintln!("SKIPPED: CLIENTS_PYTHON is not set, so Google's client was not run against the sandbox");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let sandbox = stores(folder.path()).await;
    let key = &sandbox.credentials.play_service_account_path;
    let endpoint = &sandbox.endpoints.google_play;
    let asked =
        json!({"endpoint": endpoint, "key": key, "package": APP, "track": "production", "code": "200"});
    let found = run(&python, folder.path(), "google_api_client.py", &asked).await;

    let old = json!({"name": "1.9", "versionCodes": ["190"], "status": "completed"});
    let ours = |status: &str, fraction: Option<f64>| {
        let mut release = json!({"name": "2.0", "versionCodes": ["200"], "status": status});
        fraction.into_iter().for_each(|fraction| release["userFraction"] = json!(fraction));
        release
    };
    let both = |status, fraction| json!([old, ours(status, Some(fraction))]);
    assert_eq!(found["before"], both("inProgress", 0.15));
    assert_eq!(found["raised"], both("inProgress", 0.5));
    assert_eq!(found["halted"], both("halted", 0.5));
    assert_eq!(found["resumed"], both("inProgress", 0.75));
    assert_eq!(found["completed"], json!([ours("completed", None)]), "the older one is obsolete");
    let names: Vec<&Value> = found["listed"]["releases"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let refused = |what: &str, status: u16, words: &str| {
        let refusal = &found[what];
        assert_eq!(refusal["status"], status, "{what}: {refusal}");
        assert!(refusal["reason"].as_str().unwrap().contains(words), "{what}: {refusal}");
    };
    refused("everybody_with_a_fraction", 400, "COMPLETED release must not have fraction");
    refused("above_one", 400, "User fraction must be lower than one.");
    refused("committed_twice", 400, "already been successfully committed");
    refused("nowhere", 404, "Package not found");
}

#[tokio::test]
async fn codemagics_client_pauses_resumes_and_completes_a_phased_release() {
    let Some(python) = python() else {
        eprintln!(
            "SKIPPED: CLIENTS_PYTHON is not set, so Codemagic's client was not run against the sandbox"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let sandbox = stores(folder.path()).await;
    let credentials = &sandbox.credentials;
    let asked = json!({
        "endpoint": sandbox.endpoints.app_store_connect, "bundle_id": APP, "version": "2.0",
        "key_id": credentials.asc_key_id, "issuer_id": credentials.asc_issuer_id,
        "key": credentials.asc_private_key_path,
    });
    let found = run(&python, folder.path(), "codemagic_cli_tools.py", &asked).await;

    assert_eq!((&found["app"], &found["version"]), (&json!(APP), &json!("2.0")));
    assert_eq!(found["before"]["state"], "ACTIVE");
    let states = ["paused", "read_back", "resumed", "completed"].map(|step| found[step].as_str().unwrap());
    assert_eq!(states, ["PAUSED", "PAUSED", "ACTIVE", "COMPLETE"]);
    let refused = |what: &str, status: u16, words: &str| {
        let refusal = &found[what];
        assert_eq!(refusal["status"], status, "{what}: {refusal}");
        assert!(refusal["errors"][0]["detail"].as_str().unwrap().contains(words), "{what}: {refusal}");
    };
    refused("paused_again", 409, "already has this value");
    refused("paused_when_complete", 409, "final state");
    refused("nowhere", 404, "");
}

#[tokio::test]
async fn slacks_client_warns_edits_halts_in_the_thread_and_finds_both_by_their_keys() {
    let Some(python) = python() else {
        eprintln!("SKIPPED: CLIENTS_PYTHON is not set, so Slack's client was not run against the sandbox");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let sandbox = stores(folder.path()).await;
    let (endpoint, token) = (&sandbox.endpoints.slack, &sandbox.credentials.slack_token);
    let asked = json!({"endpoint": endpoint, "token": token, "channel": CHANNEL});
    let found = run(&python, folder.path(), "slack_client.py", &asked).await;

    assert_eq!(found["parent_of_the_halt"], true);
    assert_eq!(found["history"], json!([["halted", "thread_broadcast"], ["worse", null]]));
    assert_eq!(
        (&found["history_keys"], &found["reply_keys"]),
        (&json!(["halt", "warn"]), &json!(["warn", "halt"]))
    );
    assert_eq!(found["replies"], json!(["worse", "halted"]));
    let refusals = ["no_channel", "nothing_to_edit", "too_long", "bad_token"].map(|what| found[what].clone());
    assert_eq!(refusals, ["channel_not_found", "message_not_found", "invalid_blocks", "invalid_auth"]);
}
