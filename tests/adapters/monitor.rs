//! The real binary against the sandbox, as a user runs it.

use serde_json::json;
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};

use crate::town::{Apps, Events, NOW, Town, hours_later};

#[tokio::test]
async fn a_bad_release_is_halted_once_in_both_stores_and_people_are_told_once() {
    for apps in [Apps::Android, Apps::Ios] {
        let town = Town::new(apps, Events::Bad).await;
        let ran = town.monitor(&[]).await;
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
        let result = ran.result();
        assert_eq!((&result["decision"], &result["acted"]), (&json!("halt"), &json!(true)));
        assert_eq!(result["version"], "2.0");
        assert_eq!((&result["sessions"], &result["crashed_sessions"]), (&json!(1001), &json!(10)));
        assert_eq!(town.store_status(), town.halted_status());
        assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
        assert!(town.messages()[0].starts_with("🛑 HALTED"), "{:?}", town.messages());

        let writes = town.writes();
        let again = town.monitor(&[]).await;
        assert_eq!((again.code(), again.result()["decision"].clone()), (0, json!("none")));
        assert_eq!((town.writes(), town.messages().len()), (writes, 1), "a second run changes nothing");
    }
}

#[tokio::test]
async fn other_releases_of_the_track_stay_as_they_were() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.monitor(&[]).await;
    let releases = &town.sandbox.model().state()["play"]["com.example.app"]["tracks"][0]["releases"];
    let old =
        json!({"name": "1.9", "versionCodes": ["100"], "status": "completed", "inAppUpdatePriority": 2});
    assert_eq!(releases[0].to_string(), old.to_string());
    let halted = json!({"name": "2.0", "versionCodes": ["200"], "status": "halted", "userFraction": 0.15,
                        "releaseNotes": [{"language": "en-US", "text": "Faster."}]});
    assert_eq!(releases[1].to_string(), halted.to_string());
}

#[tokio::test]
async fn a_good_release_is_offered_to_everybody_on_day_two() {
    for (apps, status) in [(Apps::Android, "completed"), (Apps::Ios, "COMPLETE")] {
        let town = Town::new(apps, Events::Good).await;
        let ran = town.monitor(&[]).await;
        assert_eq!(ran.result()["decision"], "fast-track", "{}", ran.stderr());
        assert_eq!(
            (ran.result()["user_fraction"].clone(), town.store_status().as_str()),
            (json!(1.0), status)
        );
        assert!(town.messages()[0].starts_with("⏩ FAST-TRACKED"), "{:?}", town.messages());
    }
}

#[tokio::test]
async fn a_doubtful_release_is_warned_about_once_and_left_alone() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    for _ in 0..2 {
        let ran = town.monitor(&[]).await;
        assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, json!("warn")), "{}", ran.stderr());
    }
    assert_eq!(town.store_status(), "inProgress");
    assert_eq!(town.messages().len(), 1);
    assert!(town.messages()[0].starts_with("⚠️ WARNING"), "{:?}", town.messages());
}

#[tokio::test]
async fn a_halt_is_a_reply_under_the_warning() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let more: Vec<_> =
        (0..5).map(|n| crate::support::crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
    town.fixture.import(crate::support::CRASHES, &more);
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.result()["decision"], "halt", "{}", ran.stderr());
    let messages = town.sandbox.model().slack_messages(crate::town::CHANNEL).unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1]["thread_ts"], messages[0]["ts"]);
    assert_eq!(messages[1]["subtype"], "thread_broadcast");
}

#[tokio::test]
async fn a_halt_whose_warning_was_deleted_stands_alone() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let model = town.sandbox.model();
    let warning = model.slack_messages(crate::town::CHANNEL).unwrap()[0]["ts"].as_str().unwrap().to_owned();
    model.delete_slack_message(crate::town::CHANNEL, &warning).unwrap();
    let more: Vec<_> =
        (0..5).map(|n| crate::support::crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
    town.fixture.import(crate::support::CRASHES, &more);
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, json!("halt")), "{}", ran.stderr());
    assert_eq!(town.messages().len(), 1);
    assert!(town.messages()[0].starts_with("🛑 HALTED"), "{:?}", town.messages());
}

