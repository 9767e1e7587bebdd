//! Webhook bodies that are kept until they are applied.

use rusqlite::{Connection, params};

use super::desk::Desk;
use crate::clock::Timestamp;
use crate::ledger::{InboxRow, LedgerError};

impl Desk {
    pub(super) fn inbox_put(&self, bodies: &[Vec<u8>], now: Timestamp) -> Result<(), LedgerError> {
        let mut put = self.conn.prepare_cached("INSERT INTO inbox (body, at) VALUES (?1, ?2)")?;
        for body in bodies {
            put.execute(params![body, now.as_millis()])?;
        }
        Ok(())
    }

    /// Drops bodies that were read, and says whether any was still there.
    pub(super) fn inbox_done(&self, seqs: &[i64]) -> Result<bool, LedgerError> {
        let mut done = self.conn.prepare_cached("DELETE FROM inbox WHERE seq = ?1")?;
        let mut was_there = false;
        for seq in seqs {
            was_there |= done.execute([seq])? > 0;
        }
        Ok(was_there)
    }
}

/// The oldest bodies, at most so many, and no more bytes than these but for the first.
pub(super) fn take(conn: &Connection, limit: u32, bytes: usize) -> Result<Vec<InboxRow>, LedgerError> {
    let mut find = conn.prepare_cached("SELECT seq, body, at FROM inbox ORDER BY seq LIMIT ?1")?;
    let mut rows = find.query([limit])?;
    let (mut taken, mut left) = (Vec::new(), bytes);
    while let Some(row) = rows.next()? {
        let size = row.get_ref(1)?.as_bytes().map_or(0, <[u8]>::len);
        if size > left && !taken.is_empty() {
            break;
        }
        left = left.saturating_sub(size);
        taken.push(InboxRow { seq: row.get(0)?, body: row.get(1)?, at: Timestamp::from_millis(row.get(2)?) });
    }
    Ok(taken)
}
