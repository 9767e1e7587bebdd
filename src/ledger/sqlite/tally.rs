//! How many jobs stand where, counted along with each change and written once a commit.

use std::cell::RefCell;

use rusqlite::{Connection, params};

use crate::ledger::LedgerError;
use crate::outcome::{Reason, State};

/// Changes since the last commit. Jobs are counted by state, and those that wait also by reason.
#[derive(Default)]
pub(super) struct Tally {
    group: RefCell<Counts>,
    errand: RefCell<Counts>,
}

struct Counts {
    states: [i64; State::ALL.len()],
    waiting: [i64; Reason::ALL.len()],
    dead: i64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { states: [0; State::ALL.len()], waiting: [0; Reason::ALL.len()], dead: 0 }
    }
}

impl Tally {
    /// A job came to stand here.
    pub(super) fn add(&self, state: State, reason: Option<Reason>) {
        self.count(state, reason, 1);
    }

    /// A job stands here no more.
    pub(super) fn remove(&self, state: State, reason: Option<Reason>) {
        self.count(state, reason, -1);
    }

    /// Dead bodies came, or went.
    pub(super) fn bury(&self, bodies: i64) {
        self.errand.borrow_mut().dead += bodies;
    }

    fn count(&self, state: State, reason: Option<Reason>, by: i64) {
        let mut counts = self.errand.borrow_mut();
        counts.states[state as usize] += by;
        if let (State::Waiting, Some(reason)) = (state, reason) {
            counts.waiting[reason as usize] += by;
        }
    }

    /// What was counted stands with its group.
    pub(super) fn keep(&self) {
        let errand = self.errand.take();
        let mut group = self.group.borrow_mut();
        for (sum, by) in group.states.iter_mut().zip(errand.states) {
            *sum += by;
        }
        for (sum, by) in group.waiting.iter_mut().zip(errand.waiting) {
            *sum += by;
        }
        group.dead += errand.dead;
    }

    /// What the errand counted was undone.
    pub(super) fn forget(&self) {
        self.errand.take();
    }

    /// What the group counted was undone.
    pub(super) fn forget_group(&self) {
        self.group.take();
    }

    /// Writes what the group counted, in the group's own transaction.
    pub(super) fn write(&self, conn: &Connection) -> Result<(), LedgerError> {
        let counts = self.group.take();
        let mut add = conn.prepare_cached(
            "INSERT INTO tally (what, word, n) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + ?3",
        )?;
        for (state, by) in State::ALL.iter().zip(counts.states).filter(|(_, by)| *by != 0) {
            add.execute(params!["state", state.as_str(), by])?;
        }
        for (reason, by) in Reason::ALL.iter().zip(counts.waiting).filter(|(_, by)| *by != 0) {
            add.execute(params!["waiting", reason.as_str(), by])?;
        }
        if counts.dead != 0 {
            add.execute(params!["dead", "", counts.dead])?;
        }
        Ok(())
    }
}
