//! The embedded state store: one SQLite file in WAL mode, a document per thing.
//!
//! One run at a time may hold leases of a file: it holds a lock of the operating system beside it, which ends with the
//! process. So a killed run never blocks the next one, and a lease that is found in the file while the lock is free is
//! left over and taken over, with a higher fence. Commits are one transaction that checks the fence first.

mod control;
mod examine;
mod ledger;
mod migrations;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fail_point;
use crate::domain::canonical;
use crate::domain::counts::{DayPartial, Partials};
use crate::domain::daily::AppPage;
use crate::domain::decision::Record;
use crate::domain::heartbeat::{Beat, Heartbeat};
use crate::domain::ids::{AppId, DecisionId};
use crate::domain::ledger::{Noted, Page};
use crate::domain::release::ReleaseId;
use crate::ports::{AppState, Lease, Memory, PortError, StateError, StateStore, Write};

pub use self::examine::{Examined, examine, heartbeat};

/// The state in a file.
pub struct SqliteState {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Held while this process holds any lease.
    run_lock: Mutex<Option<File>>,
}

impl SqliteState {
    /// Opens the state, and makes it where there is none.
    ///
    /// # Errors
    /// Where the file can't be made, is not a state file, or a newer version wrote it.
    pub fn open(path: &Path) -> Result<Self, PortError> {
        let mut connection = Connection::open(path).map_err(|error| failed(path, "open", &error))?;
        set_up(&connection).map_err(|error| failed(path, "open", &error))?;
        migrations::apply(&mut connection, path)?;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection), run_lock: Mutex::new(None) })
    }

    /// Opens the state for reading. Where there is no file none is made: nothing is remembered yet.
    ///
    /// # Errors
    /// As for [`SqliteState::open`].
    pub fn open_existing(path: &Path) -> Result<Self, PortError> {
        if path.exists() {
            return Self::open(path);
        }
        let mut connection = Connection::open_in_memory().map_err(|error| failed(path, "open", &error))?;
        migrations::apply(&mut connection, path)?;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection), run_lock: Mutex::new(None) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_lock(&self) -> MutexGuard<'_, Option<File>> {
        self.run_lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the operating system's lock, unless this process has it already. `false` where another process does.
    fn lock_run(&self) -> Result<Locked, PortError> {
        let mut held = self.run_lock();
        if held.is_some() {
            return Ok(Locked::Here);
        }
        let path = self.path.with_added_extension("lock");
        let unusable = |error: std::io::Error| {
            PortError::new(
                format!("can't lock {}: {error}", path.display()),
                "check that the folder of the state file is writable",
            )
        };
        let file =
            OpenOptions::new().create(true).write(true).truncate(false).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {
                *held = Some(file);
                Ok(Locked::Here)
            }
            Err(TryLockError::WouldBlock) => Ok(Locked::Elsewhere),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Runs `work` in one transaction that starts as a writer, so that it never has to be tried twice.
    fn write<T>(
        &self,
        verb: &str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, StateError> {
        let mut connection = self.connection();
        let outcome = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Failure::from)
            .and_then(|transaction| {
                let answer = work(&transaction)?;
                transaction.commit()?;
                Ok(answer)
            });
        outcome.map_err(|failure| failure.named(&self.path, verb))
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, StateError> {
        work(&self.connection()).map_err(|failure| failure.named(&self.path, "read"))
    }
}

/// Who holds the lock of a state file.
#[derive(PartialEq, Eq)]
enum Locked {
    /// This process.
    Here,
    /// Another process.
    Elsewhere,
}

/// What can go wrong inside a transaction.
enum Failure {
    Sqlite(rusqlite::Error),
    /// A document that this program can't read; says which.
    Document(String),
    State(StateError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    fn named(self, path: &Path, verb: &str) -> StateError {
        match self {
            Self::Sqlite(error) => StateError::Failed(failed(path, verb, &error)),
            Self::Document(what) => StateError::Unreadable(PortError::new(
                format!("the state {} holds something unreadable: {what}", path.display()),
                "nothing was overwritten; use the tidegate that wrote it, or move the file away to start anew",
            )),
            Self::State(error) => error,
        }
    }
}

#[async_trait]
impl StateStore for SqliteState {
    async fn acquire(
        &self,
        app: &AppId,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StateError> {
        let locked = self.lock_run()?;
        self.write("take a lease in", |transaction| {
            let found = stored_lease(transaction, app)?;
            if locked == Locked::Elsewhere {
                let holder = found.filter(|lease| !lease.holder.is_empty());
                return Err(Failure::State(
                    holder.map_or_else(|| unknown_holder(app, now), |lease| lease.busy(app)),
                ));
            }
            let same_process = found.as_ref().filter(|lease| lease.is_live_in_this_process(holder, now));
            if let Some(busy) = same_process {
                return Err(Failure::State(busy.busy(app)));
            }
            let fence = found.map_or(1, |lease| lease.fence + 1);
            transaction.execute(
                "INSERT OR REPLACE INTO lease (app, holder, fence, expires_at) VALUES (?1, ?2, ?3, ?4)",
                params![app.as_str(), holder, fence.cast_signed(), until.to_string()],
            )?;
            Ok(Lease::granted(app.clone(), holder.to_owned(), fence, until))
        })
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        let left = self.write("give a lease back in", |transaction| {
            transaction.execute(
                "UPDATE lease SET holder = '' WHERE app = ?1 AND fence = ?2",
                params![lease.app().as_str(), lease.fence().cast_signed()],
            )?;
            let mine = "SELECT COUNT(*) FROM lease WHERE holder = ?1";
            Ok(transaction.query_row(mine, [lease.holder()], |row| row.get::<_, i64>(0))?)
        })?;
        if left == 0 {
            *self.run_lock() = None;
        }
        Ok(())
    }

    async fn commit(&self, lease: &Lease, writes: Vec<Write>) -> Result<(), StateError> {
        self.write("write to", |transaction| {
            let held = stored_lease(transaction, lease.app())?;
            if !held.is_some_and(|found| found.fence == lease.fence() && found.holder == lease.holder()) {
                return Err(Failure::State(StateError::LostLease { app: lease.app().clone() }));
            }
            writes.iter().try_for_each(|write| control::must_hold(transaction, write))?;
            writes.iter().try_for_each(|write| put(transaction, lease, write))
        })?;
        fail_point::committed(&writes);
        Ok(())
    }

    async fn beat(&self, beat: &Beat) -> Result<(), StateError> {
        self.write("note a heartbeat in", |transaction| {
            let before = stored_heartbeat(transaction, beat.job)??;
            let sql = "INSERT OR REPLACE INTO heartbeat (job, doc) VALUES (?1, ?2)";
            transaction.execute(sql, params![beat.job, text(&beat.after(before.as_ref()))?])?;
            Ok(())
        })
    }

    fn memory(&self) -> &dyn Memory {
        self
    }
}

#[async_trait]
impl Memory for SqliteState {
    async fn app(&self, app: &AppId) -> Result<AppState, StateError> {
        self.read(|connection| {
            let last = "SELECT doc FROM decision WHERE app = ?1 ORDER BY decided_at DESC, rowid DESC LIMIT 1";
            Ok(AppState {
                releases: documents(connection, "SELECT doc FROM release WHERE app = ?1 ORDER BY key", app)?,
                messages: documents(
                    connection,
                    "SELECT doc FROM message WHERE app = ?1 ORDER BY rowid",
                    app,
                )?,
                last_decision: documents(connection, last, app)?.pop(),
                watch: documents(connection, "SELECT doc FROM watch WHERE app = ?1", app)?
                    .pop()
                    .unwrap_or_default(),
                heartbeats: heartbeats(connection)?,
            })
        })
    }

    async fn partials(&self, release: &ReleaseId) -> Result<Partials, StateError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT doc FROM partial WHERE app = ?1 AND key = ?2 ORDER BY day")?;
            let rows =
                statement.query_map([release.app.as_str(), &release.key], |row| row.get::<_, String>(0))?;
            rows.map(|text| document::<DayPartial>(&text?)).collect()
        })
    }

    async fn decision(&self, id: &DecisionId) -> Result<Option<Record>, StateError> {
        self.read(|connection| {
            let text: Option<String> = connection
                .query_row("SELECT doc FROM decision WHERE id = ?1", [id.as_str()], |row| row.get(0))
                .optional()?;
            text.map(|text| document(&text)).transpose()
        })
    }

    async fn history(&self, release: &ReleaseId) -> Result<Vec<Record>, StateError> {
        self.read(|connection| {
            // A text that is no JSON may be of any release, so it is not passed over.
            let sql = "SELECT doc FROM decision WHERE app = ?1 AND CASE WHEN json_valid(doc)
                       THEN doc ->> '$.release.key' = ?2 AND doc ->> '$.release.platform' = ?3 ELSE TRUE END";
            let mut statement = connection.prepare_cached(sql)?;
            let of_release = params![release.app.as_str(), release.key, release.platform.as_str()];
            let rows = statement.query_map(of_release, |row| row.get::<_, String>(0))?;
            let mut records =
                rows.map(|text| document::<Record>(&text?)).collect::<Result<Vec<_>, Failure>>()?;
            Record::in_order(&mut records);
            Ok(records)
        })
    }

    async fn report(&self, app: &AppId) -> Result<Option<AppPage>, StateError> {
        self.read(|connection| Ok(documents(connection, "SELECT doc FROM report WHERE app = ?1", app)?.pop()))
    }

    async fn evidence(&self, id: &DecisionId) -> Result<Option<String>, StateError> {
        self.read(|connection| {
            let sql = "SELECT doc, app, decided_at FROM decision WHERE id = ?1";
            let found = connection.query_row(sql, [id.as_str()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            });
            let Some((text, app, decided_at)) = found.optional()? else { return Ok(None) };
            // By these columns the newest decision of an app is found, so they may not say anything else.
            let told: Option<Value> = serde_json::from_str(&text).ok();
            if told.is_some_and(|told| told["release"]["app"] != app || told["decided_at"] != decided_at) {
                return Err(Failure::Document(format!("decision {id} is filed as another one")));
            }
            Ok(Some(text))
        })
    }

    async fn ledger(&self, app: &AppId, from: u64) -> Result<Page, StateError> {
        self.read(|connection| ledger::page(connection, app, from))
    }

    async fn heartbeat(&self, job: &str) -> Result<Option<Heartbeat>, StateError> {
        self.read(|connection| stored_heartbeat(connection, job)?)
    }
}

