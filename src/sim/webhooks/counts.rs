//! What became of the webhooks, in numbers.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// All counts of the webhooks. An *update* is one status, message or event; a *POST* carries one or more.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WebhookCounts {
    /// Updates planned, each once, by what they tell: `sent`, `delivered`, `read`, `failed`, `message`, an event's
    /// field such as `account_update`, or `raw`.
    pub planned: BTreeMap<&'static str, u64>,
    /// Updates planned a second time, as repeats.
    pub repeats: u64,
    /// Messages of which two statuses were put in the wrong order.
    pub disordered: u64,
    /// Updates that found no room and were never posted.
    pub dropped: u64,
    /// POSTs made, retries included.
    pub posted: u64,
    /// POSTs answered with 200.
    pub acknowledged: u64,
    /// POSTs answered otherwise, or not at all.
    pub refused: u64,
    /// POSTs that were a retry.
    pub retried: u64,
    /// POSTs given up after their last retry.
    pub given_up: u64,
    /// Updates in acknowledged POSTs, repeats included, by what they tell.
    pub acknowledged_updates: BTreeMap<&'static str, u64>,
    /// Updates in POSTs that were given up.
    pub given_up_updates: u64,
    /// The most updates that one POST carried.
    pub largest_post: usize,
    /// Updates that are not yet due, under way, or between two tries.
    pub waiting: usize,
    /// How long the receiver took for its answers, whatever they said.
    pub answers: AnswerTimes,
}

/// How long answers took. Accurate to a twentieth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct AnswerTimes {
    /// Answers measured.
    pub count: u64,
    /// Half of them were faster. Meta wants 250 ms or less.
    pub median_ms: f64,
    /// One in a hundred was slower.
    pub p99_ms: f64,
    /// The slowest.
    pub longest_ms: f64,
    /// The share that took more than a second. Meta wants less than 0.01.
    pub share_over_one_second: f64,
}

/// Buckets in which the length of time doubles.
const BUCKETS_PER_OCTAVE: f64 = 16.0;
/// From a microsecond to an hour.
const BUCKETS: usize = 512;

/// A histogram of lengths of time.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: [u64; BUCKETS],
    count: u64,
    over_one_second: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], count: 0, over_one_second: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    pub(super) fn note(&mut self, took: Duration) {
        let microseconds = took.as_secs_f64() * 1e6;
        let bucket = (microseconds.max(1.0).log2() * BUCKETS_PER_OCTAVE) as usize;
        self.buckets[bucket.min(BUCKETS - 1)] += 1;
        self.count += 1;
        self.over_one_second += u64::from(took > Duration::from_secs(1));
        self.longest = self.longest.max(took);
    }

    /// So many milliseconds that this share took no longer.
    fn quantile_ms(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        let upper_ms = bucket.map_or(0.0, |bucket| ((bucket + 1) as f64 / BUCKETS_PER_OCTAVE).exp2() / 1e3);
        upper_ms.min(self.longest.as_secs_f64() * 1e3)
    }

    pub(super) fn summary(&self) -> AnswerTimes {
        AnswerTimes {
            count: self.count,
            median_ms: self.quantile_ms(0.5),
            p99_ms: self.quantile_ms(0.99),
            longest_ms: self.longest.as_secs_f64() * 1e3,
            share_over_one_second: self.over_one_second as f64 / self.count.max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_knows_its_median_its_tail_and_its_longest() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|ms| histogram.note(Duration::from_millis(ms)));
        histogram.note(Duration::from_secs(3));
        let summary = histogram.summary();
        assert_eq!((summary.count, summary.longest_ms), (1_001, 3_000.0));
        assert!((475.0..525.0).contains(&summary.median_ms), "{summary:?}");
        assert!((940.0..1_040.0).contains(&summary.p99_ms), "{summary:?}");
        assert!((summary.share_over_one_second * 1_001.0 - 1.0).abs() < 1e-9);
        assert_eq!(Histogram::default().summary(), AnswerTimes::default());
    }
}
