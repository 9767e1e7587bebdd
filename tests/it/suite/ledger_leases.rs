//! Leases: who may send by which number.

use std::time::Duration;

use tidegate::clock::Timestamp;
use tidegate::ledger::{AdmitRequest, Admitted, Fence, Lease, Ledger, WorkerId};
use tidegate::outcome::State;

use super::bench::Bench;
use super::ledger::*;

/// Longer than any test on a slow machine: a database counts real seconds.
const TTL: Duration = Duration::from_secs(600);

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn lease_of(name: &str, fence: i64) -> Lease {
    Lease { name: name.to_owned(), fence: Fence(fence) }
}

async fn take(ledger: &Ledger, worker: WorkerId, some: &[&str], now: Timestamp) -> Vec<Lease> {
    ledger.take_leases(worker, names(some), TTL, now).await.expect("answered")
}

pub async fn a_lease_has_one_owner_and_a_new_fence_with_each(bench: &Bench) {
    let all = ["task:sweep", "number:7"];
    let both = [lease_of("task:sweep", 1), lease_of("number:7", 1)];
    assert_eq!(take(bench, worker(), &all, at(0)).await, both);
    assert_eq!(take(bench, worker(), &all, at(1)).await, both, "one's own are renewed");
    assert_eq!(take(bench, other(), &all, ms(600_999)).await, []);
    let now = bench.let_run_out(TTL, at(1)).await;
    let taken = [lease_of("task:sweep", 2), lease_of("number:7", 2)];
    assert_eq!(take(bench, other(), &all, now).await, taken);
    assert_eq!(take(bench, worker(), &all, now).await, []);
}

pub async fn a_lease_given_up_is_free_at_once(ledger: &Ledger) {
    take(ledger, worker(), &["number:7"], at(0)).await;
    ledger.release_leases(worker()).await.expect("released");
    assert_eq!(take(ledger, other(), &["number:7"], at(0)).await, [lease_of("number:7", 2)]);
    ledger.release_leases(worker()).await.expect("released");
    assert_eq!(take(ledger, other(), &["number:7"], at(0)).await, [lease_of("number:7", 2)], "not theirs to give up");
}

pub async fn leases_are_listed_whoever_holds_them(bench: &Bench) {
    assert!(bench.leases(at(0)).await.expect("listed").is_empty());
    take(bench, worker(), &["worker:1", "number:7"], at(0)).await;
    take(bench, other(), &["number:5"], at(0)).await;
    take(bench, other(), &["number:6"], at(0)).await;
    bench.hand_over(other(), names(&["number:6", "number:7"])).await.expect("handed over");
    let rows = bench.leases(at(1)).await.expect("listed");
    let held: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.owner, row.fence.0)).collect();
    let (mine, others) = (Some(worker()), Some(other()));
    let all = [("number:5", others, 1), ("number:6", None, 1), ("number:7", mine, 1), ("worker:1", mine, 1)];
    assert_eq!(held, all);
    for row in &rows {
        assert_eq!(!row.left.is_zero(), row.owner.is_some(), "{row:?}");
        assert!(row.left <= TTL, "{row:?}");
    }
    let now = bench.let_run_out(TTL, at(0)).await;
    let rows = bench.leases(now).await.expect("listed");
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.owner.is_none() && row.left.is_zero()), "{rows:?}");
}

pub async fn a_number_handed_over_is_free_at_once_and_claims_stay(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let kept = Steps::of(ledger, worker(), "2002").await;
    steps.enqueue(job("a"), at(0)).await;
    steps.claim(0, 1, at(0)).await;
    ledger.hand_over(worker(), names(&["number:1001"])).await.expect("handed over");
    assert_eq!(take(ledger, other(), &["number:1001", "number:2002"], at(0)).await, [lease_of("number:1001", 2)]);
    assert_eq!(steps.admit(job("a"), at(1)).await, Admitted::LeaseLost);
    drop(go(kept.admit(job("a"), at(1)).await));
}

