//! What Google Play, and people in its console, can do to a run: one test for each row F34 to F43 of the fault table,
//! with the whole program against the sandbox, and a person who does anything at any moment.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use secrecy::SecretString;
use serde_json::{Value, json};
use tidegate::adapters::google::{GoogleToken, Identity, Scope};
use tidegate::adapters::google_play::GooglePlay;
use tidegate::adapters::http::{Service as Place, client};
use tidegate::config::InReview;
use tidegate::domain::ids::{AppId, ApplicationId};
use tidegate::domain::persons_word::PersonsWord;
use tidegate::domain::rate::UserFraction;
use tidegate::domain::release::{Change, Release};
use tidegate::ports::{Lease, PortError, RolloutTarget as _};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, PlayConditions, ReviewState, Sending, Service};

use crate::support::{CRASHES, crash};
use crate::town::{Apps, Events, NOW, Ran, Town, hours_later};

const PACKAGE: &str = "com.example.app";
/// Slow enough for a person to come in between.
const SLOW: FaultKind = FaultKind::Slow { byte_interval_ms: 1 };

/// Tokens for Google Play, with the key that the sandbox made.
pub fn play_token(town: &Town) -> GoogleToken {
    // Making a client installs the cryptography that signing needs.
    client().unwrap();
    let config = tidegate::config::parse(&town.configuration(), "tidegate.toml").unwrap();
    let path = &town.sandbox.credentials.play_service_account_path;
    let key = SecretString::from(std::fs::read_to_string(path).unwrap());
    let identity = Identity::from_key(&key, "the test's key", &config.endpoints).unwrap();
    identity.token_source(Scope::Play).unwrap()
}

impl Town {
    /// The adapter itself.
    fn play(&self, in_review: InReview) -> GooglePlay {
        let service =
            Place::new("Google Play", self.sandbox.endpoints.google_play.clone(), client().unwrap());
        let package = ApplicationId::new(PACKAGE).unwrap();
        GooglePlay::new(service, play_token(self), package, "production".to_owned(), in_review)
    }

    async fn ask(&self, release: &Release, change: &Change) -> Result<(), PortError> {
        let until: Timestamp = NOW.parse().unwrap();
        let lease = Lease::for_halting_only(AppId::new("android").unwrap(), "test".to_owned(), until);
        self.play(InReview::CancelReview).apply(&lease, release, change).await
    }

    async fn watched(&self) -> Release {
        let releases = self.play(InReview::Refuse).releases().await.unwrap();
        releases.into_iter().find(|release| release.key == "200").unwrap()
    }

    /// The releases of the production track.
    fn track(&self) -> Vec<Value> {
        let state = self.sandbox.model().state();
        state["play"][PACKAGE]["tracks"][0]["releases"].as_array().unwrap().clone()
    }

    /// A person's change in the console.
    fn person(&self, releases: Vec<Value>) {
        self.sandbox.model().console_change(PACKAGE, "production", releases).unwrap();
    }

    fn conditions(&self, review: ReviewState, sending: Sending) {
        let conditions = PlayConditions { review, sending, ..PlayConditions::default() };
        self.sandbox.model().set_play_conditions(PACKAGE, conditions).unwrap();
    }

    fn play_fault(&self, kind: FaultKind, method: &str, path: &str) {
        self.sandbox.model().add_fault(Fault::new(Service::GooglePlay, kind).on(method, path));
    }

    fn play_paths(&self, method: &str, part: &str) -> Vec<String> {
        let requests = self.sandbox.model().requests().into_iter();
        let ours = requests.filter(|request| request.service == Service::GooglePlay);
        let ours = ours.filter(|request| request.method == method && request.path.contains(part));
        ours.map(|request| request.path).collect()
    }

    fn commits(&self) -> Vec<String> {
        self.play_paths("POST", ":commit")
    }

    /// Runs the monitor; a person makes a change while the answer to one of its looks at the track is on its way.
    async fn overtaken(&self, look: u32, change: impl FnOnce()) -> Ran {
        let model = self.sandbox.model();
        model.add_fault(Fault::new(Service::GooglePlay, SLOW).on("GET", "/tracks/").after(look));
        let person = async {
            while !model.requests().iter().any(|request| request.fault) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            change();
        };
        let (ran, ()) = tokio::join!(self.monitor(&[]), person);
        ran
    }

    fn told(&self, starts: &str) -> Vec<String> {
        self.messages().into_iter().filter(|text| text.starts_with(starts)).collect()
    }
}

