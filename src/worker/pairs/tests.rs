//! Debts and lines on virtual time, against a count of their own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

const SIX: Duration = Duration::from_secs(6);

fn ms(ms: u64) -> Mono {
    Mono::from_nanos(ms * 1_000_000)
}

fn job(seq: u64) -> JobKey {
    let mut key = [0; 16];
    key[8..].copy_from_slice(&seq.to_be_bytes());
    JobKey::from_bytes(key)
}

fn candidate(pair: u64, priority: Priority, seq: u64) -> Candidate {
    Candidate { pair: PairKey(pair), priority, job: job(seq), due: None }
}

/// Asks, and goes and starts where it may.
fn send(pairs: &mut Pairs, candidate: &Candidate, now: Mono) -> Turn {
    let turn = pairs.turn(candidate, now);
    if turn == Turn::Free {
        pairs.charge(candidate, now);
        assert!(pairs.may_start(candidate.pair, now));
        pairs.started(candidate.pair, now);
    }
    turn
}

fn margin() -> Duration {
    PairRule::default().margin
}

#[test]
fn each_priority_borrows_as_much_as_it_may() {
    for (priority, most) in [(Priority::Bulk, 1), (Priority::Normal, 2), (Priority::High, 5), (Priority::Urgent, 20)] {
        let mut pairs = Pairs::new(PairRule::default());
        let went = (0..60).filter(|seq| send(&mut pairs, &candidate(7, priority, *seq), ms(*seq)) == Turn::Free);
        assert_eq!(went.count(), most, "{priority}");
    }
}

#[test]
fn a_burst_is_paid_back_from_its_first() {
    let mut pairs = Pairs::new(PairRule::default());
    for seq in 0..5 {
        assert_eq!(send(&mut pairs, &candidate(7, Priority::High, seq), ms(1_000 + seq * 100)), Turn::Free);
    }
    let next = send(&mut pairs, &candidate(7, Priority::High, 5), ms(2_000));
    assert_eq!(next, Turn::At(ms(31_000) + margin()));
}

#[test]
fn nothing_is_borrowed_late_in_the_window() {
    let mut pairs = Pairs::new(PairRule::default());
    send(&mut pairs, &candidate(7, Priority::Urgent, 0), ms(0));
    let late = candidate(7, Priority::Urgent, 1);
    assert_eq!(pairs.turn(&late, ms(5_399)), Turn::Free);
    assert_eq!(pairs.turn(&late, ms(5_400)), Turn::At(ms(6_000) + margin()));
}

#[test]
fn a_burst_begins_when_its_first_bytes_leave() {
    let mut pairs = Pairs::new(PairRule::default());
    let (first, second) = (candidate(7, Priority::Bulk, 0), candidate(7, Priority::Bulk, 1));
    pairs.charge(&first, ms(0));
    pairs.started(first.pair, ms(700));
    assert_eq!(pairs.turn(&second, ms(1_000)), Turn::At(ms(6_700) + margin()));
}

#[test]
fn what_was_not_sent_owes_nothing() {
    let mut pairs = Pairs::new(PairRule::default());
    let bulk = candidate(7, Priority::Bulk, 0);
    pairs.charge(&bulk, ms(0));
    pairs.refund(bulk.pair);
    assert_eq!(pairs.turn(&bulk, ms(1)), Turn::Free);
    pairs.charge(&bulk, ms(1));
    pairs.started(bulk.pair, ms(1));
    pairs.refund_started(bulk.pair);
    assert_eq!(pairs.turn(&bulk, ms(2)), Turn::Free);
}

#[test]
fn what_has_not_left_is_not_paid_for_by_waiting() {
    let mut pairs = Pairs::new(PairRule::default());
    let (first, second) = (candidate(7, Priority::Bulk, 0), candidate(7, Priority::Bulk, 1));
    pairs.charge(&first, ms(0));
    assert_eq!(pairs.turn(&second, ms(20_000)), Turn::At(ms(26_000) + margin()));
    assert_eq!(pairs.turn(&candidate(7, Priority::High, 2), ms(59_999)), Turn::At(ms(65_999) + margin()));
    // Unless nobody ever says what became of it.
    assert_eq!(pairs.turn(&candidate(7, Priority::Urgent, 3), ms(60_000)), Turn::Free);
}

