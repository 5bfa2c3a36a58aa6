//! `[[app]]`: one app on one store, with everything that holds for it.
//!
//! A section at the top level is the default of the same section in an app, key by key. What comes out of here knows
//! nothing of that: an app carries all of its settings.

use std::ops::Range;

use jiff::SignedDuration;
use jiff::civil::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::app_store_connect::RawAppStoreConnect;
use super::at::{At, merged};
use super::control::RawControl;
use super::data::{RawData, Watching};
use super::error::Problem;
use super::github::{GitHub, RawGitHub};
use super::google_play::{AppRecovery, InReview, RawGooglePlay};
use super::rollout_plan::RawRolloutPlan;
use super::rules::RawRules;
use super::schedule::RawSchedule;
use super::secret::SecretRef;
use super::slack::{RawSlack, Slack};
use super::slo::RawSlo;
use super::sources::{RawSources, Sources};
use super::text::TrackName;
use crate::domain::advance::Plan;
use crate::domain::canonical;
use crate::domain::control::Switch;
use crate::domain::ids::{AppId, ApplicationId, Platform};
use crate::domain::policy::Policy;

/// The track that is watched unless another is named.
const DEFAULT_TRACK: &str = "production";

/// One app on one store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct App {
    /// The id that commands, output and state use.
    pub id: AppId,
    /// What is watched and acted on.
    pub target: Target,
    /// Where its events are counted.
    pub sources: Sources,
    /// What the judge is told.
    pub policy: Policy,
    /// What the program may do for it at most.
    pub mode: Switch,
    /// How it is looked at.
    pub watching: Watching,
    /// How long the monitor may be silent before it is said.
    pub monitor_silence: SignedDuration,
    /// Where people are told; none where nothing is set.
    pub slack: Option<Slack>,
    /// The repository that is told of a halt; none where nothing is set.
    pub github: Option<GitHub>,
    /// The time of day after which its daily report is made.
    pub report_at: Time,
}

impl App {
    /// The platform.
    #[must_use]
    pub fn platform(&self) -> Platform {
        match self.target {
            Target::GooglePlay { .. } => Platform::Android,
            Target::AppStore { .. } => Platform::Ios,
        }
    }

    /// Hexadecimal SHA-256 of all settings of the app: what its releases are judged by. Neither comments nor other apps
    /// change it, nor does the value of a secret.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        canonical::sha256(&canonical::text_of(self))
    }

    /// The package name or bundle id.
    #[must_use]
    pub fn application_id(&self) -> &ApplicationId {
        match &self.target {
            Target::GooglePlay { package, .. } => package,
            Target::AppStore { bundle_id, .. } => bundle_id,
        }
    }
}

/// What is watched and acted on, and with which credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "store", rename_all = "kebab-case")]
pub enum Target {
    /// A track of Google Play.
    GooglePlay {
        /// The package name.
        package: ApplicationId,
        /// The track.
        track: String,
        /// The key of the service account; none means what `[gcp]` says.
        credentials: Option<SecretRef>,
        /// What a halt does to changes that Google is reviewing.
        in_review: InReview,
        /// What is done for devices that have a halted version already.
        app_recovery: AppRecovery,
    },
    /// An app of the App Store.
    AppStore {
        /// The bundle id.
        bundle_id: ApplicationId,
        /// The id of the key.
        key_id: String,
        /// The issuer of a team key; none for an individual key.
        issuer_id: Option<String>,
        /// The private key.
        private_key: SecretRef,
    },
}

impl Target {
    /// The place in the store, as a person would name it.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::GooglePlay { package, track, .. } => format!("track {track} of {package} on Google Play"),
            Self::AppStore { bundle_id, .. } => format!("{bundle_id} in the App Store"),
        }
    }
}

