//! A pool in the core: its lanes in line for the next permit, and its numbers that have room for one more job.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::job::{NumberId, PoolName, Priority};

use super::index::{LaneIdx, NumberIdx};
use super::lane::{Lane, stride};
use super::number::{Class, Number, STRIDE};

/// How far numbers may lie apart before the one behind forgets its claim: two sends at full weight.
const SLACK: f64 = 2.0 * STRIDE;

/// Lanes and numbers that serve each other; nothing in it concerns another pool.
#[derive(Debug)]
pub struct Pool {
    /// Its name.
    pub name: PoolName,
    pub(super) numbers: Vec<NumberIdx>,
    /// The same by their ids; none: not gathered since one joined.
    pub(super) siblings: Option<Arc<[NumberId]>>,
    /// Those of its numbers that a template may be moved to; none: not looked since something changed.
    pub(super) fit: Option<Arc<[NumberId]>>,
    /// Its lanes for jobs that any of its numbers may send, by priority.
    pub(super) open: [LaneIdx; 4],
    /// Lanes with jobs for which a number may have room, by virtual time, then priority.
    candidates: BTreeSet<(u64, usize, LaneIdx)>,
    /// Numbers with room, by class: first those whose portfolio has places left, each kind by virtual time.
    ready: [BTreeSet<(bool, u64, NumberIdx)>; 2],
    /// How many of its numbers have places left, whoever has their leases.
    with_places: usize,
    /// Virtual time: the pass of the lane that went last.
    time: u64,
    /// The same for numbers.
    number_time: f64,
    /// Whether it stands in the scheduler's round.
    pub(super) active: bool,
}

impl Pool {
    /// A pool without numbers.
    pub fn new(name: PoolName, open: [LaneIdx; 4]) -> Self {
        Self {
            name,
            numbers: Vec::new(),
            siblings: None,
            fit: None,
            open,
            candidates: BTreeSet::new(),
            ready: Default::default(),
            with_places: 0,
            time: 0,
            number_time: 0.0,
            active: false,
        }
    }

    /// The lane whose turn it is.
    pub(super) fn next_lane(&self) -> Option<LaneIdx> {
        self.candidates.first().map(|(_, _, lane)| *lane)
    }

    /// The number whose turn it is among those that have room. A job that needs a place goes by none whose portfolio is
    /// at its limit while another has places: it waits for that one's room.
    pub(super) fn next_number(&self, class: Class, needs_place: bool) -> Option<NumberIdx> {
        let ready = &self.ready[class as usize];
        let first = ready.first()?;
        let (is_at_limit, _, number) = *first;
        if needs_place {
            return (!is_at_limit || self.with_places == 0).then_some(number);
        }
        let at_limit = ready.range((true, 0, NumberIdx(0))..).next();
        [first].into_iter().chain(at_limit).min_by_key(|(_, pass, number)| (*pass, *number)).map(|entry| entry.2)
    }

    /// Counts a number with those that have places left, or no longer. Says whether it was the last of them.
    pub(super) fn count_places(&mut self, number: &mut Number) -> bool {
        let has = number.has_places();
        let had = std::mem::replace(&mut number.is_counted, has);
        self.with_places = self.with_places + usize::from(has) - usize::from(had);
        had && self.with_places == 0
    }

    /// Whether a job that needs a place had better go by one of its numbers that have some left.
    pub(super) fn has_places(&self) -> bool {
        self.with_places > 0
    }

    /// Puts a lane in line, if it has jobs and is not there yet. However long it could not go, it saved up one round
    /// at most, the same for all: with less for one than for another, lanes held up together would change places.
    pub(super) fn list(&mut self, idx: LaneIdx, lane: &mut Lane) {
        if lane.listed.is_none() && !lane.is_empty() {
            lane.pass = lane.pass.max(self.time.saturating_sub(stride(Priority::Bulk)));
            lane.listed = Some(lane.pass);
            self.candidates.insert((lane.pass, lane.key().priority.index(), idx));
        }
    }

    /// A lane that had nothing in hand gets its first job. It comes at the present: it saved up nothing.
    pub(super) fn wake(&mut self, idx: LaneIdx, lane: &mut Lane) {
        lane.pass = lane.pass.max(self.time);
        self.list(idx, lane);
    }

