//! What people say, with the real binary: holds, orders, modes, and the guards of the acting protocol that belong to them.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tidegate::adapters::clock::steady;
use tidegate::domain::ids::AppId;
use tidegate::ports::StateStore as _;
use tidegate::sandbox::{Fault, FaultKind, Service};
use tokio::sync::Notify;

use crate::emulator::Emulator;
use crate::grpc_proxy::{Fate, Fault as Between, Proxy};
use crate::support::{CRASHES, SESSIONS, at, crash, session};
use crate::town::{Apps, Events, NOW, Ran, Reached, Town, hours_later};

/// GitHub sends SIGTERM so long after SIGINT; a run must have ended by itself before.
const SIGTERM_COMES: Duration = Duration::from_millis(7_500);

/// Runs a command in an environment of its own.
async fn with(town: &Town, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = town.tidegate(args);
    command.envs(variables.iter().copied());
    Ran(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
}

/// Says something as of the instant that every run is asked about.
async fn say(town: &Town, words: &[&str]) -> Ran {
    let mut args = vec!["control"];
    args.extend(words);
    args.extend(["--actor", "kim", "--reason", "the login fails", "--now", NOW, "--output", "json"]);
    town.finish(&args).await
}

async fn monitor_at(town: &Town, now: &str) -> Ran {
    town.finish(&["run", "release-monitor", "--now", now, "--output", "json"]).await
}

fn minutes_later(minutes: i64) -> String {
    (at(NOW) + SignedDuration::from_mins(minutes)).to_string()
}

/// The texts that begin with these words, after the symbol.
fn told(town: &Town, words: &str) -> Vec<String> {
    let starts = |text: &String| text.split_once(' ').is_some_and(|(_, rest)| rest.trim().starts_with(words));
    town.messages().into_iter().filter(starts).collect()
}

fn decision(ran: &Ran) -> Value {
    ran.result()["decision"].clone()
}

#[tokio::test]
async fn observe_judges_and_records_and_does_nothing_to_stores_or_people() {
    let modes: [(&[(&str, &str)], &str); 2] =
        [(&[("TIDEGATE_MODE", "observe")], ""), (&[], "control = { mode = \"observe\" }\n")];
    for (variables, configured) in modes {
        for (events, decided) in
            [(Events::Bad, "halt"), (Events::Good, "fast-track"), (Events::Doubtful, "warn")]
        {
            let town = Town::new(Apps::Android, events).await;
            town.configure(configured);
            let args = ["run", "release-monitor", "--now", NOW, "--output", "json"];
            let ran = with(&town, &args, variables).await;
            let result = ran.result();
            assert_eq!((ran.code(), &result["decision"]), (0, &json!(decided)), "{}", ran.stderr());
            assert_eq!(result["acted"], false);
            assert!(result["withheld"].as_str().unwrap().contains("the mode is observe"), "{result:#}");
            assert_eq!((town.writes(), town.messages().len()), (Vec::new(), 0));
            let explained = town.finish(&["explain", result["decision_id"].as_str().unwrap()]).await;
            assert_eq!(explained.code(), 0, "it is recorded: {}", explained.stderr());
        }
    }
}

#[tokio::test]
async fn what_was_observed_is_done_once_the_mode_is_auto_again() {
    let town = Town::new(Apps::Android, Events::Good).await;
    let args = ["run", "release-monitor", "--now", NOW, "--output", "json"];
    with(&town, &args, &[("TIDEGATE_MODE", "observe")]).await;
    let ran = town.monitor(&[]).await;
    assert_eq!((decision(&ran), town.store_status().as_str()), (json!("fast-track"), "completed"));
}

#[tokio::test]
async fn off_asks_nobody_anything() {
    let modes: [(&[(&str, &str)], &str); 2] =
        [(&[("TIDEGATE_MODE", "off")], ""), (&[], "control = { mode = \"off\" }\n")];
    for (variables, configured) in modes {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.configure(configured);
        let ran = with(&town, &["run", "release-monitor", "--now", NOW, "--output", "json"], variables).await;
        let result = ran.result();
        assert_eq!((ran.code(), &result["reason"]), (0, &json!("switched-off")), "{}", ran.stderr());
        assert!(ran.stderr().contains("the mode of the app is off"), "{}", ran.stderr());
        assert!(town.sandbox.model().requests().is_empty());
        let halt = ["control", "halt", "--reason", "bad", "--actor", "kim", "--now", NOW];
        let refused = with(&town, &halt, variables).await;
        assert_eq!(refused.code(), 2, "a person's halt is not silently dropped: {}", refused.stderr());
        assert!(town.sandbox.model().requests().is_empty());
    }
}

#[tokio::test]
async fn an_unknown_mode_ends_with_the_known_ones() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    for command in
        [&["run", "release-monitor"][..], &["control", "halt", "--reason", "bad", "--actor", "kim"]]
    {
        let ran = with(&town, command, &[("TIDEGATE_MODE", "on")]).await;
        assert_eq!(ran.code(), 2, "{}", ran.stderr());
        assert!(ran.stderr().contains("auto, observe and off"), "{}", ran.stderr());
    }
    assert!(town.sandbox.model().requests().is_empty());
}

