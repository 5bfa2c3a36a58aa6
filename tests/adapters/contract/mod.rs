//! Every call of whole runs against the vendors' official descriptions, from both sides: what the adapters send, and
//! what the sandbox answers. What a description does not name fails, unless it stands in the list of known gaps; a gap
//! that no call needs fails too, so the list can only describe what is so. Then every call is spoiled in several ways,
//! and each must be found, so that the test can't pass by understanding nothing.
//!
//! The descriptions are not part of the project. `API_SPECS_DIR` names the folder that has them.

mod description;
mod discovery;
mod listed;
mod openapi;
mod schema;
mod slack;
mod swagger;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, LoggedRequest, PhasedReleaseState, Service};

use self::description::Description;
use self::schema::Problem;
use crate::asc_faults;
use crate::bigquery::sandbox;
use crate::bigquery_surface;
use crate::github;
use crate::slack_pictures;
use crate::support::{CRASHES, crash};
use crate::town::{Apps, CHANNEL, Events, Town};
use crate::{play_recovery, play_requests};

/// Where a description lags behind the service: place, kind of problem, reason. Slack's is of 2021.
const GAPS: &[(&str, &str, &str)] = &[
    ("GET /api/conversations.history reply 200.messages", "shorter than described", EMPTY),
    ("POST /repos/{owner}/{repo}/dispatches request.event_type", "more than described", TOO_LONG),
    ("GET /api/conversations.history query include_all_metadata", "not described", METADATA),
    ("GET /api/conversations.history reply 200.messages[].metadata", "not described", METADATA),
    ("GET /api/conversations.replies query include_all_metadata", "not described", METADATA),
    ("GET /api/conversations.replies reply 200.messages[].metadata", "not described", METADATA),
    ("GET /api/conversations.replies reply 200.messages[].blocks", "not described", REPLIES),
    ("POST /api/chat.postMessage request.metadata", "not described", METADATA),
    ("POST /api/chat.postMessage reply 200.message.metadata", "not described", METADATA),
    ("POST /api/chat.postMessage request.blocks", "of another type than described", FORM),
    ("POST /api/chat.update request.metadata", "not described", METADATA),
    ("POST /api/chat.update request.blocks", "of another type than described", FORM),
    ("POST /api/chat.update reply 200.message.blocks", "of another type than described", BLOCKS),
    ("POST /api/chat.update reply 200.message.user", "not described", USER),
];
const EMPTY: &str = "the description wants a message in every history, and a new channel has none";
const TOO_LONG: &str = "a test sends one that is too long, to see it refused";
const METADATA: &str = "younger than the description: https://docs.slack.dev/messaging/message-metadata";
const REPLIES: &str = "messages of a thread are messages as in the history, where the description has blocks";
const FORM: &str = "the description knows the text of a form; in a JSON body blocks are an array";
const BLOCKS: &str =
    "the description says object; Slack's own SDK types it as an array, as in every other message";
const USER: &str = "the schema lacks it, and the example that the description gives for this reply has it";

