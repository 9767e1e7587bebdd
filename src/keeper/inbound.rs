//! How fast people write to each number: Meta counts that against the number's throughput, so whoever sends by it must
//! send that much less. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::job::NumberId;

/// The rate is that of so long; no change is told sooner after the last.
const SPAN: Duration = Duration::from_secs(5);

/// The rates of all numbers that anybody wrote to lately.
#[derive(Debug, Default)]
pub(super) struct InboundRates {
    numbers: BTreeMap<NumberId, Rate>,
}

#[derive(Debug, Default)]
struct Rate {
    arrivals: VecDeque<(Instant, u32)>,
    /// Messages a second, as the workers know it, and since when.
    told: u32,
    told_at: Option<Instant>,
}

impl InboundRates {
    /// What the workers were told by whoever had this duty before.
    pub(super) fn begin(told: impl IntoIterator<Item = (NumberId, u32)>) -> Self {
        let rate = |(number, told)| (number, Rate { told, ..Rate::default() });
        Self { numbers: told.into_iter().map(rate).collect() }
    }

    /// So many messages came for a number.
    pub(super) fn count(&mut self, number: &NumberId, messages: u32, now: Instant) {
        self.numbers.entry(number.clone()).or_default().arrivals.push_back((now, messages));
    }

    /// The rates that changed, to be told now: messages a second, rounded up.
    pub(super) fn changed(&mut self, now: Instant) -> Vec<(NumberId, u32)> {
        let mut changed = Vec::new();
        for (number, rate) in &mut self.numbers {
            while rate.arrivals.front().is_some_and(|(at, _)| now - *at >= SPAN) {
                rate.arrivals.pop_front();
            }
            let messages: u32 = rate.arrivals.iter().map(|(_, messages)| messages).sum();
            let per_second = messages.div_ceil(u32::try_from(SPAN.as_secs()).unwrap_or(1));
            let is_time = rate.told_at.is_none_or(|told_at| now - told_at >= SPAN);
            if per_second != rate.told && is_time {
                (rate.told, rate.told_at) = (per_second, Some(now));
                changed.push((number.clone(), per_second));
            }
        }
        self.numbers.retain(|_, rate| rate.told > 0 || !rate.arrivals.is_empty());
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_told_when_it_changes_and_when_it_is_over_and_seldom_between() {
        let number: NumberId = "1001".parse().expect("an id");
        let (began, mut rates, mut told) = (Instant::now(), InboundRates::default(), Vec::new());
        for tick in 0..400_u64 {
            let now = began + Duration::from_millis(tick * 100);
            if tick < 200 {
                rates.count(&number, 4, now);
            }
            told.extend(rates.changed(now).into_iter().map(|(_, rate)| (tick, rate)));
        }
        // One message makes a rate of one, then it is forty a second, and in the end none.
        assert_eq!(told.first(), Some(&(0, 1)));
        assert!(told.contains(&(50, 40)), "{told:?}");
        assert_eq!(told.last().map(|(_, rate)| *rate), Some(0));
        assert!(told.len() <= 6, "{told:?}");
        assert!(rates.numbers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_keeper_told_is_taken_back_when_nobody_writes() {
        let number: NumberId = "1001".parse().expect("an id");
        let mut rates = InboundRates::begin([(number.clone(), 7)]);
        assert_eq!(rates.changed(Instant::now()), [(number, 0)]);
        assert_eq!(rates.changed(Instant::now()), []);
    }
}
