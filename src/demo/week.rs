//! One week in fast time: events arrive, the stores' clock moves on, the jobs run when their schedules say.
//!
//! Everything that decides, acts and tells is the program itself, over real SQL, a real state file and real HTTP to the
//! sandbox. Here is only what a week outside the program does: users, stores' days, and two approvals on Monday.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use serde_json::json;

use super::events::EventSource;
use super::scenario::{App, NEW_BUILD, NEW_VERSION, OLD_BUILD, OLD_VERSION};
use super::{Exposure, schedule};
use crate::adapters::clock;
use crate::adapters::embedded::Embedded;
use crate::adapters::embedded::schema::Export;
use crate::domain::ids::Platform;
use crate::domain::release::RolloutStatus;
use crate::exit::Ended;
use crate::jobs::brakes::Brakes;
use crate::jobs::release_monitor::ReleaseMonitor;
use crate::jobs::{AppReport, JobId, android_rollout, status_reporter};
use crate::ports::Clock;
use crate::queries::Table;
use crate::sandbox::{
    AppVersionState, AscAppSeed, AscVersionSeed, ChannelSeed, DatasetSeed, PhasedReleaseSeed,
    PhasedReleaseState, PlayAppSeed, Ports, Sandbox, SandboxOptions, Seed,
};
use crate::world::{Acting, World, load};

/// The Monday of the week.
const MONDAY: Date = date(2026, 11, 16);
/// Where the team works.
const ZONE: &str = "Europe/Berlin";
/// The hour on Monday at which the new versions go out.
const APPROVED_AT_HOUR: i8 = 8;
/// Play's share of users for the first step.
const FIRST_STEP: f64 = 0.15;
/// No week takes longer; events come from a file, which sets no limit of its own.
const LONGEST: Duration = Duration::from_secs(3_600);
/// The channel that is told.
pub const CHANNEL: &str = "C0RELEASES";

/// A clock that the week moves on.
#[derive(Clone)]
struct WeekClock(Arc<Mutex<Timestamp>>);

impl WeekClock {
    fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for WeekClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a week is made of.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The same seed gives the same events.
    pub seed: u64,
    /// The Monday on which it begins.
    pub monday: Date,
    /// Where events and memories are kept.
    pub pair: Pair,
    /// What the configuration says besides: whole sections, put at its end.
    pub more: String,
}

impl Default for Setting {
    fn default() -> Self {
        Self { seed: 0, monday: MONDAY, pair: Pair::default(), more: String::new() }
    }
}

/// The project of the sandbox's BigQuery.
const PROJECT: &str = "tidegate-sandbox";

/// Where events and memories are kept.
#[derive(Debug, Clone, Default)]
pub enum Pair {
    /// Two files.
    #[default]
    Embedded,
    /// The sandbox's BigQuery over the same events, and a Firestore emulator that is running: its address, and a project
    /// that nothing else uses.
    Google {
        /// As `http://127.0.0.1:8080`.
        emulator: String,
        /// The project of the state.
        project: String,
    },
}

impl Pair {
    fn sections(&self, sandbox: &Sandbox) -> String {
        match self {
            Self::Embedded => "[warehouse]\nkind = \"embedded\"\npath = \"warehouse.sqlite\"\n\n[state]\n\
                               kind = \"sqlite\"\npath = \"state.sqlite\"\n"
                .to_owned(),
            Self::Google { project, .. } => format!(
                "[warehouse]\nkind = \"bigquery\"\nproject = \"{PROJECT}\"\nmax_bytes_billed_per_run = \"100 TiB\"\n\n\
                 [state]\nkind = \"firestore\"\nproject = \"{project}\"\n\n[gcp]\ncredentials = \"{}\"\n",
                key_file(&sandbox.credentials.play_service_account_path)
            ),
        }
    }