/// Calls that must have been checked, with the status of their replies: without them a flow went another way.
const MUST_BE_SEEN: &[&str] = &[
    "GET /user 200",
    "GET /user 403",
    "GET /repos/{owner}/{repo} 200",
    "GET /repos/{owner}/{repo}/issues 200",
    "GET /repos/{owner}/{repo}/issues 404",
    "POST /repos/{owner}/{repo}/issues 201",
    "POST /repos/{owner}/{repo}/issues 403",
    "POST /repos/{owner}/{repo}/issues 404",
    "POST /repos/{owner}/{repo}/issues 410",
    "POST /repos/{owner}/{repo}/issues 422",
    "POST /repos/{owner}/{repo}/issues 503",
    "POST /repos/{owner}/{repo}/issues unanswered",
    "GET /repos/{owner}/{repo}/issues/{issue_number} 200",
    "GET /repos/{owner}/{repo}/issues/{issue_number} 404",
    "PATCH /repos/{owner}/{repo}/issues/{issue_number} 200",
    "GET /repos/{owner}/{repo}/issues/{issue_number}/comments 200",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/comments 201",
    "GET /repos/{owner}/{repo}/deployments 200",
    "POST /repos/{owner}/{repo}/deployments 201",
    "POST /repos/{owner}/{repo}/deployments 202",
    "POST /repos/{owner}/{repo}/deployments 422",
    "GET /repos/{owner}/{repo}/deployments/{deployment_id}/statuses 200",
    "POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses 201",
    "POST /repos/{owner}/{repo}/dispatches 204",
    "POST /repos/{owner}/{repo}/dispatches 404",
    "POST /repos/{owner}/{repo}/dispatches 422",
    "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches 200",
    "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches 204",
    "POST /androidpublisher/v3/applications/{packageName}/edits 200",
    "GET /androidpublisher/v3/applications/{packageName}/edits/{editId}/tracks/{track} 200",
    "GET /androidpublisher/v3/applications/{packageName}/edits/{editId}/tracks/{track} 404",
    "PUT /androidpublisher/v3/applications/{packageName}/edits/{editId}/tracks/{track} 200",
    "PUT /androidpublisher/v3/applications/{packageName}/edits/{editId}/tracks/{track} 400",
    "PUT /androidpublisher/v3/applications/{packageName}/edits/{editId}/tracks/{track} 403",
    "PUT /androidpublisher/v3/applications/{packageName}/edits/{editId}/tracks/{track} 409",
    "POST /androidpublisher/v3/applications/{packageName}/edits/{editId}:commit 200",
    "DELETE /androidpublisher/v3/applications/{packageName}/edits/{editId} 204",
    "GET /androidpublisher/v3/applications/{applicationsId}/tracks/{tracksId}/releases 200",
    "GET /androidpublisher/v3/applications/{packageName}/appRecoveries 200",
    "GET /androidpublisher/v3/applications/{packageName}/appRecoveries 400",
    "POST /androidpublisher/v3/applications/{packageName}/appRecoveries 200",
    "POST /androidpublisher/v3/applications/{packageName}/appRecoveries 404",
    "POST /androidpublisher/v3/applications/{packageName}/appRecoveries/{appRecoveryId}:deploy 200",
    "POST /androidpublisher/v3/applications/{packageName}/appRecoveries/{appRecoveryId}:deploy 400",
    "POST /androidpublisher/v3/applications/{packageName}/appRecoveries/{appRecoveryId}:addTargeting 200",
    "POST /androidpublisher/v3/applications/{packageName}/appRecoveries/{appRecoveryId}:cancel 200",
    "GET /v1/apps 200",
    "GET /v1/apps 401",
    "GET /v1/apps/{id}/appStoreVersions 200",
    "GET /v1/apps/{id}/appStoreVersions 404",
    "GET /v1/appStoreVersions/{id}/appStoreVersionPhasedRelease 200",
    "GET /v1/appStoreVersions/{id}/appStoreVersionPhasedRelease 404",
    "PATCH /v1/appStoreVersionPhasedReleases/{id} 200",
    "PATCH /v1/appStoreVersionPhasedReleases/{id} 403",
    "PATCH /v1/appStoreVersionPhasedReleases/{id} 409",
    "POST /api/chat.postMessage 200",
    "POST /api/chat.postMessage 200 refused",
    "POST /api/chat.postMessage unanswered",
    "POST /api/chat.update 200",
    "GET /api/conversations.history 200",
    "GET /api/conversations.replies 200",
    "GET /api/auth.test 200",
    "GET /api/conversations.info 200",
    "GET /api/conversations.info 200 refused",
    "POST /api/files.getUploadURLExternal 200",
    "POST /api/files.getUploadURLExternal 200 refused",
    "POST /api/files.completeUploadExternal 200",
    "GET /bigquery/v2/projects/{projectsId}/datasets 200",
    "GET /bigquery/v2/projects/{projectsId}/datasets/{datasetsId} 200",
    "GET /bigquery/v2/projects/{projectsId}/datasets/{datasetsId} 401",
    "GET /bigquery/v2/projects/{projectsId}/datasets/{datasetsId} 404",
    "GET /bigquery/v2/projects/{projectsId}/datasets/{datasetsId}/tables 200",
    "GET /bigquery/v2/projects/{projectsId}/datasets/{datasetsId}/tables 403",
    "GET /bigquery/v2/projects/{projectsId}/datasets/{datasetsId}/tables/{tablesId} 200",
    "GET /bigquery/v2/projects/{projectsId}/datasets/{datasetsId}/tables/{tablesId} 404",
    "POST /bigquery/v2/projects/{projectsId}/jobs 200",
    "POST /bigquery/v2/projects/{projectsId}/jobs 400",
    "POST /bigquery/v2/projects/{projectsId}/jobs 403",
    "POST /bigquery/v2/projects/{projectsId}/jobs 409",
    "GET /bigquery/v2/projects/{projectsId}/jobs/{jobsId} 200",
    "GET /bigquery/v2/projects/{projectsId}/jobs/{jobsId} 503",
    "POST /bigquery/v2/projects/{projectsId}/jobs/{jobsId}/cancel 200",
    "GET /bigquery/v2/projects/{projectsId}/queries/{queriesId} 200",
    "GET /bigquery/v2/projects/{projectsId}/queries/{queriesId} 400",
    "POST /bigquery/v2/projects/{projectsId}/queries 200",
    "POST /bigquery/v2/projects/{projectsId}/queries 400",
];

