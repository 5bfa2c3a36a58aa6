//! Who the program is at Google, end to end: the real binary and the real library against the sandbox's GitHub, token
//! service, impersonation, OAuth, metadata server and Secret Manager.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tidegate::adapters::environment::{CredentialsPlace, GoogleVariables};
use tidegate::adapters::google::{Identity, Scope};
use tidegate::adapters::http;
use tidegate::config::{Endpoints, Gcp};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, LoggedRequest, SecretAccess, SecretSeed, Service};

use crate::town::{Apps, Events, NOW, Ran, Town};

const SLACK_SECRET: &str = "projects/my-project/secrets/slack";

/// A town whose configuration has no key for Google Play.
struct Keyless {
    town: Town,
    env: Vec<(&'static str, String)>,
}

impl Keyless {
    /// As in a workflow of GitHub Actions, with `[gcp]` as a user of the sandbox writes it.
    async fn on_github() -> Self {
        Self::of_github(Town::new(Apps::Android, Events::Bad).await)
    }

    fn of_github(town: Town) -> Self {
        let google = &town.sandbox.credentials.google;
        let gcp = format!(
            "workload_identity_provider = \"{}\"\nservice_account = \"{}\"",
            google.workload_identity_provider, town.sandbox.credentials.play_client_email
        );
        let env = vec![
            (
                "ACTIONS_ID_TOKEN_REQUEST_URL",
                format!("{}{}", town.sandbox.endpoints.google, google.oidc_request_path),
            ),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", google.oidc_request_token.clone()),
        ];
        let keyless = Self { town, env };
        keyless.configure(&gcp, |text| text);
        keyless
    }

    /// With a credentials file, and nothing in `[gcp]`.
    async fn with_file(file: &Value) -> Self {
        let mut keyless = Self { town: Town::new(Apps::Android, Events::Bad).await, env: Vec::new() };
        keyless.configure("", |text| text);
        keyless.give_file(file);
        keyless
    }

    fn give_file(&mut self, file: &Value) {
        let path = self.town.path("credentials.json");
        std::fs::write(&path, file.to_string()).unwrap();
        self.env = vec![("GOOGLE_APPLICATION_CREDENTIALS", path.display().to_string())];
    }

    fn configure(&self, gcp: &str, change: impl Fn(String) -> String) {
        let text = self.town.configuration();
        let (before, rest) = text.split_once("[google_play]\n").unwrap();
        let (_, after) = rest.split_once('\n').unwrap();
        let google = &self.town.sandbox.endpoints.google;
        let stand_ins =
            format!("sts = \"{google}\"\niam_credentials = \"{google}\"\nsecret_manager = \"{google}\"\n");
        let text =
            format!("{before}{after}").replace("[[app]]", &format!("{stand_ins}[gcp]\n{gcp}\n[[app]]"));
        std::fs::write(self.town.path("tidegate.toml"), change(text)).unwrap();
    }

