//! `doctor` by the real binary: what it says of a sound set-up and of each way in which one can be broken, and that it
//! leaves nothing behind anywhere.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tidegate::adapters::clock::SystemClock;
use tidegate::ports::Clock as _;
use tidegate::sandbox::{
    Access, AscAppSeed, CannedReply, ChannelAccess, ChannelSeed, DatasetChange, DatasetSeed, Fault,
    FaultKind, GitHubRepositorySeed, PlayAppSeed, Ports, Sandbox, SandboxOptions, Seed, Service,
    TableConditions, TablePartitioning,
};

use crate::emulator::Emulator;
use crate::support::{CRASHES, Fixture, SESSIONS, crash, session};

const PROJECT: &str = "my-project";
const CHANNEL: &str = "C0RELEASES";
const PACKAGE: &str = "com.example.app";

/// Where the events of a house are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Events {
    Embedded,
    BigQuery,
}

/// A sandbox at the present time, with events of the last hours, and one Android app.
struct House {
    fixture: Fixture,
    sandbox: Sandbox,
    events: Events,
    emulator: Option<Emulator>,
    token: String,
}

impl House {
    async fn new(events: Events, emulator: Option<Emulator>) -> Self {
        Self::aged(events, emulator, SignedDuration::from_mins(20), ChannelAccess::Member).await
    }

    async fn aged(
        events: Events,
        emulator: Option<Emulator>,
        age: SignedDuration,
        access: ChannelAccess,
    ) -> Self {
        let fixture = Fixture::new();
        let newest: Timestamp = SystemClock.now() - age;
        fixture.import(SESSIONS, &[session("s", &newest.to_string())]);
        fixture.import(CRASHES, &[crash("c", &newest.to_string())]);
        let file = fixture.folder.path().join("warehouse.sqlite");
        let dataset = |name: &str| DatasetSeed::new(PROJECT, name, &file).located("EU");
        let releases =
            json!([{"name": "2.0", "versionCodes": ["200"], "status": "inProgress", "userFraction": 0.15}]);
        let seed = Seed {
            play: vec![
                PlayAppSeed::new(PACKAGE).with_track("production", releases.as_array().unwrap().clone()),
            ],
            asc: vec![AscAppSeed::phased(PACKAGE, "2.0", "200", newest)],
            slack_channels: vec![ChannelSeed { access, ..ChannelSeed::new(CHANNEL, "releases") }],
            bigquery: vec![dataset("firebase_crashlytics"), dataset("firebase_sessions")],
            ..Seed::default()
        };
        let credentials_dir = fixture.folder.path().join("keys");
        let sandbox =
            Sandbox::start(SandboxOptions { ports: Ports::default(), seed, credentials_dir }).await.unwrap();
        let token = sandbox.credentials.slack_token.clone();
        let house = Self { fixture, sandbox, events, emulator, token };
        house.write_configuration("");
        house
    }

    fn write_configuration(&self, of_warehouse: &str) {
        let path = self.fixture.folder.path().join("tidegate.toml");
        std::fs::write(path, self.configuration(of_warehouse)).unwrap();
    }

    fn configuration(&self, of_warehouse: &str) -> String {
        let (endpoints, keys) = (&self.sandbox.endpoints, &self.sandbox.credentials);
        let warehouse = match self.events {
            Events::Embedded => "kind = \"embedded\"".to_owned(),
            Events::BigQuery => format!("kind = \"bigquery\"\nproject = \"{PROJECT}\""),
        };
        let (state, firestore) = match &self.emulator {
            None => ("kind = \"sqlite\"".to_owned(), String::new()),
            Some(emulator) => (
                format!("kind = \"firestore\"\nproject = \"{}\"", emulator.project),
                format!("firestore = \"{}\"", emulator.address),
            ),
        };
        format!(
            "[warehouse]\n{warehouse}\n{of_warehouse}\n[state]\n{state}\n\
             [slack]\nchannel = \"{CHANNEL}\"\ntoken = \"env:SLACK_TOKEN\"\n\
             [google_play]\ncredentials = \"file:{}\"\n\
             [app_store_connect]\nkey_id = \"{}\"\nissuer_id = \"{}\"\nprivate_key = \"file:{}\"\n\
             [endpoints]\ngoogle_play = \"{}\"\napp_store_connect = \"{}\"\nslack = \"{}\"\nbigquery = \"{}\"\n{firestore}\n\
             [[app]]\nid = \"android\"\nplatform = \"android\"\npackage = \"{PACKAGE}\"\n",
            keys.play_service_account_path.display(),
            keys.asc_key_id,
            keys.asc_issuer_id,
            keys.asc_private_key_path.display(),
            endpoints.google_play,
            endpoints.app_store_connect,
            endpoints.slack,
            endpoints.bigquery,
        )
    }

