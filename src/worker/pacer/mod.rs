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

mod limit;

pub use limit::Limit;

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

    /// The bytes of what started since then left only now: the receiver counts them from here, and so does the window.
    pub fn left(&mut self, since: Mono, now: Mono) {
        for start in self.starts.iter_mut().rev().take_while(|start| **start >= since) {
            *start = now.max(*start);
        }
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

    /// How often of late the receiver counted too many; what is not asked for is not forgiven either.
    pub fn strikes(&self) -> u32 {
        self.strikes
    }

    /// Whether all that was sent within a window is known.
    pub fn knows_its_window(&self, now: Mono) -> bool {
        self.known_from() <= now
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
mod tests;
