//! No secret in any sink: the real binary's commands in good and in failing worlds, and a search of everything that came
//! out of them, in every form that a secret can have.
//!
//! A secret may be in one place only: the header, or the field of a form, of the service that it belongs to. What is sent
//! is recorded on the wire for that. The tokens that were made on the way are secrets too, and are searched for as well.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tidegate::sandbox::SecretSeed;

use crate::emulator::Emulator;
use crate::leaks::Written;
use crate::town::{Apps, Events, NOW, Ran, Town};
use crate::wires::{Parrot, Tap, bearers, without_bearers};

const OUTPUTS: [&str; 4] = ["human", "json", "ndjson", "github"];

/// A town whose services are listened in on, and the secrets of it.
struct Watched {
    town: Town,
    taps: Vec<(&'static str, Tap)>,
    env: Vec<(&'static str, String)>,
    /// Those that the program is given.
    given: Vec<String>,
    actions: Actions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Actions {
    On,
    Off,
}

impl Watched {
    fn new(town: Town) -> Self {
        let (endpoints, credentials) = (&town.sandbox.endpoints, &town.sandbox.credentials);
        let google = &credentials.google;
        let taps = [
            ("Google Play", &endpoints.google_play),
            ("App Store Connect", &endpoints.app_store_connect),
            ("Slack", &endpoints.slack),
            ("BigQuery", &endpoints.bigquery),
            ("Google", &endpoints.google),
        ];
        let mut configuration = town.configuration();
        let taps = taps.map(|(name, address)| {
            let tap = Tap::before(address);
            configuration = configuration.replace(address, &tap.address);
            (name, tap)
        });
        std::fs::write(town.path("tidegate.toml"), configuration).unwrap();
        let mut given = vec![
            credentials.slack_token.clone(),
            google.oidc_request_token.clone(),
            google.client_secret.clone(),
            google.refresh_token.clone(),
        ];
        given.extend(key_lines(&credentials.asc_private_key_path));
        given.extend(key_lines(&credentials.play_service_account_path));
        Self { town, taps: taps.into(), env: Vec::new(), given, actions: Actions::Off }
    }

    fn tap(&self, service: &str) -> &Tap {
        &self.taps.iter().find(|(name, _)| *name == service).unwrap().1
    }

    fn configuration(&self) -> String {
        std::fs::read_to_string(self.town.path("tidegate.toml")).unwrap()
    }

    fn reconfigure(&self, from: &str, to: &str) {
        let text = self.configuration();
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(self.town.path("tidegate.toml"), text.replace(from, to)).unwrap();
    }

    /// Runs a command and looks through everything that came of it.
    async fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.town.tidegate(args);
        command.envs(self.env.iter().map(|(name, value)| (*name, value.as_str())));
        command.env("GITHUB_STEP_SUMMARY", self.town.path("summary.md"));
        command.env("GITHUB_OUTPUT", self.town.path("outputs.txt"));
        if self.actions == Actions::On {
            command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "schedule");
        }
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let ran = Ran(output);
        self.search(args, &ran);
        ran
    }

    fn secrets(&self) -> Vec<String> {
        let made = self.taps.iter().flat_map(|(_, tap)| tap.sent()).flat_map(|sent| bearers(&sent));
        let mut secrets: Vec<String> = self.given.iter().cloned().chain(made).collect();
        secrets.sort();
        secrets.dedup();
        secrets
    }

    fn search(&self, args: &[&str], ran: &Ran) {
        let mut sinks = vec![
            ("standard output".to_owned(), without_masks(&ran.stdout()).into_bytes()),
            ("standard error".to_owned(), without_masks(&ran.stderr()).into_bytes()),
            ("messages".to_owned(), self.town.messages().join("\n").into_bytes()),
        ];
        files(self.town.fixture.folder.path(), &mut sinks);
        for (name, tap) in &self.taps {
            let sent = tap.sent().iter().map(|sent| without_bearers(sent)).collect::<String>();
            // The token service is sent proofs of identity and takes them in a form; they are no bearers.
            sinks.push((format!("what was sent to {name}"), sent.into_bytes()));
        }
        let secrets = self.secrets();
        for (name, written) in &sinks {
            let searched = Written::new(written);
            for secret in &secrets {
                let own = *name == "what was sent to Google" && self.is_of_a_form(secret);
                let found = searched.find(secret).filter(|_| !own);
                assert_eq!(found, None, "{args:?}: the secret {}... is in {name}", secret.get(..8).unwrap());
            }
        }
        self.check_masks(args, ran);
    }

    /// Proofs and refresh tokens go to the token service as fields of a form.
    fn is_of_a_form(&self, secret: &str) -> bool {
        let google = &self.town.sandbox.credentials.google;
        secret.starts_with("eyJ")
            || [google.client_secret.as_str(), google.refresh_token.as_str()].contains(&secret)
            || secret.starts_with("ya29.")
    }

    fn check_masks(&self, args: &[&str], ran: &Ran) {
        let masks = |text: String| -> Vec<String> {
            text.lines().filter_map(|line| line.strip_prefix("::add-mask::").map(str::to_owned)).collect()
        };
        let (out, err) = (masks(ran.stdout()), masks(ran.stderr()));
        if self.actions == Actions::Off {
            assert!(out.is_empty() && err.is_empty(), "{args:?}: masks outside of a workflow");
            return;
        }
        let document = args.iter().any(|arg| ["json", "ndjson"].contains(arg));
        let (here, elsewhere) = if document { (err, out) } else { (out, err) };
        assert!(elsewhere.is_empty(), "{args:?}: masks spoil a document, or come late");
        let mut once = here.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), here.len(), "{args:?}: a mask is said twice");
        assert!(here.iter().all(|mask| mask.len() >= 8), "{args:?}: a short mask ruins the log");
    }

    /// Whether the runner was told of a secret.
    fn is_masked(ran: &Ran, secret: &str) -> bool {
        let text = ran.stdout() + &ran.stderr();
        text.lines().any(|line| line == format!("::add-mask::{secret}"))
    }
}

