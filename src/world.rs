//! Builds the adapters that a configuration asks for. The only place that knows which port is served by what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use secrecy::SecretString;

use google_cloud_auth::credentials::Credentials;

use tokio::time::Instant;

use crate::adapters::app_store_connect::{self, AppStoreConnect, AppStoreKey, Signer};
use crate::adapters::bigquery::{self, BigQuery};
use crate::adapters::clock::SystemClock;
use crate::adapters::embedded::Embedded;
use crate::adapters::environment;
use crate::adapters::events::{Events, Together, Warehouse};
use crate::adapters::firestore::{Access, FirestoreState};
use crate::adapters::google::{GoogleToken, Identity, Scope};
use crate::adapters::google_play::{self, GooglePlay};
use crate::adapters::http::{self, Service};
use crate::adapters::secret_manager::{self, SecretManager};
use crate::adapters::slack::{self, Slack};
use crate::adapters::sqlite::SqliteState;
use crate::config::{self, App, Config, SecretRef, SessionSource, Target};
use crate::domain::ids::{ApplicationId, Platform};
use crate::exit::Ended;
use crate::jobs::AppWorld;
use crate::ports::{Notifier, PortError, RolloutTarget, StateStore};

/// Where a configuration is looked for, in this order.
const PLACES: [&str; 2] = ["tidegate.toml", ".github/tidegate.toml"];

/// A configuration and where it came from; relative paths in it start there.
pub struct Loaded {
    /// The checked configuration.
    pub config: Config,
    /// The file.
    pub file: PathBuf,
    /// The folder of the file.
    pub directory: PathBuf,
    identity: OnceLock<Identity>,
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
    Ok(Loaded { config, file: path, directory, identity: OnceLock::new() })
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
    pub state: Box<dyn StateStore>,
}

impl Loaded {
    /// A path of the configuration, as it is found from here.
    #[must_use]
    pub fn path(&self, relative: &Path) -> PathBuf {
        self.directory.join(relative)
    }

    /// The state store alone. Only a run that acts makes one where there is none.
    ///
    /// # Errors
    /// Where it can't be opened; a usage error where the configuration does not say enough.
    pub fn state(&self, acting: Acting) -> Result<Box<dyn StateStore>, Ended> {
        match &self.config.state {
            config::State::Sqlite { path } => {
                let path = self.path(path);
                let opened = match acting {
                    Acting::Live => SqliteState::open(&path),
                    Acting::DryRun => SqliteState::open_existing(&path),
                };
                Ok(Box::new(opened.map_err(Ended::failed)?))
            }
            config::State::Firestore { project, database } => {
                // Connecting makes nothing, so it is the same for both.
                Ok(Box::new(self.firestore(project.as_deref(), database)?))
            }
        }
    }

    /// A Firestore database of the configuration. Nothing is asked before the first call.
    ///
    /// # Errors
    /// A usage error where no project or no credentials are known; else where TLS can't be set up.
    pub(crate) fn firestore(&self, project: Option<&str>, database: &str) -> Result<FirestoreState, Ended> {
        let project = self.firestore_project(project).ok_or_else(|| Ended::usage(no_project()))?;
        let access = match &self.config.endpoints.firestore {
            Some(address) => Access::Emulator(address.clone()),
            None => Access::Google(self.firestore_credentials().map_err(Ended::usage)?),
        };
        FirestoreState::connect(&project, database, access).map_err(Ended::failed)
    }

    /// The project of the Firestore database: the one given, else that of `[gcp]`, else that of the environment.
    pub(crate) fn firestore_project(&self, given: Option<&str>) -> Option<String> {
        let known = given.or(self.config.gcp.project.as_deref()).map(str::to_owned);
        known.or_else(|| environment::variable(PROJECT_VARIABLE))
    }

    fn firestore_credentials(&self) -> Result<Credentials, PortError> {
        let client = http::client()?;
        Ok(self.identity(&client)?.access_token_credentials(Scope::Firestore)?.into())
    }

