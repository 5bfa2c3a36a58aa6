//! `[state]`: where the program remembers. For the whole program, never for one app.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, value_or};
use super::text::{DatabaseId, FileName, ProjectId};

/// The default file of the state.
const DEFAULT_PATH: &str = "state.sqlite";
/// The default database, within the project.
const DEFAULT_DATABASE: &str = "tidegate";

/// Where the program remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum State {
    /// A SQLite file.
    Sqlite {
        /// The file as it was written; relative to the configuration file's directory.
        path: PathBuf,
    },
    /// A Firestore database that nothing else uses.
    Firestore {
        /// The project; none is the one of the environment.
        project: Option<String>,
        /// The database within the project.
        database: String,
    },
}

/// What is done for a bad release where the state can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DegradedHalt {
    /// It is halted.
    Made,
    /// Nothing; the run fails.
    NotMade,
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
    /// The Google Cloud project of the Firestore database, for `firestore`. Left out, the one that GOOGLE_CLOUD_PROJECT
    /// names.
    #[schemars(extend("examples" = ["my-project"]))]
    project: Option<At<ProjectId>>,
    /// The Firestore database, for `firestore`. One of its own: never `(default)`, which is the app's. Default: tidegate.
    #[schemars(extend("default" = DEFAULT_DATABASE))]
    database: Option<At<DatabaseId>>,
    /// Whether a bad release is halted even where the state can't be reached. Nothing else is done then. Default: true.
    #[schemars(extend("default" = true))]
    degraded_halt: Option<At<bool>>,
}

/// A kind of state store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "StateKind")]
enum Kind {
    /// A SQLite file.
    Sqlite,
    /// A Firestore database.
    Firestore,
}

impl RawState {
    pub(super) fn degraded_halt(&self) -> DegradedHalt {
        match value_or(self.degraded_halt.as_ref(), true) {
            true => DegradedHalt::Made,
            false => DegradedHalt::NotMade,
        }
    }

    pub(super) fn check(&self) -> State {
        match self.kind.as_ref().map_or(Kind::Sqlite, |kind| *kind.get()) {
            Kind::Sqlite => State::Sqlite {
                path: PathBuf::from(
                    self.path.as_ref().map_or_else(|| DEFAULT_PATH.to_owned(), |path| path.get().to_text()),
                ),
            },
            Kind::Firestore => State::Firestore {
                project: self.project.as_ref().map(|project| project.get().to_text()),
                database: self
                    .database
                    .as_ref()
                    .map_or_else(|| DEFAULT_DATABASE.to_owned(), |database| database.get().to_text()),
            },
        }
    }
}
