//! A picture of the worker's state, drawn once a second for the status page, `/readyz` and the gauges of numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Mono, Now, Timestamp};
use crate::job::Priority;
use crate::ledger::Census;
use crate::metrics::{LeaseChange, Rating};
use crate::ops::{HoldStatus, LaneStatus, LedgerStatus, NumberStatus, PartStatus, StatusSnapshot};
use crate::outcome::Reason;

use super::index::NumberIdx;
use super::number::{Blocked, Number};
use super::pool::Pool;
use super::shell::Worker;

/// How often it is drawn anew.
const EVERY: Duration = Duration::from_secs(1);

/// What the picture needs beside the worker's own state, and where it is hung.
#[derive(Debug)]
pub struct Easel {
    /// The ledger's name, without credentials.
    pub ledger: String,
    /// When the process started.
    pub started_at: Timestamp,
    /// How many jobs stand where, from the keeper.
    pub census: watch::Receiver<Census>,
    /// Where the picture is seen.
    pub picture: watch::Sender<Arc<StatusSnapshot>>,
    /// When it was last drawn.
    pub(super) drawn_at: Option<Mono>,
}

impl Easel {
    /// Nothing is drawn yet.
    pub fn new(
        ledger: String,
        started_at: Timestamp,
        census: watch::Receiver<Census>,
        picture: watch::Sender<Arc<StatusSnapshot>>,
    ) -> Self {
        Self { ledger, started_at, census, picture, drawn_at: None }
    }
}

impl Worker {
    /// Draws the picture if it is old.
    pub(super) fn draw(&mut self, now: Now) {
        if self.easel.drawn_at.is_some_and(|drawn| now.mono.since(drawn) < EVERY) {
            return;
        }
        self.easel.drawn_at = Some(now.mono);
        self.look_after_connections();
        self.give_back_of_unable();
        self.telling.metrics.ledger_backlog.set(self.settlements.len() as f64);
        self.telling.gauges(&self.core.scheduler, now);
        self.telling.ledger_connections(self.ledger.connections());
        let scheduler = &self.core.scheduler;
        let weights: Vec<f64> = scheduler.pools().map(|(pool, _)| scheduler.pool_weight(pool, now.mono)).collect();
        for number in self.core.scheduler.indices() {
            self.gauge(number, &weights, now);
        }
        let picture = self.picture(now);
        self.easel.picture.send_replace(Arc::new(picture));
    }

    fn gauge(&mut self, idx: NumberIdx, weights: &[f64], now: Now) {
        let number = self.core.scheduler.number(idx);
        let way = &mut self.ways[idx.slot()];
        let pool = weights[number.spec.pool.slot()];
        way.metrics.rate_limit.set(number.pacer.effective().within(Duration::from_secs(1)));
        way.metrics.tokens.set(number.pacer.free(now.mono) as f64);
        way.metrics.quality.only(way.rating);
        way.metrics.paused.set(paused(number, &way.status, now));
        way.metrics.share.set(if number.is_able(now.mono) { number.weight() / pool } else { 0.0 });
        let tenure = number.tenure().filter(|tenure| now.mono < tenure.until);
        way.metrics.leased_until(tenure.map(|tenure| now.wall + tenure.until.since(now.mono)));
        let held = tenure.is_some();
        if held != way.leased {
            way.leased = held;
            let change = if held { LeaseChange::Taken } else { LeaseChange::Lost };
            self.telling.metrics.lease_changes.inc(change);
        }
    }

    fn picture(&self, now: Now) -> StatusSnapshot {
        let census = self.easel.census.borrow().clone();
        let up = self.ledger_away_until.is_none();
        StatusSnapshot {
            at: now.wall,
            started_at: self.easel.started_at,
            version: env!("CARGO_PKG_VERSION"),
            parts: vec![self.ledger_part(up), self.numbers_part(now)],
            numbers: self.core.scheduler.indices().map(|number| self.number_status(number, now)).collect(),
            lanes: self.lanes(),
            waiting: census.waiting.into_iter().collect::<BTreeMap<_, _>>(),
            jobs: census.states.into_iter().collect(),
            dead: census.dead,
            holds: self.core.scheduler.holds.iter().map(HoldStatus::from).collect(),
            ledger: LedgerStatus {
                url: self.easel.ledger.clone(),
                up,
                commit_ms: self.admission_time.as_secs_f64() * 1_000.0,
                backlog: self.settlements.len() as u64,
            },
        }
    }

