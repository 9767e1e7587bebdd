//! Chooses the next job and its number. Pure: tables, `now`, and no clock of its own.
//!
//! Each pool is a world of its own. In a pool, lanes take turns by stride scheduling, and a lane's job goes to the
//! number with the lowest virtual time among those that have room. Whoever cannot go is taken out of line and put
//! back by the event that changes it, so a pick costs the same however many jobs, lanes and numbers stand by.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Mono, Now, Timestamp};
use crate::hold::{HoldId, HoldSet};
use crate::job::{NumberId, PoolName, Priority};
use crate::ledger::{Account, Fence, Route};
use crate::outcome::Reason;

use super::index::{LaneIdx, NumberIdx, PoolIdx};
use super::lane::{Delivery, Lane, LaneKey, weight};
use super::number::{Blocked, Class, Number, NumberSpec, Room};
use super::pairs::PairRule;
use super::pool::Pool;
use super::quota::Looks;
use super::shelf::Shelf;

/// A step of the wall clock by this much is noticed: holds end by it.
const CLOCK_STEP: u64 = 1_000;

/// What to do next.
#[derive(Debug)]
pub enum Pick {
    /// Ask the ledger whether this job may go by this number.
    Admit(Choice),
    /// This job meets a hold that others may pass: let it wait there.
    Park(Delivery, HoldId),
    /// This job's turn comes much later, and others overtake it: let it wait until then, for this reason.
    Defer(Delivery, Timestamp, Reason),
    /// Nothing before this moment.
    WaitUntil(Mono),
    /// Nothing until something happens.
    Idle,
}

/// A job and the number chosen for it.
#[derive(Debug)]
pub struct Choice {
    /// The job.
    pub delivery: Delivery,
    /// The number.
    pub number: NumberIdx,
    /// The lease under which this worker owns the number.
    pub fence: Fence,
    /// A hold whose time is over, which this job tries.
    pub probe: Option<HoldId>,
}

/// The state of lanes, pools and numbers.
#[derive(Debug)]
pub struct Scheduler {
    pub(super) numbers: Vec<Number>,
    pub(super) pools: Vec<Pool>,
    pub(super) lanes: Vec<Lane>,
    lane_of: HashMap<LaneKey, LaneIdx>,
    number_of: HashMap<NumberId, NumberIdx>,
    pool_of: HashMap<PoolName, PoolIdx>,
    pinned: Vec<[LaneIdx; 4]>,
    /// Numbers that will have room at a moment.
    pub(super) sleepers: BTreeSet<(Mono, NumberIdx)>,
    /// Pools with lanes in line, in turn.
    pub(super) round: VecDeque<PoolIdx>,
    pub(super) holds: HoldSet,
    pub(super) probing: HashSet<HoldId>,
    pub(super) looks: Looks,
    /// The wall clock less our own, in milliseconds, when numbers were last looked at for holds.
    offset: i64,
    ahead: Duration,
    pair_rule: PairRule,
    /// Jobs in hand whose turn comes in a moment.
    pub(super) shelf: Shelf,
    pub(super) in_hand: usize,
    pub(super) in_hand_bytes: usize,
    /// Lanes that gave jobs away since the intake last looked at them, each once.
    pub(super) lower: VecDeque<LaneIdx>,
    /// Whether something else changed than lanes: who may send, and by what.
    pub(super) is_changed: bool,
}

impl Scheduler {
    /// Nothing in it yet. Jobs are admitted at most `ahead` of their permit.
    pub fn new(ahead: Duration) -> Self {
        Self {
            numbers: Vec::new(),
            pools: Vec::new(),
            lanes: Vec::new(),
            lane_of: HashMap::new(),
            number_of: HashMap::new(),
            pool_of: HashMap::new(),
            pinned: Vec::new(),
            sleepers: BTreeSet::new(),
            round: VecDeque::new(),
            holds: HoldSet::default(),
            probing: HashSet::new(),
            looks: Looks::default(),
            offset: 0,
            ahead,
            pair_rule: PairRule::default(),
            shelf: Shelf::default(),
            in_hand: 0,
            in_hand_bytes: 0,
            lower: VecDeque::new(),
            is_changed: true,
        }
    }

