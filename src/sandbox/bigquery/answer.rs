//! The answer to a query: the plan is made, tables are found where the query is run, the text is held against the
//! question's own, the embedded engine answers, and the bytes are accounted. An answer may be given again for nothing
//! within a day, while its table is as it was.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

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
    Cell, Engine, Kind, Parameters, Query, Question, Shape, Source, Value, parameter_names, render_together,
};

/// How long an answer may be given again.
const CACHE_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// The most answers that are kept; a long story would fill the memory else.
const KEPT_ANSWERS: usize = 100;
/// Slot time that the sandbox claims for each so many bytes, in bytes a millisecond.
const BYTES_PER_SLOT_MS: u64 = 100 * 1024;
/// Where a query is run that names no table.
pub(super) const DEFAULT_LOCATION: &str = "US";

/// What a query answers, and what it cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// The columns, as fields of a `TableSchema`.
    pub columns: Vec<Json>,
    /// The rows, shared by the job and by those who get the answer again; none once they are forgotten.
    pub rows: Option<Arc<Vec<Vec<Cell>>>>,
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

/// Answers that may be given again, oldest first.
#[derive(Default)]
pub(crate) struct Answers(VecDeque<(Key, Kept)>);

#[derive(Clone, PartialEq, Eq)]
struct Key {
    project: String,
    text: String,
    parameters: BTreeMap<String, Value>,
}

struct Kept {
    at: Timestamp,
    mark: Mark,
    answer: Answer,
}

/// Changes with the rows of each table; none while rows of one are in the streaming buffer.
type Mark = Option<Vec<(u64, Timestamp)>>;

impl Answers {
    /// An answer that may be given again, if its table is as it was.
    fn get(&self, key: &Key, mark: &Mark, now: Timestamp) -> Option<&Answer> {
        let (_, kept) = self.0.iter().rev().find(|(known, _)| known == key)?;
        let is_fresh = now.duration_since(kept.at) < CACHE_LIFE;
        (is_fresh && kept.mark.is_some() && kept.mark == *mark).then_some(&kept.answer)
    }

    fn keep(&mut self, key: Key, kept: Kept) {
        self.0.retain(|(known, _)| *known != key);
        self.0.push_back((key, kept));
        if self.0.len() > KEPT_ANSWERS {
            self.0.pop_front();
        }
    }
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
        Plan::Question(question, source, names) => {
            let found = names.into_iter().map(|name| find(model, project, name, request, now));
            let places = found.collect::<Result<Vec<_>, _>>()?;
            ask(model, project, question, source, &places, request, now)
        }
    }
}

/// Where a query is run: where the caller says, else where its table is.
pub(crate) fn location(model: &mut BigQueryModel, project: &str, request: &Request) -> String {
    if let Some(location) = &request.location {
        return canonical(location);
    }
    let name = match plan(&request.text, |name| request.label(name)) {
        Ok(Plan::Question(_, _, names)) => names.into_iter().next(),
        Ok(Plan::Count(name, _)) => Some(name),
        Ok(Plan::Constants(_)) | Err(_) => None,
    };
    let dataset =
        name.and_then(|name| model.find_dataset(name.project.as_deref().unwrap_or(project), &name.dataset));
    dataset.map_or_else(|| DEFAULT_LOCATION.to_owned(), |dataset| canonical(&dataset.location))
}

/// Case does not matter in a location; BigQuery writes the two multi-regions in capitals.
pub(super) fn canonical(location: &str) -> String {
    let upper = location.to_uppercase();
    if ["US", "EU"].contains(&upper.as_str()) { upper } else { location.to_lowercase() }
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

/// Asks a question of tables that are in one dataset.
fn ask(
    model: &mut BigQueryModel,
    project: &str,
    question: Question,
    source: Source,
    places: &[Place],
    request: &Request,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let Some(first) = places.first() else { return Err(Refusal::not_found("Table", "")) };
    let key = Key {
        project: project.to_owned(),
        text: request.text.clone(),
        parameters: request.parameters.clone(),
    };
    let may_be_old = request.cache == Cache::Used && request.running == Running::Run;
    let mark: Mark = places.iter().map(Place::mark).collect();
    if let Some(kept) = model.answers.get(&key, &mark, now).filter(|_| may_be_old) {
        return Ok(Answer { cache_hit: true, processed: 0, billed: 0, slot_ms: 0, ..kept.clone() });
    }
    let dataset = model
        .find_dataset(&first.project, &first.name.dataset)
        .ok_or_else(|| Refusal::not_found("Dataset", &first.name.dataset))?;
    let lacking: Vec<_> = places.iter().map(|place| dataset.lacking(&place.found, source)).collect();
    check_names(&request.text, &lacking)?;
    let shapes: Vec<_> = places.iter().map(|place| dataset.shape(&place.found)).collect();
    let query = check_question(question, source, places, &shapes, request)?;
    let from_us = integer(request, "from_us");
    let to_us = integer(request, "to_us");
    let processed = places.iter().map(|place| dataset.processed(&place.found, source, from_us, to_us));
    let processed = processed.collect::<Result<Vec<_>, _>>()?;
    let rows = match request.running {
        Running::Dry => Vec::new(),
        Running::Run => {
            check_limit(request, billed(&processed))?;
            dataset.ask(&query)?
        }
    };
    let columns = question.columns().iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    let total: u64 = processed.iter().sum();
    let answer = Answer {
        processed: total,
        slot_ms: total.div_ceil(BYTES_PER_SLOT_MS),
        tables: places.iter().map(Place::reference).collect(),
        ..finish(columns, rows, billed(&processed), request)
    };
    if request.running == Running::Run {
        model.answers.keep(key, Kept { at: now, mark, answer: answer.clone() });
    }
    Ok(answer)
}

/// Holds text and parameters of a query against the question's own; the query for the embedded engine.
fn check_question(
    question: Question,
    source: Source,
    places: &[Place],
    shapes: &[Shape],
    request: &Request,
) -> Result<Query, Refusal> {
    // Only the names of the parameters are used; their values are the caller's.
    let no_values = Parameters::default();
    let tables: Vec<_> = places.iter().map(|place| &place.found.table).zip(shapes).collect();
    let (first, others) =
        tables.split_first().ok_or_else(|| Refusal::invalid_query("no table is named".to_owned()))?;
    let on = |engine| render_together(question, source, engine, *first, others, &no_values);
    let known = on(Engine::BigQuery);
    let names: Vec<_> = places.iter().map(|place| &place.name).collect();
    check_text(&request.text, &names, &known.sql)?;
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
        rows: Some(Arc::new(if is_run { rows } else { Vec::new() })),
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

/// A `TableRow`: every value is a text, or null.
pub(super) fn row(cells: &[Cell]) -> Json {
    let cell = |cell: &Cell| match cell {
        Cell::Null => Json::Null,
        Cell::Integer(value) => Json::String(value.to_string()),
        Cell::Text(text) => Json::String(text.clone()),
    };
    let cells: Vec<Json> = cells.iter().map(|value| json!({"v": cell(value)})).collect();
    json!({"f": cells})
}

/// About how many bytes a row is in a page.
pub(super) fn row_bytes(cells: &[Cell]) -> usize {
    /// What stands around a value, and a number.
    const VALUE_BYTES: usize = 24;
    let text = |cell: &Cell| match cell {
        Cell::Null | Cell::Integer(_) => 0,
        Cell::Text(text) => text.len(),
    };
    cells.iter().map(|cell| text(cell) + VALUE_BYTES).sum()
}
