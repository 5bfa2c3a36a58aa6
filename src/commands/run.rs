//! `run`: one job, once, for every app, within its deadline.

use std::fs::OpenOptions;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;

use super::{print, unexpected};
use crate::adapters::clock::{self, FixedClock, SystemClock};
use crate::adapters::environment;
use crate::adapters::redact;
use crate::cli::{Common, FailOn, Output, Run};
use crate::domain::judge::Decision;
use crate::domain::verdict::Reason;
use crate::exit::{Ended, Exit};
use crate::jobs::release_monitor::ReleaseMonitor;
use crate::jobs::{AppReport, AppWorld, JobId};
use crate::ports::{Clock, StateError};
use crate::report::{github, human, json};
use crate::world::{self, Acting, World};

/// Apps that are worked on at once: enough to hide the services' own time, few enough for their rate limits.
const APPS_AT_ONCE: usize = 16;
/// Reading ends so long before the run's deadline, so that what came of it can still be told and written down.
const WRITING_TIME: Duration = Duration::from_secs(15);
/// With a short deadline, this part of it is kept for that.
const WRITING_PART: u32 = 4;

/// The reports of the apps that are done, by their place in the configuration.
type Reports = Mutex<Vec<(usize, Vec<AppReport>)>>;

/// Runs a job.
///
/// # Errors
/// Where nothing could be started, or the run was ended from outside.
pub async fn run(args: &Run, common: &Common) -> Result<Exit, Ended> {
    let acting = if args.dry_run { Acting::DryRun } else { Acting::Live };
    let loaded = world::load(common.config.as_deref())?;
    let deadline = Duration::try_from(args.deadline).map_err(Ended::usage)?;
    let end = clock::steady() + deadline;
    let reads_until = clock::steady() + deadline - WRITING_TIME.min(deadline / WRITING_PART);
    let world = within(deadline, loaded.world(&common.apps, acting, reads_until)).await??;
    if args.now.is_some() && acting == Acting::Live && loaded.uses_a_real_store() {
        return Err(Ended::usage(
            "--now is not the present, so nothing may be done to real stores for it\n  fix: add --dry-run",
        ));
    }
    let clock: Box<dyn Clock> = match args.now {
        Some(now) => Box::new(FixedClock(now)),
        None => Box::new(SystemClock),
    };
    let done = Mutex::new(Vec::new());
    let left = end.saturating_duration_since(clock::steady());
    let ended = within(left, all_apps(args.job, &world, clock.as_ref(), acting, &done)).await;
    let reports = in_order(&world, done.into_inner().unwrap_or_else(PoisonError::into_inner));
    show(args, common.output, &reports);
    ended?;
    Ok(exit(&args.fail_on, &reports))
}

/// The reports in the order of the configuration, with one for each app that the run did not get to.
fn in_order(world: &World, mut done: Vec<(usize, Vec<AppReport>)>) -> Vec<AppReport> {
    for (index, app) in world.apps.iter().enumerate() {
        if done.iter().all(|(finished, _)| *finished != index) {
            let problem = "the run was ended before this app was done; the next run goes on".to_owned();
            done.push((index, vec![AppReport::failed(app, problem)]));
        }
    }
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, reports)| reports).collect()
}

/// Ends the work at the deadline or a signal. Whatever was written down by then, the next run goes on with.
async fn within<T>(deadline: Duration, work: impl Future<Output = T>) -> Result<T, Ended> {
    let ended = |exit, why: &str| Ended {
        exit,
        message: format!("{why}\n  fix: nothing is half done that the next run does not finish"),
    };
    tokio::select! {
        done = work => Ok(done),
        () = tokio::time::sleep(deadline) => Err(ended(Exit::Failed, "the deadline of the run has passed")),
        () = interrupted() => Err(ended(Exit::Interrupted, "interrupted")),
        () = terminated() => Err(ended(Exit::Terminated, "terminated")),
    }
}

