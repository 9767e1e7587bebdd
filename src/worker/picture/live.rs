//! What a worker leaves in the ledger of its numbers every few seconds, for who asks beside it.
//!
//! It is no news: nobody is woken by it, and what is old is nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

use crate::clock::{Mono, Now};
use crate::ledger::{FleetRow, LIVE, Ledger, LedgerError, WORKER};
use crate::ops::{NumberStatus, Why};
use crate::worker::event::Event;
use crate::worker::index::NumberIdx;
use crate::worker::shell::Worker;

/// How often it is left, if it changed.
const EVERY: Duration = Duration::from_secs(2);
/// How often at least.
const AT_LEAST: Duration = Duration::from_secs(10);

/// One number just now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveNumber {
    /// Messages that it sent within the last second.
    pub rate: f64,
    /// Messages a second that it may send.
    pub limit: f64,
    /// Why it does not send more.
    pub why: Why,
    /// Permits that could be taken at once.
    pub tokens: f64,
    /// Jobs admitted for it that have not left yet.
    pub admitted: u64,
    /// Requests without an answer yet.
    pub in_flight: u64,
    /// Its share by its own health: 1 if it has not failed.
    pub health: f64,
    /// Answers in a row that speak against it.
    pub failures: u32,
}

/// What was left last.
#[derive(Debug, Default)]
pub(super) struct Left {
    at: Option<Mono>,
    fields: String,
    is_under_way: bool,
}

/// What workers that are alive say of the numbers that they own: by worker and number.
pub async fn read(ledger: &Ledger, now: Now) -> Result<BTreeMap<(String, String), LiveNumber>, LedgerError> {
    let rows = ledger.fleet_list(WORKER.to_owned()).await?;
    let mut seen = BTreeMap::new();
    for row in rows.into_iter().filter(|row| now.wall.since(row.read_at) < LIVE) {
        // A later version may say it otherwise: then it says nothing to this one.
        let numbers: BTreeMap<String, LiveNumber> = serde_json::from_str(&row.fields).unwrap_or_default();
        seen.extend(numbers.into_iter().map(|(number, live)| ((row.id.clone(), number), live)));
    }
    Ok(seen)
}

impl Worker {
    /// Leaves word of its numbers, if there is anything new.
    pub(super) fn leave_word(&mut self, drawn: &[NumberStatus], now: Now) {
        let left = &self.easel.left;
        let since = left.at.map(|at| now.mono.since(at));
        let is_early = since.is_some_and(|since| since < EVERY);
        if left.is_under_way || is_early || self.ledger_away_until.is_some() || !self.holds_leases(now.mono) {
            return;
        }
        let own = self.core.scheduler.indices().zip(drawn);
        let own = own.filter(|(number, _)| self.core.scheduler.number(*number).holds_lease(now.mono));
        let numbers: BTreeMap<&str, LiveNumber> = own.map(|(number, status)| self.live(number, status)).collect();
        let fields = serde_json::to_string(&numbers).expect("plain figures and words");
        let is_known = fields == left.fields && since.is_some_and(|since| since < AT_LEAST);
        if numbers.is_empty() || is_known {
            return;
        }
        let row = FleetRow {
            kind: WORKER.to_owned(),
            id: self.id.0.to_string(),
            parent: String::new(),
            fields: fields.clone(),
            read_at: now.wall,
        };
        self.easel.left = Left { at: Some(now.mono), fields, is_under_way: true };
        let ledger = self.ledger.clone();
        self.asked.push(async move { Event::LeftWord(ledger.fleet_put(vec![row]).await) }.boxed_local());
    }

    /// One that did not get there is left anew with the next drawing: nobody depends on it.
    pub(in crate::worker) fn left_word(&mut self, answer: &Result<(), LedgerError>) {
        self.easel.left.is_under_way = false;
        if answer.is_err() {
            self.easel.left.fields.clear();
        }
    }

    fn live(&self, number: NumberIdx, status: &NumberStatus) -> (&str, LiveNumber) {
        let number = self.core.scheduler.number(number);
        let live = LiveNumber {
            rate: status.rate,
            limit: status.rate_limit,
            why: status.why,
            tokens: status.tokens,
            admitted: status.admitted,
            in_flight: status.in_flight,
            // Two digits: it moves a little with every answer.
            health: (number.health() * 100.0).round() / 100.0,
            failures: number.faults(),
        };
        (number.spec.id.as_str(), live)
    }
}
