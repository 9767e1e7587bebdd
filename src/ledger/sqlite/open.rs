//! Opening the file: locks, settings, migrations, and what a dead worker left.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};

use super::{Migrate, wake};
use crate::ledger::LedgerError;

mod embedded {
    refinery::embed_migrations!("src/ledger/migrations/sqlite");
}

/// Short: whoever holds the write lock holds it for a few milliseconds.
const BUSY_PAUSE: Duration = Duration::from_micros(250);
/// After this many pauses (some half a minute) the file counts as out of reach.
const BUSY_PAUSES: i32 = 100_000;
/// A schema this much newer is one that this binary still works with: migrations expand first, contract later.
const NEWER: i64 = 1;

/// Proves that no other worker has the ledger; the lock goes with the process, however it ends.
pub(super) fn take(path: &Path) -> Result<File, LedgerError> {
    let lock = wake::open(&wake::beside(path, "lock")).map_err(unreachable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Taken(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(unreachable(error)),
    }
}

/// The writer's connection.
pub(super) fn writer(path: &Path) -> Result<Connection, LedgerError> {
    let conn = connect(path)?;
    conn.pragma_update(None, "journal_mode", "wal")?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    // In KiB: it is the worker's memory.
    conn.pragma_update(None, "cache_size", -8_192)?;
    Ok(conn)
}

/// The readers' connection: what people ask never delays the writer.
pub(super) fn reader(path: &Path) -> Result<Connection, LedgerError> {
    let conn = connect(path)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -2_048)?;
    Ok(conn)
}

fn connect(path: &Path) -> Result<Connection, LedgerError> {
    let mut conn = Connection::open(path)?;
    conn.busy_handler(Some(pause_for_others))?;
    // Without this, SQLite plans many of our statements anew for each value that is bound: a fifth of all the work.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.set_prepared_statement_cache_capacity(128);
    Ok(conn)
}

#[expect(clippy::disallowed_methods, reason = "SQLite's lock has no notification; a thread of its own waits here")]
fn pause_for_others(pauses: i32) -> bool {
    std::thread::sleep(BUSY_PAUSE);
    pauses < BUSY_PAUSES
}

/// The schema that this binary brings.
pub(super) fn known_version() -> i64 {
    let migrations = embedded::migrations::runner();
    migrations.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

/// The schema that the file has; 0 for a new file.
pub(super) fn found_version(conn: &Connection) -> Result<i64, LedgerError> {
    let history = conn
        .query_row("SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'", [], |_| Ok(()))
        .optional()?;
    if history.is_none() {
        return Ok(0);
    }
    Ok(conn.query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))?)
}

/// Sees to it that this binary can work with the file's schema.
pub(super) fn bring_up(path: &Path, conn: &mut Connection, migrate: Migrate) -> Result<(), LedgerError> {
    let known = known_version();
    let mut found = found_version(conn)?;
    if found < known && migrate == Migrate::Auto {
        // Two that start on a new file at once must not both make its tables.
        let turn = wake::open(&wake::beside(path, "wake")).map_err(unreachable)?;
        turn.lock().map_err(unreachable)?;
        if found_version(conn)? < known {
            embedded::migrations::runner().run(conn).map_err(|error| LedgerError::Unreachable(error.to_string()))?;
        }
        found = found_version(conn)?;
    }
    if (known..=known + NEWER).contains(&found) { Ok(()) } else { Err(LedgerError::Schema { found, known }) }
}

/// The last worker is dead, as the lock proves: what it had claimed is free, nobody holds a lease, and nobody will
/// settle what it was sending.
pub(super) fn release_all(conn: &Connection) -> Result<(), LedgerError> {
    conn.execute_batch(
        "BEGIN IMMEDIATE;
         UPDATE waiting SET owned = 0 WHERE seq IN (
             SELECT w.seq FROM waiting w CROSS JOIN jobs j ON j.seq = w.seq
             WHERE w.owned = 1 AND j.deadline IS NULL);
         UPDATE jobs SET deadline = 0 WHERE deadline IS NOT NULL AND state = 'sending';
         UPDATE leases SET owner = NULL, expires_at = 0;
         COMMIT;",
    )?;
    Ok(())
}

pub(super) fn unreachable(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Unreachable(error.to_string())
}
