//! The heartbeat of the real binary: what a run leaves behind, and what the next one says after a gap.

use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::grpc_proxy::{Fate, Fault as RpcFault, Proxy};
use crate::town::{Apps, CHANNEL, Events, NOW, Ran, Town, hours_later};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};
use tonic::Code;

const GAP: &str = "the monitor has not run for 6 h";

impl Town {
    async fn hours_on(&self, hours: i64) -> Ran {
        let now = hours_later(hours);
        self.finish(&["run", "release-monitor", "--now", &now, "--output", "json"]).await
    }

    async fn heartbeats(&self) -> Value {
        let status = self.finish(&["status", "--output", "json"]).await;
        serde_json::from_str::<Value>(&status.stdout()).unwrap()["jobs"].clone()
    }
}

#[tokio::test]
async fn f57_a_skipped_schedule_is_told_once_with_the_gap_and_nothing_old_is_said_again() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    let first = town.monitor(&[]).await;
    assert!(!first.stderr().contains("has not run"), "the first run knows of no gap: {}", first.stderr());
    assert_eq!(town.messages().len(), 1);

    let later = hours_later(6);
    let args = ["run", "release-monitor", "--now", &later, "--output", "github"];
    let mut command = town.tidegate(&args);
    command.env("GITHUB_STEP_SUMMARY", town.path("summary.md"));
    let ran = Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let told: Vec<String> =
        ran.stdout().lines().filter(|line| line.contains(GAP)).map(str::to_owned).collect();
    assert_eq!(told.len(), 2, "once in the log and once as an annotation: {}", ran.stdout());
    assert!(told[1].starts_with("::warning title=tidegate::"), "{told:?}");
    let summary = std::fs::read_to_string(town.path("summary.md")).unwrap();
    assert_eq!(summary.matches(GAP).count(), 1, "{summary}");

    let messages = town.sandbox.model().slack_messages(CHANNEL).unwrap();
    assert_eq!(messages.len(), 2, "the warning of the first run is not said again: {:?}", town.messages());
    assert!(messages[1]["text"].as_str().unwrap().contains(GAP), "{:?}", town.messages());
    assert_eq!(messages[1]["thread_ts"], messages[0]["ts"], "it is a reply in the release's thread");

    let next = town.hours_on(7).await;
    assert!(!next.stderr().contains("has not run"), "{}", next.stderr());
    assert_eq!(town.messages().len(), 2, "{:?}", town.messages());
}

#[tokio::test]
async fn f57_the_run_after_a_gap_judges_the_present() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let more: Vec<_> =
        (0..5).map(|n| crate::support::crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
    town.fixture.import(crate::support::CRASHES, &more);
    let ran = town.hours_on(6).await;
    assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, json!("halt")), "{}", ran.stderr());
    assert!(ran.stderr().contains(GAP), "{}", ran.stderr());
    assert_eq!(town.store_status(), "halted");
    assert_eq!(town.messages().len(), 3, "the warning, the gap, the halt: {:?}", town.messages());
}

#[tokio::test]
async fn a_gap_is_as_long_as_the_configuration_says_and_without_a_release_nobody_is_told() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.configure("[schedule]\nmonitor_silence_hours = 8\n");
    town.monitor(&[]).await;
    assert!(!town.hours_on(7).await.stderr().contains("has not run"));
    let ran = town.hours_on(16).await;
    assert!(ran.stderr().contains("has not run for 9 h"), "{}", ran.stderr());
    assert_eq!(town.messages().len(), 1, "the halt alone: nothing is rolling out");
}

