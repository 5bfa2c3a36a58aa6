//! A look at a state file that makes and changes nothing: whether it could be opened, written and locked.

use std::fs::{OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};

use super::{failed, migrations};
use crate::domain::heartbeat::Heartbeat;
use crate::ports::PortError;

/// Another writer is waited for so long.
const BUSY: Duration = Duration::from_secs(5);

/// What a look at a state file found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Examined {
    /// There is none; the first run makes it.
    Absent,
    /// It can be written, and no run is active.
    Free,
    /// It can be written, and a run is active.
    InUse,
}

/// Looks at a state file. A write transaction is begun and given up, so that nothing is written.
///
/// # Errors
/// Where the file or its folder can't be used.
pub fn examine(path: &Path) -> Result<Examined, PortError> {
    if !path.exists() {
        return folder(path).map(|()| Examined::Absent);
    }
    let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let mut connection = opened.map_err(|error| failed(path, "open", &error))?;
    connection.busy_timeout(BUSY).map_err(|error| failed(path, "open", &error))?;
    migrations::check(&connection, path)?;
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    begun.and_then(rusqlite::Transaction::rollback).map_err(|error| failed(path, "lock", &error))?;
    run_lock(path)
}

/// When a job ran last, by a state file that is neither made nor brought up to date; none where it does not say.
///
/// # Errors
/// Where the file can't be read.
pub fn heartbeat(path: &Path, job: &str) -> Result<Option<Heartbeat>, PortError> {
    if !path.exists() {
        return Ok(None);
    }
    let read = || {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY)?;
        if !connection.table_exists(None, "heartbeat")? {
            return Ok(None);
        }
        let sql = "SELECT doc FROM heartbeat WHERE job = ?1";
        connection.query_row(sql, [job], |row| row.get::<_, String>(0)).optional()
    };
    let text = read().map_err(|error| failed(path, "read", &error))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// The folder must be there. Whether a file can be made in it is told only by making one.
fn folder(path: &Path) -> Result<(), PortError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let problem = match folder.metadata() {
        Ok(found) if !found.is_dir() => "is no folder",
        Ok(found) if found.permissions().readonly() => "is not writable",
        Ok(_) => return Ok(()),
        Err(_) => "is not there",
    };
    Err(PortError::new(
        format!("the state {} can't be made: its folder {} {problem}", path.display(), folder.display()),
        format!("mkdir -p {0} && chmod u+rwx {0}, or correct [state] path", folder.display()),
    ))
}

/// Takes the lock of a run for an instant, if its file is there.
fn run_lock(path: &Path) -> Result<Examined, PortError> {
    let lock = path.with_added_extension("lock");
    if !lock.exists() {
        return Ok(Examined::Free);
    }
    let unusable = |error: std::io::Error| {
        PortError::new(
            format!("can't lock {}: {error}", lock.display()),
            format!("chmod u+rw {}", lock.display()),
        )
    };
    let file = OpenOptions::new().write(true).open(&lock).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(Examined::Free),
        Err(TryLockError::WouldBlock) => Ok(Examined::InUse),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::SqliteState;
    use super::*;

    #[test]
    fn a_look_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        assert_eq!(examine(&path).unwrap(), Examined::Absent);
        assert!(!path.exists());
        drop(SqliteState::open(&path).unwrap());
        let before = std::fs::read(&path).unwrap();
        assert_eq!(examine(&path).unwrap(), Examined::Free);
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert!(!path.with_added_extension("lock").exists());
    }

    #[test]
    fn what_can_not_be_used_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let told = examine(&folder.path().join("none/state.sqlite")).unwrap_err().to_string();
        assert!(told.contains("is not there") && told.contains("mkdir -p"), "{told}");
        let other = folder.path().join("other.sqlite");
        std::fs::write(&other, "no database, but long enough to be looked at as one").unwrap();
        assert!(examine(&other).unwrap_err().to_string().contains("not a state file"));
    }
}
