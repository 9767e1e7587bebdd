//! Jobs from the broker, which has them until they are acked, and may deliver them again at any moment.

use tidegate::hold::HoldId;
use tidegate::job::{Job, OnUnknown};
use tidegate::ledger::{AdmitRequest, Admitted, Deferral, Enqueued, Fate, Fence, Ledger, Parking, Settled, Settlement};
use tidegate::outcome::{Reason, State};

use super::ledger::*;

/// A job that is sent again when nobody learns what became of it.
fn stubborn(id: &str) -> Job {
    Job { on_unknown: OnUnknown::Resend, ..job(id) }
}

pub async fn a_job_never_seen_is_taken_in_and_admitted(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let requests = vec![steps.delivery(job("a")), steps.delivery(job("a")), steps.delivery(reworded(job("a")))];
    let mut answers = ledger.admit(requests, at(1)).await.expect("answered");
    assert_eq!(answers.split_off(1), [Admitted::InFlight, Admitted::IdReused]);
    let admission = go(answers.remove(0));
    assert_eq!((admission.attempt(), admission.tries(), admission.deadline()), (1, 0, at(1_000)));
    let row = steps.show("a").await;
    assert_eq!((row.state, row.number.as_deref(), row.deadline), (State::Sending, Some(NUMBER), Some(at(1_000))));
    assert_eq!((row.pool.as_str(), row.template.as_deref()), ("default", Some("hello/en_US")));
    assert_eq!(steps.enqueue(job("a"), at(2)).await, Enqueued::Duplicate(State::Sending));
    assert!(steps.claim(9, 9, at(2)).await.rows.is_empty());
    assert_eq!(steps.settle(&admission, accepted(), at(3)).await, Settled::Done);
    assert_eq!(steps.stands("a").await, (State::Accepted, None));
    let dead = ledger.dead_list(0, 9).await.expect("listed");
    assert_eq!(dead.iter().map(|row| row.dead.field.as_str()).collect::<Vec<_>>(), ["id"]);
}

pub async fn a_delivery_of_a_job_that_waits_in_its_row_is_not_sent(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("retried"), at(0)).await;
    steps.settle(&admission, retry(at(50)), at(1)).await;
    steps.enqueue(job("queued"), at(1)).await;
    steps.enqueue(job("claimed"), at(1)).await;
    let hold = steps.place(pause("2002"), at(1)).await;
    let parking = Parking { key: job("parked").key, hold: hold.id, delivered: Some(routed(job("parked"))) };
    ledger.park(vec![parking], at(1)).await.expect("parked");
    steps.claim(0, 1, at(1)).await;
    for name in ["retried", "queued", "claimed", "parked"] {
        assert_eq!(steps.deliver(job(name), at(2)).await, Admitted::InFlight, "{name}");
        assert_eq!(steps.deliver(reworded(job(name)), at(2)).await, Admitted::IdReused, "{name}");
    }
    assert_eq!(steps.show("retried").await.due_at, Some(at(50)));
    assert_eq!(steps.stands("parked").await, (State::Waiting, Some(Reason::Operator)));
    drop(go(steps.admit(job("queued"), at(3)).await));
    assert_eq!(ids(&steps.claim(9, 9, at(50)).await), ["retried", "claimed"]);
}

pub async fn a_delivery_whose_time_has_not_come_gets_a_row_that_is_due_then(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.enqueue(job("known"), at(1)).await;
    let deferral = |name: &str| {
        let delivered = Some(routed(job(name)));
        Deferral { key: job(name).key, due: at(10), reason: Reason::PairLimit, delivered }
    };
    let jobs = vec![deferral("new"), deferral("known"), deferral("new")];
    ledger.defer(jobs.clone(), at(1)).await.expect("deferred");
    // Asked again, since the answer was lost.
    ledger.defer(jobs, at(2)).await.expect("deferred");
    assert_eq!(steps.stands("new").await, (State::Waiting, Some(Reason::PairLimit)));
    assert_eq!(steps.show("new").await.due_at, Some(at(10)));
    assert_eq!(steps.stands("known").await.0, State::Queued);
    assert_eq!(ids(&steps.claim(9, 9, at(9)).await), ["known"]);
    let claimed = steps.claim(9, 9, at(10)).await;
    assert_eq!(ids(&claimed), ["new"]);
    assert_eq!(claimed.rows[0].due_at, Some(at(10)));
    assert_eq!(steps.deliver(job("new"), at(11)).await, Admitted::InFlight);
}

