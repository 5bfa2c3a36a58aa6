//! Builds the adapters that a configuration asks for. The only place that knows which port is served by what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use secrecy::SecretString;

use google_cloud_auth::credentials::Credentials;

use tokio::time::Instant;

use crate::adapters::app_store_connect::{self, AppStoreConnect, AppStoreKey};
use crate::adapters::bigquery::{self, BigQuery};
use crate::adapters::clock::{ServerClock, SystemClock};
use crate::adapters::embedded::Embedded;
use crate::adapters::environment;
use crate::adapters::events::{Events, Together, Warehouse};
use crate::adapters::firestore::{Access, FirestoreState};
use crate::adapters::github::{self, Deployments, Dispatches, GitHub, Issues, RepositoryName, Start};
use crate::adapters::google::{GoogleToken, Identity, Scope};
use crate::adapters::google_play::{self, GooglePlay, Recoveries};
use crate::adapters::http::{self, Service};
use crate::adapters::secret_manager::{self, SecretManager};
use crate::adapters::slack::{self, Slack, Webhook};
use crate::adapters::sqlite::SqliteState;
use crate::adapters::watched::Watched;
use crate::config::{self, App, AppRecovery, Config, GitHubDispatch, SecretRef, SessionSource, Target, Way};
use crate::domain::control::Switch;
use crate::domain::ids::{ApplicationId, Platform};
use crate::domain::links::Links;
use crate::domain::message::Link;
use crate::domain::outbox::Sink;
use crate::exit::Ended;
use crate::jobs::{AppReport, AppWorld};
use crate::ports::{Notifier, PortError, RolloutTarget, StateStore};
use crate::report::daily::picture;

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
    /// What time the services say it is; their answers tell it.
    pub clock: ServerClock,
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
    Ok(Loaded { config, file: path, directory, clock: ServerClock::default(), identity: OnceLock::new() })
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
    /// The apps that are left out, each with the report that says why: those that are off, and those that could not be
    /// set up.
    pub left_out: Vec<AppReport>,
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
        let state = FirestoreState::connect(&project, database, access).map_err(Ended::failed)?;
        Ok(state.with_clock(&self.clock))
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
        let parts = Parts::new(self, client, acting, until);
        let mode = mode()?;
        let (mut built, mut left_out, mut first) = (Vec::new(), Vec::new(), None);
        for app in chosen {
            if mode.max(app.mode) == Switch::Off {
                left_out.push(AppReport::switched_off(app.id.clone(), app.platform()));
                continue;
            }
            match parts.sides(app).await {
                Ok(sides) => built.push((app, sides)),
                // One app's missing secret leaves the others alone.
                Err(ended) => {
                    let problem = ended.message.clone();
                    left_out.push(AppReport::not_set_up(app.id.clone(), app.platform(), problem));
                    first.get_or_insert(ended);
                }
            }
        }
        if let Some(ended) = first.filter(|_| built.is_empty()) {
            return Err(ended);
        }
        let mut places = Places::new(parts.warehouse(until)?);
        let budget = self.budget_of_an_app();
        let degraded_halt = self.config.degraded_halt == config::DegradedHalt::Made;
        let apps = built.into_iter().map(|(app, sides)| AppWorld {
            switch: mode.max(app.mode),
            degraded_halt,
            ..app_world(app, sides, &mut places, budget, self.links(app))
        });
        Ok(World { apps: apps.collect(), left_out, state: self.state(acting)? })
    }

    /// The pages of an app, as far as their addresses are known.
    fn links(&self, app: &App) -> Links {
        Links {
            runbook: app.slack.as_ref().and_then(|slack| slack.runbook.clone()),
            crashes: self.crashlytics(app),
            run: environment::run_page(),
        }
    }

    /// The issues of an app in the Firebase console, where its project is known: it is that of the exports.
    fn crashlytics(&self, app: &App) -> Option<String> {
        let config::Warehouse::BigQuery { project, .. } = &self.config.warehouse else { return None };
        let (platform, application) = identity(&app.target);
        let platform = match platform {
            Platform::Android => "android",
            Platform::Ios => "ios",
        };
        // A project of a domain is none of Firebase's.
        (!project.contains(':')).then(|| {
            format!("https://console.firebase.google.com/project/{project}/crashlytics/app/{platform}:{application}/issues")
        })
    }

    /// The pages of an app that a report names.
    #[must_use]
    pub fn pages_of(&self, app: &App) -> Vec<Link> {
        let links = self.links(app);
        let named = [("Crashes", links.crashes), ("Runbook", links.runbook), ("This run", links.run)];
        let page =
            |(label, url): (&str, Option<String>)| url.map(|url| Link { label: label.to_owned(), url });
        named.into_iter().filter_map(page).collect()
    }

    /// The bytes that may be billed for an app in a month: its share of what may be billed for all.
    #[must_use]
    pub fn budget_of_an_app(&self) -> Option<u64> {
        let shares = self.config.apps.len().max(1) as u64;
        self.budget_per_month().map(|bytes| bytes / shares)
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

/// Says what the program may do at most. A repository variable, so that it can be set without a commit and read without a
/// state store.
pub const MODE_VARIABLE: &str = "TIDEGATE_MODE";

/// What the environment lets the program do.
///
/// # Errors
/// A usage error that lists the known modes.
pub fn mode() -> Result<Switch, Ended> {
    let given = environment::variable(MODE_VARIABLE).unwrap_or_else(|| Switch::default().to_string());
    given.parse().map_err(|error| {
        Ended::usage(format!("{MODE_VARIABLE}: {error}\n  fix: correct the variable, or unset it for auto"))
    })
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
    notifiers: BTreeMap<Sink, Box<dyn Notifier>>,
}

fn app_world(
    app: &App,
    sides: Sides,
    places: &mut Places<Arc<dyn Warehouse>>,
    budget_per_month: Option<u64>,
    links: Links,
) -> AppWorld {
    let (platform, application) = identity(&app.target);
    let metrics = Events::new(places.of(app), platform, application.clone(), app.sources.clone());
    AppWorld {
        id: app.id.clone(),
        platform,
        policy: app.policy.clone(),
        configuration: app.fingerprint(),
        read_sessions: app.watching.read_sessions,
        alarm_after_runs: app.watching.alarm_after_runs,
        monitor_silence: app.monitor_silence,
        budget_per_month,
        switch: app.mode,
        degraded_halt: true,
        metrics: Box::new(metrics),
        target: Box::new(Watched(sides.target)),
        notifiers: sides.notifiers,
        links,
        report_at: app.report_at,
        picture: Some(|page| picture::image(page).map_err(|error| error.to_string())),
    }
}

/// What the adapters of all apps are made of.
pub(crate) struct Parts<'l> {
    loaded: &'l Loaded,
    client: reqwest::Client,
    acting: Acting,
    /// Nobody is waited for beyond this: what came of a run has to be written down.
    until: Instant,
    /// Secrets of Secret Manager that were read, by their names: many apps share one.
    secrets: Mutex<BTreeMap<String, SecretString>>,
    /// Sources of Play's tokens by the references of their keys, so that apps share those too.
    keys: Mutex<BTreeMap<String, GoogleToken>>,
    /// Connections to GitHub by the references of their tokens.
    githubs: Mutex<BTreeMap<String, GitHub>>,
    /// Clients of App Store Connect by their keys: the apps of a key take turns.
    app_store: Mutex<BTreeMap<String, Arc<app_store_connect::Client>>>,
}

