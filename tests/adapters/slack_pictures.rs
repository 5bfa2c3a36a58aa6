//! Pictures in Slack, from the adapter to the sandbox: shown once, in the channel or in a thread, and the token of the
//! bot goes to Slack's own methods alone.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tidegate::adapters::clock::steady;
use tidegate::adapters::http::{self, Service as Remote};
use tidegate::adapters::slack::{Asked, Slack};
use tidegate::domain::outbox::Posted;
use tidegate::ports::{Effect, Image, Notifier, Outlook, PortError};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, LoggedRequest, Service};

use crate::town::{Apps, CHANNEL, Events, Town};

fn image() -> Image {
    let bytes = b"\x89PNG\r\n\x1a\n, or so".to_vec();
    Image { name: "report.png".into(), title: "Wednesday".into(), alt: "A line that rises".into(), bytes }
}

fn channel(town: &Town) -> Slack {
    let service = Remote::new("Slack", town.sandbox.endpoints.slack.clone(), http::client().unwrap());
    let token = SecretString::from(town.sandbox.credentials.slack_token.clone());
    Slack::new(service, token, CHANNEL.to_owned(), steady() + Duration::from_secs(20))
}

async fn upload(town: &Town, parent: Option<&Posted>) -> Result<String, PortError> {
    let notifier: Box<dyn Notifier> = Box::new(channel(town));
    notifier.upload(&image(), parent).await
}

fn shown(town: &Town) -> Vec<Value> {
    town.sandbox.model().slack_messages(CHANNEL).unwrap()
}

/// Every method of Slack's that no run of a job calls: for the check against the descriptions.
pub async fn every_kind_of_call() -> Vec<LoggedRequest> {
    let town = Town::new(Apps::Android, Events::Good).await;
    let slack = channel(&town);
    assert!(matches!(slack.channel().await.unwrap(), Asked::Answered(channel) if channel.name == "releases"));
    assert_eq!(slack.look_into_channel().await.unwrap(), Asked::Answered(()));
    assert_eq!(slack.bot().await.unwrap().name, "tidegate");
    upload(&town, None).await.unwrap();
    town.sandbox.model().set_slack_scopes(Vec::new());
    upload(&town, None).await.unwrap_err();
    assert!(matches!(slack.channel().await.unwrap(), Asked::LacksScope(Some(_))));
    // The bytes of a file go to an address that no description knows.
    let calls = town.sandbox.model().requests().into_iter();
    calls.filter(|call| call.path.starts_with("/api/")).collect()
}

#[tokio::test]
async fn a_picture_comes_whole_and_is_shown_once() {
    let town = Town::new(Apps::Android, Events::Good).await;
    let id = upload(&town, None).await.unwrap();
    let messages = shown(&town);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["files"], json!([{"id": id, "name": "report.png", "title": "Wednesday"}]));
    let file = &town.sandbox.model().slack_files()[0];
    assert_eq!((&file["alt_txt"], &file["shown"]), (&json!("A line that rises"), &json!(true)));
    assert_eq!(
        file["sha256"], "c40a40eb1b45c12e3c548565f8f50def5bea6c030ff875a40752fbabcf3c7468",
        "to the last byte"
    );
}

#[tokio::test]
async fn a_picture_can_be_a_reply() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let ts = shown(&town)[0]["ts"].as_str().unwrap().to_owned();
    let parent = |channel: &str| Posted { channel: channel.to_owned(), id: ts.clone(), thread: None };
    upload(&town, Some(&parent(CHANNEL))).await.unwrap();
    upload(&town, Some(&parent("C0ELSEWHERE"))).await.unwrap();
    let messages = shown(&town);
    assert_eq!((messages.len(), messages[1]["thread_ts"].as_str()), (3, Some(ts.as_str())));
    assert!(messages[2].get("thread_ts").is_none(), "a parent elsewhere is none");
}

#[tokio::test]
async fn after_a_lost_answer_a_picture_is_not_shown_again_and_the_error_says_so() {
    let town = Town::new(Apps::Android, Events::Good).await;
    let lost = Fault::new(Service::Slack, FaultKind::CloseAfter).on("POST", "files.completeUploadExternal");
    town.sandbox.model().add_fault(lost);
    let error = upload(&town, None).await.unwrap_err();
    assert_eq!(error.effect, Effect::Unclear);
    assert!(error.fix.contains("not shown a second time"), "{error}");
    assert_eq!(shown(&town).len(), 1);
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_picture_is_named() {
    let town = Town::new(Apps::Android, Events::Good).await;
    town.sandbox.model().set_slack_scopes(vec!["chat:write".to_owned()]);
    let error = upload(&town, None).await.unwrap_err();
    assert_eq!(error.outlook, Outlook::Lasting);
    assert!(error.to_string().contains("needed files:write, provided chat:write"), "{error}");

    town.sandbox.model().set_slack_scopes(vec!["files:write".to_owned()]);
    let refused =
        Fault::new(Service::Slack, FaultKind::Status(CannedReply::status(500))).on("POST", "/upload/");
    town.sandbox.model().add_fault(refused);
    let error = upload(&town, None).await.unwrap_err();
    assert!(error.effect == Effect::None && error.fix.contains("nothing was shown"), "{error}");
    assert!(!error.to_string().contains("F0SANDBOX"), "the address is a secret: {error}");
    assert!(shown(&town).is_empty());
}

#[tokio::test]
async fn an_address_that_is_not_slacks_gets_nothing() {
    let town = Town::new(Apps::Android, Events::Good).await;
    let elsewhere =
        json!({"ok": true, "upload_url": "https://files.slack.com.evil.example/", "file_id": "F1"});
    let reply = FaultKind::Status(CannedReply::status(200).with_body(elsewhere));
    town.sandbox.model().add_fault(Fault::new(Service::Slack, reply).on("POST", "getUploadURLExternal"));
    let error = upload(&town, None).await.unwrap_err();
    assert!(error.what.contains("nothing was sent there") && !error.what.contains("evil"), "{error}");
    assert_eq!(town.sandbox.model().requests().len(), 1);
}
