//! An examination of a recorded decision: does it follow from its own evidence, and does the ledger vouch for it?
//!
//! Two questions with two answers. A record that was changed as a whole, so that it is judged to the same decision
//! again, is still not the one whose hash is in the ledger. One that is older than the ledger can be judged again and
//! nothing more.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::canonical::{self, Difference};
use super::decision::Record;
use super::ids::DecisionId;
use super::ledger::Ledger;

/// What the ledger says of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "vouched", rename_all = "kebab-case")]
pub enum Vouched {
    /// It is the one that the entry was written for.
    By {
        /// The number of the entry.
        entry: u64,
    },
    /// It is another than the one that the entry was written for.
    Replaced {
        /// The number of the entry.
        entry: u64,
    },
    /// It was decided before the ledger began.
    OlderThanTheLedger,
    /// It has no entry, though the ledger goes back further.
    Nowhere {
        /// When the ledger began.
        since: Timestamp,
    },
}

impl Vouched {
    /// What the ledger says of the stored text of a decision. `decided_at` is what the text itself says.
    #[must_use]
    pub fn of(id: &DecisionId, text: &str, decided_at: Timestamp, ledger: &Ledger) -> Self {
        match (ledger.told_of(id), ledger.since()) {
            (Some((entry, hash)), _) if hash == canonical::sha256(text) => Self::By { entry },
            (Some((entry, _)), _) => Self::Replaced { entry },
            (None, Some(since)) if decided_at > since => Self::Nowhere { since },
            (None, _) => Self::OlderThanTheLedger,
        }
    }

    /// The number of its entry.
    #[must_use]
    pub fn entry(&self) -> Option<u64> {
        match self {
            Self::By { entry } | Self::Replaced { entry } => Some(*entry),
            Self::OlderThanTheLedger | Self::Nowhere { .. } => None,
        }
    }
}

/// Where the stored text of a record differs from what its own evidence gives now; nowhere where it is the same to the
/// byte. The stored side is the first.
///
/// # Errors
/// Where the text is no JSON.
pub fn recomputed(text: &str, record: &Record) -> Result<Vec<Difference>, serde_json::Error> {
    let stored: Value = serde_json::from_str(text)?;
    let again = serde_json::to_value(record.judged_again())?;
    Ok(canonical::differences(&stored, &again))
}
