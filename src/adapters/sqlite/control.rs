//! What people have said, in the state file, and what a commit depends on. A word needs no lease: one transaction compares
//! and writes, and a run that decided on the older word can't commit.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Failure, SqliteState, document, ledger, text};
use crate::domain::control::Control;
use crate::domain::ids::AppId;
use crate::domain::release::{ReleaseId, ReleaseState};
use crate::ports::{Basis, Saying, StateError, Words, Write};

#[async_trait]
impl Words for SqliteState {
    async fn heard(&self, app: &AppId) -> Result<Control, StateError> {
        self.read(|connection| stored(connection, app))
    }

    async fn say(&self, app: &AppId, saying: Saying<'_>) -> Result<(), StateError> {
        self.write("write to", |transaction| {
            unchanged(&stored(transaction, app)?, saying.before, app, "what people have said")?;
            put(transaction, app, saying.now)?;
            ledger::append(transaction, app, saying.run, saying.entry)
        })
    }
}

/// Refuses a commit whose basis is gone. Of a word that can't be read nothing can be said, so it is another one.
pub fn must_hold(transaction: &Transaction<'_>, write: &Write) -> Result<(), Failure> {
    let Write::Provided(basis) = write else { return Ok(()) };
    match basis.as_ref() {
        Basis::Control(app, before) => {
            let found = match stored(transaction, app) {
                Err(Failure::Document(_)) => None,
                found => Some(found?),
            };
            unchanged(&found.as_ref(), &Some(before), app, "what people have said")
        }
        Basis::Release(id, before) => {
            unchanged(&release(transaction, id)?.map(Box::new), before, &id.app, "the state of the release")
        }
    }
}

fn unchanged<T: PartialEq>(found: &T, before: &T, app: &AppId, what: &'static str) -> Result<(), Failure> {
    match found == before {
        true => Ok(()),
        false => Err(Failure::State(StateError::Overtaken { app: app.clone(), what })),
    }
}

/// Puts what is said now in the place of the older.
pub fn put(transaction: &Transaction<'_>, app: &AppId, now: &Control) -> Result<(), Failure> {
    let sql = "INSERT OR REPLACE INTO control (app, doc) VALUES (?1, ?2)";
    transaction.execute(sql, params![app.as_str(), text(now)?])?;
    Ok(())
}

fn stored(connection: &Connection, app: &AppId) -> Result<Control, Failure> {
    let sql = "SELECT doc FROM control WHERE app = ?1";
    let found: Option<String> = connection.query_row(sql, [app.as_str()], |row| row.get(0)).optional()?;
    found.map_or_else(|| Ok(Control::default()), |found| document(&found))
}

fn release(connection: &Connection, id: &ReleaseId) -> Result<Option<ReleaseState>, Failure> {
    let sql = "SELECT doc FROM release WHERE app = ?1 AND key = ?2";
    let found = connection.query_row(sql, [id.app.as_str(), &id.key], |row| row.get::<_, String>(0));
    found.optional()?.map(|found| document(&found)).transpose()
}
