//! App recovery: the real binary against the sandbox, and every kind of call for the check against the description.

use reqwest::{Client, Method};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, LoggedRequest, Service};

use crate::play_faults::play_token;
use crate::town::{Apps, Events, Town};

const PACKAGE: &str = "com.example.app";

async fn town(events: Events, mode: &str) -> Town {
    let town = Town::new(Apps::Android, events).await;
    let section = format!("[google_play]\napp_recovery = \"{mode}\"\n");
    let text = town.configuration().replace("[google_play]\n", &section);
    std::fs::write(town.path("tidegate.toml"), text).unwrap();
    town
}

impl Town {
    fn recoveries(&self) -> Vec<Value> {
        self.sandbox.model().state()["play"][PACKAGE]["recoveries"].as_array().unwrap().clone()
    }

    async fn recovery_call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let token = play_token(self).get().await.unwrap();
        let address = format!(
            "{}/androidpublisher/v3/applications/{PACKAGE}/appRecoveries{path}",
            self.sandbox.endpoints.google_play
        );
        let request = Client::new().request(method, address).bearer_auth(token.expose_secret());
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }
}

fn draft_for(codes: &[&str]) -> Value {
    json!({
        "remoteInAppUpdate": {"isRemoteInAppUpdateRequested": true},
        "targeting": {"versionList": {"versionCodes": codes}, "regions": {"regionCode": ["DE"]}},
    })
}

/// The calls of a halt with app recovery, and those that only a person makes.
pub async fn every_kind_of_call() -> Vec<LoggedRequest> {
    let town = town(Events::Bad, "deploy").await;
    assert_eq!(town.monitor(&[]).await.code(), 0);
    let (_, made) = town.recovery_call(Method::POST, "", Some(draft_for(&["100"]))).await;
    let id = made["appRecoveryId"].as_str().unwrap();
    let more = json!({"targetingUpdate": {"regions": {"regionCode": ["FR"]}}});
    let steps = [
        (Method::POST, format!("/{id}:addTargeting"), Some(more), 200),
        (Method::POST, format!("/{id}:deploy"), Some(json!({})), 200),
        (Method::POST, format!("/{id}:deploy"), Some(json!({})), 400),
        (Method::POST, format!("/{id}:cancel"), Some(json!({})), 200),
        (Method::GET, "?versionCode=100".to_owned(), None, 200),
        (Method::GET, String::new(), None, 400),
        (Method::POST, String::new(), Some(draft_for(&["7"])), 404),
    ];
    for (method, path, body, expected) in steps {
        let (status, answer) = town.recovery_call(method, &path, body).await;
        assert_eq!(status, expected, "{path}: {answer}");
    }
    town.sandbox.model().requests()
}

#[tokio::test]
async fn a_confirmed_halt_drafts_an_action_and_deploys_it_only_where_that_is_wanted() {
    for (mode, status) in [("draft", "RECOVERY_STATUS_DRAFT"), ("deploy", "RECOVERY_STATUS_ACTIVE")] {
        let town = town(Events::Bad, mode).await;
        let ran = town.monitor(&[]).await;
        assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
        for _ in 0..2 {
            let recoveries = town.recoveries();
            assert_eq!(recoveries.len(), 1, "{recoveries:?}");
            assert_eq!(recoveries[0]["status"], status);
            assert_eq!(recoveries[0]["targeting"], json!({"versionList": {"versionCodes": ["200"]}}));
            assert_eq!(town.monitor(&[]).await.code(), 0);
        }
        let id = town.recoveries()[0]["appRecoveryId"].as_str().unwrap().to_owned();
        assert!(ran.stderr().contains(&id) && ran.stderr().contains("devices=0"), "{}", ran.stderr());
        assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
    }
}

#[tokio::test]
async fn nothing_is_recovered_without_a_halt_that_the_store_shows() {
    let off = town(Events::Bad, "off").await;
    off.monitor(&[]).await;
    assert_eq!((off.store_status().as_str(), off.recoveries()), ("halted", Vec::new()));
    for events in [Events::Good, Events::Doubtful] {
        let town = town(events, "deploy").await;
        town.monitor(&[]).await;
        assert_eq!(town.recoveries(), Vec::<Value>::new());
    }
    let refused = town(Events::Bad, "deploy").await;
    let fault = FaultKind::Status(CannedReply::status(403));
    refused.sandbox.model().add_fault(Fault::new(Service::GooglePlay, fault).on("PUT", "/tracks/"));
    refused.monitor(&[]).await;
    assert_eq!((refused.store_status().as_str(), refused.recoveries()), ("inProgress", Vec::new()));
}

#[tokio::test]
async fn an_action_that_is_there_is_taken_and_never_made_twice() {
    let town = town(Events::Bad, "deploy").await;
    town.recovery_call(Method::POST, "", Some(draft_for(&["100", "200"]))).await;
    town.monitor(&[]).await;
    let recoveries = town.recoveries();
    assert_eq!((recoveries.len(), &recoveries[0]["status"]), (1, &json!("RECOVERY_STATUS_ACTIVE")));
}

#[tokio::test]
async fn an_action_that_a_person_cancelled_stays_cancelled() {
    let town = town(Events::Bad, "deploy").await;
    let (_, made) = town.recovery_call(Method::POST, "", Some(draft_for(&["200"]))).await;
    let id = made["appRecoveryId"].as_str().unwrap();
    for action in ["deploy", "cancel"] {
        town.recovery_call(Method::POST, &format!("/{id}:{action}"), Some(json!({}))).await;
    }
    assert_eq!(town.monitor(&[]).await.code(), 0);
    let recoveries = town.recoveries();
    assert_eq!((recoveries.len(), &recoveries[0]["status"]), (1, &json!("RECOVERY_STATUS_CANCELED")));
}

#[tokio::test]
async fn whatever_gets_lost_there_is_one_action_in_the_end() {
    let lost = || FaultKind::StatusAfter(CannedReply::status(503));
    let refused = || FaultKind::Status(CannedReply::status(503));
    let faults: [(&str, FaultKind, &str); 5] = [
        ("the answer to the creation", lost(), "/appRecoveries"),
        ("the creation", refused(), "/appRecoveries"),
        ("the answer to the deployment", lost(), ":deploy"),
        ("the deployment", refused(), ":deploy"),
        ("a broken connection", FaultKind::CloseAfter, "/appRecoveries"),
    ];
    for (name, kind, path) in faults {
        let town = town(Events::Bad, "deploy").await;
        town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, kind).on("POST", path));
        let ran = town.monitor(&[]).await;
        assert_eq!((ran.code(), ran.result()["acted"].clone()), (3, json!(true)), "{name}: {}", ran.stderr());
        assert_eq!(town.monitor(&[]).await.code(), 0, "{name}");
        let recoveries = town.recoveries();
        assert_eq!(recoveries.len(), 1, "{name}: {recoveries:?}");
        assert_eq!(recoveries[0]["status"], "RECOVERY_STATUS_ACTIVE", "{name}");
        assert_eq!(town.messages().len(), 1, "{name}: {:?}", town.messages());
    }
}