    /// Who the program is at Google: one for the whole run, made when it is first needed.
    ///
    /// # Errors
    /// Where neither the configuration nor the environment says who, or what it says can't be used.
    pub fn identity(&self, client: &reqwest::Client) -> Result<&Identity, PortError> {
        if let Some(identity) = self.identity.get() {
            return Ok(identity);
        }
        let (gcp, endpoints) = (&self.config.gcp, &self.config.endpoints);
        let variables = environment::google();
        let federated = gcp.workload_identity_provider.is_some() && variables.oidc_request_url.is_some();
        let identity = match &gcp.credentials {
            Some(reference) if !federated => {
                let key = environment::secret(reference, &self.directory)?;
                Identity::from_key(&key, &reference.to_string(), endpoints)?
            }
            _ => Identity::new(gcp, endpoints, &variables, client)?,
        };
        Ok(self.identity.get_or_init(|| identity))
    }

    /// Builds the world of a run for the named apps, or for all where none is named. Events are read `until` then.
    ///
    /// # Errors
    /// A usage error where an app is unknown or a secret is missing, before anything is asked of anybody but Secret
    /// Manager; else where a secret of it, the warehouse or the state can't be had.
    pub async fn world(&self, named: &[String], acting: Acting, until: Instant) -> Result<World, Ended> {
        let chosen = self.chosen(named)?;
        let client = http::client().map_err(Ended::failed)?;
        let parts = Parts::new(self, client, acting);
        let mut sides = Vec::new();
        for app in &chosen {
            sides.push(parts.sides(app).await?);
        }
        let mut places = Places::new(parts.warehouse(until)?);
        let shares = self.config.apps.len().max(1) as u64;
        let budget = self.budget_per_month().map(|bytes| bytes / shares);
        let apps =
            chosen.iter().zip(sides).map(|(app, sides)| app_world(app, sides, &mut places, budget)).collect();
        Ok(World { apps, state: self.state(acting)? })
    }

    fn budget_per_month(&self) -> Option<u64> {
        match &self.config.warehouse {
            config::Warehouse::Embedded { .. } => None,
            config::Warehouse::BigQuery { budget_per_month, .. } => *budget_per_month,
        }
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

/// Where the events of apps lie: those of one Analytics property share its tables, all others have tables of their own.
struct Places<W> {
    warehouse: W,
    shared: BTreeMap<String, Arc<Together<W>>>,
}

impl<W: Warehouse + Clone + 'static> Places<W> {
    fn new(warehouse: W) -> Self {
        Self { warehouse, shared: BTreeMap::new() }
    }

    fn of(&mut self, app: &App) -> Arc<Together<W>> {
        let alone = || Together::new(self.warehouse.clone());
        match &app.sources.sessions {
            SessionSource::Analytics { dataset, .. } => {
                self.shared.entry(dataset.clone()).or_insert_with(alone).clone()
            }
            SessionSource::FirebaseSessions => alone(),
        }
    }
}

/// Names the project of the Firestore database where the configuration does not.
const PROJECT_VARIABLE: &str = "GOOGLE_CLOUD_PROJECT";

fn no_project() -> PortError {
    PortError::new(
        format!(
            "no project for the Firestore state: neither [state] project nor [gcp] project is set, nor {PROJECT_VARIABLE}"
        ),
        "set [state] project to the project that has the database",
    )
}

/// The acting sides of an app: its store, and where people are told.
struct Sides {
    target: Box<dyn RolloutTarget>,
    notifier: Option<Box<dyn Notifier>>,
}

fn app_world(
    app: &App,
    sides: Sides,
    places: &mut Places<Arc<dyn Warehouse>>,
    budget_per_month: Option<u64>,
) -> AppWorld {
    let (platform, application) = identity(&app.target);
    let metrics = Events::new(places.of(app), platform, application.clone(), app.sources.clone());
    AppWorld {
        id: app.id.clone(),
        platform,
        policy: app.policy.clone(),
        read_sessions: app.watching.read_sessions,
        alarm_after_runs: app.watching.alarm_after_runs,
        budget_per_month,
        degraded_halt: true,
        metrics: Box::new(metrics),
        target: sides.target,
        notifier: sides.notifier,
    }
}

/// What the adapters of all apps are made of.
pub(crate) struct Parts<'l> {
    loaded: &'l Loaded,
    client: reqwest::Client,
    acting: Acting,
    /// Secrets of Secret Manager that were read, by their names: many apps share one.
    secrets: Mutex<BTreeMap<String, SecretString>>,
    /// Sources of Play's tokens by the references of their keys, so that apps share those too.
    keys: Mutex<BTreeMap<String, GoogleToken>>,
    /// Signers of App Store Connect's tokens by their keys, shared likewise.
    signers: Mutex<BTreeMap<String, Arc<Signer>>>,
}