/// The fewest calls that the flows make to each service.
const FEWEST: [(Service, usize); 5] = [
    (Service::GitHub, 40),
    (Service::GooglePlay, 90),
    (Service::AppStoreConnect, 30),
    (Service::Slack, 14),
    (Service::BigQuery, 30),
];

#[tokio::test]
async fn every_call_is_acceptable_to_the_official_descriptions() {
    let Some(folder) = descriptions() else {
        eprintln!(
            "SKIPPED: API_SPECS_DIR is not set, so no call was checked against an official description"
        );
        return;
    };
    let services = services(&folder);
    let calls = traffic().await;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for call in &calls {
        let (name, found) = description::check(of(&services, call.service), call);
        *seen.entry(format!("{name} {}", ending(call))).or_default() += 1;
        problems.extend(found);
        // Apple repeats the status as text, which a schema can't say.
        let reply = call.reply.as_ref().filter(|_| call.service == Service::AppStoreConnect);
        let errors = reply.and_then(|reply| reply["errors"].as_array());
        for error in errors.into_iter().flatten() {
            assert_eq!(error["status"], json!(ending(call)), "{call:?}");
        }
    }
    nothing_but_the_gaps(&problems);
    for name in MUST_BE_SEEN {
        assert!(seen.contains_key(*name), "{name} is not in {seen:#?}");
    }
    for (service, fewest) in FEWEST {
        let count = calls.iter().filter(|call| call.service == service).count();
        assert!(count >= fewest, "only {count} calls to {service:?}: {seen:#?}");
    }
    calls.iter().for_each(|call| any_other_call_is_refused(of(&services, call.service), call));
}

fn nothing_but_the_gaps(problems: &[Problem]) {
    let is_at = |problem: &Problem, gap: &(&str, &str, &str)| {
        (problem.place.as_str(), problem.kind) == (gap.0, gap.1)
    };
    let mut new: Vec<&Problem> =
        problems.iter().filter(|problem| !GAPS.iter().any(|gap| is_at(problem, gap))).collect();
    new.sort_by_key(|problem| (&problem.place, problem.kind));
    new.dedup_by_key(|problem| (&problem.place, problem.kind));
    let lines: Vec<String> = new.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} deviations from the descriptions:\n{}", lines.len(), lines.join("\n"));
    let unused = GAPS.iter().find(|gap| !problems.iter().any(|problem| is_at(problem, gap)));
    assert_eq!(unused, None, "no call needs this gap any more");
}

/// How a call ended.
fn ending(call: &LoggedRequest) -> String {
    let is_refused = call.reply.as_ref().is_some_and(|reply| reply["ok"] == false);
    let status = call.status.map(|status| status.to_string());
    format!("{}{}", status.as_deref().unwrap_or("unanswered"), if is_refused { " refused" } else { "" })
}

