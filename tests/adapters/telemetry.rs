//! Telemetry of the real binary, against a collector that decodes what came, and against collectors that misbehave.

use std::time::Duration;

use serde_json::json;
use tidegate::adapters::clock::steady;
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};

use crate::collector::{Collector, Manners, Span};
use crate::town::{Apps, Events, NOW, Ran, Town};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Far longer than a run and its flush take, far shorter than a run that waits for a collector that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

impl Town {
    /// Runs the monitor with more in its environment.
    async fn monitor_with(&self, variables: &[(&str, &str)], more: &[&str]) -> Ran {
        let mut args = vec!["run", "release-monitor", "--now", NOW, "--output", "json"];
        args.extend(more);
        let mut command = self.tidegate(&args);
        command.envs(variables.iter().copied());
        Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
    }
}

fn the<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    found[0]
}

#[tokio::test]
async fn a_collector_gets_the_run_its_apps_and_their_requests_with_the_right_parents() {
    let (town, collector) =
        (Town::new(Apps::Android, Events::Bad).await, Collector::start(Manners::Takes).await);
    let ran = town.monitor_with(&[(ENDPOINT, &collector.address)], &[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(ran.stderr().matches("telemetry").count(), 0, "{}", ran.stderr());
    let spans = collector.spans();
    let (run, app) = (the(&spans, "run"), the(&spans, "app"));
    assert!(run.parent.is_empty(), "the run is the root");
    assert_eq!(app.parent, run.id);
    let requests: Vec<&Span> = spans.iter().filter(|span| span.kind == 3).collect();
    assert!(requests.len() >= 8, "{}", requests.len());
    assert!(requests.iter().all(|request| request.parent == app.id), "{requests:#?}");
    assert!(spans.iter().all(|span| span.trace == run.trace && span.trace.len() == 16));

    let of_run = &run.attributes;
    assert_eq!((&of_run["run.job"], &of_run["run.exit"]), (&json!("release-monitor"), &json!(0)));
    assert_eq!((&of_run["run.dry_run"], of_run["run.id"].is_string()), (&json!(false), true));
    let of_app = &app.attributes;
    assert_eq!((&of_app["app.id"], &of_app["app.version"]), (&json!("android"), &json!("2.0")));
    assert_eq!((&of_app["decision"], &of_app["acted"]), (&json!("halt"), &json!(true)));
    let commit =
        requests.iter().find(|request| request.attributes["url.path"].as_str().unwrap().ends_with(":commit"));
    let commit = &commit.expect("the commit of the edit").attributes;
    assert_eq!(
        (&commit["peer.service"], &commit["http.request.method"]),
        (&json!("Google Play"), &json!("POST"))
    );
    assert_eq!(commit["http.response.status_code"], 200);
    assert!(!commit["url.path"].as_str().unwrap().contains('?'), "{commit:?}");
    assert_eq!(collector.resource()["service.name"], "tidegate");
}

#[tokio::test]
async fn a_collector_gets_the_numbers_of_the_run() {
    let (town, collector) =
        (Town::new(Apps::Android, Events::Bad).await, Collector::start(Manners::Takes).await);
    town.monitor_with(&[(ENDPOINT, &collector.address)], &[]).await;
    let points = collector.points();
    let the = |name: &str| {
        let found: Vec<_> = points.iter().filter(|point| point.name == name).collect();
        assert_eq!(found.len(), 1, "{name}: {points:#?}");
        found[0]
    };
    let decided = the("tidegate.decisions");
    assert_eq!((decided.value, &decided.attributes["decision"]), (1.0, &json!("halt")));
    assert_eq!(the("tidegate.bytes_billed").attributes["app.id"], "android");
    assert!(the("tidegate.run.duration").value > 0.0);
    let rate = the("tidegate.crash_free_sessions");
    let (lower, upper) =
        (the("tidegate.crash_free_sessions.lower"), the("tidegate.crash_free_sessions.upper"));
    assert!((rate.value - (1.0 - 10.0 / 1001.0)).abs() < 1e-9, "{rate:?}");
    assert!(lower.value < rate.value && rate.value < upper.value && upper.value < 0.9995);
    assert_eq!(rate.attributes["app.version"], "2.0");
}

#[tokio::test]
async fn nothing_secret_and_nobody_is_in_what_is_sent() {
    let (town, collector) =
        (Town::new(Apps::Android, Events::Bad).await, Collector::start(Manners::Takes).await);
    let refused = CannedReply::status(503).with_body(json!({"error": "VENDOR WORDS of person of s1"}));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, FaultKind::Status(refused)));
    let variables =
        [(ENDPOINT, collector.address.as_str()), ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=HEADER-CANARY")];
    let ran = town.monitor_with(&variables, &["--log-level", "trace"]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let sent = collector.everything();
    assert!(sent.contains("android") && sent.contains("Google Play"), "it was sent");
    assert!(collector.headers("api-key").iter().all(|value| value == "HEADER-CANARY"));
    assert_eq!(collector.headers("api-key").len(), collector.requests());
    let key = std::fs::read_to_string(&town.sandbox.credentials.play_service_account_path).unwrap();
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let secret = key["private_key"].as_str().unwrap().lines().nth(1).unwrap().to_owned();
    let (slack, log) = (town.sandbox.credentials.slack_token.clone(), ran.stderr());
    for word in
        [slack.as_str(), &secret, "Bearer", "HEADER-CANARY", "person of", "installation of", "VENDOR WORDS"]
    {
        assert!(!sent.contains(word), "{word} was sent");
        assert!(!log.contains(word), "{word} was logged");
    }
    let failed = collector.spans().iter().filter(|span| span.is_error).count();
    assert_eq!(failed, 1, "the refused request is marked");
    assert!(collector.spans().iter().all(|span| span.events == 0), "only spans are sent, no texts");
}

/// A run that ends as one without telemetry does, with the same result, and one warning.
async fn changes_nothing(address: &str, why: &str) {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let plain = town.monitor_with(&[], &["--dry-run"]).await;
    let began = steady();
    let ran = town.monitor_with(&[(ENDPOINT, address)], &["--dry-run"]).await;
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    assert_eq!((ran.code(), ran.stdout()), (plain.code(), plain.stdout()), "{}", ran.stderr());
    let warnings: Vec<String> =
        ran.stderr().lines().filter(|l| l.contains("telemetry")).map(str::to_owned).collect();
    assert_eq!(warnings.len(), 1, "{}", ran.stderr());
    assert!(warnings[0].contains(why), "{warnings:?}");
    let acted = town.monitor_with(&[(ENDPOINT, address)], &[]).await;
    assert_eq!((acted.code(), town.store_status().as_str()), (0, "halted"), "{}", acted.stderr());
    assert_eq!(town.messages().len(), 1);
}

#[tokio::test]
async fn a_collector_that_hangs_changes_nothing() {
    let collector = Collector::start(Manners::Hangs).await;
    changes_nothing(&collector.address, "not delivered in full").await;
    assert!(collector.requests() > 0, "it was asked");
}

#[tokio::test]
async fn a_collector_that_answers_500_changes_nothing() {
    let collector = Collector::start(Manners::Answers500).await;
    changes_nothing(&collector.address, "answered 500").await;
}

#[tokio::test]
async fn a_collector_that_sends_elsewhere_is_not_followed() {
    let collector = Collector::start(Manners::Redirects).await;
    changes_nothing(&collector.address, "answered 307").await;
}

#[tokio::test]
async fn a_collector_that_is_not_there_changes_nothing() {
    changes_nothing("http://127.0.0.1:1", "could not be reached").await;
}

#[tokio::test]
async fn an_address_that_is_no_collectors_changes_nothing_and_is_told_nothing() {
    for address in ["https://169.254.169.254/latest", "http://collector.example", "nonsense"] {
        changes_nothing(address, "no telemetry is sent: OTEL_EXPORTER_OTLP_ENDPOINT is").await;
    }
}

#[tokio::test]
async fn the_environment_goes_before_the_file_and_can_turn_it_off() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let (named, other) = (Collector::start(Manners::Takes).await, Collector::start(Manners::Takes).await);
    town.configure(&format!("[telemetry]\nendpoint = \"{}/base/\"\n", named.address));
    town.monitor_with(&[(ENDPOINT, &other.address)], &["--dry-run"]).await;
    assert_eq!((named.requests(), other.requests() > 0), (0, true));
    town.monitor_with(&[(ENDPOINT, &other.address), ("OTEL_SDK_DISABLED", "true")], &["--dry-run"]).await;
    let sent = other.requests();
    town.monitor_with(&[], &["--dry-run"]).await;
    assert_eq!(other.requests(), sent);
    assert!(named.requests() > 0 && named.spans().is_empty(), "the path of the file's address comes first");
}

#[tokio::test]
async fn a_file_with_an_address_that_is_no_collectors_is_refused_before_anything_is_asked() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.configure("[telemetry]\nendpoint = \"https://user:CANARY@otlp.example.com\"\n");
    let ran = town.monitor_with(&[], &[]).await;
    assert_eq!(ran.code(), 2, "{}", ran.stderr());
    assert!(ran.stderr().contains("`endpoint` in [telemetry]"), "{}", ran.stderr());
    assert!(town.sandbox.model().requests().is_empty());
}
