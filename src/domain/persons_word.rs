//! A person's word: who said it, why, and when. Nothing that rules decide can make one, so what only a person may do
//! asks for one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a person said through the command line or a manually started workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonsWord {
    actor: String,
    reason: String,
    at: Timestamp,
}

/// A person's word that does not say enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is empty; say who asks for it and why")]
pub struct Unsaid(&'static str);

impl PersonsWord {
    /// Takes a person's word. Only the commands that a person gives may call this; `tests/architecture.rs` watches.
    ///
    /// # Errors
    /// [`Unsaid`] where the actor or the reason is empty.
    pub fn given(actor: &str, reason: &str, at: Timestamp) -> Result<Self, Unsaid> {
        match (actor.trim(), reason.trim()) {
            ("", _) => Err(Unsaid("the actor")),
            (_, "") => Err(Unsaid("the reason")),
            (actor, reason) => Ok(Self { actor: actor.to_owned(), reason: reason.to_owned(), at }),
        }
    }

    /// Who said it.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}