    fn ledger_part(&self, up: bool) -> PartStatus {
        if up { PartStatus::well("ledger") } else { PartStatus::broken("ledger", "does not answer") }
    }

    fn numbers_part(&self, now: Now) -> PartStatus {
        // One that stands by while others own every number is well: it takes over when they go.
        if !self.holds_leases(now.mono) {
            return PartStatus::broken(
                "numbers",
                "this worker holds no leases: it has not yet, or could not, renew them",
            );
        }
        // A pause by a hold is no fault of this process; a number that was never read is.
        let is_fit = |number: &Number| number.standing.may_send;
        if self.core.scheduler.numbers().any(is_fit) {
            PartStatus::well("numbers")
        } else {
            PartStatus::broken(
                "numbers",
                "no number may send: Meta's fields say so, or could not be read (see the log)",
            )
        }
    }

    fn number_status(&self, idx: NumberIdx, now: Now) -> NumberStatus {
        let number = self.core.scheduler.number(idx);
        let way = &self.ways[idx.slot()];
        let until = match number.blocked {
            Blocked::Until(until) => until.map(|until| now.wall + until.since(now.mono)),
            Blocked::No | Blocked::Probe(_) => None,
        };
        NumberStatus {
            display: number.spec.display.clone(),
            pool: self.core.scheduler.pools[number.spec.pool.slot()].name.to_string(),
            quality: way.rating,
            status: way.status.clone(),
            blocked: paused(number, &way.status, now),
            blocked_until: until,
            rate: number.pacer.started_within(Duration::from_secs(1), now.mono) as f64,
            rate_limit: number.pacer.effective().within(Duration::from_secs(1)),
            tokens: number.pacer.free(now.mono) as f64,
            admitted: number.waiting() as u64,
            in_flight: number.in_flight() as u64,
        }
    }

    fn lanes(&self) -> Vec<LaneStatus> {
        let scheduler = &self.core.scheduler;
        let place = |pool: &Pool, priority: &Priority| {
            let (pool, priority) = (pool.name.to_string(), *priority);
            LaneStatus { pool, priority, in_hand: 0, oldest: None }
        };
        let places = scheduler.pools.iter().flat_map(|pool| Priority::ALL.iter().map(move |each| place(pool, each)));
        let mut lanes: Vec<LaneStatus> = places.collect();
        for lane in scheduler.lanes.iter().filter(|lane| !lane.is_empty()) {
            let key = lane.key();
            let status = &mut lanes[key.pool.slot() * Priority::ALL.len() + key.priority.index()];
            status.in_hand += (lane.fresh() + lane.timed()) as u64;
            status.oldest = [status.oldest, lane.oldest()].into_iter().flatten().min();
        }
        lanes
    }
}

/// Why a number may not send just now.
fn paused(number: &Number, status: &str, now: Now) -> Option<Reason> {
    match number.blocked {
        Blocked::Until(_) => Some(Reason::Held),
        Blocked::No | Blocked::Probe(_) if !number.standing.may_send && status.is_empty() => Some(Reason::Unread),
        Blocked::No | Blocked::Probe(_) if !number.standing.may_send => Some(Reason::AccountRestricted),
        Blocked::No | Blocked::Probe(_) => (!number.holds_lease(now.mono)).then_some(Reason::NoNumber),
    }
}

/// The rating that Meta's word stands for.
pub fn rating(quality: &str) -> Rating {
    match quality {
        "GREEN" => Rating::Green,
        "YELLOW" => Rating::Yellow,
        "RED" => Rating::Red,
        _ => Rating::Unknown,
    }
}