pub async fn old_leases_are_forgotten_and_no_numbers_fence(ledger: &Ledger) {
    take(ledger, worker(), &["number:7", "probe:1", "task:trim", "worker:1"], at(0)).await;
    ledger.hand_over(worker(), names(&["number:7", "probe:1", "worker:1"])).await.expect("handed over");
    ledger.trim(at(-1_000), 100).await.expect("trimmed");
    let rows = ledger.leases(at(0)).await.expect("listed");
    assert_eq!(rows.into_iter().map(|row| row.name).collect::<Vec<_>>(), ["number:7", "task:trim"]);
    assert_eq!(take(ledger, other(), &["number:7"], at(0)).await, [lease_of("number:7", 2)]);
}

pub async fn only_the_owner_of_a_number_sends_by_it(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    steps.enqueue(job("a"), at(0)).await;
    steps.claim(0, 1, at(1)).await;
    let wrong_fence = AdmitRequest { fence: Fence(steps.fence.0 + 1), ..steps.request(job("a")) };
    assert_eq!(steps.ask(wrong_fence, at(1)).await, Admitted::LeaseLost);
    let not_leased = AdmitRequest { number: "2002".parse().expect("a number"), ..steps.request(job("a")) };
    assert_eq!(steps.ask(not_leased, at(1)).await, Admitted::LeaseLost);
    assert_eq!(steps.admit(job("a"), at(2_000_000)).await, Admitted::Ended(State::Expired));
    steps.enqueue(job("b"), at(1)).await;
    steps.claim(0, 1, at(1)).await;
    ledger.hand_over(worker(), names(&["number:1001"])).await.expect("handed over");
    assert_eq!(steps.admit(job("b"), at(2)).await, Admitted::LeaseLost);
    assert_eq!(steps.stands("b").await, (State::Queued, None));
    let fence = lease(ledger, worker(), NUMBER).await;
    drop(go(steps.ask(AdmitRequest { fence, ..steps.request(job("b")) }, at(3)).await));
}

pub async fn a_lease_that_ran_out_admits_nothing(bench: &Bench) {
    let fence = take(bench, worker(), &["number:1001"], at(0)).await[0].fence;
    let steps = Steps { ledger: bench, worker: worker(), number: NUMBER, fence };
    for name in ["a", "b"] {
        steps.enqueue(job(name), at(0)).await;
    }
    steps.claim(0, 9, at(1)).await;
    drop(go(steps.admit(job("a"), ms(599_999)).await));
    let now = bench.let_run_out(TTL, at(0)).await;
    assert_eq!(steps.admit(job("b"), now).await, Admitted::LeaseLost);
    assert_eq!(steps.deliver(job("c"), now).await, Admitted::LeaseLost);
}

pub async fn an_old_fence_admits_nothing(bench: &Bench) {
    let old = take(bench, worker(), &["number:1001"], at(0)).await[0].fence;
    let now = bench.let_run_out(TTL, at(0)).await;
    assert_eq!(take(bench, other(), &["number:1001"], now).await, [lease_of("number:1001", 2)]);
    let asleep = Steps { ledger: bench, worker: worker(), number: NUMBER, fence: old };
    let taker = Steps { worker: other(), fence: Fence(2), ..asleep };
    assert_eq!(asleep.deliver(job("a"), now).await, Admitted::LeaseLost);
    let sending = go(taker.deliver(job("a"), now).await);
    // The number comes back: what was decided under the old lease stays decided.
    bench.hand_over(other(), names(&["number:1001"])).await.expect("handed over");
    assert_eq!(take(bench, worker(), &["number:1001"], now).await, [lease_of("number:1001", 3)]);
    assert_eq!(asleep.deliver(job("b"), now).await, Admitted::LeaseLost);
    // An answer is welcome under whatever lease.
    taker.settle(&sending, accepted(), now).await;
    assert_eq!(taker.stands("a").await.0, State::Accepted);
}
