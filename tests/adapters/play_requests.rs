//! What a run asks of Google Play: nothing more than a list where nothing is rolling out, and everything again as soon as
//! that is in doubt.

use serde_json::{Value, json};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, LoggedRequest, Service};

use crate::support::{SESSIONS, session, with};
use crate::town::{Apps, Events, Ran, Town, hours_later};

const PACKAGE: &str = "com.example.app";

fn completed(code: u32) -> Value {
    json!({"name": code.to_string(), "versionCodes": [code.to_string()], "status": "completed"})
}

fn with_status(code: u32, status: &str) -> Value {
    json!({"name": code.to_string(), "versionCodes": [code.to_string()], "status": status})
}

/// A town where everybody has version 200.
async fn quiet_town(more: &[Value]) -> Town {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let releases = [completed(200)].into_iter().chain(more.iter().cloned()).collect();
    town.sandbox.model().console_change(PACKAGE, "production", releases).unwrap();
    town
}

async fn run_after(town: &Town, hours: i64) -> Ran {
    let ran = town.run_at(&hours_later(hours)).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    ran
}

impl Town {
    /// What Google Play is asked in one run, as method and the end of the path.
    async fn asks(&self, hours: i64) -> Vec<String> {
        self.sandbox.model().clear_requests();
        run_after(self, hours).await;
        let asked = self.sandbox.model().requests().into_iter();
        let asked = asked.filter(|request| request.service == Service::GooglePlay);
        let path =
            |request: &LoggedRequest| request.path.split(PACKAGE).nth(1).unwrap_or_default().to_owned();
        asked.map(|request| format!("{} {}", request.method, path(&request))).collect()
    }
}

/// The calls of a run that finds nothing new, for the check against the official description.
pub async fn idle() -> Vec<LoggedRequest> {
    let town = quiet_town(&[]).await;
    run_after(&town, 0).await;
    run_after(&town, 0).await;
    town.sandbox.model().requests()
}

#[tokio::test]
async fn where_everything_is_completed_one_request_without_an_edit_is_enough() {
    let town = quiet_town(&[with_status(300, "draft")]).await;
    assert_eq!(town.asks(0).await.len(), 3, "an edit is opened, read and thrown away");
    for _ in 0..3 {
        assert_eq!(town.asks(0).await, ["GET /tracks/production/releases"]);
    }
    let after_an_hour = town.asks(1).await;
    assert!(after_an_hour.iter().any(|asked| asked == "POST /edits"), "{after_an_hour:?}");
    assert_eq!(town.asks(1).await, ["GET /tracks/production/releases"]);
}

#[tokio::test]
async fn sessions_of_testers_before_the_last_list_do_not_belong_to_a_rollout() {
    let town = quiet_town(&[]).await;
    for hours in [-50, -49] {
        // At the first, everything is looked at; at the second, half an hour before the rollout, the list is enough.
        let at = hours_later(hours).replace(":00:00Z", if hours == -50 { ":45:00Z" } else { ":30:00Z" });
        assert_eq!(town.run_at(&at).await.code(), 0);
    }
    let staged = json!({"name": "3.0", "versionCodes": ["300"], "status": "inProgress", "userFraction": 0.1});
    town.sandbox.model().console_change(PACKAGE, "production", vec![completed(200), staged]).unwrap();
    let of_300 = |id: &str, at: &str| {
        with(session(id, at), json!({"application": {"build_version": "300", "display_version": "3.0"}}))
    };
    town.fixture.import(
        SESSIONS,
        &[of_300("tester", "2026-11-16T11:15:00Z"), of_300("user", "2026-11-16T11:40:00Z")],
    );
    let ran = town.run_at("2026-11-16T12:00:00Z").await;
    assert_eq!(ran.result()["sessions"], 1, "{}", ran.stdout());
}

#[tokio::test]
async fn whatever_a_person_starts_is_seen_at_once() {
    let staged = |code: u32| json!({"name": code.to_string(), "versionCodes": [code.to_string()], "status": "inProgress", "userFraction": 0.1});
    let drafted = with_status(300, "draft");
    let cases: [(&str, Vec<Value>); 5] = [
        ("a new release", vec![completed(200), staged(400)]),
        ("the draft", vec![completed(200), staged(300)]),
        ("a completed one is halted", vec![completed(100), with_status(200, "halted"), drafted.clone()]),
        ("a completed one is staged again", vec![completed(100), staged(200), drafted.clone()]),
        ("another draft", vec![completed(200), drafted.clone(), with_status(400, "draft")]),
    ];
    for (name, releases) in cases {
        let town = quiet_town(std::slice::from_ref(&drafted)).await;
        town.asks(0).await;
        town.sandbox.model().console_change(PACKAGE, "production", releases).unwrap();
        let asked = town.asks(0).await;
        assert!(asked.len() > 3 && asked[0] == "GET /tracks/production/releases", "{name}: {asked:?}");
    }
}

#[tokio::test]
async fn while_something_rolls_out_or_is_halted_the_list_is_not_even_asked_for() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    for _ in 0..2 {
        let asked = town.asks(0).await;
        assert_eq!(asked.len(), 3, "{asked:?}");
    }
    let halted = Town::new(Apps::Android, Events::Bad).await;
    assert_eq!(halted.asks(0).await.len(), 13, "look, look again, transaction, read back");
    assert_eq!(halted.asks(0).await.len(), 3);
}

#[tokio::test]
async fn a_list_that_can_not_be_had_or_is_odd_leads_to_a_full_look() {
    let odd = CannedReply::status(200).with_body(json!({"unexpected": true}));
    for fault in [FaultKind::Status(CannedReply::status(403)), FaultKind::Html, FaultKind::Status(odd)] {
        let town = quiet_town(&[]).await;
        town.asks(0).await;
        town.sandbox
            .model()
            .add_fault(Fault::new(Service::GooglePlay, fault).on("GET", "/releases").times(9));
        let asked = town.asks(0).await;
        assert!(asked.iter().any(|asked| asked == "POST /edits"), "{asked:?}");
    }
}
