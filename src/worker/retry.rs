//! How long until the next try: the one file that knows the `backoff` crate.

use std::time::Duration;

use backoff::SystemClock;
use backoff::backoff::Backoff;
use backoff::exponential::ExponentialBackoff;
use rand::Rng;

/// Doublings beyond this change nothing any more.
const MOST_DOUBLINGS: u32 = 40;
/// The first wait after a connection failed a job that had not left yet, and the longest.
const UNSENT_FIRST: Duration = Duration::from_millis(50);
const UNSENT_LAST: Duration = Duration::from_secs(10);
/// The longest wait for a pair; 4^6 seconds is over an hour already.
const PAIR_LAST: Duration = Duration::from_secs(3_600);

/// Backoff and budget, as configured in `retry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// The longest wait before the second attempt; it doubles from there.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
    /// How many charged attempts a job has.
    pub attempts: u32,
}

impl Retries {
    /// The wait after so many charged tries, this one included: exponential, with full jitter.
    pub fn delay(&self, tries: u32, rng: &mut impl Rng) -> Duration {
        full_jitter(interval(tries, self.base, self.cap), rng)
    }
}

/// The wait of a job of which no byte was sent, after so many attempts of any kind.
pub fn unsent_delay(attempts: u32, rng: &mut impl Rng) -> Duration {
    full_jitter(interval(attempts, UNSENT_FIRST, UNSENT_LAST), rng)
}

/// Meta's advice for a pair: 4^x seconds after x earlier attempts.
/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform>, read 2026-09-11.
pub fn pair_delay(earlier: u32) -> Duration {
    Duration::from_secs(4_u64.saturating_pow(earlier)).min(PAIR_LAST)
}

/// Between this and half as much again, so that what failed together does not come back together.
pub fn about(wait: Duration, rng: &mut impl Rng) -> Duration {
    wait + full_jitter(wait / 2, rng)
}

fn full_jitter(most: Duration, rng: &mut impl Rng) -> Duration {
    most.mul_f64(rng.random_range(0.0..=1.0))
}

/// The crate's own interval after so many tries, without its own jitter, which no seed reaches. Its clock is read,
/// but matters only to a limit of time, and ours is the job's expiry.
fn interval(tries: u32, base: Duration, cap: Duration) -> Duration {
    let base = base.min(cap);
    let mut backoff = ExponentialBackoff::<SystemClock> {
        current_interval: base,
        initial_interval: base,
        randomization_factor: 0.0,
        multiplier: 2.0,
        max_interval: cap,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    };
    for _ in 1..tries.min(MOST_DOUBLINGS) {
        backoff.next_backoff();
    }
    backoff.current_interval
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    const RETRIES: Retries = Retries { base: Duration::from_secs(1), cap: Duration::from_secs(300), attempts: 8 };

    #[test]
    fn the_longest_wait_doubles_up_to_the_cap() {
        let longest: Vec<u64> = (1..=11).map(|tries| interval(tries, RETRIES.base, RETRIES.cap).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(interval(0, RETRIES.base, RETRIES.cap), RETRIES.base);
        assert_eq!(interval(u32::MAX, RETRIES.base, RETRIES.cap), RETRIES.cap);
        assert_eq!(interval(1, RETRIES.cap, RETRIES.base), RETRIES.base);
    }

    #[test]
    fn jitter_is_full() {
        let mut rng = SmallRng::seed_from_u64(7);
        let waits: Vec<Duration> = (0..1_000).map(|_| RETRIES.delay(4, &mut rng)).collect();
        let mean = waits.iter().sum::<Duration>() / 1_000;
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(8)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(400)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(7_600)));
        assert!((3_700..4_300).contains(&mean.as_millis()), "{mean:?}");
    }

    #[test]
    fn a_pair_waits_four_to_the_x_seconds() {
        let waits: Vec<u64> = (0..8).map(|earlier| pair_delay(earlier).as_secs()).collect();
        assert_eq!(waits, [1, 4, 16, 64, 256, 1_024, 3_600, 3_600]);
        assert_eq!(pair_delay(u32::MAX), PAIR_LAST);
    }

    proptest! {
        #[test]
        fn one_seed_gives_one_wait(seed in any::<u64>(), tries in any::<u32>()) {
            let wait = || RETRIES.delay(tries, &mut SmallRng::seed_from_u64(seed));
            prop_assert_eq!(wait(), wait());
            prop_assert!(wait() <= RETRIES.cap);
            let about = about(RETRIES.base, &mut SmallRng::seed_from_u64(seed));
            prop_assert!((RETRIES.base..=RETRIES.base * 3 / 2).contains(&about));
            prop_assert!(unsent_delay(tries, &mut SmallRng::seed_from_u64(seed)) <= UNSENT_LAST);
        }
    }
}
