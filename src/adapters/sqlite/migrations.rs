//! The layouts of the state file, oldest first. A file is brought to the newest one in a single transaction.
//!
//! A step is never changed once it has been released; a new one is added. A file of a newer version is refused, because
//! an older program would drop what it does not know.

use std::path::Path;

use rusqlite::Connection;

use super::failed;
use crate::ports::PortError;

/// Each step takes a file from its index to the next version.
const STEPS: [&str; 6] = ["
    CREATE TABLE lease (app TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL, expires_at TEXT NOT NULL);
    CREATE TABLE release (app TEXT NOT NULL, key TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (app, key));
    CREATE TABLE partial (
        app TEXT NOT NULL, key TEXT NOT NULL, day TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (app, key, day)
    );
    CREATE TABLE decision (id TEXT PRIMARY KEY, app TEXT NOT NULL, decided_at TEXT NOT NULL, doc TEXT NOT NULL);
    CREATE INDEX decision_by_time ON decision (app, decided_at);
    CREATE TABLE message (key TEXT PRIMARY KEY, app TEXT NOT NULL, doc TEXT NOT NULL);
    CREATE INDEX message_by_app ON message (app);
",
"
    CREATE TABLE watch (app TEXT PRIMARY KEY, doc TEXT NOT NULL);
",
"
    CREATE TABLE control (app TEXT PRIMARY KEY, doc TEXT NOT NULL);
",
"
    CREATE TABLE ledger (
        app TEXT NOT NULL, number INTEGER NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (app, number)
    );
    CREATE TABLE ledger_head (app TEXT PRIMARY KEY, number INTEGER NOT NULL, hash TEXT NOT NULL);
    CREATE TRIGGER ledger_keeps_entries BEFORE DELETE ON ledger
        BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never deleted'); END;
    CREATE TRIGGER ledger_changes_no_entry BEFORE UPDATE ON ledger
        BEGIN SELECT RAISE(ABORT, 'entries of the ledger are never changed'); END;
",
"
    CREATE TABLE heartbeat (job TEXT PRIMARY KEY, doc TEXT NOT NULL);
",
"
    CREATE TABLE report (app TEXT PRIMARY KEY, doc TEXT NOT NULL);
"];

/// Marks a SQLite file as a state: "tgst" in ASCII.
const APPLICATION_ID: i64 = 0x7467_7374;
/// The version that this program writes.
const VERSION: i64 = STEPS.len() as i64;

/// Brings a file to the newest version.
///
/// # Errors
/// Where a newer program wrote it, or a step fails.
pub fn apply(connection: &mut Connection, path: &Path) -> Result<(), PortError> {
    let version = check(connection, path)?;
    step_by_step(connection, version).map_err(|error| failed(path, "bring up to date", &error))
}

/// The version of a file that this program can bring up to date; 0 for one that is empty.
///
/// # Errors
/// Where it is something else, or a newer program wrote it.
pub fn check(connection: &Connection, path: &Path) -> Result<i64, PortError> {
    let version = version(connection).map_err(|error| failed(path, "open", &error))?;
    let kind: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| failed(path, "open", &error))?;
    if version > 0 && kind != APPLICATION_ID {
        return Err(PortError::new(
            format!("{} is a SQLite file of something else, not a state", path.display()),
            "nothing was changed; name another file in [state] path",
        ));
    }
    if version > VERSION {
        return Err(PortError::new(
            format!("the state {} has version {version}; this program knows {VERSION}", path.display()),
            "nothing was changed; use the newer tidegate that wrote it, or name another file in [state] path",
        ));
    }
    Ok(version)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn step_by_step(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have brought it up to date while this one waited.
    let version = self::version(&transaction)?.max(version);
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
