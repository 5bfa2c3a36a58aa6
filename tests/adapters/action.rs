//! The action's script with the real binary, as the runner calls it, and the sandbox as CI starts it.

use std::process::{Command, Stdio};

use crate::town::{Apps, Events, NOW, Town};

const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/action/run.sh");
const SELF_TEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/action/self-test.sh");

/// The environment of a step, with the inputs of the action.
fn step(town: &Town, dry_run: &str) -> Command {
    let mut command = Command::new("bash");
    command.arg(RUN).current_dir(town.fixture.folder.path()).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("SLACK_TOKEN", &town.sandbox.credentials.slack_token).env("TIDEGATE_NOW", NOW);
    command
        .env("INPUT_JOB", "release-monitor")
        .env("INPUT_CONFIG", "tidegate.toml")
        .env("INPUT_APP", "android");
    command
        .env("INPUT_DRY_RUN", dry_run)
        .env("INPUT_ALSO_HALT", "false")
        .env("INPUT_BINARY", env!("CARGO_BIN_EXE_tidegate"));
    command.env("GITHUB_OUTPUT", town.path("outputs")).env("GITHUB_STEP_SUMMARY", town.path("summary"));
    command
}

#[tokio::test]
async fn a_step_halts_a_bad_release_and_gives_its_outputs() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let mut command = step(&town, "false");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outputs = std::fs::read_to_string(town.path("outputs")).unwrap();
    assert!(outputs.starts_with("decision=halt\n") && outputs.contains("\"acted\":true"), "{outputs}");
    assert!(std::fs::read_to_string(town.path("summary")).unwrap().contains("**halt**"));
    assert_eq!(town.store_status(), "halted");
}

#[tokio::test]
async fn a_word_that_is_no_boolean_acts_on_nothing() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let mut command = step(&town, "yes");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(town.sandbox.model().requests().is_empty());
}

#[test]
fn the_self_test_of_ci_runs_through() {
    let folder = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_tidegate");
    let started = Command::new("bash").args([SELF_TEST, binary]).arg(folder.path()).output().unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let ran = Command::new(binary)
        .args(["run", "release-monitor", "--dry-run", "--output", "json", "--config"])
        .arg(folder.path().join("tidegate.toml"))
        .env("SLACK_BOT_TOKEN", read("slack-token"))
        .output()
        .unwrap();
    let stopped = Command::new("kill").arg(read("sandbox.pid").trim()).stdin(Stdio::null()).status().unwrap();
    assert!(started.status.success() && stopped.success(), "{}", String::from_utf8_lossy(&started.stderr));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let document: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(document["results"][0]["decision"], "insufficient-data", "{document:#}");
    assert_eq!(document["results"][0]["version"], "7.42.0");
}
