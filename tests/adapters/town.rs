//! A whole small world for the real binary: the sandbox, a warehouse with events, a configuration.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tidegate::sandbox::{
    AscAppSeed, ChannelSeed, DatasetSeed, Fault, GitHubRepositorySeed, PlayAppSeed, Ports, Sandbox,
    SandboxOptions, Seed, Service,
};

use crate::emulator::Emulator;
use crate::support::{CRASHES, Fixture, SESSIONS, at, crash, session, with};

/// Every run is asked about this instant: a Wednesday noon, two days after the release.
pub const NOW: &str = "2026-11-18T12:00:00Z";
pub const CHANNEL: &str = "C0RELEASES";
/// The repository of a town's GitHub, which nobody is told of unless the configuration says so.
pub const REPOSITORY: &str = "acme/app";
/// The channel for what the first one refuses.
pub const FALLBACK: &str = "C0FALLBACK";
/// The path of an incoming webhook of the first one.
pub const WEBHOOK: &str = "/services/T0SANDBOX1/B0WEBHOOK1/a1b2c3d4e5f6";
/// The project of the exports where a town reads them from BigQuery, and the place of its datasets.
pub const PROJECT: &str = "my-project";
pub const LOCATION: &str = "EU";
const DATASETS: [&str; 5] =
    ["firebase_crashlytics", "firebase_sessions", "ios_crashlytics", "ios_sessions", "analytics_1"];
const PACKAGE: &str = "com.example.app";

/// What the events say of version 2.0, build 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// 1,000 sessions, 10 of them crashed: beyond doubt worse than 99.95 %.
    Bad,
    /// 15,000 sessions, none crashed.
    Good,
    /// 1,000 sessions, 5 of them crashed.
    Doubtful,
}

/// Which apps the configuration has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apps {
    Android,
    Ios,
}

/// Where the program of a town remembers.
enum Memory {
    File,
    Firestore { project: String, address: String },
}

/// How the program of a town reads the events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// From the file itself.
    Embedded,
    /// Through the sandbox's BigQuery, which serves the same file.
    BigQuery,
}

pub struct Town {
    pub fixture: Fixture,
    pub sandbox: Sandbox,
    apps: Apps,
    memory: Memory,
    reading: Reading,
}

impl Town {
    pub async fn new(apps: Apps, events: Events) -> Self {
        Self::with(apps, events, Memory::File, Reading::Embedded).await
    }

    /// A town whose events are read from BigQuery.
    pub async fn on_bigquery(apps: Apps, events: Events) -> Self {
        Self::with(apps, events, Memory::File, Reading::BigQuery).await
    }

    /// A town that remembers in a Firestore database, reached at `address`.
    pub async fn on_firestore(apps: Apps, events: Events, emulator: &Emulator, address: &str) -> Self {
        let memory = Memory::Firestore { project: emulator.project.clone(), address: address.to_owned() };
        Self::with(apps, events, memory, Reading::Embedded).await
    }

    async fn with(apps: Apps, events: Events, memory: Memory, reading: Reading) -> Self {
        let fixture = Fixture::new();
        fill(&fixture, events, apps);
        let file = fixture.folder.path().join("warehouse.sqlite");
        let datasets = DATASETS.map(|name| DatasetSeed::new(PROJECT, name, &file).located(LOCATION));
        let seed = Seed {
            bigquery: datasets.into(),
            play: vec![PlayAppSeed::new(PACKAGE).with_track("production", play_releases())],
            asc: vec![AscAppSeed::phased(PACKAGE, "2.0", "200", at("2026-11-16T08:00:00Z"))],
            slack_channels: vec![
                ChannelSeed::new(CHANNEL, "releases").with_webhook(WEBHOOK),
                ChannelSeed::new(FALLBACK, "releases-fallback"),
            ],
            github: vec![GitHubRepositorySeed::new(REPOSITORY).with_workflow("halted.yml", &["release"])],
            ..Seed::default()
        };
        let credentials_dir = fixture.folder.path().join("keys");
        let sandbox =
            Sandbox::start(SandboxOptions { ports: Ports::default(), seed, credentials_dir }).await.unwrap();
        sandbox.model().set_now(Some(at(NOW)));
        let town = Self { fixture, sandbox, apps, memory, reading };
        std::fs::write(town.path("tidegate.toml"), town.configuration()).unwrap();
        town
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.fixture.folder.path().join(name)
    }

