//! The pair limit: how often one number may write to one person.
//!
//! Meta: one message per 6 s; up to 45 may be borrowed in one burst, and a burst of N is paid back by
//! waiting N × 6 s before the next message. Whether the debt must be paid in full before the *next*
//! message is not quite clear from the page; we take the strict reading, which is what its example
//! («20 messages … about 2 minutes») says.

use super::limits::{PAIR_BURST, PAIR_BURST_WINDOW, PAIR_INTERVAL};
use std::collections::HashMap;

/// Pairs tracked at most; past that, new pairs pass unchecked rather than eat memory.
const TRACKED: usize = 1_000_000;
/// No sweep below this many pairs.
const FIRST_SWEEP: usize = 4_096;

/// The debts of all pairs.
#[derive(Debug)]
pub(crate) struct PairLimit {
    interval_ns: u64,
    burst_window_ns: u64,
    pairs: HashMap<(u32, u64), Burst>,
    next_sweep: usize,
}

/// Messages since the pair was last free of debt.
#[derive(Debug, Clone, Copy)]
struct Burst {
    start_ns: u64,
    messages: u32,
}

impl PairLimit {
    /// No debts yet; six seconds pass in `6 s / time_scale`.
    pub(crate) fn new(time_scale: f64) -> Self {
        Self {
            interval_ns: super::scaled_ns(PAIR_INTERVAL, time_scale),
            burst_window_ns: super::scaled_ns(PAIR_BURST_WINDOW, time_scale),
            pairs: HashMap::new(),
            next_sweep: FIRST_SWEEP,
        }
    }

    /// Whether the pair may have a message now. Changes nothing: see [`PairLimit::charge`].
    pub(crate) fn allows(&self, number: u32, recipient: u64, now_ns: u64) -> bool {
        self.pairs.get(&(number, recipient)).is_none_or(|burst| {
            self.is_paid_back(*burst, now_ns)
                || (now_ns < burst.start_ns + self.burst_window_ns && burst.messages < PAIR_BURST)
        })
    }

    /// Notes a message that was allowed.
    pub(crate) fn charge(&mut self, number: u32, recipient: u64, now_ns: u64) {
        self.sweep(now_ns);
        let (interval_ns, tracked) = (self.interval_ns, self.pairs.len());
        match self.pairs.get_mut(&(number, recipient)) {
            Some(burst) if now_ns < burst.start_ns + u64::from(burst.messages) * interval_ns => burst.messages += 1,
            Some(burst) => *burst = Burst { start_ns: now_ns, messages: 1 },
            None if tracked < TRACKED => {
                self.pairs.insert((number, recipient), Burst { start_ns: now_ns, messages: 1 });
            }
            None => {}
        }
    }

    fn is_paid_back(&self, burst: Burst, now_ns: u64) -> bool {
        now_ns >= burst.start_ns + u64::from(burst.messages) * self.interval_ns
    }

    /// Forgets who owes nothing, whenever the table has doubled since the last time.
    fn sweep(&mut self, now_ns: u64) {
        if self.pairs.len() < self.next_sweep {
            return;
        }
        let interval_ns = self.interval_ns;
        self.pairs.retain(|_, burst| now_ns < burst.start_ns + u64::from(burst.messages) * interval_ns);
        self.next_sweep = (self.pairs.len() * 2).max(FIRST_SWEEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn send(limit: &mut PairLimit, recipient: u64, at: u64) -> bool {
        let allowed = limit.allows(1, recipient, at);
        if allowed {
            limit.charge(1, recipient, at);
        }
        allowed
    }

    #[test]
    fn one_message_every_six_seconds_goes_on_for_ever() {
        let mut limit = PairLimit::new(1.0);
        for n in 0..1_000 {
            assert!(send(&mut limit, 7, n * 6 * SECOND), "message {n}");
        }
    }

    #[test]
    fn a_burst_of_twenty_is_paid_back_in_two_minutes() {
        let mut limit = PairLimit::new(1.0);
        for n in 0..20 {
            assert!(send(&mut limit, 7, n * SECOND / 10));
        }
        assert!(!send(&mut limit, 7, 7 * SECOND));
        assert!(!send(&mut limit, 7, 120 * SECOND - 1));
        assert!(send(&mut limit, 7, 120 * SECOND));
    }

    #[test]
    fn at_most_forty_five_are_borrowed() {
        let mut limit = PairLimit::new(1.0);
        let sent = (0..60).filter(|n| send(&mut limit, 7, n * SECOND / 100)).count();
        assert_eq!(sent, 45);
    }

    #[test]
    fn other_people_do_not_pay_for_it() {
        let mut limit = PairLimit::new(1.0);
        for _ in 0..45 {
            send(&mut limit, 7, 0);
        }
        assert!(!send(&mut limit, 7, 0));
        assert!(send(&mut limit, 8, 0));
    }

    #[test]
    fn scaled_time_pays_sooner() {
        let mut limit = PairLimit::new(10.0);
        assert!(send(&mut limit, 7, 0));
        assert!(send(&mut limit, 7, SECOND / 10));
        assert!(!send(&mut limit, 7, SECOND));
        assert!(send(&mut limit, 7, SECOND * 12 / 10));
    }

    #[test]
    fn pairs_without_debt_are_forgotten() {
        let mut limit = PairLimit::new(1.0);
        for recipient in 0..100_000 {
            send(&mut limit, recipient, recipient * SECOND / 100);
        }
        assert!(limit.pairs.len() <= FIRST_SWEEP, "{} pairs", limit.pairs.len());
    }
}
