//! Parses the command line, carries out one command, exits with its code. Nothing else.

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::adapters::log::last_words;
use tidegate::adapters::{environment, redact};
use tidegate::cli::{Cli, LogFormat, Output};
use tidegate::commands::{self, print, unexpected};
use tidegate::exit::Exit;

#[tokio::main]
async fn main() -> ExitCode {
    unexpected::tell();
    let cli = Cli::parse();
    keep_secrets(cli.common.output);
    let log = cli.common.log;
    match unexpected::caught(Box::pin(commands::dispatch(cli))).await {
        Some(Ok(exit)) => exit.into(),
        Some(Err(ended)) => {
            print::err(&match log {
                LogFormat::Human => format!("error: {ended}\n"),
                LogFormat::Json => last_words(&ended.message, ended.exit as u8),
            });
            Exit::into(ended.exit)
        }
        None => Exit::into(Exit::Failed),
    }
}

/// In a workflow of GitHub, has the runner told of every secret.
fn keep_secrets(output: Output) {
    if environment::variable("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        redact::announce_to(match output {
            Output::Human | Output::Github => print::mask,
            Output::Json | Output::Ndjson => print::mask_aside,
        });
    }
    environment::cover_proxies();
}
