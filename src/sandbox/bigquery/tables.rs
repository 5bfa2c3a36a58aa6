//! Datasets and tables as `datasets` and `tables` of the API show them: their places, shapes and sizes.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::dataset::{Dataset, Found, Seen};
use super::error::Refusal;
use super::schema;
use super::seed::TablePartitioning;

/// How long a streamed table keeps a partition: 30 days, in milliseconds.
const STREAMED_EXPIRATION_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// A dataset: `datasets.get`.
pub(crate) fn dataset(dataset: &Dataset, base: &str) -> Value {
    let mut document = listed_dataset(dataset);
    let created = dataset.created.as_millisecond().to_string();
    document["kind"] = json!("bigquery#dataset");
    document["etag"] = etag(&document);
    document["selfLink"] = json!(format!("{base}/datasets/{}", dataset.id));
    (document["creationTime"], document["lastModifiedTime"]) = (json!(created), json!(created));
    document["type"] = json!("DEFAULT");
    document
}

/// A dataset in a list.
pub(crate) fn listed_dataset(dataset: &Dataset) -> Value {
    json!({
        "kind": "bigquery#dataset",
        "id": format!("{}:{}", dataset.project, dataset.id),
        "datasetReference": {"datasetId": dataset.id, "projectId": dataset.project},
        "location": dataset.location,
    })
}

/// A table in a list.
pub(crate) fn listed(dataset: &mut Dataset, found: &Found, now: Timestamp) -> Result<Value, Refusal> {
    let seen = dataset.look(found, now)?;
    Ok(head(dataset, found, &seen))
}

/// A table: `tables.get`.
pub(crate) fn table(
    dataset: &mut Dataset,
    found: &Found,
    base: &str,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let seen = dataset.look(found, now)?;
    let mean = dataset.row_bytes(found)?;
    let mut document = head(dataset, found, &seen);
    let conditions = dataset.conditions(found.table.name());
    document["schema"] = json!({"fields": schema::fields(found.export, &conditions)});
    document["numRows"] = json!((seen.rows - seen.buffered).to_string());
    document["numBytes"] = json!(bytes(mean, seen.rows - seen.buffered));
    document["numLongTermBytes"] = json!("0");
    document["lastModifiedTime"] = json!(seen.modified.as_millisecond().to_string());
    document["location"] = json!(dataset.location);
    if seen.buffered > 0 {
        document["streamingBuffer"] = json!({
            "estimatedRows": seen.buffered.to_string(),
            "estimatedBytes": bytes(mean, seen.buffered),
            "oldestEntryTime": seen.buffered_since.as_millisecond().to_string(),
        });
    }
    document["etag"] = etag(&document);
    document["selfLink"] = json!(format!("{base}/datasets/{}/tables/{}", dataset.id, found.table.name()));
    Ok(document)
}

/// What a list shows too.
fn head(dataset: &Dataset, found: &Found, seen: &Seen) -> Value {
    let name = found.table.name();
    let mut head = json!({
        "kind": "bigquery#table",
        "id": format!("{}:{}.{name}", dataset.project, dataset.id),
        "tableReference": {"projectId": dataset.project, "datasetId": dataset.id, "tableId": name},
        "type": "TABLE",
        "creationTime": seen.created.as_millisecond().to_string(),
    });
    let mut partitioning = match dataset.partitioning(found) {
        TablePartitioning::None => return head,
        TablePartitioning::LoadTime => json!({"type": "DAY"}),
        TablePartitioning::Column => json!({"type": "DAY", "field": "event_timestamp"}),
    };
    if name.ends_with("_REALTIME") {
        partitioning["expirationMs"] = json!(STREAMED_EXPIRATION_MS.to_string());
    }
    head["timePartitioning"] = partitioning;
    head
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "an estimate of a size"
)]
fn bytes(mean: f64, rows: u64) -> String {
    ((mean * rows as f64) as u64).to_string()
}

/// Changes with the document.
pub(crate) fn etag(document: &Value) -> Value {
    let sum = farmhash::fingerprint64(document.to_string().as_bytes());
    json!(BASE64_STANDARD.encode(sum.to_be_bytes()))
}
