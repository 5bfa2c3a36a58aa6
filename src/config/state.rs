//! `[state]`: where the program remembers. For the whole program, never for one app.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use super::text::FileName;

/// The default file of the state.
const DEFAULT_PATH: &str = "state.sqlite";
/// The kinds that are planned and not in this version.
pub(super) const LATER: &[&str] = &["firestore"];

/// Where the program remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum State {
    /// A SQLite file.
    Sqlite {
        /// The file as it was written; relative to the configuration file's directory.
        path: PathBuf,
    },
}

/// Where the program remembers. For the whole program.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "State")]
pub(super) struct RawState {
    /// The kind of state store. Default: sqlite.
    #[schemars(extend("default" = Kind::Sqlite))]
    kind: Option<At<Kind>>,
    /// The file of the state, relative to the configuration file's directory. It must outlive a run. Default: state.sqlite.
    #[schemars(extend("default" = DEFAULT_PATH))]
    path: Option<At<FileName>>,
}

/// A kind of state store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "StateKind")]
enum Kind {
    /// A SQLite file.
    Sqlite,
}

impl RawState {
    pub(super) fn check(&self) -> State {
        match self.kind.as_ref().map_or(Kind::Sqlite, |kind| *kind.get()) {
            Kind::Sqlite => State::Sqlite {
                path: PathBuf::from(
                    self.path.as_ref().map_or_else(|| DEFAULT_PATH.to_owned(), |path| path.get().to_text()),
                ),
            },
        }
    }
}
