//! Parses the command line, carries out one command, exits with its code. Nothing else.

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::cli::Cli;
use tidegate::commands::{self, print};
use tidegate::exit::Exit;
use tidegate::report::github;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr);
    filter.without_time().init();
    match commands::dispatch(cli).await {
        Ok(exit) => exit.into(),
        Err(ended) => {
            // Vendors' words in it must not become commands of a runner.
            print::err(&github::log(&format!("error: {ended}\n")));
            Exit::into(ended.exit)
        }
    }
}
