//! What became of messages, as Meta tells it: late, early, twice and in any order.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, params};

use super::desk::{Desk, known_word, readable, time, word};
use crate::clock::Timestamp;
use crate::job::{JobKey, NumberId};
use crate::ledger::event::Happened;
use crate::ledger::lattice::advance;
use crate::ledger::quota::{in_doubt, never_left};
use crate::ledger::{Applied, Heard, LedgerError, Moved, Pricing, StatusNews};
use crate::outcome::{Reason, State};

/// A job's row, as far as statuses change it.
#[derive(Clone, PartialEq)]
struct Told {
    seq: i64,
    /// Empty once the person was erased.
    recipient: String,
    number: Option<NumberId>,
    attempt: u32,
    state: State,
    reason: Option<Reason>,
    code: Option<u32>,
    details: Option<String>,
    wamid: Option<String>,
    price: Option<Pricing>,
    accepted_at: Option<Timestamp>,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    late_at: Option<Timestamp>,
    lost: u32,
}

/// What the statuses of a batch come to, while they are told.
#[derive(Default)]
pub(super) struct Telling {
    pub(super) applied: Applied,
    /// By number, the latest acceptance of which a status came.
    pub(super) heard: BTreeMap<NumberId, Timestamp>,
}

impl Desk {
    /// Takes in one status.
    pub(super) fn tell(&self, news: &StatusNews, telling: &mut Telling, now: Timestamp) -> Result<Moved, LedgerError> {
        let Some(found) = self.told(news.key)? else { return Ok(Moved::Stranger) };
        // A row that cannot be read is a job of ours, and left as it is.
        let Some(before) = found else { return Ok(Moved::Nothing) };
        if news.attempt > before.attempt {
            return Ok(Moved::Stranger);
        }
        let after = before.hear(news, now);
        if after != before {
            self.write_told(&before, &after, now)?;
        }
        if before.price.is_none() {
            telling.applied.priced.extend(after.price.clone());
        }
        if let (Some(number), Some(accepted_at)) = (&after.number, after.accepted_at) {
            let latest = telling.heard.entry(number.clone()).or_insert(accepted_at);
            *latest = accepted_at.max(*latest);
        }
        if matches!(news.heard, Heard::Delivered) {
            self.move_places(after.seq, news.at, now)?;
        }
        if after.state == before.state {
            return Ok(Moved::Nothing);
        }
        self.move_told(&before, &after, news, now)?;
        telling.applied.suppressed += u32::from(self.count_miss(&after, now)?);
        let since_accepted = before.accepted_at.map(|accepted_at| news.at.since(accepted_at));
        Ok(Moved::Job { from: before.state, to: after.state, after: since_accepted })
    }

    /// The row of a job's key; its inner none stands for a row that cannot be read.
    fn told(&self, key: JobKey) -> Result<Option<Option<Told>>, LedgerError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT seq, recipient, number, attempt, state, reason, code, details, wamid, cost_type, cost_category,
                     accepted_at, sent_at, delivered_at, read_at, ended_at, late_at, lost
                 FROM jobs WHERE key = ?1",
            )?
            .query_row([key.as_bytes()], |row| Ok(readable(Told::read(row), row)))
            .optional()?)
    }

    fn write_told(&self, before: &Told, after: &Told, now: Timestamp) -> Result<(), LedgerError> {
        let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millis);
        // A reason that a later version wrote reads as none: it stays unless the state goes on.
        self.conn
            .prepare_cached(
                "UPDATE jobs SET state = ?2, reason = iif(?3, ?4, reason), code = ?5, details = ?6, wamid = ?7,
                     cost_type = ?8, cost_category = ?9, accepted_at = ?10, sent_at = ?11, delivered_at = ?12,
                     read_at = ?13, ended_at = ?14, late_at = ?15, deadline = iif(?3, NULL, deadline), updated_at = ?16,
                     lost = ?17
                 WHERE seq = ?1",
            )?
            .execute(params![
                after.seq,
                after.state.as_str(),
                after.state != before.state,
                after.reason.map(Reason::as_str),
                after.code,
                after.details,
                after.wamid,
                after.price.as_ref().map(|price| &price.kind),
                after.price.as_ref().map(|price| &price.category),
                millis(after.accepted_at),
                millis(after.sent_at),
                millis(after.delivered_at),
                millis(after.read_at),
                millis(after.ended_at),
                millis(after.late_at),
                now.as_millis(),
                after.lost,
            ])?;
        Ok(())
    }

    /// The rest of a change of state: rows of a job that had not ended, the count, the event.
    fn move_told(&self, before: &Told, after: &Told, news: &StatusNews, now: Timestamp) -> Result<(), LedgerError> {
        if !before.state.has_ended() {
            self.drop_rows(before.seq)?;
        }
        if never_left(after.state) {
            self.give_back_places(before.seq, in_doubt(before.state, before.lost), now)?;
        }
        self.tally.remove(before.state, before.reason);
        self.tally.add(after.state, after.reason);
        let retryable = match &news.heard {
            Heard::Failed(failure) => Some(failure.retryable),
            Heard::Sent | Heard::Delivered | Heard::Read => None,
        };
        self.publish(after.seq, &Happened { retryable, ..Happened::of(after.state, news.at) })
    }

    /// A recipient whom Meta does not find, or does: only what changed a job's state counts, so that nothing counts
    /// twice. True if the recipient is held from now on.
    fn count_miss(&self, told: &Told, now: Timestamp) -> Result<bool, LedgerError> {
        match told.state {
            State::Delivered | State::Read => self.forget_misses(&told.recipient).map(|()| false),
            State::Failed | State::Suppressed => self.miss(&told.recipient, told.code, now),
            State::Queued
            | State::Waiting
            | State::Sending
            | State::Unknown
            | State::Accepted
            | State::Sent
            | State::Expired
            | State::Cancelled
            | State::Unresolved => Ok(false),
        }
    }
}