#[tokio::test]
async fn the_strictest_of_environment_configuration_and_people_wins() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.configure("control = { mode = \"observe\" }\n");
    let args = ["run", "release-monitor", "--now", NOW, "--output", "json"];
    with(&town, &args, &[("TIDEGATE_MODE", "auto")]).await;
    assert_eq!(town.store_status(), "inProgress", "auto does not open what the configuration closes");
    town.configure("");
    assert_eq!(say(&town, &["observe", "--until", "6h"]).await.code(), 0);
    let ran = town.monitor(&[]).await;
    assert_eq!((decision(&ran), town.store_status().as_str()), (json!("halt"), "inProgress"));
    assert!(town.messages().is_empty(), "{:?}", town.messages());
}

#[tokio::test]
async fn a_hold_keeps_a_good_release_where_it_is_until_a_person_ends_it() {
    let town = Town::new(Apps::Android, Events::Good).await;
    assert_eq!(say(&town, &["hold", "--until", "6h"]).await.code(), 0);
    for _ in 0..2 {
        let ran = town.monitor(&[]).await;
        let result = ran.result();
        assert_eq!((ran.code(), &result["decision"]), (0, &json!("overridden")), "{}", ran.stderr());
        assert_eq!((&result["reason"], &result["acted"]), (&json!("held"), &json!(false)));
        let why = result["withheld"].as_str().unwrap();
        assert!(why.contains("kim") && why.contains("the login fails"), "{why}");
    }
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("inProgress", 1));
    assert!(told(&town, "ON HOLD")[0].contains("by kim until 2026-11-18 18:00 UTC"), "{:?}", town.messages());
    assert_eq!(say(&town, &["release-hold"]).await.code(), 0);
    let ran = town.monitor(&[]).await;
    assert_eq!((decision(&ran), town.store_status().as_str()), (json!("fast-track"), "completed"));
    assert_eq!((told(&town, "HOLD ENDED").len(), told(&town, "FAST-TRACKED").len()), (1, 1));
}

#[tokio::test]
async fn a_hold_lets_a_bad_release_be_halted() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    say(&town, &["hold"]).await;
    let ran = town.monitor(&[]).await;
    assert_eq!((decision(&ran), town.store_status().as_str()), (json!("halt"), "halted"));
    assert_eq!(told(&town, "HALTED").len(), 1);
}

#[tokio::test]
async fn a_hold_of_halts_keeps_a_bad_release_and_says_so_once() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    say(&town, &["hold", "--also-halt"]).await;
    for _ in 0..2 {
        let ran = town.monitor(&[]).await;
        assert_eq!((ran.code(), decision(&ran)), (0, json!("overridden")), "{}", ran.stderr());
    }
    assert_eq!(town.store_status(), "inProgress");
    let told_once = told(&town, "NOT HALTED");
    assert!(told_once.len() == 1 && told_once[0].contains("set by kim"), "{:?}", town.messages());
    assert!(told(&town, "HALTED").is_empty());
    assert_eq!(say(&town, &["release-hold"]).await.code(), 0);
    town.monitor(&[]).await;
    assert_eq!((town.store_status().as_str(), told(&town, "HALTED").len()), ("halted", 1));
}

