//! How long to wait after a failure, growing with each in a row, and what is said of it.

use std::time::Duration;

/// Failures in a row. The first is told, and that they are over.
pub(super) struct Patience {
    waits: (Duration, Duration),
    /// `events`, `webhooks`: who waits.
    what: &'static str,
    /// How many, up to now.
    pub(super) count: u32,
}

impl Patience {
    /// Waits at least the first, so that nothing spins, doubling up to the second.
    pub(super) const fn new(what: &'static str, waits: (Duration, Duration)) -> Self {
        Self { waits, what, count: 0 }
    }

    /// One more failure: how long to wait now.
    pub(super) fn wait(&mut self, why: &str) -> Duration {
        let (first, most) = self.waits;
        let longest = first.saturating_mul(2_u32.saturating_pow(self.count)).min(most);
        if self.count == 0 {
            tracing::warn!(why, "{} wait in the ledger: {why}", self.what);
        }
        self.count = self.count.saturating_add(1);
        first + (longest - first).mul_f64(rand::random())
    }

    /// It works.
    pub(super) fn over(&mut self) {
        if self.count > 0 {
            tracing::info!("{} go on", self.what);
        }
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_tried_more_often_than_the_first_wait_nor_less_often_than_the_longest() {
        let waits = (Duration::from_millis(100), Duration::from_secs(5));
        let mut patience = Patience::new("events", waits);
        for _ in 0..100 {
            let wait = patience.wait("test");
            assert!(wait >= waits.0 && wait <= waits.1, "{wait:?}");
        }
        assert_eq!(patience.count, 100);
        patience.over();
        assert_eq!(patience.count, 0);
    }
}