#[test]
fn late_bytes_that_missed_their_burst_do_not_leave() {
    let mut pairs = Pairs::new(PairRule::default());
    let urgent: Vec<Candidate> = (0..3).map(|seq| candidate(7, Priority::Urgent, seq)).collect();
    urgent.iter().for_each(|urgent| pairs.charge(urgent, ms(0)));
    pairs.started(urgent[0].pair, ms(0));
    pairs.started(urgent[1].pair, ms(0));
    assert!(pairs.may_start(urgent[2].pair, ms(5_600)));
    assert!(!pairs.may_start(urgent[2].pair, ms(6_500)));
    assert!(pairs.may_start(urgent[2].pair, ms(12_000) + margin()));
    pairs.started(urgent[2].pair, ms(13_000));
    assert_eq!(pairs.turn(&candidate(7, Priority::Bulk, 9), ms(13_000)), Turn::At(ms(19_000) + margin()));
}

#[test]
fn after_a_refusal_everyone_for_this_person_waits() {
    let mut pairs = Pairs::new(PairRule::default());
    let first = candidate(7, Priority::Urgent, 0);
    send(&mut pairs, &first, ms(0));
    pairs.refused(first.pair, ms(16_000), ms(0));
    assert_eq!(pairs.turn(&candidate(7, Priority::Urgent, 1), ms(10)), Turn::At(ms(16_000)));
    assert_eq!(pairs.turn(&candidate(8, Priority::Urgent, 2), ms(10)), Turn::Free);
    // Who was refused comes first again.
    let again = Candidate { due: Some(ms(15_999)), ..first };
    assert_eq!(pairs.turn(&again, ms(16_000)), Turn::Free);
}

#[test]
fn who_comes_later_stands_behind_those_that_wait() {
    let mut pairs = Pairs::new(PairRule::default());
    send(&mut pairs, &candidate(7, Priority::Bulk, 0), ms(0));
    let at = ms(6_000) + margin();
    for seq in 1..6_u64 {
        let expected = at + SIX * u32::try_from(seq - 1).expect("few");
        assert_eq!(pairs.turn(&candidate(7, Priority::Bulk, seq), ms(seq)), Turn::At(expected));
    }
    // Paid back, and yet the one that waits goes before the one that comes.
    assert_eq!(pairs.turn(&candidate(7, Priority::Bulk, 6), at), Turn::At(at + SIX * 5));
    let first = Candidate { due: Some(at), ..candidate(7, Priority::Bulk, 1) };
    assert_eq!(pairs.turn(&first, at), Turn::Free);
}

#[test]
fn nobody_waits_for_one_that_never_comes() {
    let mut pairs = Pairs::new(PairRule::default());
    send(&mut pairs, &candidate(7, Priority::Bulk, 0), ms(0));
    for seq in 1..4 {
        pairs.turn(&candidate(7, Priority::Bulk, seq), ms(0));
    }
    // The first two were cancelled.
    let due = ms(18_000) + margin();
    let third = Candidate { due: Some(due), ..candidate(7, Priority::Bulk, 3) };
    assert_eq!(pairs.turn(&third, due), Turn::Free);
}

#[test]
fn a_million_people_are_forgotten_once_they_owe_nothing() {
    let mut pairs = Pairs::new(PairRule::default());
    let mut most = 0;
    for seq in 0..1_000_000 {
        // A thousand a second, each to somebody else, every tenth of them twice.
        let now = Mono::from_nanos(seq * 1_000_000);
        assert_eq!(send(&mut pairs, &candidate(seq, Priority::Bulk, seq), now), Turn::Free);
        if seq % 10 == 0 {
            assert_ne!(pairs.turn(&candidate(seq, Priority::Bulk, 1_000_000 + seq), now), Turn::Free);
        }
        most = most.max(pairs.bursts.capacity() + pairs.lines.capacity());
    }
    // Six thousand owe at any time; tables double, and are swept when twice as many are in them.
    assert!(most <= 65_536, "{most}");
}

/// What Meta counts, read from its page once more: by what has arrived, of any priority.
#[derive(Default)]
struct Counted {
    first: u64,
    count: u64,
}

impl Counted {
    fn arrives(&mut self, at: u64, may_borrow: u64) -> bool {
        let six = 6_000_000_000;
        if self.count == 0 || at >= self.first + self.count * six {
            (self.first, self.count) = (at, 1);
            return true;
        }
        let lent = at < self.first + six && self.count < may_borrow;
        self.count += 1;
        lent
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Start,
    Come(Option<u64>),
}

/// A number with its lanes and its pad, as rough as may be: whoever may go starts a little later, in order.
struct Run {
    pairs: Pairs,
    rng: SmallRng,
    /// By time, and those of one time by when they were planned.
    steps: BinaryHeap<Reverse<(u64, u64, u64, Step)>>,
    planned: u64,
    jobs: Vec<(u64, Priority)>,
    pad: u64,
    counted: HashMap<u64, Counted>,
    latest: BTreeMap<(u64, Priority), u64>,
    stopped: usize,
    sent: usize,
    last: u64,
}

impl Run {
    fn new(seed: u64, jobs: Vec<(u64, u64, Priority)>) -> Self {
        let come =
            |(seq, (at, ..)): (usize, &(u64, u64, Priority))| Reverse((*at, seq as u64, seq as u64, Step::Come(None)));
        Self {
            pairs: Pairs::new(PairRule::default()),
            rng: SmallRng::seed_from_u64(seed),
            steps: jobs.iter().enumerate().map(come).collect(),
            planned: jobs.len() as u64,
            jobs: jobs.iter().map(|(_, pair, priority)| (*pair, *priority)).collect(),
            pad: 0,
            counted: HashMap::new(),
            latest: BTreeMap::new(),
            stopped: 0,
            sent: 0,
            last: 0,
        }
    }

