//! `tidegate report` as people run it: after a run of the monitor, and before anything is known.

use serde_json::Value;

use crate::town::{Apps, Events, NOW, Town, hours_later};

const FACES: [&str; 4] = ["report.html", "report.json", "report.md", "report.png"];

fn names(town: &Town) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(town.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_report_is_written_from_what_is_remembered_and_asks_nobody() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    assert_eq!(town.monitor(&[]).await.code(), 0);
    let (asked, out) = (town.sandbox.model().requests().len(), town.path("out").display().to_string());
    let ran = town.finish(&["report", "--out", &out, "--now", NOW]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(town.sandbox.model().requests().len(), asked, "no service is asked");
    assert_eq!(names(&town), FACES);
    assert!(ran.stdout().contains("■ android (Android) 2.0: Halted"), "{}", ran.stdout());
    assert!(ran.stdout().contains("report.html"), "{}", ran.stdout());

    let report: Value =
        serde_json::from_slice(&std::fs::read(town.path("out/report.json")).unwrap()).unwrap();
    let release = &report["apps"][0]["release"];
    assert_eq!(
        (release["status"].as_str(), release["cycle"]["sessions"]["valid"].as_u64()),
        (Some("halted"), Some(1_001))
    );
    assert_eq!(release["history"][0]["decision"], "halt");
    let page = std::fs::read_to_string(town.path("out/report.html")).unwrap();
    assert!(page.contains("data-key=\"release.cycle.sessions.crashed\" data-value=\"10\""));

    let again = town.finish(&["report", "--out", &out, "--now", &hours_later(1), "--output", "json"]).await;
    let printed: Value = serde_json::from_str(&again.stdout()).unwrap();
    assert_eq!(printed["apps"][0]["release"]["id"]["key"], release["id"]["key"]);
    assert_eq!(names(&town), FACES, "nothing is left beside the files");
}

#[tokio::test]
async fn before_the_first_run_nothing_is_known_and_that_is_a_report_too() {
    let town = Town::new(Apps::Ios, Events::Good).await;
    town.finish(&["run", "release-monitor", "--now", "2026-11-01T00:00:00Z"]).await;
    let out = town.path("out").display().to_string();
    let summary = town.path("summary.md");
    let mut command =
        town.tidegate(&["report", "--out", &out, "--now", "2026-10-01T00:00:00Z", "--output", "github"]);
    command.env("GITHUB_STEP_SUMMARY", &summary);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(names(&town), FACES[..3], "there is no picture of nothing");
    assert!(std::fs::read_to_string(summary).unwrap().starts_with("## Release report"));
}

#[tokio::test]
async fn what_can_not_be_written_is_named_with_a_fix() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    std::fs::write(town.path("taken"), "").unwrap();
    let ran = town.finish(&["report", "--out", &town.path("taken").display().to_string()]).await;
    assert_eq!(ran.code(), 1);
    let told = ran.stderr();
    assert!(
        told.contains("can't write") && told.contains("taken") && told.contains("fix: name a folder"),
        "{told}"
    );
}
