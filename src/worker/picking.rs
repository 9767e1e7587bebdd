//! The next job, and the number that it goes by: whose turn it is, and what stands in its way.

use std::time::Duration;

use crate::clock::{Mono, Now};
use crate::hold::{Effect, HoldSet, Passage};
use crate::outcome::Reason;

use super::index::{LaneIdx, NumberIdx};
use super::lane::Delivery;
use super::number::{Blocked, Class, Number};
use super::pairs::{Candidate, PairKey, Turn};
use super::scheduler::{Choice, Pick, Scheduler};

/// Whose turn comes so soon stays in hand.
const SHELVED: Duration = Duration::from_secs(2);

impl Scheduler {
    /// The next job and its number.
    pub fn pick(&mut self, now: Now) -> Pick {
        self.notice_clock(now);
        self.wake_numbers(now);
        self.take_off_the_shelf(now.mono);
        while let Some(pool) = self.round.front().copied() {
            let Some(lane) = self.pools[pool.slot()].next_lane() else {
                self.pools[pool.slot()].active = false;
                self.round.pop_front();
                continue;
            };
            let Some(number) = self.number_for(lane) else {
                // Put back by `refresh`, when a number has room again.
                self.pools[pool.slot()].unlist(lane, &mut self.lanes[lane.slot()]);
                continue;
            };
            if !self.numbers[number.slot()].holds_lease(now.mono) {
                // It ran out, and nothing has looked since.
                self.refresh(number, now.mono);
                continue;
            }
            if let Some(pick) = self.take(lane, number, now) {
                self.round.rotate_left(1);
                return pick;
            }
        }
        self.next_wake().map_or(Pick::Idle, Pick::WaitUntil)
    }

    /// When a number will have room that has none now, or a job its turn.
    pub fn next_wake(&self) -> Option<Mono> {
        self.sleepers.first().map(|(at, _)| *at).into_iter().chain(self.shelf.next()).min()
    }

    fn number_for(&self, lane: LaneIdx) -> Option<NumberIdx> {
        let lane = &self.lanes[lane.slot()];
        let key = lane.key();
        let class = Class::of(key.priority);
        match key.pinned {
            None => self.pools[key.pool.slot()].next_number(class, lane.needs_place()),
            Some(number) => self.numbers[number.slot()].listed[class as usize].map(|_| number),
        }
    }

    /// None if the number proved to be held as a whole: then nothing was taken, and the number stands back. None too if
    /// the job's turn comes in a moment, and it was laid aside.
    fn take(&mut self, lane_idx: LaneIdx, number_idx: NumberIdx, now: Now) -> Option<Pick> {
        let lane = &mut self.lanes[lane_idx.slot()];
        let delivery = lane.pop().expect("a lane in line has a job");
        let pool = &mut self.pools[lane.key().pool.slot()];
        let number = &mut self.numbers[number_idx.slot()];
        let (probe, parked) = match passage(&self.holds, number, &delivery, now) {
            Passage::Free => (None, None),
            // Its end is the ledger's to write, with the job.
            Passage::Blocked(hold) if hold.effect == Effect::End => (None, None),
            Passage::Probe(hold) if !self.probing.contains(&hold.id) => (Some(hold.id), None),
            Passage::Blocked(hold) | Passage::Probe(hold) => (None, Some(hold.id)),
        };
        // A hold over the whole number parks nobody: the number stands back, and its jobs are free for others.
        let whole = parked.is_some_and(|hold| number.blocked == Blocked::Probe(hold));
        if whole || (parked.is_some() && number.missed_a_hold(&self.holds, now)) {
            lane.push_front(delivery);
            // The wall clock may have stepped back behind the hold's end: then it is no probe any more.
            number.look_at(&self.holds, now);
            self.refresh(number_idx, now.mono);
            return None;
        }
        let candidate = candidate(&delivery, now);
        let turn = if parked.is_some() { Turn::Free } else { number.pairs.turn(&candidate, now.mono) };
        if let Turn::At(at) = turn {
            pool.unlist(lane_idx, lane);
            pool.list(lane_idx, lane);
            return self.put_off(lane_idx, delivery, at, now);
        }
        self.in_hand -= 1;
        self.in_hand_bytes -= delivery.bytes;
        if !std::mem::replace(&mut lane.is_lower, true) {
            self.lower.push_back(lane_idx);
        }
        if let Some(hold) = parked {
            pool.unlist(lane_idx, lane);
            pool.list(lane_idx, lane);
            return Some(Pick::Park(delivery, hold));
        }
        number.pairs.charge(&candidate, now.mono);
        pool.charge(lane_idx, lane);
        if lane.key().pinned.is_none() {
            pool.number_took(number.pass);
        }
        let fence = number.fence().expect("a number that is chosen holds its lease");
        number.ask(delivery.job().priority);
        if let Some(hold) = probe {
            self.probing.insert(hold);
        }
        self.refresh(number_idx, now.mono);
        Some(Pick::Admit(Choice { delivery, number: number_idx, fence, probe }))
    }

    /// Lets a job wait for its turn: in hand if that comes soon, else in a row of its own.
    fn put_off(&mut self, lane: LaneIdx, mut delivery: Delivery, at: Mono, now: Now) -> Option<Pick> {
        self.note_lower(lane);
        let wait = at.since(now.mono);
        // The wall clock counts in milliseconds: rounded up, or it would come back too early.
        let due = now.wall + wait + Duration::from_millis(1);
        if wait <= SHELVED {
            delivery.due_at = Some(due);
            self.shelf.lay(at, lane, delivery);
            return None;
        }
        self.in_hand -= 1;
        self.in_hand_bytes -= delivery.bytes;
        let until = due.min(delivery.job().expires_at);
        Some(Pick::Defer(delivery, until, Reason::PairLimit))
    }
}

/// A job as the number's pairs look at it.
fn candidate(delivery: &Delivery, now: Now) -> Candidate {
    let job = delivery.job();
    let due = delivery.due_at.map(|due| now.mono - now.wall.since(due));
    Candidate { pair: PairKey::of(&job.to), priority: job.priority, job: job.key, due }
}

/// What stands in the way of this job by this number.
fn passage<'a>(holds: &'a HoldSet, number: &Number, delivery: &Delivery, now: Now) -> Passage<'a> {
    if holds.is_empty() {
        return Passage::Free;
    }
    let job = delivery.job();
    let template = job.message.template.as_ref().map_or(String::new(), |t| format!("{}/{}", t.name, t.language));
    holds.passage(&number.facts(job, &template), now.wall)
}