impl<'l> Parts<'l> {
    /// The parts of a configuration, which wait for nothing beyond `until`. Nothing is asked of anybody.
    pub(crate) fn new(loaded: &'l Loaded, client: reqwest::Client, acting: Acting, until: Instant) -> Self {
        Self {
            loaded,
            client,
            acting,
            until,
            secrets: Mutex::default(),
            keys: Mutex::default(),
            githubs: Mutex::default(),
            app_store: Mutex::default(),
        }
    }

    async fn sides(&self, app: &App) -> Result<Sides, Ended> {
        Ok(Sides { target: self.target(app).await?, notifiers: self.notifiers(app).await? })
    }

    /// A service, or its stand-in on this machine.
    pub(crate) fn service(&self, name: &'static str, endpoint: Option<&String>, base_url: &str) -> Service {
        let base = endpoint.map_or(base_url, String::as_str);
        Service::new(name, base, self.client.clone()).with_clock(&self.loaded.clock)
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
        match &app.target {
            Target::GooglePlay { package, track, credentials, in_review, app_recovery: _ } => {
                let token = self.play_token(app, credentials.as_ref()).await?;
                let service = self.google_play_service();
                Ok(Box::new(GooglePlay::new(service, token, package.clone(), track.clone(), *in_review)))
            }
            Target::AppStore { bundle_id, key_id, issuer_id, private_key } => {
                let client = self.app_store_client(app, key_id, issuer_id.as_deref(), private_key);
                let client = Box::pin(client).await?;
                Ok(Box::new(AppStoreConnect::new(client, bundle_id.clone())))
            }
        }
    }

