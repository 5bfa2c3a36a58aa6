//! `[warehouse]`: where the events are. For the whole program, never for one app.
//!
//! The keys of one kind say nothing under the other, so that a file can be switched between the two by `kind` alone.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use super::bytes::Bytes;
use super::error::Problem;
use super::text::{FileName, LocationName, ProjectId};

/// The default file of the embedded warehouse.
const DEFAULT_PATH: &str = "warehouse.sqlite";
/// The default cap of a run, as it is written: a mistake is stopped, and a large app's day fits in.
const DEFAULT_CAP: &str = "20 GiB";
/// The same in bytes.
const DEFAULT_CAP_BYTES: u64 = 20 << 30;
/// The least that BigQuery bills a query for, in bytes: under a smaller cap none could run.
const LEAST_BILLED_BYTES: u64 = 10 << 20;

/// Where the events are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Warehouse {
    /// A SQLite file with the export tables in it.
    Embedded {
        /// The file as it was written; relative to the configuration file's directory.
        path: PathBuf,
    },
    /// Google BigQuery.
    #[serde(rename = "bigquery")]
    BigQuery {
        /// The project that the exports are in.
        project: String,
        /// The project that queries are run in and billed to.
        billing_project: String,
        /// Where queries are run; none asks each dataset where it is.
        location: Option<String>,
        /// The most bytes that the queries of one run may be billed for together.
        max_bytes_billed_per_run: u64,
        /// The bytes that are meant to be billed in a month; none sets no budget.
        budget_per_month: Option<u64>,
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
    /// The project that the exports are in, for bigquery. Left out, that of `[gcp]`.
    #[schemars(extend("examples" = ["my-project"]))]
    project: Option<At<ProjectId>>,
    /// The project that queries are run in and billed to, for bigquery. Left out, the project of the exports.
    #[schemars(extend("examples" = ["my-billing-project"]))]
    billing_project: Option<At<ProjectId>>,
    /// Where queries are run, for bigquery. Left out, each dataset is asked where it is.
    #[schemars(extend("examples" = ["EU"]))]
    location: Option<At<LocationName>>,
    /// The most that the queries of one run may be billed for together, for bigquery. Default: 20 GiB.
    #[schemars(extend("default" = DEFAULT_CAP))]
    max_bytes_billed_per_run: Option<At<Bytes>>,
    /// What is meant to be billed in a month, for bigquery. Left out, there is no budget.
    #[schemars(extend("examples" = ["1 TiB"]))]
    budget_per_month: Option<At<Bytes>>,
}

/// A kind of warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "WarehouseKind")]
enum Kind {
    /// A SQLite file with the export tables in it, filled by `tidegate import`.
    Embedded,
    /// Google BigQuery, where Firebase and Analytics export to.
    #[serde(rename = "bigquery")]
    BigQuery,
}

impl RawWarehouse {
    pub(super) fn check(&self, of_gcp: Option<&str>) -> Result<Warehouse, Problem> {
        match self.kind.as_ref().map_or(Kind::Embedded, |kind| *kind.get()) {
            Kind::Embedded => Ok(Warehouse::Embedded {
                path: PathBuf::from(
                    self.path.as_ref().map_or_else(|| DEFAULT_PATH.to_owned(), |path| path.get().to_text()),
                ),
            }),
            Kind::BigQuery => self.bigquery(of_gcp),
        }
    }

    fn bigquery(&self, of_gcp: Option<&str>) -> Result<Warehouse, Problem> {
        let text = |given: &Option<At<ProjectId>>| given.as_ref().map(|id| id.get().to_text());
        let project = text(&self.project).or_else(|| of_gcp.map(str::to_owned));
        let project = project.ok_or_else(|| self.without_project())?;
        Ok(Warehouse::BigQuery {
            billing_project: text(&self.billing_project).unwrap_or_else(|| project.clone()),
            project,
            location: self.location.as_ref().map(|location| location.get().to_text()),
            max_bytes_billed_per_run: self.cap()?,
            budget_per_month: self.budget_per_month.as_ref().map(|budget| budget.get().count()),
        })
    }

    fn without_project(&self) -> Problem {
        Problem::new(
            self.kind.as_ref().map_or(0..0, At::span),
            "no `project` in [warehouse]: BigQuery must be told where the exports are",
            "add `project = \"my-project\"`, the id of the Firebase project, next to it, or in [gcp]",
        )
    }

    fn cap(&self) -> Result<u64, Problem> {
        let Some(cap) = &self.max_bytes_billed_per_run else { return Ok(DEFAULT_CAP_BYTES) };
        if cap.get().count() >= LEAST_BILLED_BYTES {
            return Ok(cap.get().count());
        }
        Err(Problem::new(
            cap.span(),
            "`max_bytes_billed_per_run` in [warehouse] is below 10 MiB, the least that BigQuery bills a query for",
            format!("write `max_bytes_billed_per_run = {DEFAULT_CAP:?}`; no query could be run"),
        ))
    }
}