#[tokio::test]
async fn a_halt_that_was_written_down_waits_for_a_hold_of_halts_too() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let stuck = Fault::new(Service::GooglePlay, FaultKind::Hang).on("PUT", "/tracks/");
    assert_eq!(town.kill_at(stuck).await, Reached::Yes);
    say(&town, &["hold", "--also-halt"]).await;
    let ran = town.monitor(&[]).await;
    assert_eq!((decision(&ran), town.store_status().as_str()), (json!("overridden"), "inProgress"));
    say(&town, &["release-hold"]).await;
    town.monitor(&[]).await;
    assert_eq!(town.store_status(), "halted");
}

#[tokio::test]
async fn a_hold_on_another_release_changes_nothing() {
    let town = Town::new(Apps::Android, Events::Good).await;
    say(&town, &["hold", "--release", "1.9"]).await;
    assert_eq!(decision(&town.monitor(&[]).await), "fast-track");
    let town = Town::new(Apps::Android, Events::Good).await;
    say(&town, &["hold", "--release", "2.0"]).await;
    assert_eq!(decision(&town.monitor(&[]).await), "overridden");
}

#[tokio::test]
async fn a_hold_ends_by_itself_and_people_are_reminded_once() {
    let town = Town::new(Apps::Android, Events::Good).await;
    say(&town, &["hold", "--until", "60m"]).await;
    monitor_at(&town, &minutes_later(44)).await;
    assert!(told(&town, "HOLD ENDS").is_empty());
    for minutes in [46, 59] {
        assert_eq!(decision(&monitor_at(&town, &minutes_later(minutes)).await), "overridden");
    }
    assert_eq!(told(&town, "HOLD ENDS").len(), 1, "{:?}", town.messages());
    let messages = town.sandbox.model().slack_messages(crate::town::CHANNEL).unwrap();
    let reminder = messages.iter().find(|message| message["text"].as_str().unwrap().contains("HOLD ENDS"));
    assert_eq!(reminder.unwrap()["thread_ts"], messages[0]["ts"], "it is in the thread");
    let ran = monitor_at(&town, &minutes_later(60)).await;
    assert_eq!((decision(&ran), town.store_status().as_str()), (json!("fast-track"), "completed"));
}

