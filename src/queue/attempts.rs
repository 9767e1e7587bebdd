//! When to try again what failed: full jitter, growing, and never too often. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// How fast to try again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The most to wait after the first failure; doubles with each further one.
    pub(super) base: Duration,
    /// The most to wait at all.
    pub(super) cap: Duration,
    /// At least so long between the beginnings of two attempts.
    pub(super) apart: Duration,
}

/// Attempts at one thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempts {
    pace: Pace,
    failures: u32,
    began: Option<Instant>,
}

impl Attempts {
    /// None yet.
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, failures: 0, began: None }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// It failed. Gives the moment of the next one; `random` lies in 0..1.
    pub(super) fn failed(&mut self, now: Instant, random: f64) -> Instant {
        let Pace { base, cap, apart } = self.pace;
        let most = base.saturating_mul(2_u32.saturating_pow(self.failures)).min(cap);
        self.failures = self.failures.saturating_add(1);
        let earliest = self.began.map_or(now, |began| began + apart);
        (now + most.mul_f64(random.clamp(0.0, 1.0))).max(earliest)
    }

    /// What was tried works, and has for a while.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace =
        Pace { base: Duration::from_millis(100), cap: Duration::from_secs(5), apart: Duration::from_millis(500) };

    #[test]
    fn waits_grow_to_the_cap_and_begin_anew_after_a_success() {
        let mut attempts = Attempts::new(PACE);
        let now = Instant::now();
        let waits: Vec<u64> = (0..8).map(|_| (attempts.failed(now, 1.0) - now).as_millis() as u64).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        attempts.succeeded();
        assert_eq!(attempts.failed(now, 1.0) - now, Duration::from_millis(100));
    }

    #[test]
    fn two_attempts_never_begin_closer_than_agreed() {
        let mut attempts = Attempts::new(PACE);
        let start = Instant::now();
        let mut now = start;
        for _ in 0..20 {
            attempts.begin(now);
            let next = attempts.failed(now, 0.0);
            assert!(next - now >= PACE.apart);
            now = next;
        }
        attempts.begin(now);
        let later = now + Duration::from_secs(3);
        assert_eq!(attempts.failed(later, 0.0), later, "what took long itself is tried again at once");
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut attempts = Attempts::new(PACE);
        let now = Instant::now();
        (0..1_000).for_each(|_| assert!(attempts.failed(now, 0.5) <= now + PACE.cap));
    }
}
