//! How much is sent, how often it is tried again, and what happens to what nobody can tell.

use std::num::NonZeroU64;
use std::time::Duration;

use super::reader::{Reader, Told};

/// Group `quota`: the messaging limit of a portfolio.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaConfig {
    /// For a portfolio whose limit can't be read from Meta; none: no limit.
    pub limit: Option<NonZeroU64>,
    /// The share that is kept for `urgent` and `high`, 0 to 0.9.
    pub reserve: f64,
    /// Where the count starts: places that something else has used in the last 24 hours.
    pub used_elsewhere: u64,
    /// How long a person who was written to keeps a place.
    pub window: Duration,
}

/// Group `pair`: how often one number writes to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairConfig {
    /// One message in this time; zero: no limit.
    pub interval: Duration,
    /// The longest burst of `normal` jobs.
    pub burst_normal: u32,
    /// The same of `high` ones.
    pub burst_high: u32,
    /// The same of `urgent` ones.
    pub burst_urgent: u32,
}

/// Group `retry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// The longest wait before the second attempt; it doubles from there.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
    /// How many attempts a job has.
    pub attempts: u32,
}

/// Group `unknown`: jobs that may or may not have been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownConfig {
    /// How long a one-time password waits for a webhook to tell.
    pub wait_authentication: Duration,
    /// How long all others wait.
    pub wait_others: Duration,
    /// How long a job of `resend_if_silent` waits while webhooks of others come.
    pub silence: Duration,
}

/// Group `quality`: how much a number gets by its quality rating.
#[derive(Clone, Debug, PartialEq)]
pub struct QualityConfig {
    /// Rated GREEN.
    pub green: f64,
    /// Not rated.
    pub unknown: f64,
    /// Rated YELLOW.
    pub yellow: f64,
    /// Rated RED.
    pub red: f64,
}

impl QuotaConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let limit = reader.read("quota.limit", |text| match text.trim() {
            "none" => Ok(None),
            digits => {
                let limit = digits.parse::<NonZeroU64>();
                limit.map(Some).map_err(|_| "allowed: none, or a number from 1".to_owned())
            }
        });
        let reserve = reader.amount("quota.reserve", 0.0..=0.9);
        let used_elsewhere = reader.amount("quota.used_elsewhere", 0..=1_000_000_000);
        let window = reader.span("quota.window", Duration::from_secs(1)..=Duration::from_secs(86_400));
        Ok(Self { limit: limit?, reserve: reserve?, used_elsewhere: used_elsewhere?, window: window? })
    }
}

impl PairConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let interval = reader.span("pair.interval", Duration::ZERO..=Duration::from_secs(3600));
        // Meta lends 45 at most.
        let mut burst = |priority: &str| reader.amount(&format!("pair.burst_{priority}"), 1..=45);
        let (normal, high, urgent) = (burst("normal"), burst("high"), burst("urgent"));
        Ok(Self { interval: interval?, burst_normal: normal?, burst_high: high?, burst_urgent: urgent? })
    }
}

impl RetryConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let base = reader.span("retry.base", Duration::from_millis(1)..=Duration::from_secs(3600));
        let cap = reader.span("retry.cap", Duration::from_millis(1)..=Duration::from_secs(86_400));
        let attempts = reader.amount("retry.attempts", 1..=100);
        Ok(Self { base: base?, cap: cap?, attempts: attempts? })
    }
}

impl UnknownConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let bounds = Duration::from_millis(100)..=Duration::from_secs(86_400);
        let wait_authentication = reader.span("unknown.wait.authentication", bounds.clone());
        let wait_others = reader.span("unknown.wait.others", bounds.clone());
        let silence = reader.span("unknown.silence", bounds);
        Ok(Self { wait_authentication: wait_authentication?, wait_others: wait_others?, silence: silence? })
    }
}

impl QualityConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let mut weight = |rating: &str| reader.amount(&format!("quality.weights.{rating}"), 0.01..=1.0);
        let (green, unknown, yellow, red) = (weight("green"), weight("unknown"), weight("yellow"), weight("red"));
        Ok(Self { green: green?, unknown: unknown?, yellow: yellow?, red: red? })
    }
}
