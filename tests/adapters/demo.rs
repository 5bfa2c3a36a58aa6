//! The demo as a newcomer runs it, once, to its end.

use std::process::Command;

use serde_json::Value;

/// The releases of the demo's document.
fn week() -> (Value, Vec<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["demo", "--output", "json", "--seed", "7"])
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let releases = document["releases"].as_array().unwrap().clone();
    (document, releases)
}

#[test]
fn every_release_of_the_week_ends_as_its_scenario_says() {
    let (document, releases) = week();
    assert_eq!((document["runs"].as_u64(), document["seed"].as_u64()), (Some(384), Some(7)));
    assert_eq!(releases.len(), 6);
    for release in &releases {
        let text = |name: &str| release[name].as_str().unwrap_or_default();
        let expected = match (text("scenario"), text("platform")) {
            ("bad", "android") => ("halt", "halted", "2026-11-16"),
            ("bad", "ios") => ("halt", "PAUSED", "2026-11-16"),
            ("good", "android") => ("fast-track", "completed", "2026-11-17"),
            ("good", "ios") => ("fast-track", "COMPLETE", "2026-11-17"),
            ("doubtful", "android") => ("warn", "inProgress", "2026-11-1"),
            ("doubtful", "ios") => ("warn", "ACTIVE", "2026-11-1"),
            other => panic!("{other:?} is not a release of the demo"),
        };
        assert_eq!((text("decision"), text("store_status")), (expected.0, expected.1), "{release:#}");
        assert!(text("decided_at").starts_with(expected.2), "{release:#}");
        if text("store_status") == "inProgress" {
            assert_eq!(release["user_fraction"], 0.15, "nothing released it further: {release:#}");
        }
        assert_eq!(release["daily_reports"], 7, "one a date: {release:#}");
        assert!((1..=3).contains(&release["slack_messages"].as_u64().unwrap()), "{release:#}");
    }
}
