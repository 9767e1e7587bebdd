//! Storms: every seed is a run in which everything may go wrong, and after which nothing may be lost or doubled.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::judge;
use super::plan::Plan;
use super::world::World;

/// So many seeds unless `TIDEGATE_SEEDS` says another number.
const SEEDS: u64 = 600;
/// The seeds are spread over so many tests, which run side by side.
const TESTS: u64 = 4;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn run(seed: u64, tracing: bool) -> World {
    let mut world = World::new(Plan::stormy(seed), tracing);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        world.run();
        judge::end(&world);
    }));
    if let Err(panic) = outcome {
        for line in world.last_words() {
            eprintln!("{line}");
        }
        eprintln!("seed {seed} fails; it replays by\n  TIDEGATE_SEED={seed} cargo test --lib storms::part_0");
        resume_unwind(panic);
    }
    world
}

/// Runs a share of the seeds, or the one that `TIDEGATE_SEED` names.
fn part(part: u64) {
    if let Some(seed) = setting("TIDEGATE_SEED") {
        if part == 0 {
            run(seed, true);
        }
        return;
    }
    let seeds = setting("TIDEGATE_SEEDS").unwrap_or(SEEDS);
    let (mut deaths, mut sent) = (0, 0);
    for seed in (part..seeds).step_by(usize::try_from(TESTS).expect("small")) {
        let world = run(seed, false);
        deaths += world.deaths;
        sent += world.meta.log.len();
    }
    assert!(deaths > 0 || seeds < 100, "no worker was ever killed");
    assert!(sent as u64 > seeds * 10, "hardly anything was sent");
}

#[test]
fn part_0_nothing_is_lost_or_doubled_and_no_limit_is_passed() {
    part(0);
}

#[test]
fn part_1_nothing_is_lost_or_doubled_and_no_limit_is_passed() {
    part(1);
}

#[test]
fn part_2_nothing_is_lost_or_doubled_and_no_limit_is_passed() {
    part(2);
}

#[test]
fn part_3_nothing_is_lost_or_doubled_and_no_limit_is_passed() {
    part(3);
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    for seed in [3, 14, 15] {
        let (first, second) = (run(seed, false), run(seed, false));
        assert_eq!(first.fingerprint, second.fingerprint);
        assert_eq!(first.meta.log.len(), second.meta.log.len());
    }
}
