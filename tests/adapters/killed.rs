//! A run that is killed at any moment, and the run after it: the same end in the store, one message.
//!
//! Between two requests a run only computes and commits, and a commit is whole or not at all. So killing it at each
//! request, once before the request takes effect and once after, meets every state that a kill can leave behind.

use tidegate::sandbox::{Fault, FaultKind, Service};

use crate::support::{CRASHES, crash};
use crate::town::{Apps, CHANNEL, Events, Reached, Town};

/// More requests than a run makes to any one service; a run that ends by itself ends the walk.
const MOST_REQUESTS: u32 = 60;

async fn killed_everywhere(apps: Apps, service: Service, kind: fn() -> FaultKind) {
    killed_with(apps, Events::Bad, service, kind, "HALTED").await;
}

async fn killed_with(apps: Apps, events: Events, service: Service, kind: fn() -> FaultKind, word: &str) {
    let mut killed = 0;
    for passed in 0..MOST_REQUESTS {
        let town = Town::new(apps, events).await;
        let reached = town.kill_at(Fault::new(service, kind()).after(passed)).await;
        if reached == Reached::No {
            break;
        }
        killed += 1;
        let ran = town.monitor(&[]).await;
        let place = format!("killed at request {} to {service:?}: {}", passed + 1, ran.stderr());
        assert_eq!(ran.code(), 0, "{place}");
        assert_eq!(town.store_status(), town.status_after(events), "{place}");
        let told = town.messages().iter().filter(|text| text.contains(word)).count();
        assert_eq!((told, town.messages().len()), (1, 1), "{place}: {:?}", town.messages());
        town.monitor(&[]).await;
        assert_eq!(town.messages().len(), 1, "{place}: a third run said more");
        town.sandbox.shutdown().await;
    }
    assert!(killed > 0 && killed < MOST_REQUESTS, "{killed} places were tried");
}

#[tokio::test]
async fn google_play_before_the_effect() {
    killed_everywhere(Apps::Android, Service::GooglePlay, || FaultKind::Hang).await;
}

#[tokio::test]
async fn google_play_after_the_effect() {
    killed_everywhere(Apps::Android, Service::GooglePlay, || FaultKind::HangAfter).await;
}

#[tokio::test]
async fn app_store_connect_before_the_effect() {
    killed_everywhere(Apps::Ios, Service::AppStoreConnect, || FaultKind::Hang).await;
}

#[tokio::test]
async fn app_store_connect_after_the_effect() {
    killed_everywhere(Apps::Ios, Service::AppStoreConnect, || FaultKind::HangAfter).await;
}

#[tokio::test]
async fn a_fast_track_before_the_effect() {
    let (apps, service) = (Apps::Android, Service::GooglePlay);
    killed_with(apps, Events::Good, service, || FaultKind::Hang, "FAST-TRACKED").await;
}

#[tokio::test]
async fn a_fast_track_after_the_effect() {
    let (apps, service) = (Apps::Android, Service::GooglePlay);
    killed_with(apps, Events::Good, service, || FaultKind::HangAfter, "FAST-TRACKED").await;
}

#[tokio::test]
async fn a_fast_track_in_the_app_store_after_the_effect() {
    let (apps, service) = (Apps::Ios, Service::AppStoreConnect);
    killed_with(apps, Events::Good, service, || FaultKind::HangAfter, "FAST-TRACKED").await;
}

#[tokio::test]
async fn a_fast_track_that_is_being_told() {
    let (apps, service) = (Apps::Android, Service::Slack);
    killed_with(apps, Events::Good, service, || FaultKind::HangAfter, "FAST-TRACKED").await;
}

/// A halt that is told under a warning, and a run that is killed at each request to Slack while it tells it.
#[tokio::test]
async fn a_halt_in_a_thread_is_told_once() {
    for kind in [FaultKind::Hang, FaultKind::HangAfter] {
        for passed in 0..MOST_REQUESTS {
            let town = Town::new(Apps::Android, Events::Doubtful).await;
            town.monitor(&[]).await;
            let crashes: Vec<_> =
                (0..5).map(|n| crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
            town.fixture.import(CRASHES, &crashes);
            let reached = town.kill_at(Fault::new(Service::Slack, kind.clone()).after(passed)).await;
            for later in ["2026-11-18T12:15:00Z", "2026-11-18T12:30:00Z"] {
                let ran = town.finish(&["run", "release-monitor", "--now", later, "--output", "json"]).await;
                assert_eq!(ran.code(), 0, "{}", ran.stderr());
            }
            let messages = town.sandbox.model().slack_messages(CHANNEL).unwrap();
            assert_eq!((messages.len(), &messages[1]["thread_ts"]), (2, &messages[0]["ts"]), "{messages:#?}");
            if reached == Reached::No {
                assert!(passed > 0, "no request was met");
                break;
            }
        }
    }
}

#[tokio::test]
async fn slack_before_the_effect() {
    killed_everywhere(Apps::Android, Service::Slack, || FaultKind::Hang).await;
}

#[tokio::test]
async fn slack_after_the_effect() {
    killed_everywhere(Apps::Android, Service::Slack, || FaultKind::HangAfter).await;
}
