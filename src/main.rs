//! Parses the command line, carries out one command, exits with its code. Nothing else.

use std::process::ExitCode;

use clap::Parser as _;
use tidegate::cli::Cli;
use tidegate::commands::{self, print};
use tidegate::exit::Exit;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr);
    filter.without_time().init();
    match commands::dispatch(cli).await {
        Ok(exit) => exit.into(),
        Err(ended) => {
            print::err(&format!("error: {ended}\n"));
            Exit::into(ended.exit)
        }
    }
}