#[tokio::test]
async fn a_lease_of_a_dead_run_blocks_nobody() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.kill_at(Fault::new(Service::GooglePlay, FaultKind::Hang)).await;
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), town.store_status().as_str()), (0, "halted"), "{}", ran.stderr());
}

#[tokio::test]
async fn a_dry_run_decides_the_same_and_writes_nothing() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let ran = town.monitor(&["--dry-run"]).await;
    assert_eq!((ran.code(), ran.result()["decision"].clone()), (0, json!("halt")), "{}", ran.stderr());
    assert_eq!(ran.result()["acted"], false);
    assert_eq!((town.writes(), town.messages()), (Vec::<String>::new(), Vec::<String>::new()));
    assert!(!town.path("state.sqlite").exists(), "not even a state is made");
    let status = town.finish(&["status", "--output", "json"]).await;
    let status: serde_json::Value = serde_json::from_str(&status.stdout()).unwrap();
    assert_eq!(
        (&status["apps"][0]["releases"], &status["apps"][0]["last_decision"]),
        (&json!([]), &json!(null))
    );
}

#[tokio::test]
async fn two_runs_at_once_halt_once() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let (one, other) = tokio::join!(town.monitor(&[]), town.monitor(&[]));
    assert_eq!([one.code(), other.code()], [0, 0], "{}\n{}", one.stderr(), other.stderr());
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("halted", 1));
}

#[tokio::test]
async fn a_store_that_refuses_is_named_and_nothing_is_written() {
    let kinds = [
        ("403", FaultKind::Status(CannedReply::status(403)), "403"),
        ("404", FaultKind::Status(CannedReply::status(404)), "404"),
        ("500", FaultKind::Status(CannedReply::status(500)), "500"),
        ("a web page", FaultKind::Html, "not JSON"),
    ];
    for (name, kind, words) in kinds {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, kind).times(1000));
        let ran = town.monitor(&[]).await;
        assert_eq!(ran.code(), 1, "{name}: {}", ran.stderr());
        let problem = ran.result()["problems"][0].as_str().unwrap().to_owned();
        assert!(problem.contains("Google Play") && problem.contains(words), "{name}: {problem}");
        assert!(problem.contains("fix: ") && problem.contains("com.example.app"), "{name}: {problem}");
        town.sandbox.model().clear_faults();
        assert_eq!((town.messages().len(), town.store_status().as_str()), (0, "inProgress"), "{name}");
    }
}

#[tokio::test]
async fn a_halt_that_the_store_refuses_is_tried_again_by_the_next_run() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let refused = FaultKind::Status(CannedReply::status(403));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, refused).on("PUT", "/tracks/"));
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 1, "a bad release is still being offered: {}", ran.stderr());
    let result = ran.result();
    assert_eq!((&result["decision"], &result["acted"]), (&json!("halt"), &json!(false)));
    assert!(result["problems"][0].as_str().unwrap().contains("Users and permissions"), "{result:#}");
    assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
    assert!(
        town.messages()[0].starts_with("🚨 HALT FAILED"),
        "nobody is told of a halt that the store does not show"
    );

    let again = town.monitor(&[]).await;
    assert_eq!((again.code(), again.result()["acted"].clone()), (0, json!(true)), "{}", again.stderr());
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("halted", 2));
    assert!(town.messages()[1].starts_with("🛑 HALTED"), "{:?}", town.messages());
}

#[tokio::test]
async fn a_fast_track_that_could_not_be_made_is_judged_again_on_new_evidence() {
    let town = Town::new(Apps::Android, Events::Good).await;
    let refused = FaultKind::Status(CannedReply::status(403));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, refused).on("PUT", "/tracks/"));
    assert_eq!(town.monitor(&[]).await.code(), 3);
    assert_eq!(town.store_status(), "inProgress");

    let more: Vec<_> =
        (0..40).map(|n| crate::support::crash(&format!("late{n}"), "2026-11-18T09:00:00Z")).collect();
    town.fixture.import(crate::support::CRASHES, &more);
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.result()["decision"], "halt", "the old evidence must not release it: {}", ran.stderr());
    assert_eq!(town.store_status(), "halted");
    assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
}

