//! The network and the machine at their worst, against the real binary: what is told, and that nothing is released for it.
//! The numbers are those of the table of faults in the design.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use tidegate::adapters::clock::steady;
use tidegate::sandbox::{Fault, FaultKind, Service};

use crate::town::{Apps, Events, NOW, Ran, Town};
use crate::wires::{Parrot, hear};

/// The services that a run asks, with what each is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    BigQuery,
    GooglePlay,
    AppStoreConnect,
    Slack,
}

impl Asked {
    const ALL: [Self; 4] = [Self::BigQuery, Self::GooglePlay, Self::AppStoreConnect, Self::Slack];

    /// A town with a release that would be completed, so that everything permissive shows; for Slack one that is halted.
    async fn town(self) -> Town {
        match self {
            Self::BigQuery => Town::on_bigquery(Apps::Android, Events::Good).await,
            Self::GooglePlay => Town::new(Apps::Android, Events::Good).await,
            Self::AppStoreConnect => Town::new(Apps::Ios, Events::Good).await,
            Self::Slack => Town::new(Apps::Android, Events::Bad).await,
        }
    }

    fn service(self) -> Service {
        match self {
            Self::BigQuery => Service::BigQuery,
            Self::GooglePlay => Service::GooglePlay,
            Self::AppStoreConnect => Service::AppStoreConnect,
            Self::Slack => Service::Slack,
        }
    }

    fn setting(self) -> &'static str {
        match self {
            Self::BigQuery => "bigquery",
            Self::GooglePlay => "google_play",
            Self::AppStoreConnect => "app_store_connect",
            Self::Slack => "slack",
        }
    }

    fn is_a_store(self) -> bool {
        matches!(self, Self::GooglePlay | Self::AppStoreConnect)
    }

    /// A run that can't reach the service; what it said.
    async fn cut_off(self, town: &Town, proxy: Option<&str>) -> String {
        let mut args = vec!["run", "release-monitor", "--now", NOW, "--output", "json"];
        // Another instant than now is not acted on in a real store, and a store without a stand-in is one.
        args.extend((proxy.is_some() && self.is_a_store()).then_some("--dry-run"));
        let mut command = town.tidegate(&args);
        if let Some(proxy) = proxy {
            let text = town.configuration();
            let line = text.lines().find(|line| line.starts_with(&format!("{} = ", self.setting()))).unwrap();
            std::fs::write(town.path("tidegate.toml"), text.replace(&format!("{line}\n"), "")).unwrap();
            command.env("HTTPS_PROXY", proxy);
        }
        let ran = Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
        self.nothing_permissive_was_done(town, &ran);
        ran.stderr() + &ran.stdout()
    }

    fn nothing_permissive_was_done(self, town: &Town, ran: &Ran) {
        let said = ran.stderr();
        match self {
            Self::Slack => {
                assert_eq!((ran.code(), town.store_status().as_str()), (3, "halted"), "{said}");
                assert!(town.messages().is_empty());
            }
            _ => {
                assert!([1, 3].contains(&ran.code()), "{} {said}", ran.code());
                assert_eq!(town.store_status(), town.status_after(Events::Doubtful), "{said}");
                assert_eq!(ran.result()["decision"], "error", "{said}");
                assert!(
                    !town.writes().iter().any(|write| write.contains("commit") || write.contains("PATCH"))
                );
            }
        }
    }
}

/// A proxy that lets everybody through, and then answers what should begin TLS with this.
fn plain_proxy(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut caller in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                hear(&mut caller);
                drop(caller.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
                let mut hello = [0; 4096];
                drop(caller.read(&mut hello));
                drop(caller.write_all(answer));
                // The caller ends it; closing first could lose what was written.
                if !answer.is_empty() {
                    drop(caller.read(&mut hello));
                }
            });
        }
    });
    address
}

/// What is said where each service is behind a proxy, one town for each.
async fn everybody_cut_off(proxy: impl Fn() -> String) -> Vec<(Asked, String)> {
    let proxy = &proxy;
    let told = Asked::ALL
        .map(|asked| async move { (asked, asked.cut_off(&asked.town().await, Some(&proxy())).await) });
    futures_util::future::join_all(told).await
}

