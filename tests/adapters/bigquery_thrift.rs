//! What a run does not ask BigQuery for, with the whole program: tables that have not changed, sessions that can change
//! no decision, and looks that the month's budget does not allow.

use serde_json::json;
use tidegate::sandbox::LoggedRequest;

use crate::bigquery_faults::job_id;
use crate::support::{CRASHES, SESSIONS, crash, session, with};
use crate::town::{Apps, Events, NOW, Ran, Town};

/// A healthy release with enough sessions and no fast-track to wait for: no rule has anything to say.
const QUIET: &str = "[rules.crash-free-sessions-fast-track]\nmode = \"off\"\n\
                     [slo]\ncrash_free_sessions = 99.5\ncrash_free_users = 99.0\n";
/// The runs after the first one, at [`NOW`].
const SECOND: &str = "2026-11-18T12:15:00Z";
const THIRD: &str = "2026-11-18T12:30:00Z";

async fn quiet_town() -> Town {
    let town = Town::on_bigquery(Apps::Android, Events::Good).await;
    town.configure(QUIET);
    town
}

/// Runs, and answers with the questions that jobs were inserted for.
async fn questions(town: &Town, now: &str) -> (Ran, Vec<String>) {
    town.sandbox.model().clear_requests();
    let ran = town.run_at(now).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let question = |request: &LoggedRequest| job_id(request).split('-').nth(1).unwrap().to_owned();
    let asked = town.insertions().iter().map(question).collect();
    (ran, asked)
}

#[tokio::test]
async fn tables_that_have_not_changed_are_not_queried() {
    let town = quiet_town().await;
    assert_eq!(questions(&town, NOW).await.1, ["first_session", "sessions", "crashes"]);
    // The first run cut the crashes at the newest session, so the second one counts the rest of them.
    assert_eq!(questions(&town, SECOND).await.1, ["crashes"]);
    let (ran, asked) = questions(&town, THIRD).await;
    assert_eq!(asked, Vec::<String>::new(), "nothing is new and nothing presses");
    assert_eq!(
        (ran.result()["decision"].clone(), ran.result()["bytes_billed"].clone()),
        (json!("hold"), json!(0))
    );
    assert!(!town.asked().is_empty(), "that they have not changed was looked up, which is free");
}

#[tokio::test]
async fn sessions_that_can_change_nothing_are_left_unread() {
    let town = quiet_town().await;
    questions(&town, NOW).await;
    let old = json!({"application": {"build_version": "100", "display_version": "1.9"}});
    town.fixture.import(
        CRASHES,
        &[with(crash("old", "2026-11-18T12:00:00Z"), old), crash("new", "2026-11-18T12:01:00Z")],
    );
    let more: Vec<_> = (0..50).map(|n| session(&format!("more{n}"), "2026-11-18T12:02:00Z")).collect();
    town.fixture.import(SESSIONS, &more);
    let (ran, asked) = questions(&town, SECOND).await;
    assert_eq!(asked, ["crashes"], "{}", ran.stderr());
    assert_eq!(ran.result()["decision"], "hold");
}

#[tokio::test]
async fn crashes_that_could_matter_have_the_sessions_read() {
    let town = quiet_town().await;
    questions(&town, NOW).await;
    let many: Vec<_> = (0..300).map(|n| crash(&format!("many{n}"), "2026-11-18T11:30:00Z")).collect();
    town.fixture.import(CRASHES, &many);
    let (ran, asked) = questions(&town, SECOND).await;
    assert!(asked.contains(&"sessions".to_owned()), "{asked:?}");
    assert_eq!(ran.result()["decision"], "halt", "{}", ran.stderr());
}

/// A town whose month's money is spent by its first run.
async fn poor_town(events: Events, more: &str) -> Town {
    let town = Town::on_bigquery(Apps::Android, events).await;
    let kind = "kind = \"bigquery\"\n";
    let poor = town.configuration().replace(kind, &format!("{kind}budget_per_month = \"1 MiB\"\n"));
    std::fs::write(town.path("tidegate.toml"), poor + more).unwrap();
    town
}

#[tokio::test]
async fn a_budget_that_is_spent_too_fast_stretches_the_looks_up_to_an_hour() {
    let town = poor_town(Events::Good, QUIET).await;
    assert_eq!(questions(&town, NOW).await.1.len(), 3);
    for early in [SECOND, THIRD, "2026-11-18T12:59:59Z"] {
        let (ran, _) = questions(&town, early).await;
        let result = ran.result();
        assert_eq!(
            (&result["decision"], &result["reason"]),
            (&json!("none"), &json!("budget-rests")),
            "{result:#}"
        );
        assert_eq!(town.asked().len(), 0, "BigQuery is not asked at all");
    }
    let (ran, asked) = questions(&town, "2026-11-18T13:00:00Z").await;
    assert_eq!((ran.result()["decision"].clone(), asked), (json!("hold"), vec!["crashes".to_owned()]));
}

#[tokio::test]
async fn no_budget_delays_a_look_where_a_halt_is_in_reach() {
    let town = poor_town(Events::Doubtful, "").await;
    assert_eq!(questions(&town, NOW).await.0.result()["decision"], "warn");
    let more: Vec<_> = (0..5).map(|n| crash(&format!("more{n}"), "2026-11-18T11:30:00Z")).collect();
    town.fixture.import(CRASHES, &more);
    let (ran, asked) = questions(&town, SECOND).await;
    assert!(asked.contains(&"crashes".to_owned()) && asked.contains(&"sessions".to_owned()), "{asked:?}");
    assert_eq!(ran.result()["decision"], "halt", "{}", ran.stderr());
}

#[tokio::test]
async fn a_rest_for_the_budgets_sake_does_not_begin_trouble_anew() {
    let alarm = format!("{QUIET}[data]\nalarm_after_runs = 1\n");
    let town = poor_town(Events::Good, &alarm).await;
    let silence = format!("DELETE FROM `{CRASHES}`");
    rusqlite::Connection::open(town.path("warehouse.sqlite")).unwrap().execute_batch(&silence).unwrap();
    for (now, code) in [(NOW, 5), (SECOND, 0), ("2026-11-18T13:00:00Z", 5)] {
        let ran = town.run_at(now).await;
        assert_eq!((ran.code(), town.messages().len()), (code, 1), "{now}: {}", ran.stderr());
    }
}
