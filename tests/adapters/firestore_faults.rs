//! The fault table's Firestore rows, with the real binary, the real emulator, and a proxy between them.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use tidegate::domain::ids::AppId;
use tidegate::ports::{StateError, StateStore as _};
use tidegate::sandbox::{Fault as StoreFault, FaultKind, Service};
use tokio::sync::Notify;
use tonic::Code;

use crate::emulator::Emulator;
use crate::grpc_proxy::{Fate, Fault, Proxy};
use crate::support::at;
use crate::town::{Apps, Events, NOW, Ran, Reached, Town, hours_later};

/// The document of the app's only release.
const RELEASE: &str = "releases/android~android~200";

/// The town, the emulator, and the proxy that the program has to go through.
struct Scene {
    emulator: Emulator,
    proxy: Proxy,
    town: Town,
}

impl Scene {
    /// None where there is no emulator, after saying so.
    async fn set(events: Events) -> Option<Self> {
        let emulator = Emulator::new()?;
        let proxy = Proxy::start(&emulator.address).await;
        let town = Town::on_firestore(Apps::Android, events, &emulator, &proxy.address).await;
        Some(Self { emulator, proxy, town })
    }

    fn halted_once_and_told_once(&self, ran: &Ran) {
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
        assert_eq!(self.town.store_status(), "halted", "{}", ran.stderr());
        let messages = self.town.messages();
        assert!(messages.len() == 1 && messages[0].starts_with("🛑 HALTED"), "{messages:?}");
    }

    async fn fence(&self) -> String {
        let lease = self.emulator.document("leases/android").await.unwrap();
        lease["fields"]["fence"]["integerValue"].as_str().unwrap().to_owned()
    }
}

/// A commit that writes a decision down: T1.
fn first_commit(fate: Fate) -> Fault {
    Fault::new("Commit", fate).about("/decisions/")
}

#[tokio::test]
async fn f22_a_lease_that_can_not_be_read_at_first_is_read_again() {
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    let away = Fault::new("BatchGetDocuments", Fate::Refused(Code::Unavailable)).about("/leases/");
    scene.proxy.add(away.times(2));
    let ran = scene.town.monitor(&[]).await;
    scene.halted_once_and_told_once(&ran);
}

#[tokio::test]
async fn f23_without_its_state_a_run_changes_nothing_in_a_store() {
    let Some(scene) = Scene::set(Events::Good).await else { return };
    scene.proxy.add(Fault::new("", Fate::Refused(Code::Unavailable)).always());
    let ran = scene.town.monitor(&[]).await;
    assert_eq!((ran.code(), ran.result()["decision"].clone()), (1, json!("error")), "{}", ran.stderr());
    assert!(ran.stderr().contains("Firestore database tidegate"), "{}", ran.stderr());
    assert!(scene.town.writes().is_empty(), "nothing permissive without a state");
    assert_eq!((scene.town.store_status().as_str(), scene.town.messages().len()), ("inProgress", 0));
    assert_eq!(scene.proxy.calls("BatchGetDocuments", "").len(), 5, "five tries");
}

#[tokio::test]
async fn f24_without_its_state_a_run_halts_a_bad_release_once() {
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    scene.proxy.add(Fault::new("", Fate::Refused(Code::Unavailable)).always());
    let ran = scene.town.monitor(&[]).await;
    assert_eq!((ran.code(), ran.result()["acted"].clone()), (3, json!(true)), "{}", ran.stderr());
    assert_eq!(scene.town.store_status(), scene.town.halted_status());
    scene.town.monitor(&[]).await;
    assert_eq!(scene.town.messages().len(), 1, "{:?}", scene.town.messages());

    scene.proxy.clear();
    let next = scene.town.monitor(&[]).await;
    assert_eq!(next.code(), 0, "{}", next.stderr());
    let release = scene.emulator.document(RELEASE).await.unwrap();
    assert_eq!(release["fields"]["last_seen"]["stringValue"], "halted", "the next run records it");
    assert_eq!(scene.town.messages().len(), 1);
}

