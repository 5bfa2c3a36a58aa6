//! The steps of a rollout, taken by the real binary against the sandbox: once a date, on clean evidence, and never against
//! a person.

use serde_json::{Value, json};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};

use crate::support::{CRASHES, SESSIONS, at, crash, session, with};
use crate::town::{Apps, CHANNEL, Events, NOW, Ran, Reached, Town};

/// Steps are asked for, and the check that would offer a good release to everybody at once is off.
const STEPS: &str = "rules = { crash-free-sessions-fast-track = { mode = \"off\" } }\n";
/// Thursday noon, a day after [`NOW`].
const NEXT_DAY: &str = "2026-11-19T12:00:00Z";

async fn good() -> Town {
    let town = Town::new(Apps::Android, Events::Good).await;
    town.configure(STEPS);
    town
}

impl Town {
    async fn rollout(&self, now: &str, more: &[&str]) -> Ran {
        self.sandbox.model().set_now(Some(at(now)));
        let mut args = vec!["run", "android-rollout", "--now", now, "--output", "json"];
        args.extend(more);
        self.finish(&args).await
    }

    /// Sessions and a crash of the old version shortly before an instant, so that the data is fresh then.
    fn freshen(&self, now: &str) {
        let minutes = |minutes: i64| (at(now) - jiff::SignedDuration::from_mins(minutes)).to_string();
        self.fixture.import(SESSIONS, &[session(&format!("fresh {now}"), &minutes(15))]);
        let old = json!({"application": {"build_version": "100", "display_version": "1.9"}});
        self.fixture.import(CRASHES, &[with(crash(&format!("fresh {now}"), &minutes(20)), old)]);
    }

    fn share(&self) -> Value {
        self.sandbox.model().state()["play"]["com.example.app"]["tracks"][0]["releases"]
            .as_array()
            .unwrap()
            .iter()
            .find(|release| release["versionCodes"] == json!(["200"]))
            .map_or(Value::Null, |release| release["userFraction"].clone())
    }

    fn set_share(&self, status: &str, fraction: f64) {
        let releases = json!([
            {"name": "1.9", "versionCodes": ["100"], "status": "completed"},
            {"name": "2.0", "versionCodes": ["200"], "status": status, "userFraction": fraction},
        ]);
        let releases = releases.as_array().unwrap().clone();
        self.sandbox.model().console_change("com.example.app", "production", releases).unwrap();
    }
}

fn answered(ran: &Ran) -> (Value, Value, Value) {
    let result = ran.result();
    (result["decision"].clone(), result["reason"].clone(), result["acted"].clone())
}

