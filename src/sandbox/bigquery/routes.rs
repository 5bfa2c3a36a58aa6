//! The paths of BigQuery's REST API that the sandbox knows, and nothing else: path in, model call out.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::call::{Call, CallBody, Reply};
use super::dataset::Dataset;
use super::error::Refusal;
use super::model::BigQueryModel;
use super::page::Page;
use super::request::Request;
use super::{jobs, tables};

/// The most datasets or tables of a page unless the caller asks for fewer.
const LIST_PAGE: usize = 1_000;

/// Answers a call of an authenticated caller.
pub(crate) fn answer(model: &mut BigQueryModel, call: &Call, caller: &str, now: Timestamp) -> Reply {
    match route(model, call, caller, now) {
        Ok(document) => Reply::json(200, document),
        Err(refusal) => refusal.reply(),
    }
}

fn route(model: &mut BigQueryModel, call: &Call, caller: &str, now: Timestamp) -> Result<Value, Refusal> {
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["bigquery", "v2", "projects", project, rest @ ..] = segments.as_slice() else {
        return Err(Refusal::path());
    };
    let base = format!("http://{}/bigquery/v2/projects/{project}", call.host);
    match (call.method.as_str(), rest) {
        ("GET", ["datasets"]) => list_datasets(model, call, project),
        ("GET", ["datasets", dataset]) => {
            Ok(tables::dataset(model.dataset(project, dataset, "bigquery.datasets.get")?, &base))
        }
        ("GET", ["datasets", dataset, "tables"]) => {
            list_tables(model.dataset(project, dataset, "bigquery.tables.list")?, call, now)
        }
        ("GET", ["datasets", dataset, "tables", table]) => {
            let (dataset, found) = model.table(project, dataset, table)?;
            tables::table(dataset, &found, &base, now)
        }
        ("POST", ["jobs"]) => {
            jobs::insert(model, project, &Request::of_job(&body(call)?, project)?, caller, &base, now)
        }
        ("GET", ["jobs", id]) => Ok(find_job(model, call, project, id, now)?.document(&base)),
        ("POST", ["jobs", id, "cancel"]) => {
            let job = find_job(model, call, project, id, now)?;
            job.cancel(now);
            Ok(json!({"kind": "bigquery#jobCancelResponse", "job": job.document(&base)}))
        }
        ("POST", ["queries"]) => query(model, call, project, caller, now),
        ("GET", ["queries", id]) => {
            let page = Page::read(call, page_rows(model))?;
            let mut results = find_job(model, call, project, id, now)?.results(page)?;
            results["etag"] = tables::etag(&results);
            Ok(results)
        }
        _ => Err(Refusal::path()),
    }
}

fn find_job<'m>(
    model: &'m mut BigQueryModel,
    call: &Call,
    project: &str,
    id: &str,
    now: Timestamp,
) -> Result<&'m mut jobs::Job, Refusal> {
    model.jobs.find(project, id, call.query_value("location").filter(|text| !text.is_empty()), now)
}

fn query(
    model: &mut BigQueryModel,
    call: &Call,
    project: &str,
    caller: &str,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let body = body(call)?;
    let most = body["maxResults"].as_u64().and_then(|most| usize::try_from(most).ok());
    let page = Page::first(most.unwrap_or(usize::MAX).min(page_rows(model)));
    jobs::query(model, project, &Request::of_query(&body)?, body["timeoutMs"].as_u64(), page, caller, now)
}

fn page_rows(model: &BigQueryModel) -> usize {
    model.jobs.conditions.page_rows.unwrap_or(usize::MAX)
}

fn list_datasets(model: &BigQueryModel, call: &Call, project: &str) -> Result<Value, Refusal> {
    let all: Vec<Value> = model.datasets(project)?.into_iter().map(tables::listed_dataset).collect();
    let (page, next) = Page::read(call, LIST_PAGE)?.of(&all);
    Ok(list("bigquery#datasetList", "datasets", page, next))
}

fn list_tables(dataset: &mut Dataset, call: &Call, now: Timestamp) -> Result<Value, Refusal> {
    let all: Vec<Value> = dataset
        .tables()?
        .iter()
        .map(|found| tables::listed(dataset, found, now))
        .collect::<Result<_, _>>()?;
    let (page, next) = Page::read(call, LIST_PAGE)?.of(&all);
    let mut reply = list("bigquery#tableList", "tables", page, next);
    reply["totalItems"] = json!(all.len());
    Ok(reply)
}

/// A list leaves out what it has nothing of, as Google's do.
fn list(kind: &str, name: &str, page: &[Value], next: Option<String>) -> Value {
    let mut reply = json!({"kind": kind, "etag": tables::etag(&json!(page))});
    if !page.is_empty() {
        reply[name] = json!(page);
    }
    if let Some(next) = next {
        reply["nextPageToken"] = json!(next);
    }
    reply
}

/// The JSON object of the body.
fn body(call: &Call) -> Result<Value, Refusal> {
    match &call.body {
        CallBody::Empty => Ok(Value::Object(Map::new())),
        CallBody::Json(value) if value.is_object() => Ok(value.clone()),
        CallBody::Json(_) | CallBody::Form(_) => {
            Err(Refusal::invalid("Invalid JSON payload received. Root element must be a message."))
        }
        CallBody::Invalid(reason) => {
            Err(Refusal::invalid(format!("Invalid JSON payload received. {reason}")))
        }
    }
}
