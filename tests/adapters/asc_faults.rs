//! What App Store Connect can do to a run: rows F44 to F48 of the fault table and the tokens of F67, with the whole
//! program against the sandbox. What only many apps of one key show is asked of the adapter itself.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::json;
use tidegate::adapters::app_store_connect::{AppStoreConnect, AppStoreKey, Client};
use tidegate::adapters::clock::{SystemClock, steady};
use tidegate::adapters::http;
use tidegate::domain::ids::{AppId, ApplicationId};
use tidegate::domain::persons_word::PersonsWord;
use tidegate::domain::release::{Change, Release, RolloutStatus};
use tidegate::ports::{Effect, Lease, Outlook, PortError, RolloutTarget};
use tidegate::sandbox::{
    AppVersionState, AscAppSeed, AscVersionSeed, CannedReply, Fault, FaultKind, LoggedRequest,
    PhasedReleaseSeed, PhasedReleaseState, Service,
};

use crate::support::at;
use crate::town::{Apps, Events, NOW, Ran, Town};

const BUNDLE: &str = "com.example.app";
const VERSIONS: &str = "/appStoreVersions?";
/// A little longer than the time limit of a call.
const HELD_CALL: Duration = Duration::from_secs(29);

impl Town {
    fn at_apple(&self, kind: FaultKind) -> Fault {
        let _ = self;
        Fault::new(Service::AppStoreConnect, kind)
    }

    fn breaks(&self, fault: Fault) {
        self.sandbox.model().add_fault(fault);
    }

    /// What App Store Connect was asked, in order.
    fn asked_apple(&self) -> Vec<LoggedRequest> {
        let requests = self.sandbox.model().requests().into_iter();
        requests.filter(|request| request.service == Service::AppStoreConnect).collect()
    }

    fn patches(&self) -> usize {
        self.asked_apple().iter().filter(|request| request.method == "PATCH").count()
    }

    fn unauthorized(&self) -> usize {
        self.asked_apple().iter().filter(|request| request.status == Some(401)).count()
    }

    /// The id of version 2.0, and of its phased release.
    fn phased(&self) -> (String, String) {
        let state = self.sandbox.model().state();
        let versions = state["asc"][0]["versions"].as_array().unwrap().clone();
        let version = versions.iter().rfind(|version| version["version"] == "2.0").unwrap();
        let id = |value: &serde_json::Value| value["id"].as_str().unwrap().to_owned();
        (id(version), id(&version["phasedRelease"]))
    }

    /// The client of the sandbox's key.
    fn client(&self, patience: Duration) -> Arc<Client> {
        let credentials = &self.sandbox.credentials;
        let base = self.sandbox.endpoints.app_store_connect.clone();
        let service = http::Service::new("App Store Connect", base, http::client().unwrap());
        let private_key = std::fs::read_to_string(&credentials.asc_private_key_path).unwrap();
        let key = AppStoreKey {
            key_id: credentials.asc_key_id.clone(),
            issuer_id: Some(credentials.asc_issuer_id.clone()),
            private_key: SecretString::from(private_key),
        };
        Client::new(service, key, Box::new(SystemClock), Some(steady() + patience)).unwrap()
    }

    /// Runs the monitor; a person makes a change while the fault holds up one of the answers.
    async fn overtaken_at(&self, slow: Fault, change: impl FnOnce()) -> Ran {
        let model = self.sandbox.model();
        model.add_fault(slow);
        let person = async {
            while !model.requests().iter().any(|request| request.fault) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            change();
        };
        tokio::join!(self.monitor(&[]), person).0
    }
}

async fn bad_town() -> Town {
    Town::new(Apps::Ios, Events::Bad).await
}

fn app(client: &Arc<Client>, bundle_id: &str) -> AppStoreConnect {
    AppStoreConnect::new(client.clone(), ApplicationId::new(bundle_id).unwrap())
}

