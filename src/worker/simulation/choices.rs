//! Which number a job goes by, as distributions: by quality and own health, whatever stands in a number's way, and the
//! pool's whole limit when that is what is asked of it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::hold::{Cover, Hold, Scope};
use crate::job::Priority;

use super::drive::Drive;
use super::making::{Draft, at, hold, ms};
use super::shares::assert_shares;

const GREEN: f64 = 1.0;
const YELLOW: f64 = 0.5;
const RED: f64 = 0.1;

fn job() -> Draft {
    Draft::of(0, Priority::Normal)
}

/// By chance, the same in every run: three answers in ten of the third number speak against it.
fn third_fails_three_in_ten(number: usize, n: u64) -> Option<bool> {
    let drawn = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n << 7)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
    Some(number == 2 && drawn % 10 < 3)
}

/// Five numbers of 80/s: two GREEN, one that fails three times in ten, one that turns YELLOW and one that turns RED.
fn five() -> Drive {
    let mut drive = Drive::new(&[(0, 80); 5], ms(50));
    drive.fault = third_fails_three_in_ten;
    drive.stand_at(ms(20_000), 3, YELLOW);
    drive.stand_at(ms(20_000), 4, RED);
    drive
}

#[test]
fn two_green_and_one_yellow_share_two_to_two_to_one_at_half_load() {
    for random in [false, true] {
        let mut drive = Drive::new(&[(0, 80); 3], ms(50));
        drive.stand_at(ms(0), 2, YELLOW);
        let push = if random { Drive::push_randomly } else { Drive::push_evenly };
        push(&mut drive, &job(), 120, ms(1_100), ms(61_000));
        drive.run(ms(61_000));
        assert_shares(&drive.counts(ms(2_000), ms(61_000)), &[GREEN, GREEN, YELLOW]);
    }
}

#[test]
fn a_restricted_number_gets_nothing_and_the_others_all_of_it() {
    let mut drive = Drive::new(&[(0, 80); 3], ms(50));
    drive.restrict_at(ms(10_000), 1);
    drive.stand_at(ms(30_000), 1, GREEN);
    drive.push_randomly(&job(), 120, ms(1_100), ms(50_000));
    drive.run(ms(50_000));
    assert_shares(&drive.counts(ms(2_000), ms(10_000)), &[1.0, 1.0, 1.0]);
    // Nothing at all: the last look stops what was admitted before.
    assert_shares(&drive.counts(ms(10_001), ms(30_000)), &[1.0, 0.0, 1.0]);
    assert_eq!(drive.counts(ms(10_001), ms(30_000))[1], 0.0);
    assert_shares(&drive.counts(ms(30_500), ms(50_000)), &[1.0, 1.0, 1.0]);
}

#[test]
fn beside_a_saturated_number_the_others_take_the_rest_and_the_pool_its_whole_limit() {
    // Its share would be 44/s: it stays full, and the others have 90/s between them.
    let mut drive = Drive::new(&[(0, 20), (0, 80), (0, 80)], ms(50));
    drive.stand_at(ms(0), 2, YELLOW);
    drive.push_randomly(&job(), 110, ms(1_100), ms(61_000));
    drive.run(ms(61_000));
    let counts = drive.counts(ms(2_000), ms(61_000));
    assert!(counts[0] >= 20.0 * 59.0 * 0.95, "{counts:?}");
    assert_shares(&counts[1..], &[GREEN, YELLOW]);

    let mut drive = Drive::new(&[(0, 20), (0, 80), (0, 80)], ms(50));
    drive.stand_at(ms(0), 2, YELLOW);
    drive.push_at(ms(0), job(), 12_000);
    drive.run(ms(61_000));
    let all: f64 = drive.counts(ms(1_100), ms(61_000)).iter().sum();
    assert!(all >= 180.0 * 59.9 * 0.985, "{all}");
}

