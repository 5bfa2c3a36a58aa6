//! The command line: types only. What a command does is in `commands`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use tracing::level_filters::LevelFilter;

use crate::domain::ids::VersionName;
use crate::domain::rate::UserFraction;
use crate::jobs::JobId;
use crate::jobs::release_monitor::LEASE;

/// Watches every release of a mobile app while it rolls out, and stops it, holds it or speeds it up on evidence.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
}

/// What every command takes. A flag beats its environment variable, which beats the file.
#[derive(Debug, Args)]
pub struct Common {
    /// The configuration file [default: ./tidegate.toml, else ./.github/tidegate.toml]
    #[arg(long, global = true, env = "TIDEGATE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only this app; may be repeated
    #[arg(long = "app", global = true, env = "TIDEGATE_APP", value_name = "ID", value_delimiter = ',')]
    pub apps: Vec<String>,
    /// How results are printed
    #[arg(long, global = true, env = "TIDEGATE_OUTPUT", default_value = "human", value_name = "FORMAT")]
    pub output: Output,
    /// How the log on standard error is written
    #[arg(long, global = true, env = "TIDEGATE_LOG_FORMAT", default_value = "human", value_name = "FORMAT")]
    pub log: LogFormat,
    /// What is logged: this, and what is graver
    #[arg(long, global = true, env = "TIDEGATE_LOG", default_value = "warn", value_name = "LEVEL")]
    pub log_level: LogLevel,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line an event, for people.
    Human,
    /// One JSON object an event, and nothing else on standard error.
    Json,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What ended the run.
    Error,
    /// What a person should know.
    Warn,
    /// What was decided and done.
    Info,
    /// Every request and every retry.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The same for the log.
    #[must_use]
    pub fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people.
    Human,
    /// One JSON document on standard output.
    Json,
    /// One JSON object per app and line.
    Ndjson,
    /// For GitHub Actions: a log, a job summary and outputs.
    Github,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a job once
    Run(Run),
    /// Say what people want: hold an app or a release, halt or resume a release
    Control {
        /// What is said
        #[command(subcommand)]
        word: Word,
    },
    /// Walk through a week of good, bad and doubtful releases on the embedded default, without any account
    Demo(Demo),
    /// Load exports of real tables into the embedded warehouse
    Import(Import),
    /// Serve loopback models of Google Play, App Store Connect and Slack
    Sandbox(Sandbox),
    /// Show a recorded decision with its evidence, judge it again, and say whether anything of it was changed
    Explain {
        /// The id of the decision, as `status` and messages show it
        decision: String,
    },
    /// List what was decided, done and told, and verify that nothing of it was changed
    Ledger,
    /// Check clock, credentials, rights, tables, freshness and cost, and say how to fix what is wrong
    Doctor,
    /// Show what is remembered of every app
    Status,
    /// Show what happens next and when: sessions still needed, next step, next report, projected cost
    Plan(AsOf),
    /// Write a report of every app, as a page, a picture, Markdown and JSON, from what is remembered
    Report(Report),
    /// Check or show the configuration
    Config {
        /// What to do with it
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Print the JSON Schema of the configuration
    Schema,
}

/// Runs a job.
#[derive(Debug, Args)]
pub struct Run {
    /// The id of the job
    #[arg(value_parser = parse_job, value_name = "JOB")]
    pub job: JobId,
    /// Observe and judge only: nothing is changed, sent or written
    #[arg(long, env = "TIDEGATE_DRY_RUN")]
    pub dry_run: bool,
    /// Judge as of this instant, for example 2026-11-18T12:00:00Z
    #[arg(long, env = "TIDEGATE_NOW", value_name = "RFC3339")]
    pub now: Option<Timestamp>,
    /// End the run by then, for example 8m
    #[arg(long, env = "TIDEGATE_DEADLINE", default_value = "8m", value_name = "DURATION", value_parser = parse_deadline)]
    pub deadline: SignedDuration,
    /// Exit with a code of its own on these decisions
    #[arg(long, env = "TIDEGATE_FAIL_ON", value_delimiter = ',', value_name = "DECISION")]
    pub fail_on: Vec<FailOn>,
    /// Act for any event and any branch of a GitHub workflow
    #[arg(long, env = "TIDEGATE_ANY_REF", hide = true)]
    pub any_ref: bool,
}

/// What a person says.
#[derive(Debug, Subcommand)]
pub enum Word {
    /// Keep an app or a release as it is: nothing raises its exposure until the hold ends
    Hold(Hold),
    /// Only look at an app or a release until then: nothing is done to it, and nobody is told
    Observe(Hold),
    /// End a hold before its time
    ReleaseHold(Said),
    /// Stop offering a release, even one that everybody is offered already
    Halt(Ordered),
    /// Offer a halted release again; counting starts anew
    Resume(Resume),
    /// Show what people have said
    Show {
        /// As of this instant
        #[arg(long, env = "TIDEGATE_NOW", value_name = "RFC3339")]
        now: Option<Timestamp>,
    },
}

/// What every word needs.
#[derive(Debug, Args)]
pub struct Said {
    /// Only this release, by its version
    #[arg(long, value_name = "VERSION")]
    pub release: Option<VersionName>,
    /// Why; everybody reads it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who says it [default: the one who started the workflow, else the user of this machine]
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Say what would be done; nothing is changed, sent or written
    #[arg(long, env = "TIDEGATE_DRY_RUN")]
    pub dry_run: bool,
    /// Say it as of this instant, for example 2026-11-18T12:00:00Z
    #[arg(long, env = "TIDEGATE_NOW", value_name = "RFC3339")]
    pub now: Option<Timestamp>,
    /// Act for any event and any branch of a GitHub workflow
    #[arg(long, env = "TIDEGATE_ANY_REF", hide = true)]
    pub any_ref: bool,
}

/// A hold.
#[derive(Debug, Args)]
pub struct Hold {
    /// What every word needs
    #[command(flatten)]
    pub said: Said,
    /// When it ends: an instant, or a duration such as 6h [default: 24h; at most 14 days]
    #[arg(long, value_name = "RFC3339 or DURATION")]
    pub until: Option<Until>,
    /// Hold back halts as well
    #[arg(long)]
    pub also_halt: bool,
}

/// An order to a store.
#[derive(Debug, Args)]
pub struct Ordered {
    /// What every word needs
    #[command(flatten)]
    pub said: Said,
    /// Give up by then, for example 8m; another run is waited for
    #[arg(long, env = "TIDEGATE_DEADLINE", default_value = "8m", value_name = "DURATION", value_parser = parse_deadline)]
    pub deadline: SignedDuration,
}

/// A resume.
#[derive(Debug, Args)]
pub struct Resume {
    /// What every order needs
    #[command(flatten)]
    pub ordered: Ordered,
    /// The share of users to offer it to, for example 0.15 [default: the one at which it was halted]
    #[arg(long, value_name = "FRACTION", value_parser = parse_fraction)]
    pub fraction: Option<UserFraction>,
}

/// A day of a duration is a day of hours, whatever a zone does.
const HOURS_OF_A_DAY: i64 = 24;

/// An end: an instant, or so long from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Then.
    At(Timestamp),
    /// So long from now.
    In(SignedDuration),
}