    fn reconfigure(&self, from: &str, to: &str) {
        let path = self.town.path("tidegate.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    fn fault(&self, path: &str, kind: FaultKind, times: u32) {
        let method = if path == "idtoken" { "GET" } else { "POST" };
        self.town.sandbox.model().add_fault(Fault::new(Service::Google, kind).on(method, path).times(times));
    }

    async fn run(&self, more: &[&str]) -> Ran {
        let mut args = vec!["run", "release-monitor", "--now", NOW, "--output", "json"];
        args.extend(more);
        let mut command = self.town.tidegate(&args);
        command.envs(self.env.iter().map(|(name, value)| (*name, value.as_str())));
        let ran = Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
        self.shows_no_secret(&ran);
        ran
    }

    fn shows_no_secret(&self, ran: &Ran) {
        let (text, credentials) = (ran.stdout() + &ran.stderr(), &self.town.sandbox.credentials);
        let key = std::fs::read_to_string(&credentials.play_service_account_path).unwrap();
        let key: Value = serde_json::from_str(&key).unwrap();
        let google = &credentials.google;
        for secret in [
            &credentials.slack_token,
            &google.oidc_request_token,
            &google.client_secret,
            &google.refresh_token,
            key["private_key"].as_str().unwrap(),
        ] {
            assert!(!text.contains(secret), "{text}");
        }
        // Tokens by their beginnings, and what token endpoints say in their bodies.
        for part in ["ya29.", "eyJ", "PRIVATE KEY", "error_description", "(or it may not exist)", "CANARY"] {
            assert!(!text.contains(part), "{part} is in {text}");
        }
    }

    fn requests(&self, service: Service, path: &str) -> Vec<LoggedRequest> {
        let requests = self.town.sandbox.model().requests();
        requests.into_iter().filter(|r| r.service == service && r.path.contains(path)).collect()
    }

    fn nothing_was_asked_of_the_stores(&self) {
        assert!(self.requests(Service::GooglePlay, "").is_empty());
        assert!(self.requests(Service::Slack, "").is_empty());
        assert!(self.requests(Service::BigQuery, "").is_empty());
    }
}

#[tokio::test]
async fn githubs_token_halts_a_bad_release() {
    let keyless = Keyless::on_github().await;
    let ran = keyless.run(&[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(ran.result()["decision"], "halt");
    assert_eq!(keyless.town.store_status(), "halted");

    let paths: Vec<String> =
        keyless.requests(Service::Google, "").iter().map(|r| format!("{} {}", r.method, r.path)).collect();
    let credentials = &keyless.town.sandbox.credentials;
    let provider = &credentials.google.workload_identity_provider;
    let email = &credentials.play_client_email;
    assert_eq!(
        paths,
        [
            format!("GET /github/idtoken?api-version=2.0&audience=https://iam.googleapis.com/{provider}"),
            "POST /v1/token".to_owned(),
            format!("POST /v1/projects/-/serviceAccounts/{email}:generateAccessToken"),
        ],
        "one exchange serves the whole run"
    );
    let asked = &keyless.requests(Service::Google, "generateAccessToken")[0].body;
    assert_eq!(asked["scope"], json!([Scope::Play.as_str()]));
    let log = serde_json::to_string(&keyless.town.sandbox.model().requests()).unwrap();
    assert!(!log.contains("ya29.") && !log.contains("eyJ"), "the sandbox's own log keeps no token");
}

#[tokio::test]
async fn all_apps_share_one_token() {
    let keyless = Keyless::on_github().await;
    let second =
        "[[app]]\nid = \"beta\"\nplatform = \"android\"\npackage = \"com.example.app\"\ntrack = \"beta\"\n";
    keyless.configure_more(second);
    let ran = keyless.run(&["--dry-run"]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert!(!keyless.requests(Service::GooglePlay, "tracks/beta").is_empty());
    assert_eq!(keyless.requests(Service::Google, "").len(), 3);
}

impl Keyless {
    fn configure_more(&self, lines: &str) {
        let path = self.town.path("tidegate.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{text}{lines}")).unwrap();
    }
}

#[tokio::test]
async fn f56_every_step_is_tried_three_times() {
    let keyless = Keyless::on_github().await;
    let away = || FaultKind::Status(CannedReply::status(500));
    for kind in [away(), FaultKind::Close, FaultKind::Html] {
        keyless.fault("idtoken", kind, 2);
        let ran = keyless.run(&["--dry-run"]).await;
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
    }
    for path in ["/v1/token", "generateAccessToken"] {
        keyless.fault(path, away(), 2);
        let ran = keyless.run(&["--dry-run"]).await;
        assert_eq!(ran.code(), 0, "{path}: {}", ran.stderr());
    }
}

#[tokio::test]
async fn f56_without_githubs_token_the_run_fails_before_anything_else() {
    for (kind, told) in [
        (FaultKind::Status(CannedReply::status(500)), "GitHub's token endpoint (127.0.0.1) answered 500"),
        (answer(&json!({"count": 0, "CANARY": "CANARY"})), "answered without a token"),
        (answer(&json!({"value": jwt(&json!({"sub": "CANARY"}))})), "a token that is not for the provider"),
        (answer(&json!({"value": jwt(&json!({"aud": "CANARY"}))})), "a token that is not for the provider"),
    ] {
        let keyless = Keyless::on_github().await;
        keyless.fault("idtoken", kind, 1000);
        let ran = keyless.run(&[]).await;
        assert_eq!(ran.code(), 1, "{}", ran.stderr());
        assert!(ran.stderr().contains(told), "{}", ran.stderr());
        assert_eq!(keyless.requests(Service::Google, "").len(), 3, "three tries, and nothing after them");
        keyless.nothing_was_asked_of_the_stores();
    }
}

#[tokio::test]
async fn f56_without_githubs_token_no_query_is_run() {
    let none = FaultKind::Status(CannedReply::status(500));
    for kind in [none, answer(&json!({"value": jwt(&json!({"sub": "CANARY"}))}))] {
        let keyless = Keyless::of_github(Town::on_bigquery(Apps::Android, Events::Bad).await);
        keyless.fault("idtoken", kind, 1000);
        let ran = keyless.run(&[]).await;
        assert_eq!(ran.code(), 1, "{}", ran.stderr());
        assert!(ran.stderr().contains("GitHub's token endpoint (127.0.0.1)"), "{}", ran.stderr());
        keyless.nothing_was_asked_of_the_stores();
        keyless.town.sandbox.model().clear_faults();
        let again = keyless.run(&[]).await;
        assert_eq!(
            (again.code(), again.result()["decision"].clone()),
            (0, json!("halt")),
            "{}",
            again.stderr()
        );
        assert!(!keyless.requests(Service::BigQuery, "").is_empty(), "with a token the tables are read");
    }
}

fn answer(body: &Value) -> FaultKind {
    FaultKind::Status(CannedReply::status(200).with_body(body.clone()))
}

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(claims))
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told() {
    let keyless = Keyless::on_github().await;
    keyless.reconfigure("providers/github", "providers/another");
    let ran = keyless.run(&[]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    let told = ran.stderr();
    assert!(told.contains("the token service (127.0.0.1) answered 400"), "{told}");
    assert!(told.contains("workload_identity_provider") && told.contains("attribute condition"), "{told}");
    assert_eq!(keyless.requests(Service::Google, "/v1/token").len(), 1, "a refusal is not tried again");
    keyless.nothing_was_asked_of_the_stores();
}

#[tokio::test]
async fn a_refused_impersonation_names_the_roles_and_the_command() {
    let keyless = Keyless::on_github().await;
    keyless.reconfigure("service_account = \"sandbox@", "service_account = \"another@");
    let ran = keyless.run(&[]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    let told = ran.stderr();
    for part in [
        "the impersonation of the service account answered 403",
        "gcloud iam service-accounts add-iam-policy-binding another@tidegate-sandbox.iam.gserviceaccount.com",
        "roles/iam.workloadIdentityUser",
        "roles/iam.serviceAccountTokenCreator",
        "principalSet://iam.googleapis.com/projects/100000000001/locations/global/workloadIdentityPools/sandbox/",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    keyless.nothing_was_asked_of_the_stores();
}

#[tokio::test]
async fn a_job_without_the_permission_is_told_before_anything_is_asked() {
    let mut keyless = Keyless::on_github().await;
    keyless.env.pop();
    let ran = keyless.run(&[]).await;
    assert_eq!(ran.code(), 2, "{}", ran.stderr());
    assert!(ran.stderr().contains("permissions: id-token: write"), "{}", ran.stderr());
    assert!(keyless.town.sandbox.model().requests().is_empty());
}

#[tokio::test]
async fn githubs_address_is_githubs() {
    let mut keyless = Keyless::on_github().await;
    keyless.env[0].1 = "https://evil.example/idtoken?key=CANARY".to_owned();
    let ran = keyless.run(&[]).await;
    assert_eq!(ran.code(), 2, "{}", ran.stderr());
    assert!(
        ran.stderr().contains("ACTIONS_ID_TOKEN_REQUEST_URL leads to \"evil.example\""),
        "{}",
        ran.stderr()
    );

    let keyless = Keyless::on_github().await;
    let google = &keyless.town.sandbox.endpoints.google;
    keyless.reconfigure(&format!("sts = \"{google}\"\n"), "");
    let ran = keyless.run(&[]).await;
    assert_eq!(ran.code(), 2, "{}", ran.stderr());
    assert!(ran.stderr().contains("[endpoints] sts is not set"), "{}", ran.stderr());
    assert!(keyless.town.sandbox.model().requests().is_empty());
}

/// Files of every type, as Google's tools make them, but for the addresses.
async fn files(town: &Town) -> Vec<(&'static str, Value)> {
    let (google, credentials) = (&town.sandbox.endpoints.google, &town.sandbox.credentials);
    let provider = &credentials.google.workload_identity_provider;
    let oidc = format!(
        "{google}{}&audience=https://iam.googleapis.com/{provider}",
        credentials.google.oidc_request_path
    );
    let headers = json!({"Authorization": format!("Bearer {}", credentials.google.oidc_request_token)});
    let client = http::client().unwrap();
    let bearer = &credentials.google.oidc_request_token;
    let minted: Value = serde_json::from_str(
        &client.get(&oidc).bearer_auth(bearer).send().await.unwrap().text().await.unwrap(),
    )
    .unwrap();
    let proof = town.path("proof.jwt");
    std::fs::write(&proof, minted["value"].as_str().unwrap()).unwrap();
    let external = |source: Value| {
        json!({
            "type": "external_account", "audience": format!("//iam.googleapis.com/{provider}"),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": format!("{google}/v1/token"),
            "service_account_impersonation_url": impersonation(town), "credential_source": source,
        })
    };
    let key = std::fs::read_to_string(&credentials.play_service_account_path).unwrap();
    let key: Value = serde_json::from_str(&key).unwrap();
    vec![
        ("service_account", key.clone()),
        ("authorized_user", authorized_user(town)),
        (
            "external_account by an address",
            external(json!({"url": oidc, "headers": headers,
            "format": {"type": "json", "subject_token_field_name": "value"}})),
        ),
        ("external_account by a file", external(json!({"file": proof}))),
        (
            "impersonated_service_account",
            json!({"type": "impersonated_service_account",
            "service_account_impersonation_url": impersonation(town), "source_credentials": key}),
        ),
    ]
}

fn impersonation(town: &Town) -> String {
    let (google, email) = (&town.sandbox.endpoints.google, &town.sandbox.credentials.play_client_email);
    format!("{google}/v1/projects/-/serviceAccounts/{email}:generateAccessToken")
}

fn authorized_user(town: &Town) -> Value {
    let google = &town.sandbox.credentials.google;
    json!({
        "type": "authorized_user", "client_id": google.client_id, "client_secret": google.client_secret,
        "refresh_token": google.refresh_token, "token_uri": format!("{}/token", town.sandbox.endpoints.google),
    })
}

#[tokio::test]
async fn every_type_of_credentials_file_reaches_play() {
    let mut keyless = Keyless::with_file(&json!({})).await;
    for (name, file) in files(&keyless.town).await {
        keyless.give_file(&file);
        let ran = keyless.run(&["--dry-run"]).await;
        assert_eq!(ran.code(), 0, "{name}: {}", ran.stderr());
        assert_eq!(ran.result()["decision"], "halt", "{name}");
    }
}

#[tokio::test]
async fn gcloud_and_the_metadata_server_are_found() {
    let mut keyless = Keyless::with_file(&json!({})).await;
    let home = keyless.town.path("home");
    let folder = home.join(".config/gcloud");
    std::fs::create_dir_all(&folder).unwrap();
    keyless.env = vec![("HOME", home.display().to_string())];
    let host = keyless.town.sandbox.endpoints.google.replace("http://", "");
    keyless.env.push(("GCE_METADATA_HOST", host));
    let ran = keyless.run(&["--dry-run"]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(keyless.requests(Service::Google, "/computeMetadata/v1/instance/").len(), 1);

    let file = folder.join("application_default_credentials.json");
    std::fs::write(file, authorized_user(&keyless.town).to_string()).unwrap();
    let ran = keyless.run(&["--dry-run"]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(keyless.requests(Service::Google, "/token").len(), 2, "the file goes before the server");
}

#[tokio::test]
async fn no_credentials_at_all_is_told_with_the_ways_to_get_some() {
    let mut keyless = Keyless::with_file(&json!({})).await;
    let host = keyless.town.sandbox.endpoints.google.replace("http://", "");
    keyless.env = vec![("GCE_METADATA_HOST", host)];
    let nobody = FaultKind::Status(CannedReply::status(404));
    keyless.town.sandbox.model().add_fault(Fault::new(Service::Google, nobody).times(1000));
    let ran = keyless.run(&[]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    for part in ["the metadata server", "answered 404", "workload_identity_provider", "gcloud auth"] {
        assert!(ran.stderr().contains(part), "{}", ran.stderr());
    }
    keyless.nothing_was_asked_of_the_stores();
}

#[tokio::test]
async fn a_revoked_sign_in_is_told() {
    let mut keyless = Keyless::with_file(&json!({})).await;
    let mut file = authorized_user(&keyless.town);
    file["refresh_token"] = json!("CANARY");
    keyless.give_file(&file);
    let ran = keyless.run(&[]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    assert!(ran.stderr().contains("gcloud auth application-default login"), "{}", ran.stderr());
}

#[tokio::test]
async fn a_credentials_file_never_runs_a_program_and_never_leads_elsewhere() {
    let mut keyless = Keyless::with_file(&json!({})).await;
    let ran_marker = keyless.town.path("program-ran");
    let program = json!({"executable": {"command": format!("/usr/bin/touch {}", ran_marker.display())}});
    let files = files(&keyless.town).await;
    let (_, external) = &files[2];
    for (field, value, told) in [
        ("credential_source", program, "runs a program"),
        ("token_url", json!("https://evil.example/CANARY"), "its `token_url` leads to \"evil.example\""),
        (
            "service_account_impersonation_url",
            json!("https://evil.example/CANARY"),
            "its `service_account_impersonation_url` leads to \"evil.example\"",
        ),
        ("credential_source", json!({"url": "http://10.0.0.1/CANARY"}), "its `url` leads to \"10.0.0.1\""),
    ] {
        let mut file = external.clone();
        file[field] = value;
        keyless.give_file(&file);
        keyless.env.push(("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1".to_owned()));
        keyless.town.sandbox.model().clear_requests();
        let ran = keyless.run(&[]).await;
        assert_eq!(ran.code(), 2, "{}", ran.stderr());
        assert!(ran.stderr().contains(told), "{told} is not in {}", ran.stderr());
        assert!(keyless.town.sandbox.model().requests().is_empty());
    }
    assert!(!ran_marker.exists());
}

#[tokio::test]
async fn secrets_come_from_secret_manager() {
    let keyless = Keyless::on_github().await;
    let (model, credentials) = (keyless.town.sandbox.model(), &keyless.town.sandbox.credentials);
    let slack = SecretSeed::new(SLACK_SECRET, &credentials.slack_token);
    model
        .add_secret(SecretSeed { versions: vec!["old".to_owned(), slack.versions[0].clone()], ..slack })
        .unwrap();
    let key = std::fs::read_to_string(&credentials.play_service_account_path).unwrap();
    model.add_secret(SecretSeed::new("projects/my-project/secrets/play", &key)).unwrap();
    keyless.reconfigure("env:SLACK_TOKEN", &format!("sm://{SLACK_SECRET}"));
    keyless.reconfigure(
        "[gcp]",
        "[google_play]\ncredentials = \"sm://projects/my-project/secrets/play/versions/1\"\n[gcp]",
    );
    let ran = keyless.run(&[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!((ran.result()["decision"].clone(), keyless.town.messages().len()), (json!("halt"), 1));
    let read: Vec<String> =
        keyless.requests(Service::Google, ":access").into_iter().map(|request| request.path).collect();
    assert_eq!(
        read,
        [
            "/v1/projects/my-project/secrets/play/versions/1:access",
            "/v1/projects/my-project/secrets/slack/versions/latest:access"
        ]
    );
}

#[tokio::test]
async fn a_secret_that_can_not_be_read_ends_the_run() {
    for (seed, parts) in [
        (None, ["answered 404", "gcloud secrets versions list slack --project my-project"]),
        (
            Some(SecretSeed { access: SecretAccess::Denied, ..SecretSeed::new(SLACK_SECRET, "CANARY") }),
            [
                "roles/secretmanager.secretAccessor",
                "gcloud secrets add-iam-policy-binding slack --project my-project --member serviceAccount:sandbox@",
            ],
        ),
        (Some(SecretSeed::new(SLACK_SECRET, " ")), ["is empty", "gcloud secrets versions add"]),
    ] {
        let keyless = Keyless::on_github().await;
        if let Some(seed) = seed {
            keyless.town.sandbox.model().add_secret(seed).unwrap();
        }
        keyless.reconfigure("env:SLACK_TOKEN", &format!("sm://{SLACK_SECRET}"));
        let ran = keyless.run(&[]).await;
        assert_eq!(ran.code(), 1, "{}", ran.stderr());
        for part in parts.into_iter().chain(["sm://projects/my-project/secrets/slack"]) {
            assert!(ran.stderr().contains(part), "{part} is not in {}", ran.stderr());
        }
        keyless.nothing_was_asked_of_the_stores();
    }
}

/// The identity of a workflow in a town, in this process.
fn federated(town: &Town, account: Option<&str>) -> Identity {
    let google = &town.sandbox.credentials.google;
    let gcp = Gcp {
        workload_identity_provider: Some(google.workload_identity_provider.clone()),
        service_account: account.map(str::to_owned),
        project: None,
        credentials: None,
    };
    let variables = GoogleVariables {
        oidc_request_url: Some(format!("{}{}", town.sandbox.endpoints.google, google.oidc_request_path)),
        oidc_request_token: Some(SecretString::from(google.oidc_request_token.clone())),
        ..GoogleVariables::default()
    };
    Identity::new(&gcp, &stand_ins(town), &variables, &http::client().unwrap()).unwrap()
}

fn stand_ins(town: &Town) -> Endpoints {
    let google = Some(town.sandbox.endpoints.google.clone());
    Endpoints { sts: google.clone(), iam_credentials: google, ..Endpoints::default() }
}

fn count(town: &Town, path: &str) -> usize {
    town.sandbox.model().requests().iter().filter(|request| request.path.contains(path)).count()
}

#[tokio::test]
async fn tokens_are_kept_renewed_and_replaced_when_they_end() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.sandbox.model().set_token_lifetime(Some(4));
    let identity = federated(&town, Some(&town.sandbox.credentials.play_client_email));
    let source = identity.token_source(Scope::Play).unwrap();
    let token = async || source.get().await.unwrap().expose_secret().to_owned();
    let first = token().await;
    assert_eq!((first.clone(), count(&town, "generateAccessToken")), (token().await, 1), "it is kept");

    tokio::time::sleep(Duration::from_millis(2_200)).await;
    let away = FaultKind::Status(CannedReply::status(500));
    town.sandbox.model().add_fault(Fault::new(Service::Google, away).on("POST", "generate").times(3));
    assert_eq!(token().await, first, "a token that still holds outlives a failed renewal");

    tokio::time::sleep(Duration::from_millis(2_000)).await;
    // The failure is remembered for some seconds, and the federated token has ended with the first.
    let told = source.get().await.unwrap_err().to_string();
    assert!(told.contains("answered 500"), "{told}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let second = token().await;
    assert_ne!(first, second);
    assert!(count(&town, "idtoken") >= 2, "the proof was fetched anew");
}

#[tokio::test]
async fn one_exchange_serves_every_scope() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let identity = federated(&town, Some(&town.sandbox.credentials.play_client_email));
    let scopes = [Scope::BigQuery, Scope::Firestore, Scope::Play, Scope::SecretManager];
    for scope in scopes.into_iter().chain(scopes) {
        identity.token_source(scope).unwrap().get().await.unwrap();
    }
    assert_eq!((count(&town, "idtoken"), count(&town, "/v1/token")), (1, 1));
    assert_eq!(count(&town, "generateAccessToken"), scopes.len());
}

#[tokio::test]
async fn a_federated_identity_without_an_account_has_tokens_of_its_own() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let identity = federated(&town, None);
    identity.token_source(Scope::BigQuery).unwrap().get().await.unwrap();
    assert_eq!((count(&town, "/v1/token"), count(&town, "generateAccessToken")), (1, 0));
    let issued = &town.sandbox.model().state()["google"]["issued"]["tokens"];
    let access = issued.as_array().unwrap().iter().find(|token| token["kind"] == "access").unwrap();
    assert_eq!(access["scopes"], json!([Scope::BigQuery.as_str()]));
    assert!(access["principal"].as_str().unwrap().starts_with("principal://"), "{access}");
}

#[tokio::test]
async fn firestore_gets_headers_and_errors_that_may_be_shown() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let email = town.sandbox.credentials.play_client_email.clone();
    let identity = federated(&town, Some(&email));
    let credentials = Credentials::from(identity.access_token_credentials(Scope::Firestore).unwrap());
    let CacheableResource::New { entity_tag, data } =
        credentials.headers(tonic::Extensions::new()).await.unwrap()
    else {
        panic!("the first headers are new");
    };
    let bearer = data["authorization"].to_str().unwrap();
    let token = identity.token_source(Scope::Firestore).unwrap().get().await.unwrap();
    assert_eq!(bearer, format!("Bearer {}", token.expose_secret()));
    assert!(data["authorization"].is_sensitive());
    let mut known = tonic::Extensions::new();
    known.insert(entity_tag);
    assert!(matches!(credentials.headers(known).await.unwrap(), CacheableResource::NotModified));

    let nobody = federated(&town, Some("nobody@tidegate-sandbox.iam.gserviceaccount.com"));
    let credentials = Credentials::from(nobody.access_token_credentials(Scope::Firestore).unwrap());
    let told = credentials.headers(tonic::Extensions::new()).await.unwrap_err().to_string();
    assert!(told.contains("roles/iam.workloadIdentityUser") && !told.contains("may not exist"), "{told}");
}

#[tokio::test]
async fn the_words_of_token_endpoints_stay_out_of_errors() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let body = json!({"error": "invalid_grant", "error_description": "CANARY"});
    for (name, file) in files(&town).await {
        if name == "service_account" {
            continue;
        }
        let refused = FaultKind::Status(CannedReply::status(400).with_body(body.clone()));
        town.sandbox.model().clear_faults();
        town.sandbox.model().add_fault(Fault::new(Service::Google, refused).times(1000));
        let path: PathBuf = town.path("adc.json");
        std::fs::write(&path, file.to_string()).unwrap();
        let variables = GoogleVariables {
            credentials: Some(CredentialsPlace::Named(path)),
            ..GoogleVariables::default()
        };
        let client = http::client().unwrap();
        let identity = Identity::new(&Gcp::default(), &stand_ins(&town), &variables, &client).unwrap();
        let error = identity.token_source(Scope::BigQuery).unwrap().get().await.unwrap_err().to_string();
        assert!(error.contains("answered 400") && !error.contains("CANARY"), "{name}: {error}");
        assert!(!error.contains(&town.sandbox.credentials.google.oidc_request_token), "{name}: {error}");
    }
}