#[tokio::test]
async fn a_hold_has_an_owner_a_reason_and_an_end() {
    let town = Town::new(Apps::Android, Events::Good).await;
    let hold = |more: &[&'static str]| [&["control", "hold", "--now", NOW][..], more].concat();
    let refused: [(&[&str], &str); 4] = [
        (&["--actor", "kim"], "--reason"),
        (&["--actor", "kim", "--reason", " "], "the reason is empty"),
        (&["--actor", "kim", "--reason", "x", "--until", "15d"], "14 days"),
        (&["--actor", "kim", "--reason", "x", "--until", "2026-11-18T11:00:00Z"], "does not lie ahead"),
    ];
    for (args, words) in refused {
        let ran = town.finish(&hold(args)).await;
        assert_eq!(ran.code(), 2, "{args:?}: {}", ran.stderr());
        assert!(ran.stderr().contains(words), "{args:?}: {}", ran.stderr());
    }
    let nobody = town.finish(&hold(&["--reason", "x"])).await;
    assert!(nobody.code() == 2 && nobody.stderr().contains("the actor is empty"), "{}", nobody.stderr());
    let known =
        with(&town, &hold(&["--reason", "x"]), &[("GITHUB_ACTOR", "robin"), ("USER", "runner")]).await;
    assert_eq!(known.code(), 0, "{}", known.stderr());
    let shown = town.finish(&["control", "show", "--now", NOW, "--output", "json"]).await;
    let shown: Value = serde_json::from_str(&shown.stdout()).unwrap();
    assert_eq!(shown["words"][0]["word"]["actor"], "robin");
    assert_eq!(shown["words"][0]["until"], "2026-11-19T12:00:00Z");
}

#[tokio::test]
async fn f58_runs_at_once_and_a_run_that_is_started_again_say_nothing_twice() {
    for events in [Events::Bad, Events::Good, Events::Doubtful] {
        let town = Town::new(Apps::Android, events).await;
        let (one, other) = tokio::join!(town.monitor(&[]), town.monitor(&[]));
        assert_eq!([one.code(), other.code()], [0, 0], "{}\n{}", one.stderr(), other.stderr());
        let writes = town.writes();
        assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
        assert_eq!(town.monitor(&[]).await.code(), 0);
        assert_eq!((town.writes(), town.messages().len()), (writes, 1), "the run that is started again");
    }
}

/// Starts a run, interrupts it once the fault holds a request, and waits for its end as GitHub would.
async fn interrupted(town: &Town, fault: Fault) -> (Ran, Duration) {
    town.sandbox.model().add_fault(fault);
    let child = town.tidegate(&["run", "release-monitor", "--now", NOW]).spawn().unwrap();
    let reached = || town.sandbox.model().requests().iter().any(|request| request.fault);
    let began = steady();
    while !reached() {
        assert!(began.elapsed() < Duration::from_secs(60), "the fault is not reached");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let id = child.id().to_string();
    let signal = |name: &str| {
        Command::new("kill").args([name, &id]).stderr(Stdio::null()).status().unwrap();
    };
    let interrupted = steady();
    signal("-INT");
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let ran = match tokio::time::timeout(SIGTERM_COMES, ended).await {
        Ok(output) => Ran(output.unwrap()),
        Err(_) => {
            signal("-TERM");
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            signal("-KILL");
            panic!("the run did not end by itself");
        }
    };
    town.sandbox.model().clear_faults();
    (ran, interrupted.elapsed())
}

/// The looks at the track before the change: the list of releases, then the look of the acting path.
const LOOKS_BEFORE_THE_CHANGE: u32 = 1;

#[tokio::test]
async fn f59_no_change_is_begun_after_a_signal_and_the_next_run_goes_on() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    // The look before the change takes about a second, so the change would come within the moment that is left.
    let slow = Fault::new(Service::GooglePlay, FaultKind::Slow { byte_interval_ms: 2 });
    let (ran, _) = interrupted(&town, slow.on("GET", "/tracks/").after(LOOKS_BEFORE_THE_CHANGE)).await;
    assert_eq!(ran.code(), 130, "{}", ran.stderr());
    assert!(ran.stdout().contains("the run was told to end"), "{}", ran.stdout());
    let changes = || town.writes().iter().filter(|write| write.contains("/tracks/")).count();
    assert_eq!((changes(), town.store_status().as_str(), town.messages().len()), (0, "inProgress", 0));
    let next = town.monitor(&[]).await;
    assert_eq!((next.code(), town.store_status().as_str()), (0, "halted"), "{}", next.stderr());
    assert_eq!((changes(), told(&town, "HALTED").len()), (1, 1));
}

#[tokio::test]
async fn f59_a_change_that_is_under_way_is_not_waited_for_and_is_looked_at_by_the_next_run() {
    for (kind, applied) in [(FaultKind::Hang, "inProgress"), (FaultKind::HangAfter, "halted")] {
        let town = Town::new(Apps::Android, Events::Bad).await;
        let (ran, took) =
            interrupted(&town, Fault::new(Service::GooglePlay, kind).on("POST", ":commit")).await;
        assert_eq!((ran.code(), town.store_status().as_str()), (130, applied), "{}", ran.stderr());
        assert!(took >= Duration::from_secs(2), "what is under way gets two seconds, it got {took:?}");
        assert!(town.messages().is_empty(), "{:?}", town.messages());
        let next = town.monitor(&[]).await;
        assert_eq!((next.code(), town.store_status().as_str()), (0, "halted"), "{}", next.stderr());
        assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
    }
}

#[tokio::test]
async fn f59_the_lease_is_given_back_so_that_the_next_run_need_not_wait() {
    let Some(emulator) = Emulator::new() else { return };
    let town = Town::on_firestore(Apps::Android, Events::Bad, &emulator, &emulator.address.clone()).await;
    let stuck = Fault::new(Service::GooglePlay, FaultKind::Hang).on("PUT", "/tracks/");
    assert_eq!(interrupted(&town, stuck).await.0.code(), 130);
    let next = town.monitor(&[]).await;
    assert_eq!((next.code(), town.store_status().as_str()), (0, "halted"), "{}", next.stderr());
    assert_eq!(town.messages().len(), 1);
}

#[tokio::test]
async fn f76_a_missing_secret_ends_one_app_and_not_the_others() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let ios = "[[app]]\nid = \"ios\"\nplatform = \"ios\"\nbundle_id = \"com.example.app\"\n\
               slack = { token = \"env:NOT_SET\" }\n";
    town.configure(ios);
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 3, "{}", ran.stderr());
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(document["results"][0]["decision"], "halt");
    assert_eq!(document["results"][1]["decision"], "error");
    let problem = document["results"][1]["problems"][0].as_str().unwrap();
    assert!(problem.contains("NOT_SET") && problem.contains("ios"), "{problem}");
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("halted", 1));

    let alone = town.finish(&["run", "release-monitor", "--app", "ios", "--now", NOW]).await;
    assert_eq!(alone.code(), 2, "no app is left: {}", alone.stderr());
    assert!(alone.stderr().contains("NOT_SET"), "{}", alone.stderr());
}