pub(super) async fn interrupted() {
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

/// Works on every app, and puts the reports of each where they outlive an end from outside.
async fn all_apps(job: JobId, world: &World, clock: &dyn Clock, acting: Acting, done: &Reports) {
    let JobId::ReleaseMonitor = job;
    let monitor = ReleaseMonitor { state: world.state.as_ref(), clock, holder: holder() };
    let monitor = &monitor;
    let apps = futures_util::stream::iter(world.apps.iter().enumerate());
    apps.for_each_concurrent(APPS_AT_ONCE, |(index, app)| async move {
        let work = async {
            match acting {
                Acting::Live => monitor.run(app).await,
                Acting::DryRun => monitor.dry_run(app).await,
            }
        };
        let reports = match unexpected::caught(Box::pin(work)).await {
            Some(outcome) => outcome.unwrap_or_else(|error| vec![not_done(app, &error)]),
            None => vec![AppReport::failed(app, unexpected::PROBLEM.to_owned())],
        };
        done.lock().unwrap_or_else(PoisonError::into_inner).push((index, reports));
    })
    .await;
}

/// One app's trouble is reported and leaves the others alone.
fn not_done(app: &AppWorld, error: &StateError) -> AppReport {
    let report = AppReport::failed(app, error.to_string());
    let reason = match error {
        StateError::Busy { .. } => Reason::AnotherRun,
        StateError::LostLease { .. } => Reason::LeaseLost,
        StateError::Failed(_) | StateError::Unreadable(_) => return report,
    };
    AppReport { decision: Decision::None, reason, ..report }
}

/// `PROCESS/RUN`: the process, so that a state store can tell a dead one, and this run.
#[must_use]
pub fn holder() -> String {
    // Not the process id: in a container the next run has the same one.
    static PROCESS: OnceLock<String> = OnceLock::new();
    format!("{}/{}", PROCESS.get_or_init(random_word), random_word())
}

/// A word that nobody can guess.
#[must_use]
pub fn random_word() -> String {
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
            reports.iter().for_each(|report| print::out(&print::line(&json::result(report))));
        }
        Output::Github => show_on_github(job, dry_run, reports),
    }
}

/// The log, the job summary, the step's outputs and annotations. A file that can't be written is said and changes
/// nothing else.
fn show_on_github(job: &str, dry_run: bool, reports: &[AppReport]) {
    print::out(&human::text(reports));
    print::commands(&github::annotations(reports));
    append("GITHUB_STEP_SUMMARY", |size| {
        github::summary(job, dry_run, reports, github::LARGEST_SUMMARY_FILE.saturating_sub(size))
    });
    append("GITHUB_OUTPUT", |_| github::outputs(reports, &format!("ghadelimiter_{}", random_word())));
}

/// Adds to a file that a variable names what is made for its present size in bytes.
fn append(variable: &str, text: impl Fn(usize) -> String) {
    let Some(path) = environment::variable(variable) else { return };
    let written = OpenOptions::new().append(true).create(true).open(&path).and_then(|mut file| {
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let text = redact::redacted(&text(size));
        if text.is_empty() {
            return Err(io::Error::other("the file is full"));
        }
        file.write_all(text.as_bytes())
    });
    if let Err(error) = written {
        print::err(&format!("could not write {variable} ({path}): {error}\n"));
    }
}

