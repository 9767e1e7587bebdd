//! The series of one number.

use prometheus::Registry;

use super::bound::bound;
use super::kinds::{Counters, Gauge, Gauges, Histogram, Kind, Mark, Refusals, seconds};
use super::labels::{Answer, Rating};
use crate::clock::Timestamp;
use crate::outcome::Reason;

/// Where Meta's answer turns from usual (under 300 ms) to slow; 15 s is the deadline of the whole request.
const SEND: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];
/// How long an admitted job stood for its permit; 12.5 ms is one permit at 80/s, 50 ms how far ahead is admitted.
const TOKEN_WAIT: &[f64] = &[0.001, 0.002_5, 0.005, 0.012_5, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What is registered once, for all numbers.
#[derive(Debug)]
pub(super) struct NumberFamilies {
    info: <Gauge as Kind>::Family,
    each: Families,
}

impl NumberFamilies {
    pub(super) fn register(registry: &Registry) -> Self {
        let info = "Is 1 for each number and pool that it sends for.";
        Self {
            info: Gauge::family(registry, "tidegate_number_info", info, &["number", "pool"], &[]),
            each: Families::register(registry),
        }
    }

    pub(super) fn bind(&self, display: &str, pool: &str) -> NumberMetrics {
        Gauge::bind(&self.info, &[display, pool]).set(1.0);
        self.each.bind(&[display])
    }
}

bound! {
    /// What each number has.
    Families,
    /// The series of one number, bound: telling them something looks nothing up.
    NumberMetrics of ["number"];

    /// Attempts by this number, by what they came to.
    attempts: Counters<Answer> = "tidegate_send_attempts_total";
    /// Time from the permit to Meta's whole answer.
    duration: Histogram = "tidegate_send_duration_seconds", SEND;
    /// Requests that have left and are not answered yet.
    in_flight: Gauge = "tidegate_send_in_flight";
    /// Meta's refusals, by its code and our reason for it.
    refused: Refusals = "tidegate_send_errors_total";
    /// Permits that could be taken at once.
    tokens: Gauge = "tidegate_tokens_available";
    /// How many messages a second this number may send.
    rate_limit: Gauge = "tidegate_rate_limit_per_second";
    /// Time an admitted job stood for its permit.
    token_wait: Histogram = "tidegate_token_wait_seconds", TOKEN_WAIT;
    /// Is 1 for the rating that Meta gives this number's quality.
    quality: Gauges<Rating> = "tidegate_number_quality";
    /// Is 1 for the reason why this number may not send just now; no series while it may.
    paused: Mark<Reason> = "tidegate_number_paused";
    /// What part of its pool's messages this number is meant to take.
    share: Gauge = "tidegate_balance_share_ratio";
    /// Is 1 while this worker holds the number's lease.
    lease_held: Gauge = "tidegate_lease_held";
    /// When this worker's lease of the number runs out, unless renewed; 0 while it has none.
    lease_expires: Gauge = "tidegate_lease_expires_timestamp_seconds";
}

impl NumberMetrics {
    /// The number is this worker's until then; none: it is not.
    pub fn leased_until(&self, until: Option<Timestamp>) {
        self.lease_held.set(if until.is_some() { 1.0 } else { 0.0 });
        self.lease_expires.set(until.map_or(0.0, seconds));
    }
}