    /// How often a number writes to one person, for numbers that are added from here on.
    pub fn set_pair_rule(&mut self, rule: PairRule) {
        self.pair_rule = rule;
    }

    /// Adds a pool, or finds it.
    pub fn pool(&mut self, name: &PoolName) -> PoolIdx {
        if let Some(pool) = self.pool_of.get(name) {
            return *pool;
        }
        let idx = PoolIdx(u32::try_from(self.pools.len()).expect("fewer pools than 2^32"));
        let open = self.add_lanes(idx, None);
        self.pools.push(Pool::new(name.clone(), open));
        self.pool_of.insert(name.clone(), idx);
        idx
    }

    /// Adds a number to its pool.
    pub fn add_number(&mut self, spec: NumberSpec, margin: Duration, now: Now) -> NumberIdx {
        let idx = NumberIdx(u32::try_from(self.numbers.len()).expect("fewer numbers than 2^32"));
        let pinned = self.add_lanes(spec.pool, Some(idx));
        self.pinned.push(pinned);
        let pool = &mut self.pools[spec.pool.slot()];
        pool.numbers.push(idx);
        (pool.siblings, pool.fit) = (None, None);
        self.number_of.insert(spec.id.clone(), idx);
        let mut number = Number::new(spec, margin, self.pair_rule, now.mono);
        number.look_at(&self.holds, now);
        self.pools[number.spec.pool.slot()].count_places(&mut number);
        self.numbers.push(number);
        idx
    }

    fn add_lanes(&mut self, pool: PoolIdx, pinned: Option<NumberIdx>) -> [LaneIdx; 4] {
        let mut lanes = [LaneIdx(0); 4];
        for priority in Priority::ALL {
            let key = LaneKey { pool, pinned, priority: *priority };
            let idx = LaneIdx(u32::try_from(self.lanes.len()).expect("fewer lanes than 2^32"));
            self.lanes.push(Lane::new(key));
            self.lane_of.insert(key, idx);
            lanes[priority.index()] = idx;
        }
        lanes
    }

    /// The number of this id, if this worker knows it.
    pub fn number_of(&self, id: &NumberId) -> Option<NumberIdx> {
        self.number_of.get(id).copied()
    }

    /// The lane for a place in line, if this worker serves it.
    pub fn lane_of(&self, route: &Route, priority: Priority) -> Option<LaneIdx> {
        let pool = *self.pool_of.get(&route.pool)?;
        let pinned = match &route.pinned {
            Some(id) => Some(*self.number_of.get(id)?),
            None => None,
        };
        self.lane_of.get(&LaneKey { pool, pinned, priority }).copied()
    }

    /// The lane to which a job would come back, if this worker serves it.
    pub fn home_of(&self, delivery: &Delivery) -> Option<LaneIdx> {
        self.lane_of(delivery.route(), delivery.job().priority)
    }

    /// Every pool with its name.
    pub fn pools(&self) -> impl Iterator<Item = (PoolIdx, &PoolName)> {
        self.pools
            .iter()
            .enumerate()
            .map(|(slot, pool)| (PoolIdx(u32::try_from(slot).expect("fewer pools than 2^32")), &pool.name))
    }

    /// How far ahead of its permit a job is admitted: at least twice what the ledger takes to answer.
    pub fn set_ahead(&mut self, ahead: Duration) {
        self.ahead = ahead;
    }

    /// Holds end by the wall clock and alarms go by our own: after a step of the first, every alarm is wrong.
    pub(super) fn notice_clock(&mut self, now: Now) {
        let offset = now.wall.as_millis() - i64::try_from(now.mono.as_nanos() / 1_000_000).unwrap_or(i64::MAX);
        if offset.abs_diff(self.offset) > CLOCK_STEP {
            self.offset = offset;
            self.look_at_holds(now);
        }
    }

