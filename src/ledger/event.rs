//! Events: what apps are told of a job's change of state, the same from every database.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{LedgerError, OutboxRow, Pricing, Publish};
use crate::clock::Timestamp;
use crate::job::JobKey;
use crate::outcome::{Reason, State};

/// A change of a job's state.
#[derive(Clone, Copy)]
pub(super) struct Happened {
    pub(super) state: State,
    pub(super) at: Timestamp,
    /// Until when it waits.
    pub(super) until: Option<Timestamp>,
    /// Tells waits of one attempt apart.
    pub(super) turn: u32,
    /// Whether the app might try again, where somebody knows better than the reason tells.
    pub(super) retryable: Option<bool>,
}

impl Happened {
    /// Without a wait.
    pub(super) const fn of(state: State, at: Timestamp) -> Self {
        Self { state, at, until: None, turn: 0, retryable: None }
    }
}

/// The job as it stands after the change.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) key: JobKey,
    pub(super) id: String,
    pub(super) source: Option<String>,
    pub(super) pool: String,
    pub(super) campaign: Option<String>,
    pub(super) recipient: String,
    pub(super) number: Option<String>,
    pub(super) reason: Option<Reason>,
    pub(super) code: Option<u32>,
    pub(super) wamid: Option<String>,
    pub(super) attempt: u32,
    pub(super) metadata: Option<String>,
    pub(super) pricing: Option<Pricing>,
}

/// The event as the apps read it.
#[derive(Serialize)]
struct Event<'a> {
    v: u8,
    event: &'a str,
    at: String,
    id: &'a str,
    source: Option<&'a str>,
    campaign: Option<&'a str>,
    to: &'a str,
    number: Option<&'a str>,
    state: State,
    reason: Option<Reason>,
    retryable: Option<bool>,
    code: Option<u32>,
    wamid: Option<&'a str>,
    attempt: u32,
    until: Option<String>,
    pricing: Option<Pricing>,
    metadata: Option<Box<RawValue>>,
}

impl Publish {
    /// Whether a change to this state is told.
    pub(super) const fn wants(self, state: State) -> bool {
        match self {
            Self::Off => false,
            Self::Ended => state.has_ended(),
            Self::All => true,
        }
    }
}

/// The event of a change; it has no place in line yet.
pub(super) fn write(subject: Subject, happened: &Happened) -> Result<OutboxRow, LedgerError> {
    let (key, attempt, state) = (subject.key, subject.attempt, happened.state);
    let name = format!("{key}:{attempt}:{state}:{}", happened.turn);
    write_as(state.as_str(), name, subject, happened)
}

/// The event of a message that was sent and not delivered in the time that its job asked for.
pub(super) fn write_late(subject: Subject, happened: &Happened) -> Result<OutboxRow, LedgerError> {
    let name = format!("{}:late", subject.key);
    write_as("late", name, subject, happened)
}

fn write_as(word: &str, name: String, subject: Subject, happened: &Happened) -> Result<OutboxRow, LedgerError> {
    let damaged = |error: serde_json::Error| LedgerError::Damaged(error.to_string());
    let Subject { id, pool, attempt, reason, .. } = subject;
    let state = happened.state;
    let topic = format!("message.{word}.{pool}.{}", subject.source.as_deref().unwrap_or("-"));
    let retryable = happened.retryable.unwrap_or(reason == Some(Reason::AttemptsExhausted));
    let event = Event {
        v: 1,
        event: &name,
        at: happened.at.to_string(),
        id: &id,
        source: subject.source.as_deref(),
        campaign: subject.campaign.as_deref(),
        to: &subject.recipient,
        number: subject.number.as_deref(),
        state,
        reason,
        retryable: (state == State::Failed).then_some(retryable),
        code: subject.code,
        wamid: subject.wamid.as_deref(),
        attempt,
        until: happened.until.map(|until| until.to_string()),
        pricing: subject.pricing,
        metadata: subject.metadata.map(RawValue::from_string).transpose().map_err(damaged)?,
    };
    let body = serde_json::to_string(&event).map_err(damaged)?;
    Ok(OutboxRow { seq: 0, topic, event: name, job: id, body })
}
