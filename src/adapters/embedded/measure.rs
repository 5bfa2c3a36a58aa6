//! What is known of a warehouse without asking it a question: its tables, how many rows they have, how wide their
//! columns are. The sandbox's BigQuery answers from this; it reads, and changes nothing in the file.
//!
//! Rows are only ever added, so a measure can go on where an earlier one ended. Columns can be hidden from one
//! connection, to be a table that lacks them.

use jiff::Timestamp;

use super::schema::{Export, Type};
use super::{Embedded, failed};
use crate::ports::PortError;
use crate::queries::Table;

/// Rows that are looked at for the mean width of a row.
const SAMPLED_ROWS: u32 = 1_000;

/// Which day a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayOf {
    /// That of the event.
    Event,
    /// That of its receipt, or of the event where the export does not tell.
    Receipt,
}

/// How wide a value is that is not NULL, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Always the same.
    Fixed(u64),
    /// Its UTF-8 text, and so many more.
    Text(u64),
}

/// A column, or a field of a record as `record.field`, and how it is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasuredColumn {
    /// Its name.
    pub name: String,
    /// How wide a value is.
    pub width: Width,
}

/// The rows of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayMeasure {
    /// Days since 1970, UTC.
    pub day: i64,
    /// How many.
    pub rows: u64,
    /// The bytes of each measured column, in their order.
    pub bytes: Vec<u64>,
}