    fn fault(&self, service: Service, reply: CannedReply, method: &str, path: &str) {
        let fault = Fault::new(service, FaultKind::Status(reply)).on(method, path).times(100);
        self.sandbox.model().add_fault(fault);
    }

    async fn run(&self, output: &str) -> (i32, String) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["doctor", "--output", output]).current_dir(self.fixture.folder.path()).env_clear();
        command
            .env("SLACK_TOKEN", &self.token)
            .env("GITHUB_TOKEN", &self.sandbox.credentials.github_token)
            .env("PATH", "/usr/bin:/bin");
        command.env("GOOGLE_APPLICATION_CREDENTIALS", &self.sandbox.credentials.play_service_account_path);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        for text in [&out, &err] {
            assert!(!text.contains(&self.token) && !text.contains("BEGIN"), "a secret is shown: {text}");
        }
        assert!(!out.is_empty(), "{err}");
        (output.status.code().unwrap(), out)
    }

    async fn doctor(&self) -> Diagnosis {
        let (code, out) = self.run("json").await;
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(document["schema_version"], 1);
        let checks = document["checks"].as_array().unwrap().clone();
        let failed = checks.iter().any(|check| check["status"] == "failed");
        assert_eq!(code, i32::from(failed), "{document:#}");
        self.assert_untouched().await;
        Diagnosis(checks)
    }

    /// No message, no change of a release, no edit, no job, no state.
    async fn assert_untouched(&self) {
        let model = self.sandbox.model();
        for request in model.requests() {
            let path = &request.path;
            let harmless = match (request.service, request.method.as_str()) {
                (_, "GET" | "HEAD") => true,
                (Service::GooglePlay, "POST") => path.ends_with("/edits"),
                (Service::GooglePlay, "DELETE") => path.contains("/edits/"),
                (Service::BigQuery, "POST") => request.body["configuration"]["dryRun"] == true,
                _ => false,
            };
            assert!(harmless, "{} {path} {}", request.method, request.body);
        }
        assert!(model.slack_messages(CHANNEL).unwrap().is_empty());
        let state = model.state();
        assert_eq!(state["bigquery"]["jobs"].as_array().map_or(0, Vec::len), 0, "{:#}", state["bigquery"]);
        let folder = self.fixture.folder.path();
        assert!(!folder.join("state.sqlite").exists() && !folder.join("state.sqlite.lock").exists());
        if let Some(emulator) = &self.emulator {
            for collection in ["probes", "leases", "apps", "watches", "releases", "outbox", "intents"] {
                assert!(emulator.collection(collection).await.is_empty(), "{collection}");
            }
        }
    }
}

/// The checks of a run.
struct Diagnosis(Vec<Value>);

