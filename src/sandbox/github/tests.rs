//! What GitHub refuses, page by page of its documentation.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::call::{Call, CallBody, Reply, pairs};
use super::error::GitHubError;
use super::model::GitHubModel;
use super::routes::answer;
use super::seed::*;

const REPOSITORY: &str = "/repos/acme/app";
const NOW: &str = "2026-11-18T12:00:00Z";

fn model(change: impl FnOnce(&mut GitHubRepositorySeed)) -> GitHubModel {
    let mut seed = GitHubRepositorySeed::new("acme/app").with_workflow("halted.yml", &["app", "version"]);
    change(&mut seed);
    let mut model = GitHubModel::default();
    assert!(model.add_repository(seed, NOW.parse().unwrap()));
    model
}

fn ask_at(model: &mut GitHubModel, method: &str, path: &str, body: Value, now: Timestamp) -> Reply {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let call = Call {
        method: method.to_owned(),
        path: path.to_owned(),
        query: pairs(query),
        body: if body.is_null() { CallBody::Empty } else { CallBody::Json(body) },
        bearer: None,
        host: "127.0.0.1:4006".to_owned(),
        metadata_flavor: None,
    };
    answer(model, &call, Ok(()), now)
}

fn ask(model: &mut GitHubModel, method: &str, path: &str, body: Value) -> Reply {
    ask_at(model, method, &format!("{REPOSITORY}{path}"), body, NOW.parse().unwrap())
}

fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    reply.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn json_of(reply: &Reply) -> Value {
    reply.body.json().cloned().unwrap_or_default()
}

