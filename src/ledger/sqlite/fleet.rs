//! What was read of numbers and accounts, and the outbox's two ends.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value};

use super::desk::Desk;
use crate::clock::Timestamp;
use crate::ledger::{FieldsNews, FleetRow, LIVE, LedgerError, OutboxRow, OutboxStage, WORKER};

impl Desk {
    pub(super) fn fleet_put(&self, rows: &[FleetRow]) -> Result<(), LedgerError> {
        let mut find = self.conn.prepare_cached("SELECT fields FROM fleet WHERE kind = ?1 AND id = ?2")?;
        let mut put = self.conn.prepare_cached(
            "INSERT INTO fleet (kind, id, parent, fields, read_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (kind, id) DO UPDATE SET
                 parent = excluded.parent, fields = excluded.fields, read_at = excluded.read_at",
        )?;
        let mut has_changed = false;
        for row in rows {
            let known: Option<String> = find.query_row(params![row.kind, row.id], |found| found.get(0)).optional()?;
            let is_news = row.kind != WORKER
                && known.is_none_or(|fields| fields != row.fields && read(&fields) != read(&row.fields));
            put.execute(params![row.kind, row.id, row.parent, row.fields, row.read_at.as_millis()])?;
            if is_news {
                self.limits_may_have_changed(&row.kind)?;
            }
            has_changed |= is_news;
        }
        if has_changed { self.turn_fleet() } else { Ok(()) }
    }

    /// Forgets what workers said that are gone.
    pub(super) fn drop_old_words(&self, now: Timestamp) -> Result<(), LedgerError> {
        self.conn
            .prepare_cached("DELETE FROM fleet WHERE kind = ?1 AND read_at < ?2")?
            .execute(params![WORKER, (now - LIVE).as_millis()])?;
        Ok(())
    }

    /// Lays some fields over those that are known.
    pub(super) fn merge_fields(&self, news: &FieldsNews) -> Result<(), LedgerError> {
        let known: Option<String> = self
            .conn
            .prepare_cached("SELECT fields FROM fleet WHERE kind = ?1 AND id = ?2")?
            .query_row(params![news.kind, news.id], |row| row.get(0))
            .optional()?;
        // What is no object cannot be merged with: the next read writes it anew.
        let before = known.as_deref().map(|fields| read(fields).unwrap_or_default());
        let mut fields = before.clone().unwrap_or_default();
        fields.extend(news.fields.clone());
        if before.as_ref() == Some(&fields) {
            return Ok(());
        }
        self.conn
            .prepare_cached(
                "INSERT INTO fleet (kind, id, parent, fields, read_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (kind, id) DO UPDATE SET
                     fields = excluded.fields, read_at = max(read_at, excluded.read_at)",
            )?
            .execute(params![
                news.kind,
                news.id,
                news.parent,
                Value::Object(fields).to_string(),
                news.at.as_millis(),
            ])?;
        self.limits_may_have_changed(&news.kind)?;
        self.turn_fleet()
    }

    /// Fields changed: says so to this process, and leaves a mark for others.
    fn turn_fleet(&self) -> Result<(), LedgerError> {
        let turn = self
            .conn
            .prepare_cached(
                "INSERT INTO turns (what, n) VALUES ('fleet', 1) ON CONFLICT (what) DO UPDATE SET n = n + 1
                 RETURNING n",
            )?
            .query_row([], |row| row.get(0))?;
        self.fleet_turn.set(Some(turn));
        self.stir_fleet();
        Ok(())
    }

    /// Whether fields of the fleet changed since the last look, or the last change of our own.
    pub(super) fn fleet_has_changed(&self) -> Result<bool, LedgerError> {
        let turn: i64 = self
            .conn
            .prepare_cached("SELECT coalesce((SELECT n FROM turns WHERE what = 'fleet'), 0)")?
            .query_row([], |row| row.get(0))?;
        self.limits.borrow_mut().clear();
        Ok(self.fleet_turn.replace(Some(turn)).is_some_and(|known| known != turn))
    }

    /// Puts an event in line.
    pub(super) fn put_out(&self, event: &OutboxRow) -> Result<(), LedgerError> {
        self.conn
            .prepare_cached("INSERT INTO outbox (topic, event, job, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![event.topic, event.event, event.job, event.body])?;
        Ok(())
    }

    pub(super) fn fleet_forget(&self, kind: &str, id: &str) -> Result<(), LedgerError> {
        self.conn.prepare_cached("DELETE FROM fleet WHERE kind = ?1 AND id = ?2")?.execute([kind, id])?;
        self.limits_may_have_changed(kind)
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

fn read(fields: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(fields).ok()
}