pub async fn a_job_delivered_twice_is_sent_once(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for (name, fate, state) in [
        ("accepted", accepted(), State::Accepted),
        ("ended", ended(), State::Failed),
        ("retried", retry(at(500)), State::Waiting),
        ("lost", unknown(at(500)), State::Unknown),
    ] {
        let admission = go(steps.deliver(job(name), at(0)).await);
        assert_eq!(steps.deliver(job(name), at(1)).await, Admitted::InFlight, "{name}: during the attempt");
        let settled = of_delivered(job(name), settlement(&admission, fate, at(2)));
        assert_eq!(steps.settle_with(settled).await, Settled::Done);
        let after = if state.has_ended() { Admitted::Ended(state) } else { Admitted::InFlight };
        assert_eq!(steps.deliver(job(name), at(3)).await, after, "{name}: after the attempt");
        let row = steps.show(name).await;
        assert_eq!((row.state, row.attempts), (state, 1), "{name}");
    }
    assert_eq!(ids(&steps.claim(9, 9, at(1_000)).await), ["retried"]);
}

fn ended() -> Fate {
    Fate::End { state: State::Failed, reason: Reason::NotOnWhatsapp, code: Some(131_026), details: String::new() }
}

pub async fn a_delivery_during_the_attempt_leaves_the_body_for_later(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    // The worker of this attempt is never heard of again: the broker delivers what it had to another.
    drop(go(steps.deliver(stubborn("a"), at(0)).await));
    assert_eq!(steps.deliver(stubborn("a"), at(10)).await, Admitted::InFlight);
    assert_eq!(ledger.sweep(at(1_000), WAIT, 100).await.expect("swept").overdue, 1);
    assert_eq!(ledger.sweep(at(1_060), WAIT, 100).await.expect("swept").resent, 1);
    let admission = steps.start_again(stubborn("a"), at(1_060)).await;
    assert_eq!(admission.attempt(), 2);
    steps.settle(&admission, accepted(), at(1_061)).await;
    assert!(steps.claim(9, 9, at(2_000)).await.rows.is_empty());
}

pub async fn a_delivery_while_nobody_knows_leaves_the_body_for_later(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    drop(go(steps.deliver(stubborn("a"), at(0)).await));
    assert_eq!(ledger.sweep(at(1_000), WAIT, 100).await.expect("swept").overdue, 1);
    assert_eq!(steps.stands("a").await, (State::Unknown, Some(Reason::WorkerLost)));
    assert_eq!(steps.deliver(stubborn("a"), at(1_010)).await, Admitted::InFlight);
    assert_eq!(steps.stands("a").await, (State::Unknown, Some(Reason::WorkerLost)));
    assert_eq!(ledger.sweep(at(1_060), WAIT, 100).await.expect("swept").resent, 1);
    assert_eq!(steps.start_again(stubborn("a"), at(1_060)).await.attempt(), 2);
}

pub async fn a_delivered_job_that_goes_again_gets_its_row(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = go(steps.deliver(job("a"), at(0)).await);
    let settled = of_delivered(job("a"), settlement(&admission, retry(at(10)), at(1)));
    assert_eq!(steps.settle_with(settled).await, Settled::Done);
    let row = steps.show("a").await;
    assert_eq!((row.state, row.due_at, row.code), (State::Waiting, Some(at(10)), Some(131_016)));
    let trail = ledger.trail(job("a").key).await.expect("read");
    assert_eq!(trail.iter().map(|entry| entry.number.as_deref()).collect::<Vec<_>>(), [Some(NUMBER)]);
    assert!(steps.claim(9, 9, at(9)).await.rows.is_empty());
    let admission = steps.start_again(job("a"), at(10)).await;
    assert_eq!((admission.attempt(), admission.tries()), (2, 1));
    steps.settle(&admission, accepted(), at(11)).await;
    assert_eq!(steps.stands("a").await, (State::Accepted, None));
}

pub async fn a_delivered_job_that_must_wait_for_a_hold_gets_its_row(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = go(steps.deliver(job("a"), at(0)).await);
    let fate = Fate::Park { reason: Reason::Failing, code: Some(131_000) };
    let parked = Settlement { hold: Some(pause(NUMBER)), ..settlement(&admission, fate, at(1)) };
    assert_eq!(steps.settle_with(of_delivered(job("a"), parked)).await, Settled::Done);
    let hold = steps.show("a").await.hold.expect("a hold");
    assert!(steps.claim(9, 9, at(2)).await.rows.is_empty());
    assert!(steps.lift(hold.id, at(2)).await);
    let admission = steps.start_again(job("a"), at(3)).await;
    assert_eq!((admission.attempt(), admission.tries()), (2, 0));
}