    pub(super) fn wake_numbers(&mut self, now: Now) {
        while let Some((at, number)) = self.sleepers.first().copied() {
            if at > now.mono {
                break;
            }
            self.sleep(number, None);
            if matches!(self.numbers[number.slot()].blocked, Blocked::Until(Some(until)) if until <= now.mono) {
                self.numbers[number.slot()].look_at(&self.holds, now);
            }
            self.refresh(number, now.mono);
        }
    }

    /// Looks at a number's room again, after anything that may have changed it.
    pub(super) fn refresh(&mut self, idx: NumberIdx, now: Mono) {
        let number = &mut self.numbers[idx.slot()];
        let pool_idx = number.spec.pool;
        let tried = matches!(number.blocked, Blocked::Probe(hold) if self.probing.contains(&hold));
        let mut wake_at = match number.blocked {
            Blocked::Until(until) => until,
            Blocked::No | Blocked::Probe(_) => None,
        };
        // Jobs that waited for its room may go by those at their limit now.
        let mut gained = self.pools[pool_idx.slot()].count_places(number);
        for class in Class::ALL {
            let room = if tried { Room::None } else { number.room(class, self.ahead, now) };
            if let Room::At(at) = room {
                wake_at = Some(wake_at.map_or(at, |earlier: Mono| earlier.min(at)));
            }
            let before = number.listed[class as usize].map(|(at_limit, _)| at_limit);
            self.pools[pool_idx.slot()].set_ready(idx, number, class, room == Room::Now);
            gained |= room == Room::Now && before != Some(number.is_at_limit);
        }
        self.sleep(idx, wake_at.map(|at| at.max(now + Duration::from_nanos(1))));
        if gained {
            self.list_lanes_of(idx, pool_idx);
        }
    }

    /// One alarm a number, however often it is looked at.
    fn sleep(&mut self, idx: NumberIdx, until: Option<Mono>) {
        let number = &mut self.numbers[idx.slot()];
        if let Some(alarm) = std::mem::replace(&mut number.alarm, until) {
            self.sleepers.remove(&(alarm, idx));
        }
        if let Some(until) = until {
            self.sleepers.insert((until, idx));
        }
    }

    /// The intake looks at this lane with its next turn.
    pub(super) fn note_lower(&mut self, idx: LaneIdx) {
        if !std::mem::replace(&mut self.lanes[idx.slot()].is_lower, true) {
            self.lower.push_back(idx);
        }
    }

    /// What waits for this number is not known: others were told of it.
    pub(super) fn tell_lanes_of(&mut self, number: NumberIdx) {
        let open = self.pools[self.numbers[number.slot()].spec.pool.slot()].open;
        for lane in open.into_iter().chain(self.pinned[number.slot()]) {
            self.lanes[lane.slot()].fresh_supply.tell();
            self.lanes[lane.slot()].timed_supply.tell();
            self.note_lower(lane);
        }
    }

    fn list_lanes_of(&mut self, number: NumberIdx, pool_idx: PoolIdx) {
        let pool = &mut self.pools[pool_idx.slot()];
        for lane in pool.open.into_iter().chain(self.pinned[number.slot()]) {
            pool.list(lane, &mut self.lanes[lane.slot()]);
        }
        if pool.next_lane().is_some() {
            self.activate(pool_idx);
        }
    }

    /// The weights of the priorities below urgent that have work for this number, in hand or admitted.
    pub(super) fn other_weights(&self, idx: NumberIdx) -> u64 {
        let number = &self.numbers[idx.slot()];
        let open = &self.pools[number.spec.pool.slot()].open;
        let has_work = |priority: &&Priority| {
            let lanes = [open[priority.index()], self.pinned[idx.slot()][priority.index()]];
            number.has_ready(**priority) || lanes.iter().any(|lane| !self.lanes[lane.slot()].is_empty())
        };
        Priority::ALL[1..].iter().filter(has_work).map(|priority| weight(*priority)).sum()
    }

