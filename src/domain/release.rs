//! A release as the store tells it, and what the program remembers of it between runs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::advance::{ShareHistory, Step};
use super::calendar::UtcDay;
use super::ids::{AppId, BuildNumber, DecisionId, Platform, VersionName};
use super::looking::Looked;
use super::pause_budget::Pauses;
use super::persons_word::PersonsWord;
use super::rate::UserFraction;

/// Where a rollout stands, in the domain's words. Adapters translate: Play `inProgress` and App Store `ACTIVE` are
/// rolling out; Play `halted` and App Store `PAUSED` are halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutStatus {
    /// Not offered to anybody yet.
    Pending,
    /// Offered to a growing share of users.
    RollingOut,
    /// No longer offered; those who have it keep it.
    Halted,
    /// Offered to everybody.
    Completed,
}

impl RolloutStatus {
    /// The words for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::RollingOut => "rolling out",
            Self::Halted => "halted",
            Self::Completed => "completed",
        }
    }
}

/// One release, as the store shows it now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The store's identity: Play's version codes joined by `+`, the App Store's version id.
    pub key: String,
    /// The version that people see.
    pub version: VersionName,
    /// Every build of it.
    pub builds: Vec<BuildNumber>,
    /// Where its rollout stands.
    pub status: RolloutStatus,
    /// The share of users it is offered to, where the store tells it.
    pub user_fraction: Option<UserFraction>,
    /// When the store says that the rollout started; Play tells no date.
    pub started_at: Option<Timestamp>,
    /// The days that it has been paused altogether, where the store counts them (App Store: 30 at most).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_days: Option<u32>,
}

/// Which release of which app a record is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReleaseId {
    /// The app in the configuration.
    pub app: AppId,
    /// The platform of the app.
    pub platform: Platform,
    /// [`Release::key`].
    pub key: String,
}

/// What evidence may lead to. There is no way to say "resume": only a person does that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Stop offering the release (Play `halted`, App Store `PAUSED`).
    Halt,
    /// Offer the release to everybody now (Play `completed`, App Store `COMPLETE`).
    FastTrack,
    /// Offer the release to a larger share of users.
    Raise {
        /// The share that the store showed.
        from: UserFraction,
        /// The share that it is to show.
        to: UserFraction,
    },
}

impl Action {
    /// The status that the store shows once the action has taken effect.
    #[must_use]
    pub fn target(self) -> RolloutStatus {
        match self {
            Self::Halt => RolloutStatus::Halted,
            Self::FastTrack => RolloutStatus::Completed,
            Self::Raise { from, to } if (Step { from, to }).completes() => RolloutStatus::Completed,
            Self::Raise { .. } => RolloutStatus::RollingOut,
        }
    }

    /// The word of the machine output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Halt => "halt",
            Self::FastTrack => "fast-track",
            Self::Raise { .. } => "raise",
        }
    }

    /// The share of users after it; none where it offers the release to nobody new.
    #[must_use]
    pub fn share(self) -> Option<UserFraction> {
        match self {
            Self::Halt => None,
            Self::FastTrack => Some(UserFraction::EVERYBODY),
            Self::Raise { to, .. } => Some(to),
        }
    }
}

/// What a store can be asked for. What only a person may want carries the person's word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Stop offering a release that is rolling out.
    Halt,
    /// Offer a release that is rolling out to everybody.
    FastTrack,
    /// Offer a release that is rolling out to a larger share of users.
    Raise {
        /// The share on which this was decided: where the store shows another, a person has set it since.
        from: UserFraction,
        /// The share.
        to: UserFraction,
    },
    /// Offer a pending release, in the place of one that is rolling out (a hotfix takes over its share).
    Start {
        /// The share.
        at: UserFraction,
    },
    /// Stop offering a release, even one that everybody is offered already.
    Withdraw {
        /// Who asked for it.
        word: PersonsWord,
    },
    /// Offer a halted release again.
    Resume {
        /// The share; none for the one at which it was halted.
        at: Option<UserFraction>,
        /// Who asked for it.
        word: PersonsWord,
    },
}

impl From<Action> for Change {
    fn from(action: Action) -> Self {
        match action {
            Action::Halt => Self::Halt,
            Action::FastTrack => Self::FastTrack,
            Action::Raise { from, to } => Self::Raise { from, to },
        }
    }
}

impl Change {
    /// The word of the machine output and of keys.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Halt | Self::Withdraw { .. } => "halt",
            Self::FastTrack => "fast-track",
            Self::Raise { .. } => "raise",
            Self::Start { .. } => "start",
            Self::Resume { .. } => "resume",
        }
    }

    /// Whether it stops a release, which may be done on evidence of an earlier run.
    #[must_use]
    pub fn stops(&self) -> bool {
        match self {
            Self::Halt | Self::Withdraw { .. } => true,
            Self::FastTrack | Self::Raise { .. } | Self::Start { .. } | Self::Resume { .. } => false,
        }
    }
}

