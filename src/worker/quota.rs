//! What a portfolio at its messaging limit means for jobs that were not taken in hand yet: the bulk ones stay where they
//! are, in the broker's lane or in their rows. Now and then a few are looked at, since some need no place: their
//! recipient has one, or wrote lately.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Mono;
use crate::job::Priority;

use super::index::PoolIdx;
use super::lane::Delivery;
use super::number::{Blocked, Number};
use super::scheduler::Scheduler;

/// How often bulk jobs are looked at while there is no place for them.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How many of them.
const LOOK_AT: u32 = 8;

/// The looks at pools without a place.
#[derive(Debug, Default)]
pub(super) struct Looks {
    by_pool: HashMap<PoolIdx, Look>,
}

#[derive(Debug)]
struct Look {
    next: Mono,
    left: u32,
}

impl Looks {
    /// How many bulk jobs of a pool may be taken in hand now; none: as many as there is room for.
    fn room(&mut self, pool: PoolIdx, is_at_limit: bool, now: Mono) -> Option<u32> {
        if !is_at_limit {
            self.by_pool.remove(&pool);
            return None;
        }
        let look = self.by_pool.entry(pool).or_insert(Look { next: now + LOOK_EVERY, left: 0 });
        if look.next <= now {
            *look = Look { next: now + LOOK_EVERY, left: LOOK_AT };
        }
        Some(look.left)
    }

    /// Takes one, if one may be taken.
    fn take(&mut self, pool: PoolIdx) -> bool {
        let may = self.by_pool.get(&pool).is_none_or(|look| look.left > 0);
        self.spend(pool, 1);
        may
    }

    fn spend(&mut self, pool: PoolIdx, jobs: u32) {
        if let Some(look) = self.by_pool.get_mut(&pool) {
            look.left = look.left.saturating_sub(jobs);
        }
    }
}

impl Scheduler {
    /// Whether no able number of this pool may begin to write to anybody new by an ordinary job.
    fn is_at_limit(&self, pool: PoolIdx, now: Mono) -> bool {
        let numbers = self.pools[pool.slot()].numbers.iter().map(|number| self.number(*number));
        let mut able = numbers.filter(|number| number.is_able(now)).peekable();
        able.peek().is_some() && able.all(|number| number.is_at_limit)
    }

    /// Whether jobs of this pool that wait for places of one portfolio may come out to go by another. A number that is
    /// tried after a hold has room for one job, and may be held again: nobody comes out for it.
    pub(super) fn may_let_out(&self, pool: PoolIdx) -> bool {
        let pool = &self.pools[pool.slot()];
        let is_sound = |number: &Number| number.has_places() && number.blocked == Blocked::No;
        pool.has_places() && pool.numbers.iter().any(|number| is_sound(self.number(*number)))
    }

    /// Whether jobs that wait for places of one portfolio may go by a number of another.
    pub(super) fn has_ways_round_limits(&self) -> bool {
        let pools = self.pools().filter(|(pool, _)| self.may_let_out(*pool)).map(|(pool, _)| &self.pools[pool.slot()]);
        pools.flat_map(|pool| &pool.numbers).any(|number| self.number(*number).is_at_limit)
    }

    /// How many bulk jobs of a pool may be taken in hand now; none: as many as there is room for.
    pub(super) fn bulk_room(&mut self, pool: PoolIdx, now: Mono) -> Option<u32> {
        let is_at_limit = self.is_at_limit(pool, now);
        self.looks.room(pool, is_at_limit, now)
    }

    /// So many bulk jobs of a pool were asked for.
    pub(super) fn spend_look(&mut self, pool: PoolIdx, jobs: usize) {
        self.looks.spend(pool, u32::try_from(jobs).unwrap_or(u32::MAX));
    }

    /// Whether this job may be taken in hand: a bulk one of a pool without a place only when a look at some is due.
    pub(super) fn may_take(&mut self, delivery: &Delivery) -> bool {
        if delivery.job().priority != Priority::Bulk {
            return true;
        }
        self.lane_of(delivery.route(), Priority::Bulk).is_none_or(|lane| {
            let pool = self.lanes[lane.slot()].key().pool;
            self.looks.take(pool)
        })
    }

    /// Takes out the bulk jobs of pools that have just come to their limit: they go back to where they stood.
    pub(super) fn drain_at_limit(&mut self, now: Mono) -> Vec<Delivery> {
        let pools: Vec<PoolIdx> = self.pools().map(|(pool, _)| pool).collect();
        let mut drained = Vec::new();
        for pool in pools {
            let was_at_limit = self.looks.by_pool.contains_key(&pool);
            if self.bulk_room(pool, now).is_some() && !was_at_limit {
                let name = self.pools[pool.slot()].name.clone();
                drained.extend(
                    self.take_out(|delivery| {
                        delivery.job().priority == Priority::Bulk && delivery.route().pool == name
                    }),
                );
            }
        }
        drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_place_a_few_are_looked_at_each_minute() {
        let (mut looks, pool) = (Looks::default(), PoolIdx(0));
        let at = |seconds: u64| Mono::from_nanos(seconds * 1_000_000_000);
        assert_eq!(looks.room(pool, false, at(0)), None);
        assert!(looks.take(pool));
        assert_eq!(looks.room(pool, true, at(1)), Some(0));
        assert!(!looks.take(pool));
        assert_eq!(looks.room(pool, true, at(60)), Some(0));
        assert_eq!(looks.room(pool, true, at(61)), Some(LOOK_AT));
        let taken = (0..100).filter(|_| looks.take(pool)).count();
        assert_eq!(taken, LOOK_AT as usize);
        assert_eq!(looks.room(pool, true, at(62)), Some(0));
        assert_eq!(looks.room(pool, false, at(63)), None);
        assert!(looks.take(pool));
    }
}