    /// Whose a number is: what is asked of the ledger from now on says so, and other holds may be over it.
    pub fn set_owner(&mut self, number: NumberIdx, (waba, portfolio): (String, String), now: Now) {
        let spec = &mut self.numbers[number.slot()].spec;
        let credential = spec.account.credential.clone();
        spec.account = Arc::new(Account { credential, waba, portfolio });
        self.numbers[number.slot()].look_at(&self.holds, now);
        self.refresh(number, now.mono);
    }

    /// Other holds stand now: every number is looked at again.
    pub fn set_holds(&mut self, holds: HoldSet, now: Now) {
        self.holds = holds;
        self.look_at_holds(now);
    }

    fn look_at_holds(&mut self, now: Now) {
        self.is_changed = true;
        self.forget_fit();
        for number in &mut self.numbers {
            number.look_at(&self.holds, now);
        }
        self.refresh_all(now.mono);
    }

    /// Looks at every number's room again.
    pub(super) fn refresh_all(&mut self, now: Mono) {
        for slot in 0..self.numbers.len() {
            self.refresh(NumberIdx(u32::try_from(slot).expect("fewer numbers than 2^32")), now);
        }
    }

    /// A number's state.
    pub fn number(&self, number: NumberIdx) -> &Number {
        &self.numbers[number.slot()]
    }

    /// Every number, in order of index.
    pub fn numbers(&self) -> impl Iterator<Item = &Number> {
        self.numbers.iter()
    }

    /// Every number's index.
    pub fn indices(&self) -> impl Iterator<Item = NumberIdx> + use<> {
        (0..u32::try_from(self.numbers.len()).expect("fewer numbers than 2^32")).map(NumberIdx)
    }

    /// How many jobs of a priority are in hand.
    pub fn in_hand_of(&self, priority: Priority) -> usize {
        let lanes = self.lanes.iter().filter(|lane| lane.key().priority == priority);
        let on_shelf = self.shelf.deliveries().filter(|delivery| delivery.job().priority == priority).count();
        lanes.map(|lane| lane.fresh() + lane.timed()).sum::<usize>() + on_shelf
    }

    /// All numbers of a pool.
    pub(super) fn siblings(&mut self, pool: PoolIdx) -> Arc<[NumberId]> {
        let Self { numbers, pools, .. } = self;
        let pool = &mut pools[pool.slot()];
        let ids = || pool.numbers.iter().map(|idx| numbers[idx.slot()].spec.id.clone()).collect();
        pool.siblings.get_or_insert_with(ids).clone()
    }

    /// The numbers of a pool that could send, whoever has their leases: one that its recipient wrote to is preferred
    /// for a template, but not waited for.
    pub(super) fn fit_siblings(&mut self, pool: PoolIdx) -> Arc<[NumberId]> {
        let Self { numbers, pools, .. } = self;
        let pool = &mut pools[pool.slot()];
        let known = || pool.numbers.iter().map(|idx| &numbers[idx.slot()]);
        let ids = || known().filter(|number| number.is_fit()).map(|number| number.spec.id.clone());
        if pool.fit.is_none() {
            pool.fit = Some(ids().collect());
        }
        pool.fit.clone().expect("it was just looked for")
    }

    /// Somebody may be fit by now who was not, or the other way round.
    pub(super) fn forget_fit(&mut self) {
        self.pools.iter_mut().for_each(|pool| pool.fit = None);
    }

    /// The numbers that use a credential.
    pub fn with_credential(&self, credential: &str) -> Vec<NumberIdx> {
        self.indices().filter(|number| self.number(*number).spec.account.credential == credential).collect()
    }
}
