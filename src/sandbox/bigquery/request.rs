//! What a caller wants of a query, read from the body of `jobs.insert` or `jobs.query`. Everything is checked here that
//! can be checked without looking at a table.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::error::Refusal;
use crate::queries::Value;

/// The longest job id, in characters.
const JOB_ID_LENGTH: usize = 1_024;
/// The longest key or value of a label, in characters.
const LABEL_LENGTH: usize = 63;
/// The most labels of a job.
const LABEL_COUNT: usize = 64;

/// Whether a query is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Running {
    /// It is run.
    Run,
    /// It is checked and measured, and nothing else.
    Dry,
}

/// Whether an earlier answer will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    /// It will.
    Used,
    /// The query is to be run anew.
    Refused,
}

/// A query as it was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// The id that the caller chose.
    pub job_id: Option<String>,
    /// Where it is to be run.
    pub location: Option<String>,
    /// The text.
    pub text: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The named parameters.
    pub parameters: BTreeMap<String, Value>,
    /// The most bytes that it may be billed for.
    pub most_bytes: Option<u64>,
    /// Whether an earlier answer will do.
    pub cache: Cache,
    /// Whether it is to be run.
    pub running: Running,
    /// The configuration as the job shows it.
    pub configuration: Json,
}

impl Request {
    /// Reads the body of `jobs.insert`, a `Job`.
    pub(crate) fn of_job(body: &Json, project: &str) -> Result<Self, Refusal> {
        let configuration = &body["configuration"];
        let query = &configuration["query"];
        if !query.is_object() {
            return Err(Refusal::required("configuration.query"));
        }
        let reference = &body["jobReference"];
        if reference["projectId"].as_str().is_some_and(|given| given != project) {
            return Err(Refusal::invalid(
                "Value for field 'jobReference.projectId' is not that of the request path",
            ));
        }
        let mut shown = configuration.clone();
        shown["jobType"] = json!("QUERY");
        Ok(Self {
            job_id: job_id(reference)?,
            location: text(reference, "location")?,
            labels: labels(configuration)?,
            running: running(configuration)?,
            ..Self::of(query, shown)?
        })
    }

    /// Reads the body of `jobs.query`, a `QueryRequest`.
    pub(crate) fn of_query(body: &Json) -> Result<Self, Refusal> {
        let shown = json!({"jobType": "QUERY", "query": of_query(body), "labels": body.get("labels").cloned()
            .unwrap_or_else(|| json!({}))});
        Ok(Self {
            location: text(body, "location")?,
            labels: labels(body)?,
            running: running(body)?,
            ..Self::of(body, shown)?
        })
    }

    /// What both bodies write the same way.
    fn of(query: &Json, configuration: Json) -> Result<Self, Refusal> {
        let text = text(query, "query")?.filter(|text| !text.trim().is_empty());
        if flag(query, "useLegacySql")? != Some(false) {
            return Err(Refusal::invalid(
                "The sandbox has no legacy SQL, which is the default: set useLegacySql to false",
            ));
        }
        let cache = match flag(query, "useQueryCache")? {
            Some(false) => Cache::Refused,
            Some(true) | None => Cache::Used,
        };
        Ok(Self {
            job_id: None,
            location: None,
            text: text.ok_or_else(|| Refusal::required("query"))?,
            labels: BTreeMap::new(),
            parameters: parameters(query)?,
            most_bytes: most_bytes(query)?,
            cache,
            running: Running::Run,
            configuration,
        })
    }

    /// The value of a label.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

/// The fields of a `QueryRequest` that the configuration of the job has too.
fn of_query(body: &Json) -> Map<String, Json> {
    const SHARED: [&str; 6] =
        ["query", "useLegacySql", "useQueryCache", "parameterMode", "queryParameters", "maximumBytesBilled"];
    let shared = SHARED.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone())));
    shared.collect()
}

fn text(object: &Json, name: &str) -> Result<Option<String>, Refusal> {
    match &object[name] {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text.clone())),
        _ => Err(Refusal::invalid(format!("Invalid value at '{name}' (TYPE_STRING)"))),
    }
}

fn flag(object: &Json, name: &str) -> Result<Option<bool>, Refusal> {
    match &object[name] {
        Json::Null => Ok(None),
        Json::Bool(value) => Ok(Some(*value)),
        _ => Err(Refusal::invalid(format!("Invalid value at '{name}' (TYPE_BOOL)"))),
    }
}

fn running(object: &Json) -> Result<Running, Refusal> {
    Ok(if flag(object, "dryRun")? == Some(true) { Running::Dry } else { Running::Run })
}

fn job_id(reference: &Json) -> Result<Option<String>, Refusal> {
    let id = text(reference, "jobId")?;
    let is_good = |id: &String| {
        let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        plain && !id.is_empty() && id.len() <= JOB_ID_LENGTH
    };
    match id.as_ref().filter(|id| !is_good(id)) {
        Some(id) => Err(Refusal::invalid(format!(
            "Invalid job ID \"{id}\". Job IDs must be alphanumeric (plus underscores and dashes) and must be at most \
             {JOB_ID_LENGTH} characters long."
        ))),
        None => Ok(id),
    }
}