/// The looks at the track of a run that acts: one to judge by, one before acting, one inside the transaction.
const BEFORE_ACTING: u32 = 1;
const IN_THE_TRANSACTION: u32 = 2;

fn old() -> Value {
    json!({"name": "1.9", "versionCodes": ["100"], "status": "completed"})
}

fn ours(status: &str, fraction: Option<f64>) -> Value {
    let mut release = json!({"name": "2.0", "versionCodes": ["200"], "status": status});
    if let Some(fraction) = fraction {
        release["userFraction"] = json!(fraction);
    }
    release
}

fn hotfix() -> Value {
    json!({"name": "2.1", "versionCodes": ["300"], "status": "inProgress", "userFraction": 0.15})
}

fn acted(ran: &Ran) {
    let result = ran.result();
    assert_eq!((ran.code(), &result["acted"]), (0, &json!(true)), "{}", ran.stderr());
}

/// The halt was not made and is told with these words; the run is red.
fn halt_failed(town: &Town, ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    let result = ran.result();
    assert_eq!((&result["decision"], &result["acted"]), (&json!("halt"), &json!(false)));
    let told = town.messages();
    assert!(told.len() == 1 && told[0].starts_with("🚨 HALT FAILED"), "{told:?}");
    assert!(words.iter().all(|word| told[0].contains(word)), "{told:?}");
    assert_eq!(town.store_status(), "inProgress");
}

#[tokio::test]
async fn f34_a_commit_that_was_applied_though_it_failed_is_confirmed_once() {
    for kind in
        [FaultKind::StatusAfter(CannedReply::status(503)), FaultKind::CloseAfter, FaultKind::Truncated]
    {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.play_fault(kind.clone(), "POST", ":commit");
        acted(&town.monitor(&[]).await);
        assert_eq!((town.commits().len(), town.store_status().as_str()), (1, "halted"), "{kind:?}");
        assert_eq!((town.messages().len(), town.told("🛑 HALTED").len()), (1, 1), "{:?}", town.messages());
    }
}

#[tokio::test]
async fn f35_a_commit_that_was_not_applied_is_made_with_a_new_edit() {
    for kind in [FaultKind::Status(CannedReply::status(503)), FaultKind::Close] {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.play_fault(kind, "POST", ":commit");
        acted(&town.monitor(&[]).await);
        let commits = town.commits();
        assert_eq!(commits.len(), 2, "{commits:?}");
        assert_ne!(commits[0], commits[1], "a fresh edit");
        assert_eq!((town.store_status().as_str(), town.messages().len()), ("halted", 1));
    }
}

#[tokio::test]
async fn f36_an_edit_that_somebody_ended_is_made_anew_and_others_stay_as_they_are() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let other = json!({"name": "1.9 renamed", "versionCodes": ["100"], "status": "completed", "odd": {"b": 1, "a": 0.1},
                       "inAppUpdatePriority": 4});
    let mut raised = ours("inProgress", Some(0.300_000_011_92));
    raised["releaseNotes"] = json!([{"text": "Ümläute.", "language": "de-DE"}]);
    let ran = town.overtaken(IN_THE_TRANSACTION, || town.person(vec![other.clone(), raised.clone()])).await;
    acted(&ran);
    let track = town.track();
    assert_eq!(track[0].to_string(), other.to_string());
    let halted = raised.to_string().replace("inProgress", "halted");
    assert_eq!(track[1].to_string(), halted, "what somebody did meanwhile is kept, the fraction too");
    assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
}

#[tokio::test]
async fn f36_expired_and_deleted_edits_are_told_apart_from_refusals() {
    let words = [
        ("This edit has expired please create a new Edit.", 400),
        ("This Edit has been deleted.", 410),
        ("This edit has already been successfully committed, please create a new Edit.", 400),
    ];
    for (message, code) in words {
        for (method, path) in [("GET", "/tracks/"), ("PUT", "/tracks/"), ("POST", ":commit")] {
            let town = Town::new(Apps::Android, Events::Bad).await;
            let body = json!({"error": {"code": code, "message": message, "status": "FAILED_PRECONDITION"}});
            town.play_fault(FaultKind::Status(CannedReply::status(code).with_body(body)), method, path);
            acted(&town.monitor(&[]).await);
            assert_eq!(
                (town.store_status().as_str(), town.messages().len()),
                ("halted", 1),
                "{method} {message}"
            );
        }
    }
}

