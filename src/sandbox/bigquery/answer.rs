//! The answer to a query: the plan is made, tables are found where the query is run, the text is held against the
//! question's own, the embedded engine answers, and the bytes are accounted. An answer may be given again for nothing
//! within a day, while its table is as it was.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::accounting::billed;
use super::dataset::{Found, Seen};
use super::error::Refusal;
use super::model::BigQueryModel;
use super::request::{Cache, Request, Running};
use super::seed::Access;
use super::sql::{Plan, TableName, check_names, check_text, plan};
use crate::queries::{
    Cell, Engine, Kind, Parameters, Query, Question, Source, Value, parameter_names, render,
};

/// How long an answer may be given again.
const CACHE_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Slot time that the sandbox claims for each so many bytes, in bytes a millisecond.
const BYTES_PER_SLOT_MS: u64 = 100 * 1024;
/// Where a query is run that names no table.
pub(super) const DEFAULT_LOCATION: &str = "US";

/// What a query answers, and what it cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// The columns, as fields of a `TableSchema`.
    pub columns: Vec<Json>,
    /// The rows, as `TableRow`s.
    pub rows: Vec<Json>,
    /// Bytes processed, not rounded.
    pub processed: u64,
    /// Bytes billed.
    pub billed: u64,
    /// Slot time in milliseconds.
    pub slot_ms: u64,
    /// Whether it was given again.
    pub cache_hit: bool,
    /// The tables that the query names, as `TableReference`s.
    pub tables: Vec<Json>,
}

/// Answers that may be given again.
#[derive(Default)]
pub(crate) struct Answers(HashMap<Key, Kept>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    project: String,
    text: String,
    parameters: BTreeMap<String, Value>,
}

struct Kept {
    at: Timestamp,
    table: Option<(u64, Timestamp)>,
    answer: Answer,
}

/// A table in its place.
struct Place {
    project: String,
    name: TableName,
    found: Found,
    seen: Seen,
}

impl Place {
    fn reference(&self) -> Json {
        json!({"projectId": self.project, "datasetId": self.name.dataset, "tableId": self.name.table})
    }

    /// Changes with the rows; none while rows are in the streaming buffer, which nothing is given again from.
    fn mark(&self) -> Option<(u64, Timestamp)> {
        (self.seen.buffered == 0).then_some((self.seen.rows, self.seen.modified))
    }
}

/// Answers a query, or measures it.
pub(crate) fn answer(
    model: &mut BigQueryModel,
    project: &str,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    match plan(&request.text, |name| request.label(name))? {
        Plan::Constants(constants) => {
            let (columns, cells) =
                constants.into_iter().map(|(name, kind, cell)| ((name, kind), cell)).unzip();
            Ok(finish(columns, vec![cells], billed(&[]), request))
        }
        Plan::Count(name, column) => {
            let place = find(model, project, name, request, now)?;
            let count = Cell::Integer(place.seen.rows.cast_signed());
            // The number of rows is known without reading any.
            let answer = finish(vec![(column, Kind::Integer)], vec![vec![count]], 0, request);
            Ok(Answer { tables: vec![place.reference()], ..answer })
        }
        Plan::Question(question, source, name) => {
            let place = find(model, project, name, request, now)?;
            ask(model, project, question, source, &place, request, now)
        }
    }
}

/// Where a query is run: where the caller says, else where its table is.
pub(crate) fn location(model: &mut BigQueryModel, project: &str, request: &Request) -> String {
    if let Some(location) = &request.location {
        return location.clone();
    }
    let name = match plan(&request.text, |name| request.label(name)) {
        Ok(Plan::Question(_, _, name) | Plan::Count(name, _)) => Some(name),
        Ok(Plan::Constants(_)) | Err(_) => None,
    };
    let dataset =
        name.and_then(|name| model.find_dataset(name.project.as_deref().unwrap_or(project), &name.dataset));
    dataset.map_or_else(|| DEFAULT_LOCATION.to_owned(), |dataset| dataset.location.clone())
}

/// Finds a table where the query is run.
fn find(
    model: &mut BigQueryModel,
    project: &str,
    name: TableName,
    request: &Request,
    now: Timestamp,
) -> Result<Place, Refusal> {
    let project = name.project.clone().unwrap_or_else(|| project.to_owned());
    let dataset_name = format!("{project}:{}", name.dataset);
    let table_name = format!("{dataset_name}.{}", name.table);
    let asked = request.location.as_deref();
    let Some(dataset) = model.find_dataset(&project, &name.dataset) else {
        return Err(Refusal::not_in_location("Dataset", &dataset_name, asked.unwrap_or(DEFAULT_LOCATION)));
    };
    if let Some(asked) = asked.filter(|asked| !asked.eq_ignore_ascii_case(&dataset.location)) {
        return Err(Refusal::not_in_location("Dataset", &dataset_name, asked));
    }
    if dataset.access != Access::Allowed {
        return Err(Refusal::no_query(&table_name));
    }
    let location = dataset.location.clone();
    let Some(found) = dataset.find(&name.table)? else {
        return Err(Refusal::not_in_location("Table", &table_name, &location));
    };
    let seen = dataset.look(&found, now)?;
    Ok(Place { project, name, found, seen })
}

