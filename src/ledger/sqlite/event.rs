//! Events: rows of the outbox, written by the commit that changes the job's state.

use rusqlite::Row;

use super::desk::{Desk, known_word};
use crate::job::JobKey;
use crate::ledger::event::{self, Happened, Subject};
use crate::ledger::{LedgerError, Pricing, Publish};

impl Desk {
    /// Writes the event of a change, if anybody listens.
    pub(super) fn publish(&self, seq: i64, happened: &Happened) -> Result<(), LedgerError> {
        if !self.publish.wants(happened.state) {
            return Ok(());
        }
        self.put_out(&event::write(self.subject(seq)?, happened)?)
    }

    /// Writes that a message was sent and not delivered in the time its job asked for, if anybody listens.
    pub(super) fn publish_late(&self, seq: i64, happened: &Happened) -> Result<(), LedgerError> {
        if self.publish == Publish::Off {
            return Ok(());
        }
        self.put_out(&event::write_late(self.subject(seq)?, happened)?)
    }

    fn subject(&self, seq: i64) -> Result<Subject, LedgerError> {
        self.conn
            .prepare_cached(
                "SELECT j.key, j.id, j.source, l.pool, j.campaign, j.recipient, j.number, j.reason, j.code, j.wamid,
                     j.attempt, j.metadata, j.cost_type, j.cost_category
                 FROM jobs j JOIN lanes l ON l.id = j.lane WHERE j.seq = ?1",
            )?
            .query_row([seq], |row| Ok(subject(row)))?
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