pub async fn a_delivered_job_of_which_nobody_knows_gets_its_row(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for (name, seconds) in [("asked", 0), ("waited", 100)] {
        let admission = go(steps.deliver(stubborn(name), at(seconds)).await);
        let lost = settlement(&admission, unknown(at(seconds + 60)), at(seconds + 1));
        steps.settle_with(of_delivered(stubborn(name), lost)).await;
        assert_eq!(steps.stands(name).await, (State::Unknown, Some(Reason::Timeout)));
        assert!(steps.claim(9, 9, at(seconds + 2)).await.rows.is_empty());
        if name == "asked" {
            let resend = tidegate::ledger::Resolution::Resend;
            assert!(ledger.resolve(named(name), resend, at(seconds + 60)).await.expect("answered"));
        } else {
            assert_eq!(ledger.sweep(at(seconds + 60), WAIT, 100).await.expect("swept").resent, 1);
        }
        assert_eq!(steps.start_again(stubborn(name), at(seconds + 60)).await.attempt(), 2);
    }
}

pub async fn a_delivered_job_that_meets_a_hold_is_parked(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let hold = steps.place(pause(NUMBER), at(0)).await;
    assert_eq!(steps.deliver(job("a"), at(1)).await, Admitted::Parked(hold.id));
    let row = steps.show("a").await;
    assert_eq!((row.state, row.hold, row.attempts), (State::Waiting, Some(hold.clone()), 0));
    assert_eq!(steps.deliver(job("a"), at(2)).await, Admitted::InFlight);
    assert!(steps.lift(hold.id, at(3)).await);
    assert_eq!(steps.start_again(job("a"), at(3)).await.attempt(), 1);
}

pub async fn a_delivered_job_that_is_over_needs_no_attempt(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let late = Job { expires_at: at(10), ..job("late") };
    assert_eq!(steps.deliver(late, at(10)).await, Admitted::Ended(State::Expired));
    let row = steps.show("late").await;
    assert_eq!((row.state, row.reason, row.ended_at), (State::Expired, Some(Reason::TooLate), Some(at(10))));
}

pub async fn a_delivered_job_is_parked_unless_it_is_known(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let hold = steps.place(pause("2002"), at(0)).await;
    steps.enqueue(job("known"), at(0)).await;
    let sending = go(steps.deliver(job("sending"), at(0)).await);
    let ended = go(steps.deliver(job("ended"), at(0)).await);
    steps.settle(&ended, accepted(), at(1)).await;
    let park = |name: &str, hold| Parking { delivered: Some(routed(job(name))), ..parking(job(name).key, hold) };
    let mut all: Vec<_> = ["new", "known", "sending", "ended", "new"].map(|name| park(name, hold.id)).into();
    all.push(park("hold gone", HoldId(4_711)));
    ledger.park(all, at(2)).await.expect("parked");
    assert_eq!(steps.show("new").await.hold, Some(hold.clone()));
    assert_eq!(ledger.trail(job("new").key).await.expect("read").len(), 1);
    for (name, state) in [
        ("known", State::Queued),
        ("sending", State::Sending),
        ("ended", State::Accepted),
        ("hold gone", State::Queued),
    ] {
        assert_eq!(steps.stands(name).await.0, state, "{name}");
    }
    assert_eq!(ids(&steps.claim(9, 9, at(3)).await), ["known", "hold gone"]);
    assert!(steps.lift(hold.id, at(4)).await);
    assert_eq!(ids(&steps.claim(9, 9, at(4)).await), ["new"]);
    assert_eq!(steps.settle(&sending, accepted(), at(5)).await, Settled::Done);
}

pub async fn a_delivered_job_expires_unless_it_is_known(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.enqueue(job("known"), at(0)).await;
    let sending = go(steps.deliver(job("sending"), at(0)).await);
    let all = ["new", "known", "sending", "new"].map(|name| routed(job(name))).to_vec();
    ledger.expire(all, at(5)).await.expect("expired");
    let row = steps.show("new").await;
    assert_eq!((row.state, row.reason, row.ended_at), (State::Expired, Some(Reason::TooLate), Some(at(5))));
    assert_eq!(steps.deliver(job("new"), at(6)).await, Admitted::Ended(State::Expired));
    assert_eq!(ids(&steps.claim(9, 9, at(6)).await), ["known"]);
    assert_eq!(steps.settle(&sending, accepted(), at(7)).await, Settled::Done);
    let states = steps.census().await.states;
    assert_eq!(states, [(State::Queued, 1), (State::Accepted, 1), (State::Expired, 1)]);
}

pub async fn a_delivery_by_a_number_of_others_leaves_nothing(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let wrong_fence = AdmitRequest { fence: Fence(steps.fence.0 + 1), ..steps.delivery(job("a")) };
    assert_eq!(steps.ask(wrong_fence, at(1)).await, Admitted::LeaseLost);
    // The broker has it still, and delivers it again.
    assert!(ledger.show(named("a")).await.expect("shown").is_empty());
    drop(go(steps.deliver(job("a"), at(2)).await));
}