#[tokio::test]
async fn a_table_of_sessions_that_vanishes_halts_nothing() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let warehouse = rusqlite::Connection::open(town.path("warehouse.sqlite")).unwrap();
    warehouse.execute_batch(&format!("DROP TABLE `{}`", crate::support::SESSIONS)).unwrap();
    let more: Vec<_> =
        (0..60).map(|n| crate::support::crash(&format!("more{n}"), "2026-11-18T11:00:00Z")).collect();
    town.fixture.import(crate::support::CRASHES, &more);
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.result()["decision"], "insufficient-data", "{}", ran.stderr());
    assert_eq!(town.store_status(), "inProgress");
}

#[tokio::test]
async fn a_release_that_was_drafted_before_starts_when_it_rolls_out() {
    let town = Town::new(Apps::Android, Events::Good).await;
    let release = |status: &str| {
        let mut release = json!({"name": "2.0", "versionCodes": ["200"], "status": status});
        if status == "inProgress" {
            release["userFraction"] = json!(0.15);
        }
        vec![json!({"name": "1.9", "versionCodes": ["100"], "status": "completed"}), release]
    };
    let model = town.sandbox.model();
    model.console_change("com.example.app", "production", release("draft")).unwrap();
    let on_monday = ["run", "release-monitor", "--now", "2026-11-16T06:00:00Z", "--output", "json"];
    assert_eq!(town.finish(&on_monday).await.result()["decision"], "none");
    model.console_change("com.example.app", "production", release("inProgress")).unwrap();
    let an_hour_in = ["run", "release-monitor", "--now", "2026-11-16T09:00:00Z", "--output", "json"];
    let ran = town.finish(&an_hour_in).await;
    let check = ran.result()["rules"][1]["evidence"]["reason"].clone();
    assert_eq!(check, "before-day-two", "{}", ran.stdout());
}

#[tokio::test]
async fn late_crashes_of_the_last_three_days_are_counted_on_every_run() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    let crashed = |ran: &crate::town::Ran| ran.result()["crashed_sessions"].as_u64().unwrap();
    assert_eq!(crashed(&town.monitor(&[]).await), 5);
    town.fixture.import(crate::support::CRASHES, &[crate::support::crash("late", "2026-11-16T10:00:00Z")]);
    assert_eq!(crashed(&town.monitor(&[]).await), 6);
}

#[tokio::test]
async fn late_sessions_of_closed_days_are_read_again_once_a_day() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    let sessions = |ran: &crate::town::Ran| ran.result()["sessions"].as_u64().unwrap();
    let before = sessions(&town.monitor(&[]).await);
    town.fixture.import(crate::support::SESSIONS, &[crate::support::session("late", "2026-11-16T10:00:00Z")]);
    assert_eq!(sessions(&town.monitor(&[]).await), before, "Monday is closed and settled for today");
    town.fixture.import(crate::support::SESSIONS, &[crate::support::session("new", "2026-11-19T00:30:00Z")]);
    let tomorrow = ["run", "release-monitor", "--now", "2026-11-19T01:00:00Z", "--output", "json"];
    assert_eq!(sessions(&town.finish(&tomorrow).await), before + 2);
}

#[tokio::test]
async fn a_lookup_that_fails_never_leads_to_a_second_message() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.kill_at(Fault::new(Service::Slack, FaultKind::HangAfter)).await;
    assert_eq!(town.messages().len(), 1);
    let refused = FaultKind::Status(CannedReply::status(429).with_header("Retry-After", "3600"));
    town.sandbox.model().add_fault(Fault::new(Service::Slack, refused).on("GET", "conversations"));
    assert_eq!(town.monitor(&[]).await.code(), 3);
    assert_eq!(town.monitor(&[]).await.code(), 0);
    assert_eq!(town.messages().len(), 1);
}

