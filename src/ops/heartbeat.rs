//! Whether the worker's loop still turns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Mono;

/// Told by the loop at each turn, read by `/livez`. The loop turns at least once a second, also with nothing to do.
#[derive(Debug)]
pub struct Heartbeat {
    last_nanos: AtomicU64,
}

impl Heartbeat {
    /// A loop that has this long without a turn hangs; far more than any turn takes, less than a probe's patience.
    pub const LONGEST_TURN: Duration = Duration::from_secs(10);

    /// Counts from now: a loop that never turns is noticed too.
    pub fn new(now: Mono) -> Self {
        Self { last_nanos: AtomicU64::new(now.as_nanos()) }
    }

    /// The loop turned.
    pub fn beat(&self, now: Mono) {
        self.last_nanos.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// How long ago the loop turned, if that is too long.
    pub fn silence(&self, now: Mono) -> Option<Duration> {
        let silence = now.since(Mono::from_nanos(self.last_nanos.load(Ordering::Relaxed)));
        (silence > Self::LONGEST_TURN).then_some(silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_missed_only_past_its_longest_turn() {
        let start = Mono::from_nanos(7);
        let heartbeat = Heartbeat::new(start);
        let limit = start + Heartbeat::LONGEST_TURN;
        assert_eq!(heartbeat.silence(limit), None);
        assert_eq!(heartbeat.silence(limit + Duration::from_secs(1)), Some(Duration::from_secs(11)));
        heartbeat.beat(limit);
        assert_eq!(heartbeat.silence(limit + Duration::from_secs(1)), None);
    }
}
