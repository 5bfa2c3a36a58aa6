//! A query as BigQuery's documents write it, and an answer read back: strictly, or not at all.
//!
//! Every scalar travels as text. An answer is read only if its columns are the ones that the question promises, by name
//! and type, in order: a renamed column must not become a count of something else.

use std::collections::HashMap;
use std::time::Duration;

use gcp_bigquery_client::model::field_type::FieldType;
use gcp_bigquery_client::model::get_query_results_response::GetQueryResultsResponse;
use gcp_bigquery_client::model::job::Job;
use gcp_bigquery_client::model::job_configuration::JobConfiguration;
use gcp_bigquery_client::model::job_configuration_query::JobConfigurationQuery;
use gcp_bigquery_client::model::job_reference::JobReference;
use gcp_bigquery_client::model::query_parameter::QueryParameter;
use gcp_bigquery_client::model::query_parameter_type::QueryParameterType;
use gcp_bigquery_client::model::query_parameter_value::QueryParameterValue;
use gcp_bigquery_client::model::table_field_schema::TableFieldSchema;
use gcp_bigquery_client::model::table_row::TableRow;

use super::api::Api;
use super::error::Failure;
use crate::ports::PortError;
use crate::queries::{Cell, Kind, Query, Question, Value};

/// The longest value of a label, in characters. <https://cloud.google.com/bigquery/docs/labels-intro>
const LONGEST_LABEL: usize = 63;
/// A job is given at least this long, in milliseconds: 0 would be no limit.
const LEAST_JOB_TIMEOUT_MS: u128 = 1_000;
/// The longest project id, in characters.
const LONGEST_PROJECT: usize = 30;

/// Refuses a project id that could change the meaning of a query or an address.
///
/// # Errors
/// Where it is not of lowercase letters, digits and hyphens, with an old organisation's domain before it at most.
pub fn check_project(id: &str) -> Result<(), PortError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let (domain, own) = id.rsplit_once(':').unwrap_or(("", id));
    let good = own.chars().all(plain)
        && own.starts_with(|c: char| c.is_ascii_lowercase())
        && own.len() <= LONGEST_PROJECT
        && domain.chars().all(|c| plain(c) || c == '.');
    if good {
        return Ok(());
    }
    Err(PortError::new(
        format!("{id:?} is no id of a Google Cloud project"),
        "write the project's id, not its name or number, under [warehouse] project and billing_project",
    ))
}

/// The document of a job, with the tables named in full where the job runs in another project than the exports'.
///
/// # Errors
/// None in practice: the documents can always be written.
pub fn job(
    api: &Api,
    query: &Query,
    id: &str,
    location: &str,
    limit: u64,
) -> Result<serde_json::Value, Failure> {
    let document = Job {
        job_reference: Some(JobReference {
            project_id: Some(api.billing_project().to_owned()),
            job_id: Some(id.to_owned()),
            location: Some(location.to_owned()),
        }),
        configuration: Some(JobConfiguration {
            query: Some(JobConfigurationQuery {
                query: text(query, api.project(), api.billing_project()),
                use_legacy_sql: Some(false),
                parameter_mode: Some("NAMED".to_owned()),
                query_parameters: Some(query.parameters.iter().map(parameter).collect()),
                maximum_bytes_billed: Some(limit.to_string()),
                use_query_cache: Some(true),
                priority: Some("INTERACTIVE".to_owned()),
                ..JobConfigurationQuery::default()
            }),
            labels: Some(labels(query)),
            job_timeout_ms: Some(timeout_ms(api.time_left()).to_string()),
            ..JobConfiguration::default()
        }),
        ..Job::default()
    };
    serde_json::to_value(document).map_err(|error| Failure::Odd(format!("the job can't be written: {error}")))
}

fn timeout_ms(left: Duration) -> u128 {
    left.as_millis().max(LEAST_JOB_TIMEOUT_MS)
}

/// `DATASET.TABLE` is looked for in the project of the job.
fn text(query: &Query, project: &str, billing_project: &str) -> String {
    if project == billing_project {
        return query.sql.clone();
    }
    let in_full = |sql: String, table| sql.replace(&format!("`{table}`"), &format!("`{project}.{table}`"));
    query.tables().fold(query.sql.clone(), in_full)
}