#[tokio::test]
async fn f77_a_name_that_is_not_found_is_told_as_such() {
    for (asked, told) in everybody_cut_off(|| "http://proxy.invalid:3128".to_owned()).await {
        assert!(told.contains("(DNS)") && !told.contains("(TLS)"), "{asked:?}: {told}");
    }
}

#[tokio::test]
async fn f77_a_broken_tls_is_told_as_such() {
    const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    for answer in [PAGE, b""] {
        for (asked, told) in everybody_cut_off(|| plain_proxy(answer)).await {
            assert!(told.contains("(TLS)") && !told.contains("(DNS)"), "{asked:?}: {told}");
        }
    }
}

#[tokio::test]
async fn f77_a_portals_page_is_told_as_such() {
    let told = Asked::ALL.map(|asked| async move {
        let town = asked.town().await;
        town.sandbox.model().add_fault(Fault::new(asked.service(), FaultKind::Html).times(1_000));
        (asked, asked.cut_off(&town, None).await)
    });
    for (asked, told) in futures_util::future::join_all(told).await {
        assert!(told.contains("answered 200, but not JSON"), "{asked:?}: {told}");
        assert!(!told.contains("(DNS)") && !told.contains("(TLS)"), "{asked:?}: {told}");
    }
}

#[tokio::test]
async fn f77_a_proxy_that_refuses_is_told_and_nobody_else_is_asked() {
    for (asked, told) in everybody_cut_off(|| Parrot::Json(407).serve()).await {
        assert!(told.contains("could not connect"), "{asked:?}: {told}");
    }
}

const SLOW: FaultKind = FaultKind::Slow { byte_interval_ms: 1_000 };

/// A run of which one answer comes at one byte a second, and how long it took.
async fn slowed(asked: Asked, method: &str, path: &str) -> (Town, Ran, Duration) {
    let town = asked.town().await;
    town.sandbox.model().add_fault(Fault::new(asked.service(), SLOW).on(method, path));
    let start = steady();
    let ran = town.monitor(&[]).await;
    (town, ran, steady() - start)
}

#[tokio::test]
async fn f78_a_request_ends_in_all_though_bytes_keep_coming() {
    let (bigquery, play, asc, slack) = tokio::join!(
        slowed(Asked::BigQuery, "GET", "/tables/"),
        slowed(Asked::GooglePlay, "GET", "/tracks/"),
        slowed(Asked::AppStoreConnect, "GET", "/v1/apps"),
        slowed(Asked::Slack, "POST", "chat.postMessage"),
    );
    for (asked, (town, ran, took)) in Asked::ALL.into_iter().zip([bigquery, play, asc, slack]) {
        assert!(town.sandbox.model().requests().iter().any(|request| request.fault), "one was slow");
        assert!(took > Duration::from_secs(25) && took < Duration::from_secs(90), "{asked:?}: {took:?}");
        if asked == Asked::Slack {
            // Nobody knows whether it arrived, so it is not sent blindly again; the next run looks for it.
            assert_eq!(town.monitor(&[]).await.code(), 0);
        } else {
            assert_eq!(ran.code(), 0, "{asked:?}: the next try went through: {}", ran.stderr());
        }
        assert_eq!(town.messages().len(), 1, "{asked:?}: {:?}", town.messages());
    }
}

#[tokio::test]
async fn f78_the_deadline_holds_whatever_is_slow() {
    for asked in Asked::ALL {
        let town = asked.town().await;
        town.sandbox.model().add_fault(Fault::new(asked.service(), SLOW).times(1_000));
        let start = steady();
        let ran = town.monitor(&["--deadline", "4s"]).await;
        let took = steady() - start;
        assert!(took < Duration::from_secs(8), "{asked:?}: {took:?}");
        assert_ne!(ran.code(), 0, "{asked:?}: {}", ran.stderr());
        let status = if asked == Asked::Slack { "halted" } else { town.status_after(Events::Doubtful) };
        assert_eq!(town.store_status(), status, "{asked:?}: {}", ran.stderr());
    }
}

