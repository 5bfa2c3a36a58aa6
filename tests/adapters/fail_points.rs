//! Rows F61 to F63 of the fault table: the real binary ends at a fail point as if it were killed there, and the next runs
//! of the schedule follow. On the state in a file, and on the one in Firestore where an emulator runs.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tidegate::adapters::fail_point::{FailPoint, VARIABLE};

use crate::emulator::Emulator;
use crate::support::at;
use crate::town::{Apps, Events, NOW, Ran, Town};

/// The exit code by which a shell tells of a killed process.
const KILLED: i32 = 137;
/// Minutes between two runs of the schedule, as the example workflow has it on the days when releases are decided.
const INTERVAL: i64 = 15;

/// A town with a bad release, and where it remembers.
struct Scene {
    town: Town,
    apps: Apps,
    /// None where it remembers in a file.
    emulator: Option<Emulator>,
}

/// What the first run has left behind.
#[derive(Debug, PartialEq)]
struct Left {
    /// Requests that change the store.
    mutations: usize,
    is_halted: bool,
    messages: usize,
    ledger: Vec<String>,
}

impl Left {
    fn new(mutations: usize, messages: usize, ledger: &[&str]) -> Self {
        let ledger = ledger.iter().map(|kind| (*kind).to_owned()).collect();
        Self { mutations, is_halted: mutations > 0, messages, ledger }
    }

    fn at(point: FailPoint) -> Self {
        let (intended, confirmed) = (["decided", "intended"], ["decided", "intended", "confirmed"]);
        match point {
            FailPoint::AfterT1 | FailPoint::BeforeCommit => Self::new(0, 0, &intended),
            FailPoint::AfterCommit => Self::new(1, 0, &intended),
            FailPoint::AfterT2 => Self::new(1, 0, &confirmed),
            FailPoint::AfterSlackPost => Self::new(1, 1, &confirmed),
        }
    }

    fn at_the_end() -> Self {
        Self::new(1, 1, &["decided", "intended", "confirmed", "told"])
    }
}

impl Scene {
    /// One scene for each kind of state that can be had here.
    async fn all(apps: Apps) -> Vec<Self> {
        let mut scenes = vec![Self { town: Town::new(apps, Events::Bad).await, apps, emulator: None }];
        if let Some(emulator) = Emulator::new() {
            let town = Town::on_firestore(apps, Events::Bad, &emulator, &emulator.address).await;
            scenes.push(Self { town, apps, emulator: Some(emulator) });
        }
        scenes
    }

    fn app(&self) -> &'static str {
        match self.apps {
            Apps::Android => "android",
            Apps::Ios => "ios",
        }
    }

    /// The run of the schedule so many minutes after the first one.
    async fn run(&self, minutes: i64, ends_at: Option<FailPoint>) -> Ran {
        let now = at(NOW) + SignedDuration::from_mins(minutes);
        self.town.sandbox.model().set_now(Some(now));
        let args = ["run", "release-monitor", "--now", &now.to_string(), "--output", "json"];
        let mut command = self.town.tidegate(&args);
        command.envs(ends_at.map(|point| (VARIABLE, point.as_str())));
        Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
    }

    /// The requests that change the store.
    fn mutations(&self) -> usize {
        let changes = |write: &&String| match self.apps {
            Apps::Android => write.contains(":commit"),
            Apps::Ios => write.starts_with("PATCH "),
        };
        self.town.writes().iter().filter(changes).count()
    }

    async fn left(&self) -> Left {
        let ran = self.town.finish(&["ledger", "--output", "json"]).await;
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
        let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
        let ledger = &document["ledgers"][0];
        assert_eq!(ledger["verified"], json!(true), "{ledger:#}");
        let entries = ledger["entries"].as_array().unwrap();
        Left {
            mutations: self.mutations(),
            is_halted: self.town.store_status() == self.town.halted_status(),
            messages: self.town.messages().len(),
            ledger: entries.iter().map(|entry| entry["entry"]["kind"].as_str().unwrap().to_owned()).collect(),
        }
    }

    /// Firestore's lease outlives the killed run, and keeps every other run away until it ends. The lock of a file ends
    /// with the process.
    async fn outlive_the_lease(&self) {
        let Some(emulator) = &self.emulator else { return };
        let asked = self.town.sandbox.model().requests().len();
        let blocked = self.run(INTERVAL / 2, None).await;
        assert_eq!(
            (blocked.code(), &blocked.result()["reason"]),
            (0, &json!("another-run")),
            "{}",
            blocked.stderr()
        );
        assert_eq!(self.town.sandbox.model().requests().len(), asked, "it asks nobody anything");
        emulator.let_the_lease_end(self.app()).await;
    }

    async fn fence(&self) -> Option<String> {
        let lease = self.emulator.as_ref()?.document(&format!("leases/{}", self.app())).await.unwrap();
        lease["fields"]["fence"]["integerValue"].as_str().map(ToOwned::to_owned)
    }
}

