//! Jobs in hand whose turn comes in a moment: out of line, so that others overtake them.

use std::collections::BTreeMap;

use crate::clock::Mono;

use super::index::LaneIdx;
use super::lane::Delivery;

/// Jobs by the time of their turn. As bounded as what is in hand, of which they are a part.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    jobs: BTreeMap<(Mono, u64), (LaneIdx, Delivery)>,
    laid: u64,
}

impl Shelf {
    pub(super) fn lay(&mut self, until: Mono, lane: LaneIdx, delivery: Delivery) {
        self.laid += 1;
        self.jobs.insert((until, self.laid), (lane, delivery));
    }

    /// When the next job's turn comes.
    pub(super) fn next(&self) -> Option<Mono> {
        self.jobs.first_key_value().map(|((until, _), _)| *until)
    }

    /// Takes out those whose turn has come, the earliest first.
    pub(super) fn due(&mut self, now: Mono) -> Vec<(LaneIdx, Delivery)> {
        let mut due = Vec::new();
        while self.next().is_some_and(|until| until <= now) {
            due.extend(self.jobs.pop_first().map(|(_, job)| job));
        }
        due
    }

    /// Takes out those that are such.
    pub(super) fn take_out(&mut self, is_such: impl Fn(LaneIdx, &Delivery) -> bool) -> Vec<Delivery> {
        let taken = self.jobs.extract_if(.., |_, (lane, delivery)| is_such(*lane, delivery));
        taken.map(|(_, (_, delivery))| delivery).collect()
    }

    pub(super) fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.jobs.values().map(|(_, delivery)| delivery)
    }

    pub(super) fn has(&self, lane: LaneIdx) -> bool {
        self.jobs.values().any(|(of, _)| *of == lane)
    }
}
