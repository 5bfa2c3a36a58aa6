//! Clocks that are wrong, and machines that sleep: what a run does when time is not what it seems.

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::json;
use tidegate::adapters::clock::{ServerClock, SystemClock, moment, steady};
use tidegate::adapters::http::{self, Call};
use tidegate::domain::judge::Decision;
use tidegate::domain::verdict::Reason;
use tidegate::jobs::AppReport;
use tidegate::jobs::brakes::Brakes;
use tidegate::jobs::release_monitor::{Asks, ReleaseMonitor};
use tidegate::ports::{Clock, Moment};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};
use tidegate::world::{Acting, load};

use crate::support::at;
use crate::town::{Apps, Events, NOW, Town};

/// The instant of every run, on a machine whose clock is off.
struct Off(SignedDuration);

impl Clock for Off {
    fn now(&self) -> Timestamp {
        at(NOW)
    }

    fn moment(&self) -> Moment {
        moment()
    }

    fn skew(&self) -> Option<SignedDuration> {
        Some(self.0)
    }
}

/// One run in this process, on such a machine.
async fn run_on(town: &Town, skew: SignedDuration) -> AppReport {
    std::fs::write(town.path("slack-token"), &town.sandbox.credentials.slack_token).unwrap();
    let text = town.configuration().replace("env:SLACK_TOKEN", "file:slack-token");
    std::fs::write(town.path("tidegate.toml"), text).unwrap();
    let loaded = load(Some(&town.path("tidegate.toml"))).unwrap();
    let until = steady() + Duration::from_secs(60);
    let world = loaded.world(&[], Acting::Live, until).await.unwrap();
    let clock = Off(skew);
    let brakes = Brakes::new(moment(), Duration::from_secs(60));
    let job = ReleaseMonitor {
        state: world.state.as_ref(),
        clock: &clock,
        holder: "a/b".to_owned(),
        brakes: &brakes,
        asks: Asks::Nothing,
        held: Mutex::default(),
    };
    job.run(&world.apps[0]).await.unwrap().remove(0)
}

#[tokio::test]
async fn f67_with_a_clock_two_hours_off_nothing_permissive_is_done() {
    for hours in [-2, 2] {
        let town = Town::new(Apps::Android, Events::Good).await;
        let report = run_on(&town, SignedDuration::from_hours(hours)).await;
        assert_eq!((report.decision, report.reason), (Decision::StaleData, Reason::ClockWrong));
        assert_eq!((town.store_status().as_str(), town.messages().len()), ("inProgress", 0));
        let record = report.record.unwrap();
        assert_eq!(record.facts.data.clock_off_seconds, Some(hours * 3_600));
        assert_eq!(record.judged_again(), record, "the decision follows from its stored evidence");
        let next = run_on(&town, SignedDuration::from_secs(120)).await;
        assert_eq!(next.decision, Decision::FastTrack, "the one check of the cycle was not used up");
    }
}

#[tokio::test]
async fn f67_with_a_clock_two_hours_off_a_bad_release_is_halted() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let report = run_on(&town, SignedDuration::from_hours(2)).await;
    assert_eq!((report.decision, town.store_status().as_str()), (Decision::Halt, "halted"));
}

#[tokio::test]
async fn f67_the_date_of_any_answer_sets_the_shared_clock_right() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let ahead = SystemClock.now() + SignedDuration::from_hours(2);
    let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&ahead).unwrap();
    let reply = CannedReply::status(403).with_body(json!({})).with_header("date", &date);
    town.sandbox.model().add_fault(Fault::new(Service::Slack, FaultKind::Status(reply)));
    let clock = ServerClock::default();
    let client = http::client().unwrap();
    let slack = http::Service::new("Slack", &town.sandbox.endpoints.slack, client).with_clock(&clock);
    let call = Call::new(reqwest::Method::GET, "/api/auth.test");
    let token = SecretString::from(town.sandbox.credentials.slack_token.clone());
    assert!(slack.once(&call, &token).await.is_err());
    let off = clock.offset().unwrap() - SignedDuration::from_hours(2);
    assert!(off.abs() < SignedDuration::from_secs(60), "{off}: an answer that refuses tells the time too");
    slack.once(&call, &token).await.unwrap();
    assert_eq!(clock.offset(), Some(SignedDuration::ZERO), "the newest answer counts");
}

#[tokio::test]
async fn f66_a_run_that_is_stopped_over_its_deadline_changes_nothing_afterwards() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    // Slow answers leave time to stop the run before it can change anything.
    town.sandbox.model().set_latency(Duration::from_millis(700));
    let args = ["run", "release-monitor", "--now", NOW, "--deadline", "6s", "--output", "json"];
    let mut child = town.tidegate(&args).spawn().unwrap();
    while town.sandbox.model().requests().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    signal("-STOP");
    town.sandbox.model().clear_requests();
    tokio::time::sleep(Duration::from_secs(7)).await;
    signal("-CONT");
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((town.writes(), town.store_status().as_str()), (Vec::<String>::new(), "inProgress"));
    assert!(town.messages().is_empty());
    town.sandbox.model().set_latency(Duration::ZERO);
    assert_eq!(
        (town.monitor(&[]).await.code(), town.store_status().as_str()),
        (0, "halted"),
        "the next run goes on"
    );
}
