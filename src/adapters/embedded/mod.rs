//! The embedded warehouse: a SQLite file that holds the export tables in their true shape, nested columns as JSON.
//!
//! The same questions run here and on BigQuery; the sources differ only in how a nested column is reached.
//! `FARM_FINGERPRINT` gives BigQuery's own values. Reading never writes.

pub mod import;
pub mod measure;
pub mod schema;
mod value;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};

use super::events::{Answer, TableInfo, Warehouse};
use crate::domain::cost::QueryCost;
use crate::ports::PortError;
use crate::queries::{Cell, Engine, Query, Table, Value};

/// Marks a SQLite file as a warehouse: "tgwh" in ASCII.
const APPLICATION_ID: i64 = 0x7467_7768;
/// The layout of the file; raised when tables are kept differently.
const WAREHOUSE_VERSION: i64 = 1;

/// The warehouse in a file.
pub struct Embedded {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Embedded {
    /// Opens a warehouse for reading.
    ///
    /// # Errors
    /// Where there is no such file, it is not a warehouse, or a newer version wrote it.
    pub fn open(path: &Path) -> Result<Self, PortError> {
        if !path.exists() {
            return Err(PortError::new(
                format!("the embedded warehouse {} does not exist", path.display()),
                "import exports first: tidegate import --warehouse FILE DATASET.TABLE FILE..., or correct [warehouse] path",
            ));
        }
        Self::with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Opens a warehouse for importing, and makes it where there is none.
    ///
    /// # Errors
    /// Where the file can't be made or is not a warehouse.
    pub fn create(path: &Path) -> Result<Self, PortError> {
        Self::with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    fn with_flags(path: &Path, flags: OpenFlags) -> Result<Self, PortError> {
        let connection =
            Connection::open_with_flags(path, flags).map_err(|error| failed(path, "open", &error))?;
        prepare(&connection).map_err(|error| failed(path, "open", &error))?;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let of_file = |error| failed(path, "open", &error);
        let (version, kind) =
            (pragma("user_version").map_err(of_file)?, pragma("application_id").map_err(of_file)?);
        if version > 0 && kind != APPLICATION_ID {
            return Err(PortError::new(
                format!("{} is a SQLite file of something else, not a warehouse", path.display()),
                "nothing was changed; name another file",
            ));
        }
        if version > WAREHOUSE_VERSION {
            return Err(PortError::new(
                format!(
                    "the warehouse {} has version {version}; this program knows {WAREHOUSE_VERSION}",
                    path.display()
                ),
                "use the newer tidegate that wrote it, or import the exports again into a new file",
            ));
        }
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a query to its end, on this thread.
    ///
    /// # Errors
    /// Where a table or a column is missing, or the file can't be read.
    pub fn ask(&self, query: &Query) -> Result<Answer, PortError> {
        self.answer(query)
            .map_err(|error| failed(&self.path, &format!("answer {} from", query.question.name()), &error))
    }

    fn answer(&self, query: &Query) -> rusqlite::Result<Answer> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&query.sql)?;
        for (name, value) in &query.parameters {
            if let Some(index) = statement.parameter_index(&format!("@{name}"))? {
                statement.raw_bind_parameter(index, Bound(value))?;
            }
        }
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let cost = QueryCost {
            question: query.question.name().to_owned(),
            table: query.table_names(),
            ..QueryCost::default()
        };
        let mut answer = Answer { rows: Vec::new(), cost };
        while let Some(row) = rows.next()? {
            answer.rows.push(
                (0..columns).map(|column| Ok(cell(row.get_ref(column)?))).collect::<rusqlite::Result<_>>()?,
            );
        }
        Ok(answer)
    }
}

#[async_trait]
impl Warehouse for Embedded {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    /// Imported rows are only ever added, so the newest row id tells whether a table has changed.
    async fn table(&self, table: &Table) -> Result<Option<TableInfo>, PortError> {
        let there = self
            .connection()
            .prepare_cached("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1")
            .and_then(|mut statement| statement.exists([table.as_str()]))
            .map_err(|error| failed(&self.path, "list the tables of", &error))?;
        if !there {
            return Ok(None);
        }
        let newest: Option<i64> = self
            .connection()
            .query_row(&format!("SELECT MAX(rowid) FROM `{table}`"), [], |row| row.get(0))
            .map_err(|error| failed(&self.path, "look at a table of", &error))?;
        let mark = Some(newest.unwrap_or(0).to_string());
        Ok(Some(TableInfo { mark, ..TableInfo::default() }))
    }

    async fn run(&self, query: &Query) -> Result<Answer, PortError> {
        self.ask(query)
    }
}

/// Sets a connection up: waiting for another writer instead of failing, and BigQuery's fingerprint.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    const BUSY: std::time::Duration = std::time::Duration::from_secs(10);
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("FARM_FINGERPRINT", 1, pure, |context| {
        let text = context.get_raw(0).as_str_or_null()?;
        Ok(text.map(|text| farmhash::fingerprint64(text.as_bytes()).cast_signed()))
    })
}

struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Integer(value) => ValueRef::Integer(*value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Real(value) => Cell::Text(value.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Cell::Text(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

fn failed(path: &Path, verb: &str, error: &rusqlite::Error) -> PortError {
    let fix = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => "the file is not a warehouse: correct [warehouse] path",
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            "the file is damaged: import the exports again into a new file"
        }
        Some(rusqlite::ErrorCode::DiskFull) => "free some disk space and run again",
        _ => "check that the file is readable and that no other program locks it, then run again",
    };
    PortError::new(format!("can't {verb} the embedded warehouse {}: {error}", path.display()), fix)
}
