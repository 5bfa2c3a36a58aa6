//! Loopback servers that behave like the remote services: Google Play, App Store Connect, Slack, GitHub, BigQuery and
//! Google's identity services, with a control surface. They are stateful models, not canned replies: edits are invalidated by commits, phased releases refuse
//! repeated states, threads need a parent. They serve the demo, replays and tests, so they refuse whatever the real
//! service would refuse, give no field that the official descriptions lack, and never listen beyond 127.0.0.1.
//! Each service is a pure model and a thin routing table; one server and one fault script serve them all.

mod asc;
mod bigquery;
mod call;
mod control;
mod credentials;
mod faults;
mod github;
mod google;
mod log;
mod model;
mod play;
mod server;
mod slack;
#[cfg(test)]
mod tests;
mod time;
mod wire;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use asc::seed::{
    AppVersionState, AscAppSeed, AscVersionSeed, PhasedReleaseSeed, PhasedReleaseState, Platform,
};
pub use bigquery::accounting;
pub use bigquery::error::ErrorReason;
pub use bigquery::seed::{
    Access, DatasetChange, DatasetSeed, JobConditions, JobFailure, TableConditions, TablePartitioning,
};
pub use control::ControlError;
pub use credentials::{Credentials, CredentialsError, GoogleCredentials};
pub use faults::{CannedReply, Fault, FaultKind};
pub use github::seed::{
    BranchSeed, BranchStanding, ForeignIssue, GitHubAccess, GitHubCaller, GitHubPermissions,
    GitHubRepositorySeed, InputNeed, IssueState, IssuesFeature, WorkflowInput, WorkflowSeed, WorkflowTrigger,
};
pub use google::seed::{GoogleSeed, SecretAccess, SecretSeed};
pub use log::LoggedRequest;
pub use model::Model;
pub use play::seed::{AppStage, PlayAppSeed, PlayConditions, ReviewState, Sending, TrackSeed};
pub use slack::{BlockFault, ChannelAccess, ChannelSeed, ChannelVisibility, check_blocks};

/// How long open connections may finish when the sandbox shuts down.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// A server of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Google Play Developer API v3.
    GooglePlay,
    /// App Store Connect API.
    AppStoreConnect,
    /// Slack Web API.
    Slack,
    /// GitHub REST API.
    #[serde(rename = "github")]
    GitHub,
    /// BigQuery API v2.
    BigQuery,
    /// Google's identity services, GitHub's OIDC endpoint and Secret Manager.
    Google,
    /// The control surface.
    Control,
}

/// The addresses of a running sandbox, each `http://127.0.0.1:PORT`; the real paths follow.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoints {
    /// Google Play Developer API, `/androidpublisher/v3/...`.
    pub google_play: String,
    /// App Store Connect API, `/v1/...`.
    pub app_store_connect: String,
    /// Slack Web API, `/api/METHOD`.
    pub slack: String,
    /// GitHub REST API, `/repos/...`.
    pub github: String,
    /// BigQuery API, `/bigquery/v2/...`.
    pub bigquery: String,
    /// Google's identity services, GitHub's OIDC endpoint and Secret Manager.
    pub google: String,
    /// The control surface.
    pub control: String,
}

/// The ports to listen on; 0 lets the system choose.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ports {
    /// Google Play.
    pub google_play: u16,
    /// App Store Connect.
    pub app_store_connect: u16,
    /// Slack.
    pub slack: u16,
    /// GitHub.
    pub github: u16,
    /// BigQuery.
    pub bigquery: u16,
    /// Google's identity services.
    pub google: u16,
    /// The control surface.
    pub control: u16,
}

/// What exists when the sandbox starts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// Apps on Google Play.
    pub play: Vec<PlayAppSeed>,
    /// Apps on the App Store.
    pub asc: Vec<AscAppSeed>,
    /// Slack channels.
    pub slack_channels: Vec<ChannelSeed>,
    /// Repositories at GitHub.
    pub github: Vec<GitHubRepositorySeed>,
    /// Datasets of BigQuery.
    pub bigquery: Vec<DatasetSeed>,
    /// Accounts and secrets at Google.
    pub google: GoogleSeed,
}

/// How to start a sandbox.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// The ports.
    pub ports: Ports,
    /// What exists at the start.
    pub seed: Seed,
    /// The directory for the key files; made if missing, files of an earlier start are replaced.
    pub credentials_dir: PathBuf,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A port is taken or not allowed.
    #[error(
        "listen on 127.0.0.1:{port} for {service:?}: {source}; choose another port, or 0 for any free one"
    )]
    Bind {
        /// The service.
        service: Service,
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The credentials could not be made.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The seed contradicts itself.
    #[error("seed of the sandbox: {0}")]
    Seed(#[from] ControlError),
}

/// A running sandbox. Dropping it ends the servers as [`Sandbox::shutdown`] does, without waiting for them.
pub struct Sandbox {
    /// Where the services listen.
    pub endpoints: Endpoints,
    /// What a client signs in with.
    pub credentials: Credentials,
    model: Model,
    closing: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Makes credentials, seeds the models and starts the servers.
    ///
    /// # Errors
    /// If the seed contradicts itself, a key file can't be written or a port can't be had.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let (credentials, gatekeeper) = Credentials::create(&options.credentials_dir)?;
        let model = Model::new(gatekeeper, credentials.google_model());
        model.plant(options.seed)?;
        let (closing, closed) = watch::channel(false);
        let mut tasks = Vec::new();
        let mut start = async |service, port| {
            let (endpoint, task) = server::start(service, port, model.clone(), closed.clone()).await?;
            tasks.push(task);
            Ok::<_, SandboxError>(endpoint)
        };
        let endpoints = Endpoints {
            google_play: start(Service::GooglePlay, options.ports.google_play).await?,
            app_store_connect: start(Service::AppStoreConnect, options.ports.app_store_connect).await?,
            slack: start(Service::Slack, options.ports.slack).await?,
            github: start(Service::GitHub, options.ports.github).await?,
            bigquery: start(Service::BigQuery, options.ports.bigquery).await?,
            google: start(Service::Google, options.ports.google).await?,
            control: start(Service::Control, options.ports.control).await?,
        };
        Ok(Self { endpoints, credentials, model, closing, tasks })
    }

    /// The models, for looking and changing from within the process. The handle is cheap to clone.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Ends the servers; connections that hang by a fault are closed, others get a second to finish.
    pub async fn shutdown(self) {
        // Without receivers all servers have ended already.
        let _ = self.closing.send(true);
        for mut task in self.tasks {
            if tokio::time::timeout(SHUTDOWN_GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}
