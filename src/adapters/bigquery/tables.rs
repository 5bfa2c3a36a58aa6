//! What is known of datasets and tables without reading a row: free to ask, and asked once a run.
//!
//! Names are never trusted: the list of the dataset says what is there. A dataset that is not there has no tables; one
//! that may not be looked at is an error, for the apps that need it alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use gcp_bigquery_client::model::dataset::Dataset as DatasetDocument;
use gcp_bigquery_client::model::field_type::FieldType;
use gcp_bigquery_client::model::table::Table as TableDocument;
use gcp_bigquery_client::model::table_field_schema::TableFieldSchema;
use gcp_bigquery_client::model::table_list::TableList;
use serde::Deserialize as _;
use serde_json::Value;

use super::api::{Api, encoded};
use super::error::{Failure, Place};
use crate::adapters::events::TableInfo;
use crate::ports::PortError;
use crate::queries::{Partitioning, Shape, Table};

/// Tables that are listed in one request: Analytics has two a day.
const TABLES_A_PAGE: u32 = 1_000;
/// The type of a table that holds rows itself.
const PLAIN_TABLE: &str = "TABLE";

/// A dataset that is there.
#[derive(Debug)]
pub struct Dataset {
    /// Where its queries must be run.
    pub location: String,
    tables: BTreeSet<String>,
}

impl Dataset {
    /// Whether it has a table.
    pub fn has(&self, table: &str) -> bool {
        self.tables.contains(table)
    }
}

/// A dataset; `None` where it is not there.
///
/// # Errors
/// Where it could not be asked for, or may not be looked at.
pub async fn dataset(
    api: &Api,
    name: &str,
    location: Option<&str>,
) -> Result<Option<Arc<Dataset>>, PortError> {
    let looked = async {
        let location = match location {
            Some(location) => location.to_owned(),
            None => location_of(api, name).await?,
        };
        Ok(Arc::new(Dataset { location, tables: tables_of(api, name).await? }))
    };
    there(looked.await).map_err(|failure| Place::dataset(api, name).error(&failure))
}

/// What is known of a table; `None` where it is not there.
///
/// # Errors
/// Where it could not be asked for, or may not be looked at.
pub async fn info(api: &Api, table: &Table) -> Result<Option<TableInfo>, PortError> {
    let described = document(api, table).await?.map(|document| described(&document)).transpose();
    described.map_err(|failure| Place::table(api, table).error(&failure))
}

/// The description of a table; `None` where it is not there.
///
/// # Errors
/// As for [`info`].
pub async fn document(api: &Api, table: &Table) -> Result<Option<TableDocument>, PortError> {
    let looked = async {
        let path = api.dataset_path(table.dataset(), &format!("/tables/{}", table.name()));
        let mut document = api.read_value(path).await?;
        // The crate knows fewer types than BigQuery has. A column of another type is none that is read here.
        fields_of(document.get_mut("schema")).for_each(call_unknown_types_json);
        serde_json::from_value(document).map_err(|error| {
            Failure::Odd(format!("the table's description is not what the API describes: {error}"))
        })
    };
    there(looked.await).map_err(|failure| Place::table(api, table).error(&failure))
}

