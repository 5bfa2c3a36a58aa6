//! What can be set up on the sandbox's App Store, with the API's own words for states.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An app on the App Store.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AscAppSeed {
    /// The bundle id.
    pub bundle_id: String,
    /// The name; the bundle id if left out.
    #[serde(default)]
    pub name: Option<String>,
    /// Its versions, oldest first.
    #[serde(default)]
    pub versions: Vec<AscVersionSeed>,
}

/// A version of an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AscVersionSeed {
    /// The version string, such as `26.3.0`.
    pub version: String,
    /// The build number of its build; left out, no build is attached.
    #[serde(default)]
    pub build: Option<String>,
    /// The platform.
    #[serde(default)]
    pub platform: Platform,
    /// The state.
    pub state: AppVersionState,
    /// When it was created; left out, now.
    #[serde(default)]
    pub created_date: Option<Timestamp>,
    /// Its phased release, if it has one.
    #[serde(default)]
    pub phased_release: Option<PhasedReleaseSeed>,
}

/// A phased release.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhasedReleaseSeed {
    /// The state.
    pub state: PhasedReleaseState,
    /// When its first day began; left out, now unless it is inactive.
    #[serde(default)]
    pub start_date: Option<Timestamp>,
    /// Whole days that it was paused so far.
    #[serde(default)]
    pub paused_days: u32,
}

/// The platform of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Apple's and say all there is")]
pub enum Platform {
    #[default]
    #[serde(rename = "IOS")]
    Ios,
    #[serde(rename = "MAC_OS")]
    MacOs,
    #[serde(rename = "TV_OS")]
    TvOs,
    #[serde(rename = "VISION_OS")]
    VisionOs,
}

/// The state of a version (`AppVersionState` of the API).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are Apple's and say all there is")]
pub enum AppVersionState {
    Accepted,
    DeveloperRejected,
    InReview,
    InvalidBinary,
    MetadataRejected,
    PendingAppleRelease,
    PendingDeveloperRelease,
    PrepareForSubmission,
    ProcessingForDistribution,
    ReadyForDistribution,
    ReadyForReview,
    Rejected,
    ReplacedWithNewVersion,
    WaitingForExportCompliance,
    WaitingForReview,
}

/// The state of a phased release (`PhasedReleaseState` of the API).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PhasedReleaseState {
    /// Not started: the version is not live yet.
    Inactive,
    /// Its days advance.
    Active,
    /// Its days stand still.
    Paused,
    /// Over: all users are offered the version.
    Complete,
}

impl AscAppSeed {
    /// An app with one replaced version and one live version whose phased release began at `start_date`.
    pub fn phased(bundle_id: &str, version: &str, build: &str, start_date: Timestamp) -> Self {
        let live = AscVersionSeed {
            build: Some(build.to_owned()),
            created_date: Some(start_date),
            phased_release: Some(PhasedReleaseSeed {
                state: PhasedReleaseState::Active,
                start_date: Some(start_date),
                paused_days: 0,
            }),
            ..AscVersionSeed::new(version, AppVersionState::ReadyForDistribution)
        };
        let first = AscVersionSeed::new("1.0.0", AppVersionState::ReplacedWithNewVersion);
        let first = AscVersionSeed { created_date: Some(start_date), ..first };
        Self { bundle_id: bundle_id.to_owned(), name: None, versions: vec![first, live] }
    }
}

impl AscVersionSeed {
    /// An iOS version without build or phased release.
    pub fn new(version: &str, state: AppVersionState) -> Self {
        Self {
            version: version.to_owned(),
            build: None,
            platform: Platform::Ios,
            state,
            created_date: None,
            phased_release: None,
        }
    }
}
