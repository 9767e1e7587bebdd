//! The ledger in one SQLite file: one worker owns it, commands write beside it.
//!
//! One thread writes, another reads for people; both take errands from a bounded line. The writer commits in groups
//! and answers after the commit. Whoever has [`Access::Worker`] holds a lock on a file beside the ledger's.

mod admit;
mod applying;
mod calls;
mod cancel;
mod census;
mod change;
mod claim;
mod costs;
mod desk;
mod enqueue;
mod erasing;
mod event;
mod fleet;
mod hold_cache;
mod holds;
mod inbox;
mod lanes;
mod leases;
mod line;
mod misses;
mod morgue;
mod news;
mod open;
mod quota;
mod settle;
mod show;
mod statuses;
mod sweep;
mod tally;
mod wake;
mod windows;
mod writer;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::RecommendedWatcher;
use rusqlite::Connection;
use tokio::sync::watch;

use self::desk::Desk;
use self::line::{Line, Note};
use self::wake::Bell;
use self::writer::Writer;
use super::{LedgerError, Options, QuotaRules, Signal};
pub use super::{Migrate, Publish};

/// Who opens the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// The one worker: what the last one had claimed and leased is free at once.
    Worker,
    /// A command beside the worker, or without one.
    Beside,
}

/// An open ledger file; its clones are the same one. The last to go waits for what was asked to be committed.
#[derive(Clone)]
pub struct SqliteLedger {
    shared: Arc<Shared>,
}

/// Fields are dropped in this order: the lock goes last, when nothing of ours touches the file any more.
struct Shared {
    _watcher: Option<RecommendedWatcher>,
    writer: Line<Desk>,
    reader: Line<Connection>,
    signals: watch::Receiver<Signal>,
    path: PathBuf,
    quota: QuotaRules,
    _lock: Option<File>,
}

impl SqliteLedger {
    /// Opens the file, or makes it, and writes no events; blocks for as long as migrations take.
    pub fn open(path: &Path, access: Access, migrate: Migrate) -> Result<Self, LedgerError> {
        Self::open_publishing(path, access, migrate, Publish::Off)
    }

    /// Opens the file, or makes it, and writes events to its outbox.
    pub fn open_publishing(
        path: &Path,
        access: Access,
        migrate: Migrate,
        options: impl Into<Options>,
    ) -> Result<Self, LedgerError> {
        let lock = match access {
            Access::Worker => Some(open::take(path)?),
            Access::Beside => None,
        };
        let mut conn = open::writer(path)?;
        open::bring_up(path, &mut conn, migrate)?;
        let wake_file = wake::beside(path, "wake");
        let bell = match access {
            Access::Worker => {
                open::release_all(&conn)?;
                None
            }
            Access::Beside => Some(Bell::hang(&wake_file).map_err(open::unreachable)?),
        };
        let (sender, signals) = watch::channel(Signal::default());
        let version = writer::data_version(&conn)?;
        let options = options.into();
        let quota = options.quota;
        let desk = Desk::new(conn, options);
        desk.fleet_has_changed()?;
        let writer = Line::start("ledger-writer", move |notes| {
            Writer { desk, notes, signals: sender, bell, version }.run();
        })?;
        let conn = open::reader(path)?;
        let reader = Line::start("ledger-reader", move |notes| read(&conn, &notes))?;
        let watcher = match access {
            Access::Worker => Some(wake::watch(&wake_file, writer.bell()).map_err(open::unreachable)?),
            Access::Beside => None,
        };
        let path = path.to_owned();
        Ok(Self { shared: Arc::new(Shared { _watcher: watcher, writer, reader, signals, path, quota, _lock: lock }) })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The schema's version in the file.
    pub async fn schema_version(&self) -> Result<i64, LedgerError> {
        self.read(open::found_version).await
    }

    pub(super) fn signals(&self) -> watch::Receiver<Signal> {
        self.shared.signals.clone()
    }

    /// Has the writer do something, in the next commit.
    async fn write<Answer: Send + 'static>(
        &self,
        rows: usize,
        work: impl FnOnce(&Desk) -> Result<Answer, LedgerError> + Send + 'static,
    ) -> Result<Answer, LedgerError> {
        self.shared.writer.ask(rows, work).await
    }

    /// Has the reader look something up, in the state of the last commit.
    async fn read<Answer: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<Answer, LedgerError> + Send + 'static,
    ) -> Result<Answer, LedgerError> {
        self.shared.reader.ask(1, work).await
    }
}

