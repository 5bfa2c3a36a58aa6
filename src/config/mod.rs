//! The configuration: a text in, a checked value out, or one error with its line, its column and its fix.
//!
//! Pure: it reads no file, no environment and no secret, and imports nothing but the domain. It refuses to guess. A
//! name that is not known, a number in the wrong unit and a secret in the file are errors, before anything is done.
//!
//! Five steps, each with its own words for what is wrong: TOML (`document`), secrets that stand in the file
//! (`secret`), the shape (`shape`, against the schema), each value (the sections), and what values say together
//! (`app`). A section of the top level is the default of the same section in an app, key by key.

mod app;
mod app_store_connect;
mod at;
mod bytes;
mod control;
mod data;
mod document;
mod endpoints;
mod error;
mod gcp;
mod github;
mod google_play;
mod rollout_plan;
mod rules;
mod schedule;
mod schema;
mod secret;
mod shape;
mod slack;
mod slo;
mod sources;
mod state;
mod suggest;
pub mod telemetry;
mod text;
mod times;
mod warehouse;
mod zone;

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeTable;

use self::app::{Defaults, RawApp};
use self::app_store_connect::RawAppStoreConnect;
use self::at::At;
use self::control::RawControl;
use self::data::RawData;
use self::document::Entry;
use self::endpoints::RawEndpoints;
use self::error::{Problem, SourceText};
use self::gcp::RawGcp;
use self::github::RawGitHub;
use self::google_play::RawGooglePlay;
use self::rules::RawRules;
use self::schedule::RawSchedule;
use self::slack::RawSlack;
use self::slo::RawSlo;
use self::sources::RawSources;
use self::state::RawState;
use self::telemetry::RawTelemetry;
use self::warehouse::RawWarehouse;
use crate::domain::keys;

pub use self::app::{App, Target};
pub use self::data::Watching;
pub use self::endpoints::Endpoints;
pub use self::error::ConfigError;
pub use self::gcp::Gcp;
pub use self::github::{GitHub, GitHubDispatch, GitHubIssue, PLACEHOLDERS};
pub use self::google_play::{AppRecovery, InReview};
pub use self::schema::schema;
pub use self::secret::{RefusedReference, SecretRef};
pub use self::slack::{Slack, Way};
pub use self::sources::{SessionSource, Sources};
pub use self::state::{DegradedHalt, State};
pub use self::telemetry::{Telemetry, TelemetryEndpoint};
pub use self::text::is_repository;
pub use self::warehouse::Warehouse;

/// A checked configuration. Every app carries all of its settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Where the events are.
    pub warehouse: Warehouse,
    /// Where the program remembers.
    pub state: State,
    /// Whether a bad release is halted even where it can't remember.
    pub degraded_halt: DegradedHalt,
    /// Who the program is at Google.
    pub gcp: Gcp,
    /// Stand-ins for the remote services.
    pub endpoints: Endpoints,
    /// The apps, in the order of the file.
    pub apps: Vec<App>,
    /// Where telemetry is sent. No part of the fingerprint: nothing is decided by it.
    #[serde(skip_serializing_if = "Telemetry::is_off")]
    pub telemetry: Telemetry,
    /// Hexadecimal SHA-256 of everything above but for telemetry, apps by their ids. Comments, order and defaults that are written
    /// out do not change it; neither does the value of a secret.
    pub fingerprint: String,
}

/// The configuration as it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    /// Where the events are.
    warehouse: Option<RawWarehouse>,
    /// Where the program remembers.
    state: Option<RawState>,
    /// Who the program is at Google.
    gcp: Option<RawGcp>,
    /// Stand-ins for the remote services.
    endpoints: Option<RawEndpoints>,
    /// The objectives, and how they are tested.
    slo: Option<RawSlo>,
    /// The rules, each by its id.
    rules: Option<RawRules>,
    /// How much the program may do.
    control: Option<RawControl>,
    /// When things happen.
    schedule: Option<RawSchedule>,
    /// How fresh and complete the events must be.
    data: Option<RawData>,
    /// Where people are told.
    slack: Option<RawSlack>,
    /// The repository that is told of a halt, and how.
    github: Option<RawGitHub>,
    /// How Android apps are reached.
    google_play: Option<RawGooglePlay>,
    /// How iOS apps are reached.
    app_store_connect: Option<RawAppStoreConnect>,
    /// Where sessions and crashes are counted.
    sources: Option<RawSources>,
    /// Where spans and metrics are sent.
    telemetry: Option<RawTelemetry>,
    /// The apps, one `[[app]]` each.
    #[serde(default)]
    #[schemars(required, length(min = 1))]
    app: Vec<At<RawApp>>,
}

/// Reads and checks a configuration. `file_name` is only for errors.
///
/// # Errors
/// [`ConfigError`] for the first thing that is wrong.
pub fn parse(text: &str, file_name: &str) -> Result<Config, ConfigError> {
    let mut source = SourceText { text, file: file_name, covered: Vec::new() };
    let root = document::read(text).map_err(|problem| source.syntax_error(problem))?;
    let entries = document::entries(root.get_ref());
    source.covered = secret::covered(&entries);
    read(&root, &entries).map_err(|problem| source.error(problem))
}