/// Failures come first, so that a lost lease can't hide them. An app that another run works on is no failure. A stopped
/// export of crashes is told without being asked for: nothing else would show it.
fn exit(fail_on: &[FailOn], reports: &[AppReport]) -> Exit {
    let is_busy = |report: &&AppReport| matches!(report.reason, Reason::AnotherRun | Reason::LeaseLost);
    let left: Vec<&AppReport> = reports.iter().filter(|report| !is_busy(report)).collect();
    if !left.is_empty() && left.iter().all(|report| report.decision == Decision::Error) {
        return Exit::Failed;
    }
    if left.iter().any(|report| report.decision == Decision::Error || !report.problems.is_empty()) {
        return Exit::Partial;
    }
    if reports.iter().any(|report| report.reason == Reason::LeaseLost) {
        return Exit::LostLease;
    }
    let worst_first = [FailOn::Halt, FailOn::Warn, FailOn::InsufficientData, FailOn::StaleData, FailOn::Hold];
    let is_asked = |asked: &FailOn| match asked {
        FailOn::StaleData if reports.iter().any(AppReport::is_data_alarm) => true,
        asked => fail_on.contains(asked),
    };
    let asked = worst_first.into_iter().filter(is_asked);
    asked.into_iter().find_map(|asked| asked_for(asked, reports)).unwrap_or(Exit::Success)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::embedded::Embedded;
    use crate::domain::release::{Action, Release};
    use crate::ports::{Lease, PortError, RolloutTarget};
    use crate::sandbox::{AscAppSeed, Ports, Sandbox, SandboxOptions, Seed};

    /// A store whose adapter is wrong.
    struct Wrong;

    #[async_trait::async_trait]
    impl RolloutTarget for Wrong {
        async fn releases(&self) -> Result<Vec<Release>, PortError> {
            tokio::task::yield_now().await;
            panic!("no store is like this");
        }

        async fn apply(&self, _: &Lease, _: &Release, _: Action) -> Result<(), PortError> {
            panic!("no store is like this");
        }
    }

    /// Two apps; the stores know the second one, which has nothing on its way.
    async fn two_apps(folder: &std::path::Path) -> (Sandbox, World) {
        let at = "2026-11-16T08:00:00Z".parse().unwrap();
        let mut app = AscAppSeed::phased("com.example.app", "2.0", "200", at);
        app.versions.clear();
        let seed = Seed { asc: vec![app], ..Seed::default() };
        let credentials_dir = folder.join("keys");
        let options = SandboxOptions { ports: Ports::default(), seed, credentials_dir };
        let sandbox = Sandbox::start(options).await.unwrap();
        drop(Embedded::create(&folder.join("warehouse.sqlite")).unwrap());
        let (keys, stores) = (&sandbox.credentials, &sandbox.endpoints);
        let text = format!(
            "[warehouse]\nkind = \"embedded\"\npath = \"warehouse.sqlite\"\n\
             [state]\nkind = \"sqlite\"\npath = \"state.sqlite\"\n\
             [slack]\nchannel = \"C0RELEASES\"\ntoken = \"file:token\"\n\
             [google_play]\ncredentials = \"file:{}\"\n\
             [app_store_connect]\nkey_id = \"{}\"\nissuer_id = \"{}\"\nprivate_key = \"file:{}\"\n\
             [endpoints]\ngoogle_play = \"{}\"\napp_store_connect = \"{}\"\nslack = \"{}\"\n\
             [[app]]\nid = \"android\"\nplatform = \"android\"\npackage = \"com.example.app\"\n\
             [[app]]\nid = \"ios\"\nplatform = \"ios\"\nbundle_id = \"com.example.app\"\n",
            keys.play_service_account_path.display(),
            keys.asc_key_id,
            keys.asc_issuer_id,
            keys.asc_private_key_path.display(),
            stores.google_play,
            stores.app_store_connect,
            stores.slack,
        );
        std::fs::write(folder.join("token"), &keys.slack_token).unwrap();
        std::fs::write(folder.join("tidegate.toml"), text).unwrap();
        let loaded = world::load(Some(&folder.join("tidegate.toml"))).unwrap();
        let until = clock::steady() + Duration::from_secs(60);
        let world = loaded.world(&[], Acting::Live, until).await.unwrap();
        (sandbox, world)
    }

    #[tokio::test]
    async fn a_panic_in_one_app_leaves_the_others_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (_sandbox, mut world) = two_apps(folder.path()).await;
        world.apps[0].target = Box::new(Wrong);
        for acting in [Acting::DryRun, Acting::Live] {
            let done = Mutex::new(Vec::new());
            all_apps(JobId::ReleaseMonitor, &world, &SystemClock, acting, &done).await;
            let reports = in_order(&world, done.into_inner().unwrap());
            let [android, ios] = reports.as_slice() else { panic!("{reports:?}") };
            assert_eq!((android.decision, ios.decision), (Decision::Error, Decision::None), "{reports:?}");
            assert!(android.problems[0].contains("tidegate itself failed"), "{:?}", android.problems);
            assert_eq!(ios.problems, Vec::<String>::new());
            assert_eq!(exit(&[], &reports), Exit::Partial);
            assert_eq!(exit(&[], &reports[..1]), Exit::Failed);
        }
    }
}
