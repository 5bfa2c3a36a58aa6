//! Google BigQuery, where Firebase and Analytics export to: the warehouse of production.
//!
//! The documents of gcp-bigquery-client (jobs, parameters, tables, rows, errors) are used over our own HTTP. Its client
//! is not: it drops `Retry-After` and the status of an answer that is not JSON, polls without a limit, and makes an empty
//! result of an unfinished reply or of one without a schema. Here such a reply is an error. Nothing is read twice: what
//! is known of datasets and tables is asked once a run.
//!
//! It refuses to bill more than the cap of a run, to wait beyond the instant that it is given, to leave a job running
//! that nobody waits for, and to answer in part.

mod api;
mod budget;
mod error;
mod job;
mod look;
mod once;
mod tables;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

pub use self::api::AccessToken;
use self::api::Api;
use self::budget::Budget;
use self::error::Place;
pub use self::error::bytes;
use self::job::Jobs;
pub use self::look::TableLook;
use self::once::Once;
use self::tables::Dataset;
use super::events::{Answer, TableInfo, Warehouse};
use super::http::Service;
use crate::ports::PortError;
use crate::queries::{Engine, Query, Table};

/// The real service.
pub const BASE_URL: &str = "https://bigquery.googleapis.com";
/// What a token must allow: jobs can be inserted and cancelled with no narrower scope.
pub const SCOPE: &str = "https://www.googleapis.com/auth/bigquery";

/// Where the exports are, who pays, and how much at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The project that the exports are in.
    pub project: String,
    /// The project that queries are run in and billed to.
    pub billing_project: String,
    /// Where queries are run; none asks each dataset where it is.
    pub location: Option<String>,
    /// The most bytes that all queries of this run may be billed for together.
    pub max_bytes_billed: u64,
}

/// The exports of one project, for one run.
pub struct BigQuery {
    api: Arc<Api>,
    jobs: Jobs,
    location: Option<String>,
    datasets: Once<String, Option<Arc<Dataset>>>,
    tables: Once<Table, Option<TableInfo>>,
}

impl BigQuery {
    /// The exports of a project. Everything is done or given up `until` then, so it lies a little before the end of the
    /// run.
    ///
    /// # Errors
    /// Where a project id is none: it becomes part of queries and addresses.
    pub fn new(
        service: Service,
        token: Box<dyn AccessToken>,
        settings: Settings,
        until: Instant,
    ) -> Result<Self, PortError> {
        let Settings { project, billing_project, location, max_bytes_billed } = settings;
        for id in [&project, &billing_project] {
            wire::check_project(id)?;
        }
        let api = Arc::new(Api::new(service, token, project, billing_project, until));
        Ok(Self {
            jobs: Jobs::new(api.clone(), Budget::new(max_bytes_billed)),
            api,
            location,
            datasets: Once::default(),
            tables: Once::default(),
        })
    }

    async fn dataset(&self, name: &str) -> Result<Option<Arc<Dataset>>, PortError> {
        let asked = tables::dataset(&self.api, name, self.location.as_deref());
        self.datasets.get(name.to_owned(), asked).await
    }
}

#[async_trait]
impl Warehouse for BigQuery {
    fn engine(&self) -> Engine {
        Engine::BigQuery
    }

    async fn table(&self, table: &Table) -> Result<Option<TableInfo>, PortError> {
        match self.dataset(table.dataset()).await? {
            Some(dataset) if dataset.has(table.name()) => {
                self.tables.get(table.clone(), tables::info(&self.api, table)).await
            }
            _ => Ok(None),
        }
    }

    async fn run(&self, query: &Query) -> Result<Answer, PortError> {
        let Some(dataset) = self.dataset(query.table.dataset()).await? else {
            return Err(error::gone(&Place::table(&self.api, &query.table)));
        };
        self.jobs.answer(query, &dataset.location).await
    }
}