impl<'l> Parts<'l> {
    /// The parts of a configuration. Nothing is asked of anybody.
    pub(crate) fn new(loaded: &'l Loaded, client: reqwest::Client, acting: Acting) -> Self {
        let (secrets, keys, signers) = Default::default();
        Self { loaded, client, acting, secrets, keys, signers }
    }

    async fn sides(&self, app: &App) -> Result<Sides, Ended> {
        Ok(Sides { target: self.target(app).await?, notifier: self.notifier(app).await? })
    }

    /// A service, or its stand-in on this machine.
    pub(crate) fn service(&self, name: &'static str, endpoint: Option<&String>, base_url: &str) -> Service {
        Service::new(name, endpoint.map_or(base_url, String::as_str), self.client.clone())
    }

    /// One for all apps: they share its connections, what it knows of tables, and the cap.
    fn warehouse(&self, until: Instant) -> Result<Arc<dyn Warehouse>, Ended> {
        match &self.loaded.config.warehouse {
            config::Warehouse::Embedded { path } => {
                let embedded = Embedded::open(&self.loaded.path(path));
                Ok(Arc::new(embedded.map_err(Ended::failed)?))
            }
            config::Warehouse::BigQuery { .. } => Ok(Arc::new(self.bigquery(until)?)),
        }
    }

    /// The exports in BigQuery.
    pub(crate) fn bigquery(&self, until: Instant) -> Result<BigQuery, Ended> {
        match &self.loaded.config.warehouse {
            config::Warehouse::Embedded { .. } => {
                Err(Ended::usage("the warehouse is not BigQuery\n  fix: set [warehouse] kind = \"bigquery\""))
            }
            config::Warehouse::BigQuery {
                project,
                billing_project,
                location,
                max_bytes_billed_per_run,
                budget_per_month: _,
            } => {
                let endpoint = self.loaded.config.endpoints.bigquery.as_ref();
                let service = self.service("BigQuery", endpoint, bigquery::BASE_URL);
                let identity = self.loaded.identity(&self.client).map_err(Ended::usage)?;
                let token = identity.token_source(Scope::BigQuery).map_err(Ended::usage)?;
                let settings = bigquery::Settings {
                    project: project.clone(),
                    billing_project: billing_project.clone(),
                    location: location.clone(),
                    max_bytes_billed: *max_bytes_billed_per_run,
                };
                BigQuery::new(service, Box::new(token), settings, until).map_err(Ended::failed)
            }
        }
    }

    /// The store of an app.
    pub(crate) async fn target(&self, app: &App) -> Result<Box<dyn RolloutTarget>, Ended> {
        let endpoints = &self.loaded.config.endpoints;
        match &app.target {
            Target::GooglePlay { package, track, credentials, in_review } => {
                let token = self.play_token(app, credentials.as_ref()).await?;
                let service =
                    self.service("Google Play", endpoints.google_play.as_ref(), google_play::BASE_URL);
                Ok(Box::new(GooglePlay::new(service, token, package.clone(), track.clone(), *in_review)))
            }
            Target::AppStore { bundle_id, key_id, issuer_id, private_key } => {
                let base_url = app_store_connect::BASE_URL;
                let service =
                    self.service("App Store Connect", endpoints.app_store_connect.as_ref(), base_url);
                let signer = self.signer(app, key_id, issuer_id.as_ref(), private_key).await?;
                Ok(Box::new(AppStoreConnect::new(service, signer, bundle_id.clone())))
            }
        }
    }