fn lease() -> Lease {
    Lease::granted(AppId::new("ios").unwrap(), "test".to_owned(), 1, Timestamp::MAX)
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status(CannedReply::status(code))
}

fn refusal(code: &str, detail: &str) -> FaultKind {
    let error = json!({"id": "1", "status": "409", "code": code, "title": "Refused", "detail": detail,
        "source": {"pointer": "/data/attributes/phasedReleaseState"}});
    FaultKind::Status(CannedReply::status(409).with_body(json!({"errors": [error]})))
}

fn halted_once(town: &Town, ran: &Ran) {
    assert_eq!((ran.code(), ran.result()["acted"].clone()), (0, json!(true)), "{}", ran.stderr());
    assert_eq!(town.store_status(), "PAUSED");
    assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
    assert!(town.messages()[0].contains("HALTED"), "{:?}", town.messages());
}

#[tokio::test]
async fn f44_a_refused_token_is_made_anew_once() {
    for path in ["/v1/apps?", VERSIONS, "/v1/appStoreVersionPhasedReleases/"] {
        let town = bad_town().await;
        let mut fault = town.at_apple(status(401));
        fault.path_contains = Some(path.to_owned());
        town.breaks(fault);
        let ran = town.monitor(&[]).await;
        halted_once(&town, &ran);
        assert_eq!(town.unauthorized(), 1, "{path}");
    }
}

#[tokio::test]
async fn f44_a_key_that_apple_does_not_know_is_an_error_that_names_it() {
    let town = bad_town().await;
    let another = town.configuration().replace("issuer_id = \"", "issuer_id = \"another-");
    std::fs::write(town.path("tidegate.toml"), another).unwrap();
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 1);
    assert_eq!(town.asked_apple().len(), 2, "the token is made anew once");
    let text = ran.stderr();
    for words in ["NOT_AUTHORIZED", &town.sandbox.credentials.asc_key_id, "issuer_id", "clock is right"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(town.store_status(), "ACTIVE");
}

#[tokio::test]
async fn f44_an_individual_key_signs_without_an_issuer() {
    let town = bad_town().await;
    let lines: Vec<String> = town
        .configuration()
        .lines()
        .filter(|line| !line.starts_with("issuer_id"))
        .map(str::to_owned)
        .collect();
    std::fs::write(town.path("tidegate.toml"), lines.join("\n")).unwrap();
    let ran = town.monitor(&[]).await;
    halted_once(&town, &ran);
    assert_eq!(town.unauthorized(), 0);
}

#[tokio::test]
async fn f67_tokens_go_by_apples_clock_where_ours_is_two_hours_off() {
    for ahead in [2, -2] {
        let town = bad_town().await;
        town.sandbox.model().set_asc_clock_ahead(SignedDuration::from_hours(ahead));
        let ran = town.monitor(&[]).await;
        halted_once(&town, &ran);
        assert_eq!(town.unauthorized(), 1, "what is known of the clock is kept for the run");
    }
}

#[tokio::test]
async fn f67_a_wrong_clock_and_a_wrong_key_are_both_named() {
    let town = bad_town().await;
    town.sandbox.model().set_asc_clock_ahead(SignedDuration::from_hours(2));
    let another = town.configuration().replace("issuer_id = \"", "issuer_id = \"another-");
    std::fs::write(town.path("tidegate.toml"), another).unwrap();
    let ran = town.monitor(&[]).await;
    assert!(ran.code() == 1 && ran.stderr().contains("off, which was allowed for"), "{}", ran.stderr());
    assert!(ran.stderr().contains("issuer_id"), "{}", ran.stderr());
}

