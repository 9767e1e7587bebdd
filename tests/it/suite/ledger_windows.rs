//! Jobs without a template: only who wrote lately may be sent one, and only by the number that was written to.

use std::sync::Arc;

use tidegate::hold::{Cover, Effect, Scope};
use tidegate::job::Job;
use tidegate::ledger::{AdmitRequest, Admitted, Hand, LaneRoom, Ledger, Routed};
use tidegate::outcome::{Reason, State};

use super::bench::Bench;
use super::ledger::*;
use super::told::*;

const RECIPIENT: &str = "+447700900123";
const SIBLING: &str = "2002";
const DAY: i64 = 24 * 60 * 60;

/// A free-form job that is worth sending for days.
fn text(id: &str) -> Job {
    Job { expires_at: at(9 * DAY), ..free_form(job(id)) }
}

/// By the number that the steps own, or by the other one of the pool.
fn either(request: AdmitRequest) -> AdmitRequest {
    let siblings = [NUMBER, SIBLING].map(|number| number.parse().expect("a number"));
    AdmitRequest { siblings: Arc::new(siblings), deadline: at(9 * DAY), ..request }
}

async fn claim_pinned(steps: &Steps<'_>, number: &str, now: i64) -> Vec<String> {
    let lane = LaneRoom { route: pinned(number), ..room(9, 9) };
    ids(&steps.ledger.claim(steps.worker, vec![lane], at(now)).await.expect("claimed"))
}

pub async fn a_window_stands_for_a_day_from_the_last_message(ledger: &Ledger) {
    open(ledger, vec![wrote(RECIPIENT, NUMBER, at(60)), wrote(RECIPIENT, NUMBER, at(0))], at(61)).await;
    open(ledger, vec![wrote(RECIPIENT, NUMBER, at(30)), wrote("+4915112345678", NUMBER, at(90))], at(91)).await;
    let windows = |now| ledger.windows(RECIPIENT.to_owned(), now);
    assert_eq!(windows(at(100)).await.expect("listed"), [wrote(RECIPIENT, NUMBER, at(60))]);
    assert_eq!(windows(ms(60_000 + DAY * 1_000 - 1)).await.expect("listed").len(), 1);
    assert!(windows(at(60 + DAY)).await.expect("listed").is_empty());
    open(ledger, vec![wrote(RECIPIENT, SIBLING, at(200))], at(200)).await;
    let both = windows(at(200)).await.expect("listed");
    assert_eq!(both, [wrote(RECIPIENT, NUMBER, at(60)), wrote(RECIPIENT, SIBLING, at(200))]);
}

pub async fn a_job_without_template_goes_while_the_window_is_open(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    // So long ago that it is known who writes to this number.
    open(ledger, vec![wrote("+4915112345678", NUMBER, at(0)), wrote(RECIPIENT, NUMBER, at(2 * DAY))], at(2 * DAY))
        .await;
    for name in ["claimed", "delivered"] {
        let now = at(3 * DAY - 1);
        let request = if name == "claimed" {
            steps.enqueue(text(name), now).await;
            steps.claim(9, 9, now).await;
            steps.request(text(name))
        } else {
            steps.delivery(text(name))
        };
        drop(go(steps.ask(either(request), now).await));
    }
}

pub async fn a_job_without_template_ends_where_nobody_wrote(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    open(ledger, vec![wrote("+4915112345678", NUMBER, at(0))], at(1)).await;
    // Webhooks of this number have not been seen for a day: whoever wrote before is not known.
    drop(go(steps.ask(either(steps.delivery(text("early"))), ms(DAY * 1_000 - 1)).await));
    for hand in [Hand::Delivered, Hand::Claimed(steps.worker)] {
        let job = text(&format!("{hand:?}").to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), ""));
        if hand != Hand::Delivered {
            steps.enqueue(job.clone(), at(DAY)).await;
            assert_eq!(steps.claim(9, 9, at(DAY)).await.rows.len(), 1);
        }
        let request = AdmitRequest { hand, ..either(steps.request(job.clone())) };
        assert_eq!(steps.ask(request, at(DAY)).await, Admitted::Ended(State::Failed));
        let row = steps.show(job.id.as_str()).await;
        assert_eq!((row.state, row.reason, row.attempts), (State::Failed, Some(Reason::WindowClosed), 0));
        assert_eq!((row.ended_at, row.deadline), (Some(at(DAY)), None));
    }
    // A template may go to anybody.
    drop(go(steps.ask(either(steps.delivery(Job { expires_at: at(9 * DAY), ..job("template") })), at(DAY)).await));
    assert_eq!(steps.census().await.states, [(State::Sending, 2), (State::Failed, 2)]);
}

