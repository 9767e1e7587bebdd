//! The ledger's side of every call: what is committed, what is answered, and what of it gets lost.

use std::time::Duration;

use crate::ledger::{Fate, Settlement};

use super::fold::Life;
use super::shell::{Reply, Request};
use super::world::{Event, Word, World};

impl World {
    pub(super) fn commit(&mut self, slot: usize, life: Life, call: u64, request: Request) {
        let away = self.plan.outages.iter().any(|(from, until)| (*from..*until).contains(&self.now));
        let hidden = !matches!(request, Request::Leases | Request::Holds);
        let fails = away || (!self.is_calm() && self.chance.one_in(self.plan.call_fails));
        let lost = hidden && !self.is_calm() && self.chance.one_in(self.plan.reply_lost);
        let reply = if fails { Reply::Failed } else { self.answer(life, request) };
        let reply = if lost { Reply::Failed } else { reply };
        let takes = self.chance.between(Duration::from_micros(50), self.plan.ledger_within / 4);
        self.schedule(self.now + takes, Event::To(slot, life, Word::Reply(call, reply)));
    }

    fn answer(&mut self, life: Life, request: Request) -> Reply {
        let wall = self.clock().wall;
        match request {
            Request::Claim(rooms) => {
                let (claimed, jobs) = self.fold.claim(life, &rooms, wall);
                Reply::Claimed(claimed, jobs)
            }
            Request::Admit(requests) => {
                Reply::Admitted(requests.iter().map(|request| self.fold.admit(life, request, wall)).collect())
            }
            Request::Settle(settlements) => {
                for settlement in &settlements {
                    let _stale_or_done = self.fold.settle(settlement, wall);
                }
                let is_back = |one: &Settlement| match &one.fate {
                    Fate::Retry { due, .. } => *due <= one.at,
                    Fate::Park { .. } => true,
                    Fate::Accepted { .. } | Fate::End { .. } | Fate::Unknown { .. } => false,
                };
                let holds = settlements.iter().any(|one| one.hold.is_some() || one.lift.is_some());
                if holds || settlements.iter().any(is_back) {
                    self.tell_all(holds);
                }
                Reply::Settled
            }
            Request::Park(parked) => {
                self.fold.park(life, &parked);
                Reply::Done
            }
            Request::Defer(deferred) => {
                self.fold.defer(life, &deferred);
                self.tell_all(false);
                Reply::Done
            }
            Request::GiveBack(keys) => {
                self.fold.give_back(life, &keys);
                self.tell_all(false);
                Reply::Done
            }
            Request::KeepOnly(keys) => {
                self.fold.keep_only(life, &keys);
                self.tell_all(false);
                Reply::Done
            }
            Request::Leases => Reply::Rows(self.fold.lease_rows(wall)),
            Request::HandOver(names) => {
                self.fold.hand_over(life, &names);
                self.tell_of_leases();
                Reply::Done
            }
            Request::Take(names) => Reply::Leases(self.fold.take_leases(life, &names, wall)),
            Request::Release => {
                self.fold.release_leases(life);
                self.tell_of_leases();
                self.tell_all(false);
                Reply::Done
            }
            Request::Holds => Reply::Holds(self.fold.holds.values().cloned().collect()),
        }
    }
}