#[tokio::test]
async fn f45_a_release_that_somebody_completes_is_left_alone() {
    let town = bad_town().await;
    let (_, phased) = town.phased();
    let slow = town.at_apple(FaultKind::Slow { byte_interval_ms: 1 }).on("GET", VERSIONS).after(1);
    let complete = || {
        town.sandbox.model().change_phased_release(&phased, PhasedReleaseState::Complete).unwrap();
    };
    let ran = town.overtaken_at(slow, complete).await;
    assert_eq!((ran.code(), town.patches()), (0, 1), "{}", ran.stderr());
    let told = town.messages();
    assert!(told.len() == 1 && told[0].contains("LEFT ALONE") && told[0].contains("everybody"), "{told:?}");
    town.monitor(&[]).await;
    assert_eq!((town.patches(), town.messages().len()), (1, 1), "nothing is tried or said again");
}

#[tokio::test]
async fn f45_a_release_that_somebody_pauses_first_is_halted_all_the_same() {
    let town = bad_town().await;
    let (_, phased) = town.phased();
    let slow = town.at_apple(FaultKind::Slow { byte_interval_ms: 1 }).on("GET", VERSIONS).after(1);
    let pause = || {
        town.sandbox.model().change_phased_release(&phased, PhasedReleaseState::Paused).unwrap();
    };
    let ran = town.overtaken_at(slow, pause).await;
    assert_eq!(town.asked_apple().iter().filter(|request| request.status == Some(409)).count(), 1);
    halted_once(&town, &ran);
}

#[tokio::test]
async fn f45_a_refusal_is_told_in_apples_words_and_not_repeated() {
    let cases = [
        (
            refusal(
                "STATE_ERROR",
                "You cannot change the state of a phased release that is in a final state",
            ),
            "final state",
        ),
        (refusal("STATE_ERROR", "The version is in review"), "in review"),
        (
            refusal("ENTITY_ERROR.ATTRIBUTE.INVALID", "That is no state"),
            "/data/attributes/phasedReleaseState",
        ),
        (status(403), "role App Manager"),
    ];
    for (kind, words) in cases {
        let town = bad_town().await;
        town.breaks(town.at_apple(kind).on("PATCH", "/v1/").times(100));
        let ran = town.monitor(&[]).await;
        assert_eq!((ran.code(), town.patches()), (1, 1), "{}", ran.stderr());
        let told = town.messages();
        assert!(told.len() == 1 && told[0].contains("HALT FAILED") && told[0].contains(words), "{told:?}");
        town.monitor(&[]).await;
        assert_eq!(
            (town.patches(), town.messages().len()),
            (2, 1),
            "each run tries once, and says nothing new"
        );
    }
}

