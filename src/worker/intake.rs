//! How much to take in hand: which lanes have room, and what to remember of what the ledger answered.
//!
//! About one second's worth of a lane is in hand, under one count and one byte cap over all lanes; what has no room
//! stays where it is. Rows that are due at a time have room of their own, so that a retry is not kept out by the
//! backlog it was in.

use std::time::Duration;

use crate::clock::{Mono, Timestamp};
use crate::job::Priority;
use crate::ledger::{Claimed, LaneRoom, Route};

use super::index::LaneIdx;
use super::lane::LaneKey;
use super::scheduler::Scheduler;

/// So much of a lane's work is in hand.
const IN_HAND: Duration = Duration::from_secs(1);
/// At least so many jobs of a lane are in hand, however slow its numbers.
const LEAST: usize = 8;
/// At most so many rows are claimed at once, so that a claim never delays an admission for long.
const MOST_AT_ONCE: usize = 400;
/// What a job is taken to weigh before any has been seen.
const USUAL_BYTES: usize = 1_024;

/// Bounds over all lanes.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Jobs in hand.
    pub count: usize,
    /// Bytes of jobs in hand.
    pub bytes: usize,
}

/// What is known of the source's lanes.
#[derive(Debug)]
pub struct Intake {
    caps: Caps,
    next_due: Option<Timestamp>,
    /// Whether the source had something new after the last claim was asked: its answer may not know of it.
    is_news: bool,
    /// Where the last claim began, so that a cap does not favour the first lanes for ever.
    turn: usize,
}

/// A claim to make: the lanes asked, and the room in each.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The lanes, in the order asked.
    pub lanes: Vec<LaneIdx>,
    /// The same for the ledger.
    pub rooms: Vec<LaneRoom>,
}

impl Intake {
    /// Nothing is known of the source, so every lane is asked.
    pub fn new(caps: Caps) -> Self {
        Self { caps, next_due: None, is_news: false, turn: 0 }
    }

    /// When the next row that waits for a time falls due, as far as is known.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.next_due
    }

    /// A row will fall due then.
    pub fn expect(&mut self, due: Timestamp) {
        self.next_due = Some(self.next_due.map_or(due, |known| known.min(due)));
    }

    /// The source may have something new in any lane.
    pub fn look_again(&mut self, scheduler: &mut Scheduler) {
        self.is_news = true;
        for lane in &mut scheduler.lanes {
            lane.more_fresh = true;
            lane.more_timed = true;
        }
    }

    /// What to claim now; nothing where no lane has both room and something to come.
    pub fn wanted(&mut self, scheduler: &mut Scheduler, mono: Mono, wall: Timestamp) -> Wanted {
        self.is_news = false;
        if self.next_due.is_some_and(|due| due <= wall) {
            self.next_due = None;
            for lane in &mut scheduler.lanes {
                lane.more_timed = true;
            }
        }
        let mut wanted = Wanted::default();
        let mut left = self.left(scheduler).min(MOST_AT_ONCE);
        let lanes = scheduler.lanes.len();
        for step in 0..lanes {
            let slot = (self.turn + step) % lanes;
            let lane = &scheduler.lanes[slot];
            if left == 0 {
                // The next claim begins with the first that this one had nothing left for.
                self.turn = slot;
                break;
            }
            if !(lane.more_fresh || lane.more_timed) {
                continue;
            }
            let key = lane.key();
            let few = if key.priority == Priority::Bulk { scheduler.bulk_room(key.pool, mono) } else { None };
            let lane = &scheduler.lanes[slot];
            let target = target(scheduler, key, mono).min(self.caps.count);
            let fresh = room(lane.more_fresh, target, lane.fresh_rows(), target / 2);
            let fresh = fresh.min(few.unwrap_or(u32::MAX) as usize);
            let timed = room(lane.more_timed, target / 4 + LEAST, lane.timed(), 0);
            if target == 0 || fresh + timed == 0 {
                continue;
            }
            // Half at most, or room kept for what may come due would keep out what is there.
            let timed = timed.min(if fresh > 0 { left.div_ceil(2) } else { left });
            let fresh = fresh.min(left - timed);
            left -= timed + fresh;
            wanted.lanes.push(LaneIdx(u32::try_from(slot).expect("fewer lanes than 2^32")));
            wanted.rooms.push(lane_room(scheduler, key, timed, fresh));
            if few.is_some() {
                scheduler.spend_look(key.pool, fresh);
            }
        }
        wanted
    }

    /// What the ledger answered to a claim. The rows themselves are pushed by the caller.
    pub fn learn(&mut self, scheduler: &mut Scheduler, wanted: &Wanted, claimed: &Claimed) {
        if let Some(due) = claimed.next_due {
            self.expect(due);
        }
        let is_news = std::mem::take(&mut self.is_news);
        let mut timed = vec![0_u32; wanted.lanes.len()];
        // What is let out from under a hold comes into room for timed rows first.
        for row in claimed.rows.iter().filter(|row| row.due_at.is_some() || row.released.is_some()) {
            let asked = |lane: &LaneRoom| lane.priority == row.priority && lane.route == row.route;
            if let Some(position) = wanted.rooms.iter().position(asked) {
                timed[position] += 1;
            }
        }
        for (position, room) in wanted.rooms.iter().enumerate() {
            let lane = &mut scheduler.lanes[wanted.lanes[position].slot()];
            if room.fresh > 0 {
                lane.more_fresh = is_news || claimed.more[position];
            }
            // Whether fresh rows are left says nothing of timed ones: those are left if their room was filled.
            if room.timed > 0 {
                lane.more_timed = is_news || timed[position] >= room.timed;
            }
        }
    }

    fn left(&self, scheduler: &Scheduler) -> usize {
        let each = scheduler.in_hand_bytes.checked_div(scheduler.in_hand).unwrap_or(USUAL_BYTES).max(1);
        let by_bytes = self.caps.bytes.saturating_sub(scheduler.in_hand_bytes) / each;
        self.caps.count.saturating_sub(scheduler.in_hand).min(by_bytes)
    }
}