/// Asks a question of a table.
fn ask(
    model: &mut BigQueryModel,
    project: &str,
    question: Question,
    source: Source,
    place: &Place,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let key = Key {
        project: project.to_owned(),
        text: request.text.clone(),
        parameters: request.parameters.clone(),
    };
    let kept = model.answers.0.get(&key).filter(|kept| {
        kept.table.is_some() && kept.table == place.mark() && now.duration_since(kept.at) < CACHE_LIFE
    });
    let dataset_and_table = (&place.project, &place.name.dataset);
    let is_usable = request.cache == Cache::Used && request.running == Running::Run;
    if let Some(kept) = kept.filter(|_| is_usable) {
        return Ok(Answer { cache_hit: true, processed: 0, billed: 0, slot_ms: 0, ..kept.answer.clone() });
    }
    let dataset = model
        .find_dataset(dataset_and_table.0, dataset_and_table.1)
        .ok_or_else(|| Refusal::not_found("Dataset", &place.name.dataset))?;
    check_names(&request.text, &dataset.lacking(&place.found, source))?;
    let query = check_question(question, source, place, &dataset.shape(&place.found), request)?;
    let from_us = integer(request, "from_us");
    let to_us = integer(request, "to_us");
    let processed = dataset.processed(&place.found, source, from_us, to_us)?;
    let rows = match request.running {
        Running::Dry => Vec::new(),
        Running::Run => {
            check_limit(request, billed(&[processed]))?;
            dataset.ask(&query)?
        }
    };
    let columns = question.columns().iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    let answer = Answer {
        processed,
        slot_ms: processed.div_ceil(BYTES_PER_SLOT_MS),
        tables: vec![place.reference()],
        ..finish(columns, rows, billed(&[processed]), request)
    };
    if request.running == Running::Run {
        model.answers.0.insert(key, Kept { at: now, table: place.mark(), answer: answer.clone() });
    }
    Ok(answer)
}

/// Holds text and parameters of a query against the question's own; the query for the embedded engine.
fn check_question(
    question: Question,
    source: Source,
    place: &Place,
    shape: &crate::queries::Shape,
    request: &Request,
) -> Result<Query, Refusal> {
    // Only the names of the parameters are used; their values are the caller's.
    let no_values =
        Parameters { from_us: 0, to_us: 0, mature_us: 0, builds: Vec::new(), versions: Vec::new() };
    let on = |engine| render(question, source, engine, &place.found.table, shape, &no_values);
    let known = on(Engine::BigQuery);
    check_text(&request.text, &place.name, &known.sql)?;
    let values = known.parameters.iter().map(|(name, example)| {
        let value = request
            .parameters
            .get(*name)
            .ok_or_else(|| Refusal::invalid_query(format!("Query parameter '{name}' not found")))?;
        match (example, value) {
            (Value::Integer(_), Value::Integer(_)) | (Value::Text(_), Value::Text(_)) => {
                Ok((*name, value.clone()))
            }
            (Value::Integer(_), Value::Text(_)) => Err(wrong_type(name, "INT64", "STRING")),
            (Value::Text(_), Value::Integer(_)) => Err(wrong_type(name, "STRING", "INT64")),
        }
    });
    let values: Vec<_> = values.collect::<Result<_, _>>()?;
    let named = parameter_names(&known.sql);
    if let Some(extra) = request.parameters.keys().find(|name| !named.contains(name)) {
        return Err(Refusal::invalid_query(format!("Query parameter '{extra}' is not used by the query")));
    }
    let mut query = on(Engine::Sqlite);
    query.parameters.retain(|(name, _)| values.iter().any(|(known, _)| known == name));
    for (name, value) in &mut query.parameters {
        if let Some((_, given)) = values.iter().find(|(known, _)| known == name) {
            *value = given.clone();
        }
    }
    Ok(query)
}

fn wrong_type(name: &str, wanted: &str, given: &str) -> Refusal {
    Refusal::invalid_query(format!("Query parameter '{name}' is of type {given}, and {wanted} is needed"))
}

fn integer(request: &Request, name: &str) -> i64 {
    match request.parameters.get(name) {
        Some(Value::Integer(value)) => *value,
        Some(Value::Text(_)) | None => 0,
    }
}

fn check_limit(request: &Request, needed: u64) -> Result<(), Refusal> {
    match request.most_bytes.filter(|most| *most < needed) {
        Some(most) => Err(Refusal::bytes_limit(most, needed)),
        None => Ok(()),
    }
}

fn finish(columns: Vec<(String, Kind)>, rows: Vec<Vec<Cell>>, billed: u64, request: &Request) -> Answer {
    let is_run = request.running == Running::Run;
    Answer {
        columns: columns.into_iter().map(|(name, kind)| column(&name, kind)).collect(),
        rows: if is_run { rows.into_iter().map(row).collect() } else { Vec::new() },
        billed: if is_run { billed } else { 0 },
        ..Answer::default()
    }
}

/// The REST API still uses the names of legacy SQL.
fn column(name: &str, kind: Kind) -> Json {
    let kind = match kind {
        Kind::Integer => "INTEGER",
        Kind::Text => "STRING",
    };
    json!({"name": name, "type": kind, "mode": "NULLABLE"})
}

/// Every value is a text, or null.
fn row(cells: Vec<Cell>) -> Json {
    let cell = |cell| match cell {
        Cell::Null => Json::Null,
        Cell::Integer(value) => Json::String(value.to_string()),
        Cell::Text(text) => Json::String(text),
    };
    let cells: Vec<Json> = cells.into_iter().map(|value| json!({"v": cell(value)})).collect();
    json!({"f": cells})
}
