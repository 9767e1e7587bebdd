//! Who gets how much: numbers by weight, lanes by stride, pools apart.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::hold::{Cover, Scope};
use crate::job::Priority;

use super::drive::{Drive, Sent};
use super::making::{Draft, hold, ms, number_id, wall};

fn backlog(pool: usize) -> Draft {
    Draft::of(pool, Priority::Bulk)
}

/// Shares of the whole, each within 5 % of what it should be.
pub(super) fn assert_shares(counts: &[f64], weights: &[f64]) {
    let (all, weight): (f64, f64) = (counts.iter().sum(), weights.iter().sum());
    for (number, (count, expected)) in counts.iter().zip(weights).enumerate() {
        let (share, expected) = (count / all, expected / weight);
        assert!((share - expected).abs() <= 0.05 * expected.max(0.1), "number {number}: {share:.3}, not {expected:.3}");
    }
}

#[test]
fn every_number_reaches_its_limit_while_there_is_work() {
    let limits = [(0, 1), (0, 5), (0, 20), (1, 80), (1, 80), (1, 200), (2, 1_000)];
    for (commit, ahead) in [(ms(1), ms(50)), (ms(20), ms(50)), (ms(60), ms(120))] {
        let mut drive = Drive::new(&limits, ahead);
        drive.commit = commit;
        for pool in 0..3 {
            drive.push_at(ms(0), backlog(pool), [600, 4_500, 13_000][pool]);
        }
        drive.run(ms(12_000));
        let counts = drive.counts(ms(2_000), ms(12_000));
        for (number, (_, limit)) in limits.iter().enumerate() {
            let least = f64::from(*limit) * 10.0 * 0.985;
            assert!(
                counts[number] + 1.0 > least,
                "number {number} of {limit}/s: {} in 10 s at {commit:?}",
                counts[number]
            );
        }
    }
}

#[test]
fn weights_give_shares_at_half_load() {
    let mut drive = Drive::new(&[(0, 80), (0, 80), (0, 80)], ms(50));
    drive.stand_at(ms(0), 2, 0.5);
    drive.push_evenly(&backlog(0), 120, ms(1_100), ms(31_100));
    drive.run(ms(32_000));
    assert_shares(&drive.counts(ms(2_000), ms(31_000)), &[2.0, 2.0, 1.0]);
}

#[test]
fn a_number_that_turns_red_in_mid_run_keeps_a_tenth_of_its_weight_and_gets_it_back() {
    let mut drive = Drive::new(&[(0, 80), (0, 80), (0, 80)], ms(50));
    drive.stand_at(ms(10_000), 1, 0.1);
    drive.stand_at(ms(30_000), 1, 1.0);
    drive.push_evenly(&backlog(0), 100, ms(1_100), ms(41_000));
    drive.run(ms(41_000));
    assert_shares(&drive.counts(ms(2_000), ms(10_000)), &[1.0, 1.0, 1.0]);
    assert_shares(&drive.counts(ms(10_000), ms(30_000)), &[1.0, 0.1, 1.0]);
    assert_shares(&drive.counts(ms(30_500), ms(40_500)), &[1.0, 1.0, 1.0]);
}

#[test]
fn a_number_that_rests_gets_nothing_and_no_more_than_its_share_afterwards() {
    let mut drive = Drive::new(&[(0, 80), (0, 80), (0, 80)], ms(50));
    let rest = hold(1, Cover::of(Scope::Number, number_id(0).as_str()), Some(wall(ms(20_000))), false);
    drive.hold_at(ms(8_000), vec![rest]);
    drive.push_evenly(&backlog(0), 100, ms(1_100), ms(35_000));
    drive.run(ms(35_000));
    // What was admitted before goes within its 50 ms, or is stopped: at this load nothing waits.
    assert_shares(&drive.counts(ms(8_100), ms(20_000)), &[0.0, 1.0, 1.0]);
    assert_shares(&drive.counts(ms(20_200), ms(22_200)), &[1.0, 1.0, 1.0]);
    assert_shares(&drive.counts(ms(20_200), ms(34_000)), &[1.0, 1.0, 1.0]);
}

