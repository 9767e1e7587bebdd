//! When sending is back as it was.

use super::super::rate::{SECOND, rate_is_back};

/// So many arrivals a second, from one moment to another.
fn steady(rate: u64, seconds: std::ops::Range<u64>) -> Vec<u64> {
    (seconds.start * rate..seconds.end * rate).map(|n| n * SECOND / rate).collect()
}

#[test]
fn the_rate_is_back_when_a_second_holds_as_much_again() {
    let mut arrivals = steady(100, 0..10);
    arrivals.extend(steady(20, 15..18));
    arrivals.extend(steady(100, 18..21));
    let back = rate_is_back(&arrivals, 10 * SECOND, 14 * SECOND).expect("it comes back");
    assert!((3_800_000_000..=4_000_000_000).contains(&back), "{back}");
    assert_eq!(rate_is_back(&arrivals, 10 * SECOND, 20 * SECOND + SECOND / 2), None);
}
