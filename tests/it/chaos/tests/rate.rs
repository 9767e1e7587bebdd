//! When sending is back as it was.

use std::time::Duration;

use super::super::rate::{Pace, SECOND, allowed_refusals, pace, rate_is_back, unexplained};

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
    assert!((3_600_000_000..=3_800_000_000).contains(&back), "{back}");
    assert_eq!(rate_is_back(&arrivals, 10 * SECOND, 20 * SECOND + SECOND / 2), None);
}

fn no_stall(_: u64, _: u64) -> Duration {
    Duration::ZERO
}

#[test]
fn a_second_holds_the_limit_and_one_in_fifty_or_four_more() {
    let arrivals = steady(100, 0..3);
    assert_eq!(pace(&arrivals, 100, &no_stall), Pace { worst: 100, too_many: None });
    assert_eq!(pace(&arrivals, 96, &no_stall), Pace { worst: 100, too_many: None });
    assert_eq!(pace(&arrivals, 95, &no_stall).too_many, Some((100, 99)));
    let arrivals = steady(1_020, 0..3);
    assert_eq!(pace(&arrivals, 1_000, &no_stall), Pace { worst: 1_020, too_many: None });
    assert_eq!(pace(&arrivals, 999, &no_stall).too_many, Some((1_020, 1_018)));
}

#[test]
fn a_stall_explains_what_it_held_back_in_its_own_second_only() {
    // Ten of the second before arrive with its end.
    let mut arrivals = steady(100, 0..1);
    arrivals.iter_mut().filter(|at| **at > SECOND - SECOND / 10).for_each(|at| *at = SECOND);
    arrivals.extend(steady(100, 1..5));
    let stall_at =
        |when: u64| move |from: u64, to: u64| Duration::from_millis(if (from..to).contains(&when) { 100 } else { 0 });
    assert_eq!(pace(&arrivals, 100, &stall_at(SECOND)), Pace { worst: 109, too_many: None });
    assert_eq!(pace(&arrivals, 100, &stall_at(3 * SECOND)).too_many, Some((109, 104)));
    let refusals = [SECOND + 5, 2 * SECOND, 4 * SECOND];
    assert_eq!(unexplained(&refusals, &stall_at(SECOND)), 1);
}

#[test]
fn one_refusal_in_a_hundred_needs_no_explanation() {
    assert_eq!((allowed_refusals(100, 1), allowed_refusals(100, 8), allowed_refusals(6_100, 8)), (2, 16, 61));
}