/// A run ends at the point. The one after it ends well with everything done once, and the third finds nothing to do.
async fn ended_at(apps: Apps, point: FailPoint) {
    for scene in Scene::all(apps).await {
        let place = format!("{apps:?}, {}, Firestore: {}", point.as_str(), scene.emulator.is_some());
        let ended = scene.run(0, Some(point)).await;
        assert_eq!(ended.code(), KILLED, "{place}: {}", ended.stderr());
        assert_eq!((ended.stdout(), ended.stderr()), (String::new(), String::new()), "{place}");
        assert_eq!(scene.left().await, Left::at(point), "{place}");
        scene.outlive_the_lease().await;

        let next = scene.run(INTERVAL, None).await;
        assert_eq!(next.code(), 0, "{place}: {}", next.stderr());
        assert_eq!(next.result()["problems"], json!([]), "{place}");
        assert_eq!(scene.left().await, Left::at_the_end(), "{place}");
        let messages = scene.town.messages();
        assert!(messages[0].starts_with("🛑 HALTED"), "{place}: {messages:?}");
        assert!(
            scene.fence().await.is_none_or(|fence| fence == "2"),
            "{place}: the lease changed hands once"
        );

        let third = scene.run(2 * INTERVAL, None).await;
        assert_eq!(third.code(), 0, "{place}: {}", third.stderr());
        assert_eq!(scene.left().await, Left::at_the_end(), "{place}: a third run did more");
    }
}

#[tokio::test]
async fn f61_a_halt_that_was_written_down_and_not_begun_is_made_once_on_google_play() {
    ended_at(Apps::Android, FailPoint::AfterT1).await;
    ended_at(Apps::Android, FailPoint::BeforeCommit).await;
}

#[tokio::test]
async fn f61_a_halt_that_was_written_down_and_not_begun_is_made_once_in_the_app_store() {
    ended_at(Apps::Ios, FailPoint::AfterT1).await;
    ended_at(Apps::Ios, FailPoint::BeforeCommit).await;
}

#[tokio::test]
async fn f62_a_halt_that_was_made_and_not_noted_is_not_made_again_on_google_play() {
    ended_at(Apps::Android, FailPoint::AfterCommit).await;
}

#[tokio::test]
async fn f62_a_halt_that_was_made_and_not_noted_is_not_made_again_in_the_app_store() {
    ended_at(Apps::Ios, FailPoint::AfterCommit).await;
}

#[tokio::test]
async fn a_halt_that_was_noted_and_not_told_is_told_once() {
    ended_at(Apps::Android, FailPoint::AfterT2).await;
    ended_at(Apps::Ios, FailPoint::AfterT2).await;
}

#[tokio::test]
async fn f63_a_message_that_was_sent_and_not_noted_is_found_on_google_play() {
    ended_at(Apps::Android, FailPoint::AfterSlackPost).await;
}

#[tokio::test]
async fn f63_a_message_that_was_sent_and_not_noted_is_found_in_the_app_store() {
    ended_at(Apps::Ios, FailPoint::AfterSlackPost).await;
}

#[tokio::test]
async fn a_point_ends_the_run_at_exactly_its_place() {
    let requests_to_the_store = async |apps, point| {
        let scene = Scene { town: Town::new(apps, Events::Bad).await, apps, emulator: None };
        assert_eq!(scene.run(0, Some(point)).await.code(), KILLED);
        let requests = scene.town.sandbox.model().requests();
        requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect::<Vec<_>>()
    };
    let play = async |point| requests_to_the_store(Apps::Android, point).await;
    let is_put = |request: &String| request.starts_with("PUT ");
    assert!(!play(FailPoint::AfterT1).await.iter().any(is_put), "nothing was begun");
    assert!(play(FailPoint::BeforeCommit).await.last().is_some_and(is_put), "the edit is ready");
    let commit = play(FailPoint::AfterCommit).await;
    assert!(commit.last().is_some_and(|request| request.contains(":commit")), "{commit:?}");
    let after_t2 = play(FailPoint::AfterT2).await;
    assert!(after_t2.len() > commit.len(), "the store was read back: {after_t2:?}");
    let post = play(FailPoint::AfterSlackPost).await;
    assert!(post.last().is_some_and(|request| request.contains("chat.postMessage")), "{post:?}");

    let before = requests_to_the_store(Apps::Ios, FailPoint::BeforeCommit).await;
    let after = requests_to_the_store(Apps::Ios, FailPoint::AfterCommit).await;
    assert_eq!(after[..before.len()], before, "the PATCH is all that lies between the two");
    assert!(after.len() == before.len() + 1 && after.last().unwrap().starts_with("PATCH "), "{after:?}");
}

#[tokio::test]
async fn an_unknown_point_is_refused_before_anything_is_asked() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let mut command = town.tidegate(&["run", "release-monitor", "--now", NOW]);
    command.env(VARIABLE, "after_t3");
    let ran = Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
    assert_eq!(ran.code(), 2, "{}", ran.stderr());
    for point in FailPoint::ALL {
        assert!(ran.stderr().contains(point.as_str()), "{}", ran.stderr());
    }
    assert!(town.sandbox.model().requests().is_empty());
}