/// The sections that an app and the top level share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults<'r> {
    pub(super) slo: Option<&'r RawSlo>,
    pub(super) rules: Option<&'r RawRules>,
    pub(super) control: Option<&'r RawControl>,
    pub(super) schedule: Option<&'r RawSchedule>,
    pub(super) data: Option<&'r RawData>,
    pub(super) slack: Option<&'r RawSlack>,
    pub(super) github: Option<&'r RawGitHub>,
    pub(super) google_play: Option<&'r RawGooglePlay>,
    pub(super) app_store_connect: Option<&'r RawAppStoreConnect>,
    pub(super) sources: Option<&'r RawSources>,
}

/// One app on one store. Its sections override those of the top level, key by key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "App")]
pub(super) struct RawApp {
    /// The id that commands, output and state use: a lowercase letter, then a-z, 0-9 and -.
    #[schemars(extend("examples" = ["android"]))]
    pub(super) id: At<String>,
    /// The platform.
    #[schemars(extend("examples" = ["android"]))]
    platform: At<RawPlatform>,
    /// The package name on Google Play. Needed for platform = "android".
    #[schemars(extend("examples" = ["com.example.app"]))]
    package: Option<At<String>>,
    /// The track of Google Play. Default: production.
    #[schemars(extend("default" = DEFAULT_TRACK))]
    track: Option<At<TrackName>>,
    /// The bundle id in the App Store. Needed for platform = "ios".
    #[schemars(extend("examples" = ["com.example.app"]))]
    bundle_id: Option<At<String>>,
    /// The steps of a staged rollout on Google Play, which the job android-rollout takes.
    rollout: Option<At<RawRolloutPlan>>,
    /// Overrides the section `slo`.
    slo: Option<RawSlo>,
    /// Overrides the section `rules`.
    rules: Option<RawRules>,
    /// Overrides the section `control`.
    control: Option<RawControl>,
    /// Overrides the section `schedule`.
    schedule: Option<RawSchedule>,
    /// Overrides the section `data`.
    data: Option<RawData>,
    /// Overrides the section `slack`.
    slack: Option<RawSlack>,
    /// Overrides the section `github`.
    github: Option<RawGitHub>,
    /// Overrides the section `google_play`.
    google_play: Option<At<RawGooglePlay>>,
    /// Overrides the section `app_store_connect`.
    app_store_connect: Option<At<RawAppStoreConnect>>,
    /// Overrides the section `sources`.
    sources: Option<RawSources>,
}

/// A platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Platform")]
enum RawPlatform {
    /// Google Play.
    Android,
    /// The App Store.
    Ios,
}

impl RawApp {
    /// The app, declared at `declared`, with everything that it leaves out taken from the top level.
    pub(super) fn check(&self, declared: &Range<usize>, top: Defaults<'_>) -> Result<App, Problem> {
        let id = AppId::new(self.id.get().clone()).map_err(|error| {
            Problem::new(
                self.id.span(),
                error.to_string(),
                "choose another id, such as \"android\" or \"ios-beta\"",
            )
        })?;
        let target = self.target(&id, declared, top)?;
        let sources = merged(self.sources.as_ref(), top.sources).check(&id)?;
        let data = merged(self.data.as_ref(), top.data);
        let (slo, guards) = merged(self.slo.as_ref(), top.slo).check(&id)?;
        let schedule = merged(self.schedule.as_ref(), top.schedule);
        let control = merged(self.control.as_ref(), top.control);
        let policy = Policy {
            rules: merged(self.rules.as_ref(), top.rules).check(&slo, guards),
            slo,
            data: data.check(&sources.sessions, &id)?,
            resume_grace: control.resume_grace(),
            zone: schedule.zone(),
            rollout: self.plan(&id, &schedule)?,
        };
        let slack = merged(self.slack.as_ref(), top.slack).check(&id)?;
        let github = merged(self.github.as_ref(), top.github).check(&id)?;
        let report_at = schedule.report_at();
        let monitor_silence = schedule.monitor_silence();
        let (mode, watching) = (control.mode(), data.watching());
        Ok(App { id, target, sources, policy, mode, watching, monitor_silence, slack, github, report_at })
    }

