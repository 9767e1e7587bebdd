//! Puts jobs in line.

use crate::clock::Mono;

use super::index::PoolIdx;
use super::lane::{Delivery, Lane};
use super::scheduler::Scheduler;

impl Scheduler {
    /// Takes a job in hand. Given back if no lane of this worker is its.
    pub fn push(&mut self, delivery: Delivery) -> Result<(), Delivery> {
        self.place(delivery, Lane::push)
    }

    /// Takes a job in hand again that could not go: the first in its line.
    pub fn push_front(&mut self, delivery: Delivery) -> Result<(), Delivery> {
        self.place(delivery, Lane::push_front)
    }

    fn place(&mut self, delivery: Delivery, put: fn(&mut Lane, Delivery)) -> Result<(), Delivery> {
        let Some(idx) = self.lane_of(delivery.route(), delivery.job().priority) else {
            return Err(delivery);
        };
        self.in_hand += 1;
        self.in_hand_bytes += delivery.bytes;
        let lane = &mut self.lanes[idx.slot()];
        let was_empty = lane.is_empty();
        put(lane, delivery);
        let pool_idx = lane.key().pool;
        if was_empty {
            self.pools[pool_idx.slot()].wake(idx, lane);
            self.activate(pool_idx);
        } else if !lane.needs_place() {
            // The one that was first may have waited for a place, where this one needs none.
            self.pools[pool_idx.slot()].list(idx, lane);
            self.activate(pool_idx);
        }
        Ok(())
    }

    pub(super) fn activate(&mut self, idx: PoolIdx) {
        let pool = &mut self.pools[idx.slot()];
        if !pool.active {
            pool.active = true;
            self.round.push_back(idx);
        }
    }

    /// Jobs whose turn has come go to the front of their lanes, the earliest first in line.
    pub(super) fn take_off_the_shelf(&mut self, now: Mono) {
        for (lane, delivery) in self.shelf.due(now).into_iter().rev() {
            self.in_hand -= 1;
            self.in_hand_bytes -= delivery.bytes;
            debug_assert_eq!(self.lane_of(delivery.route(), delivery.job().priority), Some(lane));
            self.push_front(delivery).expect("it stood in a lane of this worker");
        }
    }
}