fn read(root: &Spanned<DeTable<'_>>, entries: &[Entry<'_>]) -> Result<Config, Problem> {
    secret::refuse_literals(entries)?;
    refuse_later(entries)?;
    shape::check(root)?;
    let raw = RawConfig::deserialize(toml::Deserializer::from(root.clone()))
        .map_err(|error| of_value(&error, entries))?;
    raw.check()
}

/// A kind that is planned is answered with what there is, before its own keys are called unknown.
fn refuse_later(entries: &[Entry<'_>]) -> Result<(), Problem> {
    let planned: [(&str, &[&str], &str); 0] = [];
    for (within, later, only) in planned {
        let kind =
            entries.iter().find(|entry| entry.key.get_ref() == "kind" && entry.place.within() == within);
        let Some(kind) = kind else { continue };
        if let Some(given) = kind.value.get_ref().as_str().filter(|given| later.contains(given)) {
            return Err(Problem::new(
                kind.value.span(),
                format!("`kind` {within} is {given:?}, and this version has only the embedded one"),
                format!("write `kind = {only:?}`"),
            ));
        }
    }
    Ok(())
}

/// The problem of a value that its own type refused: the text has the problem in its first line and the fix below.
fn of_value(error: &toml::de::Error, entries: &[Entry<'_>]) -> Problem {
    let span = error.span().unwrap_or_default();
    let (problem, fix) =
        error.message().split_once('\n').unwrap_or((error.message(), "correct the value of this key"));
    let message = match document::at(entries, &span) {
        Some(entry) => format!("`{}` {} {problem}", entry.key.get_ref(), entry.place.within()),
        None => problem.to_owned(),
    };
    Problem::new(span, message, fix)
}

impl RawConfig {
    fn check(&self) -> Result<Config, Problem> {
        if self.app.is_empty() {
            return Err(Problem::new(
                0..0,
                "no app is configured",
                "add an [[app]] with its `id`, its `platform`, and its `package` or `bundle_id`",
            ));
        }
        self.refuse_duplicates()?;
        let apps = self.app.iter().map(|app| app.get().check(&app.span(), self.defaults()));
        let raw_gcp = self.gcp.clone().unwrap_or_default();
        let gcp = raw_gcp.check()?;
        let mut config = Config {
            warehouse: self.warehouse.clone().unwrap_or_default().check(gcp.project.as_deref())?,
            state: self.state.clone().unwrap_or_default().check(),
            degraded_halt: self.state.clone().unwrap_or_default().degraded_halt(),
            gcp,
            endpoints: self.endpoints.clone().unwrap_or_default().check(),
            apps: apps.collect::<Result<_, _>>()?,
            telemetry: self.telemetry.clone().unwrap_or_default().check()?,
            fingerprint: String::new(),
        };
        config.fingerprint = fingerprint(&config);
        self.refuse_shared_targets(&config.apps)?;
        raw_gcp.refuse_play_without_account(&config.apps)?;
        Ok(config)
    }

    /// Two apps in one place of one store would both judge, act on and announce the same release.
    fn refuse_shared_targets(&self, apps: &[App]) -> Result<(), Problem> {
        let mut seen = BTreeMap::new();
        for (app, raw) in apps.iter().zip(&self.app) {
            if let Some(other) = seen.insert(app.target.place(), &app.id) {
                return Err(Problem::new(
                    raw.get().id.span(),
                    format!(
                        "the apps `{other}` and `{}` watch the same place: {}",
                        app.id,
                        app.target.place()
                    ),
                    "keep one of them, or give them different packages, bundle ids or tracks",
                ));
            }
        }
        Ok(())
    }

    fn refuse_duplicates(&self) -> Result<(), Problem> {
        let mut seen = BTreeSet::new();
        let ids = self.app.iter().map(|app| &app.get().id);
        match ids.into_iter().find(|id| !seen.insert(id.get())) {
            None => Ok(()),
            Some(id) => Err(Problem::new(
                id.span(),
                format!("the app id `{}` is used twice", id.get()),
                "give each [[app]] an id of its own: its state is kept under it",
            )),
        }
    }

    fn defaults(&self) -> Defaults<'_> {
        Defaults {
            slo: self.slo.as_ref(),
            rules: self.rules.as_ref(),
            control: self.control.as_ref(),
            schedule: self.schedule.as_ref(),
            data: self.data.as_ref(),
            slack: self.slack.as_ref(),
            github: self.github.as_ref(),
            google_play: self.google_play.as_ref(),
            app_store_connect: self.app_store_connect.as_ref(),
            sources: self.sources.as_ref(),
        }
    }
}

/// The digest of what was checked, so that only a change of meaning changes it.
fn fingerprint(config: &Config) -> String {
    let mut canonical = config.clone();
    canonical.fingerprint.clear();
    canonical.telemetry = Telemetry::default();
    canonical.apps.sort_by(|a, b| a.id.cmp(&b.id));
    let text =
        serde_json::to_string(&canonical).expect("a configuration is made of texts, numbers and lists");
    keys::digest([text.as_str()])
}
