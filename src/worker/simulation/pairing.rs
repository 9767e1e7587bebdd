//! A job that must wait for its turn with one person, in the scheduler's hands.

use std::time::Duration;

use crate::clock::Now;
use crate::hold::HoldSet;
use crate::job::Priority;
use crate::ledger::Admission;
use crate::outcome::Reason;
use crate::worker::index::NumberIdx;
use crate::worker::launch::{Core, Start};
use crate::worker::number::Ready;
use crate::worker::pairs::PairRule;
use crate::worker::scheduler::{Choice, Pick, Scheduler};

use super::making::{self, Draft, MARGIN, ms, number_id, pool_name, seq_of, spec, tenure};

/// By then a number that is new here may send as fast as it can.
const START: Duration = Duration::from_secs(2);

/// So long after the start.
fn at(time: Duration) -> Now {
    making::at(START + time)
}

/// One number of 80/s, and one message to a person each `interval`.
fn core(interval: Duration) -> Core {
    let mut core = Core::new(Scheduler::new(ms(50)));
    core.scheduler.set_pair_rule(PairRule::new(interval, ms(0), 20, 5, 2));
    let pool = core.scheduler.pool(&pool_name(0));
    let number = core.scheduler.add_number(spec(0, pool, 80), MARGIN, making::at(ms(0)));
    core.set_tenure(number, Some(tenure(1, ms(100_000_000))), making::at(ms(0)).mono);
    core.scheduler.set_holds(HoldSet::default(), at(ms(0)));
    core
}

fn push(core: &mut Core, seq: u64, person: u64) {
    let draft = Draft::of(0, Priority::Bulk).to(person);
    core.scheduler.push(draft.delivery(seq, None)).expect("the lane is served");
}

/// What may be asked for at this moment.
fn picked(core: &mut Core, time: Duration) -> Vec<Choice> {
    let pick = || match core.scheduler.pick(at(time)) {
        Pick::Admit(choice) => Some(choice),
        Pick::WaitUntil(_) | Pick::Idle => None,
        Pick::Park(..) | Pick::Defer(..) => panic!("nothing is held or put off for long"),
    };
    std::iter::from_fn(pick).collect()
}

fn seqs(choices: &[Choice]) -> Vec<u64> {
    choices.iter().map(|choice| seq_of(choice.delivery.job().key)).collect()
}

/// The ledger lets it through, and it leaves at once.
fn send(core: &mut Core, choice: Choice, time: Duration) {
    let Choice { delivery, number, probe, .. } = choice;
    let job = delivery.job();
    let admission = Admission::for_test(job.key, number_id(0), 1, 0, job.expires_at);
    let start_by = at(time).mono + ms(2_000);
    let ready = Ready { admission, delivery, probe, start_by, admitted_at: at(time).mono };
    core.admitted(number, ready, at(time).mono);
    assert!(matches!(core.start(at(time)), Start::Go(_)));
}

#[test]
fn a_job_whose_turn_comes_soon_is_overtaken_in_hand_and_goes_at_its_time() {
    let mut core = core(ms(1_000));
    for (seq, person) in [(0, 7), (1, 7), (3, 8)] {
        push(&mut core, seq, person);
    }
    let mut first = picked(&mut core, ms(0));
    assert_eq!(seqs(&first), [0, 3]);
    assert_eq!((core.scheduler.in_hand, core.scheduler.deliveries().count()), (1, 1));
    assert_eq!(core.scheduler.in_hand_of(Priority::Bulk), 1);
    send(&mut core, first.remove(0), ms(20));
    // It left a little later than it was asked for, so the next one's turn comes as much later.
    let wakes = core.scheduler.next_wake().expect("somebody waits");
    assert!(wakes > at(ms(1_000)).mono && wakes < at(ms(1_100)).mono, "{wakes:?}");
    assert_eq!(seqs(&picked(&mut core, ms(1_015))), [0; 0]);
    assert_eq!(seqs(&picked(&mut core, ms(1_050))), [1]);
    assert_eq!(core.scheduler.in_hand, 0);
}

#[test]
fn a_job_whose_turn_comes_late_is_put_off_behind_those_that_wait_already() {
    let mut core = core(ms(6_000));
    (0..4).for_each(|seq| push(&mut core, seq, 7));
    assert!(matches!(core.scheduler.pick(at(ms(0))), Pick::Admit(_)));
    let mut last = at(ms(0)).wall;
    for seq in 1..4 {
        let Pick::Defer(delivery, until, Reason::PairLimit) = core.scheduler.pick(at(ms(0))) else { panic!("{seq}") };
        assert_eq!(seq_of(delivery.job().key), seq);
        assert!(until.since(last) >= ms(6_000), "{seq}");
        last = until;
    }
    assert_eq!(core.scheduler.in_hand, 0);
}

#[test]
fn a_job_is_not_put_off_past_its_end() {
    let mut core = core(ms(6_000));
    push(&mut core, 0, 7);
    let draft = Draft { expires_at: at(ms(3_000)).wall, ..Draft::of(0, Priority::Bulk).to(7) };
    core.scheduler.push(draft.delivery(1, None)).expect("the lane is served");
    assert!(matches!(core.scheduler.pick(at(ms(0))), Pick::Admit(_)));
    let Pick::Defer(_, until, _) = core.scheduler.pick(at(ms(0))) else { panic!("put off") };
    assert_eq!(until, at(ms(3_000)).wall);
}

#[test]
fn what_waits_in_hand_is_given_back_like_what_stands_in_line() {
    for drain in [Scheduler::drain_all as fn(&mut Scheduler) -> _, |scheduler| scheduler.drain_unable(at(ms(1)).mono)] {
        let mut core = core(ms(1_000));
        (0..2).for_each(|seq| push(&mut core, seq, 7));
        assert_eq!(picked(&mut core, ms(0)).len(), 1);
        core.set_tenure(NumberIdx(0), None, at(ms(1)).mono);
        let drained: Vec<_> = drain(&mut core.scheduler);
        assert_eq!((drained.len(), core.scheduler.in_hand, core.scheduler.in_hand_bytes), (1, 0, 0));
        assert_eq!(core.scheduler.next_wake(), None);
    }
}

#[test]
fn what_others_have_by_now_is_taken_out_also_while_it_waits() {
    let mut core = core(ms(400));
    (0..4).for_each(|seq| push(&mut core, seq, 7));
    assert_eq!(picked(&mut core, ms(0)).len(), 1);
    let taken = core.scheduler.take_out(|delivery| seq_of(delivery.job().key) == 1);
    assert_eq!((taken.len(), core.scheduler.in_hand, core.scheduler.deliveries().count()), (1, 2, 2));
    assert!(core.scheduler.next_wake() > Some(at(ms(800)).mono), "the next is the one after it");
}

#[test]
fn a_refusal_for_the_pair_holds_up_everyone_for_that_person() {
    let mut core = core(ms(100));
    push(&mut core, 0, 7);
    let first = picked(&mut core, ms(0)).remove(0);
    let delivery = Draft::of(0, Priority::Bulk).to(7).delivery(0, None);
    send(&mut core, first, ms(0));
    core.pair_refused(NumberIdx(0), &delivery, at(ms(1_500)).mono, at(ms(50)).mono);
    push(&mut core, 1, 7);
    assert_eq!(seqs(&picked(&mut core, ms(1_499))), [0; 0]);
    assert_eq!(seqs(&picked(&mut core, ms(1_500))), [1]);
}
