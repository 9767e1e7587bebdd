//! The ledger's leases: one owner each, a new fence with each owner, and the workers that are there.

use crate::clock::Timestamp;
use crate::ledger::{Fence, Lease, LeaseRow};
use crate::worker::{leases, ownership};

use super::fold::{self, Fold, Life, TTL, number_of};
use super::making::number_id;
use super::renewing::worker_id;

impl Fold {
    pub(super) fn lease_rows(&self, now: Timestamp) -> Vec<LeaseRow> {
        let row = |name: String, owner: Life, fence: i64, expires: Timestamp| {
            let left = expires.since(now);
            let owner = Some(worker_id(owner)).filter(|_| !left.is_zero());
            LeaseRow { name, owner, fence: Fence(fence), left }
        };
        let numbers = self.leases.iter().map(|(number, lease)| {
            row(leases::name(number_id(*number).as_str()), lease.owner, lease.fence, lease.expires)
        });
        let workers =
            self.present.iter().map(|(life, until)| row(ownership::presence(worker_id(*life)), *life, 1, *until));
        numbers.chain(workers).collect()
    }

    pub(super) fn hand_over(&mut self, life: Life, names: &[String]) {
        for name in names {
            match leases::number(name) {
                Some(id) if self.leases.get(&number_of(id)).is_some_and(|row| row.owner == life) => {
                    self.leases.remove(&number_of(id));
                }
                Some(_) => {}
                None => drop(self.present.remove(&life)),
            }
        }
    }

    /// Those of the named leases that are free, run out, or this worker's own.
    pub(super) fn take_leases(&mut self, life: Life, names: &[String], now: Timestamp) -> Vec<Lease> {
        let mut taken = Vec::new();
        for name in names {
            let fence = match leases::number(name) {
                Some(id) => self.take_number(life, number_of(id), now),
                None => self.present.insert(life, now + TTL).map_or(Some(1), |_| Some(1)),
            };
            taken.extend(fence.map(|fence| Lease { name: name.clone(), fence: Fence(fence) }));
        }
        taken
    }

    fn take_number(&mut self, life: Life, number: usize, now: Timestamp) -> Option<i64> {
        let fence = match self.leases.get(&number) {
            Some(row) if row.owner == life => row.fence,
            Some(row) if row.expires > now => return None,
            // Fences never repeat, also after a lease was given up and its row is gone.
            Some(_) | None => {
                self.next_hold += 1;
                self.next_hold
            }
        };
        self.leases.insert(number, fold::LeaseRow { owner: life, fence, expires: now + TTL });
        Some(fence)
    }

    pub(super) fn release_leases(&mut self, life: Life) {
        self.leases.retain(|_, row| row.owner != life);
        self.present.remove(&life);
        self.keep_only(life, &[]);
    }
}