#[test]
fn a_pool_of_five_shares_by_quality_and_health_at_half_load() {
    let mut drive = five();
    drive.push_randomly(&job(), 200, ms(1_100), ms(140_000));
    drive.run(ms(140_000));
    assert_shares(&drive.counts(ms(4_000), ms(20_000)), &[1.0, 1.0, 0.7, 1.0, 1.0]);
    assert_shares(&drive.counts(ms(20_000), ms(140_000)), &[GREEN, GREEN, 0.7, YELLOW, RED]);
    assert_eq!(drive.rests, [], "a number that mostly sends is not rested");
}

#[test]
fn a_number_that_fails_three_times_in_ten_neither_starves_nor_swings() {
    let mut drive = five();
    drive.push_randomly(&job(), 200, ms(1_100), ms(140_000));
    drive.run(ms(140_000));
    for from in (25_000..135_000).step_by(5_000) {
        let counts = drive.counts(ms(from), ms(from + 5_000));
        let share = counts[2] / counts.iter().sum::<f64>();
        assert!((0.15..0.28).contains(&share), "{share:.3} in the five seconds from {from} ms");
    }
}

#[test]
fn a_pool_of_five_sends_at_its_whole_limit_whatever_its_numbers_weigh() {
    let mut drive = five();
    drive.push_at(ms(0), job(), 400 * 62);
    drive.run(ms(61_000));
    for (from, to) in [(2_000, 20_000), (20_000, 61_000)] {
        let counts = drive.counts(ms(from), ms(to));
        let seconds = (to - from) as f64 / 1_000.0;
        for (number, count) in counts.iter().enumerate() {
            assert!(*count >= 80.0 * seconds * 0.985, "number {number}: {count} in {seconds} s");
        }
    }
}

#[test]
fn a_number_that_only_fails_rests_longer_each_time_and_is_tried_once_in_between() {
    let mut drive = Drive::new(&[(0, 80); 3], ms(50));
    drive.fault = |number, n| Some(number == 1 && n > 200);
    drive.push_randomly(&job(), 120, ms(1_100), ms(300_000));
    drive.run(ms(300_000));
    let rests: Vec<Duration> = drive.rests.iter().map(|(at, _)| *at).collect();
    assert!(drive.rests.iter().all(|(_, number)| *number == 1), "{:?}", drive.rests);
    let gaps: Vec<u64> = rests.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(gaps[..3], [30, 60, 90], "{gaps:?}");
    let after = drive.counts(rests[0] + ms(100), ms(300_000));
    assert_eq!(after[1] as usize, rests.len() - 1, "one try at the end of each rest");
    assert_shares(&[after[0], after[2]], &[1.0, 1.0]);
}

#[test]
fn when_all_numbers_of_a_pool_fail_the_last_takes_breaths_and_finds_out_within_a_second_that_it_is_over() {
    let mut drive = Drive::new(&[(0, 80); 3], ms(50));
    drive.fault = |_, n| Some((200..260).contains(&n));
    drive.push_randomly(&job(), 120, ms(1_100), ms(120_000));
    drive.run(ms(120_000));
    let numbers: BTreeSet<usize> = drive.rests.iter().map(|(_, number)| *number).collect();
    assert!(numbers.len() >= 2, "{:?}", drive.rests);
    for from in (2_000..118_000).step_by(1_100) {
        let sent: f64 = drive.counts(ms(from), ms(from + 1_100)).iter().sum();
        assert!(sent >= 1.0, "nobody sends for a second from {from} ms: {:?}", drive.rests);
    }
}

#[test]
fn the_same_jobs_in_the_same_state_go_by_the_same_numbers_in_the_same_order() {
    let run = || {
        let mut drive = five();
        for priority in Priority::ALL {
            drive.push_randomly(&Draft::of(0, *priority), 30 + priority.index() as u32, ms(1_100), ms(40_000));
        }
        drive.run(ms(40_000));
        drive.log
    };
    assert_eq!(run(), run());
}

