//! Events: rows of the outbox, written by the commit that changes the job's state.

use rusqlite::{Row, params};

use super::desk::{Desk, known_word};
use crate::job::JobKey;
use crate::ledger::event::{self, Happened, Subject};
use crate::ledger::{LedgerError, OutboxRow, Pricing};

impl Desk {
    /// Writes the event of a change, if anybody listens.
    pub(super) fn publish(&self, seq: i64, happened: &Happened) -> Result<(), LedgerError> {
        if !self.publish.wants(happened.state) {
            return Ok(());
        }
        let subject = self
            .conn
            .prepare_cached(
                "SELECT j.key, j.id, j.source, l.pool, j.campaign, j.recipient, j.number, j.reason, j.code, j.wamid,
                     j.attempt, j.metadata, j.cost_type, j.cost_category
                 FROM jobs j JOIN lanes l ON l.id = j.lane WHERE j.seq = ?1",
            )?
            .query_row([seq], |row| Ok(subject(row)))??;
        let OutboxRow { topic, event, job, body, .. } = event::write(subject, happened)?;
        self.conn
            .prepare_cached("INSERT INTO outbox (topic, event, job, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![topic, event, job, body])?;
        Ok(())
    }
}

fn subject(row: &Row<'_>) -> Result<Subject, LedgerError> {
    Ok(Subject {
        key: JobKey::from_bytes(row.get(0)?),
        id: row.get(1)?,
        source: row.get(2)?,
        pool: row.get(3)?,
        campaign: row.get(4)?,
        recipient: row.get(5)?,
        number: row.get(6)?,
        reason: known_word(row, 7)?,
        code: row.get(8)?,
        wamid: row.get(9)?,
        attempt: row.get(10)?,
        metadata: row.get(11)?,
        pricing: Pricing::read(row.get(12)?, row.get(13)?),
    })
}