/// The lines of a key, of which each is a secret.
fn key_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let key = serde_json::from_str(&text)
        .map_or(text, |file: Value| file["private_key"].as_str().unwrap().to_owned());
    key.lines().filter(|line| line.len() >= 16 && !line.starts_with('-')).map(str::to_owned).collect()
}

fn without_masks(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("::add-mask::")).map(|line| format!("{line}\n")).collect()
}

/// Every file that was written, but for what the program is given.
fn files(folder: &Path, sinks: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match (path.is_dir(), name.as_str()) {
            (_, "keys" | "warehouse.sqlite" | "given" | "tidegate.toml") => {}
            (true, _) => files(&path, sinks),
            (false, _) => sinks.push((format!("the file {name}"), std::fs::read(&path).unwrap())),
        }
    }
}

/// Every command, with every output.
async fn every_command(watched: &Watched) {
    let mut decision = None;
    for output in OUTPUTS {
        let output = ["--output", output];
        watched.run(&[&["run", "release-monitor", "--now", NOW, "--dry-run"], &output[..]].concat()).await;
        let ran = watched.run(&[&["run", "release-monitor", "--now", NOW], &output[..]].concat()).await;
        if output[1] == "json" {
            decision = ran.result()["decision_id"].as_str().map(str::to_owned);
        }
        for words in [&["status"][..], &["doctor"], &["config", "check"], &["config", "show"], &["schema"]] {
            watched.run(&[words, &output[..]].concat()).await;
        }
        if let Some(decision) = &decision {
            watched.run(&[&["explain", decision], &output[..]].concat()).await;
        }
    }
}

/// One run that halts and one look at everything, for worlds in which much is tried again.
async fn run_and_doctor(watched: &Watched) {
    for output in ["json", "github"] {
        watched.run(&["run", "release-monitor", "--now", NOW, "--deadline", "2s", "--output", output]).await;
    }
    watched.run(&["doctor", "--output", "json"]).await;
    watched.run(&["status"]).await;
}

async fn a_good_world(apps: Apps, actions: Actions) {
    let watched = Watched { actions, ..Watched::new(Town::new(apps, Events::Bad).await) };
    every_command(&watched).await;
    assert!(!watched.town.messages().is_empty(), "it was a good world");
    let service = if apps == Apps::Android { "Google Play" } else { "App Store Connect" };
    assert!(!bearers(&watched.tap(service).sent().concat()).is_empty(), "it was listened in on");
}

#[tokio::test]
async fn no_command_shows_a_secret_of_an_android_app() {
    a_good_world(Apps::Android, Actions::Off).await;
}

