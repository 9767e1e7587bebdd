//! The ledger's suite on PostgreSQL, and what only a database of several workers can promise.

use tidegate::hold::{Cover, Effect, HoldId, Scope};
use tidegate::ledger::postgres::migrate;
use tidegate::ledger::{
    AdmitRequest, Admitted, Fence, Heard, HoldChange, LedgerError, Migrate, Moved, News, Publish, StrangeChange,
};
use tidegate::outcome::State;

use super::bench::Bench;
use super::cases::ledger_suite;
use super::ledger::*;
use super::ledger_model::every_job_stands_in_one_state;
use super::ledger_orders::every_order_leaves_the_same_row;
use super::schema::Schema;
use super::told::status;

ledger_suite!(postgres);

#[test]
fn every_job_stands_in_one_state_whatever_is_done() {
    every_job_stands_in_one_state(10, Bench::postgres);
}

#[tokio::test]
async fn every_order_of_a_messages_webhooks_leaves_the_same_row() {
    every_order_leaves_the_same_row(&Bench::postgres().await, 2_000).await;
}

#[tokio::test]
async fn each_job_is_accepted_once_whoever_dies() {
    super::ledger_storm::storm(&Bench::postgres().await, true).await;
}

#[tokio::test]
async fn places_are_counted_right_whatever_is_done_at_once() {
    super::ledger_quota_race::race(&Bench::postgres().await).await;
}

#[tokio::test]
async fn a_limit_is_heard_of_by_every_worker() {
    super::ledger_quota_race::hear_of_limits(&Bench::postgres().await).await;
}

#[tokio::test]
async fn claims_of_a_worker_that_is_gone_are_free() {
    let bench = Bench::postgres().await;
    let second = bench.another().await;
    let gone = Steps::new(&bench).await;
    for name in ["claimed", "sending", "lost"] {
        gone.enqueue(job(name), at(0)).await;
    }
    gone.claim(0, 9, at(0)).await;
    let sending = go(gone.admit(job("sending"), at(0)).await);
    let lost = go(gone.admit(job("lost"), at(0)).await);
    gone.settle(&lost, unknown(at(60)), at(1)).await;
    let mut signals = second.signals();
    let before = *signals.borrow_and_update();
    let heir = Steps::of(&second, other(), "2002").await;
    assert!(heir.claim(9, 9, at(1)).await.rows.is_empty(), "who has a lease keeps its claims");
    bench.let_run_out(std::time::Duration::ZERO, at(1)).await;
    let heir = Steps::of(&second, other(), "2002").await;
    hear(&mut signals, |signal| signal.work > before.work).await;
    assert_eq!(ids(&heir.claim(9, 9, at(2)).await), ["claimed"]);
    // Who wakes up finds that its claim is another's; what it was sending it settles.
    let awake = Steps::new(&bench).await;
    assert_eq!(awake.admit(job("claimed"), at(3)).await, Admitted::InFlight);
    bench.give_back(worker(), vec![job("claimed").key]).await.expect("answered");
    bench.keep_only(worker(), vec![]).await.expect("answered");
    awake.settle(&sending, accepted(), at(3)).await;
    assert_eq!(awake.stands("sending").await.0, State::Accepted);
    assert!(heir.claim(9, 9, at(4)).await.rows.is_empty());
    drop(go(heir.admit(job("claimed"), at(4)).await));
}

#[tokio::test]
async fn a_claim_stands_while_its_worker_has_any_lease() {
    let bench = Bench::postgres().await;
    let steps = Steps::new(&bench).await;
    let kept = Steps::of(&bench, worker(), "2002").await;
    steps.enqueue(job("a"), at(0)).await;
    steps.claim(0, 9, at(0)).await;
    bench.query("UPDATE leases SET expires_at = now() - interval '1 second' WHERE name = 'number:1001'").await;
    let heir = Steps::of(&bench, other(), NUMBER).await;
    assert!(heir.claim(9, 9, at(1)).await.rows.is_empty());
    drop(go(kept.admit(job("a"), at(1)).await));
}

#[tokio::test]
async fn who_stops_frees_its_claims_and_leases_and_is_heard() {
    let bench = Bench::postgres().await;
    let second = bench.another().await;
    let steps = Steps::new(&bench).await;
    steps.enqueue(job("a"), at(0)).await;
    steps.claim(0, 9, at(0)).await;
    let mut signals = second.signals();
    let before = *signals.borrow_and_update();
    bench.release_leases(worker()).await.expect("released");
    hear(&mut signals, |signal| signal.leases > before.leases && signal.work > before.work).await;
    let heir = Steps::of(&second, other(), NUMBER).await;
    assert_eq!(ids(&heir.claim(9, 9, at(1)).await), ["a"]);
}

#[tokio::test]
async fn who_comes_and_what_is_handed_over_is_heard() {
    let bench = Bench::postgres().await;
    let second = bench.another().await;
    let mut signals = second.signals();
    let before = *signals.borrow_and_update();
    let take =
        |name: &str| bench.take_leases(worker(), vec![name.to_owned()], std::time::Duration::from_secs(9), at(0));
    take("worker:1").await.expect("taken");
    hear(&mut signals, |signal| signal.leases > before.leases).await;
    take("number:1").await.expect("taken");
    let before = *signals.borrow_and_update();
    bench.hand_over(worker(), vec!["number:1".to_owned()]).await.expect("handed over");
    hear(&mut signals, |signal| signal.leases > before.leases).await;
}

