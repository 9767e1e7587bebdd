//! Jobs taken back, also before anybody has seen them.

use tidegate::job::Job;
use tidegate::ledger::{Admitted, Cancelled, Enqueued, JobRef, Ledger};
use tidegate::outcome::{Reason, State};

use super::ledger::*;

pub async fn a_job_that_has_not_left_can_be_taken_back(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let sending = steps.start(job("sending"), at(0)).await;
    steps.enqueue(job("queued"), at(0)).await;
    steps.enqueue(Job { not_before: Some(at(50)), ..job("waiting") }, at(0)).await;
    let names = ["queued", "waiting", "sending", "nowhere", "queued"].map(named).to_vec();
    let answers = ledger.cancel(names, Unseen::Refuse, at(1)).await.expect("answered");
    let too_late = Cancelled::TooLate(State::Sending);
    assert_eq!(answers, [Cancelled::Done, Cancelled::Done, too_late, Cancelled::NotSeen, Cancelled::Done]);
    assert_eq!(steps.stands("waiting").await, (State::Cancelled, Some(Reason::Cancelled)));
    assert!(steps.claim(9, 9, at(60)).await.rows.is_empty());
    steps.settle(&sending, accepted(), at(2)).await;
}

pub async fn a_job_that_nobody_has_seen_can_be_taken_back_ahead(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let of_shop = JobRef { source: Some("shop".to_owned()), id: "b".to_owned() };
    let names = vec![named("a"), of_shop.clone(), named("a")];
    let answers = ledger.cancel(names, Unseen::Leave, at(1)).await.expect("answered");
    assert_eq!(answers, [Cancelled::Ahead, Cancelled::Ahead, Cancelled::Done]);
    let row = steps.show("a").await;
    assert_eq!((row.state, row.reason, row.ended_at), (State::Cancelled, Some(Reason::Cancelled), Some(at(1))));
    // Whatever comes up under this name, in whatever words.
    assert_eq!(steps.deliver(job("a"), at(2)).await, Admitted::Ended(State::Cancelled));
    assert_eq!(steps.deliver(reworded(job("a")), at(2)).await, Admitted::Ended(State::Cancelled));
    assert_eq!(steps.enqueue(from_source("shop", job("b")), at(2)).await, Enqueued::Duplicate(State::Cancelled));
    assert!(ledger.dead_list(0, 9).await.expect("listed").is_empty());
    // Of the same id, another producer's.
    drop(go(steps.deliver(job("b"), at(3)).await));
    assert_eq!(ledger.show(of_shop).await.expect("shown")[0].state, State::Cancelled);
    assert!(steps.claim(9, 9, at(4)).await.rows.is_empty());
    assert_eq!(steps.census().await.states, [(State::Sending, 1), (State::Cancelled, 2)]);
}

pub async fn a_name_that_no_job_can_have_is_not_taken_back(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let of_nobody = JobRef { source: Some("no such\nsource".to_owned()), id: "a".to_owned() };
    let answers = ledger.cancel(vec![named(""), of_nobody], Unseen::Leave, at(1)).await.expect("answered");
    assert_eq!(answers, [Cancelled::NotSeen, Cancelled::NotSeen]);
    assert!(steps.census().await.states.is_empty());
}

pub async fn a_job_taken_back_ahead_is_forgotten_in_time(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    ledger.cancel(vec![named("a")], Unseen::Leave, at(1)).await.expect("answered");
    assert_eq!(ledger.trim(at(1), 9).await.expect("trimmed"), 0);
    assert_eq!(ledger.trim(at(2), 9).await.expect("trimmed"), 1);
    assert!(steps.census().await.states.is_empty());
    drop(go(steps.deliver(Job { campaign: None, ..job("a") }, at(3)).await));
}