#[tokio::test]
async fn no_command_shows_a_secret_of_an_ios_app() {
    a_good_world(Apps::Ios, Actions::Off).await;
}

#[tokio::test]
async fn no_command_shows_a_secret_of_an_android_app_in_a_workflow() {
    a_good_world(Apps::Android, Actions::On).await;
}

#[tokio::test]
async fn no_command_shows_a_secret_of_an_ios_app_in_a_workflow() {
    a_good_world(Apps::Ios, Actions::On).await;
}

#[tokio::test]
async fn no_command_shows_a_secret_where_bigquery_is_read() {
    let watched =
        Watched { actions: Actions::On, ..Watched::new(Town::on_bigquery(Apps::Android, Events::Bad).await) };
    every_command(&watched).await;
    assert!(!bearers(&watched.tap("BigQuery").sent().concat()).is_empty());
}

#[tokio::test]
async fn no_document_of_firestore_holds_a_secret() {
    let Some(emulator) = Emulator::new() else { return };
    let town = Town::on_firestore(Apps::Android, Events::Bad, &emulator, &emulator.address).await;
    let watched = Watched::new(town);
    let refusing = Parrot::Json(401).serve();
    let play = watched.tap("Google Play").address.clone();
    every_command(&watched).await;
    watched.reconfigure(&play, &refusing);
    run_and_doctor(&watched).await;
    let mut documents = Vec::new();
    for collection in
        ["releases", "intents", "outbox", "leases", "apps", "decisions", "audit", "messages", "heartbeat"]
    {
        documents.extend(emulator.collection(collection).await);
    }
    assert!(!documents.is_empty(), "the state is there");
    let written = Written::new(Value::from(documents).to_string().as_bytes());
    for secret in watched.secrets() {
        assert_eq!(written.find(&secret), None, "{}", secret.get(..8).unwrap());
    }
}

/// A workflow of GitHub without any key, whose secrets are in Secret Manager.
async fn federated() -> Watched {
    let mut watched = Watched::new(Town::new(Apps::Android, Events::Bad).await);
    let credentials = watched.town.sandbox.credentials.clone();
    let google = watched.tap("Google").address.clone();
    let slack = SecretSeed::new("projects/my-project/secrets/slack", &credentials.slack_token);
    watched.town.sandbox.model().add_secret(slack).unwrap();
    let text = watched.configuration();
    let (before, rest) = text.split_once("[google_play]\n").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    let identity = format!(
        "sts = \"{google}\"\niam_credentials = \"{google}\"\nsecret_manager = \"{google}\"\n\
         [gcp]\nworkload_identity_provider = \"{}\"\nservice_account = \"{}\"\n[[app]]",
        credentials.google.workload_identity_provider, credentials.play_client_email
    );
    let text = format!("{before}{after}").replace("[[app]]", &identity);
    let text = text.replace("env:SLACK_TOKEN", "sm://projects/my-project/secrets/slack");
    std::fs::write(watched.town.path("tidegate.toml"), text).unwrap();
    watched.env = vec![
        ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{google}{}", credentials.google.oidc_request_path)),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", credentials.google.oidc_request_token.clone()),
    ];
    watched.actions = Actions::On;
    watched
}