#[tokio::test]
async fn f76_a_token_that_slack_refuses_ends_one_app_and_not_the_others() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let both = "slack = { token = \"env:BAD_TOKEN\" }\n\
                [[app]]\nid = \"ios\"\nplatform = \"ios\"\nbundle_id = \"com.example.app\"\n";
    town.configure(both);
    let args = ["run", "release-monitor", "--now", NOW, "--output", "json"];
    let ran = with(&town, &args, &[("BAD_TOKEN", "nobody-knows-it")]).await;
    assert_eq!(ran.code(), 3, "{}", ran.stderr());
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!((&document["results"][0]["acted"], town.store_status().as_str()), (&json!(true), "halted"));
    assert!(document["results"][0]["problems"].to_string().contains("invalid_auth"), "{document:#}");
    assert_eq!(document["results"][1]["decision"], "insufficient-data", "{document:#}");
    assert!(!ran.stdout().contains("nobody-knows-it") && !ran.stderr().contains("nobody-knows-it"));
}

#[tokio::test]
async fn f83_a_hold_that_is_set_between_decision_and_act_cancels_what_raises_exposure() {
    for (events, hold, status) in [
        (Events::Good, &["hold"][..], "inProgress"),
        (Events::Bad, &["hold", "--also-halt"], "inProgress"),
        (Events::Bad, &["hold"], "halted"),
    ] {
        let Some(emulator) = Emulator::new() else { return };
        let proxy = Proxy::start(&emulator.address).await;
        let town = Town::on_firestore(Apps::Android, events, &emulator, &proxy.address).await;
        let go_on = Arc::new(Notify::new());
        proxy.add(Between::new("BatchGetDocuments", Fate::Held(Arc::clone(&go_on))).about("/decisions/"));
        let person = async {
            while !proxy.has_hit() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let said = say(&town, hold).await;
            go_on.notify_one();
            said
        };
        let (ran, said) = tokio::join!(town.monitor(&[]), person);
        assert_eq!(said.code(), 0, "a person does not wait for a run: {}", said.stderr());
        assert_eq!((ran.code(), town.store_status().as_str()), (0, status), "{}", ran.stderr());
        let expected = if status == "halted" { "halt" } else { "overridden" };
        assert_eq!(decision(&ran), expected, "{}", ran.stdout());
        let intents = emulator.collection("intents").await.len();
        assert_eq!(intents, usize::from(status == "halted"), "nothing is written down that may not be done");
    }
}

#[tokio::test]
async fn words_that_can_not_be_read_hold_what_raises_exposure_and_leave_halting_on() {
    for (events, status) in [(Events::Good, "inProgress"), (Events::Bad, "halted")] {
        let Some(emulator) = Emulator::new() else { return };
        let town = Town::on_firestore(Apps::Android, events, &emulator, &emulator.address.clone()).await;
        emulator.set("control/android", "schema", json!({"integerValue": "99"})).await;
        let before = emulator.document("control/android").await;
        let ran = town.monitor(&[]).await;
        assert_eq!((ran.code(), town.store_status().as_str()), (3, status), "{}", ran.stderr());
        assert!(ran.stderr().contains("control/android"), "{}", ran.stderr());
        assert_eq!(emulator.document("control/android").await, before, "it is not overwritten");
        let args = ["run", "release-monitor", "--now", NOW, "--output", "json"];
        let observed = with(&town, &args, &[("TIDEGATE_MODE", "observe")]).await;
        assert_eq!(observed.result()["acted"], false);
    }
}

