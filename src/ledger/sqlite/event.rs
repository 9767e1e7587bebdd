//! Events: rows of the outbox, written by the commit that changes the job's state.

use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Publish;
use super::desk::{Desk, damaged, known_word};
use crate::clock::Timestamp;
use crate::job::JobKey;
use crate::ledger::LedgerError;
use crate::outcome::{Reason, State};

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

/// The event as the apps read it.
#[derive(Serialize)]
struct Event<'a> {
    v: u8,
    event: &'a str,
    at: String,
    id: String,
    source: Option<&'a str>,
    campaign: Option<String>,
    to: String,
    number: Option<String>,
    state: State,
    reason: Option<Reason>,
    retryable: Option<bool>,
    code: Option<u32>,
    wamid: Option<String>,
    attempt: u32,
    until: Option<String>,
    pricing: Option<()>,
    metadata: Option<Box<RawValue>>,
}

impl Desk {
    /// Writes the event of a change, if anybody listens.
    pub(super) fn publish(&self, happened: &Happened) -> Result<(), LedgerError> {
        let is_wanted = match self.publish {
            Publish::Off => false,
            Publish::Ended => happened.state.has_ended(),
            Publish::All => true,
        };
        if !is_wanted {
            return Ok(());
        }
        let (topic, event, id, body) = self
            .conn
            .prepare_cached(
                "SELECT j.key, j.id, j.source, l.pool, j.campaign, j.recipient, j.number, j.reason, j.code, j.wamid,
                     j.attempt, j.metadata
                 FROM jobs j JOIN lanes l ON l.id = j.lane WHERE j.seq = ?1",
            )?
            .query_row([happened.seq], |row| Ok(write(row, happened)))??;
        self.conn
            .prepare_cached("INSERT INTO outbox (topic, event, job, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![topic, event, id, body])?;
        Ok(())
    }
}

fn write(row: &Row<'_>, happened: &Happened) -> Result<(String, String, String, String), LedgerError> {
    let key = JobKey::from_bytes(row.get(0)?);
    let id: String = row.get(1)?;
    let source: Option<String> = row.get(2)?;
    let pool: String = row.get(3)?;
    let reason = known_word(row, 7)?;
    let attempt: u32 = row.get(10)?;
    let state = happened.state;
    let topic = format!("message.{state}.{pool}.{}", source.as_deref().unwrap_or("-"));
    let name = format!("{key}:{attempt}:{state}:{}", happened.turn);
    let metadata: Option<String> = row.get(11)?;
    let event = Event {
        v: 1,
        event: &name,
        at: happened.at.to_string(),
        id: id.clone(),
        source: source.as_deref(),
        campaign: row.get(4)?,
        to: row.get(5)?,
        number: row.get(6)?,
        state,
        reason,
        retryable: (state == State::Failed).then_some(reason == Some(Reason::AttemptsExhausted)),
        code: row.get(8)?,
        wamid: row.get(9)?,
        attempt,
        until: happened.until.map(|until| until.to_string()),
        pricing: None,
        metadata: metadata.map(RawValue::from_string).transpose().map_err(damaged)?,
    };
    let body = serde_json::to_string(&event).map_err(damaged)?;
    Ok((topic, name, id, body))
}
