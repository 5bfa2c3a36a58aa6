//! What can be set up on the sandbox's BigQuery: datasets and what may be done with them, the shape of tables, and how
//! jobs go.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::ErrorReason;

/// The location of a dataset unless another is set.
const US: &str = "US";

/// A dataset of a project; the project comes with its first one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSeed {
    /// The project.
    pub project: String,
    /// The dataset.
    pub dataset: String,
    /// Where it is: `US` unless set.
    #[serde(default = "us")]
    pub location: String,
    /// Whether the caller may read it.
    #[serde(default)]
    pub access: Access,
    /// A warehouse file of the embedded engine, whose tables of this dataset it serves; left out, it has no tables.
    #[serde(default)]
    pub warehouse: Option<PathBuf>,
}

fn us() -> String {
    US.to_owned()
}

impl DatasetSeed {
    /// A dataset in the US that the caller may read.
    pub fn new(project: &str, dataset: &str, warehouse: impl Into<PathBuf>) -> Self {
        Self {
            project: project.to_owned(),
            dataset: dataset.to_owned(),
            location: us(),
            access: Access::Allowed,
            warehouse: Some(warehouse.into()),
        }
    }

    /// The same dataset elsewhere.
    #[must_use]
    pub fn located(mut self, location: &str) -> Self {
        self.location = location.to_owned();
        self
    }
}

/// Whether the caller may use something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// The caller may.
    #[default]
    Allowed,
    /// The caller may not.
    Denied,
    /// It is not there.
    Missing,
}

/// A change of a dataset; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatasetChange {
    /// Where it is.
    pub location: Option<String>,
    /// Whether the caller may read it.
    pub access: Option<Access>,
    /// The warehouse file whose tables it serves.
    pub warehouse: Option<PathBuf>,
}

/// How a table differs from what the warehouse has; set as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableConditions {
    /// How it is partitioned; left out, Firebase tables by `event_timestamp` and those of Analytics not at all.
    pub partitioning: Option<TablePartitioning>,
    /// Columns that it lacks, fields of records as `record.field`.
    pub hidden: Vec<String>,
    /// Columns of type STRING that it has besides.
    pub extra: Vec<String>,
    /// The bytes that a query of it processes, instead of those of its rows.
    pub bytes: Option<u64>,
}

/// How a table is partitioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TablePartitioning {
    /// By the day of `event_timestamp`.
    Column,
    /// By the day of loading.
    LoadTime,
    /// Not at all.
    None,
}

/// How jobs go, in every project; set as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobConditions {
    /// How often a job that is started from now on says that it is running, before it is done.
    pub running_polls: u32,
    /// The most rows of a page, below what the caller asks for.
    pub page_rows: Option<usize>,
    /// How the next jobs end, one each, instead of with an answer.
    pub failures: Vec<JobFailure>,
}

/// The bad end of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFailure {
    /// BigQuery's word for it.
    pub reason: ErrorReason,
    /// BigQuery's text.
    pub message: String,
}

impl JobFailure {
    /// A failure for no fault of the job's own, which is to be tried again with another job id.
    pub fn backend() -> Self {
        Self {
            reason: ErrorReason::JobBackendError,
            message: "Error encountered during job execution:\nAn internal error occurred. Retry the job."
                .to_owned(),
        }
    }
}
