//! The ledger of an app: what was decided, wanted, done and told, in order, each entry holding the hash of the one
//! before it.
//!
//! An entry is never changed and never deleted, so a change of any of them shows ([`verify()`]): its own hash no longer
//! fits, or the next entry's link, or the head. Bytes that were hashed are kept as they were hashed, so that a program
//! which knows more or fewer kinds can still verify them.
//!
//! What it does not do: there is no secret in it. Who may write the whole state can make a new chain of all entries and
//! its head. A hash of the head that is kept elsewhere shows that too.

mod verify;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::canonical;
use super::decision::Record;
use super::ids::{AppId, DecisionId, Platform};
use super::outbox::{Delivery, Message};
use super::persons_word::PersonsWord;
use super::rate::UserFraction;
use super::release::{Change, Release, ReleaseId, ReleaseState, RolloutStatus};

pub use self::verify::{Broken, Chain, How, verify};

/// What the first entry has in the place of the hash of the one before it.
pub const NO_PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The number of the first entry.
pub const FIRST: u64 = 1;

/// The shape of [`Entry`]; raised when a field changes its meaning.
const ENTRY_VERSION: u32 = 1;
/// The longest text of a service that is kept in an entry, in characters: enough to tell one failure from another.
const LONGEST_WORDS: usize = 500;

/// How a release stands in its store.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Where its rollout stands.
    pub status: RolloutStatus,
    /// The share of users it is offered to, where the store tells it.
    pub user_fraction: Option<UserFraction>,
}

impl From<&Release> for Standing {
    fn from(live: &Release) -> Self {
        Self { status: live.status, user_fraction: live.user_fraction }
    }
}

impl From<&ReleaseState> for Standing {
    fn from(state: &ReleaseState) -> Self {
        Self { status: state.last_seen, user_fraction: state.last_fraction }
    }
}

/// Who changes a release without an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Elsewhere {
    /// A person, another tool, or the store itself; or a run without a memory that was cut off before it told.
    Somebody,
    /// A run of this program that could reach no state: its message is in the channel.
    RunWithoutMemory,
}

/// What an entry tells of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Kind {
    /// A release was judged.
    Decided {
        /// The record of the decision.
        decision: DecisionId,
        /// Which release.
        release: ReleaseId,
        /// SHA-256 of the canonical text of the record.
        record: String,
    },
    /// A change of the store was written down before it was tried.
    Intended {
        /// The key of the intent.
        intent: String,
        /// Which release.
        release: ReleaseId,
        /// The decision that wants it.
        decision: DecisionId,
        /// What is wanted.
        change: Change,
        /// How the release stood.
        before: Standing,
    },
    /// The store was read back and shows the change.
    Confirmed {
        /// The key of the intent.
        intent: String,
        /// Which release.
        release: ReleaseId,
        /// How the release was remembered to stand.
        before: Standing,
        /// What the store showed.
        after: Standing,
    },
    /// Somebody else changed the release first; nothing was asked of the store.
    Superseded {
        /// The key of the intent.
        intent: String,
        /// Which release.
        release: ReleaseId,
        /// What was found.
        found: String,
    },
    /// The change was taken back before the store was asked: what raises exposure is never done on old evidence.
    Withdrawn {
        /// The key of the intent.
        intent: String,
        /// Which release.
        release: ReleaseId,
    },
    /// The change could not be made; a later run may try again.
    Failed {
        /// The key of the intent.
        intent: String,
        /// Which release.
        release: ReleaseId,
        /// What went wrong, in the store's words.
        problem: String,
    },
    /// A message is where people see it.
    Told {
        /// The key of the message.
        message: String,
        /// Which release it is about; its key is empty where it is about none.
        release: ReleaseId,
        /// What took it, as `slack`.
        sink: String,
        /// Where it is there: the channel.
        place: String,
    },
    /// A person's word.
    Controlled {
        /// Who said it, and why.
        word: PersonsWord,
        /// What was asked for.
        what: String,
        /// What it is about: a release's key, its version where no release of it is remembered, or the app's id.
        scope: String,
        /// Until when it holds; none for what is done once.
        until: Option<Timestamp>,
    },
    /// A release does not stand in its store as it was remembered, and no intent explains it: a person has changed it in
    /// the store's console, the store itself has, or a run that could remember nothing.
    ChangedElsewhere {
        /// Which release.
        release: ReleaseId,
        /// How it was remembered to stand; none where nothing was remembered of it.
        before: Option<Standing>,
        /// What the store showed.
        after: Standing,
        /// Who changed it, as far as that can be told.
        by: Elsewhere,
    },
    /// A release is judged by another configuration than before.
    ConfigChanged {
        /// Which release.
        release: ReleaseId,
        /// The fingerprint of the configuration before.
        before: String,
        /// The one of now.
        after: String,
    },
}