/// Sessions and crashes of version 2.0 after it was resumed.
fn bad_again(town: &Town) {
    let instant = |index: i64| minutes_later(5 + index / 50);
    let sessions: Vec<Value> =
        (0..1_000).map(|index| session(&format!("again{index}"), &instant(index))).collect();
    let crashes: Vec<Value> =
        (0..20).map(|index| crash(&format!("again{index}"), &instant(index * 50))).collect();
    town.fixture.import(SESSIONS, &sessions);
    town.fixture.import(CRASHES, &crashes);
}

#[tokio::test]
async fn f84_a_resumed_release_is_halted_again_after_the_grace_and_told_anew() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.monitor(&[]).await;
    assert_eq!(town.store_status(), "halted");
    assert_eq!(decision(&monitor_at(&town, &hours_later(1)).await), "none", "nothing automatic resumes it");

    let resumed = say(&town, &["resume"]).await;
    assert_eq!((resumed.code(), resumed.result()["acted"].clone()), (0, json!(true)), "{}", resumed.stderr());
    assert_eq!(town.store_status(), "inProgress");
    let said = told(&town, "RESUMED");
    assert!(said.len() == 1 && said[0].contains("by kim") && said[0].contains("the login fails"), "{said:?}");

    let old = monitor_at(&town, &minutes_later(15)).await;
    assert_ne!(decision(&old), "halt", "the counts of before are not counted: {}", old.stdout());
    bad_again(&town);
    let in_grace = monitor_at(&town, &minutes_later(45)).await;
    assert_eq!(
        (decision(&in_grace), town.store_status().as_str()),
        (json!("warn"), "inProgress"),
        "{}",
        in_grace.stdout()
    );
    let after = monitor_at(&town, &minutes_later(75)).await;
    assert_eq!(
        (decision(&after), town.store_status().as_str()),
        (json!("halt"), "halted"),
        "{}",
        after.stdout()
    );
    assert_eq!(told(&town, "HALTED").len(), 2, "{:?}", town.messages());
    let status = town.finish(&["status", "--output", "json"]).await;
    let status: Value = serde_json::from_str(&status.stdout()).unwrap();
    let releases = status["apps"][0]["releases"].as_array().unwrap();
    let release = releases.iter().find(|release| release["version"] == "2.0").unwrap();
    assert_eq!(release["generation"], 1, "{release:#}");
}

#[tokio::test]
async fn a_resume_takes_a_share_and_waits_for_the_end_of_a_hold() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.monitor(&[]).await;
    say(&town, &["hold"]).await;
    let refused = say(&town, &["resume"]).await;
    assert_eq!((refused.code(), town.store_status().as_str()), (2, "halted"), "{}", refused.stderr());
    assert!(refused.stderr().contains("release-hold"), "{}", refused.stderr());
    say(&town, &["release-hold"]).await;
    let resumed = say(&town, &["resume", "--fraction", "0.05"]).await;
    assert_eq!(resumed.result()["user_fraction"], json!(0.05), "{}", resumed.stderr());
}

#[tokio::test]
async fn a_persons_halt_takes_the_path_of_a_rules_halt() {
    for apps in [Apps::Android, Apps::Ios] {
        let town = Town::new(apps, Events::Good).await;
        let foretold = say(&town, &["halt", "--dry-run"]).await;
        assert_eq!((foretold.code(), town.writes()), (0, Vec::new()), "{}", foretold.stderr());
        assert!(foretold.result()["withheld"].as_str().unwrap().contains("would be made"));
        let ran = say(&town, &["halt"]).await;
        assert_eq!((ran.code(), ran.result()["acted"].clone()), (0, json!(true)), "{}", ran.stderr());
        assert_eq!(town.store_status(), town.halted_status());
        let said = told(&town, "HALTED");
        assert!(said.len() == 1 && said[0].contains("by kim"), "{said:?}");
        assert!(said[0].contains("Reason: the login fails"), "{said:?}");
        let writes = town.writes();
        let again = say(&town, &["halt", "--release", "2.0"]).await;
        assert_eq!((again.code(), town.writes()), (0, writes.clone()), "{}", again.stderr());
        assert!(again.result()["withheld"].as_str().unwrap().contains("halted already"));
        assert_eq!(decision(&town.monitor(&[]).await), "none");
        assert_eq!((town.writes(), town.messages().len()), (writes, 1), "a run adds nothing");
        let shown = town.finish(&["control", "show", "--now", NOW, "--output", "json"]).await;
        let shown: Value = serde_json::from_str(&shown.stdout()).unwrap();
        assert_eq!(
            (&shown["last_order"]["change"], &shown["last_order"]["word"]["actor"]),
            (&json!("halt"), &json!("kim"))
        );
    }
}

