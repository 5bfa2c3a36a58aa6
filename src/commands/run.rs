//! `run`: one job, once, for every app, within its deadline.

use std::fs::OpenOptions;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument as _;

use super::ending::{self, within};
use super::observe::Observing;
use super::place;
use super::{print, unexpected};
use crate::adapters::clock::{self, FixedClock};
use crate::adapters::environment;
use crate::adapters::redact;
use crate::cli::{Common, FailOn, LogFormat, Output, Run};
use crate::config::App;
use crate::domain::control::Switch;
use crate::domain::heartbeat::{Beat, Completion};
use crate::domain::judge::Decision;
use crate::domain::skew;
use crate::domain::verdict::Reason;
use crate::exit::{Ended, Exit};
use crate::jobs::brakes::Brakes;
use crate::jobs::release_monitor::ReleaseMonitor;
use crate::jobs::{Acted, AppReport, AppWorld, JobId};
use crate::jobs::{android_rollout, status_reporter};
use crate::ports::{Clock, Moment, StateError};
use crate::report::{github, groups, human, json};
use crate::world::{self, Acting, Loaded, World};

/// Apps that are worked on at once: enough to hide the services' own time, few enough for their rate limits.
const APPS_AT_ONCE: usize = 16;
/// Reading ends so long before the run's deadline, so that what came of it can still be told and written down.
const WRITING_TIME: Duration = Duration::from_secs(15);
/// With a short deadline, this part of it is kept for that.
const WRITING_PART: u32 = 4;

/// A job of every day is missed after a day and as much as GitHub may be late with it.
const DAILY: SignedDuration = SignedDuration::from_hours(27);
/// The heartbeat of a run may take so long.
const BEAT_LIMIT: Duration = Duration::from_secs(5);

/// The reports of the apps that are done, by their place in the configuration.
type Reports = Mutex<Vec<(usize, Vec<AppReport>)>>;

/// Runs a job.
///
/// # Errors
/// Where nothing could be started, or the run was ended from outside.
pub async fn run(args: &Run, common: &Common) -> Result<Exit, Ended> {
    let acting = if args.dry_run { Acting::DryRun } else { Acting::Live };
    let mode = world::mode()?;
    let loaded = world::load(common.config.as_deref())?;
    if acting == Acting::Live && mode != Switch::Off && !args.any_ref {
        place::may_act()?;
    }
    let deadline = Duration::try_from(args.deadline).map_err(Ended::usage)?;
    let began = clock::moment();
    let observing = Observing::start(common, &loaded.config.telemetry);
    let once =
        Once { args, common, loaded: &loaded, acting, began, deadline, observing: &observing, run: holder() };
    let span = tracing::info_span!(
        "run",
        run.id = once.run,
        run.job = args.job.as_str(),
        run.dry_run = args.dry_run,
        run.exit = tracing::field::Empty,
        tidegate.version = env!("CARGO_PKG_VERSION"),
    );
    let ended = match mode {
        Switch::Off => once.switched_off(),
        Switch::Auto | Switch::Observe => Box::pin(once.run()).instrument(span.clone()).await,
    };
    let exit = code(&ended) as u8;
    // Telemetry has signed integers only; others become texts.
    span.record("run.exit", i64::from(exit));
    let left = once.left();
    // A span is sent once nobody holds it.
    drop(span);
    observing.finish(args.job, exit, left).await;
    ended
}

fn code(ended: &Result<Exit, Ended>) -> Exit {
    ended.as_ref().map_or_else(|ended| ended.exit, |exit| *exit)
}

/// One run of a job.
struct Once<'r> {
    args: &'r Run,
    common: &'r Common,
    loaded: &'r Loaded,
    acting: Acting,
    began: Moment,
    deadline: Duration,
    observing: &'r Observing,
    run: String,
}

