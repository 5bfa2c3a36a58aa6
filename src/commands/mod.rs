//! What each command does, after its words have been read. Each answers an exit code or an error with one.

pub mod config;
pub mod control;
pub mod demo;
pub mod doctor;
pub mod ending;
pub mod explain;
pub mod import;
pub mod ledger;
pub mod observe;
pub mod place;
pub mod plan;
pub mod print;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod status;
pub mod unexpected;

use crate::adapters::fail_point;
use crate::cli::{Cli, Command};
use crate::exit::{Ended, Exit};

/// Carries out a command.
///
/// # Errors
/// [`Ended`] says what went wrong and which code to exit with.
pub async fn dispatch(cli: Cli) -> Result<Exit, Ended> {
    fail_point::check().map_err(Ended::usage)?;
    let common = cli.common;
    if !matches!(cli.command, Command::Run(_)) {
        observe::log_only(&common);
    }
    match cli.command {
        Command::Run(args) => Box::pin(run::run(&args, &common)).await,
        Command::Control { word } => Box::pin(control::control(&word, &common)).await,
        Command::Demo(args) => Box::pin(demo::demo(&args, &common)).await,
        Command::Import(args) => import::import(&args, &common),
        Command::Sandbox(args) => sandbox::serve(&args).await,
        Command::Explain { decision } => explain::explain(&decision, &common).await,
        Command::Ledger => ledger::ledger(&common).await,
        Command::Doctor => Box::pin(doctor::doctor(&common)).await,
        Command::Status => status::status(&common).await,
        Command::Plan(args) => plan::plan(&args, &common).await,
        Command::Report(args) => report::report(&args, &common).await,
        Command::Config { action } => config::config(action, &common),
        Command::Schema => config::schema(),
    }
}
