//! A lane: jobs of one pool and priority that this worker has in hand, in the order in which they shall go.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::job::{Job, Priority};
use crate::ledger::{Route, Routed, needs_place};
use crate::queue::Ticket;

use super::index::{NumberIdx, PoolIdx};
use super::spilling::Spill;

/// One job in this worker's hands, from a waiting row or from the broker.
///
/// A waiting row needs no ack: the commit that settles the job removes it. What the broker delivered is acked after
/// the commit that says what became of it.
#[derive(Debug)]
#[must_use = "a delivery that is neither settled nor given back stays in this worker's name"]
pub struct Delivery {
    /// The job with its place in line.
    pub routed: Routed,
    /// Set for rows that were due at a time: they go before fresh ones.
    pub due_at: Option<Timestamp>,
    /// What the broker has it under, if the broker delivered it.
    pub ticket: Option<Ticket>,
    /// What it holds of the byte cap.
    pub bytes: usize,
}

impl Delivery {
    /// The job.
    pub fn job(&self) -> &Arc<Job> {
        &self.routed.job
    }

    /// Its place in line.
    pub fn route(&self) -> &Route {
        &self.routed.route
    }

    /// The job for a ledger that may have no row of it: only what was delivered.
    pub fn delivered(&self) -> Option<Routed> {
        self.ticket.map(|_| self.routed.clone())
    }
}

/// What a lane is called inside the core.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaneKey {
    /// Its pool.
    pub pool: PoolIdx,
    /// The number, for jobs that may go by that one alone.
    pub pinned: Option<NumberIdx>,
    /// Its priority.
    pub priority: Priority,
}

/// A higher priority takes so many permits for one of the lowest, while both have work.
pub const fn weight(priority: Priority) -> u64 {
    match priority {
        Priority::Urgent => 400,
        Priority::High => 16,
        Priority::Normal => 4,
        Priority::Bulk => 1,
    }
}

/// What one permit costs a lane of this weight, in units of virtual time.
pub(super) const fn stride(priority: Priority) -> u64 {
    400_000 / weight(priority)
}

/// Jobs in hand of one lane.
#[derive(Debug)]
pub struct Lane {
    key: LaneKey,
    timed: VecDeque<Delivery>,
    fresh: VecDeque<Delivery>,
    /// Of the fresh, those that are waiting rows.
    fresh_rows: usize,
    /// Virtual time of its next permit.
    pub(super) pass: u64,
    /// The pass under which it stands among its pool's candidates.
    pub(super) listed: Option<u64>,
    /// What the broker delivered of it and waits in rows.
    pub(super) spill: Spill,
    /// What the source has of its fresh jobs.
    pub(super) fresh_supply: Supply,
    /// What the source has of its jobs that are due.
    pub(super) timed_supply: Supply,
    /// Whether it stands among those that gave jobs away since they were last looked at.
    pub(super) is_lower: bool,
}

/// What is known of the jobs that the source has of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    /// The last claim left some.
    Left,
    /// Some have come since, as far as is known.
    Told,
    /// There were none at this news; what came later is not known.
    DryAt(u64),
}

impl Supply {
    /// Some may have come.
    pub(super) fn tell(&mut self) {
        if matches!(self, Self::DryAt(_)) {
            *self = Self::Told;
        }
    }

    /// Whether there may be some, if the latest news is this; without news, only what is known of this very lane counts.
    pub(super) fn is_there(self, news: Option<u64>) -> bool {
        match self {
            Self::Left | Self::Told => true,
            Self::DryAt(then) => news.is_some_and(|news| then < news),
        }
    }
}

impl Lane {
    /// An empty lane, of which the source may have jobs.
    pub fn new(key: LaneKey) -> Self {
        Self {
            key,
            timed: VecDeque::new(),
            fresh: VecDeque::new(),
            fresh_rows: 0,
            pass: 0,
            listed: None,
            spill: Spill::default(),
            fresh_supply: Supply::Told,
            timed_supply: Supply::Told,
            is_lower: false,
        }
    }

    /// What it is called.
    pub fn key(&self) -> LaneKey {
        self.key
    }

    /// How many jobs were due at a time.
    pub fn timed(&self) -> usize {
        self.timed.len()
    }

    /// How many jobs are fresh.
    pub fn fresh(&self) -> usize {
        self.fresh.len()
    }

    /// When the job that goes next was published.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.timed.front().into_iter().chain(self.fresh.front()).map(|delivery| delivery.job().enqueued_at).min()
    }

    /// Since when the job that goes next may go: its due time, its `not_before`, else its publishing.
    pub fn due_since(&self) -> Option<Timestamp> {
        let since = |delivery: &Delivery| {
            let job = delivery.job();
            delivery.due_at.unwrap_or_else(|| job.not_before.map_or(job.enqueued_at, |t| t.max(job.enqueued_at)))
        };
        self.timed.front().into_iter().chain(self.fresh.front()).map(since).min()
    }

    /// How many fresh jobs are waiting rows of the ledger: the broker's are bounded by their prefetch.
    pub fn fresh_rows(&self) -> usize {
        self.fresh_rows
    }

    /// All that is in hand.
    pub(super) fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.timed.iter().chain(&self.fresh)
    }

    /// Whether the job that goes next may begin to write to somebody new.
    pub(super) fn needs_place(&self) -> bool {
        self.deliveries().next().is_some_and(|next| needs_place(next.job()))
    }

    /// Whether nothing is in hand.
    pub fn is_empty(&self) -> bool {
        self.timed.is_empty() && self.fresh.is_empty()
    }

    /// Last in line among its kind.
    pub(super) fn push(&mut self, delivery: Delivery) {
        self.fresh_rows += usize::from(is_fresh_row(&delivery));
        if delivery.due_at.is_some() { &mut self.timed } else { &mut self.fresh }.push_back(delivery);
    }

    /// First in line among its kind: it was taken out and could not go.
    pub(super) fn push_front(&mut self, delivery: Delivery) {
        self.fresh_rows += usize::from(is_fresh_row(&delivery));
        if delivery.due_at.is_some() { &mut self.timed } else { &mut self.fresh }.push_front(delivery);
    }

    /// Next in line: what was due at a time goes before what is fresh.
    pub(super) fn pop(&mut self) -> Option<Delivery> {
        let next = self.timed.pop_front().or_else(|| self.fresh.pop_front());
        self.fresh_rows -= next.as_ref().map_or(0, |delivery| usize::from(is_fresh_row(delivery)));
        next
    }
}

const fn is_fresh_row(delivery: &Delivery) -> bool {
    delivery.due_at.is_none() && delivery.ticket.is_none()
}
