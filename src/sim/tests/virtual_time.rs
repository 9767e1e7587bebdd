//! What needs no socket: the decision itself, at times that the test chooses.

use super::two_numbers;
use crate::sim::decision::Arrival;
use crate::sim::platform::Platform;
use crate::sim::validate::{self, Endpoint};
use crate::sim::{NumberSpec, SimConfig};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

/// Sends a text at this time; says whether it was accepted.
fn send(platform: &mut Platform, to: u64, at_ns: u64) -> bool {
    let body = super::text(&format!("+{to}"), "x").to_string();
    let posted = validate::read(body.as_bytes(), Endpoint::Messages);
    platform.decide(Arrival { number: 0, at_ns }, posted).status == 200
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_no_sliding_second_is_more_accepted_than_the_limit_and_nothing_is_refused_below_it(
        limit in 1u32..20,
        gaps in prop::collection::vec(0u64..200_000_000, 1..300),
    ) {
        let mut platform = Platform::new(SimConfig::with_numbers([NumberSpec::new("1").with_mps(limit)]));
        let mut accepted: Vec<u64> = Vec::new();
        let mut now = SECOND;
        for (n, gap) in gaps.into_iter().enumerate() {
            now += gap;
            let within = accepted.iter().filter(|at| **at + SECOND > now).count();
            let is_accepted = send(&mut platform, 447_700_900_000 + n as u64, now);
            prop_assert_eq!(is_accepted, within < limit as usize);
            if is_accepted {
                accepted.push(now);
            }
        }
    }
}

#[test]
fn a_scaled_day_frees_places_sooner() {
    let config = SimConfig { messaging_limit: Some(1), time_scale: 86_400.0, ..two_numbers() };
    let mut platform = Platform::new(config);
    let mut template = |to: &str, at_ns| {
        let posted = validate::read(super::template(to, "hello").to_string().as_bytes(), Endpoint::Messages);
        platform.decide(Arrival { number: 0, at_ns }, posted).status == 200
    };
    assert!(template("+447700900001", 0));
    assert!(!template("+447700900002", SECOND - 1));
    assert!(template("+447700900002", SECOND));
}