#[tokio::test]
async fn f37_a_missing_right_is_told_once_and_tried_again_by_every_run() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let body = json!({"error": {"code": 403, "message": "The caller does not have permission",
        "status": "PERMISSION_DENIED"}});
    let denied = FaultKind::Status(CannedReply::status(403).with_body(body));
    let fault = Fault::new(Service::GooglePlay, denied).on("POST", ":commit").times(1000);
    town.sandbox.model().add_fault(fault);
    for tried in 1..=3 {
        let ran = town.monitor(&[]).await;
        halt_failed(&town, &ran, &["Users and permissions", "Release to production", PACKAGE]);
        assert_eq!(town.commits().len(), tried, "a refusal is not repeated within a run");
        let status = town.finish(&["status", "--output", "json"]).await;
        let status: Value = serde_json::from_str(&status.stdout()).unwrap();
        assert!(status["apps"][0]["releases"].to_string().contains("planned"), "{status:#}");
    }
    town.sandbox.model().clear_faults();
    acted(&town.monitor(&[]).await);
    assert_eq!((town.store_status().as_str(), town.told("🛑 HALTED").len()), ("halted", 1));
}

#[tokio::test]
async fn f38_a_halt_that_would_wait_for_a_person_is_not_called_a_halt() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.conditions(ReviewState::Idle, Sending::Manual);
    for _ in 0..2 {
        let ran = town.monitor(&[]).await;
        halt_failed(&town, &ran, &["Play Console now", "Publishing overview"]);
    }
    let commits = town.commits();
    assert!(commits.iter().all(|path| !path.contains("changesNotSentForReview")), "{commits:?}");
    town.conditions(ReviewState::Idle, Sending::Automatic);
    acted(&town.monitor(&[]).await);
    assert_eq!(town.store_status(), "halted");
}

#[tokio::test]
async fn f38_only_what_stops_a_release_may_cancel_a_review_and_only_where_it_is_let() {
    let behaviors = |town: &Town| -> Vec<String> {
        let commits = town.commits().into_iter();
        commits.map(|path| path.split("Behavior=").nth(1).unwrap_or_default().to_owned()).collect()
    };
    let cancelled = |town: &Town| town.sandbox.model().state()["play"][PACKAGE]["cancelledReviews"].clone();

    let town = Town::new(Apps::Android, Events::Bad).await;
    town.conditions(ReviewState::InReview, Sending::Automatic);
    acted(&town.monitor(&[]).await);
    assert_eq!(behaviors(&town), ["ERROR_IF_IN_REVIEW", "CANCEL_IN_REVIEW_AND_SUBMIT"]);
    assert_eq!((town.store_status().as_str(), cancelled(&town)), ("halted", json!(1)));

    let careful = Town::new(Apps::Android, Events::Bad).await;
    careful.conditions(ReviewState::InReview, Sending::Automatic);
    let section = "[google_play]\nhalt_cancels_review = false\n";
    let text = careful.configuration().replace("[google_play]\n", section);
    std::fs::write(careful.path("tidegate.toml"), text).unwrap();
    let ran = careful.monitor(&[]).await;
    halt_failed(&careful, &ran, &["review"]);
    assert_eq!((behaviors(&careful), cancelled(&careful)), (vec!["ERROR_IF_IN_REVIEW".to_owned()], json!(0)));

    let good = Town::new(Apps::Android, Events::Good).await;
    good.conditions(ReviewState::InReview, Sending::Automatic);
    assert_eq!(good.monitor(&[]).await.code(), 3);
    assert_eq!((behaviors(&good), cancelled(&good)), (vec!["ERROR_IF_IN_REVIEW".to_owned()], json!(0)));
    assert_eq!(good.store_status(), "inProgress");
}

#[tokio::test]
async fn f39_a_release_that_a_person_completed_first_is_left_alone_and_people_are_told_how_to_stop_it() {
    for look in [BEFORE_ACTING, IN_THE_TRANSACTION] {
        let town = Town::new(Apps::Android, Events::Bad).await;
        let ran = town.overtaken(look, || town.person(vec![ours("completed", None)])).await;
        // Where the person came before our look, there is nothing to be done in the edit.
        assert_eq!((ran.code(), ran.result()["acted"].clone()), (0, json!(false)), "{}", ran.stderr());
        assert_eq!(town.track(), [ours("completed", None)]);
        let told = town.messages();
        assert!(told.len() == 1 && told[0].starts_with("✋ LEFT ALONE"), "{told:?}");
        assert!(
            told[0].contains("release a fixed version") && told[0].contains("tidegate control halt"),
            "{told:?}"
        );
        town.monitor(&[]).await;
        assert_eq!((town.messages().len(), town.store_status().as_str()), (1, "completed"));
    }
}