#[tokio::test]
async fn f79_a_redirect_is_not_followed_and_said() {
    let elsewhere = TcpListener::bind("127.0.0.2:0").unwrap();
    let location = format!("http://{}/stolen?token=x", elsewhere.local_addr().unwrap());
    let callers = Arc::new(AtomicU32::new(0));
    let counted = callers.clone();
    std::thread::spawn(move || {
        for _ in elsewhere.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    for asked in Asked::ALL {
        let town = asked.town().await;
        let redirect = FaultKind::Redirect { location: location.clone() };
        town.sandbox.model().add_fault(Fault::new(asked.service(), redirect).times(1_000));
        let told = asked.cut_off(&town, None).await;
        assert!(told.contains("a redirect to \\\"127.0.0.2\\\", which is not followed"), "{asked:?}: {told}");
        assert!(!told.contains("/stolen"), "{asked:?}: {told}");
    }
    assert_eq!(callers.load(Ordering::SeqCst), 0, "somebody was asked whom nobody named");
}

/// A run in a workflow, with the files that it is given.
async fn in_workflow(town: &Town, summary: &str, outputs: &str) -> Ran {
    let mut command = town.tidegate(&["run", "release-monitor", "--now", NOW, "--output", "github"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", summary).env("GITHUB_OUTPUT", outputs);
    Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
}

#[tokio::test]
async fn f60_a_summary_that_can_not_be_written_is_said_and_changes_nothing() {
    for bad in ["/nowhere/summary.md", "/proc/self/summary.md", "."] {
        let town = Town::new(Apps::Android, Events::Bad).await;
        let outputs = town.path("outputs.txt");
        let ran = in_workflow(&town, bad, outputs.to_str().unwrap()).await;
        assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
        assert!(ran.stderr().contains("could not write GITHUB_STEP_SUMMARY"), "{}", ran.stderr());
        assert!(std::fs::read_to_string(outputs).unwrap().starts_with("decision=halt\n"));
        assert_eq!(town.messages().len(), 1);
    }
}

#[tokio::test]
async fn f60_a_summary_never_grows_beyond_what_github_takes() {
    const LARGEST: usize = 1024 * 1024;
    for (room, shown) in [(100, false), (2_000, true), (LARGEST, true)] {
        let town = Town::new(Apps::Android, Events::Bad).await;
        let (summary, outputs) = (town.path("summary.md"), town.path("outputs.txt"));
        std::fs::write(&summary, "x".repeat(LARGEST - room)).unwrap();
        let ran = in_workflow(&town, summary.to_str().unwrap(), outputs.to_str().unwrap()).await;
        assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
        let text = std::fs::read_to_string(&summary).unwrap();
        assert!(text.len() <= LARGEST, "{}", text.len());
        assert_eq!(text.contains("| **halt**, done"), shown, "{room}");
        assert_eq!(ran.stderr().contains("the file is full"), !shown, "{}", ran.stderr());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn f65_a_full_disk_changes_no_decision() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let ran = in_workflow(&town, "/dev/full", "/dev/full").await;
    assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
    for file in ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"] {
        assert!(ran.stderr().contains(&format!("could not write {file} (/dev/full)")), "{}", ran.stderr());
    }
    assert_eq!(town.messages().len(), 1);

    let town = Town::new(Apps::Android, Events::Bad).await;
    let mut command = town.tidegate(&["run", "release-monitor", "--now", NOW, "--output", "json"]);
    command.stdout(Stdio::from(std::fs::File::create("/dev/full").unwrap()));
    let ran = Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
    assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
    assert!(ran.stderr().contains("could not write standard output"), "{}", ran.stderr());
}

const CHILD: &str = "network_faults::child_that_panics";

/// Ends as the binary does where it is wrong. Run by the test below, in a process of its own.
#[test]
#[ignore = "it panics; a test of the panic's words starts it"]
fn child_that_panics() {
    tidegate::commands::unexpected::tell();
    tidegate::adapters::redact::know(&secrecy::SecretString::from("CANARY-that-is-known"));
    let state = json!({"token": "CANARY-that-is-known", "more": "CANARY-that-is-not-known"});
    panic!("{state}");
}

#[test]
fn f64_a_panic_tells_its_place_and_no_secret() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success());
    assert!(text.contains("internal error at tests/adapters/network_faults.rs:"), "{text}");
    assert!(text.contains("fix: ") && !text.contains("CANARY"), "{text}");
}
