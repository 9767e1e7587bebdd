//! How much one number may write to one person.

use std::time::Duration;

use crate::job::Priority;

/// Meta lends so many at most.
const MOST: u32 = 45;

/// The pair limit, as configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PairRule {
    /// One message in this time.
    pub interval: Duration,
    /// So much later than its time does a message leave, since two of them do not travel equally long.
    pub margin: Duration,
    /// The longest burst by priority, in order of their index.
    bursts: [u32; 4],
}

impl PairRule {
    /// One message an interval. `network` is how much the network may shift two requests against each other; bulk
    /// never borrows.
    pub fn new(interval: Duration, network: Duration, urgent: u32, high: u32, normal: u32) -> Self {
        let burst = |priority: &Priority| match priority {
            Priority::Urgent => urgent,
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Bulk => 1,
        };
        let mut bursts = [1; 4];
        for priority in Priority::ALL {
            bursts[priority.index()] = burst(priority).clamp(1, MOST);
        }
        let margin = if interval.is_zero() { Duration::ZERO } else { network + interval / 100 };
        Self { interval, margin, bursts }
    }

    /// Everybody may write to everybody.
    pub fn none() -> Self {
        Self::new(Duration::ZERO, Duration::ZERO, MOST, MOST, MOST)
    }

    /// The longest burst of a priority, counted with what went before it.
    pub const fn burst(&self, priority: Priority) -> u32 {
        self.bursts[priority.index()]
    }

    /// How long after the first message of a burst one more is asked for: Meta lends for a whole interval.
    pub fn window(&self) -> Duration {
        self.interval - self.interval / 10
    }

    /// The same for the bytes of what was asked for in time.
    pub fn late_window(&self) -> Duration {
        self.interval - self.interval / 20
    }
}

impl Default for PairRule {
    fn default() -> Self {
        Self::new(Duration::from_secs(6), Duration::from_millis(8), 20, 5, 2)
    }
}
