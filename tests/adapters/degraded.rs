//! Row F24 to its end: a halt that was made while the state store was down is told exactly once, whatever happens to the
//! run that made it, and a later run enters it. With the whole program against the sandbox.

use std::path::PathBuf;

use serde_json::{Value, json};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};

use crate::support::{CRASHES, at, crash};
use crate::town::{Apps, CHANNEL, Events, FALLBACK, Ran, Reached, Town, hours_later};

/// More requests than a run makes to any one service; a run that ends by itself ends the walk.
const MOST_REQUESTS: u32 = 60;
/// Days after which a release is not young any more.
const LATER: &str = "2026-11-28T12:00:00Z";

/// What is remembered of the release before the state store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It was judged, and people were warned.
    RollingOut,
    /// It was not offered yet.
    Pending,
    /// Nothing at all: the installation is new.
    Nothing,
}

/// The run after the one that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    WithMemory,
    WithoutMemory,
}

fn release(status: &str) -> Value {
    let release = json!({"name": "2.0", "versionCodes": ["200"], "status": status});
    match status {
        "inProgress" | "halted" => {
            let mut release = release;
            release["userFraction"] = json!(0.15);
            release
        }
        _ => release,
    }
}

impl Town {
    /// A town whose release is bad by now.
    async fn with_a_bad_release(known: Known) -> Self {
        match known {
            Known::RollingOut => {
                let town = Self::new(Apps::Android, Events::Doubtful).await;
                assert_eq!(town.monitor(&[]).await.code(), 0);
                let crashes: Vec<Value> =
                    (0..5).map(|n| crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
                town.fixture.import(CRASHES, &crashes);
                town
            }
            Known::Pending => {
                let town = Self::new(Apps::Android, Events::Bad).await;
                town.console(release("draft"));
                assert_eq!(town.monitor(&[]).await.code(), 0);
                town.console(release("inProgress"));
                town
            }
            Known::Nothing => Self::new(Apps::Android, Events::Bad).await,
        }
    }

    /// What a person does in the store's console.
    fn console(&self, release: Value) {
        let old = json!({"name": "1.9", "versionCodes": ["100"], "status": "completed"});
        self.sandbox.model().console_change("com.example.app", "production", vec![old, release]).unwrap();
    }

    /// The state can be opened and no lease can be had: its lock can't be made.
    fn state_fails(&self) -> PathBuf {
        let lock = self.path("state.sqlite.lock");
        drop(std::fs::remove_file(&lock));
        std::fs::create_dir(&lock).unwrap();
        lock
    }

    /// The texts that say that the release is halted.
    fn halts_told(&self) -> Vec<String> {
        self.messages().into_iter().filter(|text| text.contains("HALTED")).collect()
    }

    /// The entries of the ledger of one kind.
    async fn entries(&self, kind: &str) -> Vec<Value> {
        let ran = self.finish(&["ledger", "--output", "json"]).await;
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
        let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
        let entries = document["ledgers"][0]["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["entry"].clone()).filter(|entry| entry["kind"] == kind).collect()
    }

    async fn run_on(&self, now: &str) -> Ran {
        self.sandbox.model().set_now(Some(at(now)));
        self.finish(&["run", "release-monitor", "--now", now, "--output", "json"]).await
    }
}

fn on_history(kind: FaultKind) -> Fault {
    Fault::new(Service::Slack, kind).on("GET", "conversations.history").times(1_000)
}

fn on_post(kind: FaultKind) -> Fault {
    Fault::new(Service::Slack, kind).on("POST", "chat.postMessage")
}

fn unavailable() -> FaultKind {
    FaultKind::Status(CannedReply::status(503))
}

/// Kills a run without a memory at each of its requests that the fault is about.
async fn killed_everywhere(known: Known, next: Next, fault: fn() -> Fault) {
    let mut killed = 0;
    for passed in 0..MOST_REQUESTS {
        let town = Town::with_a_bad_release(known).await;
        let lock = town.state_fails();
        if town.kill_at(fault().after(passed)).await == Reached::No {
            break;
        }
        killed += 1;
        if known == Known::Pending && town.store_status() != "halted" {
            continue; // The events of these towns are older than what is remembered, so nothing is judged.
        }
        let place = format!("{known:?}, {next:?}, killed at request {}", passed + 1);
        if next == Next::WithoutMemory {
            let ran = town.monitor(&[]).await;
            assert_ne!(ran.code(), 0, "{place}: people must see that the state store is down");
            assert_eq!(town.store_status(), "halted", "{place}: {}", ran.stderr());
            assert_eq!(town.halts_told().len(), 1, "{place}: {:?}\n{}", town.messages(), ran.stderr());
        }
        std::fs::remove_dir(lock).unwrap();
        for _ in 0..2 {
            let ran = town.monitor(&[]).await;
            assert_eq!(ran.code(), 0, "{place}: {}", ran.stderr());
            assert_eq!(town.store_status(), "halted", "{place}: {}", ran.stderr());
            assert_eq!(town.halts_told().len(), 1, "{place}: {:?}\n{}", town.messages(), ran.stderr());
        }
        let entered = [town.entries("changed-elsewhere").await, town.entries("confirmed").await].concat();
        let halts = entered.iter().filter(|entry| entry["after"]["status"] == "halted").count();
        assert_eq!(halts, 1, "{place}: {entered:#?}");
        town.sandbox.shutdown().await;
    }
    assert!(killed > 0 && killed < MOST_REQUESTS, "{killed} places were tried");
}

fn before_a_store_request() -> Fault {
    Fault::new(Service::GooglePlay, FaultKind::Hang)
}

fn after_a_store_request() -> Fault {
    Fault::new(Service::GooglePlay, FaultKind::HangAfter).on("POST", "")
}

fn before_a_request_to_slack() -> Fault {
    Fault::new(Service::Slack, FaultKind::Hang)
}

fn after_the_post() -> Fault {
    on_post(FaultKind::HangAfter)
}

#[tokio::test]
async fn killed_before_a_request_to_the_store() {
    killed_everywhere(Known::RollingOut, Next::WithMemory, before_a_store_request).await;
}

#[tokio::test]
async fn killed_before_a_request_to_the_store_and_the_state_stays_away() {
    killed_everywhere(Known::RollingOut, Next::WithoutMemory, before_a_store_request).await;
}

#[tokio::test]
async fn killed_after_a_request_to_the_store() {
    killed_everywhere(Known::RollingOut, Next::WithMemory, after_a_store_request).await;
}

#[tokio::test]
async fn killed_before_a_request_to_slack() {
    for known in [Known::RollingOut, Known::Pending, Known::Nothing] {
        killed_everywhere(known, Next::WithMemory, before_a_request_to_slack).await;
    }
}

#[tokio::test]
async fn killed_before_a_request_to_slack_and_the_state_stays_away() {
    for known in [Known::RollingOut, Known::Nothing] {
        killed_everywhere(known, Next::WithoutMemory, before_a_request_to_slack).await;
    }
}

#[tokio::test]
async fn killed_after_the_post() {
    for known in [Known::RollingOut, Known::Pending, Known::Nothing] {
        for next in [Next::WithMemory, Next::WithoutMemory] {
            killed_everywhere(known, next, after_the_post).await;
        }
    }
}

#[tokio::test]
async fn a_halt_that_slack_did_not_take_is_told_by_the_next_run() {
    for next in [Next::WithMemory, Next::WithoutMemory] {
        let town = Town::with_a_bad_release(Known::RollingOut).await;
        let lock = town.state_fails();
        town.sandbox.model().add_fault(on_post(unavailable()));
        assert_eq!(town.monitor(&[]).await.code(), 3);
        assert_eq!((town.store_status().as_str(), town.halts_told().len()), ("halted", 0));
        if next == Next::WithMemory {
            std::fs::remove_dir(&lock).unwrap();
        }
        for _ in 0..2 {
            town.monitor(&[]).await;
            assert_eq!(town.halts_told().len(), 1, "{next:?}: {:?}", town.messages());
        }
    }
}

#[tokio::test]
async fn a_halt_that_was_told_is_entered_as_one_of_a_run_without_a_memory() {
    for known in [Known::RollingOut, Known::Nothing] {
        let town = Town::with_a_bad_release(known).await;
        let lock = town.state_fails();
        town.monitor(&[]).await;
        std::fs::remove_dir(lock).unwrap();
        let told_before = if known == Known::RollingOut { 1 } else { 0 };
        for _ in 0..2 {
            town.monitor(&[]).await;
            let entries = town.entries("changed-elsewhere").await;
            let [entry] = entries.as_slice() else { panic!("{known:?}: {entries:#?}") };
            assert_eq!(
                (&entry["by"], &entry["after"]["status"]),
                (&json!("run-without-memory"), &json!("halted"))
            );
            assert_eq!(town.entries("told").await.len(), told_before + 1);
        }
        let words = town.finish(&["ledger"]).await.stdout();
        let was = if known == Known::RollingOut { "rolling out at 15 % of users" } else { "not known" };
        let line =
            format!("changed by a run without a memory: release 200 was {was}, is halted at 15 % of users");
        assert!(words.contains(&line), "{words}");
    }
}

#[tokio::test]
async fn where_the_channel_can_not_be_asked_the_next_run_asks_again() {
    let town = Town::with_a_bad_release(Known::RollingOut).await;
    let lock = town.state_fails();
    town.monitor(&[]).await;
    std::fs::remove_dir(lock).unwrap();
    town.sandbox.model().add_fault(on_history(unavailable()));
    assert_eq!(town.monitor(&[]).await.code(), 3, "what is not told is red");
    assert_eq!(town.halts_told().len(), 1, "{:?}", town.messages());
    town.sandbox.model().clear_faults();
    assert_eq!(town.monitor(&[]).await.code(), 0);
    assert_eq!(town.halts_told().len(), 1, "{:?}", town.messages());
}

#[tokio::test]
async fn where_the_channel_can_never_be_asked_a_halt_is_told_rather_twice_than_never() {
    let town = Town::with_a_bad_release(Known::RollingOut).await;
    let lock = town.state_fails();
    town.sandbox.model().add_fault(on_post(unavailable()));
    town.monitor(&[]).await;
    std::fs::remove_dir(lock).unwrap();
    town.sandbox.model().add_fault(on_history(unavailable()));
    town.monitor(&[]).await;
    assert_eq!(town.halts_told().len(), 0, "{:?}", town.messages());
    town.run_on(&hours_later(1)).await;
    assert_eq!(town.halts_told().len(), 1, "{:?}", town.messages());
}

#[tokio::test]
async fn a_halt_that_was_told_in_the_other_channel_is_found_there() {
    let town = Town::with_a_bad_release(Known::RollingOut).await;
    let token = "token = \"env:SLACK_TOKEN\"";
    town.reconfigure(token, &format!("{token}\nfallback_channel = \"{FALLBACK}\""));
    let lock = town.state_fails();
    let gone = CannedReply::status(200).with_body(json!({"ok": false, "error": "channel_not_found"}));
    town.sandbox.model().add_fault(on_post(FaultKind::Status(gone)));
    town.monitor(&[]).await;
    assert_eq!(town.messages_in(FALLBACK).len(), 1);
    std::fs::remove_dir(lock).unwrap();
    for _ in 0..2 {
        town.monitor(&[]).await;
        assert_eq!(
            (town.halts_told().len(), town.messages_in(FALLBACK).len()),
            (0, 1),
            "{:?}",
            town.messages()
        );
    }
}

#[tokio::test]
async fn a_halt_of_long_ago_is_no_news_to_a_new_installation() {
    for apps in [Apps::Android, Apps::Ios] {
        let town = Town::new(apps, Events::Bad).await;
        town.monitor(&[]).await;
        assert_eq!((town.store_status().as_str(), town.messages().len()), (town.halted_status(), 1));
        // Nothing is remembered, and nothing is in the channel.
        std::fs::remove_file(town.path("state.sqlite")).unwrap();
        town.reconfigure(CHANNEL, FALLBACK);
        let lock = town.state_fails();
        assert_ne!(town.run_on(LATER).await.code(), 0);
        std::fs::remove_dir(lock).unwrap();
        for _ in 0..2 {
            let ran = town.run_on(LATER).await;
            assert_eq!(ran.code(), 0, "{}", ran.stderr());
        }
        assert!(town.messages_in(FALLBACK).is_empty(), "{:?}", town.messages_in(FALLBACK));
        let entries = town.finish(&["ledger"]).await.stdout();
        assert!(!entries.contains("changed"), "{entries}");
    }
}

#[tokio::test]
async fn a_memory_that_was_lost_tells_no_halt_again() {
    for by in ["the program", "a person"] {
        let town =
            Town::new(Apps::Android, if by == "a person" { Events::Doubtful } else { Events::Bad }).await;
        town.monitor(&[]).await;
        if by == "a person" {
            town.console(release("halted"));
            town.monitor(&[]).await;
        }
        assert_eq!(town.halts_told().len(), 1, "{:?}", town.messages());
        std::fs::remove_file(town.path("state.sqlite")).unwrap();
        for _ in 0..2 {
            assert_eq!(town.monitor(&[]).await.code(), 0);
            assert_eq!(town.halts_told().len(), 1, "{by}: {:?}", town.messages());
        }
    }
}

#[tokio::test]
async fn each_halt_of_a_release_is_told_though_both_were_made_without_a_memory() {
    let town = Town::with_a_bad_release(Known::RollingOut).await;
    let lock = town.state_fails();
    town.monitor(&[]).await;
    std::fs::remove_dir(lock).unwrap();
    town.monitor(&[]).await;
    town.console(release("inProgress"));
    town.run_on(&hours_later(1)).await;
    town.console(release("halted"));
    for hours in [2, 3] {
        town.run_on(&hours_later(hours)).await;
        assert_eq!(town.halts_told().len(), 2, "{:?}", town.messages());
    }
    let changes = town.entries("changed-elsewhere").await;
    let by: Vec<&Value> = changes.iter().map(|entry| &entry["by"]).collect();
    assert_eq!(by, ["run-without-memory", "somebody", "somebody"], "{changes:#?}");
    let stood: Vec<&Value> = changes.iter().map(|entry| &entry["after"]["status"]).collect();
    assert_eq!(stood, ["halted", "rolling-out", "halted"], "{changes:#?}");
}