/// Room for more, but not for so little that it is not worth asking.
fn room(more: bool, target: usize, in_hand: usize, least: usize) -> usize {
    let room = target.saturating_sub(in_hand);
    if more && room >= least { room } else { 0 }
}

fn target(scheduler: &Scheduler, key: LaneKey, now: Mono) -> usize {
    let rate = match key.pinned {
        Some(number) => scheduler.rate_of(number, now),
        None => scheduler.rate_of_pool(key.pool, now),
    };
    if rate == 0.0 { 0 } else { LEAST.max((rate * IN_HAND.as_secs_f64()) as usize) }
}

fn lane_room(scheduler: &Scheduler, key: LaneKey, timed: usize, fresh: usize) -> LaneRoom {
    let pool = scheduler.pools[key.pool.slot()].name.clone();
    let pinned = key.pinned.map(|number| scheduler.numbers[number.slot()].spec.id.clone());
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    LaneRoom { route: Route { pool, pinned }, priority: key.priority, timed: count(timed), fresh: count(fresh) }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;
    use crate::clock::Now;
    use crate::job::PoolName;
    use crate::ledger::{Account, Fence};
    use crate::worker::launch::Core;
    use crate::worker::number::{NumberSpec, Standing, Tenure};
    use crate::worker::pacer::Limit;

    const NOW: Now = Now { mono: Mono::from_nanos(0), wall: Timestamp::from_millis(0) };

    /// A core with one able number.
    fn core() -> Core {
        let mut core = Core::new(Scheduler::new(Duration::from_millis(50)));
        let spec = NumberSpec {
            id: "1001".parse().expect("a number id"),
            display: "1001".to_owned(),
            pool: core.scheduler.pool(&PoolName::default_pool()),
            account: Arc::new(Account {
                credential: "default".to_owned(),
                waba: String::new(),
                portfolio: String::new(),
            }),
            limit: Limit { count: NonZeroU32::new(80).expect("not zero"), period: Duration::from_secs(1) },
            siblings: Arc::new([]),
        };
        let number = core.scheduler.add_number(spec, Duration::from_millis(8), NOW);
        core.set_standing(number, Standing { may_send: true, weight: 1.0 }, NOW.mono);
        let until = NOW.mono + Duration::from_secs(60);
        core.set_tenure(number, Some(Tenure { fence: Fence(1), until }), NOW.mono);
        core
    }

    /// Asks, and hears that there is nothing, until there is nothing left to ask; says how many lanes were asked.
    fn ask_in_vain(intake: &mut Intake, core: &mut Core, overtaken: bool) -> usize {
        let wanted = intake.wanted(&mut core.scheduler, NOW.mono, NOW.wall);
        if overtaken {
            intake.look_again(&mut core.scheduler);
        }
        let asked = wanted.rooms.len();
        let nothing = Claimed { more: vec![false; asked], ..Claimed::default() };
        intake.learn(&mut core.scheduler, &wanted, &nothing);
        if asked == 0 { 0 } else { asked + ask_in_vain(intake, core, false) }
    }

    #[test]
    fn a_lane_that_had_nothing_is_asked_again_once_there_is_news() {
        let (mut core, mut intake) = (core(), Intake::new(Caps { count: 5_000, bytes: 1 << 24 }));
        let lanes = ask_in_vain(&mut intake, &mut core, false);
        assert!(lanes > 0);
        assert_eq!(ask_in_vain(&mut intake, &mut core, false), 0);
        intake.look_again(&mut core.scheduler);
        assert_eq!(ask_in_vain(&mut intake, &mut core, false), lanes);
    }

    #[test]
    fn news_that_overtakes_the_answer_to_a_claim_is_not_forgotten() {
        let (mut core, mut intake) = (core(), Intake::new(Caps { count: 5_000, bytes: 1 << 24 }));
        let lanes = ask_in_vain(&mut intake, &mut core, false);
        intake.look_again(&mut core.scheduler);
        // The lanes of the claim that was overtaken are asked a second time.
        assert!(ask_in_vain(&mut intake, &mut core, true) > lanes);
    }
}
