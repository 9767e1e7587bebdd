//! A simulated worker's rounds: the same rule of ownership as the real one's, over leases that others take as well.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::clock::{Mono, Now};
use crate::ledger::{Lease, LeaseRow, WorkerId};
use crate::outcome::NotSentCause;
use crate::worker::leases;
use crate::worker::ownership::{self, Ownership, Shift};

use super::fold::{Life, TTL, number_of};
use super::making::number_id;
use super::shell::{LEASES, Request, Shell, Waiting};

/// What a worker remembers of its rounds.
pub(super) struct Rounds {
    ownership: Ownership,
    known: BTreeSet<String>,
    renewed_at: Option<Mono>,
}

pub(super) fn worker_id(life: Life) -> WorkerId {
    WorkerId(Uuid::from_u128(u128::from(life)))
}

impl Rounds {
    pub(super) fn new(life: Life, numbers: usize) -> Self {
        let known = (0..numbers).map(|number| leases::name(number_id(number).as_str())).collect();
        Self { ownership: Ownership::new(worker_id(life), TTL), known, renewed_at: None }
    }

    pub(super) fn meet(&mut self, number: usize) {
        self.known.insert(leases::name(number_id(number).as_str()));
    }
}

impl Shell {
    pub(super) fn look_at_leases(&mut self, now: Now) {
        let is_under_way = self.under_way(|call| matches!(call, Waiting::Look | Waiting::Renew(_))) > 0;
        if !self.stopping && !is_under_way && self.away_until.is_none() && !self.recovery.is_settling() {
            self.ask(Waiting::Look, Request::Leases);
        }
        self.renew_at = now.mono + LEASES.renew;
    }

    /// First it stops sending by what it hands over, then it gives the lease up.
    pub(super) fn shift(&mut self, rows: &[LeaseRow], now: Now) {
        if self.stopping {
            return;
        }
        let Shift { hand_over, take, .. } = self.rounds.ownership.shift(rows, &self.rounds.known, now.mono);
        for name in &hand_over {
            let slot = number_of(leases::number(name).expect("only numbers are handed over"));
            let number = self.core.scheduler.indices().nth(slot).expect("every worker knows every number");
            self.core.set_tenure(number, None, now.mono);
            for ready in self.core.clear_pad_of(number) {
                self.unsent(&ready, NotSentCause::LastLook, now);
                self.core.stopped(number, ready.probe, now.mono);
            }
        }
        if !hand_over.is_empty() {
            self.give_back_of_unable(now);
            self.ask(Waiting::HandOver, Request::HandOver(hand_over));
        }
        self.ask(Waiting::Renew(now.mono), Request::Take(take));
    }

    pub(super) fn renewed(&mut self, held: &[Lease], sent: Mono, now: Now) {
        if self.stopping {
            return;
        }
        leases::apply(&mut self.core, held, LEASES, sent, now.mono);
        let before = self.rounds.renewed_at.replace(sent);
        if before.is_some_and(|before| now.mono.since(before) >= TTL) {
            let _others_by_now = self.core.scheduler.take_out(|_| true);
            self.look_again();
            self.recovery.count_again();
        }
        self.give_back_of_unable(now);
        self.recovery.renewed();
    }

    pub(super) fn step_down(&mut self, now: Now) {
        let numbers: Vec<_> = self.core.leased().collect();
        let names = numbers.iter().map(|number| leases::name(number_id(number.slot()).as_str()));
        let names = names.chain([ownership::presence(worker_id(self.life))]).collect();
        for number in numbers {
            self.core.set_tenure(number, None, now.mono);
        }
        self.ask(Waiting::HandOver, Request::HandOver(names));
    }
}
