//! The ledger in the state file: a row for each entry, and one for the head of each app.
//!
//! Rows are only ever inserted; triggers refuse anything else, against mistakes. Against intent there is the chain.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::Failure;
use crate::domain::ids::AppId;
use crate::domain::ledger::{Head, Noted, Page, Sealed};

/// Entries of one page: some hundred kilobytes.
const PAGE: usize = 500;

/// Appends an entry of the run that `run` names, in the transaction that writes what it tells of.
pub fn append(transaction: &Transaction<'_>, app: &AppId, run: &str, noted: &Noted) -> Result<(), Failure> {
    let sealed = noted.sealed(app, run, head(transaction, app)?.as_ref());
    let number = sealed.number.cast_signed();
    let added = "INSERT OR IGNORE INTO ledger (app, number, entry, hash) VALUES (?1, ?2, ?3, ?4)";
    if transaction.execute(added, params![app.as_str(), number, sealed.text, sealed.hash])? == 0 {
        return Err(Failure::Document(format!(
            "the ledger of app {app} has an entry {number} beyond its head; `tidegate ledger` says more"
        )));
    }
    let moved = "INSERT OR REPLACE INTO ledger_head (app, number, hash) VALUES (?1, ?2, ?3)";
    transaction.execute(moved, params![app.as_str(), number, sealed.hash])?;
    Ok(())
}

/// A page of the ledger of an app.
pub fn page(connection: &Connection, app: &AppId, from: u64) -> Result<Page, Failure> {
    let sql =
        "SELECT number, entry, hash FROM ledger WHERE app = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![app.as_str(), from, PAGE.cast_signed()], |row| {
        Ok(Sealed { number: row.get::<_, i64>(0)?.cast_unsigned(), text: row.get(1)?, hash: row.get(2)? })
    })?;
    let entries: Vec<Sealed> = rows.collect::<rusqlite::Result<_>>()?;
    let next = entries.last().filter(|_| entries.len() == PAGE).map(|last| last.number.saturating_add(1));
    Ok(Page { head: head(connection, app)?, next, entries })
}

fn head(connection: &Connection, app: &AppId) -> Result<Option<Head>, Failure> {
    let sql = "SELECT number, hash FROM ledger_head WHERE app = ?1";
    let found = connection.query_row(sql, [app.as_str()], |row| {
        Ok(Head { number: row.get::<_, i64>(0)?.cast_unsigned(), hash: row.get(1)? })
    });
    Ok(found.optional()?)
}