#[tokio::test]
async fn what_another_worker_has_claimed_is_left_alone() {
    let bench = Bench::postgres().await;
    let one = Steps::new(&bench).await;
    let two = Steps::of(&bench, other(), "2002").await;
    one.enqueue(job("a"), at(0)).await;
    one.claim(0, 9, at(0)).await;
    assert_eq!(two.admit(job("a"), at(1)).await, Admitted::InFlight);
    bench.give_back(other(), vec![job("a").key]).await.expect("answered");
    bench.keep_only(other(), vec![]).await.expect("answered");
    assert!(two.claim(9, 9, at(1)).await.rows.is_empty());
    drop(go(one.admit(job("a"), at(1)).await));
}

#[tokio::test]
async fn an_ask_is_repeated_under_its_own_fence_only() {
    let bench = Bench::postgres().await;
    let steps = Steps::new(&bench).await;
    drop(go(steps.deliver(job("a"), at(0)).await));
    bench.let_run_out(std::time::Duration::ZERO, at(0)).await;
    let between = lease(&bench, other(), NUMBER).await;
    bench.hand_over(other(), vec![format!("number:{NUMBER}")]).await.expect("handed over");
    let fence = lease(&bench, worker(), NUMBER).await;
    assert_eq!((between, fence), (Fence(2), Fence(3)));
    let again = AdmitRequest { again: true, fence, ..steps.delivery(job("a")) };
    assert_eq!(steps.ask(again, at(1)).await, Admitted::InFlight);
}

#[tokio::test]
async fn a_second_copy_from_the_broker_does_not_pass_for_the_one_that_is_being_sent() {
    let bench = Bench::postgres().await;
    let steps = Steps::new(&bench).await;
    let first = steps.start(job("a"), at(0)).await;
    // The broker delivered it again to the same worker, and the answers about both copies were lost.
    let again = |request| AdmitRequest { again: true, ..request };
    assert_eq!(steps.ask(again(steps.delivery(job("a"))), at(1)).await, Admitted::InFlight);
    assert_eq!(steps.ask(again(steps.request(job("a"))), at(1)).await, Admitted::Go(first));
}

#[tokio::test]
async fn a_schema_is_brought_up_only_where_that_is_allowed() {
    let schema = Schema::new();
    let refused = schema.open(Migrate::Check, Publish::Off).await.expect_err("a new schema");
    assert!(matches!(refused, LedgerError::Schema { found: 0, known: 3 }), "{refused}");
    assert_eq!(migrate(schema.url(), schema.name()).await.expect("migrated"), (0, 3));
    assert_eq!(migrate(schema.url(), schema.name()).await.expect("migrated"), (3, 3));
    schema.open(Migrate::Check, Publish::Off).await.expect("opened");
}

#[tokio::test]
async fn several_that_start_at_once_make_one_schema() {
    let schema = Schema::new();
    let open = || schema.open(Migrate::Auto, Publish::Off);
    let (one, two, three) = tokio::join!(open(), open(), open());
    let steps = [one.expect("opened"), two.expect("opened"), three.expect("opened")];
    drop(Steps::new(&steps[2]).await.start(job("a"), at(0)).await);
    assert_eq!(steps[0].show(named("a")).await.expect("shown").len(), 1);
}

#[tokio::test]
async fn a_schema_one_version_ahead_still_works_and_a_later_one_does_not() {
    let schema = Schema::new();
    migrate(schema.url(), schema.name()).await.expect("migrated");
    let age = |version: i64| {
        let sql = format!(
            "INSERT INTO refinery_schema_history SELECT {version}, 'later', applied_on, checksum
             FROM refinery_schema_history WHERE version = 1"
        );
        async { schema.query(&{ sql }).await }
    };
    age(4).await;
    let ledger = schema.open(Migrate::Check, Publish::Off).await.expect("opened");
    drop(Steps::new(&ledger).await.start(job("a"), at(0)).await);
    age(5).await;
    let refused = schema.open(Migrate::Auto, Publish::Off).await.expect_err("too new");
    assert!(matches!(refused, LedgerError::Schema { found: 5, known: 3 }), "{refused}");
}

#[tokio::test]
async fn several_that_apply_the_same_bodies_at_once_say_them_once() {
    let bench = Bench::postgres().await;
    let second = bench.another().await;
    let steps = Steps::new(&bench).await;
    let admission = steps.start(job("a"), at(0)).await;
    steps.settle(&admission, accepted(), at(1)).await;
    bench.inbox_put(vec![b"{}".to_vec()], at(2)).await.expect("put");
    let read = vec![bench.inbox_take(9, 9_999).await.expect("taken")[0].seq];
    let stop = order(Cover::of(Scope::Recipient, "+447700900123"), Effect::End, None);
    let news = || News {
        read: read.clone(),
        statuses: vec![status(job("a").key, Heard::Sent, at(3))],
        holds: vec![HoldChange::Place(stop.clone())],
        strange: vec![StrangeChange { field: "new".to_owned(), body: "{}".to_owned(), at: at(3) }],
        ..News::default()
    };
    let (one, two) = tokio::join!(bench.apply(news(), at(4)), second.apply(news(), at(4)));
    let moved = [one.expect("applied"), two.expect("applied")].map(|applied| applied.statuses[0] == Moved::Nothing);
    assert_eq!(moved.into_iter().filter(|nothing| *nothing).count(), 1);
    assert_eq!(bench.count("SELECT count(*) FROM strange").await, 1);
    assert_eq!(bench.recipient_holds(HoldId(0), 9).await.expect("listed")[0].step, 1);
    assert_eq!(bench.count("SELECT count(*) FROM inbox").await, 0);
}