/// Brings the schema of a file up to date, and says from which version to which.
pub fn migrate(path: &Path) -> Result<(i64, i64), LedgerError> {
    let mut conn = open::writer(path)?;
    let found = open::found_version(&conn)?;
    open::bring_up(path, &mut conn, Migrate::Auto)?;
    Ok((found, open::found_version(&conn)?))
}

fn read(conn: &Connection, notes: &std::sync::mpsc::Receiver<Note<Connection>>) {
    while let Ok(note) = notes.recv() {
        match note {
            Note::Errand(mut errand) => {
                let end = errand.run(conn);
                errand.answer(end);
            }
            Note::Look(_) => {}
            Note::Stop => return,
        }
    }
}

impl fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLedger").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error, ErrorCode};
        let is_damaged =
            matches!(
                error,
                Error::FromSqlConversionFailure(..) | Error::IntegralValueOutOfRange(..) | Error::InvalidColumnType(..)
            ) || matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
        if is_damaged { Self::Damaged(error.to_string()) } else { Self::Unreachable(error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ledger::Dead;

    fn body(text: &str) -> Dead {
        let (reason, field, origin) = (String::new(), String::new(), String::new());
        Dead { body: text.into(), reason, field, origin, at: Timestamp::default() }
    }

    /// Bodies that are there, and the count that is kept of them.
    async fn bodies(ledger: &SqliteLedger) -> (Vec<Vec<u8>>, u64) {
        let rows = ledger.dead_list(0, 100).await.expect("listed");
        (rows.into_iter().map(|row| row.dead.body).collect(), ledger.census().await.expect("counted").dead)
    }

    #[tokio::test]
    async fn an_errand_that_fails_leaves_its_neighbours_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.db");
        let ledger = SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("opened");
        let bury = |text: &'static str, fails: bool| {
            ledger.write(1, move |desk| {
                desk.bury(&[body(text)])?;
                if fails { Err(LedgerError::Damaged(text.to_owned())) } else { Ok(()) }
            })
        };
        // One future is polled after the other: they stand in line together, and most share a commit.
        let (first, second, third, fourth) =
            tokio::join!(bury("first", true), bury("second", false), bury("third", true), bury("fourth", false));
        assert!(matches!(first, Err(LedgerError::Damaged(text)) if text == "first"));
        assert!(matches!(third, Err(LedgerError::Damaged(text)) if text == "third"));
        assert!(second.is_ok() && fourth.is_ok());
        assert_eq!(bodies(&ledger).await, (vec![b"second".to_vec(), b"fourth".to_vec()], 2));
    }

    #[tokio::test]
    async fn a_full_disk_is_said_and_survived() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.db");
        let ledger = SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("opened");
        let limit =
            |pages: u32| ledger.write(1, move |desk| Ok(desk.conn.pragma_update(None, "max_page_count", pages)?));
        // SQLite takes a limit below what is there as what is there.
        limit(1).await.expect("set");
        let large = || vec![Dead { body: vec![b'x'; 100_000], ..body("") }];
        let refused = ledger.bury(large()).await.expect_err("no room");
        assert!(matches!(refused, LedgerError::Unreachable(_)), "{refused}");
        assert_eq!(bodies(&ledger).await, (vec![], 0));
        limit(1_000_000).await.expect("set");
        ledger.bury(large()).await.expect("room again");
        assert_eq!(bodies(&ledger).await.1, 1);
    }

    #[tokio::test]
    async fn errands_in_line_share_a_commit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.db");
        let ledger = SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("opened");
        let (enter, entered) = std::sync::mpsc::channel::<()>();
        // Keeps the writer busy until the others stand in line behind it.
        let first = ledger.write(1, move |_| Ok(entered.recv().is_ok()));
        let second = ledger.write(1, |desk| desk.bury(&[body("second")]));
        let third = ledger.write(1, |desk| {
            // Not committed yet, and yet to be seen: it is the same transaction.
            Ok((desk.conn.is_autocommit(), crate::ledger::sqlite::morgue::list(&desk.conn, 0, 9)?.len()))
        });
        let waiting = async { enter.send(()).expect("the writer waits") };
        let (_, _, seen, ()) = tokio::join!(first, second, third, waiting);
        assert_eq!(seen.expect("read"), (false, 1));
    }

    #[tokio::test]
    async fn who_goes_last_waits_for_what_was_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.db");
        let ledger = SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("opened");
        let asked = ledger.write(1, |desk| desk.bury(&[body("asked")]));
        // Dropped while it is under way: it is done all the same.
        assert!(futures_util::future::poll_immediate(asked).await.is_none());
        drop(ledger);
        let ledger = SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("opened");
        assert_eq!(bodies(&ledger).await.0, [b"asked".to_vec()]);
    }
}
