//! A number that keeps failing is rested before Meta says so; never all numbers of a pool at once.

use std::time::Duration;

use crate::clock::Now;
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::outcome::Reason;

use super::index::NumberIdx;
use super::scheduler::Scheduler;

/// So many failures in a row rest a number: one that fails three times in ten by chance comes to that once in three
/// million answers, and has its smaller share already.
const FAULTS: u32 = 12;
/// And for no less than so long: a fast number's twelve answers may be one hiccup of Meta's.
const AT_LEAST: Duration = Duration::from_millis(250);
/// The first rest; the n-th in a row is n times as long.
const REST: Duration = Duration::from_secs(30);
/// No rest is longer.
const LONGEST: Duration = Duration::from_secs(600);
/// Instead of a rest for the last able number of a pool: one try a second.
const BREATHER: Duration = Duration::from_secs(1);

/// The rest that a number needs after an answer, if any. `fault` says whether the answer speaks against the number,
/// for it, or neither; `rests` is how often in a row it was rested.
pub(super) fn rest(
    scheduler: &Scheduler,
    number: NumberIdx,
    rests: &mut u32,
    fault: Option<bool>,
    now: Now,
) -> Option<HoldOrder> {
    if fault == Some(false) {
        *rests = 0;
    }
    let state = scheduler.number(number);
    // What was in flight when the rest began says nothing new.
    if fault != Some(true) || state.is_blocked() {
        return None;
    }
    let tried_in_vain = *rests > 0;
    let keeps_failing = state.faults() >= FAULTS && state.failing_for(now.mono) >= AT_LEAST;
    if !keeps_failing && !tried_in_vain {
        return None;
    }
    let length = rest_length(*rests, scheduler.able_beside(number, now.mono));
    *rests += 1;
    Some(HoldOrder {
        cover: Cover::of(Scope::Number, state.spec.id.as_str()),
        effect: Effect::Wait,
        reason: Reason::Failing,
        who: "health".to_owned(),
        until: Some(now.wall + length),
        probe: true,
    })
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