    fn endpoints(&self, sandbox: &Sandbox) -> String {
        match self {
            Self::Embedded => String::new(),
            Self::Google { emulator, .. } => {
                format!("bigquery = \"{}\"\nfirestore = \"{emulator}\"\n", sandbox.endpoints.bigquery)
            }
        }
    }
}

/// A key of the sandbox, as the configuration names it.
fn key_file(path: &Path) -> String {
    format!("file:keys/{}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// One look at one app.
pub struct Look {
    /// When.
    pub at: Timestamp,
    /// Which app.
    pub app: App,
    /// What the run answered.
    pub report: AppReport,
}

/// A week that is being walked through.
pub struct Week {
    /// The stores and Slack.
    pub sandbox: Sandbox,
    /// The program's world.
    pub world: World,
    /// The zone of the schedule.
    pub zone: TimeZone,
    monday: Date,
    pair: Pair,
    config: PathBuf,
    warehouse: Embedded,
    clock: WeekClock,
    sources: Vec<(App, EventSource)>,
    approved_at: Timestamp,
    through: Timestamp,
    approved: Approved,
}

#[derive(PartialEq, Eq)]
enum Approved {
    Yes,
    NotYet,
}

impl Week {
    /// Sets the week up in an empty folder: keys, sandbox, configuration, an empty warehouse.
    ///
    /// # Errors
    /// Where the folder can't be written or no port can be had.
    pub async fn set_up(folder: &Path, setting: &Setting) -> Result<Self, Ended> {
        let seed = setting.seed;
        let zone = TimeZone::get(ZONE).map_err(Ended::failed)?;
        let instant = |hour| {
            setting
                .monday
                .at(hour, 0, 0, 0)
                .to_zoned(zone.clone())
                .map(|at| at.timestamp())
                .map_err(Ended::failed)
        };
        let (start, approved_at) = (instant(0)?, instant(APPROVED_AT_HOUR)?);
        let warehouse = Embedded::create(&folder.join("warehouse.sqlite")).map_err(Ended::failed)?;
        let options = SandboxOptions {
            ports: Ports::default(),
            seed: Seed { bigquery: datasets(folder), ..stores(start) },
            credentials_dir: folder.join("keys"),
        };
        let sandbox = Sandbox::start(options).await.map_err(Ended::failed)?;
        sandbox.model().set_now(Some(start));
        let config = folder.join("tidegate.toml");
        let write = |path: &Path, text: String| std::fs::write(path, text).map_err(Ended::failed);
        write(&folder.join("keys/slack-token"), sandbox.credentials.slack_token.clone())?;
        write(&config, configuration(&sandbox, &setting.pair) + &setting.more)?;
        let world = world(&config).await?;
        let sources = App::ALL
            .into_iter()
            .map(|app| (app, EventSource::new(app.scenario, app.platform, seed, approved_at, zone.clone())))
            .collect();
        let clock = WeekClock(Arc::new(Mutex::new(start)));
        let through = start;
        Ok(Self {
            sandbox,
            world,
            zone,
            monday: setting.monday,
            pair: setting.pair.clone(),
            config,
            warehouse,
            clock,
            sources,
            approved_at,
            through,
            approved: Approved::NotYet,
        })
    }

    /// Every instant at which the monitor looks.
    #[must_use]
    pub fn looks(&self) -> Vec<Timestamp> {
        schedule::looks(self.monday, &self.zone)
    }

    /// Every firing of the three jobs.
    #[must_use]
    pub fn firings(&self) -> Vec<(Timestamp, JobId)> {
        schedule::firings(self.monday, &self.zone)
    }

    /// Lets time pass up to `now`, then runs the monitor for every app.
    ///
    /// # Errors
    /// Where a run could not use its state; what fails for one app is in its report.
    pub async fn look(&mut self, now: Timestamp) -> Result<Vec<Look>, Ended> {
        self.fire(JobId::ReleaseMonitor, now).await
    }

    /// Lets time pass up to `now`, then runs a job for every app.
    ///
    /// # Errors
    /// As for [`Week::look`].
    pub async fn fire(&mut self, job: JobId, now: Timestamp) -> Result<Vec<Look>, Ended> {
        self.pass(now).await?;
        if let Pair::Google { .. } = self.pair {
            // What is known of tables holds for one run.
            self.world = world(&self.config).await?;
        }
        let brakes = Brakes::new(self.clock.moment(), LONGEST);
        let monitor = ReleaseMonitor {
            state: self.world.state.as_ref(),
            clock: &self.clock,
            holder: crate::commands::run::holder(),
            brakes: &brakes,
            asks: android_rollout::asks(job),
            held: Mutex::default(),
        };
        let mut looks = Vec::new();
        for (app, world) in App::ALL.into_iter().zip(&self.world.apps) {
            let reports = match job {
                JobId::ReleaseMonitor => Box::pin(monitor.run(world)).await,
                JobId::StatusReporter => Box::pin(status_reporter::run(&monitor, world)).await,
                JobId::AndroidRollout => Box::pin(android_rollout::run(&monitor, world)).await,
                JobId::Outbox => monitor.outbox(world).await,
            };
            let reports = reports.map_err(Ended::failed)?;
            looks.extend(reports.into_iter().map(|report| Look { at: now, app, report }));
        }
        Ok(looks)
    }

    async fn pass(&mut self, now: Timestamp) -> Result<(), Ended> {
        if now >= self.approved_at && self.approved == Approved::NotYet {
            self.arrive(self.approved_at).await?;
            self.sandbox.model().set_now(Some(self.approved_at));
            self.approve()?;
            self.approved = Approved::Yes;
        }
        self.arrive(now).await?;
        self.sandbox.model().set_now(Some(now));
        self.clock.set(now);
        Ok(())
    }

    /// The rows that arrive up to `now`, given what the stores offer.
    async fn arrive(&mut self, now: Timestamp) -> Result<(), Ended> {
        let mut tables: BTreeMap<String, Vec<serde_json::Map<String, serde_json::Value>>> = BTreeMap::new();
        for (index, (app, source)) in self.sources.iter_mut().enumerate() {
            let exposure = exposure(&self.world, index, *app).await?;
            for row in source.advance(self.through, now, exposure) {
                if let serde_json::Value::Object(values) = row.values {
                    tables.entry(row.table).or_default().push(values);
                }
            }
        }
        for (name, rows) in &tables {
            let table = Table::new(name).map_err(Ended::failed)?;
            let export =
                Export::of_table(name).ok_or_else(|| Ended::failed(format!("{name} is no export")))?;
            self.warehouse.insert(&table, export, rows).map_err(Ended::failed)?;
        }
        self.through = now;
        Ok(())
    }

    /// Monday, eight o'clock: the new version goes out in both stores.
    fn approve(&self) -> Result<(), Ended> {
        let model = self.sandbox.model();
        for app in App::ALL {
            match app.platform {
                Platform::Android => model
                    .console_change(
                        &app.package(),
                        "production",
                        vec![
                            old_on_play(),
                            json!({
                                "name": NEW_VERSION, "versionCodes": [NEW_BUILD], "status": "inProgress",
                                "userFraction": FIRST_STEP,
                            }),
                        ],
                    )
                    .map_err(Ended::failed)?,
                Platform::Ios => {
                    let version =
                        live_version(NEW_VERSION, NEW_BUILD, self.approved_at, PhasedReleaseState::Active);
                    model.add_asc_version(&app.package(), version).map(drop).map_err(Ended::failed)?;
                }
            }
        }
        Ok(())
    }
}

async fn world(config: &Path) -> Result<World, Ended> {
    load(Some(config))?.world(&[], Acting::Live, clock::steady() + LONGEST).await
}

/// What the store offers, as the monitor saw it last.
async fn exposure(world: &World, index: usize, app: App) -> Result<Exposure, Ended> {
    let Some(of_app) = world.apps.get(index) else {
        return Err(Ended::failed(format!("no app {}", app.id())));
    };
    let known = world.state.memory().app(&of_app.id).await.map_err(Ended::failed)?;
    let release = known.releases.into_iter().find(|state| state.version.as_str() == NEW_VERSION);
    let first = match app.platform {
        Platform::Android => FIRST_STEP,
        Platform::Ios => 0.01,
    };
    Ok(match release {
        Some(state) => Exposure {
            fraction: state.last_fraction.map_or(first, |fraction| fraction.get()),
            status: state.last_seen,
        },
        None => Exposure { fraction: first, status: RolloutStatus::RollingOut },
    })
}

fn old_on_play() -> serde_json::Value {
    json!({"name": OLD_VERSION, "versionCodes": [OLD_BUILD], "status": "completed"})
}

fn stores(start: Timestamp) -> Seed {
    let apps = |platform| App::ALL.into_iter().filter(move |app| app.platform == platform);
    let play = apps(Platform::Android)
        .map(|app| PlayAppSeed::new(&app.package()).with_track("production", vec![old_on_play()]))
        .collect();
    let long_ago = start.checked_sub(jiff::SignedDuration::from_hours(24 * 14)).unwrap_or(start);
    let asc = apps(Platform::Ios)
        .map(|app| AscAppSeed {
            bundle_id: app.package(),
            name: None,
            versions: vec![live_version(OLD_VERSION, OLD_BUILD, long_ago, PhasedReleaseState::Complete)],
        })
        .collect();
    Seed { play, asc, slack_channels: vec![ChannelSeed::new(CHANNEL, "releases")], ..Seed::default() }
}

/// The datasets of the exports, in BigQuery's shape, over the file that the events arrive in.
fn datasets(folder: &Path) -> Vec<DatasetSeed> {
    let file = folder.join("warehouse.sqlite");
    let of = |name| DatasetSeed::new(PROJECT, name, &file).located("EU");
    ["firebase_crashlytics", "firebase_sessions"].map(of).into()
}

fn live_version(version: &str, build: &str, start: Timestamp, state: PhasedReleaseState) -> AscVersionSeed {
    AscVersionSeed {
        build: Some(build.to_owned()),
        created_date: Some(start),
        phased_release: Some(PhasedReleaseSeed { state, start_date: Some(start), paused_days: 0 }),
        ..AscVersionSeed::new(version, AppVersionState::ReadyForDistribution)
    }
}

/// The configuration of the demo, as a team would write it.
fn configuration(sandbox: &Sandbox, pair: &Pair) -> String {
    let (endpoints, credentials) = (&sandbox.endpoints, &sandbox.credentials);
    let (file, sections, more_endpoints) = (key_file, pair.sections(sandbox), pair.endpoints(sandbox));
    let mut text = format!(
        r#"# The demo: six apps, one good, one bad and one doubtful release on each platform.
{sections}
[schedule]
time_zone = "{ZONE}"

[slack]
channel = "{CHANNEL}"
token = "file:keys/slack-token"

[google_play]
credentials = "{play}"

[app_store_connect]
key_id = "{key_id}"
issuer_id = "{issuer}"
private_key = "{private_key}"

[endpoints]
google_play = "{}"
app_store_connect = "{}"
slack = "{}"
{more_endpoints}"#,
        endpoints.google_play,
        endpoints.app_store_connect,
        endpoints.slack,
        play = file(&credentials.play_service_account_path),
        key_id = credentials.asc_key_id,
        issuer = credentials.asc_issuer_id,
        private_key = file(&credentials.asc_private_key_path),
    );
    for app in App::ALL {
        let name = match app.platform {
            Platform::Android => "package",
            Platform::Ios => "bundle_id",
        };
        let (id, platform, package) = (app.id(), app.platform.as_str(), app.package());
        text.push_str(&format!(
            "\n[[app]]\nid = \"{id}\"\nplatform = \"{platform}\"\n{name} = \"{package}\"\n"
        ));
    }
    text
}
