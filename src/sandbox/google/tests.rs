//! The sandbox's Google over real HTTP: each exchange, and each refusal of one.

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::super::{
    GoogleSeed, PlayAppSeed, Ports, Sandbox, SandboxOptions, SecretAccess, SecretSeed, Seed, Service,
};
use super::model::PROVIDER;

const PLAY: &str = "https://www.googleapis.com/auth/androidpublisher";
const IAM: &str = "https://www.googleapis.com/auth/iam";
const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
const PACKAGE: &str = "com.example.app";

struct Cloud {
    sandbox: Sandbox,
    client: Client,
    _directory: tempfile::TempDir,
}

impl Cloud {
    async fn start() -> Self {
        // Another test may have installed it already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let denied =
            SecretSeed { access: SecretAccess::Denied, ..SecretSeed::new("projects/p/secrets/denied", "x") };
        let two = SecretSeed {
            versions: vec!["one".to_owned(), "two".to_owned()],
            ..SecretSeed::new("projects/p/secrets/s", "")
        };
        let seed = Seed {
            play: vec![PlayAppSeed::new(PACKAGE)],
            google: GoogleSeed { secrets: vec![denied, two], ..GoogleSeed::default() },
            ..Seed::default()
        };
        let credentials_dir = directory.path().join("credentials");
        let options = SandboxOptions { ports: Ports::default(), seed, credentials_dir };
        let sandbox = Sandbox::start(options).await.unwrap();
        Self { sandbox, client: Client::builder().no_proxy().build().unwrap(), _directory: directory }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.endpoints.google)
    }

    async fn subject(&self, audience: &str) -> String {
        let google = &self.sandbox.credentials.google;
        let request =
            self.client.get(self.at(&google.oidc_request_path)).bearer_auth(&google.oidc_request_token);
        let (_, minted) = send(request.query(&[("audience", audience)])).await;
        minted["value"].as_str().unwrap().to_owned()
    }

    async fn exchange(&self, subject: &str, scope: &str, provider: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", &format!("//iam.googleapis.com/{provider}")),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token", subject),
            ("scope", scope),
        ];
        send(self.client.post(self.at("/v1/token")).form(&form)).await
    }

    async fn federated(&self, scope: &str) -> String {
        let subject = self.subject(&format!("https://iam.googleapis.com/{PROVIDER}")).await;
        let (status, answer) = self.exchange(&subject, scope, PROVIDER).await;
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn impersonate(&self, bearer: &str, email: &str, body: Value) -> (u16, Value) {
        let path = format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        send(self.client.post(self.at(&path)).bearer_auth(bearer).json(&body)).await
    }

    async fn play(&self, bearer: &str) -> (u16, Value) {
        let path = format!("/androidpublisher/v3/applications/{PACKAGE}/edits");
        let address = format!("{}{path}", self.sandbox.endpoints.google_play);
        send(self.client.post(address).bearer_auth(bearer).json(&json!({}))).await
    }

    async fn secret(&self, bearer: &str, name: &str) -> (u16, Value) {
        send(self.client.get(self.at(&format!("/v1/projects/p/secrets/{name}:access"))).bearer_auth(bearer))
            .await
    }

    fn account(&self) -> &str {
        &self.sandbox.credentials.play_client_email
    }
}

async fn send(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn hour(scope: &str) -> Value {
    json!({"scope": [scope], "lifetime": "3600s"})
}

#[tokio::test]
async fn a_workflow_becomes_a_service_account() {
    let cloud = Cloud::start().await;
    let federated = cloud.federated(IAM).await;
    let (status, answer) = cloud.impersonate(&federated, cloud.account(), hour(PLAY)).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["expireTime"].as_str().unwrap().ends_with('Z'), "{answer}");
    let token = answer["accessToken"].as_str().unwrap();
    assert_eq!(cloud.play(token).await.0, 200);
    cloud.sandbox.model().set_token_lifetime(Some(0));
    let (_, ended) = cloud.impersonate(&federated, cloud.account(), hour(PLAY)).await;
    assert_eq!(cloud.play(ended["accessToken"].as_str().unwrap()).await.0, 401, "it has ended");
    assert_eq!(cloud.play(token).await.0, 200, "the first has not");
}