    pub fn configuration(&self) -> String {
        let (endpoints, credentials) = (&self.sandbox.endpoints, &self.sandbox.credentials);
        let app = match self.apps {
            Apps::Android => format!("id = \"android\"\nplatform = \"android\"\npackage = \"{PACKAGE}\""),
            Apps::Ios => format!("id = \"ios\"\nplatform = \"ios\"\nbundle_id = \"{PACKAGE}\""),
        };
        let (state, endpoint) = match &self.memory {
            Memory::File => ("kind = \"sqlite\"\npath = \"state.sqlite\"".to_owned(), String::new()),
            Memory::Firestore { project, address } => (
                format!("kind = \"firestore\"\nproject = \"{project}\""),
                format!("firestore = \"{address}\"\n"),
            ),
        };
        let (warehouse, bigquery) = match self.reading {
            Reading::Embedded => {
                ("kind = \"embedded\"\npath = \"warehouse.sqlite\"".to_owned(), String::new())
            }
            Reading::BigQuery => (
                format!("kind = \"bigquery\"\nproject = \"{PROJECT}\""),
                format!("bigquery = \"{}\"\n", endpoints.bigquery),
            ),
        };
        format!(
            "[warehouse]\n{warehouse}\n\
             [state]\n{state}\n\
             [slack]\nchannel = \"{CHANNEL}\"\ntoken = \"env:SLACK_TOKEN\"\n\
             [google_play]\ncredentials = \"file:{}\"\n\
             [app_store_connect]\nkey_id = \"{}\"\nissuer_id = \"{}\"\nprivate_key = \"file:{}\"\n\
             [endpoints]\ngoogle_play = \"{}\"\napp_store_connect = \"{}\"\nslack = \"{}\"\ngithub = \"{}\"\n\
             {endpoint}{bigquery}\
             [[app]]\n{app}\n",
            credentials.play_service_account_path.display(),
            credentials.asc_key_id,
            credentials.asc_issuer_id,
            credentials.asc_private_key_path.display(),
            endpoints.google_play,
            endpoints.app_store_connect,
            endpoints.slack,
            endpoints.github,
        )
    }

    /// Adds to the configuration. What is no section of its own belongs to the app.
    pub fn configure(&self, more: &str) {
        std::fs::write(self.path("tidegate.toml"), self.configuration() + more).unwrap();
    }