#[tokio::test]
async fn another_instant_than_now_is_never_acted_on_in_a_real_store() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let text = town.configuration();
    let real: String =
        text.lines().filter(|line| !line.starts_with("google_play = ")).map(|l| format!("{l}\n")).collect();
    std::fs::write(town.path("tidegate.toml"), real).unwrap();
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 2);
    assert!(ran.stderr().contains("--dry-run"), "{}", ran.stderr());
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_read_back() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let lost = FaultKind::StatusAfter(CannedReply::status(503));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, lost).on("POST", ":commit"));
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), ran.result()["acted"].clone()), (0, json!(true)), "{}", ran.stderr());
    let commits = town.writes().iter().filter(|write| write.contains(":commit")).count();
    assert_eq!((commits, town.messages().len()), (1, 1));
}

#[tokio::test]
async fn a_person_who_resumes_a_halted_release_starts_the_counts_anew() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.monitor(&[]).await;
    let releases = town.sandbox.model().state()["play"]["com.example.app"]["tracks"][0]["releases"].clone();
    let mut releases = releases.as_array().unwrap().clone();
    releases[1]["status"] = json!("inProgress");
    town.sandbox.model().console_change("com.example.app", "production", releases).unwrap();
    let later = hours_later(1);
    let ran = town.finish(&["run", "release-monitor", "--now", &later, "--output", "json"]).await;
    assert_ne!(ran.result()["decision"], "halt", "the old crashes must not halt it again: {}", ran.stderr());
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("inProgress", 1));
}

#[tokio::test]
async fn a_person_who_completes_it_first_wins() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let refused = FaultKind::Status(CannedReply::status(403));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, refused).on("PUT", "/tracks/"));
    town.monitor(&[]).await;
    let done = json!({"name": "2.0", "versionCodes": ["200"], "status": "completed"});
    town.sandbox.model().console_change("com.example.app", "production", vec![done]).unwrap();
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(town.store_status(), "completed");
    assert_eq!(town.messages().len(), 2, "{:?}", town.messages());
    assert!(town.messages()[1].contains("LEFT ALONE"), "{:?}", town.messages());
}

#[tokio::test]
async fn slack_that_is_away_delays_the_message_and_not_the_halt() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let away = FaultKind::Status(CannedReply::status(503));
    town.sandbox.model().add_fault(Fault::new(Service::Slack, away).times(1000));
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), ran.result()["acted"].clone()), (3, json!(true)), "{}", ran.stderr());
    assert_eq!(town.store_status(), "halted");
    town.sandbox.model().clear_faults();
    town.monitor(&[]).await;
    assert_eq!(town.messages().len(), 1);
}

#[tokio::test]
async fn a_decision_can_be_explained_from_what_was_stored() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let id = town.monitor(&[]).await.result()["decision_id"].as_str().unwrap().to_owned();
    let ran = town.finish(&["explain", &id]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let text = ran.stdout();
    assert!(text.contains("HALT") && text.contains("1,001 sessions, 10 crashed"), "{text}");
    assert!(text.contains("recomputed: identical"), "{text}");
    let unknown = town.finish(&["explain", "d-0000000000000000"]).await;
    assert!(unknown.code() == 2 && unknown.stderr().contains("tidegate status"), "{}", unknown.stderr());
}

#[tokio::test]
async fn decisions_become_exit_codes_only_where_asked() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    assert_eq!(town.monitor(&["--dry-run", "--fail-on", "warn,halt"]).await.code(), 11);
    assert_eq!(town.monitor(&["--dry-run", "--fail-on", "warn"]).await.code(), 0);
}

#[tokio::test]
async fn bad_words_are_refused_before_anything_is_asked() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let cases: [(&[&str], &str); 4] = [
        (&["run", "release-moniter"], "release-monitor"),
        (&["run", "release-monitor", "--app", "adnroid"], "the configuration has android"),
        (&["run", "release-monitor", "--now", "yesterday"], "--now"),
        (&["run", "release-monitor", "--config", "nowhere.toml"], "nowhere.toml"),
    ];
    for (args, words) in cases {
        let ran = town.finish(args).await;
        assert_eq!(ran.code(), 2, "{args:?}: {}", ran.stderr());
        assert!(ran.stderr().contains(words), "{args:?}: {}", ran.stderr());
    }
    assert!(town.sandbox.model().requests().is_empty());
}

