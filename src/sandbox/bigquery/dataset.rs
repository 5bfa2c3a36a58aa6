//! A dataset over a warehouse file: which tables it has, what they look like, what was seen of them when, and how many
//! bytes their columns take. The warehouse is only read; what differs from it is kept here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::accounting::{self, Partitions, columns_read, width};
use super::error::{ErrorReason, Refusal};
use super::schema;
use super::seed::{Access, DatasetChange, DatasetSeed, TableConditions, TablePartitioning};
use crate::adapters::embedded::Embedded;
use crate::adapters::embedded::measure::{DayOf, MeasuredColumn};
use crate::adapters::embedded::schema::Export;
use crate::queries::{Cell, Engine, Partitioning, Query, Shape, Source, Table};

/// How long rows stay in the streaming buffer. BigQuery says up to 90 minutes.
const BUFFER_LIFE: SignedDuration = SignedDuration::from_mins(90);
/// The shortest time between two changes that can be told apart.
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);
/// The column that a table without one of its own is partitioned by.
pub(crate) const PARTITION_TIME: &str = "_PARTITIONTIME";

/// A dataset.
pub(crate) struct Dataset {
    pub project: String,
    pub id: String,
    pub location: String,
    pub access: Access,
    pub created: Timestamp,
    path: Option<PathBuf>,
    warehouse: Option<Embedded>,
    conditions: BTreeMap<String, TableConditions>,
    seen: BTreeMap<String, Seen>,
    measured: BTreeMap<String, Measured>,
}

/// What was seen of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub created: Timestamp,
    pub modified: Timestamp,
    pub rows: u64,
    /// Rows in the streaming buffer, which are among `rows`.
    pub buffered: u64,
    /// Since when the oldest of them is there.
    pub buffered_since: Timestamp,
}

/// A table that is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub table: Table,
    pub export: Export,
}

/// The bytes of the columns that a source reads, per day.
struct Measured {
    day_of: DayOf,
    rows: u64,
    columns: Vec<&'static str>,
    days: BTreeMap<i64, Vec<u64>>,
}

impl Dataset {
    /// Makes a dataset and opens its warehouse; the error is for a person.
    pub(crate) fn new(seed: DatasetSeed, now: Timestamp) -> Result<Self, String> {
        let mut dataset = Self {
            project: seed.project,
            id: seed.dataset,
            location: seed.location,
            access: seed.access,
            created: now,
            path: None,
            warehouse: None,
            conditions: BTreeMap::new(),
            seen: BTreeMap::new(),
            measured: BTreeMap::new(),
        };
        dataset.change(DatasetChange { warehouse: seed.warehouse, ..DatasetChange::default() })?;
        Ok(dataset)
    }

    /// Changes it; the error is for a person.
    pub(crate) fn change(&mut self, change: DatasetChange) -> Result<(), String> {
        if let Some(path) = change.warehouse {
            let warehouse = Embedded::open(&path).map_err(|error| error.to_string())?;
            (self.warehouse, self.path) = (Some(warehouse), Some(path));
            (self.seen, self.measured) = (BTreeMap::new(), BTreeMap::new());
            for (table, conditions) in std::mem::take(&mut self.conditions) {
                self.set_conditions(&table, conditions)?;
            }
        }
        self.location = change.location.unwrap_or_else(|| self.location.clone());
        self.access = change.access.unwrap_or(self.access);
        Ok(())
    }

    /// Sets what a table looks like; the error is for a person.
    pub(crate) fn set_conditions(&mut self, table: &str, conditions: TableConditions) -> Result<(), String> {
        let found = self.find(table).map_err(|refusal| refusal.message)?;
        if let (Some(found), Some(warehouse)) = (&found, &self.warehouse) {
            let known = schema::names(found.export);
            if let Some(unknown) = conditions.hidden.iter().find(|name| !known.contains(name)) {
                return Err(format!("unknown column {unknown}; known are: {}", known.join(", ")));
            }
            let hidden = warehouse.hide(&found.table, found.export, &conditions.hidden);
            hidden.map_err(|error| error.to_string())?;
        }
        self.measured.remove(table);
        self.conditions.insert(table.to_owned(), conditions);
        Ok(())
    }

