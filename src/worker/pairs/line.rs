//! Who waits for one person, of one priority, in order.

use std::collections::VecDeque;

use crate::clock::Mono;
use crate::job::JobKey;

use super::Candidate;

/// So many are known by name; past them only the last time that was promised is.
const MOST_KNOWN: usize = 4_096;

#[derive(Clone, Copy, Debug)]
struct Waiter {
    job: JobKey,
    due: Mono,
}

/// Those that wait, the first in front. Nobody is asked to come before who stands in front of him; who comes all the
/// same is sent away again.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiters: VecDeque<Waiter>,
    /// The latest time that anybody was promised.
    last: Mono,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// The latest time that anybody was promised, while somebody waits.
    pub(super) fn last(&self) -> Option<Mono> {
        (!self.is_empty()).then_some(self.last)
    }

    /// The time of whoever stands right before one that comes back.
    pub(super) fn before(&self, candidate: &Candidate) -> Option<Mono> {
        let place = self.place(candidate)?;
        let ahead = self.waiters.get(place.checked_sub(1)?)?;
        Some(ahead.due)
    }

    /// Gives it a time: where it stands, or where it belongs.
    pub(super) fn promise(&mut self, candidate: &Candidate, due: Mono) {
        let waiter = Waiter { job: candidate.job, due };
        self.last = self.last.max(due);
        match self.place(candidate) {
            Some(place) if self.waiters.get(place).is_some_and(|known| known.job == candidate.job) => {
                self.waiters[place].due = due;
            }
            Some(place) if self.waiters.len() < MOST_KNOWN => self.waiters.insert(place, waiter),
            None if self.waiters.len() < MOST_KNOWN => self.waiters.push_back(waiter),
            Some(_) | None => {}
        }
    }

    /// It goes.
    pub(super) fn leave(&mut self, job: JobKey) {
        if let Some(place) = self.waiters.iter().position(|waiter| waiter.job == job) {
            self.waiters.remove(place);
        }
    }

    /// Forgets whoever stands before this one and should have come by then.
    pub(super) fn give_up(&mut self, due_by: Mono, but: JobKey) {
        while self.waiters.front().is_some_and(|first| first.due <= due_by && first.job != but) {
            self.waiters.pop_front();
        }
    }

    /// Where one that comes back stands, or would by its time; none for a newcomer: at the end.
    fn place(&self, candidate: &Candidate) -> Option<usize> {
        let due = candidate.due?;
        let known = self.waiters.iter().position(|waiter| waiter.job == candidate.job);
        known.or_else(|| Some(self.waiters.iter().position(|waiter| waiter.due >= due).unwrap_or(self.waiters.len())))
    }
}
