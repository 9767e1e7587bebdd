//! A number that keeps failing is rested before Meta says so; never all numbers of a pool at once.

use std::time::Duration;

use crate::clock::Now;
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::outcome::Reason;

use super::index::NumberIdx;
use super::shell::Worker;
use super::verdict::Verdict;

/// So many failures in a row rest a number.
const FAULTS: u32 = 5;
/// The first rest; the n-th in a row is n times as long.
const REST: Duration = Duration::from_secs(30);
/// No rest is longer.
const LONGEST: Duration = Duration::from_secs(600);
/// Instead of a rest for the last able number of a pool: one try a second.
const BREATHER: Duration = Duration::from_secs(1);

impl Worker {
    /// The rest that a number needs after this verdict, if any.
    pub(super) fn rest(&mut self, number: NumberIdx, verdict: &Verdict, now: Now) -> Option<HoldOrder> {
        let way = &mut self.ways[number.slot()];
        match verdict.health.fault() {
            Some(false) => way.rests = 0,
            Some(true) => {}
            None => return None,
        }
        let state = self.core.scheduler.number(number);
        let tried_in_vain = way.rests > 0 && state.faults() > 0;
        // What was in flight when the rest began says nothing new.
        let rests_already = state.is_blocked();
        if rests_already || (state.faults() < FAULTS && !tried_in_vain) {
            return None;
        }
        let others = self.core.scheduler.able_beside(number, now.mono);
        let length = rest_length(way.rests, others);
        way.rests += 1;
        Some(HoldOrder {
            cover: Cover::of(Scope::Number, state.spec.id.as_str()),
            effect: Effect::Wait,
            reason: Reason::Failing,
            who: "health".to_owned(),
            until: Some(now.wall + length),
            probe: true,
        })
    }
}

fn rest_length(rests: u32, others: usize) -> Duration {
    if others == 0 { BREATHER } else { (REST * (rests + 1)).min(LONGEST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_and_the_last_number_only_takes_a_breath() {
        assert_eq!(rest_length(0, 2), Duration::from_secs(30));
        assert_eq!(rest_length(2, 1), Duration::from_secs(90));
        assert_eq!(rest_length(1_000, 1), LONGEST);
        assert_eq!(rest_length(7, 0), BREATHER);
    }
}
