//! `[warehouse]`: where the events are. For the whole program, never for one app.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use super::text::FileName;

/// The default file of the embedded warehouse.
const DEFAULT_PATH: &str = "warehouse.sqlite";
/// The kinds that are planned and not in this version.
pub(super) const LATER: &[&str] = &["bigquery"];

/// Where the events are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Warehouse {
    /// A SQLite file with the export tables in it.
    Embedded {
        /// The file as it was written; relative to the configuration file's directory.
        path: PathBuf,
    },
}

/// Where the events are. For the whole program.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Warehouse")]
pub(super) struct RawWarehouse {
    /// The kind of warehouse. Default: embedded.
    #[schemars(extend("default" = Kind::Embedded))]
    kind: Option<At<Kind>>,
    /// The file of the embedded warehouse, relative to the configuration file's directory. Default: warehouse.sqlite.
    #[schemars(extend("default" = DEFAULT_PATH))]
    path: Option<At<FileName>>,
}

/// A kind of warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "WarehouseKind")]
enum Kind {
    /// A SQLite file with the export tables in it, filled by `tidegate import`.
    Embedded,
}

impl RawWarehouse {
    pub(super) fn check(&self) -> Warehouse {
        match self.kind.as_ref().map_or(Kind::Embedded, |kind| *kind.get()) {
            Kind::Embedded => Warehouse::Embedded {
                path: PathBuf::from(
                    self.path.as_ref().map_or_else(|| DEFAULT_PATH.to_owned(), |path| path.get().to_text()),
                ),
            },
        }
    }
}
