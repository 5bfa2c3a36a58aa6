//! The log of the real binary: by fields, on standard error, without a word that belongs to nobody else.

use serde_json::Value;

use crate::town::{Apps, Events, NOW, Town};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};

fn events(stderr: &str) -> Vec<Value> {
    let parsed = stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")));
    parsed.collect()
}

fn of<'e>(events: &'e [Value], message: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["message"] == message).collect()
}

#[tokio::test]
async fn json_on_standard_error_is_one_event_a_line_and_the_document_stays_alone() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let passing = FaultKind::Status(CannedReply::status(503));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, passing).on("GET", "/tracks/"));
    let ran = town.monitor(&["--log", "json", "--log-level", "debug"]).await;
    assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, "halt".into()), "{}", ran.stderr());
    let events = events(&ran.stderr());

    let requests = of(&events, "request ended");
    let to_play = requests.iter().filter(|event| event["peer.service"] == "Google Play");
    let seen = town.sandbox.model().requests();
    assert_eq!(to_play.count(), seen.iter().filter(|one| one.service == Service::GooglePlay).count());
    for request in &requests {
        assert_eq!((&request["app.id"], &request["run.job"]), (&"android".into(), &"release-monitor".into()));
        assert!(request["http.request.method"].is_string() && request["duration_ms"].is_u64(), "{request}");
        assert!(!request["url.path"].as_str().unwrap().contains('?'), "{request}");
        assert!(request["http.response.status_code"].is_u64() && request["response_bytes"].is_u64());
    }
    let again = of(&events, "request is made again");
    assert_eq!((again.len(), &again[0]["failures"]), (1, &1.into()), "{again:?}");
    let changes = of(&events, "the store was asked for a change");
    assert_eq!(changes.len(), 1);
    assert_eq!((&changes[0]["change"], &changes[0]["outcome"]), (&"halt".into(), &"accepted".into()));
    let done = of(&events, "the app is done");
    assert_eq!((&done[0]["decision"], &done[0]["app.version"]), (&"halt".into(), &"2.0".into()), "{done:?}");
}

#[tokio::test]
async fn a_store_change_is_told_at_info_and_a_request_is_not() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let mut command =
        town.tidegate(&["run", "release-monitor", "--now", NOW, "--log", "json", "--output", "json"]);
    command.env("TIDEGATE_LOG", "info");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let events = events(&String::from_utf8(output.stderr).unwrap());
    assert_eq!(of(&events, "the store was asked for a change").len(), 1);
    assert!(of(&events, "request ended").is_empty());
}

#[tokio::test]
async fn without_a_level_a_good_run_logs_nothing() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let ran = town.monitor(&["--log", "json"]).await;
    assert_eq!(ran.stderr(), "", "{}", ran.stderr());
    assert_eq!(ran.result()["decision"], "halt");
}

#[tokio::test]
async fn why_a_run_ended_is_json_where_the_log_is() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let ran = town.monitor(&["--log", "json", "--app", "nobody"]).await;
    let events = events(&ran.stderr());
    assert_eq!((ran.code(), events.len()), (2, 1), "{}", ran.stderr());
    assert_eq!((&events[0]["level"], &events[0]["exit"]), (&"ERROR".into(), &2.into()));
    assert!(events[0]["message"].as_str().unwrap().contains("unknown app"));
}

#[tokio::test]
async fn a_level_that_is_not_known_is_refused() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let ran = town.monitor(&["--log-level", "loud"]).await;
    assert_eq!(ran.code(), 2);
    assert!(ran.stderr().contains("debug"), "{}", ran.stderr());
}

/// The groups of a log: title and lines.
fn groups(log: &str) -> Vec<(String, Vec<String>)> {
    let mut groups = Vec::new();
    let mut open: Option<(String, Vec<String>)> = None;
    for line in log.lines() {
        match (line.strip_prefix("::group::"), line == "::endgroup::") {
            (Some(title), _) => {
                assert!(open.is_none(), "a group within a group: {log}");
                open = Some((title.to_owned(), Vec::new()));
            }
            (None, true) => groups.push(open.take().unwrap_or_else(|| panic!("nothing to close: {log}"))),
            (None, false) => open.iter_mut().for_each(|(_, lines)| lines.push(line.to_owned())),
        }
    }
    assert!(open.is_none(), "a group stays open: {log}");
    groups
}

#[tokio::test]
async fn on_github_each_app_has_a_group_with_its_log_and_its_result() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let (endpoints, keys) = (&town.sandbox.endpoints, &town.sandbox.credentials);
    let _ = (endpoints, keys);
    town.configure("[[app]]\nid = \"ios\"\nplatform = \"ios\"\nbundle_id = \"com.example.app\"\n");
    let args = ["run", "release-monitor", "--now", NOW, "--output", "github", "--log-level", "debug"];
    let ran = town.finish(&args).await;
    let groups = groups(&ran.stdout());
    let titles: Vec<&str> = groups.iter().map(|(title, _)| title.as_str()).collect();
    assert_eq!(titles.len(), 2, "{}", ran.stdout());
    assert_eq!(titles[0], "android 2.0: halt");
    assert!(titles[1].starts_with("ios"), "{titles:?}");
    for (group, app) in groups.iter().zip(["android", "ios"]) {
        let events: Vec<&String> = group.1.iter().filter(|line| line.contains("request ended")).collect();
        assert!(!events.is_empty(), "{group:?}");
        assert!(events.iter().all(|line| line.contains(&format!("app.id={app} "))), "{group:?}");
    }
    assert!(groups[0].1.iter().any(|line| line.contains("HALT (")), "the result is in the group");
    assert!(!ran.stderr().contains("request ended"), "{}", ran.stderr());
}

#[tokio::test]
async fn a_group_is_closed_where_the_app_fails_and_a_vendors_words_open_none() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let words = "no\n::endgroup::\r::group::mine\n##[group]mine";
    let body = serde_json::json!({"error": {"code": 403, "message": words}});
    let refused = FaultKind::Status(CannedReply::status(403).with_body(body));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, refused).times(1000));
    let ran = town.finish(&["run", "release-monitor", "--now", NOW, "--output", "github"]).await;
    assert_eq!(ran.code(), 1);
    let groups = groups(&ran.stdout().replace('\r', "\n"));
    assert_eq!(groups.iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>(), ["android: error"]);
}
