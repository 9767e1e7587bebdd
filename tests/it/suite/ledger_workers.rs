//! Two workers at one ledger, at the same moment.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate::ledger::{Admitted, Enqueued, Ledger};
use tidegate::outcome::State;

use super::bench::Bench;
use super::ledger::*;

fn names(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("job {n:03}")).collect()
}

pub async fn two_workers_claim_each_row_once(bench: &Bench) {
    let second = bench.another().await;
    let one = Steps::of(bench, worker(), NUMBER).await;
    let two = Steps::of(&second, other(), "2002").await;
    let all = names(400);
    bench.enqueue(all.iter().map(|name| routed(job(name))).collect(), at(0)).await.expect("enqueued");
    let mut claimed = Vec::new();
    while claimed.len() < all.len() {
        let (by_one, by_two) = tokio::join!(one.claim(0, 30, at(1)), two.claim(0, 30, at(1)));
        let round = [ids(&by_one), ids(&by_two)].concat();
        assert!(!round.is_empty(), "{} of {} are claimed, and no more come", claimed.len(), all.len());
        claimed.extend(round);
    }
    let different: BTreeSet<_> = claimed.iter().collect();
    assert_eq!((claimed.len(), different.len()), (400, 400));
}

pub async fn two_workers_send_one_delivery_once(bench: &Bench) {
    let second = bench.another().await;
    let one = Steps::of(bench, worker(), NUMBER).await;
    let two = Steps::of(&second, other(), "2002").await;
    let all = names(60);
    let first = all.iter().map(|name| one.delivery(job(name))).collect();
    // The other way round: batches must not wait for each other for ever.
    let then = all.iter().rev().map(|name| two.delivery(job(name))).collect();
    let (by_one, by_two) = tokio::join!(bench.admit(first, at(1)), second.admit(then, at(1)));
    let (by_one, by_two) = (by_one.expect("answered"), by_two.expect("answered"));
    for (name, (one, two)) in all.iter().zip(by_one.iter().zip(by_two.iter().rev())) {
        let is_sent_once =
            matches!((one, two), (Admitted::Go(_), Admitted::InFlight) | (Admitted::InFlight, Admitted::Go(_)));
        assert!(is_sent_once, "{name}: {one:?} {two:?}");
    }
    let answers = by_one.into_iter().chain(by_two).filter(|answer| matches!(answer, Admitted::Go(_)));
    let settlements: Vec<_> = answers.map(|answer| settlement(&go(answer), accepted(), at(2))).collect();
    let (first, then) = settlements.split_at(30);
    let (by_one, by_two) = tokio::join!(bench.settle(then.to_vec()), second.settle(first.to_vec()));
    assert_eq!(by_one.expect("settled").len() + by_two.expect("settled").len(), 60);
    assert_eq!(one.census().await.states, [(State::Accepted, 60)]);
}

pub async fn two_workers_place_one_hold(bench: &Bench) {
    let second = bench.another().await;
    let (one, two) = tokio::join!(bench.place(pause(NUMBER), at(0)), second.place(rest(NUMBER, at(9)), at(0)));
    let (one, two) = (one.expect("placed"), two.expect("placed"));
    assert_eq!(one.id, two.id);
    assert_eq!(BTreeSet::from([one.step, two.step]), BTreeSet::from([1, 2]));
    let holds = bench.holds().await.expect("listed");
    assert_eq!(holds.iter().map(|hold| (hold.id, hold.until)).collect::<Vec<_>>(), [(one.id, None)]);
    assert_eq!(second.holds().await.expect("listed"), holds);
    let (one, two) = tokio::join!(bench.lift(one.id, at(1)), second.lift(one.id, at(1)));
    assert_ne!(one.expect("answered"), two.expect("answered"), "it is lifted once");
}

pub async fn two_workers_take_a_lease_once(bench: &Bench) {
    let second = bench.another().await;
    let all: Vec<_> = (0..40).map(|n| format!("number:{n}")).collect();
    let reversed: Vec<_> = all.iter().rev().cloned().collect();
    let ttl = Duration::from_secs(600);
    let (one, two) = tokio::join!(
        bench.take_leases(worker(), all.clone(), ttl, at(0)),
        second.take_leases(other(), reversed, ttl, at(0)),
    );
    let taken = [one.expect("answered"), two.expect("answered")].concat();
    assert!(taken.iter().all(|lease| lease.fence.0 == 1), "{taken:?}");
    assert_eq!(taken.iter().map(|lease| &lease.name).collect::<BTreeSet<_>>(), all.iter().collect());
    assert_eq!(taken.len(), all.len());
}

pub async fn two_workers_take_in_one_job(bench: &Bench) {
    let second = bench.another().await;
    let all = names(60);
    let jobs = |names: &[String]| names.iter().map(|name| routed(job(name))).collect::<Vec<_>>();
    let reversed: Vec<_> = all.iter().rev().cloned().collect();
    let (one, two) = tokio::join!(bench.enqueue(jobs(&all), at(0)), second.enqueue(jobs(&reversed), at(0)));
    let (one, two) = (one.expect("enqueued"), two.expect("enqueued"));
    let duplicate = Enqueued::Duplicate(State::Queued);
    for (one, two) in one.into_iter().zip(two.into_iter().rev()) {
        let is_taken_once = (one, two) == (Enqueued::Fresh, duplicate) || (one, two) == (duplicate, Enqueued::Fresh);
        assert!(is_taken_once, "{one:?} {two:?}");
    }
    assert_eq!(bench.census().await.expect("counted").states, [(State::Queued, 60)]);
}

pub async fn what_one_worker_does_the_other_hears(bench: &Bench) {
    let second: Ledger = bench.another().await;
    let steps = Steps::of(&second, other(), "2002").await;
    let mut signals = second.signals();
    let before = *signals.borrow_and_update();
    bench.enqueue(vec![routed(job("a"))], at(0)).await.expect("enqueued");
    hear(&mut signals, |signal| signal.work > before.work).await;
    assert_eq!(ids(&steps.claim(9, 9, at(0)).await), ["a"]);
    let hold = bench.place(pause("2002"), at(1)).await.expect("placed");
    // The very next admission obeys, whether or not the signal has come.
    assert_eq!(steps.admit(job("a"), at(1)).await, Admitted::Parked(hold.id));
    hear(&mut signals, |signal| signal.holds > before.holds).await;
    assert_eq!(second.holds().await.expect("listed"), std::slice::from_ref(&hold));
    let placed = *signals.borrow_and_update();
    assert!(bench.lift(hold.id, at(2)).await.expect("answered"));
    hear(&mut signals, |signal| signal.holds > placed.holds && signal.work > placed.work).await;
    assert_eq!(ids(&steps.claim(9, 9, at(2)).await), ["a"]);
    drop(go(steps.admit(job("a"), at(2)).await));
}