    fn google_play_service(&self) -> Service {
        let endpoint = self.loaded.config.endpoints.google_play.as_ref();
        self.service("Google Play", endpoint, google_play::BASE_URL)
    }

    /// What is done for devices that have a halted version, where the configuration wants anything done.
    async fn recoveries(&self, app: &App) -> Result<Option<Box<dyn Notifier>>, Ended> {
        let Target::GooglePlay { package, credentials, app_recovery, .. } = &app.target else {
            return Ok(None);
        };
        if *app_recovery == AppRecovery::Off {
            return Ok(None);
        }
        let token = self.play_token(app, credentials.as_ref()).await?;
        let service = self.google_play_service();
        Ok(Some(Box::new(Recoveries::new(service, token, package.clone(), *app_recovery))))
    }

    /// The client of a key, one for all apps that use it.
    async fn app_store_client(
        &self,
        app: &App,
        key_id: &str,
        issuer_id: Option<&str>,
        private_key: &SecretRef,
    ) -> Result<Arc<app_store_connect::Client>, Ended> {
        let name = format!("{key_id} {} {private_key}", issuer_id.unwrap_or_default());
        let kept = self.app_store.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(client) = kept {
            return Ok(client);
        }
        let endpoint = self.loaded.config.endpoints.app_store_connect.as_ref();
        let service = self.service("App Store Connect", endpoint, app_store_connect::BASE_URL);
        let key = AppStoreKey {
            key_id: key_id.to_owned(),
            issuer_id: issuer_id.map(str::to_owned),
            private_key: self.secret(app, private_key).await?,
        };
        let client = app_store_connect::Client::new(service, key, Box::new(SystemClock), Some(self.until));
        let client = client.map_err(|error| of_app(app, &error))?;
        self.app_store.lock().unwrap_or_else(PoisonError::into_inner).insert(name, client.clone());
        Ok(client)
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
    async fn notifiers(&self, app: &App) -> Result<BTreeMap<Sink, Box<dyn Notifier>>, Ended> {
        if self.acting == Acting::DryRun {
            return Ok(BTreeMap::new());
        }
        let Some(slack) = &app.slack else {
            return Err(Ended::usage(format!(
                "app {}: nobody would be told: [slack] is missing\n  fix: set [slack] channel and token, or use --dry-run",
                app.id
            )));
        };
        let channel: Box<dyn Notifier> = match &slack.way {
            Way::Bot { .. } => Box::new(self.slack(app, slack).await?),
            Way::Webhook { webhook } => Box::new(self.webhook(app, webhook).await?),
        };
        let mut notifiers = BTreeMap::from([(Sink::Slack, channel)]);
        if let Some(github) = &app.github {
            self.tell_github(app, github, &mut notifiers).await?;
        }
        notifiers.extend(self.recoveries(app).await?.map(|recoveries| (Sink::AppRecovery, recoveries)));
        Ok(notifiers)
    }

    /// What GitHub is told of an app, each thing by itself.
    async fn tell_github(
        &self,
        app: &App,
        settings: &config::GitHub,
        notifiers: &mut BTreeMap<Sink, Box<dyn Notifier>>,
    ) -> Result<(), Ended> {
        let workflow = environment::workflow();
        let github = self.github(app, settings).await?;
        if let Some(issue) = &settings.issue {
            let issues = Issues::new(github.clone(), issue.labels.clone(), issue.assignees.clone());
            notifiers.insert(Sink::GithubIssue, Box::new(issues));
        }
        if let Some(environment) = &settings.deployment_environment {
            // The commit of a workflow is one of its own repository.
            let own = settings.repository.is_none() || settings.repository == workflow.repository;
            let commit = workflow.commit.filter(|_| own);
            let reference = settings.reference.clone().or(commit);
            let deployments =
                Deployments::new(github.clone(), environment.clone(), reference, workflow.run_url);
            notifiers.insert(Sink::GithubDeployment, Box::new(deployments));
        }
        if let Some(dispatch) = &settings.dispatch {
            let start = start(dispatch, settings.reference.as_ref());
            notifiers.insert(Sink::GithubDispatch, Box::new(Dispatches::new(github, start)));
        }
        Ok(())
    }

    /// The repository of an app. Apps that share the token share the connections.
    pub(crate) async fn github(&self, app: &App, settings: &config::GitHub) -> Result<GitHub, Ended> {
        let workflow = environment::workflow();
        let repository = settings.repository.as_ref().or(workflow.repository.as_ref());
        let repository = repository.and_then(|name| RepositoryName::parse(name)).ok_or_else(|| {
            let what =
                "no repository for [github]: neither [github] repository nor GITHUB_REPOSITORY names one";
            of_app(app, &PortError::new(what, "set [github] repository to \"owner/name\""))
        })?;
        let name = settings.token.to_string();
        let kept = self.githubs.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(github) = kept {
            return Ok(github.of(repository));
        }
        let token = self.secret(app, &settings.token).await?;
        let address = self.github_address(&workflow).map_err(|error| of_app(app, &error))?;
        let github = GitHub::connect(&address, &token, repository).map_err(|error| of_app(app, &error))?;
        self.githubs.lock().unwrap_or_else(PoisonError::into_inner).insert(name, github.clone());
        Ok(github)
    }

    fn github_address(&self, workflow: &environment::WorkflowVariables) -> Result<String, PortError> {
        if let Some(endpoint) = &self.loaded.config.endpoints.github {
            return Ok(endpoint.clone());
        }
        let address = workflow.api_url.as_deref().unwrap_or(github::BASE_URL).trim_end_matches('/');
        if github::is_api_address(address) {
            return Ok(address.to_owned());
        }
        Err(PortError::new(
            format!("GITHUB_API_URL is {address:?}, where no token may be sent"),
            "set it to the https:// address of the API, or unset it",
        ))
    }

    /// The channel of an app that is told by a bot.
    pub(crate) async fn slack(&self, app: &App, slack: &config::Slack) -> Result<Slack, Ended> {
        let Way::Bot { channel, token, fallback_channel } = &slack.way else {
            return Err(Ended::usage(format!("app {}: Slack is reached by a webhook, not by a bot", app.id)));
        };
        let token = self.secret(app, token).await?;
        let endpoint = self.loaded.config.endpoints.slack.as_ref();
        let of = |channel: &String| {
            let service = self.service("Slack", endpoint, slack::BASE_URL);
            Slack::new(service, token.clone(), channel.clone(), self.until)
        };
        Ok(match fallback_channel {
            Some(other) => of(channel).with_fallback(of(other)),
            None => of(channel),
        })
    }

    /// The channel of an app that is told by a webhook.
    pub(crate) async fn webhook(&self, app: &App, webhook: &SecretRef) -> Result<Webhook, Ended> {
        let address = self.secret(app, webhook).await?;
        // The address is whole, so the service has no base.
        let service = self.service("Slack", None, "");
        Webhook::new(service, address, self.until).map_err(|error| of_app(app, &error))
    }
}

/// What a dispatch of the configuration starts.
fn start(dispatch: &GitHubDispatch, reference: Option<&String>) -> Start {
    match dispatch {
        GitHubDispatch::Event { event_type } => Start::Event { event_type: event_type.clone() },
        GitHubDispatch::Workflow { file, inputs } => {
            let (file, reference, inputs) = (file.clone(), reference.cloned(), inputs.clone());
            Start::Workflow { file, reference, inputs }
        }
    }
}

/// Something about an app's settings that only a person can put right.
fn of_app(app: &App, error: &PortError) -> Ended {
    Ended::usage(format!("app {}: {error}", app.id))
}