/// The heartbeat of a job: the outer error is the file's, the inner one the document's.
fn stored_heartbeat(
    connection: &Connection,
    job: &str,
) -> Result<Result<Option<Heartbeat>, Failure>, Failure> {
    let sql = "SELECT doc FROM heartbeat WHERE job = ?1";
    let found: Option<String> = connection.query_row(sql, [job], |row| row.get(0)).optional()?;
    Ok(found.map(|text| document(&text)).transpose())
}

/// Every heartbeat that can be read: they are for people, and stop nothing.
fn heartbeats(connection: &Connection) -> Result<Vec<Heartbeat>, Failure> {
    let mut statement = connection.prepare_cached("SELECT doc FROM heartbeat ORDER BY job")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let texts: Vec<String> = rows.collect::<Result<_, _>>()?;
    Ok(texts.iter().filter_map(|text| document(text).ok()).collect())
}

/// A lease as the file holds it.
struct StoredLease {
    holder: String,
    fence: u64,
    expires_at: Timestamp,
}

impl StoredLease {
    fn busy(&self, app: &AppId) -> StateError {
        StateError::Busy { app: app.clone(), holder: self.holder.clone(), until: self.expires_at }
    }

    /// Two runs in one process share its lock, so between them the lease itself decides.
    fn is_live_in_this_process(&self, holder: &str, now: Timestamp) -> bool {
        let same_process = process_of(&self.holder) == process_of(holder);
        !self.holder.is_empty() && same_process && self.expires_at > now
    }
}

