//! How much numbers and their pools can do now.

use std::time::Duration;

use crate::clock::Mono;

use super::index::{NumberIdx, PoolIdx};
use super::number::Number;
use super::scheduler::Scheduler;

/// A number may have so many requests without an answer, however many numbers there are.
const LEAST_IN_FLIGHT: usize = 64;

impl Scheduler {
    /// Sends a second that a number can do now; nothing while it is not able.
    pub fn rate_of(&self, number: NumberIdx, now: Mono) -> f64 {
        let number = &self.numbers[number.slot()];
        if number.is_able(now) { number.pacer.effective().within(Duration::from_secs(1)) } else { 0.0 }
    }

    /// The same for all of a pool's numbers; while only some have places left, for those: the jobs are for them, and
    /// nothing is for a worker that has none of them.
    pub fn rate_of_pool(&self, pool: PoolIdx, now: Mono) -> f64 {
        let pool = &self.pools[pool.slot()];
        let has_part = |number: &&NumberIdx| !pool.has_places() || self.numbers[number.slot()].has_places();
        pool.numbers.iter().filter(has_part).map(|number| self.rate_of(*number, now)).sum()
    }

    /// What a pool's able numbers are allowed together, in sends a second, however they do right now.
    pub fn limit_of_pool(&self, pool: PoolIdx, now: Mono) -> f64 {
        let numbers = self.pools[pool.slot()].numbers.iter().map(|number| &self.numbers[number.slot()]);
        numbers
            .filter(|number| number.is_able(now))
            .map(|number| number.pacer.limit().within(Duration::from_secs(1)))
            .sum()
    }

    /// The weights of a pool's able numbers together.
    pub fn pool_weight(&self, pool: PoolIdx, now: Mono) -> f64 {
        let numbers = self.pools[pool.slot()].numbers.iter().map(|number| self.number(*number));
        numbers.filter(|number| number.is_able(now)).map(Number::weight).sum()
    }

    /// How many other numbers of its pool are able.
    pub fn able_beside(&self, number: NumberIdx, now: Mono) -> usize {
        let pool = &self.pools[self.numbers[number.slot()].spec.pool.slot()];
        let others = pool.numbers.iter().filter(|other| **other != number);
        others.filter(|other| self.numbers[other.slot()].is_able(now)).count()
    }

    /// Shares out so many connections: one number whose requests hang must not have them all.
    pub fn share_connections(&mut self, connections: usize) {
        let each = connections * 2 / self.numbers.len().max(1);
        let most = each.clamp(LEAST_IN_FLIGHT.min(connections), connections * 3 / 4);
        for number in &mut self.numbers {
            number.most_in_flight = most;
        }
    }
}
