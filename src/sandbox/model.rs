//! The handle on all models of a sandbox, for use from within the process and for the servers. One lock guards
//! everything, so each request and each change is one step. The control surface calls the same methods.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::asc::model::AscModel;
use super::asc::{error::AscError, seed::*};
use super::bigquery::error::Refusal;
use super::bigquery::model::BigQueryModel;
use super::bigquery::seed::{Access, DatasetChange, DatasetSeed, JobConditions, TableConditions};
use super::call::{Call, Reply};
use super::control::ControlError;
use super::credentials::{BIGQUERY_SCOPES, Gatekeeper};
use super::faults::{Fault, FaultKind, FaultQueue};
use super::github::model::GitHubModel;
use super::github::seed::{ForeignIssue, GitHubCaller, GitHubRepositorySeed, IssueState};
use super::google::model::{FEDERATED, GoogleModel};
use super::google::seed::SecretSeed;
use super::log::{LoggedRequest, RequestLog};
use super::play::error::PlayError;
use super::play::model::PlayModel;
use super::play::seed::{PlayAppSeed, PlayConditions};
use super::slack::model::SlackModel;
use super::slack::{self, ChannelAccess, ChannelSeed};
use super::time::{Clock, wall_clock};
use super::{Seed, Service, asc, bigquery, github, google, play};

/// The models of a running sandbox. Clones share them.
#[derive(Clone)]
pub struct Model(Arc<Mutex<World>>);

struct World {
    gatekeeper: Gatekeeper,
    clock: Clock,
    play: PlayModel,
    asc: AscModel,
    slack: SlackModel,
    github: GitHubModel,
    bigquery: BigQueryModel,
    google: GoogleModel,
    faults: FaultQueue,
    log: RequestLog,
    latency: Duration,
    /// How far App Store Connect's clock is ahead of this machine's.
    asc_ahead: SignedDuration,
}

impl Model {
    /// Models without content.
    pub(super) fn new(gatekeeper: Gatekeeper, google: GoogleModel) -> Self {
        Self(Arc::new(Mutex::new(World {
            gatekeeper,
            clock: Clock::default(),
            play: PlayModel::default(),
            asc: AscModel::default(),
            slack: SlackModel::default(),
            github: GitHubModel::default(),
            bigquery: BigQueryModel::default(),
            google,
            faults: FaultQueue::default(),
            log: RequestLog::default(),
            latency: Duration::ZERO,
            asc_ahead: SignedDuration::ZERO,
        })))
    }

    /// Puts a seed into the models.
    pub(super) fn plant(&self, seed: Seed) -> Result<(), ControlError> {
        seed.play.into_iter().try_for_each(|app| self.add_play_app(app))?;
        seed.asc.into_iter().try_for_each(|app| self.add_asc_app(app))?;
        seed.slack_channels.into_iter().try_for_each(|channel| self.add_slack_channel(channel))?;
        seed.github.into_iter().try_for_each(|repository| self.add_github_repository(repository))?;
        seed.bigquery.into_iter().try_for_each(|dataset| self.add_bigquery_dataset(dataset))?;
        seed.google
            .service_accounts
            .into_iter()
            .for_each(|email| self.world().google.add_service_account(email));
        seed.google.secrets.into_iter().try_for_each(|secret| self.add_secret(secret))
    }

    /// The instant that the models go by.
    pub fn now(&self) -> Timestamp {
        self.world().clock.now()
    }

    /// Sets the instant that the models go by; `None` goes back to the wall clock. Token lifetimes stay real.
    pub fn set_now(&self, now: Option<Timestamp>) {
        self.world().clock.set(now);
    }

    /// How long every answer takes, for measuring; nothing at first.
    pub fn latency(&self) -> Duration {
        self.world().latency
    }

    /// Lets every answer of every service take so long.
    pub fn set_latency(&self, latency: Duration) {
        self.world().latency = latency;
    }

    /// Adds a fault to the end of the script.
    pub fn add_fault(&self, fault: Fault) {
        self.world().faults.push(fault);
    }

    /// Lets so many percent of the requests to every service fail, until the faults are cleared.
    pub fn set_chance(&self, seed: u64, percent: u8) {
        self.world().faults.by_chance(seed, percent);
    }

    /// The faults that are still to come.
    pub fn faults(&self) -> Vec<Fault> {
        self.world().faults.pending().to_vec()
    }