#[tokio::test]
async fn f40_a_hotfix_that_took_the_place_of_the_release_is_not_halted() {
    for look in [BEFORE_ACTING, IN_THE_TRANSACTION] {
        let town = Town::new(Apps::Android, Events::Bad).await;
        let ran = town.overtaken(look, || town.person(vec![old(), hotfix()])).await;
        assert_eq!((ran.code(), ran.result()["acted"].clone()), (0, json!(false)), "{}", ran.stderr());
        assert_eq!(town.track(), [old(), hotfix()], "neither halted nor put back");
        assert_eq!(town.told("✋ LEFT ALONE").len(), 1, "{:?}", town.messages());
        town.monitor(&[]).await;
        assert_eq!(town.track(), [old(), hotfix()]);
        assert_eq!(town.told("🛑 HALTED"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn f41_a_raise_goes_on_from_the_share_it_was_decided_on_and_never_lowers() {
    let share = |share: f64| UserFraction::new(share).unwrap();
    let raise = |from: f64, to: f64| Change::Raise { from: share(from), to: share(to) };
    let town = Town::new(Apps::Android, Events::Good).await;
    let seen = town.watched().await;
    let cases = [
        (ours("inProgress", Some(0.5)), raise(0.5, 0.75), ours("inProgress", Some(0.75))),
        (ours("inProgress", Some(0.5)), raise(0.15, 0.75), ours("inProgress", Some(0.5))),
        (ours("inProgress", Some(0.8)), raise(0.15, 0.75), ours("inProgress", Some(0.8))),
        (ours("inProgress", Some(0.05)), raise(0.15, 0.75), ours("inProgress", Some(0.05))),
        (ours("inProgress", Some(0.8)), raise(0.8, 1.0), ours("completed", None)),
        (ours("halted", Some(0.5)), raise(0.5, 0.75), ours("halted", Some(0.5))),
        (ours("completed", None), raise(0.5, 0.75), ours("completed", None)),
    ];
    for (persons, change, expected) in cases {
        town.person(vec![old(), persons.clone()]);
        town.ask(&seen, &change).await.unwrap();
        let found = town.track().into_iter().find(|release| release["versionCodes"][0] == "200").unwrap();
        assert_eq!(found, expected, "{change:?} of {persons}");
    }
}

#[tokio::test]
async fn f42_a_halt_by_a_person_is_told_once_in_the_thread_and_never_undone() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    assert_eq!(town.messages().len(), 1);
    town.person(vec![old(), ours("halted", Some(0.15))]);
    for _ in 0..3 {
        let ran = town.monitor(&[]).await;
        assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, json!("none")), "{}", ran.stderr());
    }
    let messages = town.sandbox.model().slack_messages(crate::town::CHANNEL).unwrap();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[1]["text"].as_str().unwrap().starts_with("🛑 HALTED BY SOMEBODY"), "{messages:?}");
    assert_eq!(messages[1]["thread_ts"], messages[0]["ts"]);
    assert_eq!(town.track()[1], ours("halted", Some(0.15)));
    let status = town.finish(&["status", "--output", "json"]).await.stdout();
    assert!(status.contains("halted"), "{status}");

    town.person(vec![old(), ours("inProgress", Some(0.15))]);
    let resumed = town.run_at(&hours_later(1)).await;
    assert_ne!(resumed.result()["decision"], "halt", "{}", resumed.stderr());
    assert_eq!(town.messages().len(), 2, "a resume is a person's own affair");
    town.person(vec![old(), ours("halted", Some(0.15))]);
    town.run_at(&hours_later(2)).await;
    assert_eq!(town.told("🛑 HALTED BY SOMEBODY").len(), 2, "it is another halt");
}

#[tokio::test]
async fn f42_a_completed_release_that_a_person_halts_is_told_too() {
    let town = Town::new(Apps::Android, Events::Good).await;
    town.monitor(&[]).await;
    assert_eq!(town.store_status(), "completed");
    town.person(vec![old(), ours("halted", None)]);
    for hours in [0, 1] {
        town.run_at(&hours_later(hours)).await;
    }
    assert_eq!(town.told("🛑 HALTED BY SOMEBODY").len(), 1, "{:?}", town.messages());
    assert_eq!(town.store_status(), "halted");
}