    /// The steps of an Android app; phased releases of the App Store have Apple's own.
    fn plan(&self, id: &AppId, schedule: &RawSchedule) -> Result<Option<Plan>, Problem> {
        let plan = self.rollout.as_ref().map(|plan| plan.get().clone()).unwrap_or_default();
        match self.platform.get() {
            RawPlatform::Android => plan.check(id, schedule).map(Some),
            RawPlatform::Ios => Ok(None),
        }
    }

    fn target(&self, id: &AppId, declared: &Range<usize>, top: Defaults<'_>) -> Result<Target, Problem> {
        match self.platform.get() {
            RawPlatform::Android => self.google_play(id, declared, top),
            RawPlatform::Ios => self.app_store(id, declared, top),
        }
    }

    fn google_play(&self, id: &AppId, declared: &Range<usize>, top: Defaults<'_>) -> Result<Target, Problem> {
        let bundle = misplaced(self.bundle_id.as_ref(), "bundle_id");
        let section = misplaced(self.app_store_connect.as_ref(), "app_store_connect");
        refuse(id, "android", "iOS", [bundle, section].into_iter().flatten())?;
        let package = application_id(id, self.package.as_ref(), declared, ["android", "package"])?;
        let section = merged(self.google_play.as_ref().map(At::get), top.google_play);
        let track =
            self.track.as_ref().map_or_else(|| DEFAULT_TRACK.to_owned(), |track| track.get().to_text());
        let (credentials, in_review) = (section.credentials(), section.in_review());
        let app_recovery = section.app_recovery();
        Ok(Target::GooglePlay { package, track, credentials, in_review, app_recovery })
    }

    fn app_store(&self, id: &AppId, declared: &Range<usize>, top: Defaults<'_>) -> Result<Target, Problem> {
        let package = misplaced(self.package.as_ref(), "package");
        let track = misplaced(self.track.as_ref(), "track");
        let rollout = misplaced(self.rollout.as_ref(), "rollout");
        let section = misplaced(self.google_play.as_ref(), "google_play");
        refuse(id, "ios", "Android", [package, track, rollout, section].into_iter().flatten())?;
        let bundle_id = application_id(id, self.bundle_id.as_ref(), declared, ["ios", "bundle_id"])?;
        let section = merged(self.app_store_connect.as_ref().map(At::get), top.app_store_connect);
        let key = section.check(id, declared)?;
        Ok(Target::AppStore {
            bundle_id,
            key_id: key.key_id,
            issuer_id: key.issuer_id,
            private_key: key.private_key,
        })
    }
}

/// A key that is there, with its place.
type Misplaced = Option<(Range<usize>, &'static str)>;

fn misplaced<T>(given: Option<&At<T>>, key: &'static str) -> Misplaced {
    given.map(|value| (value.span(), key))
}

/// Refuses the first key that belongs to the other platform.
fn refuse(
    id: &AppId,
    platform: &str,
    other: &str,
    mut misplaced: impl Iterator<Item = (Range<usize>, &'static str)>,
) -> Result<(), Problem> {
    let Some((span, key)) = misplaced.next() else { return Ok(()) };
    let instead = match key {
        "package" => "an iOS app has a `bundle_id`",
        "bundle_id" => "an Android app has a `package`",
        "rollout" => "leave it out, the steps of a phased release are Apple's own",
        _ => "leave it out",
    };
    Err(Problem::new(
        span,
        format!("`{key}` is for {other} apps, and app `{id}` has platform = \"{platform}\""),
        format!("{instead}, or change the platform"),
    ))
}

fn application_id(
    id: &AppId,
    given: Option<&At<String>>,
    declared: &Range<usize>,
    [platform, key]: [&str; 2],
) -> Result<ApplicationId, Problem> {
    let fix = format!("add `{key} = \"com.example.app\"`, as the store names the app");
    let Some(given) = given else {
        let message = format!("app `{id}` has platform = \"{platform}\" and no `{key}`");
        return Err(Problem::new(declared.clone(), message, fix));
    };
    ApplicationId::new(given.get().clone()).map_err(|error| {
        let fix = format!("write `{key} = \"com.example.app\"`, as the store names the app");
        Problem::new(given.span(), error.to_string(), fix)
    })
}