    /// What is set for a table.
    pub(crate) fn conditions(&self, table: &str) -> TableConditions {
        self.conditions.get(table).cloned().unwrap_or_default()
    }

    /// The tables, by name.
    pub(crate) fn tables(&self) -> Result<Vec<Found>, Refusal> {
        let Some(warehouse) = &self.warehouse else { return Ok(Vec::new()) };
        let tables = warehouse.tables().map_err(|error| internal(&error.what))?;
        let ours = tables.iter().filter(|table| table.dataset() == self.id);
        ours.filter_map(|table| self.find(table.name()).transpose()).collect()
    }

    /// A table, if it is there.
    pub(crate) fn find(&self, table: &str) -> Result<Option<Found>, Refusal> {
        let name = Table::new(&format!("{}.{table}", self.id));
        let (Some(warehouse), Ok(table)) = (&self.warehouse, name) else { return Ok(None) };
        let export = warehouse.export_of(&table).map_err(|error| internal(&error.what))?;
        Ok(export.map(|export| Found { table, export }))
    }

    /// Looks at a table: rows that came since the last look change it now.
    pub(crate) fn look(&mut self, found: &Found, now: Timestamp) -> Result<Seen, Refusal> {
        let rows = self.warehouse()?.newest_row(&found.table).map_err(|error| internal(&error.what))?;
        let first = Seen { created: now, modified: now, rows, buffered: 0, buffered_since: now };
        let name = found.table.name();
        let seen = self.seen.entry(name.to_owned()).or_insert(first);
        if now.duration_since(seen.buffered_since) > BUFFER_LIFE {
            seen.buffered = 0;
        }
        if rows != seen.rows {
            if seen.buffered == 0 {
                seen.buffered_since = now;
            }
            let is_streamed = name.ends_with("_REALTIME") || name.starts_with("events_intraday_");
            seen.buffered = if is_streamed { seen.buffered + rows.saturating_sub(seen.rows) } else { 0 };
            seen.modified = now.max(seen.modified + MILLISECOND);
            seen.rows = rows;
        }
        Ok(seen.clone())
    }

    /// The mean width of a row in bytes.
    pub(crate) fn row_bytes(&self, found: &Found) -> Result<f64, Refusal> {
        let mean = self.warehouse()?.mean_row_bytes(&found.table, found.export, width);
        mean.map_err(|error| internal(&error.what))
    }

    /// The columns and the partitioning, as a client would read them from `tables.get`.
    pub(crate) fn shape(&self, found: &Found) -> Shape {
        let hidden = self.conditions(found.table.name()).hidden;
        let columns = schema::names(found.export).into_iter().filter(|name| !hidden.contains(name));
        let partitioning = match self.partitioning(found) {
            TablePartitioning::LoadTime => Partitioning::ByLoadTime,
            TablePartitioning::Column | TablePartitioning::None => Partitioning::ByColumnOrNone,
        };
        Shape::new(columns.collect(), partitioning)
    }

    /// How a table is partitioned.
    pub(crate) fn partitioning(&self, found: &Found) -> TablePartitioning {
        let of_export = match found.export {
            Export::Analytics => TablePartitioning::None,
            Export::Crashlytics | Export::FirebaseSessions => TablePartitioning::Column,
        };
        self.conditions(found.table.name()).partitioning.unwrap_or(of_export)
    }

