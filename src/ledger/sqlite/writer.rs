//! The one thread that writes: what gathers while one commit is under way becomes the next.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use super::desk::Desk;
use super::line::{Errand, Note};
use super::wake::Bell;
use crate::clock;
use crate::ledger::{LedgerError, Signal};

/// How often an idle writer looks whether another process wrote: behind the watch, not instead of it.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A group takes no more errands past this many rows,
const GROUP_ROWS: usize = 1_000;
/// or past this time, so that who came first is not kept waiting by those who came last.
const GROUP_TIME: Duration = Duration::from_millis(5);
/// How long a command stands back after each commit, so that the worker gets the lock in between.
const STAND_BACK: Duration = Duration::from_millis(1);

/// The writer's thread.
pub(super) struct Writer {
    pub(super) desk: Desk,
    pub(super) notes: Receiver<Note<Desk>>,
    pub(super) signals: watch::Sender<Signal>,
    /// Set for commands: wakes the worker.
    pub(super) bell: Option<Bell>,
    /// SQLite's own count of other connections' commits, as last seen.
    pub(super) version: i64,
}

struct Done {
    errand: Box<dyn Errand<Desk>>,
    end: Result<(), LedgerError>,
}

impl Writer {
    /// Works until nobody can ask any more.
    pub(super) fn run(mut self) {
        loop {
            match self.notes.recv_timeout(LOOK_EVERY) {
                Ok(Note::Errand(errand)) => {
                    if self.commit_group(errand) {
                        return;
                    }
                }
                Ok(Note::Look(is_in_line)) => {
                    // First, or a ring between the look and this would be lost.
                    is_in_line.store(false, Ordering::Release);
                    self.look();
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Ok(Note::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Takes the errand and those behind it into one transaction; true if the line ended meanwhile.
    fn commit_group(&mut self, first: Box<dyn Errand<Desk>>) -> bool {
        if let Err(error) = begin(&self.desk.conn) {
            first.answer(Err(error));
            return false;
        }
        self.look();
        let began = clock::now().mono;
        let (mut group, mut rows, mut is_over) = (Vec::new(), 0, false);
        let mut next = Some(first);
        while let Some(mut errand) = next.take() {
            rows += errand.rows();
            let end = self.carry_out(errand.as_mut(), group.is_empty());
            let is_undone = self.desk.conn.is_autocommit();
            group.push(Done { errand, end });
            if is_undone || rows >= GROUP_ROWS || clock::now().mono.since(began) >= GROUP_TIME {
                break;
            }
            match self.notes.try_recv() {
                Ok(Note::Errand(errand)) => next = Some(errand),
                // Nobody else can write before this transaction ends, and it has looked.
                Ok(Note::Look(is_in_line)) => is_in_line.store(false, Ordering::Release),
                Err(_) => {}
                Ok(Note::Stop) => is_over = true,
            }
        }
        self.finish(group);
        is_over
    }

    /// Runs one errand so that its failure leaves its neighbours alone.
    fn carry_out(&self, errand: &mut dyn Errand<Desk>, is_first: bool) -> Result<(), LedgerError> {
        let desk = &self.desk;
        if !is_first {
            step(&desk.conn, "SAVEPOINT errand")?;
        }
        let end = errand.run(desk);
        match &end {
            Ok(()) => {
                desk.tally.keep();
                if !is_first {
                    step(&desk.conn, "RELEASE errand")?;
                }
            }
            Err(_) => {
                desk.forget();
                // A full disk may have undone the whole transaction by itself.
                if !desk.conn.is_autocommit() {
                    undo(&desk.conn, is_first)?;
                }
            }
        }
        end
    }

    fn finish(&mut self, group: Vec<Done>) {
        let committed = self.commit();
        let stirred = self.desk.take_stirred();
        if committed.is_ok() && (stirred.work || stirred.holds || stirred.fleet) {
            self.signals.send_modify(|signal| {
                signal.work += u64::from(stirred.work);
                signal.holds += u64::from(stirred.holds);
                signal.fleet += u64::from(stirred.fleet);
            });
        }
        for Done { errand, end } in group {
            errand.answer(end.and(committed.clone()));
        }
        if let Some(bell) = self.bell.as_ref().filter(|_| committed.is_ok()) {
            bell.ring();
            stand_back();
        }
    }

    fn commit(&self) -> Result<(), LedgerError> {
        let desk = &self.desk;
        let committed = if desk.conn.is_autocommit() {
            Err(LedgerError::Unreachable("the transaction was undone by another's failure".to_owned()))
        } else {
            desk.tally.write(&desk.conn).and_then(|()| step(&desk.conn, "COMMIT"))
        };
        if committed.is_err() {
            desk.forget();
            desk.tally.forget_group();
            if !desk.conn.is_autocommit() {
                // If even this fails, the next BEGIN says so.
                let _ = step(&desk.conn, "ROLLBACK");
            }
        }
        committed
    }

    /// Looks whether another process wrote, and says so to who waits for signals.
    fn look(&mut self) {
        let Ok(version) = data_version(&self.desk.conn) else { return self.desk.holds.forget() };
        if version == self.version {
            return;
        }
        // A look that fails is repeated by the next one, and who needs the holds reads them again.
        let Ok(holds) = self.desk.holds.reread(&self.desk.conn) else { return self.desk.holds.forget() };
        let Ok(fleet) = self.desk.fleet_has_changed() else { return };
        self.version = version;
        self.signals.send_modify(|signal| {
            signal.work += 1;
            signal.holds += u64::from(holds);
            signal.fleet += u64::from(fleet);
        });
    }
}

/// SQLite's write lock has no queue: who takes it again at once takes it from those who poll for it.
#[expect(clippy::disallowed_methods, reason = "SQLite's lock has no notification; a thread of its own waits here")]
fn stand_back() {
    std::thread::sleep(STAND_BACK);
}

/// Takes the write lock; waits for other processes as long as the connection's busy handler does.
pub(super) fn begin(conn: &Connection) -> Result<(), LedgerError> {
    step(conn, "BEGIN IMMEDIATE")
}

/// SQLite's count of commits by other connections.
pub(super) fn data_version(conn: &Connection) -> Result<i64, LedgerError> {
    Ok(conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}

fn undo(conn: &Connection, is_first: bool) -> Result<(), LedgerError> {
    if is_first {
        // Nothing else stands in this transaction yet: begin it anew for those behind.
        step(conn, "ROLLBACK")?;
        return begin(conn);
    }
    step(conn, "ROLLBACK TO errand")?;
    step(conn, "RELEASE errand")
}

fn step(conn: &Connection, sql: &str) -> Result<(), LedgerError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