#[tokio::test]
async fn f45_what_is_no_longer_in_the_store_is_left_alone() {
    let replaced = |town: &Town| {
        let mut next = AscVersionSeed::new("2.1", AppVersionState::ReadyForDistribution);
        next.build = Some("210".to_owned());
        town.sandbox.model().add_asc_version(BUNDLE, next).unwrap();
    };
    let taken_back = |town: &Town| {
        let (version, _) = town.phased();
        let state = AppVersionState::PendingDeveloperRelease;
        town.sandbox.model().set_version_state(&version, state).unwrap();
    };
    type Case<'c> = (&'c dyn Fn(&Town), &'c str);
    let cases: [Case<'_>; 2] = [(&replaced, "no longer lists"), (&taken_back, "it is not rolling out")];
    for (change, words) in cases {
        let town = bad_town().await;
        town.breaks(town.at_apple(status(403)).on("PATCH", "/v1/"));
        town.monitor(&[]).await;
        change(&town);
        let ran = town.monitor(&[]).await;
        assert_eq!((ran.code(), town.patches()), (0, 1), "{}", ran.stderr());
        let told = town.messages();
        assert!(told.len() == 2 && told[1].contains("LEFT ALONE") && told[1].contains(words), "{told:?}");
    }
}

#[tokio::test]
async fn f45_what_apple_can_not_do_is_refused_before_it_is_asked() {
    let town = bad_town().await;
    let store = app(&town.client(Duration::from_secs(20)), BUNDLE);
    let live = store.releases().await.unwrap().remove(0);
    let asked = town.asked_apple().len();
    let completed = Release { status: RolloutStatus::Completed, ..live.clone() };
    let word = || PersonsWord::given("ada", "it crashes", at(NOW)).unwrap();
    let share = tidegate::domain::rate::UserFraction::new(0.5).unwrap();
    let cases = [
        (Change::Withdraw { word: word() }, &completed, "fixed version"),
        (Change::Raise { from: share, to: share }, &live, "by itself"),
        (Change::Start { at: share }, &live, "release the version in App Store Connect"),
        (Change::Resume { at: Some(share), word: word() }, &live, "without a share"),
    ];
    for (change, release, words) in cases {
        let error = store.apply(&lease(), release, &change).await.unwrap_err();
        assert_eq!((error.effect, error.outlook), (Effect::None, Outlook::Lasting), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(town.asked_apple().len(), asked);
}

#[tokio::test]
async fn f46_a_limit_is_waited_for_as_long_as_apple_says() {
    for (path, count) in [("/v1/apps?", 1), (VERSIONS, 1), ("/v1/appStoreVersionPhasedReleases/", 1)] {
        let town = bad_town().await;
        let limited = FaultKind::Status(CannedReply::status(429).with_header("Retry-After", "2"));
        let mut fault = town.at_apple(limited).times(count);
        fault.path_contains = Some(path.to_owned());
        town.breaks(fault);
        let start = steady();
        let ran = town.monitor(&[]).await;
        assert!(start.elapsed() >= Duration::from_secs(2), "{path}: {:?}", start.elapsed());
        halted_once(&town, &ran);
    }
}

#[tokio::test]
async fn f46_without_a_word_from_apple_waits_double_from_one_second_on() {
    let town = bad_town().await;
    town.breaks(town.at_apple(status(429)).on("PATCH", "/v1/").times(2));
    let start = steady();
    let ran = town.monitor(&[]).await;
    assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(town.patches(), 3);
    halted_once(&town, &ran);
}

#[tokio::test]
async fn f46_a_wait_beyond_the_deadline_is_not_begun() {
    let town = bad_town().await;
    let limited = FaultKind::Status(CannedReply::status(429).with_header("Retry-After", "3600"));
    town.breaks(town.at_apple(limited).times(100));
    let start = steady();
    let ran = town.monitor(&["--deadline", "1m"]).await;
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!((ran.code(), town.asked_apple().len()), (1, 1), "{}", ran.stderr());
    assert!(ran.stderr().contains("RATE_LIMIT_EXCEEDED"), "{}", ran.stderr());
}

/// Lets the hour of the key run down to what is kept for halts, by reading.
async fn read_down_to_the_reserve(store: &AppStoreConnect) -> (u32, PortError) {
    let mut read = 0;
    loop {
        match store.releases().await {
            Ok(_) => read += 1,
            Err(error) => return (read, error),
        }
    }
}

#[tokio::test]
async fn f46_what_is_left_of_the_hour_is_kept_for_halts_and_said() {
    let town = bad_town().await;
    // Of 40 requests an hour four are kept.
    town.sandbox.model().set_asc_budget(Some(40));
    let store = app(&town.client(Duration::from_secs(20)), BUNDLE);
    let (read, error) = read_down_to_the_reserve(&store).await;
    assert_eq!(read, 36, "{error}");
    assert!(
        error.to_string().contains("3 of 40 requests") && error.to_string().contains("kept for halts"),
        "{error}"
    );
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), town.store_status().as_str()), (1, "ACTIVE"));
    assert!(ran.stderr().contains("kept for halts"), "{}", ran.stderr());
}

#[tokio::test]
async fn f46_a_halt_goes_on_with_what_reads_may_not_use() {
    let town = bad_town().await;
    town.sandbox.model().set_asc_budget(Some(40));
    let store = app(&town.client(Duration::from_secs(20)), BUNDLE);
    let live = store.releases().await.unwrap().remove(0);
    read_down_to_the_reserve(&store).await;
    store.hurry();
    assert_eq!(store.releases().await.unwrap()[0].status, RolloutStatus::RollingOut);
    store.apply(&lease(), &live, &Change::Halt).await.unwrap();
    assert_eq!(store.releases().await.unwrap()[0].status, RolloutStatus::Halted);
}