    /// The real binary in the folder of this town, with an environment of its own.
    pub fn tidegate(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(args).current_dir(self.fixture.folder.path()).env_clear();
        command.env("SLACK_TOKEN", &self.sandbox.credentials.slack_token).env("PATH", "/usr/bin:/bin");
        command.env("GITHUB_TOKEN", &self.sandbox.credentials.github_token);
        command.env("SLACK_WEBHOOK", format!("{}{WEBHOOK}", self.sandbox.endpoints.slack));
        if self.reading == Reading::BigQuery {
            let key = &self.sandbox.credentials.play_service_account_path;
            command.env("GOOGLE_APPLICATION_CREDENTIALS", key);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the monitor to its end.
    pub async fn monitor(&self, more: &[&str]) -> Ran {
        let mut args = vec!["run", "release-monitor", "--now", NOW, "--output", "json"];
        args.extend(more);
        self.finish(&args).await
    }

    pub async fn finish(&self, args: &[&str]) -> Ran {
        let mut command = self.tidegate(args);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        Ran(output)
    }

    /// Starts the monitor, waits until the fault holds one of its requests, and kills it.
    pub async fn kill_at(&self, fault: Fault) -> Reached {
        self.kill_job_at("release-monitor", fault).await
    }

    /// The same with another job.
    pub async fn kill_job_at(&self, job: &str, fault: Fault) -> Reached {
        self.sandbox.model().clear_requests();
        self.sandbox.model().add_fault(fault);
        let is_there = || self.sandbox.model().requests().iter().any(|request| request.fault);
        let reached = self.kill_job_when(job, is_there).await;
        self.sandbox.model().clear_faults();
        reached
    }

    /// Starts the monitor and kills it once that is true.
    pub async fn kill_when(&self, is_there: impl Fn() -> bool) -> Reached {
        self.kill_job_when("release-monitor", is_there).await
    }

    async fn kill_job_when(&self, job: &str, is_there: impl Fn() -> bool) -> Reached {
        let mut child = self.tidegate(&["run", job, "--now", NOW]).spawn().unwrap();
        let reached = loop {
            if is_there() {
                break Reached::Yes;
            }
            if child.try_wait().unwrap().is_some() {
                break Reached::No;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        // An effect that comes before the answer has to have had its time.
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(child.kill());
        child.wait().unwrap();
        reached
    }

    /// The status of the watched release in the store's own words.
    pub fn store_status(&self) -> String {
        let state = self.sandbox.model().state();
        let found = match self.apps {
            Apps::Android => {
                let releases = state["play"][PACKAGE]["tracks"][0]["releases"].as_array().unwrap().clone();
                releases.iter().find(|release| release["versionCodes"][0] == "200").unwrap()["status"].clone()
            }
            Apps::Ios => {
                let versions = state["asc"][0]["versions"].as_array().unwrap().clone();
                let version = versions.iter().find(|version| version["version"] == "2.0").unwrap();
                version["phasedRelease"]["phasedReleaseState"].clone()
            }
        };
        found.as_str().unwrap().to_owned()
    }

    pub fn halted_status(&self) -> &'static str {
        self.status_after(Events::Bad)
    }

    /// What the store must show in the end.
    pub fn status_after(&self, events: Events) -> &'static str {
        match (self.apps, events) {
            (Apps::Android, Events::Bad) => "halted",
            (Apps::Ios, Events::Bad) => "PAUSED",
            (Apps::Android, Events::Good) => "completed",
            (Apps::Ios, Events::Good) => "COMPLETE",
            (Apps::Android, Events::Doubtful) => "inProgress",
            (Apps::Ios, Events::Doubtful) => "ACTIVE",
        }
    }

    /// Puts something else in the place of a text of the configuration.
    pub fn reconfigure(&self, text: &str, other: &str) {
        let before = self.configuration();
        assert!(before.contains(text), "{before}");
        std::fs::write(self.path("tidegate.toml"), before.replace(text, other)).unwrap();
    }

    /// The texts in the channel, oldest first.
    pub fn messages(&self) -> Vec<String> {
        self.messages_in(CHANNEL)
    }

    /// The texts in any channel, oldest first.
    pub fn messages_in(&self, channel: &str) -> Vec<String> {
        let messages = self.sandbox.model().slack_messages(channel).unwrap();
        messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }

    /// The calls that change something, in order.
    pub fn writes(&self) -> Vec<String> {
        let requests = self.sandbox.model().requests();
        let writes = requests.iter().filter(|request| {
            let edit = request.path.ends_with("/edits") || request.method == "DELETE";
            request.method != "GET" && !(request.service == Service::GooglePlay && edit)
        });
        writes.map(|request| format!("{} {}", request.method, request.path)).collect()
    }
}

/// Whether a fault was reached before the run ended by itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Reached {
    Yes,
    No,
}

/// A run that has ended.
pub struct Ran(pub Output);

impl Ran {
    pub fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// The only result of the JSON document.
    pub fn result(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stdout())
            .unwrap_or_else(|error| panic!("{error}\nstdout: {}\nstderr: {}", self.stdout(), self.stderr()));
        assert_eq!(document["results"].as_array().unwrap().len(), 1, "{document:#}");
        document["results"][0].clone()
    }
}

pub fn play_releases() -> Vec<Value> {
    vec![
        json!({"name": "1.9", "versionCodes": ["100"], "status": "completed", "inAppUpdatePriority": 2}),
        json!({"name": "2.0", "versionCodes": ["200"], "status": "inProgress", "userFraction": 0.15,
               "releaseNotes": [{"language": "en-US", "text": "Faster."}]}),
    ]
}

pub fn fill(fixture: &Fixture, events: Events, apps: Apps) {
    let (sessions, crashed) = match events {
        Events::Bad => (1_000, 10),
        Events::Good => (15_000, 0),
        Events::Doubtful => (1_000, 5),
    };
    let start = at("2026-11-16T08:00:00Z");
    let through = at("2026-11-18T11:45:00Z");
    let step = through.duration_since(start) / sessions;
    let instant = |index: i32| (start + step * index).to_string();
    let rows: Vec<Value> =
        (0..=sessions).map(|index| session(&format!("s{index}"), &instant(index))).collect();
    let mut reports: Vec<Value> =
        (0..crashed).map(|index| crash(&format!("c{index}"), &instant(index * (sessions / 20)))).collect();
    // Reports of the old version and of other kinds keep the export alive.
    reports.push(with(crash("alive", "2026-11-18T11:00:00Z"), json!({"error_type": "NON_FATAL"})));
    let table = |name: &str| match apps {
        Apps::Android => name.to_owned(),
        Apps::Ios => name.replace("ANDROID", "IOS"),
    };
    fixture.import(&table(SESSIONS), &rows);
    fixture.import(&table(CRASHES), &reports);
}

/// An instant some hours after the one that every run is asked about.
pub fn hours_later(hours: i64) -> String {
    let later: Timestamp = at(NOW) + SignedDuration::from_hours(hours);
    later.to_string()
}
