//! What was read of numbers and accounts, and the outbox's two ends.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::desk::Desk;
use crate::clock::Timestamp;
use crate::ledger::{FleetRow, LedgerError, OutboxRow, OutboxStage};

impl Desk {
    pub(super) fn fleet_put(&self, rows: &[FleetRow]) -> Result<(), LedgerError> {
        let mut put = self.conn.prepare_cached(
            "INSERT INTO fleet (kind, id, parent, fields, read_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (kind, id) DO UPDATE SET
                 parent = excluded.parent, fields = excluded.fields, read_at = excluded.read_at",
        )?;
        for row in rows {
            put.execute(params![row.kind, row.id, row.parent, row.fields, row.read_at.as_millis()])?;
        }
        Ok(())
    }

    pub(super) fn fleet_forget(&self, kind: &str, id: &str) -> Result<(), LedgerError> {
        self.conn.prepare_cached("DELETE FROM fleet WHERE kind = ?1 AND id = ?2")?.execute([kind, id])?;
        Ok(())
    }

    pub(super) fn outbox_pass_on(&self, seqs: &[i64]) -> Result<(), LedgerError> {
        let mut pass_on = self.conn.prepare_cached("UPDATE outbox SET passed_on = 1 WHERE seq = ?1")?;
        for seq in seqs {
            pass_on.execute([seq])?;
        }
        Ok(())
    }

    pub(super) fn outbox_done(&self, seqs: &[i64]) -> Result<(), LedgerError> {
        let mut done = self.conn.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?;
        for seq in seqs {
            done.execute([seq])?;
        }
        Ok(())
    }
}

/// What was last read of one kind.
pub(super) fn list(conn: &Connection, kind: &str) -> Result<Vec<FleetRow>, LedgerError> {
    let mut find =
        conn.prepare_cached("SELECT kind, id, parent, fields, read_at FROM fleet WHERE kind = ?1 ORDER BY id")?;
    let rows = find.query_map([kind], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What was last read of one thing.
pub(super) fn get(conn: &Connection, kind: &str, id: &str) -> Result<Option<FleetRow>, LedgerError> {
    let mut find =
        conn.prepare_cached("SELECT kind, id, parent, fields, read_at FROM fleet WHERE kind = ?1 AND id = ?2")?;
    Ok(find.query_row([kind, id], row).optional()?)
}

fn row(row: &Row<'_>) -> rusqlite::Result<FleetRow> {
    Ok(FleetRow {
        kind: row.get(0)?,
        id: row.get(1)?,
        parent: row.get(2)?,
        fields: row.get(3)?,
        read_at: Timestamp::from_millis(row.get(4)?),
    })
}

/// The oldest events that wait to be published.
pub(super) fn outbox(conn: &Connection, stage: OutboxStage, limit: u32) -> Result<Vec<OutboxRow>, LedgerError> {
    let (least, most) = stage.bounds();
    let mut find = conn.prepare_cached(
        "SELECT seq, topic, event, job, body FROM outbox WHERE passed_on BETWEEN ?1 AND ?2 ORDER BY seq LIMIT ?3",
    )?;
    let rows = find.query_map(params![least, most, limit], |row| {
        Ok(OutboxRow { seq: row.get(0)?, topic: row.get(1)?, event: row.get(2)?, job: row.get(3)?, body: row.get(4)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