impl Told {
    fn read(row: &Row<'_>) -> Result<Self, LedgerError> {
        Ok(Self {
            seq: row.get(0)?,
            recipient: row.get(1)?,
            number: known_word(row, 2)?,
            attempt: row.get(3)?,
            state: word(row, 4)?,
            reason: known_word(row, 5)?,
            code: row.get(6)?,
            details: row.get(7)?,
            wamid: row.get(8)?,
            price: Pricing::read(row.get(9)?, row.get(10)?),
            accepted_at: time(row, 11)?,
            sent_at: time(row, 12)?,
            delivered_at: time(row, 13)?,
            read_at: time(row, 14)?,
            ended_at: time(row, 15)?,
            late_at: time(row, 16)?,
            lost: row.get(17)?,
        })
    }

    /// The row after a status of its attempt or an earlier one.
    fn hear(&self, news: &StatusNews, now: Timestamp) -> Self {
        let mut told = self.clone();
        match &news.heard {
            Heard::Sent => told.sent_at = earliest(told.sent_at, news.at),
            Heard::Delivered => told.delivered_at = earliest(told.delivered_at, news.at),
            Heard::Read => told.read_at = earliest(told.read_at, news.at),
            Heard::Failed(_) => {}
        }
        let is_proof = match news.heard {
            Heard::Sent | Heard::Delivered | Heard::Read => true,
            Heard::Failed(_) => false,
        };
        if is_proof {
            told.accepted_at = earliest(told.accepted_at, news.at);
        }
        // Meta's ids hold the phone number.
        let is_erased = self.recipient.is_empty();
        if !is_erased && (news.attempt == self.attempt || is_proof && self.wamid.is_none()) {
            told.wamid = Some(news.wamid.clone());
        }
        told.price_by(news);
        if matches!(news.heard, Heard::Delivered | Heard::Read) {
            told.late_at = None;
        }
        if let Some(state) = advance(self.state, self.attempt, news.attempt, &news.heard) {
            if news.attempt == self.attempt {
                // It is lost no more.
                told.lost = in_doubt(self.state, self.lost);
            }
            told.go_on(state, &news.heard, now);
            told.details = told.details.filter(|_| !is_erased);
        }
        told
    }

    /// What a later status says of the price is truer than what the first did; a failed message costs nothing.
    fn price_by(&mut self, news: &StatusNews) {
        match news.heard {
            Heard::Sent if self.price.is_none() => self.price.clone_from(&news.pricing),
            Heard::Delivered | Heard::Read if news.pricing.is_some() => self.price.clone_from(&news.pricing),
            Heard::Sent | Heard::Delivered | Heard::Read | Heard::Failed(_) => {}
        }
    }

    fn go_on(&mut self, state: State, heard: &Heard, now: Timestamp) {
        (self.reason, self.code, self.details) = match heard {
            Heard::Sent | Heard::Delivered | Heard::Read => (None, None, None),
            Heard::Failed(failure) => {
                self.late_at = None;
                let details = Some(failure.details.clone()).filter(|details| !details.is_empty());
                (Some(failure.reason), failure.code, details)
            }
        };
        self.state = state;
        self.ended_at = self.ended_at.or(Some(now));
    }
}

fn earliest(known: Option<Timestamp>, told: Timestamp) -> Option<Timestamp> {
    Some(known.map_or(told, |known| known.min(told)))
}