#[test]
fn a_saturated_number_leaves_the_rest_to_the_others() {
    let mut drive = Drive::new(&[(0, 10), (0, 80), (0, 80)], ms(50));
    drive.push_evenly(&backlog(0), 90, ms(1_100), ms(31_000));
    drive.run(ms(31_000));
    let counts = drive.counts(ms(2_000), ms(31_000));
    assert!(counts[0] >= 290.0 * 0.985 && counts[0] <= 290.0, "{counts:?}");
    assert_shares(&counts[1..], &[1.0, 1.0]);
}

#[test]
fn a_number_that_fails_three_times_in_ten_gets_seven_tenths() {
    let mut drive = Drive::new(&[(0, 80), (0, 80)], ms(50));
    drive.fault = |number, n| Some(number == 0 && n % 10 < 3);
    drive.push_evenly(&backlog(0), 80, ms(1_100), ms(61_000));
    drive.run(ms(61_000));
    assert_shares(&drive.counts(ms(5_000), ms(61_000)), &[0.7, 1.0]);
}

#[test]
fn jobs_that_name_a_number_do_not_bend_the_shares_of_the_others() {
    let mut drive = Drive::new(&[(0, 80), (0, 80), (0, 80)], ms(50));
    drive.stand_at(ms(0), 2, 0.5);
    drive.push_evenly(&backlog(0).pinned(0), 60, ms(1_100), ms(31_000));
    drive.push_evenly(&backlog(0), 60, ms(1_100), ms(31_000));
    drive.run(ms(31_000));
    let counts = drive.counts(ms(2_000), ms(31_000));
    assert_shares(&counts[1..], &[2.0, 1.0]);
}

#[test]
fn lanes_share_a_saturated_number_by_their_strides() {
    let mut drive = Drive::new(&[(0, 1_000)], ms(50));
    for (priority, count) in Priority::ALL.iter().zip([30_000, 1_500, 500, 200]) {
        drive.push_at(ms(0), Draft::of(0, *priority), count);
    }
    // First the admitted of low priority gather where the higher ones overtake them.
    let (from, to) = (ms(9_000), ms(29_000));
    drive.run(to);
    let all = drive.counts(from, to)[0];
    for (priority, weight) in Priority::ALL.iter().zip([400.0, 16.0, 4.0, 1.0]) {
        let expected = all * weight / 421.0;
        let count = drive.count_of(*priority, from, to) as f64;
        assert!((count - expected).abs() <= 0.05 * expected + 5.0, "{priority}: {count}, not {expected:.0}");
    }
}

#[test]
fn no_lane_starves_however_fast_the_urgent_ones_come() {
    for (per_second, commit, seconds) in [(80, ms(1), 60), (80, ms(20), 60), (20, ms(1), 120), (1_000, ms(5), 8)] {
        let mut drive = Drive::new(&[(0, per_second)], ms(50));
        drive.commit = commit;
        for priority in Priority::ALL {
            drive.push_at(ms(0), Draft::of(0, *priority), per_second as usize * seconds);
        }
        drive.run(ms(seconds as u64 * 1_000));
        assert_eq!(drive.stopped, 0, "overtaken for too long at {per_second}/s");
        let lanes = Priority::ALL.iter().zip([1, 26, 106, 421_usize]);
        for (priority, turn) in lanes {
            let (mut waited, mut longest) = (0, 0);
            for sent in &drive.log {
                waited = if sent.priority == *priority { 0 } else { waited + 1 };
                longest = longest.max(waited);
            }
            let admitted = 4.max(per_second as usize / 20);
            // Its lane's turn, and on the pad the turns of the admitted that go before it.
            assert!(
                longest <= turn * (2 + admitted / 4) + 60,
                "{priority} waits for {longest} others at {per_second}/s"
            );
        }
    }
}

