//! How long a number rests between two owners.

use std::time::Duration;

use tokio::time::Instant;

use super::super::handover::{Send, shortest_rest};

fn rest(sends: &[(u64, &str, usize)]) -> Option<u128> {
    let start = Instant::now();
    let send = |(ms, number, owner): &(u64, &str, usize)| Send {
        at: start + Duration::from_millis(*ms),
        number: (*number).to_owned(),
        owner: (*owner, 1),
    };
    shortest_rest(sends.iter().map(send).collect()).map(|(rest, _)| rest.as_millis())
}

#[test]
fn only_another_owner_of_the_same_number_counts() {
    assert_eq!(rest(&[(0, "1", 0), (20, "1", 0), (30, "2", 1), (40, "2", 1)]), None);
    assert_eq!(rest(&[(0, "1", 0), (900, "2", 1), (1_008, "1", 1), (1_020, "1", 1)]), Some(1_008));
}

#[test]
fn the_shortest_of_all_is_told_whatever_the_order() {
    assert_eq!(rest(&[(5_000, "1", 0), (0, "1", 0), (1_100, "1", 1), (4_400, "1", 1)]), Some(600));
}