#[tokio::test]
async fn no_command_shows_a_secret_of_a_workflow_without_keys() {
    let watched = federated().await;
    every_command(&watched).await;
    assert_eq!(watched.town.store_status(), "halted");
    let fresh = federated().await;
    let ran = fresh.run(&["run", "release-monitor", "--now", NOW, "--output", "github"]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    for secret in fresh.secrets().iter().filter(|secret| fresh.given.iter().all(|given| given != *secret)) {
        assert!(
            Watched::is_masked(&ran, secret),
            "a token that was made is not masked: {}",
            secret.get(..8).unwrap()
        );
    }
    for secret in [
        &fresh.town.sandbox.credentials.slack_token,
        &fresh.town.sandbox.credentials.google.oidc_request_token,
    ] {
        assert!(Watched::is_masked(&ran, secret), "a secret that was read is not masked");
    }
}

#[tokio::test]
async fn the_runner_is_told_of_every_line_of_a_key_and_of_every_token_before_its_use() {
    for apps in [Apps::Android, Apps::Ios] {
        let watched = Watched { actions: Actions::On, ..Watched::new(Town::new(apps, Events::Bad).await) };
        let ran = watched.run(&["run", "release-monitor", "--now", NOW, "--output", "github"]).await;
        let credentials = &watched.town.sandbox.credentials;
        let path = match apps {
            Apps::Android => &credentials.play_service_account_path,
            Apps::Ios => &credentials.asc_private_key_path,
        };
        let whole = BASE64_STANDARD.encode(std::fs::read_to_string(path).unwrap().trim());
        let made = watched.secrets().into_iter().filter(|secret| !watched.given.contains(secret));
        let wanted = key_lines(path).into_iter().chain(made).chain([whole, credentials.slack_token.clone()]);
        for secret in wanted {
            assert!(Watched::is_masked(&ran, &secret), "not masked: {}", secret.get(..8).unwrap());
        }
        let text = ran.stdout();
        let last_mask = text.lines().filter(|line| line.starts_with("::add-mask::")).count() - 1;
        let first_other = text.lines().position(|line| !line.starts_with("::add-mask::")).unwrap();
        assert!(last_mask < first_other, "everything is masked before anything is told: {text}");
    }
}

async fn a_parrot(apps: Apps, service: &str, parrots: &[Parrot]) {
    for parrot in parrots {
        let watched = Watched::new(Town::new(apps, Events::Bad).await);
        // The parrot is listened in on too, so that its tokens are known.
        let tap = Tap::before(&parrot.serve());
        let real = watched.tap(service).address.clone();
        watched.reconfigure(&real, &tap.address);
        let watched = watched.with("the parrot", tap);
        run_and_doctor(&watched).await;
        assert!(!bearers(&watched.tap("the parrot").sent().concat()).is_empty(), "{service} {parrot:?}");
    }
}

#[tokio::test]
async fn google_play_that_sends_a_token_back_is_not_quoted_with_it() {
    let parrots = [Parrot::Json(401), Parrot::Json(403), Parrot::Json(503), Parrot::Page, Parrot::Redirect];
    a_parrot(Apps::Android, "Google Play", &parrots).await;
}

#[tokio::test]
async fn app_store_connect_that_sends_a_token_back_is_not_quoted_with_it() {
    let parrots = [Parrot::Json(401), Parrot::Json(409), Parrot::Json(503), Parrot::Page, Parrot::Redirect];
    a_parrot(Apps::Ios, "App Store Connect", &parrots).await;
}

#[tokio::test]
async fn slack_that_sends_a_token_back_is_not_quoted_with_it() {
    let parrots = [Parrot::Json(401), Parrot::Json(503), Parrot::Page, Parrot::Refusal, Parrot::Redirect];
    a_parrot(Apps::Android, "Slack", &parrots).await;
}

impl Watched {
    fn with(mut self, name: &'static str, tap: Tap) -> Self {
        self.taps.push((name, tap));
        self
    }
}

#[tokio::test]
async fn bigquery_that_sends_a_token_back_is_not_quoted_with_it() {
    for parrot in [Parrot::Json(401), Parrot::Json(400), Parrot::Page, Parrot::Redirect] {
        let watched = Watched::new(Town::on_bigquery(Apps::Android, Events::Bad).await);
        let tap = Tap::before(&parrot.serve());
        let real = watched.tap("BigQuery").address.clone();
        watched.reconfigure(&real, &tap.address);
        let watched = watched.with("the parrot", tap);
        run_and_doctor(&watched).await;
        assert!(!bearers(&watched.tap("the parrot").sent().concat()).is_empty(), "{parrot:?}");
    }
}

#[tokio::test]
async fn google_that_sends_a_proof_back_is_not_quoted_with_it() {
    for parrot in [Parrot::Json(401), Parrot::Json(400), Parrot::Page, Parrot::Redirect] {
        for setting in ["sts", "iam_credentials", "secret_manager"] {
            let watched = federated().await;
            let tap = Tap::before(&parrot.serve());
            let real = watched.tap("Google").address.clone();
            watched
                .reconfigure(&format!("{setting} = \"{real}\""), &format!("{setting} = \"{}\"", tap.address));
            let watched = watched.with("the parrot", tap);
            watched.run(&["run", "release-monitor", "--now", NOW, "--output", "github"]).await;
            watched.run(&["doctor", "--output", "json"]).await;
        }
    }
}

/// A secret that can't be used, as a file that is given to the program.
fn give(watched: &mut Watched, content: &[u8]) -> String {
    let folder = watched.town.path("given");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("secret");
    std::fs::write(&path, content).unwrap();
    let text = String::from_utf8_lossy(content).into_owned();
    let long = text
        .split(|c: char| c.is_whitespace() || "\"{},:".contains(c))
        .filter(|word| word.contains("CANARY"));
    watched.given.extend(long.map(str::to_owned));
    path.display().to_string()
}

#[tokio::test]
async fn broken_keys_are_described_and_not_quoted() {
    let pem = "-----BEGIN PRIVATE KEY-----\nCANARYCANARYCANARYCANARYCANARY01\nCANARYCANARYCANARYCANARYCANARY02\n-----END PRIVATE KEY-----\n";
    let account = |key: &str| {
        json!({"type": "service_account", "client_email": "a@p.iam.gserviceaccount.com", "private_key_id": "1",
            "private_key": key, "project_id": "p", "token_uri": "https://oauth2.googleapis.com/token"}).to_string()
    };
    let whole = account(pem);
    let cut = whole.get(..whole.len() / 2).unwrap().to_owned();
    let contents: [&[u8]; 6] = [
        pem.as_bytes(),
        whole.as_bytes(),
        cut.as_bytes(),
        b"CANARY-AS-A-SINGLE-WORD",
        b"CANARY-WITHOUT-UTF-8-\xff\xfe",
        b"{\"type\": \"CANARY-OF-AN-UNKNOWN-TYPE\"}",
    ];
    for (apps, setting) in [(Apps::Android, "credentials = \"file:"), (Apps::Ios, "private_key = \"file:")] {
        for content in contents {
            let mut watched = Watched::new(Town::new(apps, Events::Bad).await);
            let path = give(&mut watched, content);
            let text = watched.configuration();
            let (before, rest) = text.split_once(setting).unwrap();
            let (_, after) = rest.split_once('"').unwrap();
            std::fs::write(watched.town.path("tidegate.toml"), format!("{before}{setting}{path}\"{after}"))
                .unwrap();
            for output in OUTPUTS {
                let ran = watched.run(&["run", "release-monitor", "--now", NOW, "--output", output]).await;
                assert_ne!(ran.code(), 0, "{}", ran.stderr());
                watched.run(&["doctor", "--output", output]).await;
            }
        }
    }
}

#[tokio::test]
async fn odd_tokens_and_literals_are_not_quoted() {
    let mut watched = Watched::new(Town::new(Apps::Android, Events::Bad).await);
    watched.given.extend(["xoxb-CANARY-first".to_owned(), "CANARY-second-line".to_owned()]);
    watched.env = vec![("SLACK_TOKEN", "xoxb-CANARY-first\nCANARY-second-line".to_owned())];
    run_and_doctor(&watched).await;
    watched.reconfigure("env:SLACK_TOKEN", "xoxb-CANARY-first");
    for words in
        [&["config", "check"][..], &["config", "show"], &["doctor"], &["status"], &["run", "release-monitor"]]
    {
        for output in OUTPUTS {
            let ran = watched.run(&[words, &["--output", output]].concat()).await;
            assert_eq!(ran.code(), 2, "{}", ran.stderr());
        }
    }
    watched.reconfigure("\"xoxb-CANARY-first\"", "\"file:keys\"");
    let ran = watched.run(&["run", "release-monitor", "--now", NOW]).await;
    assert!(
        ran.code() == 2 && ran.stderr().contains("can't be read"),
        "a folder is no secret: {}",
        ran.stderr()
    );
}

#[tokio::test]
async fn the_password_of_a_proxy_is_not_shown() {
    let mut watched = Watched::new(Town::new(Apps::Android, Events::Bad).await);
    watched.given.push("CANARY-of-a-proxy".to_owned());
    let slack = format!("slack = \"{}\"\n", watched.tap("Slack").address);
    watched.reconfigure(&slack, "");
    for parrot in [Parrot::Json(407), Parrot::Page] {
        let proxy = parrot.serve().replace("http://", "http://user:CANARY-of-a-proxy@");
        watched.env = vec![("HTTPS_PROXY", proxy)];
        run_and_doctor(&watched).await;
    }
    watched.env = vec![("HTTPS_PROXY", "http://user:CANARY-of-a-proxy@proxy.invalid:3128".to_owned())];
    run_and_doctor(&watched).await;
}
