//! How much to take in hand: which lanes have room, and what to remember of what the ledger answered.
//!
//! About one second's worth of a lane is in hand, under one count and one byte cap over all lanes; what has no room
//! stays where it is. Rows that are due at a time have room of their own, so that a retry is not kept out by the
//! backlog it was in.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::{Mono, Timestamp};
use crate::job::Priority;
use crate::ledger::{Claimed, LaneRoom, Route};

use super::due::Dues;
use super::index::{LaneIdx, PoolIdx};
use super::lane::{LaneKey, Supply};
use super::scheduler::Scheduler;

/// So much of a lane's work is in hand.
const IN_HAND: Duration = Duration::from_secs(1);
/// At least so many jobs of a lane are in hand, however slow its numbers.
const LEAST: usize = 8;
/// At most so many rows are claimed at once, so that a claim never delays an admission for long.
const MOST_AT_ONCE: usize = 400;
/// Asked of a lane that may have nothing: so a claim looks at many of them.
const PROBE: usize = 8;
/// So many lanes of the round are looked at in one turn.
const LOOKS_AT_ONCE: usize = 128;
/// A round begins at least so often.
const ROUND_EVERY: Duration = Duration::from_secs(1);
/// What nobody told of is looked for so often.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);
/// A pool's rate is not summed up anew for so long.
const RATE_HOLDS: Duration = Duration::from_millis(100);
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
///
/// With a thousand numbers there are thousands of lanes, and few of them have anything new at a time. So a lane of which
/// something is known is looked at when it gave a job away or a row of it falls due, and all of them in turn, a few at
/// a time, whenever any may have something new.
#[derive(Debug)]
pub struct Intake {
    caps: Caps,
    dues: Dues,
    /// How often the source had something new: what a claim answers that was asked before says nothing of it.
    news: News,
    /// How many lanes are still to be looked at in this round.
    unseen: usize,
    /// Where the round goes on, so that a cap does not favour the first lanes for ever.
    turn: usize,
    /// When the last round began.
    round_at: Mono,
    /// When everything was last looked at without a reason.
    looked_at: Mono,
    /// Whether there was room left, and lanes to look at.
    goes_on: bool,
    /// What each pool can send a second, and when that was summed up.
    rates: HashMap<PoolIdx, (Mono, f64)>,
}

/// News by their number, for fresh jobs and for those that are due.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    fresh: u64,
    timed: u64,
}

/// One look at a lane.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// At most so many jobs.
    most: usize,
    /// What may concern any lane; none: only what is known of this one counts.
    news: Option<News>,
}

/// A claim to make: the lanes asked, and the room in each.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The lanes, in the order asked.
    pub lanes: Vec<LaneIdx>,
    /// The same for the ledger.
    pub rooms: Vec<LaneRoom>,
    /// When it was asked.
    at: Mono,
}

impl Intake {
    /// Nothing is known of the source, so every lane is asked.
    pub fn new(caps: Caps) -> Self {
        Self {
            caps,
            dues: Dues::default(),
            news: News { fresh: 1, timed: 1 },
            unseen: usize::MAX,
            turn: 0,
            round_at: Mono::from_nanos(0),
            looked_at: Mono::from_nanos(0),
            goes_on: true,
            rates: HashMap::new(),
        }
    }

