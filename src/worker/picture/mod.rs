//! A picture of the worker's state, drawn once a second for the status page, `/readyz` and the gauges of numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Mono, Now, Timestamp};
use crate::job::Priority;
use crate::ledger::Census;
use crate::ops::{HoldStatus, LaneStatus, LedgerStatus, PartStatus, StatusSnapshot};

use super::number::Number;
use super::pool::Pool;
use super::shell::Worker;

pub mod live;
mod number;
mod why;

pub use number::rating;

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
    /// What was last left of it in the ledger.
    left: live::Left,
}

impl Easel {
    /// Nothing is drawn yet.
    pub fn new(
        ledger: String,
        started_at: Timestamp,
        census: watch::Receiver<Census>,
        picture: watch::Sender<Arc<StatusSnapshot>>,
    ) -> Self {
        Self { ledger, started_at, census, picture, drawn_at: None, left: live::Left::default() }
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
        self.leave_word(&picture.numbers, now);
        self.easel.picture.send_replace(Arc::new(picture));
    }

    fn picture(&self, now: Now) -> StatusSnapshot {
        let census = self.easel.census.borrow().clone();
        let up = self.ledger_away_until.is_none();
        StatusSnapshot {
            at: now.wall,
            started_at: self.easel.started_at,
            version: env!("CARGO_PKG_VERSION"),
            parts: vec![self.ledger_part(up), self.numbers_part(now)],
            numbers: self.number_statuses(now),
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