impl Once<'_> {
    async fn run(&self) -> Result<Exit, Ended> {
        let (args, deadline) = (self.args, self.deadline);
        let reads_until = clock::steady() + deadline - WRITING_TIME.min(deadline / WRITING_PART);
        let brakes = Brakes::new(self.began, deadline);
        let building = Box::pin(self.loaded.world(&self.common.apps, self.acting, reads_until));
        let world = within(deadline, &brakes, building).await??;
        if args.now.is_some() && self.acting == Acting::Live && self.loaded.uses_a_real_store() {
            return Err(Ended::usage(
                "--now is not the present, so nothing may be done to real stores for it\n  fix: add --dry-run",
            ));
        }
        let clock: Box<dyn Clock> = match args.now {
            Some(now) => Box::new(FixedClock(now)),
            None => Box::new(self.loaded.clock.clone()),
        };
        let started_at = clock.now();
        let done = Mutex::new(Vec::new());
        let monitor = ReleaseMonitor {
            state: world.state.as_ref(),
            clock: clock.as_ref(),
            holder: self.run.clone(),
            brakes: &brakes,
            asks: android_rollout::asks(args.job),
            held: Mutex::default(),
        };
        let work = all_apps(args.job, &world, &monitor, self.acting, &done);
        let ended = within(self.left(), &brakes, work).await;
        if ended.is_err() {
            ending::give_back(&monitor).await;
        }
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let reports = in_order(&world, self.loaded, done);
        self.observing.count(&reports);
        self.show(&reports);
        let ended = ended.map(|()| exit(&args.fail_on, &reports));
        if self.acting == Acting::Live && !did_nothing(&reports) {
            self.beat(&world, started_at, clock.now(), code(&ended)).await;
        }
        ended
    }

    /// What is left of the run's time.
    fn left(&self) -> Duration {
        self.deadline.saturating_sub(clock::moment().passed_since(self.began))
    }

    /// Nobody is asked anything: neither a state, nor a store, nor a warehouse.
    fn switched_off(&self) -> Result<Exit, Ended> {
        let off = |app: &&App| AppReport::switched_off(app.id.clone(), app.platform());
        let reports: Vec<AppReport> = self.loaded.chosen(&self.common.apps)?.iter().map(off).collect();
        self.show(&reports);
        Ok(Exit::Success)
    }

    /// Leaves a heartbeat, for as long as it may take. That it could not be left changes nothing.
    async fn beat(&self, world: &World, started_at: Timestamp, ended_at: Timestamp, exit: Exit) {
        let limit = BEAT_LIMIT.min(self.left());
        if limit.is_zero() {
            return;
        }
        let beat = Beat {
            job: self.args.job.as_str(),
            started_at,
            ended_at,
            completion: if exit.is_complete() { Completion::Completed } else { Completion::Broken },
            run: self.run.clone(),
            exit: exit as u8,
            expected_within: expected_within(self.args.job, world),
        };
        let problem = match tokio::time::timeout(limit, world.state.beat(&beat)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", limit.as_millis()),
        };
        tracing::warn!("the heartbeat of this run was not noted: {problem}");
    }

    /// What all apps share: told once, before them.
    fn notices(&self, reports: &[AppReport]) -> Vec<String> {
        let silence = reports.iter().filter_map(|report| report.silence).max_by_key(|silence| silence.lasted);
        let clock = self.loaded.clock.offset().and_then(skew::warning);
        silence.map(human::silence).into_iter().chain(clock).collect()
    }

    fn show(&self, reports: &[AppReport]) {
        let (job, dry_run) = (self.args.job.as_str(), self.args.dry_run);
        let notices = self.notices(reports);
        let text = human::notices(&notices) + &human::text(reports);
        match self.common.output {
            Output::Human => print::out(&text),
            Output::Json => {
                self.tell_people(&text);
                print::out(&print::pretty(&json::document(job, dry_run, reports)));
            }
            Output::Ndjson => {
                self.tell_people(&text);
                reports.iter().for_each(|report| print::out(&print::line(&json::result(report))));
            }
            Output::Github => self.show_on_github(job, &notices, reports),
        }
    }

    /// Text for people where standard output is a document. A log of JSON has standard error to itself.
    fn tell_people(&self, text: &str) {
        if self.common.log == LogFormat::Human {
            print::err(text);
        }
    }

    /// The log in groups, the job summary, the step's outputs and annotations. A file that can't be written is said and
    /// changes nothing else.
    fn show_on_github(&self, job: &str, notices: &[String], reports: &[AppReport]) {
        print::out(&human::notices(notices));
        for of_app in reports.chunk_by(|one, next| one.app == next.app) {
            let lines = self.observing.lines_of(of_app[0].app.as_str());
            print::commands(&groups::group(&human::titles(of_app), &(lines + &human::text(of_app))));
        }
        print::commands(&github::annotations(reports));
        print::commands(&github::notices(notices));
        append("GITHUB_STEP_SUMMARY", |size| {
            let room = github::LARGEST_SUMMARY_FILE.saturating_sub(size);
            github::summary(job, self.args.dry_run, notices, reports, room)
        });
        append("GITHUB_OUTPUT", |_| github::outputs(reports, &format!("ghadelimiter_{}", random_word())));
    }
}

