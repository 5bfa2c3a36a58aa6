//! Parses the command line, carries out one command, exits with its code. Nothing else.

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::adapters::log::last_words;
use tidegate::cli::{Cli, LogFormat};
use tidegate::commands::{self, print};
use tidegate::exit::Exit;
use tidegate::report::github;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = cli.common.log;
    match commands::dispatch(cli).await {
        Ok(exit) => exit.into(),
        Err(ended) => {
            // Vendors' words in it must not become commands of a runner.
            print::err(&github::log(&match log {
                LogFormat::Human => format!("error: {ended}\n"),
                LogFormat::Json => last_words(&ended.message, ended.exit as u8),
            }));
            Exit::into(ended.exit)
        }
    }
}
