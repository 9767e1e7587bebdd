//! The simulator's own clock: the only place in this room that asks the machine what time it is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Counts nanoseconds from the simulator's start, and remembers what the wall clock said then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    start_unix_ms: u64,
}

impl Clock {
    /// Starts counting now.
    #[expect(clippy::disallowed_methods, reason = "this is the room's file that reads the clock")]
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { start: Instant::now(), start_unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
    }

    /// Nanoseconds since the start; never goes backward.
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The wall clock's milliseconds at `at_ns`, as if the wall clock had not been stepped since the start.
    pub(crate) fn unix_ms(&self, at_ns: u64) -> u64 {
        self.start_unix_ms + at_ns / 1_000_000
    }
}