/// How long the next completed run of a job may take to come. Nobody waits for a run of the outbox.
fn expected_within(job: JobId, world: &World) -> SignedDuration {
    match job {
        JobId::ReleaseMonitor | JobId::Outbox => {
            world.apps.iter().map(|app| app.monitor_silence).min().unwrap_or_default()
        }
        JobId::StatusReporter | JobId::AndroidRollout => DAILY,
    }
}

/// Whether other runs worked on every app, or all are switched off, so that this run did nothing.
fn did_nothing(reports: &[AppReport]) -> bool {
    reports.iter().all(|report| matches!(report.reason, Reason::AnotherRun | Reason::SwitchedOff))
}

/// The reports in the order of the configuration, with one for each app that the run did not get to.
fn in_order(world: &World, loaded: &Loaded, mut done: Vec<(usize, Vec<AppReport>)>) -> Vec<AppReport> {
    for (index, app) in world.apps.iter().enumerate() {
        if done.iter().all(|(finished, _)| *finished != index) {
            let problem = "the run was ended before this app was done; the next run goes on".to_owned();
            done.push((index, vec![AppReport::failed(app, problem)]));
        }
    }
    done.sort_by_key(|(index, _)| *index);
    let all = done.into_iter().flat_map(|(_, reports)| reports).chain(world.left_out.iter().cloned());
    let mut all: Vec<AppReport> = all.collect();
    all.sort_by_key(|report| loaded.config.apps.iter().position(|app| app.id == report.app));
    all
}

/// Works on every app, and puts the reports of each where they outlive an end from outside.
async fn all_apps(job: JobId, world: &World, monitor: &ReleaseMonitor<'_>, acting: Acting, done: &Reports) {
    let apps = futures_util::stream::iter(world.apps.iter().enumerate());
    apps.for_each_concurrent(APPS_AT_ONCE, |(index, app)| async move {
        let span = tracing::info_span!(
            "app",
            app.id = app.id.as_str(),
            app.platform = app.platform.as_str(),
            app.version = tracing::field::Empty,
            decision = tracing::field::Empty,
            reason = tracing::field::Empty,
            acted = tracing::field::Empty,
        );
        let work = one_app(job, monitor, app, acting).instrument(span);
        let failed = || vec![AppReport::failed(app, unexpected::PROBLEM.to_owned())];
        let reports = unexpected::caught(Box::pin(work)).await.unwrap_or_else(failed);
        done.lock().unwrap_or_else(PoisonError::into_inner).push((index, reports));
    })
    .await;
}

async fn one_app(job: JobId, monitor: &ReleaseMonitor<'_>, app: &AppWorld, acting: Acting) -> Vec<AppReport> {
    let outcome = match (job, acting) {
        (JobId::ReleaseMonitor, Acting::Live) => Box::pin(monitor.run(app)).await,
        (JobId::ReleaseMonitor, Acting::DryRun) => monitor.dry_run(app).await,
        (JobId::StatusReporter, Acting::Live) => Box::pin(status_reporter::run(monitor, app)).await,
        (JobId::StatusReporter, Acting::DryRun) => Box::pin(status_reporter::dry_run(monitor, app)).await,
        (JobId::AndroidRollout, Acting::Live) => Box::pin(android_rollout::run(monitor, app)).await,
        (JobId::AndroidRollout, Acting::DryRun) => android_rollout::dry_run(monitor, app).await,
        (JobId::Outbox, Acting::Live) => monitor.outbox(app).await,
        (JobId::Outbox, Acting::DryRun) => monitor.dry_outbox(app).await,
    };
    let reports = outcome.unwrap_or_else(|error| vec![not_done(app, &error)]);
    reports.iter().for_each(note);
    reports
}