impl Embedded {
    /// The tables, by name.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn tables(&self) -> Result<Vec<Table>, PortError> {
        let connection = self.connection();
        let names = connection
            .prepare_cached("SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY name")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .map_err(|error| failed(&self.path, "list the tables of", &error))?;
        let names: Vec<String> = names;
        Ok(names.iter().filter_map(|name| Table::new(name).ok()).collect())
    }

    /// Which export a table holds, told by its columns; none where there is no such table, or of another kind.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn export_of(&self, table: &Table) -> Result<Option<Export>, PortError> {
        let connection = self.connection();
        let columns = connection
            .prepare_cached("SELECT name FROM pragma_table_info(?1, 'main')")
            .and_then(|mut statement| statement.query_map([table.as_str()], |row| row.get(0))?.collect())
            .map_err(|error| failed(&self.path, "look at a table of", &error))?;
        let columns: Vec<String> = columns;
        let holds = |export: &Export| export.columns().iter().map(|column| column.name).eq(&columns);
        Ok(Export::ALL.into_iter().find(holds))
    }

    /// The number of the newest row, which is how many there are; 0 for an empty table.
    ///
    /// # Errors
    /// Where there is no such table.
    pub fn newest_row(&self, table: &Table) -> Result<u64, PortError> {
        let newest: Option<i64> = self
            .connection()
            .query_row(&format!("SELECT MAX(rowid) FROM main.`{table}`"), [], |row| row.get(0))
            .map_err(|error| failed(&self.path, "look at a table of", &error))?;
        Ok(newest.map_or(0, i64::cast_unsigned))
    }

    /// When the newest event of a table happened; none where it has no row.
    ///
    /// # Errors
    /// Where the table can't be read.
    pub fn newest_event(&self, table: &Table) -> Result<Option<Timestamp>, PortError> {
        let newest: Option<i64> = self
            .connection()
            .query_row(&format!("SELECT MAX(event_timestamp) FROM main.`{table}`"), [], |row| row.get(0))
            .map_err(|error| failed(&self.path, "look at a table of", &error))?;
        Ok(newest.and_then(|us| Timestamp::from_microsecond(us).ok()))
    }

    /// The bytes of columns per day, of the rows after the given one; 0 measures all.
    ///
    /// # Errors
    /// Where the table lacks one of the columns.
    pub fn measure(
        &self,
        table: &Table,
        day: DayOf,
        columns: &[MeasuredColumn],
        after_row: u64,
    ) -> Result<Vec<DayMeasure>, PortError> {
        let at = match day {
            DayOf::Event => "event_timestamp",
            DayOf::Receipt => "COALESCE(received_timestamp, event_timestamp)",
        };
        // Without a condition the index over what the sources read is enough.
        let rows = if after_row == 0 { String::new() } else { format!("WHERE rowid > {after_row}") };
        let sums: String = columns
            .iter()
            .map(|column| format!(", COALESCE(SUM({}), 0)", width(&column.name, column.width)))
            .collect();
        let sql =
            format!("SELECT {at} / 86400000000 AS day, COUNT(*){sums} FROM main.`{table}` {rows} GROUP BY 1");
        let read = |row: &rusqlite::Row<'_>| {
            let count = |place| row.get::<_, i64>(place).map(i64::cast_unsigned);
            let bytes = (0..columns.len()).map(|place| count(place + 2));
            Ok(DayMeasure { day: row.get(0)?, rows: count(1)?, bytes: bytes.collect::<Result<_, _>>()? })
        };
        self.connection()
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_map([], read)?.collect())
            .map_err(|error| failed(&self.path, "measure a table of", &error))
    }

    /// The mean width of a row in bytes, told by the first rows; records by the length of their JSON.
    ///
    /// # Errors
    /// Where there is no such table.
    pub fn mean_row_bytes(
        &self,
        table: &Table,
        export: Export,
        width_of: fn(Type) -> Width,
    ) -> Result<f64, PortError> {
        let columns = export.columns().iter().map(|column| width(column.name, width_of(column.kind)));
        let sum = columns.map(|column| format!("COALESCE({column}, 0)")).collect::<Vec<_>>().join(" + ");
        let sql = format!(
            "SELECT COALESCE(AVG(bytes), 0.0) FROM (SELECT {sum} AS bytes FROM main.`{table}` LIMIT {SAMPLED_ROWS})"
        );
        self.connection()
            .query_row(&sql, [], |row| row.get(0))
            .map_err(|error| failed(&self.path, "measure a table of", &error))
    }

    /// Hides columns, and fields of records as `record.field`, from this connection: they read as NULL.
    ///
    /// # Errors
    /// Where there is no such table.
    pub fn hide(&self, table: &Table, export: Export, hidden: &[String]) -> Result<(), PortError> {
        let columns: Vec<String> = export.columns().iter().map(|column| shown(column.name, hidden)).collect();
        let view = match hidden {
            [] => String::new(),
            _ => format!("CREATE TEMP VIEW `{table}` AS SELECT {} FROM main.`{table}`", columns.join(", ")),
        };
        self.connection()
            .execute_batch(&format!("DROP VIEW IF EXISTS temp.`{table}`; {view}"))
            .map_err(|error| failed(&self.path, "hide columns of", &error))
    }
}

/// How many bytes a value is; NULL for NULL.
fn width(name: &str, width: Width) -> String {
    let value = match name.split_once('.') {
        None => format!("`{name}`"),
        // As the sources write it, so that the index serves here too.
        Some((record, field)) => format!("CAST({record} ->> '$.{field}' AS TEXT)"),
    };
    match width {
        Width::Fixed(bytes) => format!("CASE WHEN {value} IS NOT NULL THEN {bytes} END"),
        Width::Text(more) => format!("{more} + LENGTH(CAST({value} AS BLOB))"),
    }
}