#[tokio::test]
async fn a_missing_secret_is_named_and_nothing_is_asked() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let mut command = town.tidegate(&["run", "release-monitor", "--now", NOW]);
    let output = command.env_remove("SLACK_TOKEN").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("SLACK_TOKEN") && text.contains("app android"), "{text}");
    assert!(town.sandbox.model().requests().is_empty());
}

#[tokio::test]
async fn a_state_of_a_newer_version_stops_the_run() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    drop(tidegate::adapters::sqlite::SqliteState::open(&town.path("state.sqlite")).unwrap());
    rusqlite::Connection::open(town.path("state.sqlite"))
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    assert!(ran.stderr().contains("version 99"), "{}", ran.stderr());
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("inProgress", 0));
}

#[tokio::test]
async fn github_gets_a_summary_outputs_and_no_commands_from_outside() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let (summary, outputs) = (town.path("summary.md"), town.path("outputs.txt"));
    let mut command = town.tidegate(&["run", "release-monitor", "--now", NOW, "--output", "github"]);
    command.env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_OUTPUT", &outputs);
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let log = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(log.contains("::error title=android 2.0 halt::"), "{log}");
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(summary.contains("| android (Android) | 2.0 | **halt**, done"), "{summary}");
    let outputs = std::fs::read_to_string(outputs).unwrap();
    assert!(outputs.starts_with("decision=halt\nresults<<ghadelimiter_"), "{outputs}");
}

/// The state can be opened and no lease can be had: its lock can't be made.
fn break_the_state(town: &Town) -> std::path::PathBuf {
    let lock = town.path("state.sqlite.lock");
    drop(std::fs::remove_file(&lock));
    std::fs::create_dir(&lock).unwrap();
    lock
}

#[tokio::test]
async fn a_bad_release_is_halted_once_though_the_state_store_is_down() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let lock = break_the_state(&town);
    for _ in 0..2 {
        let ran = town.monitor(&[]).await;
        assert_ne!(ran.code(), 0, "people must see that the state store is down");
        assert_eq!(town.store_status(), town.halted_status(), "{}", ran.stderr());
    }
    assert_eq!(town.messages().len(), 1);
    assert!(town.messages()[0].contains("state store could not be reached"), "{:?}", town.messages());
    std::fs::remove_dir(lock).unwrap();
    assert_eq!(town.monitor(&[]).await.code(), 0);
    assert_eq!(town.messages().len(), 1);
}

#[tokio::test]
async fn nothing_permissive_is_done_while_the_state_store_is_down() {
    let town = Town::new(Apps::Android, Events::Good).await;
    break_the_state(&town);
    let ran = town.monitor(&[]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    assert_eq!((town.store_status().as_str(), town.messages().len()), ("inProgress", 0));
}

#[tokio::test]
async fn trouble_that_lasts_is_told_once() {
    let town = Town::new(Apps::Android, Events::Good).await;
    let at = |hour: u32| format!("2026-11-18T{hour}:00:00Z");
    for hour in 14..20 {
        let ran = town.finish(&["run", "release-monitor", "--now", &at(hour), "--output", "json"]).await;
        assert_eq!(ran.result()["decision"], "stale-data", "{}", ran.stdout());
    }
    let told = town.messages();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("NOT WATCHED") && told[0].contains("sessions-stale"), "{told:?}");
    assert_eq!(town.store_status(), "inProgress");
}

#[tokio::test]
async fn without_a_memory_a_persons_resume_is_not_undone() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    break_the_state(&town);
    town.monitor(&[]).await;
    assert_eq!(town.store_status(), "halted");
    let resumed =
        json!({"name": "2.0", "versionCodes": ["200"], "status": "inProgress", "userFraction": 0.15});
    let old = json!({"name": "1.9", "versionCodes": ["100"], "status": "completed"});
    town.sandbox.model().console_change("com.example.app", "production", vec![old, resumed]).unwrap();
    let ran = town.monitor(&[]).await;
    assert_eq!((ran.code(), town.store_status().as_str()), (1, "inProgress"), "{}", ran.stderr());
    assert!(ran.stderr().contains("a person has resumed it"), "{}", ran.stderr());
    assert_eq!(town.messages().len(), 1);
}