    /// When the next row that waits for a time falls due, as far as is known.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.dues.next()
    }

    /// Whether there are lanes left to look at, and room for what they may have.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// A row of this lane will fall due then; of any lane, if none is named.
    pub fn expect(&mut self, lane: Option<LaneIdx>, due: Timestamp) {
        self.dues.expect(lane, due);
    }

    /// The source may have something new in any lane.
    pub fn look_again(&mut self) {
        self.news.fresh += 1;
        self.news.timed += 1;
        self.begin_round();
    }

    fn begin_round(&mut self) {
        self.unseen = usize::MAX;
        self.goes_on = true;
    }

    /// What to claim now; nothing where no lane has both room and something to come.
    pub fn wanted(&mut self, scheduler: &mut Scheduler, mono: Mono, wall: Timestamp) -> Wanted {
        self.hear(scheduler, mono, wall);
        let mut wanted = Wanted { at: mono, ..Wanted::default() };
        let mut left = self.left(scheduler).min(MOST_AT_ONCE);
        self.unseen = self.unseen.min(scheduler.lanes.len());
        // Half for the lanes whose turn it is: those that give jobs away all the time would leave them nothing.
        let kept = if self.unseen > 0 { left / 2 } else { 0 };
        let mut lower = std::mem::take(&mut scheduler.lower);
        while left > kept
            && let Some(idx) = lower.pop_front()
        {
            scheduler.lanes[idx.slot()].is_lower = false;
            left -= self.ask(idx, Look { most: left - kept, news: None }, scheduler, &mut wanted);
        }
        scheduler.lower = lower;
        for _ in 0..LOOKS_AT_ONCE {
            if left == 0 || self.unseen == 0 {
                break;
            }
            let idx = LaneIdx(u32::try_from(self.turn % scheduler.lanes.len()).expect("fewer lanes than 2^32"));
            self.turn = idx.slot() + 1;
            self.unseen -= 1;
            if wanted.lanes.contains(&idx) {
                scheduler.note_lower(idx);
            } else {
                left -= self.ask(idx, Look { most: left, news: Some(self.news) }, scheduler, &mut wanted);
            }
            self.keep_in_mind(idx, scheduler);
        }
        self.goes_on = left > 0 && self.unseen > 0;
        wanted
    }

    /// News of which a lane was not asked, for want of room or since it had been asked for other jobs, are not over.
    fn keep_in_mind(&self, idx: LaneIdx, scheduler: &mut Scheduler) {
        let lane = &mut scheduler.lanes[idx.slot()];
        for (supply, news) in [(&mut lane.fresh_supply, self.news.fresh), (&mut lane.timed_supply, self.news.timed)] {
            if supply.is_there(Some(news)) {
                supply.tell();
            }
        }
    }

    /// Sees what fell due, and what else may have changed.
    fn hear(&mut self, scheduler: &mut Scheduler, mono: Mono, wall: Timestamp) {
        while let Some(lane) = self.dues.pop(wall) {
            scheduler.lanes[lane.slot()].timed_supply.tell();
            scheduler.note_lower(lane);
        }
        if self.dues.pop_anywhere(wall) {
            self.news.timed += 1;
            self.begin_round();
        }
        // What another worker was told before it lost a number, and the like.
        if mono.since(self.looked_at) >= LOOK_ANYWAY {
            self.looked_at = mono;
            self.look_again();
        }
        // What is not told, as that a number may be looked at again, is found within a second.
        if std::mem::take(&mut scheduler.is_changed) || mono.since(self.round_at) >= ROUND_EVERY {
            self.rates.clear();
            self.round_at = mono;
            self.begin_round();
        }
    }

    /// Asks for as much of a lane as there is room for, and says how much that is.
    fn ask(&mut self, idx: LaneIdx, look: Look, scheduler: &mut Scheduler, wanted: &mut Wanted) -> usize {
        let (now, Look { most, news }) = (wanted.at, look);
        let lane = &scheduler.lanes[idx.slot()];
        let fresh = Some(lane.fresh_supply).filter(|supply| supply.is_there(news.map(|news| news.fresh)));
        let timed = Some(lane.timed_supply).filter(|supply| supply.is_there(news.map(|news| news.timed)));
        if fresh.is_none() && timed.is_none() {
            return 0;
        }
        let key = lane.key();
        let few = if key.priority == Priority::Bulk { scheduler.bulk_room(key.pool, now) } else { None };
        let target = self.target(scheduler, key, now).min(self.caps.count);
        let lane = &scheduler.lanes[idx.slot()];
        let fresh_room = room(fresh, target, lane.fresh_rows(), target / 2);
        let fresh_room = fresh_room.min(few.unwrap_or(u32::MAX) as usize);
        let timed_target = target / 4 + LEAST;
        // What is let out from under a hold may be fresh, and was asked for as timed.
        let beyond = (target + timed_target).saturating_sub(lane.timed() + lane.fresh_rows());
        let timed_room = room(timed, timed_target, lane.timed(), 0).min(beyond);
        if target == 0 || fresh_room + timed_room == 0 {
            return 0;
        }
        // Half at most, or room kept for what may come due would keep out what is there.
        let timed_room = timed_room.min(if fresh_room > 0 { most.div_ceil(2) } else { most });
        let fresh_room = fresh_room.min(most - timed_room);
        // What is told from here on the answer says nothing of.
        let lane = &mut scheduler.lanes[idx.slot()];
        if fresh_room > 0 {
            lane.fresh_supply = Supply::DryAt(self.news.fresh);
        }
        if timed_room > 0 {
            lane.timed_supply = Supply::DryAt(self.news.timed);
        }
        wanted.lanes.push(idx);
        wanted.rooms.push(lane_room(scheduler, key, timed_room, fresh_room));
        if few.is_some() {
            scheduler.spend_look(key.pool, fresh_room);
        }
        timed_room + fresh_room
    }

    /// What the ledger answered to a claim. The rows themselves are pushed by the caller.
    pub fn learn(&mut self, scheduler: &mut Scheduler, wanted: &Wanted, claimed: &Claimed) {
        for (lane, due) in wanted.lanes.iter().zip(&claimed.dues) {
            due.iter().for_each(|due| self.dues.expect(Some(*lane), *due));
        }
        if let Some(let_out) = claimed.let_out_at {
            self.dues.expect(None, let_out);
        }
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
            if room.fresh > 0 && claimed.more[position] {
                lane.fresh_supply = Supply::Left;
            }
            // Whether fresh rows are left says nothing of timed ones: those are left if their room was filled.
            if room.timed > 0 && timed[position] >= room.timed {
                lane.timed_supply = Supply::Left;
            }
            if lane.fresh_supply.is_there(None) || lane.timed_supply.is_there(None) {
                scheduler.note_lower(wanted.lanes[position]);
            }
        }
    }

    /// What a lane's numbers send in the time that is worth having in hand. A pool's rate is summed up now and then.
    fn target(&mut self, scheduler: &Scheduler, key: LaneKey, now: Mono) -> usize {
        let rate = match key.pinned {
            Some(number) => scheduler.rate_of(number, now),
            None => match self.rates.get(&key.pool) {
                Some((at, rate)) if now.since(*at) < RATE_HOLDS => *rate,
                Some(_) | None => {
                    let rate = scheduler.rate_of_pool(key.pool, now);
                    self.rates.insert(key.pool, (now, rate));
                    rate
                }
            },
        };
        if rate == 0.0 { 0 } else { LEAST.max((rate * IN_HAND.as_secs_f64()) as usize) }
    }

    fn left(&self, scheduler: &Scheduler) -> usize {
        let each = scheduler.in_hand_bytes.checked_div(scheduler.in_hand).unwrap_or(USUAL_BYTES).max(1);
        let by_bytes = self.caps.bytes.saturating_sub(scheduler.in_hand_bytes) / each;
        self.caps.count.saturating_sub(scheduler.in_hand).min(by_bytes)
    }
}