/// How far an intent has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "status", content = "reason")]
pub enum IntentStatus {
    /// Committed before the store was touched; the next run goes on with it.
    Planned,
    /// The store was read back and shows the target.
    Confirmed,
    /// Somebody else changed the release first; says what was found.
    Superseded(String),
}

/// An effect that was decided and written down before it was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The same for every run that wants this effect.
    pub key: String,
    /// What is wanted.
    pub action: Change,
    /// How far it has come.
    pub status: IntentStatus,
    /// The decision that wants it.
    pub decision: DecisionId,
    /// When it was first written down.
    pub planned_at: Timestamp,
}

impl Intent {
    /// Whether something is left to do.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == IntentStatus::Planned
    }
}

/// What the program remembers of a release between runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseState {
    /// Which release.
    pub id: ReleaseId,
    /// Its version, for messages about it when the store no longer lists it.
    pub version: VersionName,
    /// Rises by one each time a person resumes the release after a halt.
    pub generation: u32,
    /// Counting starts here: the store's date, or the first sight, or the person's resume.
    pub cycle_start: Timestamp,
    /// The status that the store showed last.
    pub last_seen: RolloutStatus,
    /// The share of users that the store showed last.
    pub last_fraction: Option<UserFraction>,
    /// When the store was last looked at and listed it.
    pub looked_at: Timestamp,
    /// When the one fast-track check of this cycle was made.
    pub fast_track_checked_at: Option<Timestamp>,
    /// The UTC day on which the last days were read again for late rows.
    pub settled_on: Option<UtcDay>,
    /// The newest session of any version that was ever seen.
    pub newest_session_at: Option<Timestamp>,
    /// The newest crash report of any version that was ever seen.
    pub newest_crash_at: Option<Timestamp>,
    /// What is remembered of earlier looks at the tables.
    #[serde(default)]
    pub looked: Looked,
    /// How long it has been paused, where the store allows only so much of it.
    #[serde(default, skip_serializing_if = "Pauses::is_empty")]
    pub pauses: Pauses,
    /// The effect that was decided last.
    pub intent: Option<Intent>,
    /// How its present share of users came about.
    #[serde(default, skip_serializing_if = "ShareHistory::is_empty")]
    pub share: ShareHistory,
    /// The fingerprint of the configuration that it was judged by last.
    #[serde(default)]
    pub configuration: Option<String>,
}

impl ReleaseState {
    /// The state of a release that is seen for the first time.
    #[must_use]
    pub fn first_seen(id: ReleaseId, release: &Release, cycle_start: Timestamp, now: Timestamp) -> Self {
        Self {
            pauses: Pauses::default().seen(id.platform, release, now),
            id,
            version: release.version.clone(),
            generation: 0,
            cycle_start,
            last_seen: release.status,
            last_fraction: release.user_fraction,
            looked_at: now,
            fast_track_checked_at: None,
            settled_on: None,
            newest_session_at: None,
            newest_crash_at: None,
            looked: Looked::default(),
            intent: None,
            share: ShareHistory::default(),
            configuration: None,
        }
    }

    /// Notes what it is judged by now. Answers what it was judged by before, where that was something else.
    pub fn judged_by(&mut self, configuration: &str) -> Option<String> {
        self.configuration.replace(configuration.to_owned()).filter(|before| before != configuration)
    }

    /// Whether a halt was decided and is not there yet. Nothing else is judged meanwhile.
    #[must_use]
    pub fn waits_for_a_halt(&self) -> bool {
        self.open_intent().is_some_and(|intent| intent.action.stops())
    }

    /// Takes back a fast-track or a raise that was decided and is not there yet: what raises exposure is never done on
    /// evidence of an earlier run. The check of a fast-track may be made again.
    pub fn withdraw_what_raises(&mut self) {
        match self.open_intent().map(|intent| &intent.action) {
            Some(Change::FastTrack) => (self.intent, self.fast_track_checked_at) = (None, None),
            Some(Change::Raise { .. }) => self.intent = None,
            _ => {}
        }
    }

    /// Takes in what the store shows now.
    pub fn shows(&mut self, live: &Release, now: Timestamp) {
        self.share = self.share.seen(self.last_fraction, live, now);
        self.last_seen = live.status;
        self.last_fraction = live.user_fraction;
    }

    /// The intent that a killed run may have left half done.
    #[must_use]
    pub fn open_intent(&self) -> Option<&Intent> {
        self.intent.as_ref().filter(|intent| intent.is_open())
    }
}
