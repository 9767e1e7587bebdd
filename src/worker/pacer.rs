//! A number's pace: when its next send may start, so that the receiver never counts more than the limit.
//!
//! Two gates in a row. governor's bucket spaces the sends; alone it lets up to twice the limit into a second that
//! straddles its refill. Behind it, the starts of the last window are remembered, and a start is allowed only while
//! fewer than the limit lie within one period plus a margin for the network's jitter. That makes it exact.

use std::cell::Cell;
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::Mono;

/// How far the bucket may catch up after a late timer.
const CATCH_UP: Duration = Duration::from_millis(25);
/// With a burst of one, every late timer is lost time: 20/s would come to 19.6/s. The window keeps the limit anyway.
const LEAST_BURST: NonZeroU32 = NonZeroU32::new(2).expect("not zero");
/// How much the margin grows when the receiver still counted too many.
const MARGIN_STEP: Duration = Duration::from_millis(8);
/// How often the margin grows before the rate falls.
const MARGIN_STEPS: u32 = 2;
/// The rate is cut at most so often: four fifths to the power of eight is a sixth.
const MOST_STRIKES: u32 = MARGIN_STEPS + 8;
/// How long until one strike is forgotten: six of them are gone within a minute.
const FORGIVE: Duration = Duration::from_secs(10);
/// Refusals that come together are one strike.
const TOGETHER: Duration = Duration::from_secs(1);

/// So many sends in any period of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub count: NonZeroU32,
    /// In how long.
    pub period: Duration,
}

impl Limit {
    /// So many in any second.
    pub const fn per_second(count: NonZeroU32) -> Self {
        Self { count, period: Duration::from_secs(1) }
    }

    /// The same less what others use of it, so many a second; one send is always left.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of messages is small and positive"
    )]
    pub fn less(&self, per_second: u32) -> Self {
        let used = (f64::from(per_second) * self.period.as_secs_f64()).ceil() as u32;
        let left = NonZeroU32::new(self.count.get().saturating_sub(used)).unwrap_or(NonZeroU32::MIN);
        Self { count: left, period: self.period }
    }

    /// How many may start within `span` in the long run.
    pub fn within(&self, span: Duration) -> f64 {
        f64::from(self.count.get()) * span.as_secs_f64() / self.period.as_secs_f64()
    }
}

/// One send may start, at this moment. Lost if it is dropped: that sends less, never more.
#[derive(Debug)]
#[must_use = "a permit that is not used is a send that never was"]
pub struct Permit {
    at: Mono,
}

impl Permit {
    /// When it was given; the bytes must leave within the write deadline from here.
    pub fn at(&self) -> Mono {
        self.at
    }
}

/// The answer to «may one start now?».
#[derive(Debug)]
pub enum Slot {
    /// Yes, and the slot is taken.
    Now(Permit),
    /// Not before this moment.
    At(Mono),
}

/// governor's clock, set by hand before each question.
#[derive(Clone, Debug)]
struct Hand(Rc<Cell<u64>>);