/// The check must find what is wrong in any call: each that was seen is made wrong in several ways.
fn any_other_call_is_refused(description: &dyn Description, call: &LoggedRequest) {
    let problems = |call: &LoggedRequest| description::check(description, call).1;
    let known = problems(call);
    let spoiled = |spoil: fn(&mut LoggedRequest)| {
        let mut call = call.clone();
        spoil(&mut call);
        call
    };
    let mut wrong = vec![
        spoiled(|call| call.method = "HEAD".to_owned()),
        spoiled(|call| call.path.insert_str(0, "/surprise")),
        spoiled(|call| {
            call.path.push_str(if call.path.contains('?') { "&surprise=1" } else { "?surprise=1" });
        }),
        spoiled(|call| call.body["surprise"] = json!(1)),
    ];
    if call.status.is_some() {
        wrong.push(spoiled(|call| match call.reply.get_or_insert_default() {
            Value::Array(items) => items.push(json!({"surprise": 1})),
            reply => reply["surprise"] = json!(1),
        }));
        wrong.push(spoiled(|call| call.status = Some(418)));
    }
    for wrong in wrong {
        let is_found = problems(&wrong).iter().any(|problem| !known.contains(problem));
        assert!(is_found, "nothing is found wrong in {wrong:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is told by its environment where the descriptions are")]
fn descriptions() -> Option<PathBuf> {
    std::env::var_os("API_SPECS_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

type Services = Vec<(Service, Box<dyn Description>)>;

fn services(folder: &Path) -> Services {
    let read = |name: &str| -> Value {
        let path = folder.join(name);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    };
    vec![
        (Service::GooglePlay, Box::new(discovery::Discovery::new(read("androidpublisher.v3.json")))),
        (Service::BigQuery, Box::new(discovery::Discovery::new(read("bigquery.v2.json")))),
        (Service::AppStoreConnect, Box::new(openapi::OpenApi(read("asc-openapi-subset.json")))),
        (Service::GitHub, Box::new(openapi::github(read("github-rest-subset.json")))),
        (Service::Slack, Box::new(swagger::Swagger::new(slack::documented(read("slack-web-subset.json"))))),
    ]
}

fn of(services: &Services, service: Service) -> &dyn Description {
    &*services.iter().find(|(known, _)| *known == service).unwrap().1
}

/// The calls of all flows.
async fn traffic() -> Vec<LoggedRequest> {
    let mut calls = Vec::new();
    for (apps, events) in [
        (Apps::Android, Events::Bad),
        (Apps::Android, Events::Good),
        (Apps::Android, Events::Doubtful),
        (Apps::Ios, Events::Bad),
        (Apps::Ios, Events::Good),
    ] {
        calls.extend(run(apps, events).await);
    }
    calls.extend(refused(Apps::Android, Service::GooglePlay, 403, "PUT", "/tracks/").await);
    calls.extend(concurrent_on_google_play().await);
    calls.extend(play_requests::idle().await);
    calls.extend(play_recovery::every_kind_of_call().await);
    calls.extend(refused(Apps::Ios, Service::AppStoreConnect, 403, "PATCH", "/v1/").await);
    calls.extend(refused(Apps::Ios, Service::AppStoreConnect, 404, "GET", "/appStoreVersions").await);
    calls.extend(misconfigured(Apps::Android, "[[app]]", "[[app]]\ntrack = \"nowhere\"").await);
    calls.extend(misconfigured(Apps::Ios, "issuer_id = \"", "issuer_id = \"another-").await);
    calls.extend(misconfigured(Apps::Android, CHANNEL, "C0NOWHERE1").await);
    calls.extend(overtaken_on_google_play().await);
    calls.extend(overtaken_on_the_app_store().await);
    calls.extend(asc_faults::every_kind_of_call().await);
    calls.extend(killed().await);
    calls.extend(killed_under_a_warning().await);
    calls.extend(warned_anew().await);
    calls.extend(github::every_kind_of_call().await);
    calls.extend(bigquery_surface::every_kind_of_call().await);
    calls.extend(sandbox::every_kind_of_call().await);
    calls.extend(slack_pictures::every_kind_of_call().await);
    calls
}

async fn run(apps: Apps, events: Events) -> Vec<LoggedRequest> {
    let town = Town::new(apps, events).await;
    assert_eq!(town.monitor(&[]).await.code(), 0);
    assert_eq!(town.store_status(), town.status_after(events));
    town.sandbox.model().requests()
}

/// A bad release, and a store that refuses one of the calls.
async fn refused(apps: Apps, service: Service, code: u16, method: &str, path: &str) -> Vec<LoggedRequest> {
    let town = Town::new(apps, Events::Bad).await;
    let refusal = FaultKind::Status(CannedReply::status(code));
    town.sandbox.model().add_fault(Fault::new(service, refusal).on(method, path));
    assert_ne!(town.monitor(&[]).await.code(), 0);
    town.sandbox.model().requests()
}

/// A bad release, and another publisher at the same moment; the halt is made anew a little later.
async fn concurrent_on_google_play() -> Vec<LoggedRequest> {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let busy = FaultKind::Status(CannedReply::status(409));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, busy).on("PUT", "/tracks/"));
    assert_eq!(town.monitor(&[]).await.code(), 0);
    assert_eq!(town.store_status(), "halted");
    town.sandbox.model().requests()
}

/// A bad release, and a configuration that a service refuses in its own words.
async fn misconfigured(apps: Apps, good: &str, bad: &str) -> Vec<LoggedRequest> {
    let town = Town::new(apps, Events::Bad).await;
    std::fs::write(town.path("tidegate.toml"), town.configuration().replace(good, bad)).unwrap();
    assert_ne!(town.monitor(&[]).await.code(), 0);
    town.sandbox.model().requests()
}

/// Runs the monitor; a person makes a change while one of the replies is still on its way.
async fn overtaken(town: &Town, slow: Fault, change: impl FnOnce()) -> Vec<LoggedRequest> {
    let model = town.sandbox.model();
    model.add_fault(slow);
    let person = async {
        while !model.requests().iter().any(|request| request.fault) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        change();
    };
    let (ran, ()) = tokio::join!(town.monitor(&[]), person);
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    model.requests()
}

/// Slow enough for a change to come in between.
const SLOW: FaultKind = FaultKind::Slow { byte_interval_ms: 1 };

/// Somebody commits between our reading and our writing, so that our edit is gone.
async fn overtaken_on_google_play() -> Vec<LoggedRequest> {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let releases = town.sandbox.model().state()["play"]["com.example.app"]["tracks"][0]["releases"].clone();
    let slow = Fault::new(Service::GooglePlay, SLOW).on("GET", "/tracks/").after(2);
    let releases = releases.as_array().unwrap().clone();
    let change = || {
        town.sandbox.model().console_change("com.example.app", "production", releases).unwrap();
    };
    overtaken(&town, slow, change).await
}

/// Somebody pauses the phased release between our reading and our writing.
async fn overtaken_on_the_app_store() -> Vec<LoggedRequest> {
    let town = Town::new(Apps::Ios, Events::Bad).await;
    let state = town.sandbox.model().state();
    let versions = state["asc"][0]["versions"].as_array().unwrap();
    let id = versions.iter().find_map(|version| version["phasedRelease"]["id"].as_str()).unwrap();
    let slow = Fault::new(Service::AppStoreConnect, SLOW).on("GET", "/appStoreVersions?").after(1);
    let change = || {
        town.sandbox.model().change_phased_release(id, PhasedReleaseState::Paused).unwrap();
    };
    overtaken(&town, slow, change).await
}

fn killed_at_posting() -> Fault {
    Fault::new(Service::Slack, FaultKind::HangAfter).on("POST", "chat.postMessage")
}

/// A run that is killed while it posts; the next one looks for the message in the channel.
async fn killed() -> Vec<LoggedRequest> {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.kill_at(killed_at_posting()).await;
    assert_eq!(town.monitor(&[]).await.code(), 0);
    town.sandbox.model().requests()
}

/// A run that is killed while it posts under a warning; the next one looks for the message in the thread.
async fn killed_under_a_warning() -> Vec<LoggedRequest> {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    more_crashes(&town);
    town.kill_at(killed_at_posting()).await;
    assert_eq!(town.monitor(&[]).await.code(), 0);
    town.sandbox.model().requests()
}

/// A warning that gets a second cause, because the halt may only warn, is edited in place.
async fn warned_anew() -> Vec<LoggedRequest> {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    more_crashes(&town);
    let text = format!("{}[rules.crash-free-sessions-halt]\nmode = \"warn\"\n", town.configuration());
    std::fs::write(town.path("tidegate.toml"), text).unwrap();
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.result()["decision"], json!("warn"), "{}", ran.stderr());
    town.sandbox.model().requests()
}

fn more_crashes(town: &Town) {
    let crashes: Vec<_> = (0..5).map(|n| crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
    town.fixture.import(CRASHES, &crashes);
}