/// Room for more, but not for so little that it is not worth asking, and not for much where there may be nothing.
fn room(supply: Option<Supply>, target: usize, in_hand: usize, least: usize) -> usize {
    let room = target.saturating_sub(in_hand);
    match supply {
        Some(_) if room < least => 0,
        Some(Supply::Left) => room,
        Some(Supply::Told | Supply::DryAt(_)) => room.min(PROBE),
        None => 0,
    }
}

fn lane_room(scheduler: &Scheduler, key: LaneKey, timed: usize, fresh: usize) -> LaneRoom {
    let pool = scheduler.pools[key.pool.slot()].name.clone();
    let pinned = key.pinned.map(|number| scheduler.numbers[number.slot()].spec.id.clone());
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let has_places = key.pinned.is_none() && scheduler.may_let_out(key.pool);
    let route = Route { pool, pinned };
    LaneRoom { route, priority: key.priority, timed: count(timed), fresh: count(fresh), has_places }
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
            intake.look_again();
        }
        let asked = wanted.rooms.len();
        let nothing = Claimed { more: vec![false; asked], dues: vec![None; asked], ..Claimed::default() };
        intake.learn(&mut core.scheduler, &wanted, &nothing);
        if asked == 0 { 0 } else { asked + ask_in_vain(intake, core, false) }
    }

    #[test]
    fn a_lane_that_had_nothing_is_asked_again_once_there_is_news() {
        let (mut core, mut intake) = (core(), Intake::new(Caps { count: 5_000, bytes: 1 << 24 }));
        let lanes = ask_in_vain(&mut intake, &mut core, false);
        assert!(lanes > 0);
        assert_eq!(ask_in_vain(&mut intake, &mut core, false), 0);
        intake.look_again();
        assert_eq!(ask_in_vain(&mut intake, &mut core, false), lanes);
    }

    #[test]
    fn news_that_overtakes_the_answer_to_a_claim_is_not_forgotten() {
        let (mut core, mut intake) = (core(), Intake::new(Caps { count: 5_000, bytes: 1 << 24 }));
        let lanes = ask_in_vain(&mut intake, &mut core, false);
        intake.look_again();
        // The lanes of the claim that was overtaken are asked a second time.
        assert!(ask_in_vain(&mut intake, &mut core, true) > lanes);
    }

    #[test]
    fn what_falls_due_while_a_claim_is_under_way_is_asked_for_again() {
        let (mut core, mut intake) = (core(), Intake::new(Caps { count: 5_000, bytes: 1 << 24 }));
        ask_in_vain(&mut intake, &mut core, false);
        let lane = LaneIdx(0);
        intake.expect(Some(lane), NOW.wall);
        let wanted = intake.wanted(&mut core.scheduler, NOW.mono, NOW.wall);
        assert_eq!(wanted.lanes, [lane]);
        intake.expect(Some(lane), NOW.wall);
        intake.hear(&mut core.scheduler, NOW.mono, NOW.wall);
        let nothing = Claimed { more: vec![false], dues: vec![None], ..Claimed::default() };
        intake.learn(&mut core.scheduler, &wanted, &nothing);
        assert_eq!(ask_in_vain(&mut intake, &mut core, false), 1);
    }
}