#[tokio::test]
async fn a_persons_halt_after_a_resume_that_no_run_has_seen_is_told_too() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    assert_eq!(town.monitor(&[]).await.code(), 0);
    assert_eq!((town.store_status().as_str(), told(&town, "HALTED").len()), ("halted", 1));
    let resumed =
        json!({"name": "2.0", "versionCodes": ["200"], "status": "inProgress", "userFraction": 0.15});
    let old = json!({"name": "1.9", "versionCodes": ["100"], "status": "completed"});
    town.sandbox.model().console_change("com.example.app", "production", vec![old, resumed]).unwrap();
    let ran = say(&town, &["halt"]).await;
    assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
    assert_eq!(told(&town, "HALTED").len(), 2, "{:?}", town.messages());
    assert_eq!(decision(&town.monitor(&[]).await), "none");
    assert_eq!(told(&town, "HALTED").len(), 2, "and not again");
}

#[tokio::test]
async fn a_person_halts_what_everybody_is_offered_already() {
    let town = Town::new(Apps::Android, Events::Good).await;
    assert_eq!(
        (decision(&town.monitor(&[]).await), town.store_status().as_str()),
        (json!("fast-track"), "completed")
    );
    let unnamed = say(&town, &["halt"]).await;
    assert_eq!(unnamed.code(), 2, "nothing is rolling out, so it has to be named: {}", unnamed.stderr());
    let ran = say(&town, &["halt", "--release", "2.0"]).await;
    assert_eq!((ran.code(), ran.result()["acted"].clone()), (0, json!(true)), "{}", ran.stderr());
    assert_eq!((town.store_status().as_str(), told(&town, "HALTED").len()), ("halted", 1));
}

#[tokio::test]
async fn what_people_say_is_in_the_ledger() {
    let town = Town::new(Apps::Android, Events::Good).await;
    say(&town, &["hold", "--release", "2.0"]).await;
    town.monitor(&[]).await;
    say(&town, &["halt"]).await;
    let ledger = town.finish(&["ledger", "--output", "json"]).await;
    assert_eq!(ledger.code(), 0, "{}", ledger.stderr());
    assert!(
        ledger.stdout().contains("\"hold\"") && ledger.stdout().contains("\"halt\""),
        "{}",
        ledger.stdout()
    );
    assert!(ledger.stdout().matches("the login fails").count() >= 2, "{}", ledger.stdout());
}

#[tokio::test]
async fn a_persons_halt_that_was_killed_is_finished_by_the_job_outbox() {
    let town = Town::new(Apps::Android, Events::Good).await;
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, FaultKind::Hang).on("PUT", "/tracks/"));
    let args = ["control", "halt", "--actor", "kim", "--reason", "bad", "--now", NOW];
    let mut child = town.tidegate(&args).spawn().unwrap();
    while !town.sandbox.model().requests().iter().any(|request| request.fault) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    town.sandbox.model().clear_faults();
    let outbox = ["run", "outbox", "--now", NOW, "--output", "json"];
    let foretold = town.finish(&[&outbox[..], &["--dry-run"]].concat()).await;
    assert!(
        foretold.result()["withheld"].as_str().unwrap().contains("not done yet"),
        "{}",
        foretold.stdout()
    );
    let ran = town.finish(&outbox).await;
    assert_eq!((ran.code(), ran.result()["acted"].clone()), (0, json!(true)), "{}", ran.stderr());
    assert_eq!((town.store_status().as_str(), told(&town, "HALTED").len()), ("halted", 1));
    let again = town.finish(&outbox).await;
    assert_eq!(again.result()["reason"], "nothing-left");
    assert_eq!(town.messages().len(), 1);
}

#[tokio::test]
async fn the_job_outbox_judges_nothing() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let ran = town.finish(&["run", "outbox", "--now", NOW, "--output", "json"]).await;
    assert_eq!((ran.code(), ran.result()["reason"].clone()), (0, json!("nothing-left")), "{}", ran.stderr());
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("inProgress", 0));
}

