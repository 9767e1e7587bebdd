//! The pacer as the receiver counts, on virtual time.

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

#[test]
fn a_sender_that_stands_still_between_permit_and_bytes_never_passes_the_limit() {
    let mut rng = SmallRng::seed_from_u64(6);
    let mut pacer = Pacer::new(limit(80), MARGIN, at(0));
    let mut now = at(0);
    let mut arrivals = Vec::new();
    while arrivals.len() < 100_000 {
        match pacer.permit(now) {
            Slot::At(later) => now = later,
            Slot::Now(_) => {
                // One in fifty stands still for up to 200 ms: everything of this worker waits with it.
                let stall = if rng.random_range(0..50) == 0 { rng.random_range(0..200_000_000) } else { 0 };
                let started = now;
                now = now + Duration::from_nanos(stall);
                pacer.left(started, now);
                arrivals.push(now.as_nanos() + rng.random_range(0..8_000_000));
            }
        }
    }
    assert!(worst_second(arrivals) <= 80);
}
