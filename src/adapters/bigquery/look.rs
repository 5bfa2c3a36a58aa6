//! What can be learnt of BigQuery without running a query: places, tables, rights, and what a query would cost.
//!
//! Nothing here is billed or leaves a trace: descriptions are free, and a dry run is checked and not run.
//! <https://cloud.google.com/bigquery/docs/running-queries#dry-run>.

use gcp_bigquery_client::model::job::Job;
use gcp_bigquery_client::model::table::Table as TableDocument;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::{Failure, Place};
use super::{BigQuery, tables, wire};
use crate::ports::PortError;
use crate::queries::{Query, Table};

/// What a table's description says of its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableLook {
    /// What its rows are kept apart by; none where any query reads the whole table.
    pub partitioned_by: Option<String>,
    /// When rows were last written into its storage; none for a view.
    pub modified_at: Option<Timestamp>,
    /// Whether rows are in its streaming buffer, where they stay for 90 minutes at most.
    pub is_streaming: bool,
}

impl BigQuery {
    /// Where a dataset is; none where it is not there.
    ///
    /// # Errors
    /// Where it may not be looked at, or could not be asked for.
    pub async fn location_of(&self, dataset: &str) -> Result<Option<String>, PortError> {
        Ok(self.dataset(dataset).await?.map(|found| found.location.clone()))
    }

    /// Proves the right to run queries in the project that pays, by a dry run of a constant.
    ///
    /// # Errors
    /// Where the right is missing, or BigQuery could not be asked.
    pub async fn check_jobs(&self, location: Option<&str>) -> Result<(), PortError> {
        let body = json!({
            "configuration": {"dryRun": true, "query": {"query": "SELECT 1", "useLegacySql": false}},
            "jobReference": {"projectId": self.api.billing_project(), "location": location},
        });
        let asked: Result<Value, Failure> = self.api.send(self.api.job_path("jobs"), body).await;
        asked.map(drop).map_err(|failure| Place::project(&self.api).error(&failure))
    }

    /// The bytes that a query would process, by a dry run, which also proves the right to read its table.
    ///
    /// # Errors
    /// Where the query would be refused, or BigQuery could not be asked.
    pub async fn estimate(&self, query: &Query) -> Result<u64, PortError> {
        // Many of these are awaited at once, and what they hold is too much for a stack.
        let estimated = Box::pin(self.estimated(query)).await;
        estimated.map_err(|failure| Place::query(&self.api, query, 0).error(&failure))
    }

    async fn estimated(&self, query: &Query) -> Result<u64, Failure> {
        let place = Place::table(&self.api, &query.table);
        let dataset =
            self.dataset(query.table.dataset()).await.map_err(|error| Failure::Token(Box::new(error)))?;
        let dataset = dataset.ok_or_else(|| Failure::Token(Box::new(super::error::gone(&place))))?;
        let mut body = wire::job(&self.api, query, "", &dataset.location, 0)?;
        // A dry run makes no job, and a limit would refuse what it is meant to tell.
        body["configuration"]["dryRun"] = json!(true);
        remove(&mut body["configuration"]["query"], "maximumBytesBilled");
        remove(&mut body["jobReference"], "jobId");
        let job: Job = self.api.send(self.api.job_path("jobs"), body).await?;
        let bytes = job.statistics.and_then(|statistics| statistics.total_bytes_processed?.parse().ok());
        bytes.ok_or_else(|| Failure::Odd("the dry run does not say how many bytes it would read".to_owned()))
    }

    /// What a table's description says; none where it is not there.
    ///
    /// # Errors
    /// Where it may not be looked at, or could not be asked for.
    pub async fn look(&self, table: &Table) -> Result<Option<TableLook>, PortError> {
        Ok(tables::document(&self.api, table).await?.as_ref().map(look))
    }
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove(field);
    }
}

fn look(document: &TableDocument) -> TableLook {
    let by_time = document.time_partitioning.as_ref();
    let by_time = by_time.map(|by| by.field.clone().unwrap_or_else(|| "the time of loading".to_owned()));
    let by_range = document.range_partitioning.as_ref().map(|_| "a range of numbers".to_owned());
    let modified = document.last_modified_time.as_ref().and_then(|text| text.parse().ok());
    TableLook {
        partitioned_by: by_time.or(by_range),
        modified_at: modified.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        is_streaming: document.streaming_buffer.is_some(),
    }
}