/// A column of a table of which some are hidden.
fn shown(name: &str, hidden: &[String]) -> String {
    if hidden.iter().any(|hidden| hidden == name) {
        return format!("NULL AS `{name}`");
    }
    let fields: String = hidden
        .iter()
        .filter_map(|hidden| hidden.strip_prefix(name)?.strip_prefix('.'))
        .map(|field| format!(", '$.{}'", field.replace('\'', "")))
        .collect();
    if fields.is_empty() { format!("`{name}`") } else { format!("json_remove(`{name}`{fields}) AS `{name}`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};

    const TABLE: &str = "firebase_crashlytics.com_example_app_ANDROID";

    fn row(id: &str, at: &str, received: &str) -> Map<String, Value> {
        let row = json!({"event_id": id, "event_timestamp": at, "received_timestamp": received, "error_type": "FATAL",
            "application": {"display_version": "2.0", "build_version": "200"}, "firebase_session_id": null});
        row.as_object().unwrap().clone()
    }

    fn warehouse() -> (tempfile::TempDir, Embedded, Table) {
        let folder = tempfile::tempdir().unwrap();
        let embedded = Embedded::create(&folder.path().join("w.sqlite")).unwrap();
        let table = Table::new(TABLE).unwrap();
        let rows = [
            row("é1", "1970-01-02T00:00:00Z", "1970-01-02T00:01:00Z"),
            row("e2", "1970-01-02T23:59:59Z", "1970-01-03T00:00:00Z"),
        ];
        embedded.insert(&table, Export::Crashlytics, &rows).unwrap();
        (folder, embedded, table)
    }

    fn columns() -> Vec<MeasuredColumn> {
        let column = |name: &str, width| MeasuredColumn { name: name.to_owned(), width };
        vec![
            column("event_id", Width::Text(2)),
            column("event_timestamp", Width::Fixed(8)),
            column("application.build_version", Width::Text(2)),
            column("firebase_session_id", Width::Text(2)),
        ]
    }

    #[test]
    fn measures_bytes_not_characters_and_nothing_for_null() {
        let (_folder, embedded, table) = warehouse();
        let day = |day, rows, bytes: [u64; 4]| DayMeasure { day, rows, bytes: bytes.to_vec() };
        let by_event = embedded.measure(&table, DayOf::Event, &columns(), 0).unwrap();
        assert_eq!(by_event, [day(1, 2, [9, 16, 10, 0])]);
        let by_receipt = embedded.measure(&table, DayOf::Receipt, &columns(), 0).unwrap();
        assert_eq!(by_receipt, [day(1, 1, [5, 8, 5, 0]), day(2, 1, [4, 8, 5, 0])]);
        assert_eq!(embedded.newest_row(&table).unwrap(), 2);
        let rest = embedded.measure(&table, DayOf::Event, &columns(), 1).unwrap();
        assert_eq!(rest, [day(1, 1, [4, 8, 5, 0])]);
    }

    #[test]
    fn tables_are_listed_and_told_apart_by_their_columns() {
        let (_folder, embedded, table) = warehouse();
        let other = Table::new("somewhere.else_entirely").unwrap();
        embedded.insert(&other, Export::FirebaseSessions, []).unwrap();
        assert_eq!(embedded.tables().unwrap(), [table.clone(), other.clone()]);
        assert_eq!(embedded.export_of(&table).unwrap(), Some(Export::Crashlytics));
        assert_eq!(embedded.export_of(&other).unwrap(), Some(Export::FirebaseSessions));
        assert_eq!(embedded.export_of(&Table::new("no.table").unwrap()).unwrap(), None);
    }

    #[test]
    fn hidden_columns_read_as_null_until_they_are_shown_again() {
        let (_folder, embedded, table) = warehouse();
        let read = |sql: &str| -> (Option<String>, Option<String>) {
            embedded.connection().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
        };
        let sql = format!("SELECT error_type, application ->> '$.build_version' FROM `{table}`");
        let hidden = ["error_type".to_owned(), "application.build_version".to_owned()];
        embedded.hide(&table, Export::Crashlytics, &hidden).unwrap();
        assert_eq!(read(&sql), (None, None));
        assert_eq!(embedded.newest_row(&table).unwrap(), 2);
        embedded.hide(&table, Export::Crashlytics, &[]).unwrap();
        assert_eq!(read(&sql), (Some("FATAL".to_owned()), Some("200".to_owned())));
    }
}
