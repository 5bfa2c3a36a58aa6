//! Imports what `bq extract` writes: newline-delimited JSON, gzip too. Everything or nothing.
//!
//! A file that is cut, of the wrong shape, or lacks a column is refused with its line, and no row of the whole import
//! is kept. Importing a file twice is harmless: the questions count each event once.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use rusqlite::{Connection, Statement, Transaction};
use serde_json::{Map, Value};

use super::schema::{Export, Type};
use super::value::stored;
use super::{APPLICATION_ID, Embedded, WAREHOUSE_VERSION};
use crate::ports::PortError;
use crate::queries::Table;

/// The first bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows written.
    pub rows: u64,
    /// Columns of the files that the warehouse does not keep.
    pub columns_left_out: BTreeSet<String>,
}

impl Embedded {
    /// Imports files into a table, all or none of them.
    ///
    /// # Errors
    /// The first thing that is wrong: the file, the line, the column and the fix.
    pub fn import(
        &self,
        table: &Table,
        export: Export,
        files: &[impl AsRef<Path>],
    ) -> Result<Imported, PortError> {
        let mut connection = self.connection();
        let write = |error: &rusqlite::Error| super::failed(&self.path, "write to", error);
        let transaction = connection.transaction().map_err(|error| write(&error))?;
        create(&transaction, table, export).map_err(|error| write(&error))?;
        let mut imported = Imported::default();
        for file in files {
            import_file(&transaction, table, export, file.as_ref(), &mut imported)?;
        }
        transaction.commit().map_err(|error| write(&error))?;
        Ok(imported)
    }

    /// Adds rows that are already parsed; for generated events.
    ///
    /// # Errors
    /// Where a row does not have the shape of the export.
    pub fn insert<'a>(
        &self,
        table: &Table,
        export: Export,
        rows: impl IntoIterator<Item = &'a Map<String, Value>>,
    ) -> Result<(), PortError> {
        let mut connection = self.connection();
        let write = |error: &rusqlite::Error| super::failed(&self.path, "write to", error);
        let transaction = connection.transaction().map_err(|error| write(&error))?;
        create(&transaction, table, export).map_err(|error| write(&error))?;
        {
            let mut statement = insertion(&transaction, table, export).map_err(|error| write(&error))?;
            for row in rows {
                insert_row(&mut statement, export, row).map_err(|problem| {
                    PortError::new(
                        format!("a generated row of {table}: {problem}"),
                        "this is a fault of tidegate",
                    )
                })?;
            }
        }
        transaction.commit().map_err(|error| write(&error))
    }
}

fn create(connection: &Connection, table: &Table, export: Export) -> rusqlite::Result<()> {
    let columns: Vec<String> =
        export.columns().iter().map(|column| format!("`{}` {}", column.name, storage(column.kind))).collect();
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS `{table}` ({});
         CREATE INDEX IF NOT EXISTS `{table} by time` ON `{table}` ({});
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {WAREHOUSE_VERSION};",
        columns.join(", "),
        export.read_by_sources(),
    ))
}

fn storage(kind: Type) -> &'static str {
    match kind {
        Type::String | Type::Nested => "TEXT",
        Type::Integer | Type::Boolean | Type::Timestamp => "INTEGER",
        Type::Float => "REAL",
    }
}

fn insertion<'c>(
    connection: &'c Transaction<'_>,
    table: &Table,
    export: Export,
) -> rusqlite::Result<Statement<'c>> {
    let columns: Vec<String> = export.columns().iter().map(|column| format!("`{}`", column.name)).collect();
    let places = vec!["?"; columns.len()].join(", ");
    connection.prepare(&format!("INSERT INTO `{table}` ({}) VALUES ({places})", columns.join(", ")))
}

fn insert_row(statement: &mut Statement<'_>, export: Export, row: &Map<String, Value>) -> Result<(), String> {
    for (place, column) in (1..).zip(export.columns()) {
        let value = stored(column, row.get(column.name))
            .map_err(|problem| format!("column {} {problem}", column.name))?;
        statement.raw_bind_parameter(place, value).map_err(|error| error.to_string())?;
    }
    statement.raw_execute().map(drop).map_err(|error| error.to_string())
}

fn import_file(
    transaction: &Transaction<'_>,
    table: &Table,
    export: Export,
    path: &Path,
    imported: &mut Imported,
) -> Result<(), PortError> {
    let file = path.display();
    let mut statement = insertion(transaction, table, export)
        .map_err(|error| PortError::new(format!("{file}: {error}"), "import into a new warehouse file"))?;
    let lines = open(path)
        .map_err(|error| PortError::new(format!("can't read {file}: {error}"), "check the path"))?;
    let mut unseen: Vec<&str> = export.expected().to_vec();
    let mut last = 0;
    for (number, line) in (1u64..).zip(lines.lines()) {
        let refused = |problem: &str| refused(path, number, table, export, problem);
        let line = line.map_err(|error| refused(&format!("the file is cut or damaged: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let row: Map<String, Value> = serde_json::from_str(&line)
            .map_err(|error| refused(&format!("not one whole JSON object: {error}")))?;
        insert_row(&mut statement, export, &row).map_err(|problem| refused(&problem))?;
        imported.rows += 1;
        last = number;
        unseen.retain(|name| !holds(&row, name));
        note_unknown(export, &row, &mut imported.columns_left_out);
    }
    match unseen.first().filter(|_| last > 0) {
        Some(name) => Err(refused(path, last, table, export, &format!("no row of the file holds {name}"))),
        None => Ok(()),
    }
}

/// Whether a row has `column` or `column.field`.
fn holds(row: &Map<String, Value>, name: &str) -> bool {
    let value = match name.split_once('.') {
        Some((column, field)) => row.get(column).and_then(|record| record.get(field)),
        None => row.get(name),
    };
    value.is_some_and(|value| !value.is_null())
}

fn note_unknown(export: Export, row: &Map<String, Value>, left_out: &mut BTreeSet<String>) {
    let known = |name: &String| export.columns().iter().any(|column| column.name == name);
    left_out.extend(row.keys().filter(|name| !known(name)).cloned());
}

fn open(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    let zipped = file.fill_buf()?.starts_with(&GZIP_MAGIC);
    let plain: Box<dyn Read> = if zipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(Box::new(BufReader::new(plain)))
}

fn refused(path: &Path, line: u64, table: &Table, export: Export, problem: &str) -> PortError {
    PortError::new(
        format!("{}:{line}: refused for table {table} ({} export): {problem}", path.display(), export.name()),
        "export the table again with `bq extract --destination_format NEWLINE_DELIMITED_JSON`; nothing was imported",
    )
}
