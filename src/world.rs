//! Builds the adapters that a configuration asks for. The only place that knows which port is served by what.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;

use crate::adapters::app_store_connect::{self, AppStoreConnect, AppStoreKey};
use crate::adapters::bigquery::{self, BigQuery};
use crate::adapters::clock::SystemClock;
use crate::adapters::embedded::Embedded;
use crate::adapters::environment;
use crate::adapters::events::{Events, Warehouse};
use crate::adapters::google_play::{self, GooglePlay};
use crate::adapters::google_token::GoogleToken;
use crate::adapters::http::{self, Service};
use crate::adapters::slack::{self, Slack};
use crate::adapters::sqlite::SqliteState;
use crate::config::{self, App, Config, Target};
use crate::domain::ids::{ApplicationId, Platform};
use crate::exit::Ended;
use crate::jobs::AppWorld;
use crate::ports::{Notifier, PortError, RolloutTarget};

/// Where a configuration is looked for, in this order.
const PLACES: [&str; 2] = ["tidegate.toml", ".github/tidegate.toml"];

/// A configuration and where it came from; relative paths in it start there.
pub struct Loaded {
    /// The checked configuration.
    pub config: Config,
    /// The folder of the file.
    pub directory: PathBuf,
}

/// Reads and checks the configuration.
///
/// # Errors
/// Where there is none, or something in it is wrong.
pub fn load(given: Option<&Path>) -> Result<Loaded, Ended> {
    let path = match given {
        Some(path) => path.to_owned(),
        None => found().ok_or_else(|| {
            Ended::usage(format!(
                "no configuration: neither {} is here\n  fix: write one (tidegate.example.toml shows every setting), \
                 or name it with --config",
                PLACES.join(" nor ")
            ))
        })?,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Ended::usage(format!(
            "can't read the configuration {}: {error}\n  fix: check --config",
            path.display()
        ))
    })?;
    let config = config::parse(&text, &path.display().to_string()).map_err(Ended::usage)?;
    let directory = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok(Loaded { config, directory })
}

fn found() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|path| path.exists())
}

/// Whether the run may act and tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acting {
    /// It may.
    Live,
    /// It observes and judges only.
    DryRun,
}

/// The apps of a configuration with their adapters, and the state they share.
pub struct World {
    /// The apps, in the order of the configuration.
    pub apps: Vec<AppWorld>,
    /// The state store.
    pub state: SqliteState,
}

impl Loaded {
    fn path(&self, relative: &Path) -> PathBuf {
        self.directory.join(relative)
    }

    /// The state store alone. Only a run that acts makes one where there is none.
    ///
    /// # Errors
    /// Where it can't be opened.
    pub fn state(&self, acting: Acting) -> Result<SqliteState, Ended> {
        let config::State::Sqlite { path } = &self.config.state;
        let path = self.path(path);
        let opened = match acting {
            Acting::Live => SqliteState::open(&path),
            Acting::DryRun => SqliteState::open_existing(&path),
        };
        opened.map_err(Ended::failed)
    }

    /// Builds the world of a run for the named apps, or for all where none is named. Events are read `until` then.
    ///
    /// # Errors
    /// A usage error where an app is unknown or a secret is missing, before anything is asked of anybody; else where
    /// the warehouse or the state can't be opened.
    pub fn world(&self, named: &[String], acting: Acting, until: Instant) -> Result<World, Ended> {
        let chosen = self.chosen(named)?;
        let client = http::client().map_err(Ended::failed)?;
        let parts = Parts { loaded: self, client, acting };
        let sides: Vec<Sides> = chosen.iter().map(|app| parts.sides(app)).collect::<Result<_, _>>()?;
        let warehouse = parts.warehouse(until).map_err(Ended::failed)?;
        let apps = chosen.iter().zip(sides).map(|(app, sides)| app_world(app, sides, &warehouse)).collect();
        Ok(World { apps, state: self.state(acting)? })
    }

    /// Whether any app is in a store that is not a stand-in on this machine.
    #[must_use]
    pub fn uses_a_real_store(&self) -> bool {
        let endpoints = &self.config.endpoints;
        self.config.apps.iter().any(|app| match app.target {
            Target::GooglePlay { .. } => endpoints.google_play.is_none(),
            Target::AppStore { .. } => endpoints.app_store_connect.is_none(),
        })
    }

    /// The apps that were named, or all where none was.
    ///
    /// # Errors
    /// A usage error where one is unknown.
    pub fn chosen(&self, named: &[String]) -> Result<Vec<&App>, Ended> {
        let apps = &self.config.apps;
        if let Some(unknown) = named.iter().find(|id| apps.iter().all(|app| app.id.as_str() != id.as_str())) {
            let known: Vec<&str> = apps.iter().map(|app| app.id.as_str()).collect();
            let known = known.join(", ");
            return Err(Ended::usage(format!(
                "unknown app {unknown:?}\n  fix: the configuration has {known}"
            )));
        }
        Ok(apps
            .iter()
            .filter(|app| named.is_empty() || named.iter().any(|id| id == app.id.as_str()))
            .collect())
    }
}