/// The answer for a release, as fields of its app and as one event.
fn note(report: &AppReport) {
    let span = tracing::Span::current();
    let version = report.version.as_ref().map(|version| version.as_str());
    let (decision, reason) = (report.decision.as_str(), report.reason.as_str());
    let acted = report.acted == Acted::Yes;
    let _ = version.map(|version| span.record("app.version", version));
    span.record("decision", decision).record("reason", reason).record("acted", acted);
    tracing::info!(problems = report.problems.len(), "the app is done");
}

/// One app's trouble is reported and leaves the others alone.
fn not_done(app: &AppWorld, error: &StateError) -> AppReport {
    let report = AppReport::failed(app, error.to_string());
    let reason = match error {
        StateError::Busy { .. } => Reason::AnotherRun,
        StateError::LostLease { .. } => Reason::LeaseLost,
        StateError::Overtaken { .. } => Reason::ChangedMeanwhile,
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

/// Adds to a file that a variable names what is made for its present size in bytes.
pub(super) fn append(variable: &str, text: impl Fn(usize) -> String) {
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

/// Nothing could be concluded, or a release has to be halted and is still being offered.
fn is_failed(report: &AppReport) -> bool {
    let halt_not_made = report.decision == Decision::Halt && report.reason == Reason::CouldNotComplete;
    report.decision == Decision::Error || halt_not_made
}

/// Failures come first, so that a lost lease can't hide them. An app that another run works on is no failure. A stopped
/// export of crashes is told without being asked for: nothing else would show it.
fn exit(fail_on: &[FailOn], reports: &[AppReport]) -> Exit {
    let is_busy = |report: &&AppReport| {
        matches!(report.reason, Reason::AnotherRun | Reason::LeaseLost | Reason::ChangedMeanwhile)
    };
    let left: Vec<&AppReport> = reports.iter().filter(|report| !is_busy(report)).collect();
    if !left.is_empty() && left.iter().all(|report| is_failed(report)) {
        return Exit::Failed;
    }
    if left.iter().any(|report| report.decision == Decision::Error || !report.problems.is_empty()) {
        return Exit::Partial;
    }
    let is_lost = |report: &AppReport| matches!(report.reason, Reason::LeaseLost | Reason::ChangedMeanwhile);
    if reports.iter().any(is_lost) {
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
    use crate::adapters::clock::SystemClock;
    use crate::adapters::embedded::Embedded;
    use crate::domain::release::{Change, Release};
    use crate::jobs::release_monitor::Asks;
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

        async fn apply(&self, _: &Lease, _: &Release, _: &Change) -> Result<(), PortError> {
            panic!("no store is like this");
        }
    }

    /// Two apps; the stores know the second one, which has nothing on its way.
    async fn two_apps(folder: &std::path::Path) -> (Sandbox, Loaded, World) {
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
        (sandbox, loaded, world)
    }

    #[tokio::test]
    async fn f64_a_panic_in_one_app_leaves_the_others_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (_sandbox, loaded, mut world) = two_apps(folder.path()).await;
        world.apps[0].target = Box::new(Wrong);
        for acting in [Acting::DryRun, Acting::Live] {
            let done = Mutex::new(Vec::new());
            let brakes = Brakes::new(clock::moment(), Duration::from_secs(60));
            let (state, clock, held) = (world.state.as_ref(), &SystemClock, Mutex::default());
            let monitor =
                ReleaseMonitor { state, clock, holder: holder(), brakes: &brakes, asks: Asks::Nothing, held };
            all_apps(JobId::ReleaseMonitor, &world, &monitor, acting, &done).await;
            let reports = in_order(&world, &loaded, done.into_inner().unwrap());
            let [android, ios] = reports.as_slice() else { panic!("{reports:?}") };
            assert_eq!((android.decision, ios.decision), (Decision::Error, Decision::None), "{reports:?}");
            assert!(android.problems[0].contains("tidegate itself failed"), "{:?}", android.problems);
            assert_eq!(ios.problems, Vec::<String>::new());
            assert_eq!(exit(&[], &reports), Exit::Partial);
            assert_eq!(exit(&[], &reports[..1]), Exit::Failed);
        }
    }
}
