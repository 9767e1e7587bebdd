//! The series of portfolios: how many people may be written to first.

use prometheus::Registry;

use super::bound::bound;
use super::kinds::{Gauge, Kind};

bound! {
    /// What each portfolio has.
    PortfolioFamilies,
    /// The series of one portfolio, bound.
    PortfolioMetrics of ["portfolio"];

    /// How many people this portfolio may begin to write to within 24 hours; +Inf without a limit.
    limit: Gauge = "tidegate_quota_limit";
    /// How many of these places are taken.
    used: Gauge = "tidegate_quota_used";
    /// Jobs that wait for such a place.
    waiting: Gauge = "tidegate_quota_waiting";
}

impl PortfolioMetrics {
    /// How its places stand; no limit: without one.
    pub fn stand(&self, limit: Option<u64>, used: u64, waiting: u64) {
        self.limit.set(limit.map_or(f64::INFINITY, |limit| limit as f64));
        self.used.set(used as f64);
        self.waiting.set(waiting as f64);
    }
}