    /// Until nothing is left to do. `trouble`: one in so many is not admitted, or not sent after all.
    fn run(&mut self, trouble: u32) {
        while let Some(Reverse((at, _, seq, step))) = self.steps.pop() {
            let (pair, priority) = self.jobs[seq as usize];
            let now = Mono::from_nanos(at);
            let due = match step {
                Step::Come(due) => due.map(Mono::from_nanos),
                Step::Start => {
                    self.start(at, seq);
                    continue;
                }
            };
            let candidate = Candidate { due, ..candidate(pair, priority, seq) };
            match self.pairs.turn(&candidate, now) {
                Turn::At(later) => {
                    assert!(later > now);
                    let late = self.rng.random_range(0..5_000_000);
                    self.plan(later.as_nanos() + late, seq, Step::Come(Some(later.as_nanos())));
                }
                Turn::Free => {
                    self.pairs.charge(&candidate, now);
                    if trouble > 0 && self.rng.random_ratio(1, trouble) {
                        self.pairs.refund(candidate.pair);
                        self.stopped += 1;
                        continue;
                    }
                    self.pad = self.pad.max(at + self.rng.random_range(0..50_000_000));
                    self.plan(self.pad, seq, Step::Start);
                }
            }
        }
    }

    fn plan(&mut self, at: u64, seq: u64, step: Step) {
        self.planned += 1;
        self.steps.push(Reverse((at, self.planned, seq, step)));
    }

    fn start(&mut self, at: u64, seq: u64) {
        let (pair, priority) = self.jobs[seq as usize];
        let (key, now) = (PairKey(pair), Mono::from_nanos(at));
        assert!(self.pairs.may_start(key, now), "the pad is never so late");
        self.pairs.started(key, now);
        let before = self.latest.insert((pair, priority), seq);
        assert!(before < Some(seq), "{before:?} went to {pair} before {seq}, {priority}");
        let arrives = at + self.rng.random_range(0..8_000_000);
        let may_borrow = u64::from(PairRule::default().burst(priority));
        let lent = self.counted.entry(pair).or_default().arrives(arrives, may_borrow);
        assert!(lent, "{seq} came too early to {pair} at {arrives}");
        self.sent += 1;
        self.last = at;
    }
}

#[test]
fn a_million_jobs_keep_the_rule_and_their_order() {
    let mut rng = SmallRng::seed_from_u64(3);
    let mut at = 0;
    let jobs = (0..1_000_000).map(|_| {
        at += rng.random_range(0..2_000_000);
        // A few people get most of it.
        let pair = rng.random_range(0..100_000_u64).min(rng.random_range(0..400_000));
        (at, pair, Priority::ALL[rng.random_range(0..4)])
    });
    let mut run = Run::new(4, jobs.collect());
    run.run(1_000);
    assert_eq!(run.sent + run.stopped, 1_000_000);
    assert!(run.pairs.lines.is_empty());
}

#[test]
fn a_person_with_too_much_to_come_gets_all_that_may_come() {
    for priority in Priority::ALL {
        let mut run = Run::new(5, (0..2_000).map(|seq| (seq, 7, *priority)).collect());
        run.run(0);
        let rate = (run.sent - 1) as f64 / (run.last as f64 / 6e9);
        assert!(rate >= 0.97, "{priority}: {rate} of the limit");
    }
}

proptest! {
    #[test]
    fn whatever_comes_keeps_the_rule_and_its_order(
        seed in any::<u64>(),
        trouble in 0_u32..20,
        jobs in prop::collection::vec((0_u64..3_000, 0_u64..3, 0_usize..4), 1..200),
    ) {
        let mut at = 0;
        let jobs: Vec<_> = jobs.into_iter().map(|(gap, pair, priority)| {
            at += gap * 1_000_000;
            (at, pair, Priority::ALL[priority])
        }).collect();
        let count = jobs.len();
        let mut run = Run::new(seed, jobs);
        run.run(trouble);
        prop_assert_eq!(run.sent + run.stopped, count);
    }
}