#[tokio::test]
async fn an_order_waits_for_the_run_that_holds_the_lease_and_then_says_who_it_is() {
    let Some(emulator) = Emulator::new() else { return };
    let town = Town::on_firestore(Apps::Android, Events::Good, &emulator, &emulator.address.clone()).await;
    let store = emulator.store();
    let until: Timestamp = at(NOW) + SignedDuration::from_mins(10);
    let app = AppId::new("android").unwrap();
    let lease = store.acquire(&app, "other/run", at(NOW), until).await.unwrap();
    let late = say(&town, &["halt", "--deadline", "3s"]).await;
    assert_eq!((late.code(), town.store_status().as_str()), (4, "inProgress"), "{}", late.stderr());
    assert!(late.stderr().contains("other/run"), "{}", late.stderr());
    let gives_back = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        store.release(&lease).await.unwrap();
    };
    let (ran, ()) = tokio::join!(say(&town, &["halt"]), gives_back);
    assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
}

#[tokio::test]
async fn an_order_that_can_not_be_carried_out_lists_what_there_is() {
    let town = Town::new(Apps::Android, Events::Good).await;
    let unknown = say(&town, &["halt", "--release", "9.9"]).await;
    assert_eq!(unknown.code(), 2, "{}", unknown.stderr());
    assert!(unknown.stderr().contains("2.0 (rolling out)"), "{}", unknown.stderr());
    let nothing = say(&town, &["resume"]).await;
    assert_eq!(nothing.code(), 2, "{}", nothing.stderr());
    assert!(nothing.stderr().contains("no release that is halted"), "{}", nothing.stderr());
    assert_eq!(town.writes(), Vec::<String>::new());
}

/// Runs a command in a workflow of GitHub Actions, for an event and a branch of a repository whose default one is main.
async fn in_actions(town: &Town, (event, reference): (&str, &str), args: &[&str]) -> Ran {
    let file = town.path("event.json");
    std::fs::write(&file, json!({"repository": {"default_branch": "main"}}).to_string()).unwrap();
    let file = file.display().to_string();
    let place = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_REF", reference),
        ("GITHUB_EVENT_PATH", &file),
    ];
    with(town, args, &place).await
}

#[tokio::test]
async fn only_the_default_branch_acts_in_github_actions() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let run = ["run", "release-monitor", "--now", NOW];
    let word = |word| ["control", word, "--actor", "kim", "--reason", "x", "--now", NOW];
    let pull_request = ("pull_request", "refs/pull/1/merge");
    for place in [pull_request, ("workflow_run", "refs/heads/main"), ("push", "refs/heads/topic")] {
        for args in [&run[..], &word("hold"), &word("halt")] {
            let ran = in_actions(&town, place, args).await;
            assert_eq!(ran.code(), 2, "{place:?} {args:?}: {}", ran.stderr());
            assert!(ran.stderr().contains("--dry-run"), "{}", ran.stderr());
        }
    }
    assert!(town.sandbox.model().requests().is_empty());
    let dry = in_actions(&town, pull_request, &[&run[..], &["--dry-run"]].concat()).await;
    assert_eq!((dry.code(), town.store_status().as_str()), (0, "inProgress"), "{}", dry.stderr());
    let acted = in_actions(&town, ("workflow_dispatch", "refs/heads/main"), &run).await;
    assert_eq!((acted.code(), town.store_status().as_str()), (0, "halted"), "{}", acted.stderr());
}

#[tokio::test]
async fn without_its_state_a_run_halts_nothing_where_that_is_configured_or_observed() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    std::fs::create_dir(town.path("state.sqlite.lock")).unwrap();
    let changed = town.configuration().replace("[state]\n", "[state]\ndegraded_halt = false\n");
    std::fs::write(town.path("tidegate.toml"), changed).unwrap();
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), town.store_status().as_str()), (1, "inProgress"), "{}", ran.stderr());
    town.configure("");
    let args = ["run", "release-monitor", "--now", NOW];
    with(&town, &args, &[("TIDEGATE_MODE", "observe")]).await;
    assert_eq!(town.store_status(), "inProgress");
    town.monitor(&[]).await;
    assert_eq!(town.store_status(), "halted", "the default");
}