impl Kind {
    /// The entry of a decision.
    #[must_use]
    pub fn decided(record: &Record) -> Self {
        Self::Decided {
            decision: record.id.clone(),
            release: record.release.clone(),
            record: canonical::sha256(&canonical::text_of(record)),
        }
    }

    /// The entry of the intent that a decision has led to; none where it wants nothing.
    #[must_use]
    pub fn intended(state: &ReleaseState, decision: &DecisionId) -> Option<Self> {
        let intent = state.open_intent().filter(|intent| intent.decision == *decision);
        intent.map(|intent| Self::Intended {
            intent: intent.key.clone(),
            release: state.id.clone(),
            decision: intent.decision.clone(),
            change: intent.action.clone(),
            before: state.into(),
        })
    }

    /// The entry of an intent that was carried before, not carried out, and is not carried any more.
    #[must_use]
    pub fn withdrawn(before: &ReleaseState, after: &ReleaseState) -> Option<Self> {
        let intent = &before.open_intent()?.key;
        let is_carried = after.intent.as_ref().is_some_and(|carried| carried.key == *intent);
        (!is_carried).then(|| Self::Withdrawn { intent: intent.clone(), release: after.id.clone() })
    }

    /// The entry of a change that the store shows, given how the release was remembered.
    #[must_use]
    pub fn confirmed(state: &ReleaseState, intent: &str, live: &Release) -> Self {
        let (before, after) = (state.into(), live.into());
        Self::Confirmed { intent: intent.to_owned(), release: state.id.clone(), before, after }
    }

    /// The entry of a change that somebody else was faster than.
    #[must_use]
    pub fn superseded(state: &ReleaseState, intent: &str, found: &str) -> Self {
        let (intent, found) = (intent.to_owned(), found.to_owned());
        Self::Superseded { intent, release: state.id.clone(), found }
    }

    /// The entry of a message; none before it is where people see it.
    #[must_use]
    pub fn told(message: &Message) -> Option<Self> {
        let posted = message.posted.as_ref().filter(|_| message.delivery == Delivery::Sent)?;
        Some(Self::Told {
            message: message.key.clone(),
            release: message.release.clone(),
            sink: message.sink.as_str().to_owned(),
            place: posted.channel.clone(),
        })
    }

    /// The entry of a change that could not be made.
    #[must_use]
    pub fn failed(state: &ReleaseState, intent: &str, problem: &str) -> Self {
        Self::Failed {
            intent: intent.to_owned(),
            release: state.id.clone(),
            problem: problem.chars().take(LONGEST_WORDS).collect(),
        }
    }

    /// The entry of a change of the store that no intent explains; none where the release stands as it was remembered.
    /// The App Store raises the share of a phased release by itself, which is nobody's change.
    #[must_use]
    pub fn changed_elsewhere(before: &ReleaseState, after: Standing, by: Elsewhere) -> Option<Self> {
        let stood = Standing::from(before);
        let is_same_share = match (stood.user_fraction, after.user_fraction) {
            (Some(before), Some(after)) => before.is_about(after),
            (before, after) => before == after,
        };
        let shares_count =
            before.id.platform == Platform::Android && after.status == RolloutStatus::RollingOut;
        let is_same = stood.status == after.status && (is_same_share || !shares_count);
        let release = before.id.clone();
        (!is_same).then_some(Self::ChangedElsewhere { release, before: Some(stood), after, by })
    }

    /// Whether it is about a release.
    #[must_use]
    pub fn is_about(&self, wanted: &ReleaseId) -> bool {
        match self {
            Self::Decided { release, .. }
            | Self::Intended { release, .. }
            | Self::Confirmed { release, .. }
            | Self::Superseded { release, .. }
            | Self::Withdrawn { release, .. }
            | Self::Failed { release, .. }
            | Self::Told { release, .. }
            | Self::ChangedElsewhere { release, .. }
            | Self::ConfigChanged { release, .. } => release == wanted,
            Self::Controlled { scope, .. } => *scope == wanted.key || scope == wanted.app.as_str(),
        }
    }
}

