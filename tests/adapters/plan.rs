//! `tidegate plan` and `tidegate status` as people read them, after a run of the monitor and before any.

use serde_json::{Value, json};

use crate::town::{Apps, Events, NOW, Town};

async fn planned(town: &Town, output: &str) -> String {
    let ran = town.finish(&["plan", "--now", NOW, "--output", output]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    ran.stdout()
}

#[tokio::test]
async fn a_doubtful_release_is_told_what_it_still_needs() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    assert_eq!(town.monitor(&[]).await.code(), 0);
    let asked = town.sandbox.model().requests().len();
    let text = planned(&town, "human").await;
    for words in [
        "android (Android) 2.0: rolling out",
        "of users",
        "sessions a day",
        "fast-track:",
        "next step: ",
        "next report: ",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let document: Value = serde_json::from_str(&planned(&town, "json").await).unwrap();
    let app = &document["apps"][0];
    assert_eq!((&document["schema_version"], &app["version"]), (&json!(1), &json!("2.0")));
    assert!(app["forecast"]["sessions_per_day"].as_f64().unwrap() > 0.0, "{app:#}");
    assert!(app["next_step"]["to"].as_f64().unwrap() > app["user_fraction"].as_f64().unwrap(), "{app:#}");
    let line: Value = serde_json::from_str(planned(&town, "ndjson").await.trim()).unwrap();
    assert_eq!(&line, app);
    assert_eq!(town.sandbox.model().requests().len(), asked, "no service is asked");
    let status = town.finish(&["status"]).await.stdout();
    assert!(status.contains("crash-free sessions") && status.contains("1,000 sessions"), "{status}");
}

#[tokio::test]
async fn nothing_is_expected_of_a_halted_release() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    assert_eq!(town.monitor(&[]).await.code(), 0);
    let text = planned(&town, "human").await;
    assert!(
        text.contains("2.0: halted") && !text.contains("fast-track") && !text.contains("next step"),
        "{text}"
    );
}

#[tokio::test]
async fn before_any_run_there_is_nothing_to_plan_but_the_report() {
    let town = Town::new(Apps::Ios, Events::Good).await;
    let text = planned(&town, "human").await;
    assert!(
        text.contains("nothing is remembered of any release") && text.contains("next report: "),
        "{text}"
    );
}
