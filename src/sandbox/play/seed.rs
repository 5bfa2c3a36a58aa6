//! What can be set up on the sandbox's Google Play, and the states of an app that the API itself does not set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An app on Google Play.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlayAppSeed {
    /// The package name.
    pub package: String,
    /// The tracks that have releases, or a custom name; production, beta, alpha and internal are always there.
    #[serde(default)]
    pub tracks: Vec<TrackSeed>,
    /// Version codes that were uploaded, besides those in releases.
    #[serde(default)]
    pub version_codes: Vec<i64>,
    /// Devices that have a version, by its version code; a version that is not named is on none.
    #[serde(default)]
    pub devices: BTreeMap<i64, u64>,
    /// Stage, review and sending.
    #[serde(default)]
    pub conditions: PlayConditions,
}

/// A track of an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackSeed {
    /// The name of the track.
    pub track: String,
    /// Its releases in the shape of the API (`TrackRelease`); fields unknown to the sandbox are kept.
    #[serde(default)]
    pub releases: Vec<Value>,
    /// Fully rolled-out releases before the present one, oldest first. Halting a completed release needs one.
    #[serde(default)]
    pub earlier: Vec<Value>,
}

/// What decides whether a commit is accepted, apart from the tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlayConditions {
    /// Whether the app was ever published.
    pub stage: AppStage,
    /// Whether changes are in review.
    pub review: ReviewState,
    /// Whether commits are sent for review without a person.
    pub sending: Sending,
}

/// Whether an app was ever published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppStage {
    /// Published at least once.
    #[default]
    Published,
    /// Never published: only draft releases.
    Draft,
}

/// Whether changes of an app are in review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewState {
    /// Nothing is in review.
    #[default]
    Idle,
    /// Changes are in review.
    InReview,
}

/// Whether a commit is sent for review at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sending {
    /// At once; `changesNotSentForReview` must not be set.
    #[default]
    Automatic,
    /// By a person, as after a rejection; `changesNotSentForReview` must be set, and nothing goes live by a commit.
    Manual,
}

impl PlayAppSeed {
    /// An app without releases.
    pub fn new(package: &str) -> Self {
        Self {
            package: package.to_owned(),
            tracks: Vec::new(),
            version_codes: Vec::new(),
            devices: BTreeMap::new(),
            conditions: PlayConditions::default(),
        }
    }

    /// An app whose production track serves one version to everybody and offers a newer one to a fraction (0..1).
    pub fn staged(package: &str, completed: i64, staged: i64, user_fraction: f64) -> Self {
        let releases = vec![
            json!({"name": format!("{completed}"), "versionCodes": [completed.to_string()], "status": "completed"}),
            json!({"name": format!("{staged}"), "versionCodes": [staged.to_string()], "status": "inProgress",
                "userFraction": user_fraction}),
        ];
        Self::new(package).with_track("production", releases)
    }

    /// The same app with the releases of one more track.
    #[must_use]
    pub fn with_track(mut self, track: &str, releases: Vec<Value>) -> Self {
        self.tracks.push(TrackSeed { track: track.to_owned(), releases, earlier: Vec::new() });
        self
    }
}
