//! How long one run takes for 1, 10 and 1,000 apps, with services that answer in 50 ms.
//!
//! The real binary, built for release, against the sandbox's stores and BigQuery, each answer held back for 50 ms. The
//! state is in the Firestore emulator that `FIRESTORE_EMULATOR_HOST` names, as fast as it is, else in a SQLite file.
//! Every app has a release that is rolling out. The second run of each size is what is usual: the first looks at
//! everything for the first time.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tidegate::adapters::clock::steady;
use tidegate::adapters::embedded::Embedded;
use tidegate::adapters::embedded::schema::Export;
use tidegate::adapters::environment::variable;
use tidegate::commands::run::random_word;
use tidegate::queries::Table;
use tidegate::sandbox::{ChannelSeed, DatasetSeed, PlayAppSeed, Ports, Sandbox, SandboxOptions, Seed};

/// How long every answer takes.
const ANSWER: Duration = Duration::from_millis(50);
/// A Wednesday noon, two days after the releases.
const NOW: &str = "2026-11-18T12:00:00Z";
/// The project of the sandbox's BigQuery.
const PROJECT: &str = "tidegate-sandbox";
/// Sessions of each app.
const SESSIONS: i64 = 300;

fn package(app: usize) -> String {
    format!("com.example.app{app}")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

/// Sessions over two days, one crash, and a report that shows the export alive.
fn fill(warehouse: &Embedded, app: usize) {
    let start: Timestamp = "2026-11-16T08:00:00Z".parse().unwrap();
    let end: Timestamp = "2026-11-18T11:45:00Z".parse().unwrap();
    let step = end.duration_since(start).as_secs() / SESSIONS;
    let at = |index: i64| {
        let at = Timestamp::from_second(start.as_second() + index * step).unwrap();
        at.strftime("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()
    };
    let application = json!({"build_version": "200", "display_version": "2.0"});
    let sessions: Vec<_> = (0..=SESSIONS)
        .map(|index| {
            object(json!({
                "session_id": format!("s{app}-{index}"), "instance_id": format!("p{index}"),
                "event_type": "SESSION_START", "event_timestamp": at(index),
                "crashlytics_data_collection_enabled": true, "application": application,
            }))
        })
        .collect();
    let crashes = [object(json!({
        "event_id": format!("c{app}"), "event_timestamp": at(SESSIONS - 2), "error_type": "NON_FATAL",
        "process_state": "FOREGROUND", "installation_uuid": "i", "application": application,
    }))];
    let stem = package(app).replace('.', "_");
    let insert = |name: String, rows: &[Map<String, Value>]| {
        let table = Table::new(&name).unwrap();
        warehouse.insert(&table, Export::of_table(&name).unwrap(), rows).unwrap();
    };
    insert(format!("firebase_sessions.{stem}_ANDROID_REALTIME"), &sessions);
    insert(format!("firebase_crashlytics.{stem}_ANDROID_REALTIME"), &crashes);
}

fn releases() -> Vec<Value> {
    vec![
        json!({"name": "1.9", "versionCodes": ["100"], "status": "completed"}),
        json!({"name": "2.0", "versionCodes": ["200"], "status": "inProgress", "userFraction": 0.15}),
    ]
}

fn configuration(sandbox: &Sandbox, apps: usize) -> String {
    let (endpoints, credentials) = (&sandbox.endpoints, &sandbox.credentials);
    let key = credentials.play_service_account_path.display();
    let (state, firestore) = match variable("FIRESTORE_EMULATOR_HOST") {
        Some(host) => (
            format!("kind = \"firestore\"\nproject = \"bench-{}\"", random_word()),
            format!("firestore = \"http://{host}\"\n"),
        ),
        None => ("kind = \"sqlite\"\npath = \"state.sqlite\"".to_owned(), String::new()),
    };
    let mut text = format!(
        "[warehouse]\nkind = \"bigquery\"\nproject = \"{PROJECT}\"\nmax_bytes_billed_per_run = \"1 TiB\"\n\
         [state]\n{state}\n[gcp]\ncredentials = \"file:{key}\"\n\
         [slack]\nchannel = \"C0RELEASES\"\ntoken = \"env:SLACK_TOKEN\"\n\
         [google_play]\ncredentials = \"file:{key}\"\n\
         [endpoints]\ngoogle_play = \"{}\"\nslack = \"{}\"\nbigquery = \"{}\"\n{firestore}",
        endpoints.google_play, endpoints.slack, endpoints.bigquery,
    );
    for app in 0..apps {
        text.push_str(&format!(
            "[[app]]\nid = \"app{app}\"\nplatform = \"android\"\npackage = \"{}\"\n",
            package(app)
        ));
    }
    text
}

/// The greatest memory of a process that has ended, in MiB, where the system's `time` tells it.
fn run(folder: &Path, token: &str) -> (Duration, String) {
    let started = steady();
    let output = Command::new("/usr/bin/time")
        .args([
            "-f",
            "%M",
            env!("CARGO_BIN_EXE_tidegate"),
            "run",
            "release-monitor",
            "--now",
            NOW,
            "--output",
            "json",
        ])
        .current_dir(folder)
        .env("SLACK_TOKEN", token)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let took = steady() - started;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = errors.lines().last().unwrap_or_default().to_owned();
    let results: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    let undecided = results["results"].as_array().unwrap().iter().find(|app| app["decision_id"].is_null());
    assert_eq!(undecided, None, "{errors}");
    (took, last)
}

async fn measure(apps: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("warehouse.sqlite");
    let warehouse = Embedded::create(&file).unwrap();
    (0..apps).for_each(|app| fill(&warehouse, app));
    let dataset = |name: &str| DatasetSeed::new(PROJECT, name, &file);
    let seed = Seed {
        play: (0..apps)
            .map(|app| PlayAppSeed::new(&package(app)).with_track("production", releases()))
            .collect(),
        slack_channels: vec![ChannelSeed::new("C0RELEASES", "releases")],
        bigquery: vec![dataset("firebase_crashlytics"), dataset("firebase_sessions")],
        ..Seed::default()
    };
    let credentials_dir = folder.path().join("keys");
    let sandbox =
        Sandbox::start(SandboxOptions { ports: Ports::default(), seed, credentials_dir }).await.unwrap();
    sandbox.model().set_now(Some(NOW.parse().unwrap()));
    sandbox.model().set_latency(ANSWER);
    std::fs::write(folder.path().join("tidegate.toml"), configuration(&sandbox, apps)).unwrap();
    let token = sandbox.credentials.slack_token.clone();
    for which in ["first", "second"] {
        sandbox.model().clear_requests();
        let (place, token) = (folder.path().to_owned(), token.clone());
        let (took, kib) = tokio::task::spawn_blocking(move || run(&place, &token)).await.unwrap();
        let requests = sandbox.model().requests().len();
        let mib = kib.parse::<f64>().map(|kib| kib / 1024.0).unwrap_or(f64::NAN);
        println!(
            "{apps:>5} apps, {which:<6} run: {:>7.2} s, {mib:>5.0} MiB, {requests:>6} requests",
            took.as_secs_f64()
        );
    }
    sandbox.shutdown().await;
}

#[tokio::main]
async fn main() {
    for apps in [1, 10, 1_000] {
        measure(apps).await;
    }
}
