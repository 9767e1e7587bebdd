//! What attempts come to.

use tidegate::hold::{Cover, Effect, Scope};
use tidegate::ledger::{Fate, Ledger, Settled, Settlement};
use tidegate::outcome::{Reason, State};

use super::ledger::*;

pub async fn an_accepted_job_ends_and_its_row_goes(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    let fate = Fate::Accepted { wamid: "wamid.7".to_owned(), held_for_quality: true };
    assert_eq!(steps.settle(&admission, fate, at(1)).await, Settled::Done);
    let row = steps.show("a").await;
    assert_eq!((row.state, row.wamid.as_deref()), (State::Accepted, Some("wamid.7")));
    assert_eq!((row.accepted_at, row.ended_at, row.deadline), (Some(at(1)), Some(at(1)), None));
    assert!(row.details.is_some_and(|details| details.contains("quality")));
    assert!(steps.claim(9, 9, at(2)).await.rows.is_empty());
}

pub async fn a_retry_waits_for_its_time_and_counts(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    steps.settle(&admission, retry(at(10)), at(1)).await;
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason), (State::Waiting, Some(Reason::ServiceUnavailable)));
    assert_eq!((row.due_at, row.code, row.deadline), (Some(at(10)), Some(131_016), None));
    let trail = ledger.trail(job("a").key).await.expect("read");
    assert_eq!((trail[0].number.as_deref(), trail[0].code), (Some(NUMBER), Some(131_016)));
    assert!(steps.claim(9, 9, ms(9_999)).await.rows.is_empty());
    let admission = steps.start_again(job("a"), at(10)).await;
    assert_eq!((admission.attempt(), admission.tries()), (2, 1));
    let free = Fate::Retry { due: at(20), reason: Reason::Throughput, code: Some(130_429), charged: false };
    steps.settle(&admission, free, at(11)).await;
    let admission = steps.start_again(job("a"), at(20)).await;
    assert_eq!((admission.attempt(), admission.tries()), (3, 1));
}

pub async fn a_job_ends_with_its_reason(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    let (state, reason, code) = (State::Failed, Reason::NotOnWhatsapp, Some(131_026));
    steps.settle(&admission, Fate::End { state, reason, code, details: "Undeliverable".to_owned() }, at(1)).await;
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason, row.code), (state, Some(reason), code));
    assert_eq!((row.details.as_deref(), row.accepted_at), (Some("Undeliverable"), None));
}

pub async fn a_job_is_parked_under_the_hold_that_it_places(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    let fate = Fate::Park { reason: Reason::Credentials, code: Some(190) };
    let placed = order(Cover::of(Scope::Credential, "main"), Effect::Wait, None);
    let settled = Settlement { hold: Some(placed), ..settlement(&admission, fate, at(1)) };
    assert_eq!(steps.settle_with(settled).await, Settled::Done);
    let holds = ledger.holds().await.expect("listed");
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason, row.code), (State::Waiting, Some(Reason::Credentials), Some(190)));
    assert_eq!(row.hold.as_ref(), holds.first());
    assert!(steps.lift(holds[0].id, at(2)).await);
    assert_eq!(steps.start_again(job("a"), at(3)).await.tries(), 0);
}

pub async fn a_job_is_parked_under_a_hold_that_others_placed(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    let hold = steps.place(order(Cover::of(Scope::Waba, "waba"), Effect::Wait, None), at(1)).await;
    steps.settle(&admission, Fate::Park { reason: Reason::LastLook, code: None }, at(2)).await;
    assert_eq!(steps.show("a").await.hold, Some(hold));
}

pub async fn a_job_with_nothing_to_park_under_goes_at_once(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    steps.settle(&admission, Fate::Park { reason: Reason::LastLook, code: None }, at(2)).await;
    assert_eq!(steps.start_again(job("a"), at(2)).await.attempt(), 2);
}

pub async fn an_unknown_job_keeps_its_row_until_its_time(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    steps.settle(&admission, unknown(at(60)), at(1)).await;
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason, row.deadline), (State::Unknown, Some(Reason::Timeout), Some(at(60))));
    assert!(steps.claim(9, 9, at(2)).await.rows.is_empty());
    assert!(ledger.trail(job("a").key).await.expect("read").is_empty());
}

pub async fn a_late_answer_is_welcome(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for (name, fate, state) in [
        ("a", accepted(), State::Accepted),
        ("b", retry(at(2_000)), State::Waiting),
        ("c", unknown(at(2_000)), State::Unknown),
    ] {
        let admission = steps.start(job(name), at(0)).await;
        assert_eq!(ledger.sweep(at(1_000), WAIT, 100).await.expect("swept").overdue, 1);
        assert_eq!(steps.stands(name).await, (State::Unknown, Some(Reason::WorkerLost)));
        assert_eq!(steps.settle(&admission, fate, at(1_001)).await, Settled::Done);
        assert_eq!(steps.stands(name).await.0, state);
    }
}

pub async fn an_answer_to_another_attempt_changes_nothing(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let first = steps.start(job("a"), at(0)).await;
    steps.settle(&first, retry(at(10)), at(1)).await;
    assert_eq!(steps.settle(&first, accepted(), at(2)).await, Settled::Stale);
    let second = steps.start_again(job("a"), at(10)).await;
    assert_eq!(steps.settle(&first, accepted(), at(11)).await, Settled::Stale);
    assert_eq!(steps.stands("a").await, (State::Sending, None));
    steps.settle(&second, accepted(), at(12)).await;
    assert_eq!(steps.settle(&second, retry(at(20)), at(13)).await, Settled::Stale);
    assert_eq!(steps.stands("a").await, (State::Accepted, None));
}

pub async fn what_an_answer_says_of_the_number_holds_even_if_it_comes_too_late(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    steps.settle(&admission, accepted(), at(1)).await;
    let hold = Some(pause(NUMBER));
    let stale = Settlement { hold, ..settlement(&admission, retry(at(9)), at(2)) };
    assert_eq!(steps.settle_with(stale).await, Settled::Stale);
    assert_eq!(ledger.holds().await.expect("listed").len(), 1);
}

pub async fn an_answer_does_not_lift_what_a_person_placed(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    let rest = steps.place(rest(NUMBER, at(5)), at(1)).await;
    let pause = steps.place(pause(NUMBER), at(1)).await;
    assert_eq!((pause.id, pause.until, pause.probe), (rest.id, None, false));
    let settled = Settlement { lift: Some(rest.id), ..settlement(&admission, accepted(), at(6)) };
    assert_eq!(steps.settle_with(settled).await, Settled::Done);
    assert_eq!(ledger.holds().await.expect("listed").len(), 1);
}