    /// Forgets the script.
    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// All requests to the services since the log was cleared, in order.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.world().log.entries().to_vec()
    }

    /// Clears the request log.
    pub fn clear_requests(&self) {
        self.world().log.clear();
    }

    /// All models as JSON: `now`, `play` by package, `asc` apps, `slack` channels, `github` repositories by name,
    /// `bigquery` projects and jobs, `google` accounts, secrets and tokens without their texts.
    pub fn state(&self) -> Value {
        let mut world = self.world();
        let now = world.clock.now();
        world.asc.tick(now);
        json!({
            "now": now.to_string(),
            "play": world.play.state(),
            "asc": world.asc.state(now),
            "slack": world.slack.state(),
            "github": world.github.state(),
            "bigquery": world.bigquery.state(),
            "google": {"set_up": world.google.state(), "issued": world.gatekeeper.tokens.state()},
        })
    }

    /// Adds an app to Google Play.
    ///
    /// # Errors
    /// If the package exists.
    pub fn add_play_app(&self, app: PlayAppSeed) -> Result<(), ControlError> {
        let name = app.package.clone();
        if self.world().play.add_app(app) { Ok(()) } else { Err(ControlError::exists("play app", &name)) }
    }

    /// A person's change in the Play Console: sets the releases of a track and invalidates the open edits of the app.
    ///
    /// # Errors
    /// If the package or the track is unknown.
    pub fn console_change(
        &self,
        package: &str,
        track: &str,
        releases: Vec<Value>,
    ) -> Result<(), ControlError> {
        let mut world = self.world();
        let changed = world.play.console_change(package, track, releases);
        changed.map_err(|error| ControlError::play(&error, package, &world.play.packages()))
    }

    /// Sets stage, review and sending of an app on Google Play.
    ///
    /// # Errors
    /// If the package is unknown.
    pub fn set_play_conditions(&self, package: &str, conditions: PlayConditions) -> Result<(), ControlError> {
        let mut world = self.world();
        let changed = world.play.set_conditions(package, conditions);
        changed.map_err(|error| ControlError::play(&error, package, &world.play.packages()))
    }

    /// Adds an app to the App Store.
    ///
    /// # Errors
    /// If the bundle id exists.
    pub fn add_asc_app(&self, app: AscAppSeed) -> Result<(), ControlError> {
        let name = app.bundle_id.clone();
        let mut world = self.world();
        let now = world.clock.now();
        if world.asc.add_app(app, now) { Ok(()) } else { Err(ControlError::exists("app store app", &name)) }
    }

    /// Adds a version to an app on the App Store and returns its id; a live one replaces the present one.
    ///
    /// # Errors
    /// If the bundle id is unknown.
    pub fn add_asc_version(&self, bundle_id: &str, version: AscVersionSeed) -> Result<String, ControlError> {
        let mut world = self.world();
        let now = world.clock.now();
        let added = world.asc.add_version(bundle_id, version, now);
        added.ok_or_else(|| ControlError::unknown("bundle id", bundle_id, &world.asc.bundle_ids()))
    }

    /// A person's change of a phased release, by its id.
    ///
    /// # Errors
    /// If the id is unknown or App Store Connect would refuse the change.
    pub fn change_phased_release(&self, id: &str, state: PhasedReleaseState) -> Result<(), ControlError> {
        self.in_asc(|asc, now| asc.change_phased(id, state, now))
    }

    /// A change of a version's state by Apple or a person, by its id; going live replaces the present version.
    ///
    /// # Errors
    /// If the id is unknown.
    pub fn set_version_state(&self, id: &str, state: AppVersionState) -> Result<(), ControlError> {
        self.in_asc(|asc, now| asc.set_version_state(id, state, now))
    }

    /// Sets the requests per rolling hour after which App Store Connect answers 429; `None` lifts the limit.
    pub fn set_asc_budget(&self, requests_per_hour: Option<usize>) {
        let budget = &mut self.world().asc.budget;
        budget.per_hour = requests_per_hour;
        budget.clear();
    }

    /// Sets the requests per rolling minute after which App Store Connect answers 429; `None` lifts the limit.
    pub fn set_asc_minute_limit(&self, requests_per_minute: Option<usize>) {
        let budget = &mut self.world().asc.budget;
        budget.per_minute = requests_per_minute;
        budget.clear();
    }

    /// Sets how far App Store Connect's own clock, by which it judges tokens, is ahead of this machine's; nothing at
    /// first.
    pub fn set_asc_clock_ahead(&self, ahead: SignedDuration) {
        self.world().asc_ahead = ahead;
    }

    /// Adds a Slack channel.
    ///
    /// # Errors
    /// If the id exists.
    pub fn add_slack_channel(&self, channel: ChannelSeed) -> Result<(), ControlError> {
        let id = channel.id.clone();
        if self.world().slack.add_channel(channel) {
            Ok(())
        } else {
            Err(ControlError::exists("slack channel", &id))
        }
    }

    /// All messages of a Slack channel with metadata, oldest first.
    ///
    /// # Errors
    /// If the channel is unknown.
    pub fn slack_messages(&self, channel: &str) -> Result<Vec<Value>, ControlError> {
        let world = self.world();
        let messages = world.slack.messages(channel);
        messages.ok_or_else(|| ControlError::unknown("slack channel", channel, &world.slack.channel_ids()))
    }

    /// Deletes a Slack message, as a person does.
    ///
    /// # Errors
    /// If the channel or the message is unknown.
    pub fn delete_slack_message(&self, channel: &str, ts: &str) -> Result<(), ControlError> {
        let deleted = self.world().slack.delete(channel, ts);
        deleted
            .map_err(|error| ControlError::Refused { status: 404, text: format!("{error}: {channel} {ts}") })
    }

    /// Adds a repository to GitHub.
    ///
    /// # Errors
    /// If the name exists.
    pub fn add_github_repository(&self, repository: GitHubRepositorySeed) -> Result<(), ControlError> {
        let name = repository.full_name.clone();
        let mut world = self.world();
        let now = world.clock.now();
        if world.github.add_repository(repository, now) {
            Ok(())
        } else {
            Err(ControlError::exists("github repository", &name))
        }
    }

    /// An issue that somebody else opens in a repository of GitHub; returns its number.
    ///
    /// # Errors
    /// If the repository is unknown.
    pub fn open_github_issue(&self, repository: &str, issue: ForeignIssue) -> Result<u64, ControlError> {
        let mut world = self.world();
        let now = world.clock.now();
        let number = world.github.open_issue(repository, issue, now);
        number.ok_or_else(|| ControlError::unknown("github repository", repository, &world.github.names()))
    }

    /// A person's change of the state of an issue.
    ///
    /// # Errors
    /// If there is no such issue.
    pub fn set_github_issue_state(
        &self,
        repository: &str,
        number: u64,
        state: IssueState,
    ) -> Result<(), ControlError> {
        let mut world = self.world();
        let now = world.clock.now();
        if world.github.set_issue_state(repository, number, state, now) {
            return Ok(());
        }
        Err(ControlError::refused(404, format!("no issue {number} in the github repository {repository}")))
    }

    /// Sets whose token GitHub takes.
    pub fn set_github_caller(&self, caller: GitHubCaller) {
        self.world().github.set_caller(caller);
    }

    /// Sets the requests of an hour after which GitHub answers 403; `None` goes back to those of a workflow's token.
    pub fn set_github_budget(&self, requests_per_hour: Option<u32>) {
        self.world().github.set_budget(requests_per_hour);
    }

    /// Posts to a Slack channel as a person does, and returns the time stamp.
    ///
    /// # Errors
    /// If the channel is unknown.
    pub fn post_slack_message(&self, channel: &str, text: &str) -> Result<String, ControlError> {
        let mut world = self.world();
        let now = world.clock.now();
        let posted = world.slack.post_as_person(channel, text, now);
        posted.map_err(|_| ControlError::unknown("slack channel", channel, &world.slack.channel_ids()))
    }

    /// Sets the scopes of the bot's token, such as `chat:write`.
    pub fn set_slack_scopes(&self, scopes: Vec<String>) {
        self.world().slack.set_scopes(scopes);
    }

    /// Sets how many posts a second Slack takes before it answers 429, by real time; `None` lifts the limit.
    pub fn set_slack_posts_per_second(&self, posts: Option<usize>) {
        self.world().slack.set_posts_per_second(posts);
    }

    /// The files that were announced to Slack, with the digests of their bytes.
    pub fn slack_files(&self) -> Value {
        self.world().slack.files()
    }

    /// Changes the bot's place in a Slack channel, as a person does who invites it or archives the channel.
    ///
    /// # Errors
    /// If the channel is unknown.
    pub fn set_slack_access(&self, channel: &str, access: ChannelAccess) -> Result<(), ControlError> {
        let mut world = self.world();
        let known = world.slack.channel_ids();
        match world.slack.set_access(channel, access) {
            true => Ok(()),
            false => Err(ControlError::unknown("slack channel", channel, &known)),
        }
    }

    /// Adds a dataset to BigQuery, and its project if it is new.
    ///
    /// # Errors
    /// If the dataset exists or its warehouse can't be opened.
    pub fn add_bigquery_dataset(&self, dataset: DatasetSeed) -> Result<(), ControlError> {
        let mut world = self.world();
        let now = world.clock.now();
        world.bigquery.add_dataset(dataset, now)
    }

    /// Changes location, access or warehouse of a dataset of BigQuery.
    ///
    /// # Errors
    /// If the dataset is unknown or its warehouse can't be opened.
    pub fn change_bigquery_dataset(
        &self,
        project: &str,
        dataset: &str,
        change: DatasetChange,
    ) -> Result<(), ControlError> {
        self.world().bigquery.change_dataset(project, dataset, change)
    }

    /// Sets whether the caller may start jobs in a project of BigQuery; a new project may have no dataset.
    pub fn set_bigquery_job_access(&self, project: &str, access: Access) {
        self.world().bigquery.set_job_access(project, access);
    }

    /// Sets what a table of BigQuery looks like, as a whole.
    ///
    /// # Errors
    /// If the dataset or a hidden column is unknown.
    pub fn set_bigquery_table(
        &self,
        project: &str,
        dataset: &str,
        table: &str,
        conditions: TableConditions,
    ) -> Result<(), ControlError> {
        self.world().bigquery.set_table(project, dataset, table, conditions)
    }

    /// Sets how jobs of BigQuery go, as a whole.
    pub fn set_bigquery_jobs(&self, conditions: JobConditions) {
        self.world().bigquery.set_job_conditions(conditions);
    }

    /// Adds a secret to Secret Manager.
    ///
    /// # Errors
    /// If the name exists.
    pub fn add_secret(&self, secret: SecretSeed) -> Result<(), ControlError> {
        let name = secret.name.clone();
        if self.world().google.add_secret(secret) {
            Ok(())
        } else {
            Err(ControlError::exists("secret", &name))
        }
    }

    /// Sets how many seconds of real time Google's and GitHub's tokens live that are made from now on; `None` goes back
    /// to an hour.
    pub fn set_token_lifetime(&self, seconds: Option<u32>) {
        let lifetime = seconds.map(|seconds| SignedDuration::from_secs(i64::from(seconds)));
        self.world().gatekeeper.tokens.set_lifetime(lifetime);
    }

    /// Logs a request and takes the fault that hits it.
    pub(super) fn admit(&self, service: Service, call: &Call) -> (u64, Option<FaultKind>) {
        let mut world = self.world();
        let fault = world.faults.take(service, &call.method, &call.path_and_query());
        let number = world.log.push(service, call, fault.is_some());
        (number, fault)
    }

    /// Notes the answer to a request.
    pub(super) fn answered(&self, number: u64, reply: Option<&Reply>) {
        self.world().log.answered(number, reply);
    }

    /// Lets a service answer: first the token, then the model.
    pub(super) fn serve(&self, service: Service, call: &Call) -> Reply {
        let world = &mut *self.world();
        let (bearer, now) = (call.bearer.as_deref(), world.clock.now());
        match service {
            Service::GooglePlay => match world.gatekeeper.google_play(bearer) {
                // The Play Console invites e-mail addresses only.
                Ok(caller) if caller.starts_with(FEDERATED) => PlayError::NotInvited.reply(),
                Ok(caller) => play::routes::answer(&mut world.play, call, &caller, now),
                Err(refusal) => PlayError::Unauthenticated { refusal }.reply(),
            },
            Service::AppStoreConnect => app_store_connect(world, call),
            Service::Slack => {
                let allowed = world.gatekeeper.slack(bearer);
                slack::routes::answer(&mut world.slack, call, allowed, now)
            }
            Service::GitHub => {
                let allowed = world.gatekeeper.github(bearer);
                github::routes::answer(&mut world.github, call, allowed, now)
            }
            Service::BigQuery => match world.gatekeeper.google(bearer, &BIGQUERY_SCOPES) {
                Ok(caller) => bigquery::routes::answer(&mut world.bigquery, call, &caller, now),
                Err(refusal) => Refusal::unauthenticated(&refusal),
            },
            Service::Google => google::routes::answer(&world.google, &mut world.gatekeeper, call),
            Service::Control => Reply::empty(404),
        }
    }

    fn in_asc(
        &self,
        change: impl FnOnce(&mut AscModel, Timestamp) -> Result<(), AscError>,
    ) -> Result<(), ControlError> {
        let mut world = self.world();
        let now = world.clock.now();
        world.asc.tick(now);
        change(&mut world.asc, now).map_err(|error| ControlError::refused(409, error.detail()))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A panic while the lock was held can only come from a bug in a model; its state is still the best answer.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer of App Store Connect: the token is judged by its own clock, which the answer tells.
fn app_store_connect(world: &mut World, call: &Call) -> Reply {
    let now = world.clock.now();
    let there = wall_clock().checked_add(world.asc_ahead).unwrap_or(now);
    let reply = match world.gatekeeper.app_store_connect(call.bearer.as_deref(), there) {
        Ok(()) => asc::routes::answer(&mut world.asc, call, now),
        // Apple does not say why; the sandbox does, in a header of its own.
        Err(refusal) => AscError::not_authorized().reply().with_header("x-sandbox-refusal", &refusal),
    };
    match rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&there) {
        Ok(date) => reply.with_header("date", &date),
        Err(_) => reply,
    }
}