    /// Takes a lane out of line: it has no jobs, or no number has room for them.
    pub(super) fn unlist(&mut self, idx: LaneIdx, lane: &mut Lane) {
        if let Some(pass) = lane.listed.take() {
            self.candidates.remove(&(pass, lane.key().priority.index(), idx));
        }
    }

    /// A job of the lane goes: the lane pays for it and goes back in line.
    pub(super) fn charge(&mut self, idx: LaneIdx, lane: &mut Lane) {
        self.unlist(idx, lane);
        self.time = self.time.max(lane.pass);
        lane.pass += stride(lane.key().priority);
        self.list(idx, lane);
    }

    /// Says whether a number has room for a class. One that had none comes back at the present, and one that ran far
    /// ahead (with jobs that name it, or while it weighed less) too.
    pub(super) fn set_ready(&mut self, idx: NumberIdx, number: &mut Number, class: Class, ready: bool) {
        let set = &mut self.ready[class as usize];
        if let Some((at_limit, pass)) = number.listed[class as usize].take() {
            set.remove(&(at_limit, pass, idx));
        }
        if ready {
            let latest = self.number_time + SLACK + 2.0 * STRIDE / number.weight();
            number.pass = number.pass.clamp(self.number_time, latest);
            // Ties go to the one that was configured first.
            let (at_limit, pass) = (number.is_at_limit, number.pass as u64);
            number.listed[class as usize] = Some((at_limit, pass));
            set.insert((at_limit, pass, idx));
        }
    }

    /// A number was given a job that any could have had: the present moves on to where it stood.
    pub(super) fn number_took(&mut self, pass_before: f64) {
        self.number_time = self.number_time.max(pass_before - SLACK);
    }

    /// Its lane of this priority.
    pub fn open_lane(&self, priority: Priority) -> LaneIdx {
        self.open[priority.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::PoolIdx;
    use super::super::lane::{Delivery, LaneKey};
    use super::*;
    use crate::worker::simulation::delivery;

    fn lanes() -> (Pool, Vec<Lane>) {
        let open = [0, 1, 2, 3].map(LaneIdx);
        let lane = |priority: &Priority| Lane::new(LaneKey { pool: PoolIdx(0), pinned: None, priority: *priority });
        (Pool::new(PoolName::default_pool(), open), Priority::ALL.iter().map(lane).collect())
    }

    fn push(pool: &mut Pool, lanes: &mut [Lane], slot: usize) {
        let job: Delivery = delivery(Priority::ALL[slot]);
        lanes[slot].push(job);
        if lanes[slot].timed() + lanes[slot].fresh() == 1 {
            pool.wake(LaneIdx(u32::try_from(slot).expect("small")), &mut lanes[slot]);
        }
    }

    #[test]
    fn a_lane_that_could_not_go_for_long_saves_up_one_round() {
        let (mut pool, mut lanes) = lanes();
        for _ in 0..3_000 {
            push(&mut pool, &mut lanes, 1);
        }
        push(&mut pool, &mut lanes, 2);
        pool.unlist(LaneIdx(2), &mut lanes[2]);
        for _ in 0..2_000 {
            assert_eq!(pool.next_lane(), Some(LaneIdx(1)));
            let _gone = lanes[1].pop();
            pool.charge(LaneIdx(1), &mut lanes[1]);
        }
        pool.list(LaneIdx(2), &mut lanes[2]);
        assert_eq!(lanes[2].pass, pool.time - stride(Priority::Bulk));
    }

    #[test]
    fn the_present_never_runs_back() {
        let (mut pool, mut lanes) = lanes();
        for slot in [0, 1, 2, 3] {
            for _ in 0..50 {
                push(&mut pool, &mut lanes, slot);
            }
        }
        let mut before = 0;
        for turn in 0..100_usize {
            // Every third time the one in line cannot go and another does.
            let slot = if turn % 3 == 0 { 1 + turn % 2 } else { pool.next_lane().expect("in line").slot() };
            let _gone = lanes[slot].pop();
            pool.charge(LaneIdx(u32::try_from(slot).expect("small")), &mut lanes[slot]);
            assert!(pool.time >= before);
            before = pool.time;
        }
        assert!(before > 0);
    }
}