/// Two businesses in one pool: of four numbers of 80/s the first and the last are A's, the second and a YELLOW one B's.
fn two_portfolios() -> Drive {
    let mut drive = Drive::new(&[(0, 80); 4], ms(50));
    drive.stand_at(ms(0), 2, YELLOW);
    for (number, portfolio) in ["A", "B", "B", "A"].iter().enumerate() {
        drive.belongs(number, portfolio);
    }
    drive
}

fn at_limit(portfolios: &[&str]) -> Vec<Hold> {
    let ids = 1..;
    ids.zip(portfolios).map(|(id, portfolio)| hold(id, Cover::of(Scope::Quota, *portfolio), None, false)).collect()
}

/// The sends of one priority by each number within a span.
fn counts_of(drive: &Drive, priority: Priority, from: u64, to: u64) -> Vec<f64> {
    let mut counts = vec![0.0; drive.core.scheduler.numbers().count()];
    let span = ms(from)..ms(to);
    for sent in drive.log.iter().filter(|sent| sent.priority == priority && span.contains(&sent.at)) {
        counts[sent.number] += 1.0;
    }
    counts
}

#[test]
fn new_people_are_written_to_by_the_portfolio_that_has_places_while_another_is_at_its_limit() {
    for priority in Priority::ALL {
        let mut drive = two_portfolios();
        drive.hold_at(ms(10_000), at_limit(&["A"]));
        drive.hold_at(ms(40_000), vec![]);
        drive.push_randomly(&Draft::of(0, *priority), 90, ms(1_100), ms(70_000));
        drive.run(ms(70_000));
        let shares = [GREEN, GREEN, YELLOW, GREEN];
        assert_shares(&counts_of(&drive, *priority, 2_000, 10_000), &shares);
        // What was asked for before is sent; at this load nothing waits longer.
        let held = counts_of(&drive, *priority, 10_100, 40_000);
        assert_shares(&held, &[0.0, GREEN, YELLOW, 0.0]);
        assert_eq!((held[0], held[3]), (0.0, 0.0), "{priority}");
        // Nothing is made good.
        assert_shares(&counts_of(&drive, *priority, 40_100, 44_100), &shares);
        assert_shares(&counts_of(&drive, *priority, 40_100, 70_000), &shares);
    }
}

#[test]
fn jobs_for_a_number_at_its_limit_go_by_it() {
    let mut drive = two_portfolios();
    drive.hold_at(ms(0), at_limit(&["A"]));
    drive.push_at(ms(1_100), Draft::of(0, Priority::Bulk).pinned(0), 700);
    drive.push_randomly(&job(), 90, ms(1_100), ms(11_000));
    drive.run(ms(11_000));
    assert_eq!(counts_of(&drive, Priority::Bulk, 0, 11_000), [700.0, 0.0, 0.0, 0.0]);
    assert_shares(&counts_of(&drive, Priority::Normal, 0, 11_000), &[0.0, GREEN, YELLOW, 0.0]);
}

#[test]
fn jobs_that_need_no_place_go_by_any_number() {
    let mut drive = two_portfolios();
    drive.hold_at(ms(0), at_limit(&["A"]));
    drive.push_randomly(&job().free_form(), 90, ms(1_100), ms(30_000));
    drive.push_randomly(&Draft::of(0, Priority::High), 60, ms(30_000), ms(60_000));
    drive.push_randomly(&job().free_form(), 50, ms(30_000), ms(60_000));
    drive.run(ms(60_000));
    assert_shares(&drive.counts(ms(2_000), ms(30_000)), &[GREEN, GREEN, YELLOW, GREEN]);
    assert_shares(&counts_of(&drive, Priority::High, 31_000, 60_000), &[0.0, GREEN, YELLOW, 0.0]);
    // B has its share of all that is sent by then: these go by the numbers that only they can go by.
    let free_form = counts_of(&drive, Priority::Normal, 31_000, 60_000);
    assert!(free_form[0] + free_form[3] > 0.9 * 50.0 * 29.0 && free_form[3] > 0.3 * free_form[0], "{free_form:?}");
}