impl Clock for Hand {
    type Instant = Nanos;
    fn now(&self) -> Nanos {
        Nanos::from(self.0.get())
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Hand, NoOpMiddleware<Nanos>>;

/// Gives a number's permits. A change of its limit keeps what it remembers.
#[derive(Debug)]
pub struct Pacer {
    limit: Limit,
    /// The limit less what strikes took.
    effective: Limit,
    margin: Duration,
    strikes: u32,
    strike_at: Mono,
    hand: Hand,
    bucket: Bucket,
    bucket_ready: Mono,
    /// What was sent before this moment is not known: the window counts as full up to here, whatever the limit.
    unknown_before: Mono,
    /// Starts of the last window, oldest first: no more than the highest limit of that window.
    starts: VecDeque<Mono>,
}

impl Pacer {
    /// A new owner knows nothing of the last one's sends, so the window begins full.
    pub fn new(limit: Limit, margin: Duration, now: Mono) -> Self {
        let hand = Hand(Rc::new(Cell::new(now.as_nanos())));
        let bucket = bucket(limit, spaced(limit, limit.period + margin), &hand);
        Self {
            limit,
            effective: limit,
            margin,
            strikes: 0,
            strike_at: now,
            hand,
            bucket,
            bucket_ready: now + spaced(limit, limit.period + margin),
            unknown_before: now,
            starts: VecDeque::new(),
        }
    }

    /// Another may have sent up to this moment.
    pub fn take_over(&mut self, now: Mono) {
        self.unknown_before = now;
    }

    /// The limit that it keeps to, before any strike.
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// The limit after strikes: what it really sends at.
    pub fn effective(&self) -> Limit {
        self.effective
    }

    /// Takes one slot if one is free.
    pub fn permit(&mut self, now: Mono) -> Slot {
        self.forgive(now);
        let free_at = self.window_free_at(now, 0);
        if free_at > now {
            return Slot::At(free_at);
        }
        self.hand.0.set(now.as_nanos());
        if let Err(not_until) = self.bucket.check() {
            self.bucket_ready = Mono::from_nanos(not_until.earliest_possible().as_u64()).max(now);
            return Slot::At(self.bucket_ready);
        }
        self.bucket_ready = now;
        self.forget_starts_before(now);
        self.starts.push_back(now);
        Slot::Now(Permit { at: now })
    }

    /// When the slot after `ahead` others will be free, as far as is known now.
    pub fn due_at(&self, ahead: usize, now: Mono) -> Mono {
        let gap = self.gap() * u32::try_from(ahead).unwrap_or(u32::MAX);
        let spaced = self.bucket_ready.max(now).max(self.known_from()) + gap;
        self.window_free_at(now, ahead).max(spaced)
    }

    /// How many started within the last `span`.
    pub fn started_within(&self, span: Duration, now: Mono) -> usize {
        self.starts.iter().rev().take_while(|start| now.since(**start) < span).count()
    }

    /// How many could start now, one after the other.
    pub fn free(&self, now: Mono) -> usize {
        let window = self.window();
        if self.unknown_before + window > now {
            return 0;
        }
        let within = self.starts.iter().rev().take_while(|start| now.since(**start) < window).count();
        (self.effective.count.get() as usize).saturating_sub(within)
    }

    /// Another limit from now on. What was sent stays remembered, so there is no burst.
    pub fn retune(&mut self, limit: Limit, now: Mono) {
        if limit == self.limit {
            return;
        }
        self.limit = limit;
        self.refill(now);
    }

    /// The receiver counted too many: first a wider margin, then a lower rate.
    pub fn strike(&mut self, now: Mono) {
        if self.strikes > 0 && now.since(self.strike_at) < TOGETHER {
            return;
        }
        self.strikes = (self.strikes + 1).min(MOST_STRIKES);
        self.strike_at = now;
        self.refill(now);
    }

    fn forgive(&mut self, now: Mono) {
        if self.strikes == 0 || now.since(self.strike_at) < FORGIVE {
            return;
        }
        self.strikes -= 1;
        self.strike_at = now;
        self.refill(now);
    }

    /// A new bucket begins empty, so that a change of rate is no burst and a strike no extra send.
    fn refill(&mut self, now: Mono) {
        let cuts = self.strikes.saturating_sub(MARGIN_STEPS);
        let count = f64::from(self.limit.count.get()) * 0.8_f64.powi(i32::try_from(cuts).unwrap_or(0));
        let count = NonZeroU32::new(count as u32).unwrap_or(NonZeroU32::MIN);
        self.effective = Limit { count, period: self.limit.period };
        self.hand.0.set(now.as_nanos());
        self.bucket = bucket(self.effective, self.gap(), &self.hand);
        self.bucket_ready = now + self.gap();
    }

    fn gap(&self) -> Duration {
        spaced(self.effective, self.window())
    }

    fn forget_starts_before(&mut self, now: Mono) {
        let window = self.window();
        while self.starts.front().is_some_and(|oldest| *oldest + window <= now) {
            self.starts.pop_front();
        }
    }

    fn window(&self) -> Duration {
        self.limit.period + self.margin + MARGIN_STEP * self.strikes.min(MARGIN_STEPS)
    }

    /// When everything sent within a window is known.
    fn known_from(&self) -> Mono {
        self.unknown_before + self.window()
    }

    /// When the window has room for one more after `ahead` others.
    fn window_free_at(&self, now: Mono, ahead: usize) -> Mono {
        let now = now.max(self.known_from());
        let limit = self.effective.count.get() as usize;
        let window = self.window();
        // The start that must have left the window: the limit-th last, counting those ahead as started.
        match (self.starts.len() + ahead).checked_sub(limit) {
            Some(leaving) if leaving < self.starts.len() => (self.starts[leaving] + window).max(now),
            Some(_) => now + window,
            None => now,
        }
    }
}

/// Sends spread evenly over a whole window: spaced by the limit's own period they would come to the window's end too
/// early, wait there, and go on in a burst.
fn spaced(limit: Limit, window: Duration) -> Duration {
    window / limit.count.get()
}

fn bucket(limit: Limit, gap: Duration, hand: &Hand) -> Bucket {
    let burst = NonZeroU32::new(limit.within(CATCH_UP) as u32).unwrap_or(LEAST_BURST).max(LEAST_BURST);
    let quota = Quota::with_period(gap.max(Duration::from_nanos(1))).expect("the gap is not zero").allow_burst(burst);
    let bucket = RateLimiter::direct_with_clock(quota, hand.clone());
    let _taken = bucket.check_n(burst);
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    const MARGIN: Duration = Duration::from_millis(8);

    fn limit(count: u32) -> Limit {
        Limit::per_second(NonZeroU32::new(count).expect("not zero"))
    }

    fn at(ms: u64) -> Mono {
        Mono::from_nanos(ms * 1_000_000)
    }

    /// Most arrivals in any half-open second.
    fn worst_second(mut arrivals: Vec<u64>) -> usize {
        arrivals.sort_unstable();
        let mut first = 0;
        let mut worst = 0;
        for (last, arrival) in arrivals.iter().enumerate() {
            while arrival - arrivals[first] >= 1_000_000_000 {
                first += 1;
            }
            worst = worst.max(last - first + 1);
        }
        worst
    }

    /// Starts of a pacer that always has work, with a timer that is late by up to 2 ms.
    fn starts(pacer: &mut Pacer, from: Mono, count: usize, rng: &mut SmallRng) -> Vec<Mono> {
        let mut now = from;
        let mut starts = Vec::with_capacity(count);
        while starts.len() < count {
            match pacer.permit(now) {
                Slot::Now(permit) => starts.push(permit.at()),
                Slot::At(t) => now = t + Duration::from_nanos(rng.random_range(0..2_000_000)),
            }
        }
        starts
    }

    #[test]
    fn what_people_use_of_a_limit_is_not_ours() {
        let level = |count| Limit::per_second(NonZeroU32::new(count).expect("not zero"));
        assert_eq!(level(80).less(0), level(80));
        assert_eq!(level(80).less(30), level(50));
        assert_eq!(level(20).less(20), level(1));
        let slow = Limit { period: Duration::from_secs(60), ..level(300) };
        assert_eq!(slow.less(2).count.get(), 180);
    }

    #[test]
    fn a_million_sends_never_pass_the_limit_at_the_receiver_and_reach_985_per_mille_of_it() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut pacer = Pacer::new(limit(80), MARGIN, at(0));
        let starts = starts(&mut pacer, at(0), 1_000_000, &mut rng);
        let took = starts[starts.len() - 1].since(starts[0]).as_secs_f64();
        let rate = (starts.len() - 1) as f64 / took;
        let arrivals = starts.iter().map(|t| t.as_nanos() + rng.random_range(0..8_000_000)).collect();
        assert_eq!(worst_second(arrivals), 80);
        assert!(rate >= 78.8, "{rate}/s");
    }

    #[test]
    fn every_limit_is_kept_and_reached() {
        for count in [1, 2, 5, 20, 79, 1_000] {
            let mut rng = SmallRng::seed_from_u64(u64::from(count));
            let mut pacer = Pacer::new(limit(count), MARGIN, at(0));
            let starts = starts(&mut pacer, at(0), count as usize * 60, &mut rng);
            let rate = (starts.len() - 1) as f64 / starts[starts.len() - 1].since(starts[0]).as_secs_f64();
            let arrivals = starts.iter().map(|t| t.as_nanos() + rng.random_range(0..8_000_000)).collect();
            assert!(worst_second(arrivals) <= count as usize, "limit {count}");
            assert!(rate >= f64::from(count) * 0.985, "{rate}/s of {count}");
        }
    }

    #[test]
    fn a_new_owner_waits_for_a_whole_window() {
        let mut pacer = Pacer::new(limit(80), MARGIN, at(500));
        let Slot::At(first) = pacer.permit(at(500)) else { panic!("the window begins full") };
        assert_eq!(first, at(1_508));
    }

    #[test]
    fn a_change_of_limit_is_no_burst() {
        let mut rng = SmallRng::seed_from_u64(3);
        let mut pacer = Pacer::new(limit(80), MARGIN, at(0));
        let mut all = Vec::new();
        let mut now = at(0);
        for (round, count) in [80_u32, 1_000, 20, 80, 1_000, 80].into_iter().enumerate() {
            pacer.retune(limit(count), now);
            let from = now;
            let sent = starts(&mut pacer, now, 300, &mut rng);
            now = sent[sent.len() - 1];
            let reached = if round == 0 { from + Duration::from_secs(1) } else { from };
            let seconds = now.since(reached).as_secs_f64();
            // Never faster than the limit in force, but for the catch-up of a late timer.
            assert!(300.0 <= f64::from(count) * (seconds + 0.1) + 1.0, "round {round}: {seconds} s at {count}/s");
            all.extend(sent.iter().map(|t| t.as_nanos()));
        }
        assert!(worst_second(all) <= 1_000);
    }

    #[test]
    fn strikes_widen_the_margin_then_cut_the_rate_and_are_forgotten_within_a_minute() {
        let mut pacer = Pacer::new(limit(80), MARGIN, at(0));
        for second in 0..3 {
            pacer.strike(at(2_000 + second * 1_500));
        }
        assert_eq!(pacer.effective().count.get(), 64);
        pacer.strike(at(5_100));
        assert_eq!(pacer.effective().count.get(), 64, "refusals that come together are one strike");
        let mut rng = SmallRng::seed_from_u64(4);
        let _ = starts(&mut pacer, at(5_100), 80 * 60, &mut rng);
        assert_eq!(pacer.effective().count.get(), 80);
    }

    #[test]
    fn what_is_due_ahead_is_what_then_happens() {
        let mut rng = SmallRng::seed_from_u64(5);
        let mut pacer = Pacer::new(limit(80), MARGIN, at(0));
        let sent = starts(&mut pacer, at(0), 200, &mut rng);
        let now = sent[sent.len() - 1];
        let expected: Vec<Mono> = (0..5).map(|ahead| pacer.due_at(ahead, now)).collect();
        let mut t = now;
        for expected in expected {
            let start = loop {
                match pacer.permit(t) {
                    Slot::Now(permit) => break permit.at(),
                    Slot::At(next) => t = next,
                }
            };
            let off = start.since(expected).max(expected.since(start));
            assert!(off <= Duration::from_millis(26), "expected {expected:?}, was {start:?}");
        }
    }
}
