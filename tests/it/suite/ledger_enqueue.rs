//! Taking jobs in.

use tidegate::job::{Job, JobKey};
use tidegate::ledger::{Cancelled, Enqueued, JobRef, Ledger};
use tidegate::outcome::{Reason, State};

use super::ledger::*;

pub async fn a_job_handed_in_twice_is_taken_once(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    assert_eq!(steps.enqueue(job("a"), at(0)).await, Enqueued::Fresh);
    assert_eq!(steps.enqueue(job("a"), at(1)).await, Enqueued::Duplicate(State::Queued));
    assert_eq!(ids(&steps.claim(9, 9, at(2)).await), ["a"]);
}

pub async fn a_duplicate_is_told_where_the_job_stands(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let admission = steps.start(job("a"), at(0)).await;
    assert_eq!(steps.enqueue(job("a"), at(1)).await, Enqueued::Duplicate(State::Sending));
    steps.settle(&admission, accepted(), at(2)).await;
    assert_eq!(steps.enqueue(job("a"), at(3)).await, Enqueued::Duplicate(State::Accepted));
    assert!(steps.claim(9, 9, at(4)).await.rows.is_empty());
}

pub async fn an_id_that_says_something_else_is_refused(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.enqueue(job("a"), at(0)).await;
    assert_eq!(steps.enqueue(reworded(job("a")), at(1)).await, Enqueued::IdReused);
}

pub async fn a_batch_is_answered_job_by_job(ledger: &Ledger) {
    let batch = vec![routed(job("a")), routed(job("b")), routed(job("a")), routed(reworded(job("b")))];
    let answers = ledger.enqueue(batch, at(0)).await.expect("enqueued");
    let duplicate = Enqueued::Duplicate(State::Queued);
    assert_eq!(answers, [Enqueued::Fresh, Enqueued::Fresh, duplicate, Enqueued::IdReused]);
}

pub async fn a_large_batch_is_taken_whole_and_in_order(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let batch: Vec<_> = (0..1_234).map(|n| routed(job(&format!("job {n}")))).collect();
    let answers = ledger.enqueue(batch, at(0)).await.expect("enqueued");
    assert_eq!(answers, vec![Enqueued::Fresh; 1_234]);
    let claimed = ids(&steps.claim(0, 2_000, at(1)).await);
    assert_eq!(claimed, (0..1_234).map(|n| format!("job {n}")).collect::<Vec<_>>());
}

pub async fn two_producers_may_share_an_id(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.enqueue(from_source("shop", job("a")), at(0)).await;
    steps.enqueue(from_source("desk", job("a")), at(0)).await;
    assert_eq!(ledger.show(named("a")).await.expect("shown").len(), 2);
    let of_desk = JobRef { source: Some("desk".to_owned()), id: "a".to_owned() };
    let shown = ledger.show(of_desk).await.expect("shown");
    assert_eq!(shown.iter().map(|row| row.source.as_deref()).collect::<Vec<_>>(), [Some("desk")]);
    let cancelled = ledger.cancel(vec![named("a")], Unseen::Refuse, at(1)).await.expect("answered");
    assert_eq!(cancelled, [Cancelled::Ambiguous]);
}

pub async fn a_job_is_found_by_its_key_too(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.enqueue(job("a"), at(0)).await;
    let key = JobKey::of(None, &"a".parse().expect("an id")).to_string();
    assert_eq!(steps.show(&key).await.id, "a");
    assert!(ledger.show(named("b")).await.expect("shown").is_empty());
}

pub async fn a_job_not_to_be_sent_yet_waits_for_its_time(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.enqueue(Job { not_before: Some(at(60)), ..job("later") }, at(0)).await;
    let row = steps.show("later").await;
    assert_eq!((row.state, row.reason, row.due_at), (State::Waiting, Some(Reason::NotBefore), Some(at(60))));
    let claimed = steps.claim(9, 9, at(59)).await;
    assert!(claimed.rows.is_empty());
    assert_eq!((claimed.dues, claimed.more), (vec![Some(at(60))], vec![false]));
    let claimed = steps.claim(9, 9, at(60)).await;
    assert_eq!((ids(&claimed), claimed.rows[0].due_at), (vec!["later".to_owned()], Some(at(60))));
}