#[test]
fn a_job_that_needs_a_place_waits_for_the_room_of_a_number_that_has_some() {
    let mut drive = Drive::new(&[(0, 80), (0, 20)], ms(50));
    drive.belongs(0, "A");
    drive.belongs(1, "B");
    drive.hold_at(ms(0), at_limit(&["A"]));
    drive.push_at(ms(1_000), job(), 5_000);
    drive.restrict_at(ms(20_000), 1);
    drive.stand_at(ms(30_000), 1, GREEN);
    drive.run(ms(40_000));
    for (from, to) in [(2_000, 20_000), (31_000, 40_000)] {
        let counts = drive.counts(ms(from), ms(to));
        let seconds = (to - from) as f64 / 1_000.0;
        assert_eq!(counts[0], 0.0);
        assert!(counts[1] >= 20.0 * seconds * 0.985 - 1.0, "{counts:?} in {seconds} s");
    }
    // With nobody else able, the ledger is asked: it knows the reserve.
    let alone = drive.counts(ms(20_100), ms(30_000));
    assert!(alone[0] >= 80.0 * 9.9 * 0.985 && alone[1] == 0.0, "{alone:?}");
}

#[test]
fn portfolios_that_are_all_at_their_limit_share_as_if_none_were_and_bulk_jobs_stay_in_their_lane() {
    let mut drive = two_portfolios();
    drive.hold_at(ms(0), at_limit(&["A", "B"]));
    drive.push_randomly(&job(), 120, ms(1_100), ms(31_000));
    drive.run(ms(31_000));
    assert_shares(&drive.counts(ms(2_000), ms(31_000)), &[GREEN, GREEN, YELLOW, GREEN]);
    let scheduler = &mut drive.core.scheduler;
    let pool = scheduler.numbers[0].spec.pool;
    assert_eq!(scheduler.bulk_room(pool, at(ms(31_000)).mono), Some(0));
    drive.hold_at(ms(31_001), at_limit(&["A"]));
    drive.run(ms(31_001));
    assert_eq!(drive.core.scheduler.bulk_room(pool, at(ms(31_001)).mono), None);
}

#[test]
fn whoever_owns_only_numbers_at_their_limit_leaves_open_jobs_to_the_owner_of_one_that_has_places() {
    let mut drive = two_portfolios();
    drive.run(ms(0));
    let (now, others) = (at(ms(1)), drive.core.scheduler.indices().skip(1).take(2));
    // Both of B's are another worker's.
    for number in others.collect::<Vec<_>>() {
        drive.core.set_tenure(number, None, now.mono);
    }
    let pool = drive.core.scheduler.numbers[0].spec.pool;
    let rate = |drive: &Drive| drive.core.scheduler.rate_of_pool(pool, now.mono);
    assert!(rate(&drive) > 0.0);
    drive.hold_at(ms(2), at_limit(&["A"]));
    drive.push_at(ms(3), job(), 10);
    drive.push_at(ms(3), job().pinned(3), 10);
    drive.run(ms(2_000));
    assert_eq!(rate(&drive), 0.0, "nothing of the pool's own lanes is taken in hand");
    assert_eq!(drive.counts(ms(0), ms(2_000)), [0.0, 0.0, 0.0, 10.0]);
    assert_eq!(drive.core.scheduler.drain_unable(at(ms(2_000)).mono).len(), 10);
    // Nor can those send now: so there is nobody to wait for.
    drive.restrict_at(ms(2_001), 1);
    drive.restrict_at(ms(2_001), 2);
    drive.run(ms(2_001));
    assert!(rate(&drive) > 0.0);
}