#[tokio::test]
async fn f25_a_commit_that_was_applied_and_not_answered_is_recognised() {
    for fate in [Fate::AnswerLost(Code::Unavailable), Fate::AnswerLost(Code::Internal), Fate::Cut] {
        let Some(scene) = Scene::set(Events::Bad).await else { return };
        scene.proxy.add(first_commit(fate));
        let ran = scene.town.monitor(&[]).await;
        scene.halted_once_and_told_once(&ran);
        assert_eq!(scene.proxy.calls("Commit", "/decisions/").len(), 1, "it is not made again");
        assert_eq!(scene.emulator.collection("decisions").await.len(), 1);
    }
}

#[tokio::test]
async fn f25_no_commit_of_a_run_is_made_twice_when_its_answer_is_lost() {
    let Some(quiet) = Scene::set(Events::Bad).await else { return };
    quiet.town.monitor(&[]).await;
    let commits = quiet.proxy.calls("Commit", "").len();
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    scene.proxy.add(Fault::new("Commit", Fate::AnswerLost(Code::Unavailable)).always());
    let ran = scene.town.monitor(&[]).await;
    scene.halted_once_and_told_once(&ran);
    assert_eq!(scene.proxy.calls("Commit", "").len(), commits);
}

#[tokio::test]
async fn f26_a_commit_that_was_not_applied_is_made_once_more() {
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    scene.proxy.add(first_commit(Fate::Refused(Code::Unavailable)));
    let ran = scene.town.monitor(&[]).await;
    scene.halted_once_and_told_once(&ran);
    assert_eq!(scene.proxy.calls("Commit", "/decisions/").len(), 2);
}

#[tokio::test]
async fn f27_an_aborted_transaction_is_run_again() {
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    scene.proxy.add(first_commit(Fate::Refused(Code::Aborted)).times(3));
    let ran = scene.town.monitor(&[]).await;
    scene.halted_once_and_told_once(&ran);
    assert_eq!(scene.proxy.calls("Commit", "/decisions/").len(), 4);
}

#[tokio::test]
async fn f28_a_halt_that_could_not_be_noted_is_noted_by_the_next_run() {
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    // T1 carries the intent first, T2 carries it as confirmed.
    scene
        .proxy
        .add(Fault::new("Commit", Fate::Refused(Code::Unavailable)).about("/intents/").after(1).always());
    let ran = scene.town.monitor(&[]).await;
    assert_eq!((ran.code(), scene.town.store_status().as_str()), (1, "halted"), "{}", ran.stderr());
    assert_eq!(scene.town.messages().len(), 0, "nobody is told what is not noted");
    scene.proxy.clear();
    let writes = scene.town.writes().len();
    let again = scene.town.monitor(&[]).await;
    scene.halted_once_and_told_once(&again);
    let asked: Vec<String> = scene.town.writes().drain(writes..).collect();
    assert!(
        asked.iter().all(|write| write.contains("chat.postMessage")),
        "the store is not asked again: {asked:?}"
    );
}