fn labels(object: &Json) -> Result<BTreeMap<String, String>, Refusal> {
    let mut labels = BTreeMap::new();
    for (key, value) in object["labels"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !is_label(key) || !key.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(Refusal::invalid(format!("Label key \"{key}\" has invalid characters.")));
        }
        if !is_label(value) {
            return Err(Refusal::invalid(format!("Label value \"{value}\" has invalid characters.")));
        }
        labels.insert(key.clone(), value.to_owned());
    }
    if labels.len() > LABEL_COUNT {
        return Err(Refusal::invalid(format!("Too many labels, at most {LABEL_COUNT} are allowed.")));
    }
    Ok(labels)
}

fn is_label(text: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    text.len() <= LABEL_LENGTH && text.chars().all(known)
}

/// A number that JSON writes as text; a number is taken too, as the real service does.
fn most_bytes(query: &Json) -> Result<Option<u64>, Refusal> {
    let wrong = || Refusal::invalid("Invalid value at 'maximumBytesBilled' (TYPE_INT64)");
    match &query["maximumBytesBilled"] {
        Json::Null => Ok(None),
        Json::String(text) => text.parse().map(Some).map_err(|_| wrong()),
        value => value.as_u64().map(Some).ok_or_else(wrong),
    }
}

fn parameters(query: &Json) -> Result<BTreeMap<String, Value>, Refusal> {
    let list = query["queryParameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !list.is_empty() && query["parameterMode"] != "NAMED" {
        return Err(Refusal::invalid("The sandbox knows named parameters only: set parameterMode to NAMED"));
    }
    list.iter().map(parameter).collect()
}

fn parameter(parameter: &Json) -> Result<(String, Value), Refusal> {
    let name = text(parameter, "name")?.ok_or_else(|| Refusal::required("queryParameters.name"))?;
    let kind = text(&parameter["parameterType"], "type")?;
    let value = text(&parameter["parameterValue"], "value")?;
    let value = value.ok_or_else(|| Refusal::invalid(format!("The query parameter {name} has no value")))?;
    match kind.as_deref() {
        Some("STRING") => Ok((name, Value::Text(value))),
        Some("INT64") => match value.parse() {
            Ok(number) => Ok((name, Value::Integer(number))),
            Err(_) => {
                Err(Refusal::invalid(format!("Invalid value for INT64 query parameter {name}: {value}")))
            }
        },
        other => Err(Refusal::invalid(format!(
            "The sandbox knows query parameters of type INT64 and STRING; {name} has {}",
            other.unwrap_or("none")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(changes: Json) -> Json {
        let mut query = json!({"query": "q", "useLegacySql": false});
        for (name, value) in changes.as_object().unwrap() {
            query[name] = value.clone();
        }
        query
    }

    fn refused(changes: Json) -> String {
        Request::of_query(&query(changes)).unwrap_err().message
    }

    #[test]
    fn both_bodies_are_read_alike() {
        let named = json!([
            {"name": "a", "parameterType": {"type": "INT64"}, "parameterValue": {"value": "-1"}},
            {"name": "b", "parameterType": {"type": "STRING"}, "parameterValue": {"value": "x"}},
        ]);
        let asked =
            query(json!({"parameterMode": "NAMED", "queryParameters": named, "maximumBytesBilled": "7",
            "useQueryCache": false}));
        let mut body = asked.clone();
        body["labels"] = json!({"a_b": "c"});
        body["location"] = json!("EU");
        let by_query = Request::of_query(&body).unwrap();
        let job = json!({"configuration": {"query": asked, "labels": {"a_b": "c"}},
            "jobReference": {"projectId": "p", "jobId": "j", "location": "EU"}});
        let by_job = Request::of_job(&job, "p").unwrap();
        assert_eq!(by_query, Request { job_id: None, ..by_job.clone() });
        assert_eq!(by_job.job_id.as_deref(), Some("j"));
        assert_eq!(by_job.parameters["a"], Value::Integer(-1));
        assert_eq!(
            (by_job.most_bytes, by_job.cache, by_job.label("a_b")),
            (Some(7), Cache::Refused, Some("c"))
        );
        assert!(Request::of_job(&job, "other").unwrap_err().message.contains("projectId"));
    }

    #[test]
    fn what_can_be_wrong_is_refused() {
        assert_eq!(refused(json!({"query": ""})), "Required parameter is missing: query");
        assert!(refused(json!({"useLegacySql": null})).contains("legacy"));
        assert!(refused(json!({"labels": {"a": "A"}})).contains("Label value \"A\""));
        assert!(refused(json!({"maximumBytesBilled": "many"})).contains("maximumBytesBilled"));
        let parameter = |kind: &str, value: &str| {
            json!({"parameterMode": "NAMED", "queryParameters":
                [{"name": "a", "parameterType": {"type": kind}, "parameterValue": {"value": value}}]})
        };
        assert!(refused(parameter("INT64", "1.5")).contains("INT64 query parameter a: 1.5"));
        assert!(refused(parameter("FLOAT64", "1.5")).contains("a has FLOAT64"));
        let job = json!({"configuration": {"query": query(json!({}))}, "jobReference": {"jobId": "a b"}});
        assert!(Request::of_job(&job, "p").unwrap_err().message.starts_with("Invalid job ID \"a b\""));
    }
}