impl FromStr for Until {
    type Err = String;
    fn from_str(given: &str) -> Result<Self, String> {
        if let Some(days) = given.strip_suffix('d').and_then(|days| days.parse::<u16>().ok()) {
            return Ok(Self::In(SignedDuration::from_hours(i64::from(days) * HOURS_OF_A_DAY)));
        }
        let instant = given.parse().map(Self::At);
        instant.or_else(|_| given.parse().map(Self::In)).map_err(|_| {
            "write an instant such as 2026-11-18T12:00:00Z, or a duration such as 6h or 3d".to_owned()
        })
    }
}

fn parse_fraction(given: &str) -> Result<UserFraction, String> {
    let number: f64 = given.parse().map_err(|_| "write a share of users such as 0.15".to_owned())?;
    UserFraction::new(number).map_err(|error| error.to_string())
}

/// The decisions that can end a run with a code of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// 10
    Warn,
    /// 11
    Halt,
    /// 12
    Hold,
    /// 5
    InsufficientData,
    /// 5
    StaleData,
}

/// Walks through a week.
#[derive(Debug, Args)]
pub struct Demo {
    /// Makes the same events again
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
    /// Keep the warehouse, the state and the configuration in this folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Writes a report.
#[derive(Debug, Args)]
pub struct Report {
    /// The folder to write it into; made where there is none
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Report as of this instant, for example 2026-11-18T12:00:00Z
    #[arg(long, env = "TIDEGATE_NOW", value_name = "RFC3339")]
    pub now: Option<Timestamp>,
}

/// Looks at what is remembered, as of some instant.
#[derive(Debug, Args)]
pub struct AsOf {
    /// Look as of this instant, for example 2026-11-18T12:00:00Z
    #[arg(long, env = "TIDEGATE_NOW", value_name = "RFC3339")]
    pub now: Option<Timestamp>,
}

/// Imports exports.
#[derive(Debug, Args)]
pub struct Import {
    /// The warehouse file; made where there is none
    #[arg(long, value_name = "FILE")]
    pub warehouse: PathBuf,
    /// Which export the table holds, where its name does not tell
    #[arg(long = "as", value_name = "EXPORT")]
    pub export: Option<ExportName>,
    /// The table, for example firebase_crashlytics.com_example_app_ANDROID_REALTIME
    #[arg(value_name = "DATASET.TABLE")]
    pub table: String,
    /// Newline-delimited JSON, plain or gzip, as `bq extract` writes it
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// The exports on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportName {
    /// Firebase Crashlytics.
    Crashlytics,
    /// Firebase Sessions.
    FirebaseSessions,
    /// Google Analytics.
    Analytics,
}

/// Serves the sandbox.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// What the stores hold at first, as JSON [default: com.example.app with version 2.0 on its way]
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Where keys for the sandbox are written [default: a new folder under the system's temporary one]
    #[arg(long, value_name = "DIR")]
    pub credentials_dir: Option<PathBuf>,
}

/// What to do with the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigAction {
    /// Say whether it is right
    Check,
    /// Show it as it is understood, defaults included
    Show,
}

fn parse_job(given: &str) -> Result<JobId, String> {
    let known = || JobId::ALL.map(JobId::as_str).join(", ");
    let found = JobId::ALL.into_iter().find(|job| job.as_str() == given);
    found.ok_or_else(|| format!("this version knows the jobs: {}", known()))
}

fn parse_deadline(given: &str) -> Result<SignedDuration, String> {
    let duration: SignedDuration =
        given.parse().map_err(|_| "write a duration such as 8m or 90s".to_owned())?;
    if duration.is_positive() && duration < LEASE {
        return Ok(duration);
    }
    let lease = LEASE.as_mins();
    Err(format!("it must lie ahead, and before the lease of a run ends: less than {lease}m"))
}
