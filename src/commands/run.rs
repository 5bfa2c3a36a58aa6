//! `run`: one job, once, for every app, within its deadline.

use std::fs::OpenOptions;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write as _;

use futures_util::StreamExt as _;

use super::print;
use crate::adapters::clock::{FixedClock, SystemClock};
use crate::adapters::environment;
use crate::cli::{Common, FailOn, Output, Run};
use crate::domain::judge::Decision;
use crate::exit::{Ended, Exit};
use crate::jobs::release_monitor::ReleaseMonitor;
use crate::jobs::{AppReport, AppWorld, JobId};
use crate::ports::{Clock, StateError};
use crate::report::{github, human, json};
use crate::world::{self, Acting, World};

/// Apps that are worked on at once: enough to hide the services' own time, few enough for their rate limits.
const APPS_AT_ONCE: usize = 16;

/// What a run came to.
struct Outcome {
    reports: Vec<AppReport>,
    /// Another run was active for some app.
    busy: Busy,
}

#[derive(PartialEq, Eq)]
enum Busy {
    Yes,
    No,
}

/// Runs a job.
///
/// # Errors
/// Where nothing could be started, or the run was ended from outside.
pub async fn run(args: &Run, common: &Common) -> Result<Exit, Ended> {
    let acting = if args.dry_run { Acting::DryRun } else { Acting::Live };
    let loaded = world::load(common.config.as_deref())?;
    let world = loaded.world(&common.apps, acting)?;
    let clock: Box<dyn Clock> = match args.now {
        Some(now) => Box::new(FixedClock(now)),
        None => Box::new(SystemClock),
    };
    let outcome = within(args, all_apps(args.job, &world, clock.as_ref(), acting)).await?;
    show(args, common.output, &outcome.reports);
    Ok(exit(&args.fail_on, &outcome))
}

/// Ends the work at the deadline or a signal. Whatever was written down by then, the next run goes on with.
async fn within<T>(args: &Run, work: impl Future<Output = T>) -> Result<T, Ended> {
    let ended = |exit, why: &str| Ended {
        exit,
        message: format!("{why}\n  fix: nothing is half done that the next run does not finish"),
    };
    let deadline = std::time::Duration::try_from(args.deadline).map_err(Ended::usage)?;
    tokio::select! {
        done = work => Ok(done),
        () = tokio::time::sleep(deadline) => Err(ended(Exit::Failed, "the deadline of the run has passed")),
        () = interrupted() => Err(ended(Exit::Interrupted, "interrupted")),
        () = terminated() => Err(ended(Exit::Terminated, "terminated")),
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
pub(super) async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
pub(super) async fn terminated() {
    std::future::pending().await
}

async fn all_apps(job: JobId, world: &World, clock: &dyn Clock, acting: Acting) -> Outcome {
    let JobId::ReleaseMonitor = job;
    let monitor = ReleaseMonitor { state: &world.state, clock, holder: holder() };
    let monitor = &monitor;
    let per_app = futures_util::stream::iter(&world.apps).map(|app| async move {
        let outcome = match acting {
            Acting::Live => monitor.run(app).await,
            Acting::DryRun => monitor.dry_run(app).await,
        };
        reported(app, outcome)
    });
    let done: Vec<(Vec<AppReport>, Busy)> = per_app.buffered(APPS_AT_ONCE).collect().await;
    let busy = if done.iter().any(|(_, busy)| *busy == Busy::Yes) { Busy::Yes } else { Busy::No };
    Outcome { reports: done.into_iter().flat_map(|(reports, _)| reports).collect(), busy }
}

/// One app's trouble is reported and leaves the others alone.
fn reported(app: &AppWorld, outcome: Result<Vec<AppReport>, StateError>) -> (Vec<AppReport>, Busy) {
    match outcome {
        Ok(reports) => (reports, Busy::No),
        Err(error @ (StateError::Busy { .. } | StateError::LostLease { .. })) => {
            let report =
                AppReport { problems: vec![error.to_string()], ..AppReport::nothing_rolling_out(app) };
            (vec![report], Busy::Yes)
        }
        Err(error @ StateError::Failed(_)) => (vec![AppReport::failed(app, error.to_string())], Busy::No),
    }
}

/// `PROCESS/RUN`: the process, so that a state store can tell a dead one, and this run.
#[must_use]
pub fn holder() -> String {
    let process = std::process::id();
    format!("pid-{process}/{}", random_word())
}

fn random_word() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn show(args: &Run, output: Output, reports: &[AppReport]) {
    let (job, dry_run) = (args.job.as_str(), args.dry_run);
    match output {
        Output::Human => print::out(&human::text(reports)),
        Output::Json => {
            print::err(&human::text(reports));
            print::out(&print::pretty(&json::document(job, dry_run, reports)));
        }
        Output::Ndjson => {
            print::err(&human::text(reports));
            reports.iter().for_each(|report| print::out(&format!("{}\n", json::result(report))));
        }
        Output::Github => show_on_github(job, dry_run, reports),
    }
}

/// The log, the job summary, the step's outputs and annotations. A file that can't be written is said and changes
/// nothing else.
fn show_on_github(job: &str, dry_run: bool, reports: &[AppReport]) {
    print::out(&github::log(&human::text(reports)));
    print::out(&github::annotations(reports));
    append("GITHUB_STEP_SUMMARY", &github::summary(job, dry_run, reports));
    append("GITHUB_OUTPUT", &github::outputs(reports, &format!("ghadelimiter_{}", random_word())));
}

fn append(variable: &str, text: &str) {
    let Some(path) = environment::variable(variable) else { return };
    let written = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        print::err(&format!("could not write {variable} ({path}): {error}\n"));
    }
}

fn exit(fail_on: &[FailOn], outcome: &Outcome) -> Exit {
    let reports = &outcome.reports;
    if outcome.busy == Busy::Yes {
        return Exit::Busy;
    }
    if !reports.is_empty() && reports.iter().all(|report| report.decision == Decision::Error) {
        return Exit::Failed;
    }
    if reports.iter().any(|report| report.decision == Decision::Error || !report.problems.is_empty()) {
        return Exit::Partial;
    }
    fail_on.iter().find_map(|asked| asked_for(*asked, reports)).unwrap_or(Exit::Success)
}

fn asked_for(fail_on: FailOn, reports: &[AppReport]) -> Option<Exit> {
    let (decision, exit) = match fail_on {
        FailOn::Halt => (Decision::Halt, Exit::Halt),
        FailOn::Warn => (Decision::Warn, Exit::Warn),
        FailOn::Hold => (Decision::Hold, Exit::Hold),
        FailOn::InsufficientData => (Decision::InsufficientData, Exit::Data),
        FailOn::StaleData => (Decision::StaleData, Exit::Data),
    };
    reports.iter().any(|report| report.decision == decision).then_some(exit)
}
