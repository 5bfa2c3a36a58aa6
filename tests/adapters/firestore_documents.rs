//! What Firestore holds after runs of the real binary, and what a rewrite leaves alone.

use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::grpc_proxy::Proxy;
use crate::town::{Apps, Events, NOW, Town};

async fn town(events: Events) -> Option<(Emulator, Town)> {
    let emulator = Emulator::new()?;
    let town = Town::on_firestore(Apps::Android, events, &emulator, &emulator.address).await;
    Some((emulator, town))
}

fn text<'v>(document: &'v Value, field: &str) -> &'v str {
    document["fields"][field]["stringValue"].as_str().unwrap_or_else(|| panic!("{field} in {document:#}"))
}

/// The last part of a document's name.
fn id(document: &Value) -> &str {
    document["name"].as_str().unwrap().rsplit('/').next().unwrap()
}

#[tokio::test]
async fn a_halt_leaves_a_document_of_each_kind_and_each_has_its_version() {
    let Some((emulator, town)) = town(Events::Bad).await else { return };
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let result = ran.result();
    let partials = "releases/android~android~200/partials";
    for collection in
        ["leases", "apps", "releases", partials, "intents", "outbox", "decisions", "ledger", "ledgers"]
    {
        let documents = emulator.collection(collection).await;
        assert!(!documents.is_empty(), "no document in {collection}");
        assert!(documents.iter().all(|one| one["fields"]["schema"]["integerValue"] == "1"), "{documents:#?}");
    }
    let intent = emulator.collection("intents").await.remove(0);
    assert!(id(&intent).starts_with("halt-"), "{intent:#}");
    assert_eq!((text(&intent, "status"), text(&intent, "app")), ("confirmed", "android"));
    assert_eq!(text(&intent, "decision"), result["decision_id"]);
    assert_eq!(intent["fields"]["fence"]["integerValue"], "1");
    let outbox = emulator.collection("outbox").await;
    assert_eq!(outbox.iter().map(|one| text(one, "delivery")).collect::<Vec<_>>(), ["sent"]);
    let app = emulator.document("apps/android").await.unwrap();
    assert_eq!(text(&app, "last_decision"), result["decision_id"]);
    let days = emulator.collection(partials).await;
    assert_eq!(days.iter().map(id).collect::<Vec<_>>(), ["20261116", "20261117", "20261118"]);
    let lease = emulator.document("leases/android").await.unwrap();
    assert_eq!(text(&lease, "holder"), "", "it was given back");
}

#[tokio::test]
async fn fields_that_are_not_known_stay() {
    let Some((emulator, town)) = town(Events::Doubtful).await else { return };
    town.monitor(&[]).await;
    let release = "releases/android~android~200";
    let message = format!("outbox/{}", id(&emulator.collection("outbox").await[0]));
    let day = format!("{release}/partials/20261118");
    let paths = ["leases/android", "apps/android", release, day.as_str(), message.as_str()];
    for path in paths {
        emulator.set(path, "note_of_a_person", json!({"timestampValue": "2026-11-18T12:00:00Z"})).await;
        emulator.set(path, "more", json!({"bytesValue": "AAAA"})).await;
    }
    let more: Vec<_> =
        (0..5).map(|n| crate::support::crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
    town.fixture.import(crate::support::CRASHES, &more);
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.result()["decision"], "halt", "{}", ran.stderr());
    for path in paths {
        let document = emulator.document(path).await.unwrap();
        assert_eq!(
            document["fields"]["note_of_a_person"]["timestampValue"], "2026-11-18T12:00:00Z",
            "{path}"
        );
        assert_eq!(document["fields"]["more"]["bytesValue"], "AAAA", "{path}");
    }
}

#[tokio::test]
async fn a_fast_track_that_was_taken_back_is_noted_as_such() {
    use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};
    let Some((emulator, town)) = town(Events::Good).await else { return };
    let refused = FaultKind::Status(CannedReply::status(403));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, refused).on("PUT", "/tracks/"));
    assert_eq!(town.monitor(&[]).await.code(), 3);
    let late: Vec<_> =
        (0..40).map(|n| crate::support::crash(&format!("late{n}"), "2026-11-18T09:00:00Z")).collect();
    town.fixture.import(crate::support::CRASHES, &late);
    assert_eq!(town.monitor(&[]).await.result()["decision"], "halt");
    let intents = emulator.collection("intents").await;
    let mut found: Vec<_> = intents.iter().map(|one| (text(one, "action"), text(one, "status"))).collect();
    found.sort_unstable();
    assert_eq!(found, [("fast-track", "withdrawn"), ("halt", "confirmed")]);
}

#[tokio::test]
async fn a_dry_run_only_reads() {
    let Some(emulator) = Emulator::new() else { return };
    let proxy = Proxy::start(&emulator.address).await;
    let town = Town::on_firestore(Apps::Android, Events::Bad, &emulator, &proxy.address).await;
    let ran = town.monitor(&["--dry-run"]).await;
    assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, json!("halt")), "{}", ran.stderr());
    let calls = proxy.calls("", "");
    assert!(!calls.is_empty(), "it reads what is remembered");
    let reads = ["BatchGetDocuments", "RunQuery"];
    assert!(calls.iter().all(|call| reads.contains(&call.rpc.as_str())), "it only reads");
    for collection in ["leases", "apps", "releases", "intents", "outbox", "decisions", "ledger", "ledgers"] {
        assert!(emulator.collection(collection).await.is_empty(), "{collection}");
    }
}

#[tokio::test]
async fn status_and_explain_read_what_was_written() {
    let Some((_, town)) = town(Events::Bad).await else { return };
    let id = town.monitor(&[]).await.result()["decision_id"].as_str().unwrap().to_owned();
    let status = town.finish(&["status", "--output", "json"]).await;
    let status: Value = serde_json::from_str(&status.stdout()).unwrap();
    assert_eq!(status["apps"][0]["last_decision"]["id"], id.as_str(), "{status:#}");
    let releases = status["apps"][0]["releases"].as_array().unwrap();
    let halted = releases.iter().find(|release| release["id"]["key"] == "200").unwrap();
    assert_eq!(halted["intent"]["status"]["status"], "confirmed");
    let explained = town.finish(&["explain", &id]).await;
    assert_eq!(explained.code(), 0, "{}", explained.stderr());
    assert!(explained.stdout().contains("recomputed: identical"), "{}", explained.stdout());
    let unknown = town.finish(&["explain", "d-0000000000000000"]).await;
    assert_eq!(unknown.code(), 2, "{}", unknown.stderr());
}

#[tokio::test]
async fn a_project_that_is_named_nowhere_is_asked_for() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let file = "kind = \"sqlite\"\npath = \"state.sqlite\"";
    let address = "firestore = \"http://127.0.0.1:1\"\n[[app]]";
    let text = town.configuration().replace(file, "kind = \"firestore\"").replace("[[app]]", address);
    std::fs::write(town.path("tidegate.toml"), text).unwrap();
    let ran = town.finish(&["run", "release-monitor", "--now", NOW]).await;
    assert_eq!(ran.code(), 2, "{}", ran.stderr());
    assert!(
        ran.stderr().contains("[state] project") && ran.stderr().contains("GOOGLE_CLOUD_PROJECT"),
        "{}",
        ran.stderr()
    );
    let mut command = town.tidegate(&["status"]);
    command.env("GOOGLE_CLOUD_PROJECT", "my-project");
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.code() == Some(1) && text.contains("project my-project"), "{text}");
}