#[tokio::test]
async fn f42_our_own_halt_is_nobody_elses() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let more: Vec<Value> = (0..5).map(|n| crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
    town.fixture.import(CRASHES, &more);
    // The state can be opened and no lease can be had, so the halt is made without a memory.
    let lock = town.path("state.sqlite.lock");
    drop(std::fs::remove_file(&lock));
    std::fs::create_dir(&lock).unwrap();
    town.monitor(&[]).await;
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("halted", 2), "{:?}", town.messages());
    std::fs::remove_dir(lock).unwrap();
    assert_eq!(town.monitor(&[]).await.code(), 0);
    assert_eq!(town.messages().len(), 2, "{:?}", town.messages());
}

#[tokio::test]
async fn f43_a_fraction_that_lost_precision_is_the_same_and_nothing_is_written() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    let play_says = ours("inProgress", Some(0.150_000_005_960_464_48));
    town.person(vec![old(), play_says.clone()]);
    let seen = town.watched().await;
    let share = |share: f64| UserFraction::new(share).unwrap();
    let to = Change::Raise { from: share(0.1), to: share(0.15) };
    town.ask(&seen, &to).await.unwrap();
    assert_eq!((town.play_paths("PUT", "/tracks/"), town.commits()), (Vec::new(), Vec::new()));
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert!(town.messages()[0].contains("to 15 % of users"), "{:?}", town.messages());
    assert_eq!(
        (town.track()[1].to_string(), town.writes().len()),
        (play_says.to_string(), 1),
        "only the message"
    );
}

#[tokio::test]
async fn a_concurrent_update_is_waited_out() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let busy = FaultKind::Status(CannedReply::status(409));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, busy).on("PUT", "/tracks/").times(2));
    acted(&town.monitor(&[]).await);
    assert_eq!((town.store_status().as_str(), town.play_paths("PUT", "").len()), ("halted", 3));
}

#[tokio::test]
async fn a_burst_of_edits_is_waited_out() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let body = json!({"error": {"code": 403, "message": "Invalid request - Daily edit creation quota exceeded",
        "status": "PERMISSION_DENIED"}});
    let quota = FaultKind::Status(CannedReply::status(403).with_body(body));
    town.play_fault(quota, "POST", "/edits");
    acted(&town.monitor(&[]).await);
}

#[tokio::test]
async fn a_track_that_play_does_not_take_back_is_halted_by_our_release_alone() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let mut aimed = ours("inProgress", Some(0.15));
    aimed["countryTargeting"] = json!({"countries": ["DE"]});
    let earlier = json!({"name": "1.95", "versionCodes": ["150"], "status": "halted", "userFraction": 0.5});
    town.person(vec![old(), earlier, aimed]);
    acted(&town.monitor(&[]).await);
    assert_eq!(town.track(), [old(), ours("halted", Some(0.15))]);
}

#[tokio::test]
async fn every_change_is_taken_by_a_strict_store_and_read_back() {
    let word = || PersonsWord::given("ada", "it is fixed", Timestamp::UNIX_EPOCH).unwrap();
    let share = |share: f64| UserFraction::new(share).unwrap();
    let town = Town::new(Apps::Android, Events::Good).await;
    town.person(vec![old(), ours("inProgress", Some(0.15))]);
    let raised = |fraction: f64| vec![old(), ours("inProgress", Some(fraction))];
    let halted = |fraction| vec![old(), ours("halted", fraction)];
    let steps = [
        (Change::Raise { from: share(0.15), to: share(0.5) }, raised(0.5)),
        (Change::Halt, halted(Some(0.5))),
        (Change::Resume { at: None, word: word() }, raised(0.5)),
        (Change::Withdraw { word: word() }, halted(Some(0.5))),
        (Change::Resume { at: Some(share(0.2)), word: word() }, raised(0.2)),
        (Change::FastTrack, vec![ours("completed", None)]),
        (Change::Withdraw { word: word() }, halted(None)),
        (Change::Resume { at: None, word: word() }, vec![ours("completed", None)]),
        (Change::Withdraw { word: word() }, halted(None)),
        (Change::Resume { at: Some(share(0.4)), word: word() }, raised(0.4)),
        (Change::Raise { from: share(0.4), to: UserFraction::EVERYBODY }, vec![ours("completed", None)]),
    ];
    for (change, expected) in steps {
        let seen = town.watched().await;
        town.ask(&seen, &change).await.unwrap();
        assert_eq!(town.track(), expected, "{change:?}");
        let commits = town.commits().len();
        town.ask(&seen, &change).await.unwrap();
        assert_eq!(town.commits().len(), commits, "asked twice, it is done once: {change:?}");
    }

    let mut draft = hotfix();
    draft["status"] = json!("draft");
    draft.as_object_mut().unwrap().shift_remove("userFraction");
    town.person(vec![old(), ours("inProgress", Some(0.15)), draft]);
    let releases = town.play(InReview::Refuse).releases().await.unwrap();
    let pending = releases.iter().find(|release| release.key == "300").unwrap();
    town.ask(pending, &Change::Start { at: share(0.15) }).await.unwrap();
    assert_eq!(town.track(), [old(), hotfix()], "it takes the place of the one in progress");
}

