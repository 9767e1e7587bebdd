//! When messages arrive as fast again as they did.

pub const SECOND: u64 = 1_000_000_000;

/// From `healed` to the first second that holds nine tenths of what a second held before `broken`.
pub fn rate_is_back(arrivals: &[u64], broken: u64, healed: u64) -> Option<u64> {
    const BEFORE: u64 = 2;
    let from = |at: u64| arrivals.partition_point(|arrival| *arrival < at);
    let held = from(broken) - from(broken.saturating_sub(BEFORE * SECOND));
    let wanted = (held * 9).div_ceil(10 * BEFORE as usize).max(1);
    // The first message of such a second is where sending was back.
    let starts = &arrivals[from(healed)..];
    let back = starts
        .iter()
        .enumerate()
        .find(|(place, start)| starts.get(place + wanted - 1).is_some_and(|last| last - *start <= SECOND));
    back.map(|(_, start)| start - healed)
}