/// The platform of a target, and what the exports call the app.
#[must_use]
pub fn identity(target: &Target) -> (Platform, &ApplicationId) {
    match target {
        Target::GooglePlay { package, .. } => (Platform::Android, package),
        Target::AppStore { bundle_id, .. } => (Platform::Ios, bundle_id),
    }
}

/// The acting sides of an app: its store, and where people are told.
struct Sides {
    target: Box<dyn RolloutTarget>,
    notifier: Option<Box<dyn Notifier>>,
}

fn app_world(app: &App, sides: Sides, warehouse: &Arc<dyn Warehouse>) -> AppWorld {
    let (platform, application) = identity(&app.target);
    let metrics = Events::new(warehouse.clone(), platform, application.clone(), app.sources.clone());
    AppWorld {
        id: app.id.clone(),
        platform,
        policy: app.policy.clone(),
        metrics: Box::new(metrics),
        target: sides.target,
        notifier: sides.notifier,
    }
}

/// What the adapters of all apps are made of.
struct Parts<'l> {
    loaded: &'l Loaded,
    client: reqwest::Client,
    acting: Acting,
}

impl Parts<'_> {
    fn sides(&self, app: &App) -> Result<Sides, Ended> {
        let target =
            self.target(&app.target).map_err(|error| Ended::usage(format!("app {}: {error}", app.id)))?;
        Ok(Sides { target, notifier: self.notifier(app)? })
    }

    fn service(&self, name: &'static str, endpoint: Option<&String>, base_url: &str) -> Service {
        Service::new(name, endpoint.map_or(base_url, String::as_str), self.client.clone())
    }

    /// One for all apps: they share its connections, what it knows of tables, and the cap.
    fn warehouse(&self, until: Instant) -> Result<Arc<dyn Warehouse>, PortError> {
        match &self.loaded.config.warehouse {
            config::Warehouse::Embedded { path } => Ok(Arc::new(Embedded::open(&self.loaded.path(path))?)),
            config::Warehouse::BigQuery {
                project,
                billing_project,
                location,
                max_bytes_billed_per_run,
                budget_per_month: _,
            } => {
                let endpoint = self.loaded.config.endpoints.bigquery.as_ref();
                let service = self.service("BigQuery", endpoint, bigquery::BASE_URL);
                let token = GoogleToken::application_default(bigquery::SCOPE)?;
                let settings = bigquery::Settings {
                    project: project.clone(),
                    billing_project: billing_project.clone(),
                    location: location.clone(),
                    max_bytes_billed: *max_bytes_billed_per_run,
                };
                Ok(Arc::new(BigQuery::new(service, Box::new(token), settings, until)?))
            }
        }
    }

    fn target(&self, target: &Target) -> Result<Box<dyn RolloutTarget>, PortError> {
        let endpoints = &self.loaded.config.endpoints;
        match target {
            Target::GooglePlay { package, track, credentials, in_review } => {
                let token = match credentials {
                    Some(reference) => {
                        let key = environment::secret(reference, &self.loaded.directory)?;
                        GoogleToken::from_key(&key, &reference.to_string(), google_play::SCOPE)?
                    }
                    None => GoogleToken::application_default(google_play::SCOPE)?,
                };
                let service =
                    self.service("Google Play", endpoints.google_play.as_ref(), google_play::BASE_URL);
                Ok(Box::new(GooglePlay::new(service, token, package.clone(), track.clone(), *in_review)))
            }
            Target::AppStore { bundle_id, key_id, issuer_id, private_key } => {
                let base_url = app_store_connect::BASE_URL;
                let service =
                    self.service("App Store Connect", endpoints.app_store_connect.as_ref(), base_url);
                let key = AppStoreKey {
                    key_id: key_id.clone(),
                    issuer_id: issuer_id.clone(),
                    private_key: environment::secret(private_key, &self.loaded.directory)?,
                };
                Ok(Box::new(AppStoreConnect::new(service, key, bundle_id.clone(), Box::new(SystemClock))?))
            }
        }
    }

    /// Acting without telling anybody is not allowed, so only a dry run may lack Slack.
    fn notifier(&self, app: &App) -> Result<Option<Box<dyn Notifier>>, Ended> {
        if self.acting == Acting::DryRun {
            return Ok(None);
        }
        let Some(slack) = &app.slack else {
            return Err(Ended::usage(format!(
                "app {}: nobody would be told: [slack] is missing\n  fix: set [slack] channel and token, or use --dry-run",
                app.id
            )));
        };
        let of_app = |error: PortError| Ended::usage(format!("app {}: {error}", app.id));
        let token = environment::secret(&slack.token, &self.loaded.directory).map_err(of_app)?;
        let endpoint = self.loaded.config.endpoints.slack.as_ref();
        let service = self.service("Slack", endpoint, slack::BASE_URL);
        Ok(Some(Box::new(Slack::new(service, token, slack.channel.clone()))))
    }
}