#[tokio::test]
async fn a_good_release_takes_one_step_a_date_and_is_completed_at_last() {
    let town = good().await;
    let ran = town.rollout(NOW, &[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(answered(&ran), (json!("advance"), json!("step-allowed"), json!(true)));
    assert_eq!(
        (ran.result()["user_fraction"].clone(), ran.result()["next_user_fraction"].clone()),
        (json!(0.75), json!(0.75))
    );
    assert_eq!(town.share(), json!(0.75));
    let [message] = town.messages().try_into().unwrap();
    assert!(message.starts_with("⏫ RAISED") && message.contains("75 % of users, was 15 %"), "{message}");
    assert!(message.contains("to 100 %, on 2026-11-19 at the earliest"), "{message}");

    let (writes, later) = (town.writes(), "2026-11-18T20:45:00Z");
    for now in [NOW, "2026-11-18T13:00:00Z", later] {
        let again = town.rollout(now, &[]).await;
        assert!(
            !["advance", "complete"].contains(&again.result()["decision"].as_str().unwrap()),
            "{}",
            again.stderr()
        );
    }
    assert_eq!((town.writes(), town.messages().len()), (writes, 1), "once a date");

    town.freshen(NEXT_DAY);
    let ran = town.rollout(NEXT_DAY, &[]).await;
    assert_eq!(answered(&ran), (json!("complete"), json!("step-allowed"), json!(true)), "{}", ran.stderr());
    assert_eq!(
        (ran.result()["next_user_fraction"].clone(), town.store_status().as_str()),
        (json!(1.0), "completed")
    );
    let messages = town.sandbox.model().slack_messages(CHANNEL).unwrap();
    assert!(messages[1]["text"].as_str().unwrap().starts_with("✅ COMPLETED"), "{messages:?}");
    assert_eq!(messages[1]["thread_ts"], messages[0]["ts"], "in the thread of the release");
    let ledger = town.finish(&["ledger"]).await;
    assert_eq!(ledger.code(), 0, "{}{}", ledger.stdout(), ledger.stderr());
}

#[tokio::test]
async fn no_step_is_taken_before_its_time_or_on_a_quiet_day() {
    let town = good().await;
    let before = "2026-11-18T11:59:00Z";
    town.freshen(before);
    let ran = town.rollout(before, &[]).await;
    assert_eq!(answered(&ran), (json!("hold"), json!("before-time"), json!(false)), "{}", ran.stderr());
    for quiet in ["quiet_days = [\"wed\"]", "quiet_dates = [\"2026-11-17/2026-11-18\"]"] {
        town.configure(&format!("{STEPS}schedule = {{ {quiet} }}\n"));
        let ran = town.rollout(NOW, &[]).await;
        assert_eq!((ran.code(), answered(&ran).1), (0, json!("quiet-day")), "{quiet}: {}", ran.stderr());
        assert!(ran.result()["withheld"].as_str().unwrap().contains("quiet day"), "{}", ran.result());
    }
    assert_eq!(town.share(), json!(0.15));
    assert!(!town.messages().iter().any(|text| text.contains("RAISED")), "{:?}", town.messages());
}

#[tokio::test]
async fn a_dry_run_decides_the_same_and_writes_nothing() {
    let town = good().await;
    let ran = town.rollout(NOW, &["--dry-run"]).await;
    assert_eq!(answered(&ran), (json!("advance"), json!("step-allowed"), json!(false)), "{}", ran.stderr());
    assert_eq!((town.writes(), town.messages(), town.share()), (Vec::new(), Vec::new(), json!(0.15)));
    assert!(!town.path("state.sqlite").exists(), "not even a state is made");
}

#[tokio::test]
async fn a_bad_release_is_halted_and_a_doubtful_one_is_left() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.configure(STEPS);
    let ran = town.rollout(NOW, &[]).await;
    assert_eq!(
        (answered(&ran).0, town.store_status().as_str()),
        (json!("halt"), "halted"),
        "{}",
        ran.stderr()
    );
    let again = town.rollout(NEXT_DAY, &[]).await;
    assert_eq!((answered(&again).0, town.store_status().as_str()), (json!("none"), "halted"));
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.configure(STEPS);
    let ran = town.rollout(NOW, &[]).await;
    assert_eq!((answered(&ran).0, town.share()), (json!("warn"), json!(0.15)), "{}", ran.stderr());
    assert!(ran.result()["withheld"].as_str().unwrap().contains("no step was taken"), "{}", ran.result());
}

#[tokio::test]
async fn stale_data_raises_nothing() {
    let town = good().await;
    let late = "2026-11-18T15:00:00Z";
    let ran = town.rollout(late, &[]).await;
    assert_eq!((answered(&ran).0, town.share()), (json!("stale-data"), json!(0.15)), "{}", ran.stderr());
    town.freshen(late);
    let ran = town.rollout(late, &[]).await;
    assert_eq!(
        (answered(&ran).0, town.share()),
        (json!("advance"), json!(0.75)),
        "caught up on the same date"
    );
}

#[tokio::test]
async fn a_hold_keeps_the_share_and_a_person_who_lowered_it_is_not_overruled() {
    let town = good().await;
    let hold = ["control", "hold", "--until", "6h", "--actor", "kim", "--reason", "a party", "--now", NOW];
    let held = town.finish(&hold).await;
    assert_eq!(held.code(), 0, "{}", held.stderr());
    let ran = town.rollout(NOW, &[]).await;
    assert_eq!((answered(&ran).1, town.share()), (json!("held"), json!(0.15)), "{}", ran.stderr());
    let end = ["control", "release-hold", "--actor", "kim", "--reason", "over", "--now", NOW];
    assert_eq!(town.finish(&end).await.code(), 0);
    assert_eq!(answered(&town.rollout(NOW, &[]).await).0, json!("advance"));

    town.set_share("inProgress", 0.3);
    for now in [NEXT_DAY, "2026-11-20T12:00:00Z"] {
        town.freshen(now);
        let ran = town.rollout(now, &[]).await;
        assert_eq!(
            (answered(&ran).1, town.share()),
            (json!("lowered-by-person"), json!(0.3)),
            "{}",
            ran.stderr()
        );
    }
    town.set_share("inProgress", 0.4);
    let days = ["2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"];
    let mut reasons = Vec::new();
    for now in days {
        town.freshen(now);
        reasons.push(answered(&town.rollout(now, &[]).await).1);
    }
    assert_eq!((reasons, town.share()), (vec![json!("step-taken"), json!("step-allowed")], json!(0.75)));
}

#[tokio::test]
async fn a_rollout_that_stands_still_is_told_once() {
    let town = good().await;
    town.configure(&format!("{STEPS}rollout = {{ min_sessions = 50000, stuck_after_days = 2 }}\n"));
    let days = [NOW, NEXT_DAY, "2026-11-20T12:00:00Z"];
    for now in days {
        town.freshen(now);
        let ran = town.rollout(now, &[]).await;
        assert_eq!(answered(&ran).1, json!("too-few-sessions"), "{}", ran.stderr());
    }
    let told: Vec<_> =
        town.messages().into_iter().filter(|text| text.starts_with("🧊 STANDS STILL")).collect();
    assert_eq!(told.len(), 1, "{:?}", town.messages());
    assert!(told[0].contains("too few sessions"), "{told:?}");
}

#[tokio::test]
async fn an_ios_app_is_not_applicable() {
    let town = Town::new(Apps::Ios, Events::Good).await;
    let ran = town.rollout(NOW, &[]).await;
    assert_eq!((ran.code(), answered(&ran).1), (0, json!("not-applicable")), "{}", ran.stderr());
    assert_eq!((town.writes(), town.store_status().as_str()), (Vec::new(), "ACTIVE"));
}

#[tokio::test]
async fn two_runs_at_once_take_one_step() {
    let town = good().await;
    let (one, other) = tokio::join!(town.rollout(NOW, &[]), town.rollout(NOW, &[]));
    assert_eq!([one.code(), other.code()], [0, 0], "{}\n{}", one.stderr(), other.stderr());
    assert_eq!((town.share(), town.messages().len()), (json!(0.75), 1), "{:?}", town.messages());
}

#[tokio::test]
async fn a_store_that_fails_is_asked_again_by_the_next_run_of_the_date() {
    let town = good().await;
    let failing = FaultKind::Status(CannedReply::status(503));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, failing).on("POST", ":commit").times(100));
    let ran = town.rollout(NOW, &["--deadline", "25s"]).await;
    assert_eq!((ran.code(), town.share(), town.messages().len()), (3, json!(0.15), 0), "{}", ran.stderr());
    town.sandbox.model().clear_faults();
    let monitor = town.monitor(&[]).await;
    assert_eq!(
        (town.share(), town.messages().len()),
        (json!(0.15), 0),
        "the monitor finishes no step: {}",
        monitor.stderr()
    );
    let ran = town.rollout(NOW, &[]).await;
    assert_eq!(
        (answered(&ran).0, town.share(), town.messages().len()),
        (json!("advance"), json!(0.75), 1),
        "{}",
        ran.stderr()
    );
}