#[test]
fn an_urgent_job_goes_with_the_next_permits_whatever_is_queued() {
    for (per_second, commit) in [(80, ms(5)), (20, ms(20)), (1_000, ms(10))] {
        let mut drive = Drive::new(&[(0, per_second)], ms(50));
        drive.commit = commit;
        drive.push_at(ms(0), backlog(0), per_second as usize * 22);
        drive.push_at(ms(0), backlog(0).pinned(0), per_second as usize * 22);
        let gap = Duration::from_secs(1) / per_second;
        let mut pushed = Vec::new();
        for n in 0..50 {
            let when = ms(2_000 + n * 317);
            pushed.push(when);
            drive.push_at(when, Draft::of(0, Priority::Urgent), 1);
        }
        drive.run(ms(20_000));
        let urgent: Vec<&Sent> = drive.log.iter().filter(|sent| sent.priority == Priority::Urgent).collect();
        assert_eq!(urgent.len(), 50);
        for (sent, pushed) in urgent.iter().zip(&pushed) {
            let waited = sent.at - *pushed;
            // Its admission, and two permits that may just have gone together.
            assert!(waited <= commit + gap * 2 + ms(9), "waited {waited:?} at {per_second}/s");
        }
    }
}

#[test]
fn a_saturated_pool_costs_another_pool_nothing() {
    let run = |busy: bool| {
        let mut drive = Drive::new(&[(0, 80), (1, 80), (1, 80)], ms(50));
        if busy {
            drive.push_at(ms(500), backlog(1), 3_000);
            drive.push_at(ms(500), Draft::of(1, Priority::Urgent), 3_000);
        }
        drive.next_seq = 1_000_000;
        drive.push_evenly(&Draft::of(0, Priority::Normal), 60, ms(1_100), ms(11_000));
        drive.run(ms(11_500));
        let ours = drive.log.iter().filter(|sent| sent.number == 0).map(|sent| sent.at);
        ours.collect::<Vec<_>>()
    };
    let (alone, beside) = (run(false), run(true));
    assert!(alone.len() > 590);
    assert_eq!(alone, beside);
}

#[test]
fn one_busy_number_does_not_block_the_others_of_its_pool() {
    let mut drive = Drive::new(&[(0, 5), (0, 80)], ms(50));
    drive.push_at(ms(0), backlog(0).pinned(0), 1_000);
    drive.push_at(ms(0), backlog(0), 1_000);
    drive.run(ms(11_000));
    let counts = drive.counts(ms(2_000), ms(11_000));
    assert!(counts[1] >= 720.0 * 0.985 - 1.0, "{counts:?}");
}

#[test]
fn a_raised_limit_is_reached_within_a_second_and_without_a_burst() {
    let mut drive = Drive::new(&[(0, 20)], ms(50));
    drive.push_at(ms(0), backlog(0), 2_000);
    drive.run(ms(5_000));
    drive.retune(0, 80);
    drive.run(ms(15_000));
    let counts = |from: u64| drive.counts(ms(from), ms(from + 1_000))[0];
    assert!(counts(6_000) >= 78.0, "{}", counts(6_000));
    for from in (1_000..14_000).step_by(50) {
        assert!(counts(from) <= 80.0, "{} in the second from {from} ms", counts(from));
    }
}

#[test]
fn jobs_of_a_lane_go_in_order_and_those_that_were_due_go_first() {
    let mut drive = Drive::new(&[(0, 80)], ms(50));
    let draft = backlog(0);
    for seq in 0..20_u64 {
        let due = (seq % 2 == 1).then_some(Timestamp::from_millis(0));
        drive.core.scheduler.push(draft.delivery(seq, due)).expect("the lane is served");
    }
    drive.push_at(ms(0), draft, 0);
    drive.run(ms(3_000));
    let order: Vec<u64> = drive.log.iter().map(|sent| sent.seq).collect();
    let expected: Vec<u64> = (0..10).map(|n| 2 * n + 1).chain((0..10).map(|n| 2 * n)).collect();
    assert_eq!(order, expected);
}
