//! The sandbox over real HTTP: each rule at least once, as a client meets it.

use std::time::Duration;

use google_cloud_auth::credentials::service_account::{AccessSpecifier, Builder};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::*;

const PACKAGE: &str = "com.example.app";
const CHANNEL: &str = "C0000000001";
const START: &str = "2026-03-01T10:00:00Z";
const PLAY: &str = "/androidpublisher/v3/applications/com.example.app";

/// A sandbox with one app on each store, one channel, and a client that is signed in.
struct World {
    sandbox: Sandbox,
    client: Client,
    play_token: String,
    asc_token: String,
    _directory: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        // Another test may have installed it already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let start: Timestamp = START.parse().unwrap();
        let seed = Seed {
            play: vec![PlayAppSeed::staged(PACKAGE, 100, 200, 0.15)],
            asc: vec![AscAppSeed::phased(PACKAGE, "26.3.0", "200", start)],
            slack_channels: vec![ChannelSeed::new(CHANNEL, "releases")],
            ..Seed::default()
        };
        let credentials_dir = directory.path().join("credentials");
        let sandbox =
            Sandbox::start(SandboxOptions { ports: Ports::default(), seed, credentials_dir }).await.unwrap();
        sandbox.model().set_now(Some(start));
        let (play_token, asc_token) =
            (play_token(&sandbox.credentials).await, asc_token(&sandbox.credentials));
        let client = Client::builder().timeout(Duration::from_secs(20)).no_proxy();
        let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { sandbox, client, play_token, asc_token, _directory: directory }
    }

    fn model(&self) -> &Model {
        self.sandbox.model()
    }

    fn advance(&self, hours: i64) {
        self.model().set_now(Some(self.model().now() + SignedDuration::from_hours(hours)));
    }

    async fn try_play(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Response> {
        let address = format!("{}{PLAY}{path}", self.sandbox.endpoints.google_play);
        let request = self.client.request(method, address).bearer_auth(&self.play_token);
        match body {
            Some(body) => request.json(&body).send().await,
            None => request.send().await,
        }
    }

    async fn play(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        read(self.try_play(method, path, body).await.unwrap()).await
    }

    async fn edit(&self) -> String {
        let (status, edit) = self.play(Method::POST, "/edits", Some(json!({}))).await;
        assert_eq!(status, 200, "{edit}");
        edit["id"].as_str().unwrap().to_owned()
    }

    /// Sends releases in a new edit; the refusal of the update or the commit.
    async fn publish(&self, releases: Value) -> Result<(), (u16, String)> {
        let edit = self.edit().await;
        let path = format!("/edits/{edit}/tracks/production");
        let track = json!({"track": "production", "releases": releases});
        ok(self.play(Method::PUT, &path, Some(track)).await)?;
        ok(self.play(Method::POST, &format!("/edits/{edit}:validate"), None).await)?;
        ok(self.play(Method::POST, &format!("/edits/{edit}:commit"), None).await)
    }

    async fn production(&self) -> Value {
        let edit = self.edit().await;
        let (_, track) = self.play(Method::GET, &format!("/edits/{edit}/tracks/production"), None).await;
        assert_eq!(self.play(Method::DELETE, &format!("/edits/{edit}"), None).await, (204, Value::Null));
        track["releases"].clone()
    }

    async fn asc(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let address = format!("{}{path}", self.sandbox.endpoints.app_store_connect);
        let mut request = self.client.request(method, address).bearer_auth(&self.asc_token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.unwrap()).await
    }

    /// The id of the live version and of its phased release.
    async fn live_version(&self) -> (String, String) {
        let (_, apps) = self.asc(Method::GET, &format!("/v1/apps?filter[bundleId]={PACKAGE}"), None).await;
        let app = apps["data"][0]["id"].as_str().unwrap();
        let query =
            "filter[appVersionState]=READY_FOR_DISTRIBUTION&include=appStoreVersionPhasedRelease,build";
        let (_, page) =
            self.asc(Method::GET, &format!("/v1/apps/{app}/appStoreVersions?{query}"), None).await;
        let version = &page["data"][0];
        let phased = &version["relationships"]["appStoreVersionPhasedRelease"]["data"]["id"];
        (version["id"].as_str().unwrap().to_owned(), phased.as_str().unwrap().to_owned())
    }

    async fn set_phased(&self, id: &str, state: &str) -> (u16, Value) {
        let data = json!({"type": "appStoreVersionPhasedReleases", "id": id,
            "attributes": {"phasedReleaseState": state}});
        let path = format!("/v1/appStoreVersionPhasedReleases/{id}");
        self.asc(Method::PATCH, &path, Some(json!({"data": data}))).await
    }

    async fn slack(&self, method: &str, arguments: Value) -> Value {
        let address = format!("{}/api/{method}", self.sandbox.endpoints.slack);
        let request = self.client.post(address).bearer_auth(&self.sandbox.credentials.slack_token);
        let (status, reply) = read(request.json(&arguments).send().await.unwrap()).await;
        assert_eq!(status, 200);
        reply
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let address = format!("{}{path}", self.sandbox.endpoints.control);
        read(self.client.request(method, address).json(&body).send().await.unwrap()).await
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

fn ok((status, body): (u16, Value)) -> Result<(), (u16, String)> {
    if status < 300 { Ok(()) } else { Err((status, body["error"]["message"].as_str().unwrap().to_owned())) }
}

async fn play_token(credentials: &Credentials) -> String {
    let key = std::fs::read_to_string(&credentials.play_service_account_path).unwrap();
    let scopes = AccessSpecifier::from_scopes(["https://www.googleapis.com/auth/androidpublisher"]);
    let builder = Builder::new(serde_json::from_str(&key).unwrap()).with_access_specifier(scopes);
    builder.build_access_token_credentials().unwrap().access_token().await.unwrap().token
}

fn sign_asc(credentials: &Credentials, claims: &Value) -> String {
    let pem = std::fs::read(&credentials.asc_private_key_path).unwrap();
    let header = Header { kid: Some(credentials.asc_key_id.clone()), ..Header::new(Algorithm::ES256) };
    encode(&header, claims, &EncodingKey::from_ec_pem(&pem).unwrap()).unwrap()
}

fn asc_claims(credentials: &Credentials, issued_ago: i64, life: i64) -> Value {
    let issued = time::wall_clock().as_second() - issued_ago;
    json!({"iss": credentials.asc_issuer_id, "iat": issued, "exp": issued + life, "aud": "appstoreconnect-v1"})
}

fn asc_token(credentials: &Credentials) -> String {
    sign_asc(credentials, &asc_claims(credentials, 0, 600))
}

fn release(code: u32, status: &str, fraction: Option<f64>) -> Value {
    let mut release = json!({"name": code.to_string(), "versionCodes": [code.to_string()], "status": status});
    if let Some(fraction) = fraction {
        release["userFraction"] = json!(fraction);
    }
    release
}

#[tokio::test]
async fn play_halts_resumes_raises_and_completes() {
    let world = World::start().await;
    let completed = release(100, "completed", None);
    assert_eq!(world.production().await, json!([completed, release(200, "inProgress", Some(0.15))]));
    let steps = [
        release(200, "halted", Some(0.15)),
        release(200, "inProgress", Some(0.15)),
        release(200, "inProgress", Some(0.75)),
    ];
    for step in steps {
        world.publish(json!([completed, step])).await.unwrap();
        assert_eq!(world.production().await, json!([completed, step]));
    }
    let both = world.publish(json!([completed, release(200, "completed", None)])).await.unwrap_err();
    assert_eq!(both, (400, "Too many completed releases specified.".to_owned()));
    world.publish(json!([release(200, "completed", None)])).await.unwrap();
    assert_eq!(world.production().await, json!([release(200, "completed", None)]));
    let (_, summaries) = world.play(Method::GET, "/tracks/production/releases", None).await;
    let expected = json!({"releaseName": "200", "track": "production", "activeArtifacts": [{"versionCode": 200}],
        "releaseLifecycleState": "RELEASE_LIFECYCLE_STATE_PUBLISHED"});
    assert_eq!(summaries["releases"], json!([expected]));
    world.publish(json!([release(200, "halted", None)])).await.unwrap();
    assert_eq!(world.production().await, json!([completed, release(200, "halted", None)]));
}

#[tokio::test]
async fn play_refuses_with_its_own_words() {
    let world = World::start().await;
    let refused = async |code, status, fraction| {
        world.publish(json!([release(code, status, fraction)])).await.unwrap_err()
    };
    let bad = |text: &str| (400, text.to_owned());
    let completed_with_fraction = refused(200, "completed", Some(0.2)).await;
    assert_eq!(completed_with_fraction, bad("COMPLETED release must not have fraction"));
    assert_eq!(
        refused(200, "halted", None).await,
        bad("Invalid request - HALTED release must have fraction")
    );
    assert_eq!(refused(200, "inProgress", Some(1.0)).await, bad("User fraction must be lower than one."));
    let nothing_to_halt = bad("Cannot halt release, no matching in progress release found.");
    assert_eq!(refused(100, "halted", None).await, nothing_to_halt);
    let (status, text) = refused(999, "inProgress", Some(0.1)).await;
    assert!(
        status == 404 && text.starts_with("The following APK version codes could not be found"),
        "{text}"
    );
    let unknown = world.client.post(format!(
        "{}/androidpublisher/v3/applications/com.other/edits",
        world.sandbox.endpoints.google_play
    ));
    let (status, body) = read(unknown.bearer_auth(&world.play_token).send().await.unwrap()).await;
    assert_eq!((status, &body["error"]["status"]), (404, &json!("NOT_FOUND")));
    assert!(body["error"]["message"].as_str().unwrap().starts_with("Package not found:"));
    let edit = world.edit().await;
    let (status, _) = world.play(Method::GET, &format!("/edits/{edit}/tracks/nowhere"), None).await;
    assert_eq!(status, 404);
    let (_, tracks) = world.play(Method::GET, &format!("/edits/{edit}/tracks"), None).await;
    assert_eq!(tracks["tracks"].as_array().unwrap().len(), 4);
    assert_eq!(tracks["kind"], "androidpublisher#tracksListResponse");
}

#[tokio::test]
async fn play_edits_are_invalidated_expire_and_are_committed_once() {
    let world = World::start().await;
    let get = async |edit: &str| ok(world.play(Method::GET, &format!("/edits/{edit}"), None).await);
    let deleted = Err((400, "This Edit has been deleted.".to_owned()));
    let first = world.edit().await;
    let second = world.edit().await;
    assert_eq!(get(&first).await, deleted, "one open edit per caller");
    world.model().console_change(PACKAGE, "production", vec![release(100, "completed", None)]).unwrap();
    assert_eq!(get(&second).await, deleted, "a change in the console invalidates");
    let third = world.edit().await;
    world.advance(5);
    assert_eq!(get(&third).await, Err((400, "This edit has expired please create a new Edit.".to_owned())));
    let fourth = world.edit().await;
    let commit = format!("/edits/{fourth}:commit");
    ok(world.play(Method::POST, &commit, None).await).unwrap();
    let again = world.play(Method::POST, &commit, None).await;
    assert_eq!(again.1["error"]["errors"][0]["reason"], "editAlreadyCommitted");
    let (status, unknown) = world.play(Method::GET, "/edits/77", None).await;
    assert_eq!((status, &unknown["error"]["errors"][0]["reason"]), (404, &json!("editNotFound")));
}

#[tokio::test]
async fn play_reviews_decide_over_a_commit() {
    let world = World::start().await;
    let conditions = |review, sending| PlayConditions { review, sending, ..PlayConditions::default() };
    let commit = async |edit: &str, query: &str| {
        world.play(Method::POST, &format!("/edits/{edit}:commit{query}"), None).await
    };
    let (status, _) =
        world.control(Method::PATCH, "/play/apps/com.example.app", json!({"review": "in-review"})).await;
    assert_eq!(status, 204);
    let edit = world.edit().await;
    let (status, body) = commit(&edit, "?changesInReviewBehavior=ERROR_IF_IN_REVIEW").await;
    assert_eq!((status, &body["error"]["details"][0]["reason"]), (400, &json!("CHANGES_ALREADY_IN_REVIEW")));
    assert_eq!(commit(&edit, "").await.0, 200, "the edit stays valid, and the default cancels the review");
    assert_eq!(world.model().state()["play"][PACKAGE]["cancelledReviews"], 1);
    let edit = world.edit().await;
    let refused = ok(commit(&edit, "?changesNotSentForReview=true").await).unwrap_err();
    assert!(refused.1.starts_with("Changes are sent for review automatically."), "{refused:?}");
    world.model().set_play_conditions(PACKAGE, conditions(ReviewState::Idle, Sending::Manual)).unwrap();
    let track = json!({"releases": [release(200, "halted", Some(0.15))]});
    world.play(Method::PATCH, &format!("/edits/{edit}/tracks/production"), Some(track)).await;
    let refused = ok(commit(&edit, "").await).unwrap_err();
    assert!(refused.1.starts_with("Changes cannot be sent for review automatically."), "{refused:?}");
    assert_eq!(commit(&edit, "?changesNotSentForReview=true").await.0, 200);
    let served = world.model().state()["play"][PACKAGE]["served"].clone();
    assert_eq!(
        served[0]["releases"][1]["status"], "inProgress",
        "nothing is halted before a person sends it"
    );
}

#[tokio::test]
async fn app_store_lists_versions_as_documented() {
    let world = World::start().await;
    let (_, apps) = world.asc(Method::GET, "/v1/apps?filter[bundleId]=com.example.app&limit=1", None).await;
    assert_eq!(apps["data"][0]["attributes"]["bundleId"], PACKAGE);
    let path = format!("/v1/apps/{}/appStoreVersions", apps["data"][0]["id"].as_str().unwrap());
    let query = "filter[platform]=IOS&filter[versionString]=26.3.0&include=appStoreVersionPhasedRelease,build\
        &fields[appStoreVersionPhasedReleases]=phasedReleaseState,currentDayNumber&fields[builds]=version&limit=10";
    let (_, page) = world.asc(Method::GET, &format!("{path}?{query}"), None).await;
    let attributes = &page["data"][0]["attributes"];
    assert_eq!(attributes["appVersionState"], "READY_FOR_DISTRIBUTION");
    assert_eq!(attributes["appStoreState"], "READY_FOR_SALE");
    let included: Vec<&Value> =
        page["included"].as_array().unwrap().iter().map(|item| &item["attributes"]).collect();
    let expected =
        [json!({"version": "200"}), json!({"phasedReleaseState": "ACTIVE", "currentDayNumber": 1})];
    assert_eq!(included, expected.iter().collect::<Vec<_>>());
    let (_, first) = world.asc(Method::GET, &format!("{path}?limit=1"), None).await;
    assert_eq!(first["meta"]["paging"]["total"], 2);
    let next =
        first["links"]["next"].as_str().unwrap().strip_prefix(&world.sandbox.endpoints.app_store_connect);
    let (_, second) = world.asc(Method::GET, next.unwrap(), None).await;
    assert_ne!(first["data"][0]["id"], second["data"][0]["id"]);
    assert!(second["links"].get("next").is_none());
    for wrong in ["sort=-createdDate", "filter[platform]=ANDROID", "include=reviews", "limit=500"] {
        let (status, body) = world.asc(Method::GET, &format!("{path}?{wrong}"), None).await;
        let code = body["errors"][0]["code"].as_str().unwrap();
        assert!(status == 400 && code.starts_with("PARAMETER_ERROR"), "{wrong}: {body}");
    }
}

#[tokio::test]
async fn phased_release_pauses_resumes_and_refuses_what_apple_refuses() {
    let world = World::start().await;
    let (version, phased) = world.live_version().await;
    assert_eq!(world.set_phased(&phased, "PAUSED").await.0, 200);
    let (status, repeated) = world.set_phased(&phased, "PAUSED").await;
    assert_eq!(status, 409);
    assert_eq!(repeated["errors"][0]["detail"], "The phased release already has this value");
    assert_eq!(world.set_phased(&phased, "ACTIVE").await.0, 200);
    assert_eq!(
        world.set_phased(&phased, "FASTER").await.1["errors"][0]["code"],
        "ENTITY_ERROR.ATTRIBUTE.INVALID"
    );
    assert_eq!(world.set_phased(&phased, "COMPLETE").await.0, 200);
    let (status, ended) = world.set_phased(&phased, "PAUSED").await;
    let detail = "You cannot change the state of a phased release that is in a final state";
    assert_eq!((status, &ended["errors"][0]["detail"]), (409, &json!(detail)));
    let path = format!("/v1/appStoreVersions/{version}/appStoreVersionPhasedRelease");
    let (_, read) = world.asc(Method::GET, &path, None).await;
    assert_eq!(read["data"]["attributes"]["phasedReleaseState"], "COMPLETE");
    let path = format!("/v1/appStoreVersionPhasedReleases/{phased}");
    assert_eq!(world.asc(Method::DELETE, &path, None).await.0, 403, "it has started");
    let data =
        json!({"type": "appStoreVersionPhasedReleases", "id": phased, "attributes": {"currentDayNumber": 7}});
    let (status, refused) = world.asc(Method::PATCH, &path, Some(json!({"data": data}))).await;
    assert_eq!((status, &refused["errors"][0]["code"]), (409, &json!("ENTITY_ERROR.ATTRIBUTE.UNKNOWN")));
}

#[tokio::test]
async fn phased_release_days_advance_but_not_while_paused() {
    let world = World::start().await;
    let (version, phased) = world.live_version().await;
    let path = format!("/v1/appStoreVersions/{version}/appStoreVersionPhasedRelease");
    let days = async || {
        let (_, body) = world.asc(Method::GET, &path, None).await;
        let attributes = &body["data"]["attributes"];
        let state = attributes["phasedReleaseState"].as_str().unwrap().to_owned();
        let number = |name: &str| attributes[name].as_i64().unwrap();
        (state, number("currentDayNumber"), number("totalPauseDuration"))
    };
    let percent = || {
        world.model().state()["asc"][0]["versions"][1]["phasedRelease"]["offeredPercent"].as_i64().unwrap()
    };
    let mut offered = Vec::new();
    for day in 1..=7 {
        assert_eq!(days().await.1, day);
        offered.push(percent());
        if day == 3 {
            world.set_phased(&phased, "PAUSED").await;
            world.advance(48);
            assert_eq!(days().await, ("PAUSED".to_owned(), 3, 2));
            world.set_phased(&phased, "ACTIVE").await;
        }
        world.advance(24);
    }
    assert_eq!(offered, [1, 2, 5, 10, 20, 50, 100]);
    assert_eq!(days().await, ("COMPLETE".to_owned(), 7, 2));
}

#[tokio::test]
async fn a_new_version_goes_live_and_ends_the_old_one() {
    let world = World::start().await;
    let (_, old) = world.live_version().await;
    let seed = AscVersionSeed::new("26.4.0", AppVersionState::PendingDeveloperRelease);
    let version = world.model().add_asc_version(PACKAGE, seed).unwrap();
    let linkage = json!({"appStoreVersion": {"data": {"type": "appStoreVersions", "id": version}}});
    let create = json!({"data": {"type": "appStoreVersionPhasedReleases", "relationships": linkage,
        "attributes": {"phasedReleaseState": "INACTIVE"}}});
    let (status, created) =
        world.asc(Method::POST, "/v1/appStoreVersionPhasedReleases", Some(create.clone())).await;
    assert_eq!(status, 201, "{created}");
    let id = created["data"]["id"].as_str().unwrap();
    let path = format!("/v1/appStoreVersionPhasedReleases/{id}");
    assert_eq!(world.asc(Method::DELETE, &path, None).await.0, 204);
    let (_, created) = world.asc(Method::POST, "/v1/appStoreVersionPhasedReleases", Some(create)).await;
    let id = created["data"]["id"].as_str().unwrap();
    assert_eq!(world.set_phased(id, "ACTIVE").await.0, 409, "the version is not live");
    let release = json!({"data": {"type": "appStoreVersionReleaseRequests", "relationships": linkage}});
    let path = "/v1/appStoreVersionReleaseRequests";
    assert_eq!(world.asc(Method::POST, path, Some(release.clone())).await.0, 201);
    assert_eq!(world.asc(Method::POST, path, Some(release)).await.0, 409);
    assert_eq!(world.live_version().await, (version, id.to_owned()));
    assert_eq!(world.set_phased(&old, "PAUSED").await.0, 409, "the old one is complete");
    let path = format!("/asc/phased-releases/{old}");
    assert_eq!(world.control(Method::PATCH, &path, json!({"state": "PAUSED"})).await.0, 409);
}

#[tokio::test]
async fn tokens_are_checked() {
    let world = World::start().await;
    let credentials = &world.sandbox.credentials;
    let asc = async |token: &str| {
        let request = world.client.get(format!("{}/v1/apps", world.sandbox.endpoints.app_store_connect));
        read(request.bearer_auth(token).send().await.unwrap()).await
    };
    let mut individual = asc_claims(credentials, 0, 600);
    individual["iss"].take();
    individual["sub"] = "user".into();
    assert_eq!(asc(&sign_asc(credentials, &individual)).await.0, 200, "an individual key");
    let mut audience = asc_claims(credentials, 0, 600);
    audience["aud"] = "elsewhere".into();
    let mut issuer = asc_claims(credentials, 0, 600);
    issuer["iss"] = "someone".into();
    let wrong = [
        ("expired", asc_claims(credentials, 700, 600)),
        ("too long", asc_claims(credentials, 0, 1_201)),
        ("from the future", asc_claims(credentials, -60, 600)),
        ("audience", audience),
        ("issuer", issuer),
    ];
    for (what, claims) in wrong {
        let (status, body) = asc(&sign_asc(credentials, &claims)).await;
        assert_eq!((status, &body["errors"][0]["code"]), (401, &json!("NOT_AUTHORIZED")), "{what}");
    }
    let other = World::start().await;
    assert_eq!(asc(&other.asc_token).await.0, 401, "another key");
    let pem = std::fs::read(&credentials.asc_private_key_path).unwrap();
    let header = Header { kid: Some("OTHERKEY".to_owned()), ..Header::new(Algorithm::ES256) };
    let claims = asc_claims(credentials, 0, 600);
    let token = encode(&header, &claims, &EncodingKey::from_ec_pem(&pem).unwrap()).unwrap();
    assert_eq!(asc(&token).await.0, 401, "another key id");
    let play = format!("{}{PLAY}/edits", world.sandbox.endpoints.google_play);
    for token in [other.play_token.as_str(), "sandbox-play-token"] {
        let (status, body) = read(world.client.post(&play).bearer_auth(token).send().await.unwrap()).await;
        assert_eq!((status, &body["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
    }
    let slack = format!("{}/api/auth.test", world.sandbox.endpoints.slack);
    let (_, none) = read(world.client.post(&slack).send().await.unwrap()).await;
    let (_, invalid) = read(world.client.post(&slack).bearer_auth("xoxb-other").send().await.unwrap()).await;
    assert_eq!((&none["error"], &invalid["error"]), (&json!("not_authed"), &json!("invalid_auth")));
    assert_eq!(world.slack("auth.test", json!({})).await["ok"], true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&credentials.asc_private_key_path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn app_store_budget_is_told_and_kept() {
    let world = World::start().await;
    world.control(Method::PUT, "/asc/budget", json!({"requests_per_hour": 2})).await;
    let get = async || {
        let request = world.client.get(format!("{}/v1/apps", world.sandbox.endpoints.app_store_connect));
        let response = request.bearer_auth(&world.asc_token).send().await.unwrap();
        (response.status().as_u16(), response.headers()["x-rate-limit"].to_str().unwrap().to_owned())
    };
    assert_eq!(get().await, (200, "user-hour-lim:2;user-hour-rem:1;".to_owned()));
    assert_eq!(get().await, (200, "user-hour-lim:2;user-hour-rem:0;".to_owned()));
    assert_eq!(get().await.0, 429);
    world.advance(1);
    assert_eq!(get().await.0, 200);
}

#[tokio::test]
async fn app_store_minute_has_a_limit_and_a_header_value_of_its_own() {
    let world = World::start().await;
    world.control(Method::PUT, "/asc/budget", json!({"requests_per_minute": 2})).await;
    let get = async || {
        let request = world.client.get(format!("{}/v1/apps", world.sandbox.endpoints.app_store_connect));
        let response = request.bearer_auth(&world.asc_token).send().await.unwrap();
        let values = response.headers().get_all("x-rate-limit").iter();
        let values: Vec<String> = values.map(|value| value.to_str().unwrap().to_owned()).collect();
        (response.status().as_u16(), values)
    };
    let told = |hour: u32, minute: u32| {
        vec![
            format!("user-hour-lim:3500;user-hour-rem:{hour};"),
            format!("user-minute-lim:2;user-minute-rem:{minute};"),
        ]
    };
    assert_eq!(get().await, (200, told(3_499, 1)));
    assert_eq!(get().await, (200, told(3_498, 0)));
    assert_eq!(get().await, (429, told(3_498, 0)));
    world.model().set_now(Some(world.model().now() + SignedDuration::from_mins(1)));
    assert_eq!(get().await, (200, told(3_497, 1)));
}

#[tokio::test]
async fn app_store_judges_tokens_by_a_clock_of_its_own_and_tells_it() {
    let world = World::start().await;
    let get = async |token: &str| {
        let request = world.client.get(format!("{}/v1/apps", world.sandbox.endpoints.app_store_connect));
        let response = request.bearer_auth(token).send().await.unwrap();
        let date = response.headers()[reqwest::header::DATE].to_str().unwrap().to_owned();
        let there = jiff::fmt::rfc2822::parse(&date).unwrap().timestamp();
        (response.status().as_u16(), there.duration_since(time::wall_clock()).as_secs())
    };
    for (ahead, at_home) in [(7_200_i64, 401), (-7_200, 401), (0, 200)] {
        assert_eq!(world.control(Method::PUT, "/asc/clock", json!({"ahead_seconds": ahead})).await.0, 204);
        let (status, told) = get(&world.asc_token).await;
        assert!(status == at_home && (told - ahead).abs() <= 2, "{ahead}: {status}, {told}");
        let there =
            sign_asc(&world.sandbox.credentials, &asc_claims(&world.sandbox.credentials, -ahead, 600));
        assert_eq!(get(&there).await.0, 200, "{ahead}");
    }
}

#[tokio::test]
async fn slack_threads_updates_and_metadata() {
    let world = World::start().await;
    let metadata = json!({"event_type": "tidegate", "event_payload": {"key": "halt|1"}});
    let warning = world.slack("chat.postMessage", json!({"channel": CHANNEL, "text": "warning"})).await;
    let parent = warning["ts"].as_str().unwrap();
    let reply = json!({"channel": CHANNEL, "text": "halt", "thread_ts": parent, "reply_broadcast": true,
        "metadata": metadata});
    let halt = world.slack("chat.postMessage", reply).await;
    assert_eq!(
        (&halt["message"]["thread_ts"], &halt["message"]["subtype"]),
        (&json!(parent), &json!("thread_broadcast"))
    );
    let quiet = json!({"channel": CHANNEL, "text": "quiet", "thread_ts": parent});
    world.slack("chat.postMessage", quiet).await;
    let edited =
        world.slack("chat.update", json!({"channel": CHANNEL, "ts": parent, "text": "edited"})).await;
    assert_eq!((&edited["ok"], &edited["message"]["text"]), (&json!(true), &json!("edited")));
    let history = world
        .slack(
            "conversations.history",
            json!({"channel": CHANNEL, "oldest": parent, "include_all_metadata": true}),
        )
        .await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 1, "the parent itself is excluded");
    assert_eq!(history["messages"][0]["metadata"], metadata);
    let replies = format!(
        "{}/api/conversations.replies?channel={CHANNEL}&ts={parent}&limit=1",
        world.sandbox.endpoints.slack
    );
    let token = &world.sandbox.credentials.slack_token;
    let (_, page) = read(world.client.get(&replies).bearer_auth(token).send().await.unwrap()).await;
    let texts = |page: &Value| -> Vec<String> {
        let messages = page["messages"].as_array().unwrap().iter();
        messages.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&page), ["edited", "halt"]);
    assert!(page["messages"][1].get("metadata").is_none() && page["has_more"] == true);
    let cursor = page["response_metadata"]["next_cursor"].as_str().unwrap();
    let next = json!({"channel": CHANNEL, "ts": parent, "limit": 1, "cursor": cursor});
    assert_eq!(texts(&world.slack("conversations.replies", next).await), ["edited", "quiet"]);
    world.control(Method::DELETE, &format!("/slack/channels/{CHANNEL}/messages/{parent}"), Value::Null).await;
    let late = |thread: &str| json!({"channel": CHANNEL, "text": "late", "thread_ts": thread});
    let reply = world.slack("chat.postMessage", late(parent)).await;
    assert_eq!(reply["message"]["thread_ts"], json!(parent), "a tombstone keeps its thread");
    assert_eq!(world.slack("chat.postMessage", late("17.000000")).await["error"], "thread_not_found");
}

#[tokio::test]
async fn slack_refuses_with_its_own_words_and_takes_forms() {
    let world = World::start().await;
    let outside =
        ChannelSeed { access: ChannelAccess::NotInChannel, ..ChannelSeed::new("C0000000002", "other") };
    world.model().add_slack_channel(outside).unwrap();
    let post = async |arguments: Value| world.slack("chat.postMessage", arguments).await["error"].clone();
    assert_eq!(post(json!({"channel": "C9", "text": "x"})).await, "channel_not_found");
    assert_eq!(post(json!({"channel": "C0000000002", "text": "x"})).await, "not_in_channel");
    assert_eq!(post(json!({"channel": CHANNEL})).await, "no_text");
    assert_eq!(post(json!({"channel": CHANNEL, "text": "x".repeat(40_001)})).await, "msg_too_long");
    let long = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(3_001)}}]);
    assert_eq!(post(json!({"channel": CHANNEL, "blocks": long})).await, "invalid_blocks");
    assert_eq!(
        post(json!({"channel": CHANNEL, "text": "x", "metadata": {}})).await,
        "invalid_metadata_format"
    );
    let gone = json!({"channel": CHANNEL, "ts": "1.000000", "text": "x"});
    assert_eq!(world.slack("chat.update", gone).await["error"], "message_not_found");
    let form = [
        ("channel", "#releases"),
        ("text", "a & b"),
        ("metadata", r#"{"event_type":"t","event_payload":{}}"#),
    ];
    let address = format!("{}/api/chat.postMessage", world.sandbox.endpoints.slack);
    let request = world.client.post(address).bearer_auth(&world.sandbox.credentials.slack_token).form(&form);
    let (_, posted) = read(request.send().await.unwrap()).await;
    assert_eq!(posted["channel"], CHANNEL);
    let messages = world.model().slack_messages(CHANNEL).unwrap();
    assert_eq!(
        (&messages[0]["text"], &messages[0]["metadata"]["event_type"]),
        (&json!("a & b"), &json!("t"))
    );
}

#[tokio::test]
async fn slack_asks_for_the_scope_of_each_method_and_takes_no_unknown_argument() {
    let world = World::start().await;
    let arguments = |method: &str| match method {
        "chat.postMessage" => json!({"channel": CHANNEL, "text": "x"}),
        "conversations.replies" => json!({"channel": CHANNEL, "ts": "1.0"}),
        "files.getUploadURLExternal" => json!({"filename": "x.png", "length": 1}),
        _ => json!({"channel": CHANNEL}),
    };
    let needs = [
        ("chat.postMessage", "chat:write"),
        ("conversations.history", "channels:history"),
        ("conversations.replies", "channels:history"),
        ("conversations.info", "channels:read"),
        ("files.getUploadURLExternal", "files:write"),
    ];
    for (method, scope) in needs {
        let (status, _) =
            world.control(Method::PUT, "/slack/token", json!({"scopes": ["groups:read"]})).await;
        assert_eq!(status, 204);
        let refused = world.slack(method, arguments(method)).await;
        let expected =
            json!({"ok": false, "error": "missing_scope", "needed": scope, "provided": "groups:read"});
        assert_eq!(refused, expected, "{method}");
        world.model().set_slack_scopes(vec![scope.to_owned()]);
        assert_ne!(world.slack(method, arguments(method)).await["error"], "missing_scope", "{method}");
        let mut misspelt = arguments(method);
        misspelt["chanel"] = json!("x");
        assert_eq!(world.slack(method, misspelt).await["error"], "invalid_arg_name", "{method}");
    }
    assert_eq!(world.slack("auth.test", json!({})).await["ok"], true);
}

#[tokio::test]
async fn slack_knows_who_may_see_and_write_where() {
    let world = World::start().await;
    let add = |id: &str, visibility, access| {
        let seed = ChannelSeed { visibility, access, ..ChannelSeed::new(id, &id.to_lowercase()) };
        world.model().add_slack_channel(seed).unwrap();
    };
    add("C0PUBLIC", ChannelVisibility::Public, ChannelAccess::NotInChannel);
    add("C0SECRET", ChannelVisibility::Private, ChannelAccess::NotInChannel);
    add("C0MEMBERS", ChannelVisibility::Private, ChannelAccess::Member);
    let post = async |id: &str| {
        let posted = world.slack("chat.postMessage", json!({"channel": id, "text": "x"})).await;
        posted["error"].as_str().unwrap_or("ok").to_owned()
    };
    assert_eq!([post("C0PUBLIC").await, post("C0SECRET").await], ["not_in_channel", "channel_not_found"]);
    world
        .model()
        .set_slack_scopes(["chat:write", "chat:write.public", "channels:read"].map(str::to_owned).to_vec());
    assert_eq!([post("C0PUBLIC").await, post("C0SECRET").await], ["ok", "channel_not_found"]);
    let described = world.slack("conversations.info", json!({"channel": "C0PUBLIC"})).await;
    assert_eq!(
        (&described["channel"]["is_member"], &described["channel"]["is_private"]),
        (&json!(false), &json!(false))
    );
    let private = world.slack("conversations.info", json!({"channel": "C0MEMBERS"})).await;
    assert_eq!(private["needed"], "groups:read");
    let broadcast = json!({"channel": CHANNEL, "text": "x", "reply_broadcast": true});
    assert_eq!(world.slack("chat.postMessage", broadcast).await["error"], "invalid_arguments");
    let bad = json!({"channel": CHANNEL, "text": "x", "blocks": [{"type": "header"}]});
    let refused = world.slack("chat.postMessage", bad).await;
    assert!(refused["response_metadata"]["messages"][0].as_str().unwrap().contains("/blocks/0"), "{refused}");
}

#[tokio::test]
async fn slack_answers_429_beyond_the_posts_of_a_second() {
    let world = World::start().await;
    world.control(Method::PUT, "/slack/limit", json!({"posts_per_second": 1})).await;
    let post = async || {
        let address = format!("{}/api/chat.postMessage", world.sandbox.endpoints.slack);
        let request = world.client.post(address).bearer_auth(&world.sandbox.credentials.slack_token);
        request.json(&json!({"channel": CHANNEL, "text": "x"})).send().await.unwrap()
    };
    // Two seconds may touch in a run of three posts, never in two such runs of it.
    let mut limited = None;
    for _ in 0..6 {
        let answer = post().await;
        if answer.status() == 429 {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.unwrap();
    assert_eq!(limited.headers()["retry-after"], "1");
    assert_eq!(read(limited).await.1["error"], "ratelimited");
}

#[tokio::test]
async fn a_webhook_of_slack_posts_for_whoever_knows_it() {
    const SECRET: &str = "/services/T0SANDBOX1/B0000000003/canary";
    let world = World::start().await;
    world.model().add_slack_channel(ChannelSeed::new("C0000000003", "hooked").with_webhook(SECRET)).unwrap();
    let post = async |path: &str, body: Value, token: Option<&str>| {
        let request = world.client.post(format!("{}{path}", world.sandbox.endpoints.slack)).json(&body);
        let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let expect = |status: u16, word: &str| (status, word.to_owned());
    assert_eq!(post(SECRET, json!({"text": "hi"}), None).await, expect(200, "ok"));
    assert_eq!(post("/services/T/B/X", json!({"text": "hi"}), None).await, expect(404, "no_service"));
    assert_eq!(post(SECRET, json!({}), None).await, expect(400, "no_text"));
    assert_eq!(
        post(SECRET, json!({"text": "hi", "channel": "C9"}), None).await,
        expect(400, "invalid_payload")
    );
    let blocks = json!({"blocks": [{"type": "section"}]});
    assert_eq!(post(SECRET, blocks, None).await, expect(400, "invalid_blocks"));
    assert_eq!(post(SECRET, json!({"text": "hi"}), Some("xoxb-1")).await, expect(403, "invalid_token"));
    world.model().set_slack_access("C0000000003", ChannelAccess::Archived).unwrap();
    assert_eq!(post(SECRET, json!({"text": "hi"}), None).await, expect(410, "channel_is_archived"));
    assert_eq!(world.model().slack_messages("C0000000003").unwrap().len(), 1);
    let logged = serde_json::to_string(&world.model().requests()).unwrap();
    assert!(!logged.contains("canary"), "the address is a secret: {logged}");
}

#[tokio::test]
async fn faults_before_the_effect_leave_the_model_alone() {
    let world = World::start().await;
    let kinds = [
        FaultKind::Status(CannedReply::status(503).with_header("retry-after", "7")),
        FaultKind::Close,
        FaultKind::Html,
        FaultKind::Redirect { location: "http://127.0.0.2:9/".to_owned() },
    ];
    kinds.into_iter().for_each(|kind| world.model().add_fault(Fault::new(Service::GooglePlay, kind)));
    let post = async || world.try_play(Method::POST, "/edits", Some(json!({}))).await;
    let unavailable = post().await.unwrap();
    assert_eq!(unavailable.headers()["retry-after"], "7");
    assert_eq!(read(unavailable).await.1["error"]["status"], "UNAVAILABLE");
    assert!(post().await.is_err(), "the connection is closed");
    let page = post().await.unwrap();
    assert!(page.status() == 200 && page.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    let elsewhere = post().await.unwrap();
    assert_eq!(
        (elsewhere.status().as_u16(), &elsewhere.headers()["location"]),
        (307, &"http://127.0.0.2:9/".parse().unwrap())
    );
    assert_eq!(world.model().state()["play"][PACKAGE]["openEdits"], 0);
    assert!(world.model().requests().iter().all(|request| request.fault));
    assert_eq!(world.model().requests()[1].status, None);
    assert_eq!(post().await.unwrap().status(), 200, "the script is over");
}

#[tokio::test]
async fn faults_after_the_effect_lose_only_the_answer() {
    let world = World::start().await;
    let post = async |text: &str| {
        let address = format!("{}/api/chat.postMessage", world.sandbox.endpoints.slack);
        let request = world.client.post(address).bearer_auth(&world.sandbox.credentials.slack_token);
        request.json(&json!({"channel": CHANNEL, "text": text})).send().await
    };
    let kinds = [
        FaultKind::StatusAfter(CannedReply::status(500)),
        FaultKind::CloseAfter,
        FaultKind::Truncated,
        FaultKind::Slow { byte_interval_ms: 1 },
    ];
    kinds.into_iter().for_each(|kind| world.model().add_fault(Fault::new(Service::Slack, kind)));
    assert_eq!(post("one").await.unwrap().status(), 500);
    assert!(post("two").await.is_err(), "the connection is closed");
    let truncated = post("three").await.unwrap();
    assert_eq!(truncated.status(), 200);
    assert!(truncated.text().await.is_err(), "the body ends early");
    let started = time::wall_clock();
    let slow = read(post("four").await.unwrap()).await.1;
    assert_eq!(slow["ok"], true);
    assert!(time::wall_clock().duration_since(started) >= SignedDuration::from_millis(200));
    let messages = world.model().slack_messages(CHANNEL).unwrap();
    let texts: Vec<&str> = messages.iter().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn hanging_requests_hang_until_the_sandbox_ends() {
    let world = World::start().await;
    let script = json!([
        {"service": "google-play", "method": "POST", "path_contains": "/edits", "kind": "hang"},
        {"service": "google-play", "after_matches": 1, "kind": "hang-after"},
    ]);
    assert_eq!(world.control(Method::POST, "/faults", script).await.0, 204);
    let post = async || {
        tokio::time::timeout(Duration::from_millis(100), world.try_play(Method::POST, "/edits", None)).await
    };
    assert!(post().await.is_err());
    assert_eq!(world.model().state()["play"][PACKAGE]["openEdits"], 0);
    assert!(post().await.unwrap().is_ok(), "the second fault lets one pass");
    assert!(post().await.is_err());
    let (_, first) = world.play(Method::GET, &format!("/edits/{:020}", 1), None).await;
    assert_eq!(first["error"]["message"], "This Edit has been deleted.", "the last one took effect");
    world.model().add_fault(Fault::new(Service::Slack, FaultKind::Hang));
    let address = format!("{}/api/auth.test", world.sandbox.endpoints.slack);
    let hanging = tokio::spawn(world.client.post(address).send());
    while world.model().faults().iter().any(|fault| fault.count > 0) {
        tokio::task::yield_now().await;
    }
    world.sandbox.shutdown().await;
    assert!(hanging.await.unwrap().is_err(), "the connection is closed");
}

#[tokio::test]
async fn the_request_log_keeps_bodies_in_order_and_no_token() {
    let world = World::start().await;
    world.publish(json!([release(200, "halted", Some(0.15))])).await.unwrap();
    world.slack("chat.postMessage", json!({"channel": CHANNEL, "text": "halted"})).await;
    let (_, log) = world.control(Method::GET, "/requests", Value::Null).await;
    let requests = log["requests"].as_array().unwrap();
    let seen: Vec<(&str, &str)> = requests
        .iter()
        .map(|request| (request["service"].as_str().unwrap(), request["method"].as_str().unwrap()))
        .collect();
    let play = |method| ("google-play", method);
    assert_eq!(seen, [play("POST"), play("PUT"), play("POST"), play("POST"), ("slack", "POST")]);
    assert_eq!(requests[1]["body"]["releases"][0]["status"], "halted");
    assert_eq!((&log["total"], &requests[4]["status"]), (&json!(5), &json!(200)));
    assert!(!log.to_string().contains(&world.play_token) && !log.to_string().contains("xoxb"));
    world.control(Method::DELETE, "/requests", Value::Null).await;
    assert!(world.model().requests().is_empty());
}

#[tokio::test]
async fn the_control_surface_sets_up_and_explains_refusals() {
    let world = World::start().await;
    let (_, state) = world.control(Method::GET, "/state", Value::Null).await;
    assert_eq!(state["now"], START);
    world.control(Method::POST, "/now", json!({"now": "2026-03-02T11:00:00Z"})).await;
    let (_, state) = world.control(Method::GET, "/state", Value::Null).await;
    assert_eq!(state["asc"][0]["versions"][1]["phasedRelease"]["currentDayNumber"], 2);
    let app = json!({"package": "com.new", "tracks": [{"track": "beta", "releases": []}]});
    assert_eq!(world.control(Method::POST, "/play/apps", app.clone()).await.0, 204);
    assert_eq!(world.control(Method::POST, "/play/apps", app).await.0, 409);
    let kept = json!({"versionCodes": ["7"], "status": "completed", "futureField": [1]});
    let path = "/play/apps/com.new/tracks/beta";
    assert_eq!(world.control(Method::PUT, path, json!({"releases": [kept]})).await.0, 204);
    assert_eq!(world.model().state()["play"]["com.new"]["tracks"][0]["releases"][0], kept);
    let (status, unknown) =
        world.control(Method::PUT, "/play/apps/com.nope/tracks/beta", json!({"releases": []})).await;
    assert_eq!(status, 404);
    assert_eq!(unknown["error"], "unknown package com.nope; known are: com.example.app, com.new");
    let app = json!({"bundle_id": "com.ios", "versions": [
        {"version": "1.0", "build": "5", "state": "READY_FOR_DISTRIBUTION",
            "phased_release": {"state": "PAUSED", "start_date": START, "paused_days": 3}}]});
    assert_eq!(world.control(Method::POST, "/asc/apps", app).await.0, 204);
    let phased = world.model().state()["asc"][1]["versions"][0]["phasedRelease"].clone();
    assert_eq!((&phased["phasedReleaseState"], &phased["totalPauseDuration"]), (&json!("PAUSED"), &json!(3)));
    let channel = json!({"id": "C0000000003", "name": "new", "access": "archived"});
    assert_eq!(world.control(Method::POST, "/slack/channels", channel).await.0, 204);
    let (status, wrong) =
        world.control(Method::POST, "/faults", json!({"service": "slack", "kind": "x"})).await;
    assert!(status == 400 && wrong["error"].as_str().unwrap().contains("hang-after"), "{wrong}");
    assert_eq!(world.control(Method::GET, "/nothing", Value::Null).await.0, 404);
}
