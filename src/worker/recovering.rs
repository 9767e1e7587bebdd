//! After the ledger was away: what was answered, done or lost meanwhile is put in order before anything new begins.
//!
//! First the answers in hand are settled, then leases taken, then the ledger is asked again about the jobs whose
//! admission was not answered, and in the end told which rows are in hand, so that it frees those of a claim whose
//! answer was lost.

use futures_util::FutureExt;

use crate::clock::Now;
use crate::job::JobKey;
use crate::ledger::LedgerError;

use super::event::{Ask, Event};
use super::shell::Worker;

/// Whether an admission was asked for before, and not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    First,
    Again,
}

/// What is open with the ledger.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// Asks whose answer was lost: their jobs may be admitted. At most as many as may be admitted at once.
    pub(super) doubtful: Vec<Ask>,
    /// Asks without an answer yet.
    pub(super) admitting: usize,
    /// Batches that are being put back.
    pub(super) putting: usize,
}

impl Open {
    /// Whether the ledger may still admit something for this worker.
    pub(super) fn is_asking(&self) -> bool {
        self.admitting > 0 || !self.doubtful.is_empty()
    }
}

impl Worker {
    /// Goes on with what can be gone on with.
    pub(super) fn recover(&mut self, now: Now) {
        if self.ledger_away_until.is_some() {
            return;
        }
        if self.recovery.is_settling() && self.settling == 0 && self.settlements.is_empty() {
            self.recovery.settled(true);
            self.begin_round(now);
        }
        if self.recovery.is_asking() {
            self.ask_again(now);
            if !self.open.is_asking() {
                self.recovery.asked();
            }
        }
        let is_quiet = !self.claiming && self.open.putting == 0 && self.put_backs.is_empty();
        if is_quiet && self.recovery.count() {
            let (ledger, id, in_hand) = (self.ledger.clone(), self.id, self.rows_in_hand());
            self.asked.push(async move { Event::Counted(ledger.keep_only(id, in_hand).await) }.boxed_local());
        }
    }

    /// The same number under the same fence: nobody else can have sent these jobs by it since.
    pub(super) fn ask_again(&mut self, now: Now) {
        if self.ledger_away_until.is_none() {
            for ask in std::mem::take(&mut self.open.doubtful) {
                self.ask_to_admit(ask, Asked::Again, now);
            }
        }
    }

    pub(super) fn counted(&mut self, answer: Result<(), LedgerError>) {
        match answer {
            Ok(()) => {
                self.recovery.counted();
                // What was freed is there to be claimed.
                self.intake.look_again();
            }
            Err(error) => self.ledger_failed(&error),
        }
    }

    fn rows_in_hand(&self) -> Vec<JobKey> {
        let rows = self.core.scheduler.deliveries().filter(|delivery| delivery.ticket.is_none());
        rows.map(|delivery| delivery.job().key).collect()
    }
}