/// What a person does in the console, at a random request of a run.
#[derive(Debug, Clone)]
enum Console {
    Raise(f64),
    Halt,
    Complete,
    Hotfix,
    Rename,
}

impl Console {
    fn releases(&self) -> Vec<Value> {
        match self {
            Self::Raise(fraction) => vec![old(), ours("inProgress", Some(*fraction))],
            Self::Halt => vec![old(), ours("halted", Some(0.15))],
            Self::Complete => vec![ours("completed", None)],
            Self::Hotfix => vec![old(), hotfix()],
            Self::Rename => {
                let mut renamed = ours("inProgress", Some(0.15));
                renamed["name"] = json!("2.0 (renamed)");
                vec![old(), renamed]
            }
        }
    }
}

/// The share of users who are offered our release.
fn exposure(track: &[Value]) -> f64 {
    let ours = track.iter().find(|release| release["versionCodes"][0] == "200");
    match ours.map(|release| (release["status"].as_str(), release["userFraction"].as_f64())) {
        Some((Some("completed"), _)) => 1.0,
        Some((Some("inProgress"), Some(fraction))) => fraction,
        _ => 0.0,
    }
}

/// One run, and a person who does this once that many requests have been made to Google Play.
async fn run_with_a_person(events: Events, console: &Console, after: usize) {
    let town = Town::new(Apps::Android, events).await;
    let model = town.sandbox.model();
    let person = async {
        let asked =
            || model.requests().iter().filter(|request| request.service == Service::GooglePlay).count();
        for _ in 0..1_000 {
            if asked() >= after {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        town.person(console.releases());
    };
    let (ran, ()) = tokio::join!(town.monitor(&[]), person);
    let place = format!("{console:?} after {after} requests: {}", ran.stderr());
    let (persons, found) = (console.releases(), town.track());
    let decided: f64 = match events {
        Events::Good => 1.0,
        Events::Bad | Events::Doubtful => 0.0,
    };
    let word = exposure(&persons);
    assert!(exposure(&found) <= word.max(decided), "{place}: {found:?}");
    // Whoever has halted it, or put another in its place, is not overruled.
    if matches!(console, Console::Halt | Console::Hotfix) {
        assert_eq!(found, persons, "{place}");
    }
    let told = town.messages();
    assert!(told.len() <= 1, "{place}: {told:?}");
    // The next run finds nothing to make worse.
    town.monitor(&[]).await;
    let after_next = town.track();
    assert!(exposure(&after_next) <= word.max(decided), "{place}: {after_next:?}");
    if matches!(console, Console::Halt | Console::Hotfix) {
        assert_eq!(after_next, persons, "{place}");
    }
    town.sandbox.shutdown().await;
}

#[tokio::test]
async fn a_person_who_does_anything_at_any_moment_is_never_overruled_toward_more_exposure() {
    /// Runs of the program, each with a person of its own.
    const CASES: usize = 24;
    let console = prop_oneof![
        (0.16..0.99).prop_map(Console::Raise),
        Just(Console::Halt),
        Just(Console::Complete),
        Just(Console::Hotfix),
        Just(Console::Rename),
    ];
    let case = (console, prop_oneof![Just(true), Just(false)], 0usize..16);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..CASES {
        let (console, bad, after) = case.new_tree(&mut runner).unwrap().current();
        run_with_a_person(if bad { Events::Bad } else { Events::Good }, &console, after).await;
    }
}