/// Holders are `PROCESS/RUN`.
fn process_of(holder: &str) -> &str {
    holder.split('/').next().unwrap_or_default()
}

fn unknown_holder(app: &AppId, now: Timestamp) -> StateError {
    StateError::Busy { app: app.clone(), holder: "a run that has just begun".to_owned(), until: now }
}

fn stored_lease(transaction: &Transaction<'_>, app: &AppId) -> Result<Option<StoredLease>, Failure> {
    let row = transaction
        .query_row("SELECT holder, fence, expires_at FROM lease WHERE app = ?1", [app.as_str()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
        })
        .optional()?;
    row.map(|(holder, fence, expires_at)| {
        let expires_at = expires_at
            .parse()
            .map_err(|error| Failure::Document(format!("the lease of app {app}: {error}")))?;
        Ok(StoredLease { holder, fence: fence.cast_unsigned(), expires_at })
    })
    .transpose()
}

fn put(transaction: &Transaction<'_>, lease: &Lease, write: &Write) -> Result<(), Failure> {
    match write {
        Write::Release(state) => {
            let sql = "INSERT OR REPLACE INTO release (app, key, doc) VALUES (?1, ?2, ?3)";
            transaction.execute(sql, params![state.id.app.as_str(), state.id.key, text(state)?])?;
        }
        Write::Partials(id, partials) => {
            let sql = "INSERT OR REPLACE INTO partial (app, key, day, doc) VALUES (?1, ?2, ?3, ?4)";
            for partial in partials.iter() {
                transaction.execute(
                    sql,
                    params![id.app.as_str(), id.key, partial.day.to_string(), text(partial)?],
                )?;
            }
        }
        Write::ForgetPartials(id) => {
            let sql = "DELETE FROM partial WHERE app = ?1 AND key = ?2";
            transaction.execute(sql, params![id.app.as_str(), id.key])?;
        }
        Write::Decision(record) => {
            let sql = "INSERT OR IGNORE INTO decision (id, app, decided_at, doc) VALUES (?1, ?2, ?3, ?4)";
            let (id, app, at) =
                (record.id.as_str(), record.release.app.as_str(), record.decided_at.to_string());
            // The canonical text, so that the file holds the very bytes whose hash is in the ledger.
            let is_new = transaction.execute(sql, params![id, app, at, canonical::text_of(record)])? > 0;
            if is_new {
                ledger::append(transaction, lease.app(), lease.holder(), &Noted::decided(record))?;
            }
        }
        Write::Ledger(noted) => ledger::append(transaction, lease.app(), lease.holder(), noted)?,
        Write::Message(message) => {
            let sql = "INSERT INTO message (key, app, doc) VALUES (?1, ?2, ?3)
                       ON CONFLICT (key) DO UPDATE SET doc = excluded.doc";
            transaction.execute(sql, params![message.key, message.release.app.as_str(), text(message)?])?;
        }
        Write::Watch(app, watch) => {
            let sql = "INSERT OR REPLACE INTO watch (app, doc) VALUES (?1, ?2)";
            transaction.execute(sql, params![app.as_str(), text(watch)?])?;
        }
        Write::Report(page) => {
            let sql = "INSERT OR REPLACE INTO report (app, doc) VALUES (?1, ?2)";
            transaction.execute(sql, params![page.app.as_str(), text(page)?])?;
        }
        Write::Control(app, said) => control::put(transaction, app, said)?,
        // Looked at before anything was written.
        Write::Provided(_) => {}
    }
    Ok(())
}

fn documents<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    app: &AppId,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([app.as_str()], |row| row.get::<_, String>(0))?;
    rows.map(|text| document(&text?)).collect()
}

fn document<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Document(error.to_string()))
}

fn text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Document(error.to_string()))
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    const BUSY: std::time::Duration = std::time::Duration::from_secs(10);
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit must survive a power cut: an intent that is lost could be made twice.
    connection.pragma_update(None, "synchronous", "FULL")
}

fn failed(path: &Path, verb: &str, error: &rusqlite::Error) -> PortError {
    let fix = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => "the file is not a state file: correct [state] path",
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            "the file is damaged: restore it, or move it away to start anew"
        }
        Some(rusqlite::ErrorCode::DiskFull) => "free some disk space and run again",
        Some(rusqlite::ErrorCode::CannotOpen) => {
            "check that the folder of [state] path exists and is writable"
        }
        _ => "check that the file is writable and that no other program locks it, then run again",
    };
    PortError::new(format!("can't {verb} the state {}: {error}", path.display()), fix)
}
