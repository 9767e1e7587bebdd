//! Takes jobs in line out of hand again: to be given back, or because somebody else has them by now.

use crate::clock::Mono;

use super::index::LaneIdx;
use super::lane::{Delivery, Lane, Supply};
use super::scheduler::Scheduler;

impl Scheduler {
    /// Takes out of hand what no number of this worker can send now, to be given back.
    pub fn drain_unable(&mut self, now: Mono) -> Vec<Delivery> {
        let unable = |lane: &Lane| match lane.key().pinned {
            Some(number) => self.rate_of(number, now) == 0.0,
            None => self.rate_of_pool(lane.key().pool, now) == 0.0,
        };
        let has_jobs = |slot: usize| !self.lanes[slot].is_empty() || self.shelf.has(lane_idx(slot));
        let lanes: Vec<usize> =
            (0..self.lanes.len()).filter(|slot| has_jobs(*slot) && unable(&self.lanes[*slot])).collect();
        lanes.into_iter().flat_map(|slot| self.drain_lane(lane_idx(slot))).collect()
    }

    /// Takes the jobs in line out of hand that are such.
    pub fn take_out(&mut self, is_such: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let mut taken = self.shelf.take_out(|_, delivery| is_such(delivery));
        self.out_of_hand(&taken);
        for slot in 0..self.lanes.len() {
            let supplies = (self.lanes[slot].fresh_supply, self.lanes[slot].timed_supply);
            for delivery in self.drain_line(lane_idx(slot)) {
                if is_such(&delivery) {
                    taken.push(delivery);
                } else {
                    self.push(delivery).expect("it stood in a lane of this worker");
                }
            }
            (self.lanes[slot].fresh_supply, self.lanes[slot].timed_supply) = supplies;
        }
        taken
    }

    /// Takes everything out of hand.
    pub fn drain_all(&mut self) -> Vec<Delivery> {
        (0..self.lanes.len()).flat_map(|slot| self.drain_lane(lane_idx(slot))).collect()
    }

    /// Takes everything of a lane out of hand, to be given back.
    pub fn drain_lane(&mut self, idx: LaneIdx) -> Vec<Delivery> {
        let mut drained = self.shelf.take_out(|lane, _| lane == idx);
        self.out_of_hand(&drained);
        drained.extend(self.drain_line(idx));
        drained
    }

    fn drain_line(&mut self, idx: LaneIdx) -> Vec<Delivery> {
        let lane = &mut self.lanes[idx.slot()];
        self.pools[lane.key().pool.slot()].unlist(idx, lane);
        let drained: Vec<Delivery> = std::iter::from_fn(|| lane.pop()).collect();
        lane.fresh_supply = Supply::Told;
        lane.timed_supply = Supply::Told;
        self.is_changed = true;
        self.out_of_hand(&drained);
        drained
    }

    fn out_of_hand(&mut self, gone: &[Delivery]) {
        self.in_hand -= gone.len();
        self.in_hand_bytes -= gone.iter().map(|delivery| delivery.bytes).sum::<usize>();
    }

    /// All that is in hand.
    pub(super) fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.lanes.iter().flat_map(Lane::deliveries).chain(self.shelf.deliveries())
    }
}

fn lane_idx(slot: usize) -> LaneIdx {
    LaneIdx(u32::try_from(slot).expect("fewer lanes than 2^32"))
}