    /// Names that a source may read and this table does not have.
    pub(crate) fn lacking(&self, found: &Found, source: Source) -> Vec<&'static str> {
        let shape = self.shape(found);
        let by_load_time = self.partitioning(found) == TablePartitioning::LoadTime;
        let columns = read_by(source).into_iter().filter(|column| !shape.has(column));
        columns.chain((!by_load_time).then_some(PARTITION_TIME)).collect()
    }

    /// The bytes that a source's text processes of a table for events in `[from_us, to_us)`.
    pub(crate) fn processed(
        &mut self,
        found: &Found,
        source: Source,
        from_us: i64,
        to_us: i64,
    ) -> Result<u64, Refusal> {
        if let Some(bytes) = self.conditions(found.table.name()).bytes {
            return Ok(bytes);
        }
        let partitions = match self.partitioning(found) {
            TablePartitioning::Column => Partitions::ByEventDay,
            TablePartitioning::LoadTime => Partitions::ByLoadDay,
            TablePartitioning::None => Partitions::None,
        };
        let text = self.shape(found).fit(source.sql(Engine::BigQuery));
        let measured = self.measured(found, source, partitions)?;
        let read = columns_read(&text, &measured.columns);
        let of_day = |bytes: &Vec<u64>| {
            let columns = measured.columns.iter().zip(bytes);
            columns.filter(|(column, _)| read.contains(column)).map(|(_, bytes)| bytes).sum()
        };
        let per_day = measured.days.iter().map(|(day, bytes)| (*day, of_day(bytes))).collect();
        Ok(accounting::processed(&per_day, partitions, from_us, to_us))
    }

    /// Measures the rows that came since the last time.
    fn measured(
        &mut self,
        found: &Found,
        source: Source,
        partitions: Partitions,
    ) -> Result<&Measured, Refusal> {
        let warehouse = self.warehouse.as_ref().ok_or_else(|| internal("the dataset has no warehouse"))?;
        let day_of = match partitions {
            Partitions::ByLoadDay => DayOf::Receipt,
            Partitions::ByEventDay | Partitions::None => DayOf::Event,
        };
        let newest = warehouse.newest_row(&found.table).map_err(|error| internal(&error.what))?;
        let columns = read_by(source);
        let name = found.table.name().to_owned();
        let fresh = || Measured { day_of, rows: 0, columns: columns.clone(), days: BTreeMap::new() };
        let measured = self.measured.entry(name).or_insert_with(fresh);
        if measured.day_of != day_of || measured.rows > newest || measured.columns != columns {
            *measured = fresh();
        }
        if measured.rows < newest {
            let wanted: Vec<MeasuredColumn> =
                columns.iter().map(|name| of_width(found.export, name)).collect();
            let days = warehouse.measure(&found.table, day_of, &wanted, measured.rows);
            for day in days.map_err(|error| internal(&error.what))? {
                let sums = measured.days.entry(day.day).or_insert_with(|| vec![0; columns.len()]);
                sums.iter_mut().zip(day.bytes).for_each(|(sum, bytes)| *sum += bytes);
            }
            measured.rows = newest;
        }
        Ok(measured)
    }

    /// Runs a query on the embedded engine.
    pub(crate) fn ask(&self, query: &Query) -> Result<Vec<Vec<Cell>>, Refusal> {
        self.warehouse()?.ask(query).map(|answer| answer.rows).map_err(|error| internal(&error.what))
    }

    fn warehouse(&self) -> Result<&Embedded, Refusal> {
        self.warehouse.as_ref().ok_or_else(|| internal("the dataset has no warehouse"))
    }

    /// What is set up, for the control surface.
    pub(crate) fn state(&self) -> Value {
        json!({
            "location": self.location,
            "access": self.access,
            "warehouse": self.path,
            "tables": self.conditions,
        })
    }
}

/// The columns that a source reads, those included that a table may lack.
fn read_by(source: Source) -> Vec<&'static str> {
    source.needed().iter().copied().chain(source.optional()).collect()
}

fn of_width(export: Export, name: &str) -> MeasuredColumn {
    MeasuredColumn { name: name.to_owned(), width: width(schema::kind(export, name)) }
}

fn internal(what: &str) -> Refusal {
    Refusal::new(ErrorReason::InternalError, format!("The sandbox can't read its warehouse: {what}"))
}