fn there<T>(looked: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.is_absence() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// <https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets/get>.
async fn location_of(api: &Api, name: &str) -> Result<String, Failure> {
    let document: DatasetDocument = api.read(api.dataset_path(name, "")).await?;
    let location = document.location.filter(|location| !location.is_empty());
    location.ok_or_else(|| Failure::Odd("the dataset does not say where it is".to_owned()))
}

/// <https://cloud.google.com/bigquery/docs/reference/rest/v2/tables/list>.
async fn tables_of(api: &Api, name: &str) -> Result<BTreeSet<String>, Failure> {
    let mut tables = BTreeSet::new();
    let mut token: Option<String> = None;
    loop {
        let page = token.as_deref().map(|token| format!("&pageToken={}", encoded(token))).unwrap_or_default();
        let list: TableList =
            api.read(api.dataset_path(name, &format!("/tables?maxResults={TABLES_A_PAGE}{page}"))).await?;
        if list.kind.is_none() && list.tables.is_none() && list.total_items.is_none() {
            return Err(Failure::Odd("the list of tables is no list".to_owned()));
        }
        tables
            .extend(list.tables.unwrap_or_default().into_iter().map(|table| table.table_reference.table_id));
        let next = list.next_page_token.filter(|token| !token.is_empty());
        match next {
            None => return Ok(tables),
            Some(next) if token.as_ref() == Some(&next) => {
                return Err(Failure::Odd("the list of tables has no end".to_owned()));
            }
            Some(next) => token = Some(next),
        }
    }
}

/// <https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#resource:-table>.
fn described(document: &TableDocument) -> Result<TableInfo, Failure> {
    let fields = document.schema.fields.as_deref().filter(|fields| !fields.is_empty());
    let fields = fields.ok_or_else(|| Failure::Odd("the table has no columns".to_owned()))?;
    let mut columns = BTreeSet::new();
    name_columns("", fields, &mut columns);
    let by_load_time = document.time_partitioning.as_ref().is_some_and(|by| by.field.is_none());
    let partitioning = if by_load_time { Partitioning::ByLoadTime } else { Partitioning::ByColumnOrNone };
    Ok(TableInfo { shape: Shape::new(columns, partitioning), mark: mark(document) })
}

/// Fields of records as `record.field`. Case means nothing in names of columns, and those of a repeated record can't be
/// read by their path.
fn name_columns(prefix: &str, fields: &[TableFieldSchema], columns: &mut BTreeSet<String>) {
    for field in fields {
        let name = format!("{prefix}{}", field.name.to_ascii_lowercase());
        let is_record = matches!(field.r#type, FieldType::Record | FieldType::Struct);
        if is_record && field.mode.as_deref() != Some("REPEATED") {
            name_columns(&format!("{name}."), field.fields.as_deref().unwrap_or_default(), columns);
        }
        columns.insert(name);
    }
}

/// Changes whenever rows come. The rows of a view are elsewhere, so a view has none.
fn mark(document: &TableDocument) -> Option<String> {
    let (rows, modified) = (document.num_rows.as_ref()?, document.last_modified_time.as_ref()?);
    if document.r#type.as_deref() != Some(PLAIN_TABLE) {
        return None;
    }
    let buffer = document.streaming_buffer.as_ref().map(|buffer| {
        [&buffer.estimated_rows, &buffer.estimated_bytes, &buffer.oldest_entry_time]
            .map(|part| part.as_deref().unwrap_or("?"))
            .join("/")
    });
    Some(format!("{rows}/{modified}/{}", buffer.as_deref().unwrap_or("-")))
}

fn fields_of(record: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    record.and_then(|record| record.get_mut("fields")?.as_array_mut()).into_iter().flatten()
}

fn call_unknown_types_json(field: &mut Value) {
    if let Some(kind) = field.get_mut("type").filter(|kind| FieldType::deserialize(&**kind).is_err()) {
        *kind = "JSON".into();
    }
    fields_of(Some(field)).for_each(call_unknown_types_json);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn described_as(mut changes: Value) -> TableInfo {
        let mut document = json!({
            "tableReference": {"projectId": "p", "datasetId": "d", "tableId": "t"}, "type": "TABLE",
            "numRows": "10", "lastModifiedTime": "1700000000000",
            "schema": {"fields": [
                {"name": "Event_Id", "type": "STRING"},
                {"name": "application", "type": "RECORD", "fields": [
                    {"name": "build_version", "type": "STRING"},
                    {"name": "span", "type": "RANGE", "rangeElementType": {"type": "DATE"}},
                ]},
                {"name": "threads", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "title", "type": "STRING"}]},
            ]},
        });
        document.as_object_mut().unwrap().append(changes.as_object_mut().unwrap());
        fields_of(document.get_mut("schema")).for_each(call_unknown_types_json);
        described(&serde_json::from_value(document).unwrap()).unwrap()
    }

    #[test]
    fn columns_of_records_are_named_by_their_path() {
        let shape = described_as(json!({})).shape;
        for there in ["event_id", "application", "application.build_version", "application.span", "threads"] {
            assert!(shape.has(there), "{there}");
        }
        assert!(!shape.has("threads.title") && !shape.has("build_version"));
    }

    #[test]
    fn only_a_table_without_a_partitioning_column_is_pruned_by_load_time() {
        let fit = |changes| described_as(changes).shape.fit("{partition}");
        assert_eq!(fit(json!({})), "");
        assert_eq!(fit(json!({"timePartitioning": {"type": "DAY", "field": "event_timestamp"}})), "");
        assert!(fit(json!({"timePartitioning": {"type": "DAY"}})).contains("_PARTITIONTIME"));
    }

    #[test]
    fn the_mark_changes_with_the_rows_and_the_buffer() {
        let mark = |changes| described_as(changes).mark;
        let plain = mark(json!({}));
        assert!(plain.is_some());
        let buffer = |rows: &str| json!({"streamingBuffer": {"estimatedRows": rows, "estimatedBytes": "1", "oldestEntryTime": "1"}});
        let all = [
            plain,
            mark(json!({"numRows": "11"})),
            mark(json!({"lastModifiedTime": "2"})),
            mark(buffer("1")),
            mark(buffer("2")),
        ];
        let different: BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(mark(json!({"type": "VIEW"})), None, "the rows of a view are elsewhere");
        assert_eq!(mark(json!({"numRows": null})), None);
    }
}