#[test]
fn lists_page_by_page_with_links() {
    let mut model = model(|_| {});
    for number in 1..=5 {
        let labels = if number == 3 { json!(["other"]) } else { json!(["tidegate"]) };
        let created = ask(&mut model, "POST", "/issues", json!({"title": "x", "labels": labels}));
        assert_eq!(json_of(&created)["number"], number);
    }
    let first = ask(&mut model, "GET", "/issues?labels=tidegate&state=all&per_page=3", Value::Null);
    let numbers = |reply: &Reply| -> Vec<u64> {
        json_of(reply).as_array().unwrap().iter().map(|issue| issue["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&first), [5, 4, 2]);
    insta::assert_snapshot!(header(&first, "link").unwrap(), @r#"<http://127.0.0.1:4006/repos/acme/app/issues?labels=tidegate&state=all&per_page=3&page=2>; rel="next", <http://127.0.0.1:4006/repos/acme/app/issues?labels=tidegate&state=all&per_page=3&page=2>; rel="last""#);
    let last = ask(&mut model, "GET", "/issues?labels=tidegate&state=all&per_page=3&page=2", Value::Null);
    assert_eq!(numbers(&last), [1]);
    assert!(!header(&last, "link").unwrap().contains("next"));
    let closed = ask(&mut model, "PATCH", "/issues/5", json!({"state": "closed"}));
    assert_eq!((closed.status, &json_of(&closed)["state_reason"]), (200, &json!("completed")));
    assert_eq!(numbers(&ask(&mut model, "GET", "/issues", Value::Null)), [4, 3, 2, 1]);
    let later = "/issues?state=all&since=2026-11-18T12:00:01Z";
    assert_eq!(numbers(&ask(&mut model, "GET", later, Value::Null)), Vec::<u64>::new());
}

#[test]
fn each_refusal_has_its_status() {
    let mut model = model(|seed| {
        seed.branches.push(BranchSeed { name: "behind".into(), standing: BranchStanding::Behind });
        seed.branches.push(BranchSeed { name: "torn".into(), standing: BranchStanding::Conflicting });
        seed.failing_contexts.push("ci".into());
    });
    let long = "x".repeat(257);
    let many: Value =
        (0..26).map(|key| (format!("k{key}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    let plain = |reference: &str| json!({"ref": reference, "auto_merge": false, "required_contexts": []});
    let workflow = "/actions/workflows/halted.yml/dispatches";
    let cases = [
        ("POST", "/issues", json!({"title": long}), 422),
        ("POST", "/issues", json!({"body": "x"}), 422),
        ("POST", "/issues", json!({"title": "x", "surprise": 1}), 422),
        ("POST", "/issues", json!({"title": "x", "assignees": ["nobody"]}), 422),
        ("POST", "/issues", Value::Null, 400),
        ("GET", "/issues/1", Value::Null, 404),
        ("GET", "/issues?surprise=1", Value::Null, 422),
        ("POST", "/deployments", plain("main"), 201),
        ("POST", "/deployments", plain("nowhere"), 422),
        ("POST", "/deployments", json!({"ref": "main"}), 409),
        ("POST", "/deployments", json!({"ref": "torn"}), 409),
        ("POST", "/deployments", json!({"ref": "behind", "required_contexts": []}), 202),
        ("POST", "/deployments", json!({"ref": "behind", "required_contexts": []}), 201),
        ("POST", "/dispatches", json!({"event_type": "x".repeat(101)}), 422),
        ("POST", "/dispatches", json!({"event_type": "x", "client_payload": many}), 422),
        ("POST", "/dispatches", json!({"event_type": "x", "client_payload": {"k": "x".repeat(65_536)}}), 422),
        ("POST", "/dispatches", json!({"event_type": "x", "client_payload": {"k": "x"}}), 204),
        ("POST", "/actions/workflows/other.yml/dispatches", json!({"ref": "main"}), 404),
        ("POST", workflow, json!({"ref": "nowhere"}), 422),
        ("POST", workflow, json!({"ref": "main", "inputs": {"surprise": "x"}}), 422),
        ("POST", workflow, json!({"ref": "main", "inputs": many}), 422),
        ("POST", workflow, json!({"ref": "main"}), 204),
        ("POST", workflow, json!({"ref": "main", "return_run_details": true}), 200),
    ];
    for (method, path, body, status) in cases {
        let reply = ask(&mut model, method, path, body.clone());
        assert_eq!(reply.status, status, "{method} {path} {body}: {reply:?}");
    }
}

#[test]
fn a_status_of_a_deployment_is_one_of_the_known_and_short() {
    let mut model = model(|_| {});
    let order = json!({"ref": "main", "required_contexts": [], "payload": {"tidegate": "k"}});
    let id = json_of(&ask(&mut model, "POST", "/deployments", order))["id"].as_u64().unwrap();
    let path = format!("/deployments/{id}/statuses");
    for (body, status) in [
        (json!({"state": "failure", "log_url": "https://example.com/run"}), 201),
        (json!({"state": "broken"}), 422),
        (json!({"state": "failure", "description": "x".repeat(141)}), 422),
        (json!({"state": "failure", "log_url": "javascript:1"}), 422),
    ] {
        assert_eq!(ask(&mut model, "POST", &path, body).status, status);
    }
    assert_eq!(json_of(&ask(&mut model, "GET", &path, Value::Null)).as_array().unwrap().len(), 1);
    assert_eq!(
        ask(&mut model, "POST", "/deployments/9999/statuses", json!({"state": "failure"})).status,
        404
    );
}

#[test]
fn permissions_and_what_can_not_be_seen() {
    let mut model = model(|seed| {
        seed.permissions.issues = GitHubAccess::Read;
        seed.permissions.deployments = GitHubAccess::None;
        seed.permissions.contents = GitHubAccess::Read;
        seed.permissions.actions = GitHubAccess::Read;
    });
    for (method, path, status) in [
        ("GET", "/issues", 200),
        ("POST", "/issues", 403),
        ("GET", "/deployments", 403),
        ("POST", "/dispatches", 403),
        ("POST", "/actions/workflows/halted.yml/dispatches", 403),
    ] {
        assert_eq!(ask(&mut model, method, path, json!({"title": "x"})).status, status, "{method} {path}");
    }
    let now = NOW.parse().unwrap();
    assert_eq!(ask_at(&mut model, "GET", "/repos/acme/hidden/issues", Value::Null, now).status, 404);
    assert_eq!(ask_at(&mut model, "GET", "/user", Value::Null, now).status, 403);
    model.set_caller(GitHubCaller::Person);
    assert_eq!(ask_at(&mut model, "GET", "/user", Value::Null, now).status, 200);
    assert_eq!(GitHubError::BadCredentials.reply().status, 401);
}

#[test]
fn issues_can_be_switched_off() {
    let mut model = model(|seed| seed.issues = IssuesFeature::Disabled);
    assert_eq!(ask(&mut model, "POST", "/issues", json!({"title": "x"})).status, 410);
}

#[test]
fn the_budget_of_an_hour_ends_and_comes_back() {
    let mut model = model(|_| {});
    model.set_budget(Some(2));
    let now: Timestamp = NOW.parse().unwrap();
    let mut list = |at| ask_at(&mut model, "GET", "/repos/acme/app/issues", Value::Null, at);
    let first = list(now);
    assert_eq!((first.status, header(&first, "x-ratelimit-remaining")), (200, Some("1")));
    assert_eq!(list(now).status, 200);
    let refused = list(now);
    assert_eq!((refused.status, header(&refused, "x-ratelimit-remaining")), (403, Some("0")));
    let reset = header(&refused, "x-ratelimit-reset").unwrap().parse::<i64>().unwrap();
    assert_eq!(reset, now.as_second() + 3600);
    assert_eq!(list(Timestamp::from_second(reset).unwrap()).status, 200);
}