/// More requests than a run makes to the store.
const MOST_REQUESTS: u32 = 40;

async fn killed_everywhere(kind: fn() -> FaultKind) {
    let mut killed = 0;
    for passed in 0..MOST_REQUESTS {
        let town = good().await;
        let fault = Fault::new(Service::GooglePlay, kind()).after(passed);
        if town.kill_job_at("android-rollout", fault).await == Reached::No {
            break;
        }
        killed += 1;
        let (left, place) = (town.share(), format!("killed at request {}", passed + 1));
        let monitor = town.monitor(&[]).await;
        assert_eq!(monitor.code(), 0, "{place}: {}", monitor.stderr());
        assert_eq!(town.share(), left, "{place}: the monitor raises nothing");
        let ran = town.rollout(NOW, &[]).await;
        assert_eq!((ran.code(), town.share()), (0, json!(0.75)), "{place}: {}", ran.stderr());
        let told = town.messages().iter().filter(|text| text.contains("RAISED")).count();
        assert_eq!((told, town.messages().len()), (1, 1), "{place}: {:?}", town.messages());
        town.rollout("2026-11-18T12:30:00Z", &[]).await;
        assert_eq!((town.share(), town.messages().len()), (json!(0.75), 1), "{place}: a later run went on");
        town.sandbox.shutdown().await;
    }
    assert!(killed > 3 && killed < MOST_REQUESTS, "{killed} places were tried");
}

#[tokio::test]
async fn a_run_that_is_killed_before_an_effect_leaves_a_step_that_is_judged_anew() {
    killed_everywhere(|| FaultKind::Hang).await;
}

#[tokio::test]
async fn a_run_that_is_killed_after_an_effect_leaves_a_step_that_is_told_once() {
    killed_everywhere(|| FaultKind::HangAfter).await;
}