/// What is to be entered, before it has a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    /// When it came about, by the clock of the run.
    pub at: Timestamp,
    /// What.
    pub kind: Kind,
}

impl Noted {
    /// The entry of a decision, at its own instant.
    #[must_use]
    pub fn decided(record: &Record) -> Self {
        Self { at: record.decided_at, kind: Kind::decided(record) }
    }

    /// The next entry of the ledger whose head that is, by the run that `run` names.
    #[must_use]
    pub fn sealed(&self, app: &AppId, run: &str, head: Option<&Head>) -> Sealed {
        let entry = Entry {
            version: ENTRY_VERSION,
            app: app.clone(),
            number: head.map_or(FIRST, |head| head.number.saturating_add(1)),
            previous: head.map_or(NO_PREVIOUS.to_owned(), |head| head.hash.clone()),
            at: self.at,
            run: run.to_owned(),
            kind: self.kind.clone(),
        };
        let text = canonical::text_of(&entry);
        Sealed { number: entry.number, hash: canonical::sha256(&text), text }
    }
}

/// An entry: its canonical text is what is hashed and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of its shape.
    pub version: u32,
    /// Whose ledger it is in.
    pub app: AppId,
    /// Its place, from [`FIRST`] on, without gaps.
    pub number: u64,
    /// The hash of the entry before it; [`NO_PREVIOUS`] for the first.
    pub previous: String,
    /// When it came about, by the clock of the run.
    pub at: Timestamp,
    /// The run that wrote it, as the lease names it.
    pub run: String,
    /// What it tells of.
    #[serde(flatten)]
    pub kind: Kind,
}

/// An entry as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// The number that it is kept under.
    pub number: u64,
    /// The canonical text of the [`Entry`].
    pub text: String,
    /// Hexadecimal SHA-256 of the text.
    pub hash: String,
}

impl Sealed {
    /// The entry; none where its text is none that this program knows.
    #[must_use]
    pub fn entry(&self) -> Option<Entry> {
        serde_json::from_str(&self.text).ok()
    }

    /// What a ledger that ends with it has as its head.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { number: self.number, hash: self.hash.clone() }
    }
}

/// The end of a ledger: kept apart from the entries, so that a last one that is gone is missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the newest entry.
    pub number: u64,
    /// Its hash.
    pub hash: String,
}

/// A part of a ledger, as a store gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries in the order of their numbers.
    pub entries: Vec<Sealed>,
    /// The head; none where nothing was ever entered.
    pub head: Option<Head>,
    /// Where the next page begins; none where there is no more.
    pub next: Option<u64>,
}

/// The whole ledger of an app, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Whose it is.
    pub app: AppId,
    /// Its entries in the order of their numbers.
    pub entries: Vec<Sealed>,
    /// Its head; none where nothing was ever entered.
    pub head: Option<Head>,
    /// What breaks the chain.
    pub broken: Vec<Broken>,
}

impl Ledger {
    /// The ledger that consists of these entries.
    #[must_use]
    pub fn verified(app: AppId, entries: Vec<Sealed>, head: Option<Head>) -> Self {
        let broken = verify(&app, &entries, head.as_ref());
        Self { app, entries, head, broken }
    }

    /// The entry of a decision, with the hash that its record had.
    #[must_use]
    pub fn told_of(&self, id: &DecisionId) -> Option<(u64, String)> {
        self.entries.iter().find_map(|sealed| match sealed.entry()?.kind {
            Kind::Decided { decision, record, .. } if decision == *id => Some((sealed.number, record)),
            _ => None,
        })
    }

