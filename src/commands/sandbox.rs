//! `sandbox`: the loopback models of the stores, of Slack and of GitHub, until it is told to end.

use jiff::SignedDuration;
use serde_json::json;

use super::print;
use crate::adapters::clock::SystemClock;
use crate::cli;
use crate::exit::{Ended, Exit};
use crate::ports::Clock as _;
use crate::sandbox::{
    AscAppSeed, ChannelSeed, GitHubRepositorySeed, GoogleSeed, PlayAppSeed, Ports, Sandbox, SandboxOptions,
    SecretSeed, Seed,
};

/// Serves the sandbox, and prints where it is as one line of JSON.
///
/// # Errors
/// A usage error for a seed that can't be read, else where no port could be had.
pub async fn serve(args: &cli::Sandbox) -> Result<Exit, Ended> {
    let mut seed = example();
    if let Some(path) = &args.seed {
        let problem = |error: &dyn std::fmt::Display| {
            Ended::usage(format!("the seed {} can't be used: {error}\n  fix: check --seed", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| problem(&error))?;
        seed = serde_json::from_str(&text).map_err(|error| problem(&error))?;
    }
    let credentials_dir = args.credentials_dir.clone().unwrap_or_else(default_directory);
    let sandbox = Sandbox::start(SandboxOptions { ports: Ports::default(), seed, credentials_dir })
        .await
        .map_err(Ended::failed)?;
    let (endpoints, credentials) = (&sandbox.endpoints, &sandbox.credentials);
    let mut line = json!(endpoints);
    line["credentials"] = json!(credentials);
    print::out(&format!("{line}\n"));
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = super::ending::terminated() => {}
    }
    sandbox.shutdown().await;
    Ok(Exit::Success)
}

/// The app of `tidegate.example.toml`, with version 2.0 on its way in both stores for two days.
fn example() -> Seed {
    const APP: &str = "com.example.app";
    const SECRET: &str = "projects/tidegate-sandbox/secrets/example";
    let production = vec![
        json!({"name": "1.9", "versionCodes": ["190"], "status": "completed"}),
        json!({"name": "2.0", "versionCodes": ["200"], "status": "inProgress", "userFraction": 0.15}),
    ];
    let two_days_ago = SystemClock.now() - SignedDuration::from_hours(48);
    Seed {
        play: vec![PlayAppSeed::new(APP).with_track("production", production)],
        asc: vec![AscAppSeed::phased(APP, "2.0", "200", two_days_ago)],
        slack_channels: vec![ChannelSeed::new("C0123456", "releases")],
        github: vec![
            GitHubRepositorySeed::new("example/app").with_workflow("halted.yml", &["app", "version"]),
        ],
        google: GoogleSeed { secrets: vec![SecretSeed::new(SECRET, "example")], ..GoogleSeed::default() },
        ..Seed::default()
    }
}

/// A folder that no other sandbox on this machine uses.
fn default_directory() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("tidegate-sandbox-{}", std::process::id()))
}
