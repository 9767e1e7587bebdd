//! Dead bodies: what could not become a job, or what nobody should try again.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::desk::Desk;
use crate::clock::Timestamp;
use crate::ledger::{Dead, DeadRow, LedgerError};

impl Desk {
    pub(super) fn bury(&self, dead: &[Dead]) -> Result<Vec<i64>, LedgerError> {
        let mut find = self.conn.prepare_cached("SELECT seq FROM dead WHERE hash = ?1")?;
        let mut bury = self.conn.prepare_cached(
            "INSERT INTO dead (hash, body, reason, field, origin, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut seqs = Vec::with_capacity(dead.len());
        for dead in dead {
            let hash = dead.hash();
            let seq = match find.query_row([hash], |row| row.get(0)).optional()? {
                Some(seq) => seq,
                None => {
                    self.tally.bury(1);
                    let at = dead.at.as_millis();
                    bury.insert(params![hash, dead.kept(), dead.reason, dead.field, dead.origin, at])?
                }
            };
            seqs.push(seq);
        }
        Ok(seqs)
    }

    pub(super) fn dead_drop(&self, seqs: &[i64]) -> Result<u32, LedgerError> {
        let mut drop = self.conn.prepare_cached("DELETE FROM dead WHERE seq = ?1")?;
        let mut dropped = 0;
        for seq in seqs {
            dropped += u32::from(drop.execute([seq])? > 0);
        }
        self.tally.bury(-i64::from(dropped));
        Ok(dropped)
    }
}

/// Bodies numbered above `after`.
pub(super) fn list(conn: &Connection, after: i64, limit: u32) -> Result<Vec<DeadRow>, LedgerError> {
    let mut find = conn
        .prepare_cached("SELECT seq, body, reason, field, origin, at FROM dead WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    Ok(find.query_map(params![after, limit], read)?.collect::<Result<_, _>>()?)
}

/// One body.
pub(super) fn show(conn: &Connection, seq: i64) -> Result<Option<DeadRow>, LedgerError> {
    let mut find = conn.prepare_cached("SELECT seq, body, reason, field, origin, at FROM dead WHERE seq = ?1")?;
    Ok(find.query_map([seq], read)?.next().transpose()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<DeadRow> {
    let at = Timestamp::from_millis(row.get(5)?);
    let dead = Dead { body: row.get(1)?, reason: row.get(2)?, field: row.get(3)?, origin: row.get(4)?, at };
    Ok(DeadRow { seq: row.get(0)?, dead })
}