impl Diagnosis {
    /// The only check of a kind whose subject holds the text.
    fn of(&self, check: &str, subject: &str) -> &Value {
        let is_it = |found: &&Value| {
            found["check"] == check && found["subject"].as_str().is_some_and(|text| text.contains(subject))
        };
        let found: Vec<&Value> = self.0.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{check} {subject}: {:#}", Value::from(self.0.clone()));
        found[0]
    }

    fn not_ok(&self) -> Vec<String> {
        let bad = |check: &&Value| matches!(check["status"].as_str(), Some("failed" | "warning"));
        let told = |check: &Value| {
            format!("{} {}", check["status"].as_str().unwrap(), check["check"].as_str().unwrap())
        };
        self.0.iter().filter(bad).map(told).collect()
    }

    fn says(&self, check: &str, subject: &str, status: &str, words: &[&str]) {
        let found = self.of(check, subject);
        assert_eq!(found["status"], status, "{found:#}");
        let text = format!("{} {}", found["found"], found["fix"]);
        for word in words {
            assert!(text.contains(word), "no {word:?} in {found:#}");
        }
    }
}

#[tokio::test]
async fn a_sound_house_is_green() {
    let house = House::new(Events::Embedded, None).await;
    let found = house.doctor().await;
    assert_eq!(found.not_ok(), Vec::<String>::new());
    found.says("state", "state.sqlite", "ok", &["not there yet"]);
    found.says("store", "production", "ok", &["rolling out: 2.0"]);
    found.says("store-right", "", "skipped", &["Release to production"]);
    found.says("slack-channel", CHANNEL, "ok", &[]);
    found.says("freshness", "firebase_sessions", "ok", &["0 h 20 min"]);
    let (code, text) = house.run("human").await;
    assert!(
        code == 0 && text.starts_with("0 failed, 0 warnings") && text.contains("\napp android\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_sound_house_on_google_is_green() {
    let Some(emulator) = Emulator::new() else { return };
    let house = House::new(Events::BigQuery, Some(emulator)).await;
    let found = house.doctor().await;
    assert_eq!(found.not_ok(), Vec::<String>::new());
    found.says(
        "state",
        "Firestore database tidegate",
        "ok",
        &["nothing was written", "roles/datastore.user"],
    );
    found.says("cost", "one run", "ok", &["20 MiB of 20 GiB"]);
    found.says("cost", "a month", "ok", &["384 looks a week"]);
    found.says("google-identity", "", "ok", &["GOOGLE_APPLICATION_CREDENTIALS", "gserviceaccount.com"]);
}

#[tokio::test]
async fn what_bigquery_lacks_is_named_with_its_command() {
    let house = House::new(Events::BigQuery, None).await;
    let model = house.sandbox.model();
    let access = |access| DatasetChange { access: Some(access), ..DatasetChange::default() };
    model.change_bigquery_dataset(PROJECT, "firebase_sessions", access(Access::Denied)).unwrap();
    let found = house.doctor().await;
    found.says(
        "bigquery-dataset",
        "firebase_sessions",
        "failed",
        &["roles/bigquery.dataViewer", "bq query", "gserviceaccount.com"],
    );
    found.says("bigquery-dataset", "firebase_crashlytics", "ok", &["EU"]);
    found.says("table", "tables", "skipped", &["firebase_sessions"]);
    found.says("cost", "cost", "skipped", &[]);
    found.says("store", "production", "ok", &[]);
    let (code, text) = house.run("human").await;
    assert!(code == 1 && text.starts_with("1 failed, 0 warnings"), "{text}");

    model.change_bigquery_dataset(PROJECT, "firebase_sessions", access(Access::Missing)).unwrap();
    house.doctor().await.says(
        "bigquery-dataset",
        "firebase_sessions",
        "failed",
        &["is not there", "Firebase console"],
    );

    model.change_bigquery_dataset(PROJECT, "firebase_sessions", access(Access::Allowed)).unwrap();
    model.set_bigquery_job_access(PROJECT, Access::Denied);
    let found = house.doctor().await;
    found.says(
        "bigquery-jobs",
        PROJECT,
        "failed",
        &["roles/bigquery.jobUser", "gcloud projects add-iam-policy-binding"],
    );
    found.says("table", "session table", "ok", &[]);
    found.says("cost", "cost", "skipped", &[]);
}

#[tokio::test]
async fn tables_that_a_run_could_not_use_are_named() {
    let house = House::new(Events::BigQuery, None).await;
    let (_, table) = SESSIONS.split_once('.').unwrap();
    let (_, crashes) = CRASHES.split_once('.').unwrap();
    let set = |dataset: &str, table: &str, conditions| {
        house.sandbox.model().set_bigquery_table(PROJECT, dataset, table, conditions).unwrap();
    };
    let hidden = vec!["session_id".to_owned()];
    set("firebase_sessions", table, TableConditions { hidden, ..TableConditions::default() });
    let hidden = vec!["firebase_session_id".to_owned()];
    let partitioning = Some(TablePartitioning::None);
    set(
        "firebase_crashlytics",
        crashes,
        TableConditions { hidden, partitioning, ..TableConditions::default() },
    );
    let found = house.doctor().await;
    found.says("table", "session table", "failed", &["lacks the column session_id", "[sources]"]);
    found.says("table", "crash table", "warning", &["firebase_session_id"]);
    found.says("partitions", crashes, "warning", &["not partitioned"]);

    set("firebase_crashlytics", crashes, TableConditions::default());
    let bytes = Some(30 << 30);
    set("firebase_sessions", table, TableConditions { bytes, ..TableConditions::default() });
    let found = house.doctor().await;
    found.says(
        "cost",
        "one run",
        "failed",
        &["30.0 GiB of 20 GiB", "max_bytes_billed_per_run = \\\"61 GiB\\\""],
    );

    house.write_configuration("budget_per_month = \"1 TiB\"\nmax_bytes_billed_per_run = \"64 GiB\"");
    let found = house.doctor().await;
    found.says("cost", "one run", "ok", &[]);
    found.says("cost", "a month", "warning", &["more than budget_per_month"]);
}

#[tokio::test]
async fn missing_and_stale_tables_are_told_apart() {
    let day = SignedDuration::from_hours(30);
    let house = House::aged(Events::Embedded, None, day, ChannelAccess::Member).await;
    let found = house.doctor().await;
    found.says("freshness", "firebase_sessions", "warning", &["30 h 0 min", "tidegate import"]);
    found.says("freshness", "firebase_crashlytics", "warning", &["more than 24 h"]);

    let path = house.fixture.folder.path().join("tidegate.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("package = \"com.example.app\"", "package = \"com.example.other\""))
        .unwrap();
    let found = house.doctor().await;
    found.says("table", "crash table", "failed", &["is not there", "Crashlytics"]);
    found.says("table", "session table", "failed", &["is not there"]);

    std::fs::write(&path, text.replace("kind = \"embedded\"", "kind = \"embedded\"\npath = \"none.sqlite\""))
        .unwrap();
    let found = house.doctor().await;
    found.says("warehouse", "none.sqlite", "failed", &["tidegate import"]);
    found.says("table", "tables", "skipped", &[]);
    assert!(!house.fixture.folder.path().join("none.sqlite").exists());
}

#[tokio::test]
async fn what_slack_lacks_is_named() {
    let mut house = House::new(Events::Embedded, None).await;
    let scopes = |scopes: &[&str]| {
        house.sandbox.model().set_slack_scopes(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    };
    scopes(&["chat:write", "channels:read"]);
    let found = house.doctor().await;
    found.says("slack-scopes", "history", "warning", &["channels:history", "told twice", "Reinstall"]);
    found.says("slack-channel", CHANNEL, "ok", &["a member of #releases"]);
    found.says("slack-scopes", "files:write", "skipped", &["add files:write"]);
    scopes(&["chat:write"]);
    let found = house.doctor().await;
    found.says("slack-channel", CHANNEL, "skipped", &["/invite"]);
    found.says("slack-scopes", "channels:read", "skipped", &["archived"]);
    scopes(&["chat:write", "channels:history"]);
    house.doctor().await.says("slack-channel", CHANNEL, "ok", &["can read it"]);

    let bot = json!({"ok": true, "user": "tidegate", "team": "Sandbox"});
    let reply = CannedReply::status(200).with_header("x-oauth-scopes", "channels:history").with_body(bot);
    house.fault(Service::Slack, reply, "GET", "auth.test");
    house.doctor().await.says("slack-scopes", "chat:write", "failed", &["add chat:write"]);

    house.sandbox.model().clear_faults();
    house.token = "xoxb-wrong".to_owned();
    let found = house.doctor().await;
    found.says("slack-token", "", "failed", &["invalid_auth", "xoxb-..."]);
    found.says("slack-channel", CHANNEL, "skipped", &[]);

    house.token = String::new();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["doctor"]).current_dir(house.fixture.folder.path()).env_clear();
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("SLACK_TOKEN is not set"), "{text}");
    assert!(text.contains("skipped  Slack token: the secret env:SLACK_TOKEN is missing"), "{text}");
}

#[tokio::test]
async fn a_bot_outside_of_the_channel_is_found() {
    let age = SignedDuration::from_mins(5);
    let house = House::aged(Events::Embedded, None, age, ChannelAccess::NotInChannel).await;
    house.doctor().await.says("slack-channel", CHANNEL, "failed", &["not_in_channel", "/invite"]);
}

#[tokio::test]
async fn what_slack_says_of_the_channel_goes_before_what_reading_it_shows() {
    let house = House::new(Events::Embedded, None).await;
    let model = house.sandbox.model();
    model.set_slack_access(CHANNEL, ChannelAccess::Archived).unwrap();
    house.doctor().await.says("slack-channel", CHANNEL, "failed", &["#releases is archived", "unarchive"]);
    model.set_slack_access(CHANNEL, ChannelAccess::NotInChannel).unwrap();
    let public = ["chat:write", "chat:write.public", "channels:read", "channels:history"];
    model.set_slack_scopes(public.map(str::to_owned).to_vec());
    house.doctor().await.says("slack-channel", CHANNEL, "warning", &["may post", "/invite"]);
}

#[tokio::test]
async fn a_webhook_is_said_to_be_the_lesser_way() {
    let mut house = House::new(Events::Embedded, None).await;
    let path = house.fixture.folder.path().join("tidegate.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let bot = format!("channel = \"{CHANNEL}\"\ntoken = \"env:SLACK_TOKEN\"");
    assert!(text.contains(&bot), "{text}");
    std::fs::write(&path, text.replace(&bot, "webhook = \"env:SLACK_TOKEN\"")).unwrap();
    house.token = "https://hooks.slack.com/services/T0/B0/canary".to_owned();
    let found = house.doctor().await;
    found.says("slack-webhook", "", "warning", &["threads", "edits", "look-up", "docs/slack.md"]);
    house.token = "https://evil.example/services/T0/B0/canary".to_owned();
    house.doctor().await.says("slack-webhook", "", "failed", &["hooks.slack.com", "not shown"]);
}

#[tokio::test]
async fn a_clock_that_is_off_is_found() {
    let house = House::new(Events::Embedded, None).await;
    let now = SystemClock.now();
    for (ahead, status) in
        [(SignedDuration::from_mins(2), "warning"), (SignedDuration::from_hours(2), "failed")]
    {
        house.sandbox.model().clear_faults();
        let date = (now + ahead).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let reply = CannedReply::status(404).with_header("date", &date).with_body(json!({}));
        house.fault(Service::GooglePlay, reply, "HEAD", "/");
        house.doctor().await.says(
            "clock",
            "clock",
            status,
            &["behind Google Play", "timedatectl set-ntp true"],
        );
    }
}

#[tokio::test]
async fn a_store_that_refuses_is_found_and_the_rest_is_looked_at() {
    let house = House::new(Events::Embedded, None).await;
    house.fault(Service::GooglePlay, CannedReply::status(403), "POST", "/edits");
    let found = house.doctor().await;
    found.says("store", "production", "failed", &["403", "Users and permissions"]);
    found.says("slack-channel", CHANNEL, "ok", &[]);
    let (code, text) = house.run("github").await;
    assert!(code == 1 && text.contains("::error title=android%3A track production"), "{text}");
    assert!(!text.contains("::warning"), "{text}");
}

#[tokio::test]
async fn an_ios_app_is_looked_at_too() {
    let house = House::new(Events::Embedded, None).await;
    let path = house.fixture.folder.path().join("tidegate.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let ios = "id = \"android\"\nplatform = \"ios\"\nbundle_id";
    std::fs::write(&path, text.replace("id = \"android\"\nplatform = \"android\"\npackage", ios)).unwrap();
    let found = house.doctor().await;
    found.says("store", "App Store", "ok", &["rolling out: 2.0"]);
    found.says("store-right", "", "skipped", &["App Manager"]);
    house.fault(Service::AppStoreConnect, CannedReply::status(403), "GET", "/v1/apps");
    house.doctor().await.says("store", "App Store", "failed", &["App Manager"]);
}

/// A house that tells a repository of halts.
async fn house_with_github(repository: &str) -> House {
    let house = House::new(Events::Embedded, None).await;
    let seed = GitHubRepositorySeed::new("acme/app");
    house.sandbox.model().add_github_repository(seed).unwrap();
    let path = house.fixture.folder.path().join("tidegate.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let endpoint = format!("[endpoints]\ngithub = \"{}\"", house.sandbox.endpoints.github);
    let section = format!(
        "[github]\ntoken = \"env:GITHUB_TOKEN\"\nrepository = \"{repository}\"\ndispatch = {{ event_type = \"halted\" }}\n"
    );
    std::fs::write(&path, text.replace("[endpoints]", &format!("{section}{endpoint}"))).unwrap();
    house
}

#[tokio::test]
async fn the_repository_that_is_told_of_a_halt_is_looked_at() {
    let house = house_with_github("acme/app").await;
    let found = house.doctor().await;
    assert_eq!(found.not_ok(), Vec::<String>::new());
    found.says("github-repository", "acme/app", "ok", &["default branch is main"]);
    found.says("github-issues", "acme/app", "ok", &[]);
    found.says("github-right", "", "skipped", &["issues: write", "contents: write"]);
    house.fault(Service::GitHub, CannedReply::status(404), "GET", "/issues");
    house.doctor().await.says("github-issues", "acme/app", "failed", &["acme/app"]);
    house_with_github("acme/none").await.doctor().await.says(
        "github-repository",
        "acme/none",
        "failed",
        &["404", "check that acme/none is there"],
    );
}