#[tokio::test]
async fn f46_the_minute_is_not_used_up_by_reads() {
    let town = bad_town().await;
    town.sandbox.model().set_now(None);
    town.sandbox.model().set_asc_minute_limit(Some(20));
    let store = app(&town.client(Duration::from_secs(60)), BUNDLE);
    let start = steady();
    for _ in 0..12 {
        store.releases().await.unwrap();
    }
    // Nine requests are left after eleven; the two that follow wait three seconds each.
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(town.asked_apple().iter().all(|request| request.status == Some(200)));
}

/// Many apps of one key, with latency enough that they wait for one another.
const OTHERS: usize = 8;
const LATENCY: Duration = Duration::from_millis(40);

fn with_others(town: &Town) {
    for index in 0..OTHERS {
        let seed = AscAppSeed::phased(&format!("com.example.other{index}"), "1.0", "100", at(NOW));
        town.sandbox.model().add_asc_app(seed).unwrap();
    }
    town.sandbox.model().set_latency(LATENCY);
}

#[tokio::test]
async fn f46_other_apps_reads_never_delay_a_halt() {
    let town = bad_town().await;
    with_others(&town);
    let client = town.client(Duration::from_secs(60));
    let others: Vec<AppStoreConnect> =
        (0..OTHERS).map(|index| app(&client, &format!("com.example.other{index}"))).collect();
    let halting = app(&client, BUNDLE);
    let start = steady();
    let reads = async {
        for _ in 0..3 {
            let all = others.iter().map(RolloutTarget::releases);
            futures_util::future::join_all(all).await.into_iter().for_each(|read| drop(read.unwrap()));
        }
    };
    let halt = async {
        tokio::time::sleep(LATENCY * 3).await;
        halting.hurry();
        let live = halting.releases().await.unwrap().remove(0);
        halting.apply(&lease(), &live, &Change::Halt).await.unwrap();
        halting.releases().await.unwrap().remove(0)
    };
    let ((), halted) = tokio::join!(reads, halt);
    assert_eq!(halted.status, RolloutStatus::Halted);
    let asked = town.asked_apple();
    let asked_by_the_halt = |request: &LoggedRequest| {
        let halts_app = asked.iter().find(|request| request.method == "PATCH").is_some();
        let id = town.sandbox.model().state()["asc"][0]["id"].as_str().unwrap().to_owned();
        halts_app && (request.method == "PATCH" || request.path.contains(&id))
    };
    let places: Vec<usize> = asked
        .iter()
        .enumerate()
        .filter(|(_, request)| asked_by_the_halt(request))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 3, "{asked:#?}");
    // Between two requests of the halt at most one other is under way.
    assert!(places.windows(2).all(|pair| pair[1] - pair[0] <= 2), "{places:?}");
    assert!(asked.len() - places[2] > OTHERS, "it overtook those that waited: {places:?} of {}", asked.len());
    assert!(start.elapsed() >= LATENCY * u32::try_from(asked.len()).unwrap(), "one at a time");
}

#[tokio::test]
async fn f46_the_ids_of_all_apps_of_a_key_are_asked_for_once() {
    let town = bad_town().await;
    with_others(&town);
    town.sandbox.model().set_latency(Duration::ZERO);
    let client = town.client(Duration::from_secs(60));
    let names = (0..OTHERS).map(|index| format!("com.example.other{index}"));
    let apps: Vec<AppStoreConnect> =
        names.chain([BUNDLE.to_owned(), "com.example".to_owned()]).map(|name| app(&client, &name)).collect();
    for _ in 0..2 {
        let read = futures_util::future::join_all(apps.iter().map(RolloutTarget::releases)).await;
        assert_eq!(read.iter().filter(|read| read.is_ok()).count(), OTHERS + 1);
        let unknown = read.last().unwrap().as_ref().unwrap_err();
        assert!(unknown.to_string().contains("knows no app with bundle id com.example "), "{unknown}");
    }
    let asked = town.asked_apple();
    assert_eq!(asked.iter().filter(|request| request.path.starts_with("/v1/apps?")).count(), 1);
    assert_eq!(asked.len(), 1 + 2 * (OTHERS + 1), "one request for each app and look");
}