pub async fn the_number_that_was_written_to_answers(bench: &Bench) {
    let steps = Steps::new(bench).await;
    let sibling = Steps::of(bench, other(), SIBLING).await;
    open(bench, vec![wrote("+4915112345678", NUMBER, at(0)), wrote(RECIPIENT, SIBLING, at(DAY))], at(DAY)).await;
    let now = DAY + 1;
    steps.enqueue(text("claimed"), at(now)).await;
    steps.claim(9, 9, at(now)).await;
    let mut signals = bench.signals();
    let before = *signals.borrow_and_update();
    let elsewhere = || Admitted::Elsewhere(SIBLING.parse().expect("a number"));
    assert_eq!(steps.ask(either(steps.request(text("claimed"))), at(now)).await, elsewhere());
    hear(&mut signals, |signal| signal.work > before.work).await;
    assert_eq!(steps.ask(either(steps.delivery(text("delivered"))), at(now)).await, elsewhere());
    assert_eq!(bench.with_bodies().await.len(), 2);
    assert!(steps.claim(9, 9, at(now)).await.rows.is_empty());
    assert_eq!(claim_pinned(&sibling, SIBLING, now).await, ["claimed", "delivered"]);
    for name in ["claimed", "delivered"] {
        let routed = Routed { route: pinned(SIBLING), ..routed(text(name)) };
        let request = AdmitRequest { routed, ..either(sibling.request(text(name))) };
        let admission = go(sibling.ask(request, at(now)).await);
        assert_eq!((admission.attempt(), admission.number().as_str()), (1, SIBLING));
        sibling.settle(&admission, accepted(), at(now)).await;
    }
    // Delivered again, it has ended; nothing is left in line.
    let again = either(steps.delivery(text("delivered")));
    assert_eq!(steps.ask(again, at(now)).await, Admitted::Ended(State::Accepted));
    assert_eq!(steps.census().await.states, [(State::Accepted, 2)]);
    assert!(bench.with_bodies().await.is_empty());
}

pub async fn a_job_for_one_number_alone_goes_by_no_other(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    open(ledger, vec![wrote("+4915112345678", NUMBER, at(0)), wrote(RECIPIENT, SIBLING, at(DAY))], at(DAY)).await;
    let routed = Routed { route: pinned(NUMBER), ..routed(text("a")) };
    let request = AdmitRequest { routed, ..either(steps.delivery(text("a"))) };
    assert_eq!(steps.ask(request, at(DAY)).await, Admitted::Ended(State::Failed));
}

pub async fn who_opted_out_gets_no_answer_by_any_number(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    open(ledger, vec![wrote(RECIPIENT, NUMBER, at(0)), wrote("+4915112345678", SIBLING, at(0))], at(1)).await;
    for recipient in [RECIPIENT, "+4915112345678"] {
        steps.place(order(Cover::of(Scope::Recipient, recipient), Effect::End, None), at(2)).await;
        let job = to(recipient, text(&format!("to {recipient}")));
        assert_eq!(steps.ask(either(steps.delivery(job)), at(3)).await, Admitted::Ended(State::Suppressed));
    }
}

pub async fn a_batch_of_all_kinds_is_answered_in_order(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let (open_to, closed_to, other_to) = ("+4915100000001", "+4915100000002", "+4915100000003");
    open(ledger, vec![wrote(open_to, NUMBER, at(0))], at(0)).await;
    open(ledger, vec![wrote(open_to, NUMBER, at(DAY)), wrote(other_to, SIBLING, at(DAY))], at(DAY)).await;
    let jobs = [
        to(open_to, text("open")),
        to(closed_to, text("closed")),
        to(other_to, text("elsewhere")),
        Job { expires_at: at(9 * DAY), ..job("template") },
    ];
    let requests = jobs.iter().map(|job| either(steps.delivery(job.clone()))).collect();
    let answers = ledger.admit(requests, at(DAY)).await.expect("answered");
    assert!(matches!(answers[0], Admitted::Go(_)), "{answers:?}");
    assert_eq!(answers[1], Admitted::Ended(State::Failed));
    assert_eq!(answers[2], Admitted::Elsewhere(SIBLING.parse().expect("a number")));
    assert!(matches!(answers[3], Admitted::Go(_)), "{answers:?}");
}
