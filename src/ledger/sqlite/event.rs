//! Events: rows of the outbox, written by the commit that changes the job's state.

use rusqlite::{Row, params};

use super::desk::{Desk, known_word};
use crate::clock::Timestamp;
use crate::job::JobKey;
use crate::ledger::event::{self, Subject};
use crate::ledger::{LedgerError, OutboxRow};
use crate::outcome::State;

/// A change of a job's state.
pub(super) struct Happened {
    pub(super) seq: i64,
    pub(super) state: State,
    pub(super) at: Timestamp,
    /// Until when it waits.
    pub(super) until: Option<Timestamp>,
    /// Tells waits of one attempt apart.
    pub(super) turn: u32,
}

impl Desk {
    /// Writes the event of a change, if anybody listens.
    pub(super) fn publish(&self, happened: &Happened) -> Result<(), LedgerError> {
        let Happened { seq, state, at, until, turn } = *happened;
        if !self.publish.wants(state) {
            return Ok(());
        }
        let subject = self
            .conn
            .prepare_cached(
                "SELECT j.key, j.id, j.source, l.pool, j.campaign, j.recipient, j.number, j.reason, j.code, j.wamid,
                     j.attempt, j.metadata
                 FROM jobs j JOIN lanes l ON l.id = j.lane WHERE j.seq = ?1",
            )?
            .query_row([seq], |row| Ok(subject(row)))??;
        let OutboxRow { topic, event, job, body, .. } =
            event::write(subject, &event::Happened { state, at, until, turn })?;
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
    })
}