    /// One for each key, which signs for all of its apps.
    async fn signer(
        &self,
        app: &App,
        key_id: &str,
        issuer_id: Option<&String>,
        private_key: &SecretRef,
    ) -> Result<Arc<Signer>, Ended> {
        let name = format!("{key_id} {issuer_id:?} {private_key}");
        let kept = self.signers.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(signer) = kept {
            return Ok(signer);
        }
        let private_key = self.secret(app, private_key).await?;
        let key = AppStoreKey { key_id: key_id.to_owned(), issuer_id: issuer_id.cloned(), private_key };
        let signer = Signer::new(key, Box::new(SystemClock)).map_err(|error| of_app(app, &error))?;
        let signer = Arc::new(signer);
        self.signers.lock().unwrap_or_else(PoisonError::into_inner).insert(name, signer.clone());
        Ok(signer)
    }

    /// A key of its own goes before the identity of the program.
    async fn play_token(&self, app: &App, key: Option<&SecretRef>) -> Result<GoogleToken, Ended> {
        let Some(reference) = key else {
            let identity = self.loaded.identity(&self.client);
            let token = identity.and_then(|identity| identity.token_source(Scope::Play));
            return token.map_err(|error| of_app(app, &error));
        };
        let name = reference.to_string();
        let kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(token) = kept {
            return Ok(token);
        }
        let key = self.secret(app, reference).await?;
        let identity = Identity::from_key(&key, &name, &self.loaded.config.endpoints);
        let token = identity.and_then(|identity| identity.token_source(Scope::Play));
        let token = token.map_err(|error| of_app(app, &error))?;
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(name, token.clone());
        Ok(token)
    }

    /// What is not here is a usage error; what Secret Manager does not give is a failure, which may pass.
    pub(crate) async fn secret(&self, app: &App, reference: &SecretRef) -> Result<SecretString, Ended> {
        let SecretRef::SecretManager(resource) = reference else {
            let secret = environment::secret(reference, &self.loaded.directory);
            return secret.map_err(|error| of_app(app, &error));
        };
        let kept = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).get(resource).cloned();
        if let Some(secret) = kept {
            return Ok(secret);
        }
        let manager = self.secret_manager().map_err(|error| of_app(app, &error))?;
        let secret = manager.read(resource).await;
        let secret = secret.map_err(|error| Ended::failed(format!("app {}: {error}", app.id)))?;
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.insert(resource.clone(), secret.clone());
        Ok(secret)
    }

    fn secret_manager(&self) -> Result<SecretManager, PortError> {
        let config = &self.loaded.config;
        let endpoint = config.endpoints.secret_manager.as_ref();
        let service = self.service("Secret Manager", endpoint, secret_manager::BASE_URL);
        let token = self.loaded.identity(&self.client)?.token_source(Scope::SecretManager)?;
        Ok(SecretManager::new(service, token, config.gcp.service_account.as_deref()))
    }

    /// Acting without telling anybody is not allowed, so only a dry run may lack Slack.
    async fn notifier(&self, app: &App) -> Result<Option<Box<dyn Notifier>>, Ended> {
        if self.acting == Acting::DryRun {
            return Ok(None);
        }
        let Some(slack) = &app.slack else {
            return Err(Ended::usage(format!(
                "app {}: nobody would be told: [slack] is missing\n  fix: set [slack] channel and token, or use --dry-run",
                app.id
            )));
        };
        Ok(Some(Box::new(self.slack(app, slack).await?)))
    }

    /// The channel of an app.
    pub(crate) async fn slack(&self, app: &App, slack: &config::Slack) -> Result<Slack, Ended> {
        let token = self.secret(app, &slack.token).await?;
        let endpoint = self.loaded.config.endpoints.slack.as_ref();
        let service = self.service("Slack", endpoint, slack::BASE_URL);
        Ok(Slack::new(service, token, slack.channel.clone()))
    }
}

/// Something about an app's settings that only a person can put right.
fn of_app(app: &App, error: &PortError) -> Ended {
    Ended::usage(format!("app {}: {error}", app.id))
}