fn parameter((name, value): &(&'static str, Value)) -> QueryParameter {
    let (kind, value) = match value {
        Value::Integer(number) => ("INT64", number.to_string()),
        Value::Text(text) => ("STRING", text.clone()),
    };
    QueryParameter {
        name: Some((*name).to_owned()),
        parameter_type: Some(QueryParameterType { r#type: kind.to_owned(), ..QueryParameterType::default() }),
        parameter_value: Some(QueryParameterValue { value: Some(value), ..QueryParameterValue::default() }),
    }
}

/// What bills and lists of jobs can be sorted by. No time and no version: labels are kept few.
fn labels(query: &Query) -> HashMap<String, String> {
    let labels = [
        ("application", "tidegate"),
        ("tidegate_question", query.question.name()),
        ("tidegate_source", query.source.name()),
    ];
    labels.into_iter().map(|(key, value)| (key.to_owned(), label(value))).collect()
}

/// A value holds lowercase letters, digits, underscores and dashes.
fn label(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    text.to_lowercase().chars().map(|c| if allowed(c) { c } else { '_' }).take(LONGEST_LABEL).collect()
}

/// How many rows the whole answer has.
///
/// # Errors
/// Where it does not say.
pub fn total(page: &GetQueryResultsResponse) -> Result<u64, Failure> {
    let total = page.total_rows.as_ref().and_then(|total| total.parse().ok());
    total.ok_or_else(|| Failure::Odd("the answer does not say how many rows it has".to_owned()))
}

/// Adds the rows of a page.
///
/// # Errors
/// Where it has no columns, others than the question's, or a cell that is not of its column.
pub fn read_page(
    question: Question,
    page: GetQueryResultsResponse,
    rows: &mut Vec<Vec<Cell>>,
) -> Result<(), Failure> {
    let columns = question.columns();
    let fields = page.schema.and_then(|schema| schema.fields);
    let fields = fields.ok_or_else(|| Failure::Odd("the answer has no columns".to_owned()))?;
    check_columns(columns, &fields)?;
    for row in page.rows.unwrap_or_default() {
        rows.push(read_row(columns, row)?);
    }
    Ok(())
}

fn check_columns(columns: &[(&str, Kind)], fields: &[TableFieldSchema]) -> Result<(), Failure> {
    if columns.len() != fields.len() {
        let (found, wanted) = (fields.len(), columns.len());
        return Err(Failure::Odd(format!("the answer has {found} columns instead of {wanted}")));
    }
    for (index, ((name, kind), field)) in columns.iter().zip(fields).enumerate() {
        let right = match (kind, &field.r#type) {
            (Kind::Integer, FieldType::Integer | FieldType::Int64) => true,
            (Kind::Text, FieldType::String) => true,
            (Kind::Integer | Kind::Text, _) => false,
        };
        let one_value = field.mode.as_deref() != Some("REPEATED");
        if field.name != *name || !right || !one_value {
            let (place, found, of) = (index + 1, &field.name, &field.r#type);
            return Err(Failure::Odd(format!(
                "column {place} of the answer is {found} of type {of:?} instead of {name} of type {kind:?}"
            )));
        }
    }
    Ok(())
}

fn read_row(columns: &[(&str, Kind)], row: TableRow) -> Result<Vec<Cell>, Failure> {
    let cells = row.columns.unwrap_or_default();
    if cells.len() != columns.len() {
        let (found, wanted) = (cells.len(), columns.len());
        return Err(Failure::Odd(format!("a row of the answer has {found} cells instead of {wanted}")));
    }
    columns.iter().zip(cells).map(|((name, kind), cell)| read_cell(name, *kind, cell.value)).collect()
}

fn read_cell(name: &str, kind: Kind, value: Option<serde_json::Value>) -> Result<Cell, Failure> {
    let odd = |found: &dyn std::fmt::Display| {
        Failure::Odd(format!("column {name} of the answer holds {found} instead of type {kind:?}"))
    };
    match (kind, value) {
        (_, None | Some(serde_json::Value::Null)) => Ok(Cell::Null),
        (Kind::Text, Some(serde_json::Value::String(text))) => Ok(Cell::Text(text)),
        (Kind::Integer, Some(serde_json::Value::String(text))) => {
            text.parse().map(Cell::Integer).map_err(|_| odd(&format!("{text:?}")))
        }
        (Kind::Integer | Kind::Text, Some(other)) => Err(odd(&other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::{Source, Table};
    use serde_json::json;

    fn query() -> Query {
        Query {
            question: Question::FirstSession,
            source: Source::FirebaseSessions,
            table: Table::new("firebase_sessions.app_IOS").unwrap(),
            others: vec![Table::new("firebase_sessions.app_IOS_REALTIME").unwrap()],
            sql: "FROM `firebase_sessions.app_IOS` UNION ALL FROM `firebase_sessions.app_IOS_REALTIME`"
                .to_owned(),
            parameters: vec![("from_us", Value::Integer(-1)), ("builds", Value::Text(",7,".to_owned()))],
        }
    }

    fn page(value: serde_json::Value) -> GetQueryResultsResponse {
        serde_json::from_value(value).unwrap()
    }

    fn fields() -> serde_json::Value {
        let field = |(name, kind): &(&str, Kind)| match kind {
            Kind::Integer => json!({"name": name, "type": "INTEGER"}),
            Kind::Text => json!({"name": name, "type": "STRING", "mode": "NULLABLE"}),
        };
        Question::FirstSession.columns().iter().map(field).collect()
    }

    fn read(value: serde_json::Value) -> Result<Vec<Vec<Cell>>, String> {
        let mut rows = Vec::new();
        match read_page(Question::FirstSession, page(value), &mut rows) {
            Ok(()) => Ok(rows),
            Err(Failure::Odd(problem)) => Err(problem),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_another_project_is_named() {
        assert_eq!(
            text(&query(), "exports", "exports"),
            "FROM `firebase_sessions.app_IOS` UNION ALL FROM `firebase_sessions.app_IOS_REALTIME`"
        );
        assert_eq!(
            text(&query(), "the-exports", "bills"),
            "FROM `the-exports.firebase_sessions.app_IOS` UNION ALL FROM `the-exports.firebase_sessions.app_IOS_REALTIME`"
        );
    }

    #[test]
    fn project_ids_are_checked() {
        for good in ["my-project", "example.com:my-project"] {
            assert!(check_project(good).is_ok(), "{good}");
        }
        for bad in ["", "My-project", "a`b", "a/b", "a.b", "1a", "a b", "x/:a"] {
            assert!(check_project(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_are_typed() {
        let written: Vec<_> =
            query().parameters.iter().map(|one| serde_json::to_value(parameter(one)).unwrap()).collect();
        let typed = |name: &str, kind: &str, value: &str| json!({"name": name, "parameterType": {"type": kind}, "parameterValue": {"value": value}});
        assert_eq!(written, [typed("from_us", "INT64", "-1"), typed("builds", "STRING", ",7,")]);
    }

    #[test]
    fn labels_keep_the_rules() {
        assert_eq!(label("Firebase Sessions/7"), "firebase_sessions_7");
        assert_eq!(label(&"x".repeat(100)).len(), LONGEST_LABEL);
        for (key, value) in labels(&query()) {
            assert!(key.starts_with(|c: char| c.is_ascii_lowercase()) && label(&key) == key);
            assert_eq!(label(&value), value);
        }
    }

    #[test]
    fn cells_are_read_by_their_columns() {
        let row = json!({"f": [{"v": null}, {"v": "com.x"}, {"v": "1.0"}, {"v": "7"}, {"v": "-12"}]});
        let rows = read(json!({"schema": {"fields": fields()}, "rows": [row]})).unwrap();
        assert_eq!(rows[0][0], Cell::Null);
        assert_eq!(rows[0][3], Cell::Text("7".to_owned()));
        assert_eq!(rows[0][4], Cell::Integer(-12));
    }

    #[test]
    fn an_answer_that_is_not_that_of_the_question_is_refused() {
        assert_eq!(read(json!({"rows": []})).unwrap_err(), "the answer has no columns");
        let mut renamed = fields();
        renamed[4]["name"] = json!("first");
        let problem = read(json!({"schema": {"fields": renamed}})).unwrap_err();
        assert!(problem.contains("first of type Integer instead of first_us"), "{problem}");
        let mut retyped = fields();
        retyped[4]["type"] = json!("FLOAT");
        assert!(read(json!({"schema": {"fields": retyped}})).unwrap_err().contains("Float"));
        let mut repeated = fields();
        repeated[0]["mode"] = json!("REPEATED");
        assert!(read(json!({"schema": {"fields": repeated}})).is_err());
        assert!(read(json!({"schema": {"fields": []}})).unwrap_err().contains("0 columns"));
    }

    #[test]
    fn a_cell_that_is_not_of_its_column_is_refused_with_its_name() {
        for wrong in [json!("1.5"), json!(""), json!(7), json!({"f": []}), json!("1E400"), json!("NaN")] {
            let row = json!({"f": [{"v": null}, {"v": null}, {"v": null}, {"v": null}, {"v": wrong}]});
            let problem = read(json!({"schema": {"fields": fields()}, "rows": [row]})).unwrap_err();
            assert!(problem.contains("column first_us"), "{problem}");
        }
        let short = json!({"schema": {"fields": fields()}, "rows": [{"f": [{"v": "1"}]}]});
        assert!(read(short).unwrap_err().contains("1 cells instead of 5"));
    }
}
