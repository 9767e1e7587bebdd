//! How long a client may take, and how much may wait.

use std::time::Duration;

/// Bounds of time and space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. When all are taken, the one that has kept us waiting longest gives way.
    pub connections: usize,
    /// A request's head must be there within this time; so long may a connection idle, too.
    pub head_within: Duration,
    /// A body must be there within this time,
    pub body_within: Duration,
    /// and, once this much time is over,
    pub body_grace: Duration,
    /// it must have come with at least this many bytes for each further second.
    pub body_pace: u32,
    /// Meta sends up to 3 MB.
    /// <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview>, read 2026-09-11.
    pub largest_body: usize,
    /// Verified bodies that wait for the ledger; past them 503. Fewer than connections, so that there is always one
    /// that can give way.
    pub waiting: usize,
    /// Bytes of bodies in memory, those that are still being read included; past them 503.
    pub waiting_bytes: usize,
    /// The ledger must have a body on disk within this time, or the answer is 503.
    pub keep_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            body_grace: Duration::from_secs(3),
            body_pace: 4_096,
            largest_body: 3 << 20,
            waiting: 512,
            waiting_bytes: 64 << 20,
            keep_within: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// When a body of which so many bytes have come must have brought more, counted from its beginning.
    pub(super) fn patience(&self, received: usize) -> Duration {
        let earned = Duration::from_secs_f64(received as f64 / f64::from(self.body_pace.max(1)));
        self.body_within.min(self.body_grace + earned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_earn_time_up_to_the_bound() {
        let limits = Limits::default();
        let seconds = |received| limits.patience(received).as_secs();
        assert_eq!([seconds(0), seconds(4_096), seconds(12_288), seconds(3 << 20)], [3, 4, 6, 10]);
    }
}
