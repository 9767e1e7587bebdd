//! When messages arrive as fast again as they did.

use std::time::Duration;

pub const SECOND: u64 = 1_000_000_000;

/// From `healed` to the first second that holds three quarters of what a second held before `broken`: a busy machine
/// carries more at one time than at another, and refusals for its late requests make workers slower for a while. A
/// number that does not send at all must be looked for apart.
pub fn rate_is_back(arrivals: &[u64], broken: u64, healed: u64) -> Option<u64> {
    const BEFORE: u64 = 2;
    let from = |at: u64| arrivals.partition_point(|arrival| *arrival < at);
    let held = from(broken) - from(broken.saturating_sub(BEFORE * SECOND));
    let wanted = (held * 3).div_ceil(4 * BEFORE as usize).max(1);
    // The first message of such a second is where sending was back.
    let starts = &arrivals[from(healed)..];
    let back = starts
        .iter()
        .enumerate()
        .find(|(place, start)| starts.get(place + wanted - 1).is_some_and(|last| last - *start <= SECOND));
    back.map(|(_, start)| start - healed)
}

/// What a second may be over the limit without a reason: so much of it, or as many as leave together when a late timer
/// is caught up with, at either end of the second.
const TOLERANCE_PER_CENT: usize = 2;
const TOGETHER: usize = 4;
/// What one late turn of a worker may cost each of its numbers in refusals.
const PAIR: usize = 2;
/// So much later than another a request may arrive: the workers' `pacing.margin`, which no second feels.
const MARGIN: Duration = Duration::from_millis(12);
/// So long before a second a stall may have ended of which its first request still came late.
const BEFORE: u64 = SECOND / 20;

/// How long the longest stall was between two moments.
pub type Stalls<'a> = &'a dyn Fn(u64, u64) -> Duration;

/// What a number's arrivals say of its pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The most in a sliding second.
    pub worst: usize,
    /// In the second that was furthest beyond what it may hold: how many, and how many it may.
    pub too_many: Option<(usize, usize)>,
}

/// Looks at every sliding second.
pub fn pace(arrivals: &[u64], limit: usize, stalls: Stalls<'_>) -> Pace {
    let (mut pace, mut first) = (Pace::default(), 0);
    for (last, at) in arrivals.iter().enumerate() {
        while arrivals[first] + SECOND <= *at {
            first += 1;
        }
        let count = last + 1 - first;
        pace.worst = pace.worst.max(count);
        if count > limit {
            let allowed = allowed(limit, stalls(at.saturating_sub(SECOND + BEFORE), *at));
            let excess = |(count, allowed): (usize, usize)| count - allowed;
            if count > allowed && pace.too_many.is_none_or(|found| excess(found) < count - allowed) {
                pace.too_many = Some((count, allowed));
            }
        }
    }
    pace
}

/// How many requests a second may hold, by the longest stall in it. Those that were on their way in the stall arrive
/// after it, together with those that are sent in the second that then begins; but for the margin, which the sender
/// leaves out of each second for this.
fn allowed(limit: usize, stall: Duration) -> usize {
    let tolerance = (limit * TOLERANCE_PER_CENT / 100).max(TOGETHER);
    let held_back = limit as f64 * stall.saturating_sub(MARGIN).as_secs_f64();
    limit + tolerance + held_back.ceil() as usize
}

/// How many of these refusals as too fast no stall explains.
pub fn unexplained(refusals: &[u64], stalls: Stalls<'_>) -> usize {
    let of_itself = |at: &&u64| stalls(at.saturating_sub(SECOND + BEFORE), **at) <= MARGIN;
    refusals.iter().filter(of_itself).count()
}

/// How many of so many requests may be refused without an explanation: one in a hundred. One late turn of a worker may
/// cost each of its numbers a pair.
pub fn allowed_refusals(requests: usize, numbers: usize) -> usize {
    (PAIR * numbers).max(requests / 100)
}