#[tokio::test]
async fn a_run_asks_twice_for_an_app_that_goes_on() {
    let town = Town::new(Apps::Ios, Events::Doubtful).await;
    town.monitor(&[]).await;
    let asked: Vec<String> = town.asked_apple().into_iter().map(|request| request.path).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[tokio::test]
async fn versions_are_read_page_by_page_from_apple_alone() {
    let town = bad_town().await;
    for index in 0..250 {
        let mut seed = AscVersionSeed::new(&format!("3.{index}"), AppVersionState::PendingDeveloperRelease);
        seed.build = Some(index.to_string());
        town.sandbox.model().add_asc_version(BUNDLE, seed).unwrap();
    }
    let store = app(&town.client(Duration::from_secs(20)), BUNDLE);
    assert_eq!(store.releases().await.unwrap().len(), 251);
    assert_eq!(town.asked_apple().len(), 3, "the app, and two pages");
    let elsewhere = json!({"data": [], "links": {"self": "x", "next": "http://127.0.0.1.example.com/v1/x"}});
    let page = FaultKind::Status(CannedReply::status(200).with_body(elsewhere));
    town.breaks(town.at_apple(page).on("GET", VERSIONS));
    let error = store.releases().await.unwrap_err();
    assert!(error.to_string().contains("another host"), "{error}");
}

#[tokio::test]
async fn a_person_resumes_a_paused_release_and_it_goes_on_where_it_stopped() {
    let town = bad_town().await;
    town.monitor(&[]).await;
    assert_eq!(town.store_status(), "PAUSED");
    let store = app(&town.client(Duration::from_secs(20)), BUNDLE);
    let live = store.releases().await.unwrap().remove(0);
    let word = PersonsWord::given("ada", "it was a false alarm", at(NOW)).unwrap();
    store.apply(&lease(), &live, &Change::Resume { at: None, word: word.clone() }).await.unwrap();
    assert_eq!(town.store_status(), "ACTIVE");
    store.apply(&lease(), &live, &Change::Resume { at: None, word }).await.unwrap();
    assert_eq!(town.store_status(), "ACTIVE", "a state that is there already is no error");
}

#[tokio::test]
async fn f47_a_halt_whose_answer_never_comes_is_read_back() {
    let town = bad_town().await;
    town.breaks(town.at_apple(FaultKind::HangAfter).on("PATCH", "/v1/"));
    let start = steady();
    let ran = town.monitor(&[]).await;
    assert!(start.elapsed() >= HELD_CALL, "{:?}", start.elapsed());
    halted_once(&town, &ran);
    assert_eq!(town.patches(), 1);
    town.monitor(&[]).await;
    assert_eq!((town.patches(), town.messages().len()), (1, 1));
}

#[tokio::test]
async fn f47_a_halt_whose_answer_is_lost_is_read_back() {
    for lost in
        [FaultKind::CloseAfter, FaultKind::StatusAfter(CannedReply::status(504)), FaultKind::Truncated]
    {
        let town = bad_town().await;
        town.breaks(town.at_apple(lost).on("PATCH", "/v1/"));
        let ran = town.monitor(&[]).await;
        halted_once(&town, &ran);
        assert_eq!(town.patches(), 1);
    }
}

#[tokio::test]
async fn f47_a_halt_that_had_no_effect_is_made_again() {
    let town = bad_town().await;
    town.breaks(town.at_apple(status(502)).on("PATCH", "/v1/"));
    let ran = town.monitor(&[]).await;
    halted_once(&town, &ran);
    assert_eq!(town.patches(), 2);
}

/// A run at an instant that the sandbox's stores share.
async fn run_on(town: &Town, day: i64) -> Ran {
    let now = at(NOW) + SignedDuration::from_hours(24 * day);
    town.sandbox.model().set_now(Some(now));
    town.finish(&["run", "release-monitor", "--now", &now.to_string(), "--output", "json"]).await
}

#[tokio::test]
async fn f48_people_are_told_once_that_the_days_of_pause_run_out() {
    let town = bad_town().await;
    let ran = run_on(&town, 0).await;
    halted_once(&town, &ran);
    for (day, messages) in [(1, 1), (24, 1), (25, 2), (26, 2), (31, 2)] {
        let ran = run_on(&town, day).await;
        assert_eq!((ran.code(), town.messages().len()), (0, messages), "day {day}: {}", ran.stderr());
    }
    let told = &town.messages()[1];
    for words in [
        "PAUSE ENDS SOON",
        "2.0",
        "25 of 30 days",
        "2026-12-18",
        "not documented",
        "everybody",
        "fixed version",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let all = town.sandbox.model().slack_messages(crate::town::CHANNEL).unwrap();
    assert_eq!(all[1]["thread_ts"], all[0]["ts"], "it is said in the release's thread");
    let status = town.finish(&["status"]).await.stdout();
    assert!(status.contains("paused 30 of 30 days"), "{status}");
    assert_eq!(town.store_status(), "PAUSED", "nothing is done about it");
}

#[tokio::test]
async fn f48_a_late_halt_says_how_many_days_are_left() {
    let cases = [(22, Some("8 days of pause are left, until 2026-11-26")), (20, None)];
    for (paused_days, words) in cases {
        let town = bad_town().await;
        let phased = PhasedReleaseSeed {
            state: PhasedReleaseState::Active,
            start_date: Some(at("2026-11-16T08:00:00Z")),
            paused_days,
        };
        let seed = AscVersionSeed {
            build: Some("200".to_owned()),
            phased_release: Some(phased),
            ..AscVersionSeed::new("2.0", AppVersionState::ReadyForDistribution)
        };
        town.sandbox.model().add_asc_version(BUNDLE, seed).unwrap();
        let ran = town.monitor(&[]).await;
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
        let told = town.messages();
        assert!(told.len() == 1 && told[0].contains("HALTED"), "{told:?}");
        assert_eq!(told[0].contains("of pause"), words.is_some(), "{told:?}");
        assert!(told[0].contains(words.unwrap_or_default()), "{told:?}");
    }
}

/// Calls that a whole run makes only rarely, for the check against Apple's description.
pub async fn every_kind_of_call() -> Vec<LoggedRequest> {
    let town = bad_town().await;
    let (version, _) = town.phased();
    let store = app(&town.client(Duration::from_secs(20)), BUNDLE);
    let live = store.releases().await.unwrap().remove(0);
    // What has listed nothing asks for the phased release.
    let store = app(&town.client(Duration::from_secs(20)), BUNDLE);
    store.apply(&lease(), &live, &Change::Halt).await.unwrap();
    let word = PersonsWord::given("ada", "it was a false alarm", at(NOW)).unwrap();
    store.apply(&lease(), &live, &Change::Resume { at: None, word }).await.unwrap();
    store.apply(&lease(), &live, &Change::FastTrack).await.unwrap();
    let error = store.apply(&lease(), &live, &Change::Halt).await.unwrap_err();
    assert!(error.to_string().contains("is over"), "{error}");
    let gone = Release { key: version.replace('5', "6"), ..live };
    let error = store.apply(&lease(), &gone, &Change::Halt).await.unwrap_err();
    assert!(error.to_string().contains("no phased release"), "{error}");
    town.sandbox.model().requests()
}