    /// When its first entry came about; none where it can't be told.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        Some(self.entries.first()?.entry()?.at)
    }

    /// What came of a decision: every entry about its release after the one of that number, up to its next decision.
    #[must_use]
    pub fn after(&self, number: u64, release: &ReleaseId) -> Vec<&Sealed> {
        let later = self.entries.iter().filter(|sealed| sealed.number > number);
        let is_next = |kind: &Kind| matches!(kind, Kind::Decided { release: other, .. } if other == release);
        later
            .filter_map(|sealed| Some((sealed, sealed.entry()?.kind)))
            .take_while(|(_, kind)| !is_next(kind))
            .filter(|(_, kind)| kind.is_about(release))
            .map(|(sealed, _)| sealed)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted() -> Noted {
        let app = AppId::new("android").unwrap();
        let release = ReleaseId { app, platform: Platform::Android, key: "200".to_owned() };
        let kind = Kind::Told {
            message: "halt-0123456789abcdef".to_owned(),
            release,
            sink: "slack".to_owned(),
            place: "C0".to_owned(),
        };
        Noted { at: "2026-11-18T12:00:00Z".parse().unwrap(), kind }
    }

    #[test]
    fn the_bytes_of_an_entry_stay_what_they_are() {
        let app = AppId::new("android").unwrap();
        let first = noted().sealed(&app, "p/run", None);
        insta::assert_snapshot!(first.text, @r#"{"app":"android","at":"2026-11-18T12:00:00Z","kind":"told","message":"halt-0123456789abcdef","number":1,"place":"C0","previous":"0000000000000000000000000000000000000000000000000000000000000000","release":{"app":"android","key":"200","platform":"android"},"run":"p/run","sink":"slack","version":1}"#);
        insta::assert_snapshot!(first.hash, @"b7335fd3766bf2581018874d9cd9b53292854923f662fddad37a3dd2dc4cfaa6");
        let second = noted().sealed(&app, "p/run", Some(&first.head()));
        let entry = second.entry().unwrap();
        assert_eq!((entry.number, entry.previous), (2, first.hash));
        assert_eq!(entry.kind, noted().kind);
    }

    fn state(platform: Platform, status: RolloutStatus, share: Option<f64>) -> ReleaseState {
        let id = ReleaseId { app: AppId::new("app").unwrap(), platform, key: "200".to_owned() };
        let live = Release {
            key: id.key.clone(),
            version: crate::domain::ids::VersionName::new("2.0").unwrap(),
            builds: Vec::new(),
            status,
            user_fraction: share.map(|share| UserFraction::new(share).unwrap()),
            started_at: None,
            paused_days: None,
        };
        ReleaseState::first_seen(id, &live, noted().at, noted().at)
    }

    #[test]
    fn a_change_elsewhere_is_another_status_or_another_share_that_somebody_set() {
        use Platform::{Android, Ios};
        use RolloutStatus::{Completed, Halted, RollingOut};
        let cases = [
            (Android, (RollingOut, Some(0.15)), (RollingOut, Some(0.15)), false),
            (Android, (RollingOut, Some(0.15)), (RollingOut, Some(0.150_000_005_96)), false),
            (Android, (RollingOut, Some(0.15)), (RollingOut, Some(0.5)), true),
            (Android, (RollingOut, Some(0.5)), (RollingOut, Some(0.15)), true),
            (Android, (RollingOut, None), (RollingOut, Some(0.15)), true),
            (Ios, (RollingOut, Some(0.01)), (RollingOut, Some(0.02)), false),
            (Ios, (RollingOut, Some(0.01)), (Halted, Some(0.01)), true),
            (Android, (Halted, Some(0.15)), (Halted, None), false),
            (Android, (Halted, Some(0.15)), (RollingOut, Some(0.15)), true),
            (Android, (RollingOut, Some(0.15)), (Completed, None), true),
        ];
        for (platform, (status, share), (now, share_now), is_entered) in cases {
            let (before, after) = (state(platform, status, share), state(platform, now, share_now));
            let kind = Kind::changed_elsewhere(&before, Standing::from(&after), Elsewhere::Somebody);
            assert_eq!(
                kind.is_some(),
                is_entered,
                "{platform}: {status:?} {share:?} to {now:?} {share_now:?}"
            );
        }
    }

    #[test]
    fn a_failure_is_kept_in_few_words() {
        let state = state(Platform::Android, RolloutStatus::RollingOut, None);
        let Kind::Failed { problem, .. } = Kind::failed(&state, "halt-1", &"x".repeat(10_000)) else {
            panic!("it failed")
        };
        assert_eq!(problem.len(), LONGEST_WORDS);
        assert_eq!(
            Kind::intended(&state, &DecisionId::new("d-0123456789abcdef").unwrap()),
            None,
            "nothing is to be done"
        );
    }
}
