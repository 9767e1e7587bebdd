//! What stalls of the machine come to.

use std::time::Duration;

use tokio::time::Instant;

use super::super::stall::{Stall, Stalled, Watch, sum};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn only_what_reaches_into_the_time_counts_and_only_long_ones_add_up() {
    let start = Instant::now();
    let stall = |(from, late)| Stall { from: start + ms(from), late: ms(late) };
    let noted = [(0, 500), (1_000, 90), (1_200, 150), (1_900, 300), (1_950, 200), (3_000, 900)].map(stall);
    let within = |from, to| sum(&noted, start + ms(from), start + ms(to));
    assert_eq!(within(1_000, 2_000), Stalled { longest: ms(300), long_ones: ms(450) });
    assert_eq!(within(400, 1_100), Stalled { longest: ms(500), long_ones: ms(500) });
    assert_eq!(within(500, 1_200), Stalled { longest: ms(90), long_ones: ms(0) });
}

#[test]
fn a_watch_saw_nothing_before_it_began_and_ends_with_its_owner() {
    let before = Instant::now();
    let watch = Watch::start().expect("a thread");
    assert_eq!(watch.between(before, before), Stalled::default());
}