#[tokio::test]
async fn each_exchange_takes_only_what_the_one_before_it_gave() {
    let cloud = Cloud::start().await;
    let google = &cloud.sandbox.credentials.google;
    let wrong = cloud.client.get(cloud.at(&google.oidc_request_path)).bearer_auth("wrong");
    assert_eq!(send(wrong).await.0, 401);
    let other = cloud.subject("https://example.com").await;
    let (status, refused) = cloud.exchange(&other, IAM, PROVIDER).await;
    assert_eq!((status, refused["error"].clone()), (400, json!("invalid_grant")), "{refused}");
    let (_, refused) = cloud.exchange("made up", IAM, PROVIDER).await;
    assert_eq!(refused["error"], "invalid_grant");
    let (_, refused) = cloud.exchange(&other, IAM, &PROVIDER.replace("sandbox", "another")).await;
    assert_eq!(refused["error"], "invalid_target");
    assert_eq!(cloud.impersonate(&other, cloud.account(), hour(PLAY)).await.0, 401, "no access token");

    let federated = cloud.federated(IAM).await;
    let (status, refused) = cloud.impersonate(&federated, "nobody@example.com", hour(PLAY)).await;
    assert_eq!((status, refused["error"]["status"].clone()), (403, json!("PERMISSION_DENIED")));
    for bad in [json!({"scope": [PLAY], "lifetime": "43200s"}), json!({"scope": [], "lifetime": "60s"})] {
        assert_eq!(cloud.impersonate(&federated, cloud.account(), bad).await.0, 400);
    }
    assert_eq!(cloud.play(&federated).await.0, 401, "its scope is another");
    let direct = cloud.federated(PLAY).await;
    let (status, refused) = cloud.play(&direct).await;
    assert_eq!(
        (status, refused["error"]["message"].clone()),
        (403, json!("The caller does not have permission")),
        "nobody without an e-mail address is invited"
    );
}

#[tokio::test]
async fn a_person_and_a_machine_get_tokens() {
    let cloud = Cloud::start().await;
    let google = &cloud.sandbox.credentials.google;
    let mut body = json!({"grant_type": "refresh_token", "client_id": google.client_id,
        "client_secret": google.client_secret, "refresh_token": google.refresh_token});
    let (status, answer) = send(cloud.client.post(cloud.at("/token")).json(&body)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(cloud.play(answer["access_token"].as_str().unwrap()).await.0, 200);
    body["refresh_token"] = json!("revoked");
    let (status, refused) = send(cloud.client.post(cloud.at("/token")).json(&body)).await;
    assert_eq!((status, refused["error"].clone()), (400, json!("invalid_grant")));

    let address = cloud.at("/computeMetadata/v1/instance/service-accounts/default/token");
    assert_eq!(send(cloud.client.get(&address)).await.0, 403, "without its header");
    let (_, answer) = send(cloud.client.get(&address).header("Metadata-Flavor", "Google")).await;
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!((cloud.secret(token, "s/versions/1").await.0, cloud.play(token).await.0), (200, 401));
}

#[tokio::test]
async fn secrets_have_versions_and_readers() {
    let cloud = Cloud::start().await;
    let (_, answer) = cloud.impersonate(&cloud.federated(IAM).await, cloud.account(), hour(PLATFORM)).await;
    let token = answer["accessToken"].as_str().unwrap();
    for (asked, name, data) in
        [("s/versions/latest", "s/versions/2", "dHdv"), ("s/versions/1", "s/versions/1", "b25l")]
    {
        let (_, answer) = cloud.secret(token, asked).await;
        assert_eq!(answer, json!({"name": format!("projects/p/secrets/{name}"), "payload": {"data": data}}));
    }
    for (asked, status) in [
        ("denied/versions/latest", 403),
        ("missing/versions/latest", 404),
        ("s/versions/3", 404),
        ("s/versions/0", 404),
    ] {
        assert_eq!(cloud.secret(token, asked).await.0, status, "{asked}");
    }
    assert_eq!(cloud.secret("made up", "s/versions/1").await.0, 401);
}

#[tokio::test]
async fn the_control_surface_sets_secrets_and_lifetimes_and_shows_no_token() {
    let cloud = Cloud::start().await;
    let control = |path: &str| format!("{}{path}", cloud.sandbox.endpoints.control);
    let secret = json!({"name": "projects/p/secrets/new", "versions": ["CANARY"]});
    let post = || cloud.client.post(control("/google/secrets")).json(&secret);
    assert_eq!((send(post()).await.0, send(post()).await.0), (204, 409));
    let lifetime = cloud.client.put(control("/google/token-lifetime")).json(&json!({"seconds": 7}));
    assert_eq!(send(lifetime).await.0, 204);
    let token = cloud.federated(PLATFORM).await;
    assert_eq!(cloud.secret(&token, "new/versions/1").await.0, 200);

    let (_, state) = send(cloud.client.get(control("/state"))).await;
    let issued = &state["google"]["issued"];
    assert_eq!((&issued["lifetime_seconds"], issued["tokens"].as_array().unwrap().len()), (&json!(7), 2));
    let requests = cloud.sandbox.model().requests();
    assert!(requests.iter().any(|r| r.service == Service::Google && r.path == "/v1/token"));
    let shown = state.to_string() + &serde_json::to_string(&requests).unwrap();
    for part in ["ya29.", "eyJ", "CANARY", "Q0FOQVJZ"] {
        assert!(!shown.contains(part), "{part} is in {shown}");
    }
}