#[tokio::test]
async fn a_run_leaves_its_heartbeat_and_status_shows_it() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    assert_eq!(town.heartbeats().await, json!([]));
    town.monitor(&["--dry-run"]).await;
    assert_eq!(town.heartbeats().await, json!([]), "a dry run leaves nothing");
    town.monitor(&[]).await;
    let job = town.heartbeats().await[0].clone();
    assert_eq!((&job["job"], &job["exit"]), (&json!("release-monitor"), &json!(0)));
    assert_eq!(
        (&job["last_completed"], &job["next_expected"]),
        (&json!(NOW), &json!("2026-11-18T15:00:00Z"))
    );
    assert_eq!(job["version"], env!("CARGO_PKG_VERSION"));
    let text = town.finish(&["status"]).await.stdout();
    assert!(
        text.starts_with("release-monitor: last completed 2026-11-18 12:00 UTC, overdue since"),
        "{text}"
    );
}

#[tokio::test]
async fn a_run_that_could_not_complete_ends_no_silence() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let refused = FaultKind::Status(CannedReply::status(403));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, refused).times(1000));
    assert_eq!(town.hours_on(1).await.code(), 1);
    let job = town.heartbeats().await[0].clone();
    assert_eq!((&job["last_completed"], &job["exit"]), (&json!(NOW), &json!(1)));
    assert_eq!(job["last_started"], hours_later(1));
    town.sandbox.model().clear_faults();
    assert!(town.hours_on(6).await.stderr().contains(GAP));
}

#[tokio::test]
async fn a_heartbeat_costs_one_request_of_firestore_and_its_failure_is_one_warning() {
    let Some(emulator) = Emulator::new() else { return };
    let proxy = Proxy::start(&emulator.address).await;
    let town = Town::on_firestore(Apps::Android, Events::Bad, &emulator, &proxy.address).await;
    town.monitor(&[]).await;
    let about = proxy.calls("", "heartbeat/release-monitor");
    let writes = about.iter().filter(|call| call.rpc == "Commit").count();
    assert_eq!(writes, 1, "one write");
    let reads: Vec<_> = about.iter().filter(|call| call.rpc != "Commit").collect();
    assert!(reads.iter().all(|call| call.is_about("watches/android")), "no reading of its own");
    let document = emulator.document("heartbeat/release-monitor").await.unwrap();
    assert_eq!(document["fields"]["last_completed"]["stringValue"], NOW);
    assert_eq!(document["fields"]["schema"]["integerValue"], "1");

    proxy.add(RpcFault::new("Commit", Fate::Refused(Code::Unavailable)).about("heartbeat/").always());
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, json!("none")), "{}", ran.stderr());
    assert_eq!(
        ran.stderr().matches("the heartbeat of this run was not noted").count(),
        1,
        "{}",
        ran.stderr()
    );
    assert_eq!(proxy.calls("Commit", "heartbeat/").len(), writes + 1, "it is not tried again");
}

#[tokio::test]
async fn a_heartbeat_of_another_program_stops_nothing_and_is_not_written_over() {
    let Some(emulator) = Emulator::new() else { return };
    let town = Town::on_firestore(Apps::Android, Events::Bad, &emulator, &emulator.address).await;
    let path = "heartbeat/release-monitor";
    emulator.set(path, "schema", json!({"integerValue": "2"})).await;
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
    assert!(ran.stderr().contains("the heartbeat of this run was not noted"), "{}", ran.stderr());
    let document = emulator.document(path).await.unwrap();
    assert_eq!(document["fields"], json!({"schema": {"integerValue": "2"}}));
}

#[tokio::test]
async fn doctor_shows_the_heartbeat_and_says_when_it_is_overdue() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let check = |document: &str| {
        let document: Value = serde_json::from_str(document).unwrap();
        let checks = document["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["check"] == "heartbeat").unwrap()
    };
    let before = check(&town.finish(&["doctor", "--output", "json"]).await.stdout());
    assert_eq!((&before["status"], &before["found"]), (&json!("ok"), &json!("has not run yet")));
    assert!(!town.path("state.sqlite").exists(), "doctor makes nothing");
    town.monitor(&[]).await;
    let after = check(&town.finish(&["doctor", "--output", "json"]).await.stdout());
    assert_eq!(after["status"], "warning", "{after}");
    assert!(after["found"].as_str().unwrap().contains("overdue since 2026-11-18 15:00 UTC"), "{after}");
}