#[tokio::test]
async fn f29_a_run_that_finds_another_one_active_ends_at_once_and_well() {
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    let store = scene.emulator.store();
    let until = at(NOW) + SignedDuration::from_mins(10);
    store.acquire(&AppId::new("android").unwrap(), "other/run", at(NOW), until).await.unwrap();
    let ran = scene.town.monitor(&[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let result = ran.result();
    assert_eq!((&result["decision"], &result["reason"]), (&json!("none"), &json!("another-run")));
    assert!(scene.proxy.calls("Commit", "").is_empty(), "it writes nothing");
    assert!(scene.town.sandbox.model().requests().is_empty(), "it asks no store");
    assert_eq!(scene.fence().await, "1");
}

#[tokio::test]
async fn f30_the_lease_of_a_killed_run_ends_and_its_intent_is_carried_out() {
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    let commit = StoreFault::new(Service::GooglePlay, FaultKind::Hang).on("PUT", "/tracks/");
    assert_eq!(scene.town.kill_at(commit).await, Reached::Yes);
    let blocked = scene.town.monitor(&[]).await;
    assert_eq!((blocked.code(), blocked.result()["reason"].clone()), (0, json!("another-run")));
    assert_eq!((scene.town.store_status().as_str(), scene.fence().await.as_str()), ("inProgress", "1"));
    scene.emulator.let_the_lease_end("android").await;
    let ran = scene.town.monitor(&[]).await;
    scene.halted_once_and_told_once(&ran);
    assert_eq!(scene.fence().await, "2");
}

#[tokio::test]
async fn f31_a_run_that_lost_its_lease_does_nothing_more() {
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    let go_on = Arc::new(Notify::new());
    let sleeps = Fault::new("BatchGetDocuments", Fate::Held(Arc::clone(&go_on))).about("/decisions/");
    scene.proxy.add(sleeps);
    let zombie = scene.town.monitor(&[]);
    let others = async {
        while !scene.proxy.has_hit() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        scene.emulator.let_the_lease_end("android").await;
        let until = at(NOW) + SignedDuration::from_mins(10);
        let store = scene.emulator.store();
        let lease =
            store.acquire(&AppId::new("android").unwrap(), "other/run", at(NOW), until).await.unwrap();
        go_on.notify_one();
        (store, lease)
    };
    let (ran, (store, lease)) = tokio::join!(zombie, others);
    assert_eq!(ran.code(), 4, "{}", ran.stderr());
    let result = ran.result();
    assert_eq!(
        (&result["decision"], &result["reason"]),
        (&json!("none"), &json!("lease-lost")),
        "{result:#}"
    );
    assert_eq!((scene.town.store_status().as_str(), scene.town.messages().len()), ("inProgress", 0));
    assert!(scene.emulator.collection("intents").await.is_empty(), "nothing of its commit is there");
    store.commit(&lease, Vec::new()).await.expect("the new holder still has it");
}

#[tokio::test]
async fn f31_a_lease_that_ended_writes_nothing_even_where_nobody_took_it() {
    let Some(emulator) = Emulator::new() else { return };
    let store = emulator.store();
    let until = at(NOW) + SignedDuration::from_mins(10);
    let lease = store.acquire(&AppId::new("android").unwrap(), "a/run", at(NOW), until).await.unwrap();
    emulator.let_the_lease_end("android").await;
    let refused = store.commit(&lease, Vec::new()).await.unwrap_err();
    assert!(matches!(refused, StateError::LostLease { .. }), "{refused}");
}

#[tokio::test]
async fn f32_a_document_of_an_unknown_version_stops_the_app_and_stays() {
    let day = format!("{RELEASE}/partials/20261117");
    for path in ["leases/android", "apps/android", RELEASE, day.as_str()] {
        let Some(scene) = Scene::set(Events::Doubtful).await else { return };
        assert_eq!(scene.town.monitor(&[]).await.code(), 0);
        scene.emulator.set(path, "schema", json!({"integerValue": "99"})).await;
        let before = scene.emulator.document(path).await;
        let ran = scene.town.monitor(&[]).await;
        assert_eq!(ran.code(), 1, "{path}: {}", ran.stderr());
        let problem = ran.result()["problems"][0].as_str().unwrap().to_owned();
        assert!(problem.contains(path) && problem.contains("version 99"), "{problem}");
        assert_eq!(scene.emulator.document(path).await, before, "{path} was overwritten");
    }
}

#[tokio::test]
async fn f32_a_damaged_document_stops_the_app_and_stays() {
    let Some(scene) = Scene::set(Events::Doubtful).await else { return };
    assert_eq!(scene.town.monitor(&[]).await.code(), 0);
    scene.emulator.set(RELEASE, "generation", json!({"stringValue": "many"})).await;
    let before = scene.emulator.document(RELEASE).await;
    let ran = scene.town.monitor(&[]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    assert!(
        ran.stderr().contains(RELEASE) && ran.stderr().contains("nothing was overwritten"),
        "{}",
        ran.stderr()
    );
    assert_eq!(scene.emulator.document(RELEASE).await, before);
    assert_eq!(scene.town.messages().len(), 1, "the warning of the first run");
}

#[tokio::test]
async fn f33_a_day_that_is_missing_in_the_middle_is_read_again() {
    let Some(scene) = Scene::set(Events::Doubtful).await else { return };
    let sessions = |ran: &Ran| ran.result()["sessions"].clone();
    let first = scene.town.monitor(&[]).await;
    let day = format!("{RELEASE}/partials/20261117");
    let fields = async || scene.emulator.document(&day).await.map(|document| document["fields"].clone());
    let before = fields().await.unwrap();
    scene.emulator.delete(&day).await;
    assert_eq!(fields().await, None);
    let again = scene.town.monitor(&[]).await;
    assert_eq!(sessions(&again), sessions(&first), "{}", again.stderr());
    assert_eq!(fields().await, Some(before));
}

#[tokio::test]
async fn two_runs_at_once_halt_once() {
    let Some(scene) = Scene::set(Events::Bad).await else { return };
    let (one, other) = tokio::join!(scene.town.monitor(&[]), scene.town.monitor(&[]));
    assert_eq!([one.code(), other.code()], [0, 0], "{}\n{}", one.stderr(), other.stderr());
    scene.halted_once_and_told_once(&one);
}

#[tokio::test]
async fn a_usual_run_asks_firestore_23_times() {
    let Some(scene) = Scene::set(Events::Doubtful).await else { return };
    scene.town.monitor(&[]).await;
    scene.proxy.clear();
    assert_eq!(scene.town.monitor(&[]).await.code(), 0);
    let count = |rpc| scene.proxy.calls(rpc, "").len();
    let counts = (count("BatchGetDocuments"), count("RunQuery"), count("Commit"), count("Rollback"));
    assert_eq!(counts, (13, 7, 4, 0), "as docs/state.md says");
}

/// Kills a run at each of its commits. Between commits a run only reads and computes, so this meets every state that a
/// kill can leave behind.
async fn killed_at_every_commit(fate: Fate) {
    const MOST_COMMITS: usize = 20;
    let mut killed = 0;
    for passed in 0..MOST_COMMITS {
        let Some(scene) = Scene::set(Events::Bad).await else { return };
        scene.proxy.add(Fault::new("Commit", fate.clone()).after(passed));
        if scene.town.kill_when(|| scene.proxy.has_hit()).await == Reached::No {
            break;
        }
        killed += 1;
        let commit = scene.proxy.hit().unwrap().commit();
        scene.proxy.clear();
        scene.emulator.let_the_transaction_end(&commit.transaction).await;
        if scene.emulator.document("leases/android").await.is_some() {
            scene.emulator.let_the_lease_end("android").await;
        }
        // An hour on: a message that may be on its way is not waited for any more.
        let later = hours_later(1);
        let ran = scene.town.finish(&["run", "release-monitor", "--now", &later, "--output", "json"]).await;
        scene.halted_once_and_told_once(&ran);
        scene.town.monitor(&[]).await;
        assert_eq!(scene.town.messages().len(), 1, "a third run said more after commit {}", passed + 1);
        scene.town.sandbox.shutdown().await;
    }
    assert!((4..MOST_COMMITS).contains(&killed), "{killed} places were tried");
}

#[tokio::test]
async fn a_run_that_is_killed_before_a_commit_leaves_nothing_undone() {
    killed_at_every_commit(Fate::Hangs).await;
}

#[tokio::test]
async fn a_run_that_is_killed_after_a_commit_leaves_nothing_done_twice() {
    killed_at_every_commit(Fate::HangsAfter).await;
}
