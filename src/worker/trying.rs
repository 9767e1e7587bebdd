//! One job at a time tries a hold, in the whole fleet: who sends it holds the lease `probe:<hold>`.
//!
//! A number has one owner, so its own holds need none of this. The lease runs out by itself.

use std::collections::BTreeSet;

use futures_util::FutureExt;

use crate::clock::{self, Mono, Now};
use crate::hold::{HoldId, Scope};
use crate::ledger::{Lease, LedgerError};

use super::event::Event;
use super::scheduler::Choice;
use super::shell::Worker;

fn name(hold: HoldId) -> String {
    format!("probe:{}", hold.0)
}

impl Worker {
    /// Of these choices, those that try a hold which others may try as well; and the rest.
    pub(super) fn pick_trials(&self, choices: Vec<Choice>) -> (Vec<Choice>, Vec<Choice>) {
        let is_shared = |id: HoldId| {
            let hold = self.core.scheduler.holds.iter().find(|hold| hold.id == id);
            hold.is_some_and(|hold| hold.cover.scope != Scope::Number)
        };
        choices.into_iter().partition(|choice| choice.probe.is_some_and(is_shared))
    }

    /// The lease first, then the admission.
    pub(super) fn ask_to_try(&mut self, choices: Vec<Choice>, now: Now) {
        if choices.is_empty() {
            return;
        }
        let names = choices.iter().filter_map(|choice| choice.probe).map(name).collect();
        let times = &self.settings.policy.times;
        let (ledger, id, ttl) = (self.ledger.clone(), self.id, times.start_within + times.request);
        self.open.admitting += 1;
        let take = async move { Event::Trial(choices, ledger.take_leases(id, names, ttl, now.wall).await) };
        self.asked.push(take.boxed_local());
    }

    pub(super) fn may_try(&mut self, choices: Vec<Choice>, answer: Result<Vec<Lease>, LedgerError>) {
        self.open.admitting -= 1;
        let now = clock::now();
        let taken: BTreeSet<String> = answer.iter().flatten().map(|lease| lease.name.clone()).collect();
        let is_ours = |choice: &Choice| choice.probe.is_some_and(|hold| taken.contains(&name(hold)));
        let (ours, others): (Vec<Choice>, Vec<Choice>) = choices.into_iter().partition(is_ours);
        for choice in others.into_iter().rev() {
            // Where another worker tries it, the hold stays as if it were tried here, for a while.
            let over = choice.probe.filter(|_| answer.is_err());
            self.core.not_admitted(choice.number, &choice.delivery, over, now.mono);
            self.rounds.tried_elsewhere.extend(choice.probe.filter(|_| answer.is_ok()));
            self.take_in_hand_again(choice.delivery);
        }
        self.admit(ours, now);
        if let Err(error) = answer {
            self.ledger_failed(&error);
        }
    }

    /// Holds that others tried may be tried again.
    pub(super) fn try_again_elsewhere(&mut self, now: Mono) {
        for hold in std::mem::take(&mut self.rounds.tried_elsewhere) {
            self.core.probe_over(Some(hold), now);
        }
    }
}
