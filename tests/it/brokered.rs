//! The main job on RabbitMQ and PostgreSQL: from a producer's publish to Meta's yes, by one worker and by several.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lapin::types::ShortString;
use serde_json::json;
use tidegate::ledger::{Cancelled, JobRef, Unseen};
use tidegate::outcome::{Reason, State};

use crate::producer::properties;
use crate::shared::Shared;
use crate::world::{audit, count, text, until};

fn jobs(name: &str, count: usize) -> Vec<serde_json::Value> {
    (0..count).map(|n| text(&format!("{name}-{n}"), name)).collect()
}

#[tokio::test]
async fn what_is_published_is_accepted_once_and_told_to_who_listens() {
    let shared = Shared::new().await;
    let producer = shared.producer().await;
    let mut events = producer.listen("message.accepted.default.*").await;
    for priority in ["urgent", "high", "normal", "bulk"] {
        producer.publish(&format!("default.{priority}"), &jobs(priority, 50)).await;
    }
    let worker = shared.world.start();
    let ledger = shared.ledger().await;
    shared.world.accepted(200).await;
    shared.world.all_ended(&ledger).await;
    let mut told = BTreeSet::new();
    while told.len() < 200 {
        let (key, event) = events.next().await;
        assert_eq!(key, "message.accepted.default.-");
        told.insert(event["id"].as_str().expect("an id").to_owned());
    }
    worker.stop();
    let rows = shared.world.rows(&ledger).await;
    assert_eq!(count(&rows), BTreeMap::from([(State::Accepted, 200)]));
    audit(&rows, &shared.world.oracle());
    for priority in ["urgent", "high", "normal", "bulk"] {
        assert_eq!(producer.ready(&shared.queue_of(&format!("default.{priority}"))).await, 0, "all were acked");
    }
}

#[tokio::test]
async fn the_same_id_at_two_workers_is_sent_once() {
    let shared = Shared::with(&["1001", "1002"]).await;
    let producer = shared.producer().await;
    let one = shared.world.start();
    let other = shared.world.start();
    let jobs = jobs("normal", 100);
    for _ in 0..4 {
        producer.publish("default.normal", &jobs).await;
    }
    let ledger = shared.ledger().await;
    shared.world.accepted(100).await;
    shared.world.all_ended(&ledger).await;
    one.stop();
    other.stop();
    // Copies that were in a worker's hands at its stop come again, before what is published now.
    let third = shared.world.start();
    producer.publish("default.normal", &[text("last", "normal")]).await;
    shared.world.accepted(101).await;
    shared.world.all_ended(&ledger).await;
    third.stop();
    let rows = shared.world.rows(&ledger).await;
    assert_eq!(count(&rows), BTreeMap::from([(State::Accepted, 101)]));
    audit(&rows, &shared.world.oracle());
}

#[tokio::test]
async fn another_job_under_a_known_id_is_dead() {
    let shared = Shared::new().await;
    let producer = shared.producer().await;
    let ledger = shared.ledger().await;
    let worker = shared.world.start();
    producer.publish("default.normal", &[text("twin", "normal")]).await;
    shared.world.accepted(1).await;
    let mut reworded = text("twin", "normal");
    reworded["message"]["text"]["body"] = json!("something else");
    producer.publish("default.normal", &[reworded]).await;
    let dead =
        until(&ledger, "the second is dead", async || ledger.dead_list(0, 9).await.expect("listed").into_iter().next());
    assert!(dead.await.dead.reason.contains("id_reused"));
    worker.stop();
    assert_eq!(shared.world.oracle().accepted(), 1);
}

#[tokio::test]
async fn what_is_no_job_or_has_no_lane_is_dead_and_stops_nobody() {
    let shared = Shared::new().await;
    let producer = shared.producer().await;
    let ledger = shared.ledger().await;
    let worker = shared.world.start();
    let plain = || properties(&json!({}));
    producer.publish_raw("default.normal", &[(b"{\"v\": 1".to_vec(), plain())]).await;
    producer.publish("default.bulk", &[text("contradicts", "urgent")]).await;
    producer.publish("default.normal", &[json!({ "to": "+447700900123", "message": { "type": "text" } })]).await;
    producer.publish("nowhere.normal", &[text("lost", "normal")]).await;
    producer.publish("default.normal", &[text("good", "normal")]).await;
    shared.world.accepted(1).await;
    let dead = until(&ledger, "four are dead", async || {
        let dead = ledger.dead_list(0, 9).await.expect("listed");
        (dead.len() == 4).then_some(dead)
    })
    .await;
    let fields: BTreeSet<_> = dead.iter().map(|row| row.dead.field.as_str()).collect();
    assert!(fields.contains("priority") && fields.contains("routing_key"), "{fields:?}");
    assert!(dead.iter().all(|row| row.dead.origin.starts_with("amqp:")), "{dead:?}");
    worker.stop();
    assert_eq!(producer.ready(&shared.returned()).await, 0);
}

#[tokio::test]
async fn a_job_that_the_broker_kept_too_long_ends_as_expired() {
    let shared = Shared::new().await;
    let producer = shared.producer().await;
    let body = text("stale", "normal");
    let short = properties(&body).with_expiration(ShortString::from("1"));
    producer.publish_raw("default.normal", &[(body.to_string().into_bytes(), short)]).await;
    let ledger = shared.ledger().await;
    let worker = shared.world.start();
    let row = until(&ledger, "it has ended", async || {
        let name = JobRef { source: None, id: "stale".to_owned() };
        ledger.show(name).await.expect("shown").into_iter().find(|row| row.state.has_ended())
    })
    .await;
    worker.stop();
    // It may also have been delivered before the broker looked at its time.
    assert!(matches!((row.state, row.reason), (State::Expired, Some(Reason::TooLate)) | (State::Accepted, None)));
}

#[tokio::test]
async fn a_job_cancelled_before_anybody_saw_it_is_not_sent() {
    let shared = Shared::new().await;
    let producer = shared.producer().await;
    let ledger = shared.ledger().await;
    let name = || vec![JobRef { source: None, id: "unwanted".to_owned() }];
    let now = tidegate::clock::now().wall;
    assert_eq!(ledger.cancel(name(), Unseen::Leave, now).await.expect("answered"), [Cancelled::Ahead]);
    producer.publish("default.normal", &[text("unwanted", "normal"), text("wanted", "normal")]).await;
    let worker = shared.world.start();
    shared.world.accepted(1).await;
    until(&ledger, "both are acked", async || {
        (producer.ready(&shared.queue_of("default.normal")).await == 0).then_some(())
    })
    .await;
    worker.stop();
    assert_eq!(shared.world.row(&ledger, "unwanted").await.state, State::Cancelled);
    assert_eq!(shared.world.oracle().accepted(), 1);
}

#[tokio::test]
async fn a_job_for_a_number_of_another_worker_is_handed_over() {
    let shared = Shared::with(&["1001", "1002"]).await;
    let producer = shared.producer().await;
    let one = shared.world.start();
    let other = shared.world.start();
    let pinned = |number: &str, n: usize| {
        let mut job = text(&format!("for-{number}-{n}"), "normal");
        job["from"] = json!(number);
        job
    };
    let jobs: Vec<_> = (0..40).flat_map(|n| [pinned("1001", n), pinned("1002", n)]).collect();
    producer.publish("default.normal", &jobs).await;
    let ledger = shared.ledger().await;
    shared.world.accepted(80).await;
    shared.world.all_ended(&ledger).await;
    one.stop();
    other.stop();
    let rows = shared.world.rows(&ledger).await;
    for row in &rows {
        let number = row.number.clone().expect("it was sent");
        assert!(row.id.starts_with(&format!("for-{number}-")), "{} went by {number}", row.id);
    }
    audit(&rows, &shared.world.oracle());
}

#[tokio::test]
async fn jobs_stay_in_the_broker_while_nothing_may_be_sent() {
    let shared = Shared::new().await;
    let producer = shared.producer().await;
    let worker = shared.world.start_held();
    producer.publish("default.normal", &jobs("normal", 40)).await;
    let ledger = shared.ledger().await;
    let hold = until(&ledger, "the hold stands", async || ledger.holds().await.expect("read").into_iter().next()).await;
    until(&ledger, "all lie in the broker", async || {
        (producer.ready(&shared.queue_of("default.normal")).await == 40).then_some(())
    })
    .await;
    assert_eq!(shared.world.oracle().accepted(), 0);
    ledger.lift(hold.id, tidegate::clock::now().wall).await.expect("lifted");
    shared.world.accepted(40).await;
    worker.stop();
}

#[tokio::test]
async fn a_job_not_to_be_sent_yet_waits_in_the_ledger() {
    let shared = Shared::new().await;
    let producer = shared.producer().await;
    let ledger = shared.ledger().await;
    let worker = shared.world.start();
    let mut later = text("later", "normal");
    later["not_before"] = json!((tidegate::clock::now().wall + Duration::from_secs(3_600)).to_string());
    producer.publish("default.normal", &[later]).await;
    let seen = until(&ledger, "its row is there", async || {
        let name = JobRef { source: None, id: "later".to_owned() };
        ledger.show(name).await.expect("shown").into_iter().next()
    });
    assert_eq!((seen.await.state, shared.world.oracle().accepted()), (State::Waiting, 0));
    worker.stop();
    assert_eq!(producer.ready(&shared.queue_of("default.normal")).await, 0, "it was acked");
}

#[tokio::test]
async fn retries_of_delivered_jobs_come_from_the_ledger() {
    let shared = Shared::new().await;
    shared.world.faults(&["probability=0.3,code=131000"]);
    let producer = shared.producer().await;
    let ledger = shared.ledger().await;
    let worker = shared.world.start();
    producer.publish("default.normal", &jobs("normal", 120)).await;
    until(&ledger, "all are seen", async || (shared.world.rows(&ledger).await.len() == 120).then_some(())).await;
    shared.world.all_ended(&ledger).await;
    worker.stop();
    let rows = shared.world.rows(&ledger).await;
    audit(&rows, &shared.world.oracle());
    assert!(rows.iter().any(|row| row.attempts > 1 && row.state == State::Accepted), "some were tried again");
}

#[tokio::test]
async fn numbers_are_shared_evenly_and_handed_over_when_a_worker_stops() {
    let ids: Vec<String> = (1..=6).map(|n| format!("100{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let shared = Shared::with(&ids).await;
    let ledger = shared.ledger().await;
    let owners = async || {
        let now = tidegate::clock::now().wall;
        let leases = ledger.leases(now).await.expect("listed");
        let numbers = leases.into_iter().filter(|lease| lease.name.starts_with("number:"));
        numbers.filter_map(|lease| lease.owner).fold(BTreeMap::new(), |mut held: BTreeMap<_, usize>, owner| {
            *held.entry(format!("{owner:?}")).or_default() += 1;
            held
        })
    };
    let shares = async |wanted: &[usize]| {
        until(&ledger, "the shares are even", async || {
            let mut shares: Vec<usize> = owners().await.into_values().collect();
            shares.sort_unstable();
            (shares == wanted).then_some(())
        })
        .await;
    };
    let one = shared.world.start();
    shares(&[6]).await;
    let other = shared.world.start();
    shares(&[3, 3]).await;
    let third = shared.world.start();
    shares(&[2, 2, 2]).await;
    one.stop();
    shares(&[3, 3]).await;
    other.stop();
    shares(&[6]).await;
    third.stop();
}

#[tokio::test]
async fn without_a_broker_several_workers_share_one_ledger() {
    let ids = ["1001", "1002", "1003"];
    let shared = Shared::ledger_only(&ids);
    let ledger = shared.ledger().await;
    let workers: Vec<_> = (0..3).map(|_| shared.world.start()).collect();
    shared.world.enqueue(&ledger, &jobs("normal", 600)).await;
    shared.world.all_ended(&ledger).await;
    for worker in workers {
        worker.stop();
    }
    let rows = shared.world.rows(&ledger).await;
    assert_eq!(count(&rows), BTreeMap::from([(State::Accepted, 600)]));
    audit(&rows, &shared.world.oracle());
}

#[tokio::test]
async fn pools_have_lanes_of_their_own() {
    let mut shared = Shared::before(&["1001", "1002"]);
    shared.world.set("pools[0].name", "shop");
    shared.world.set("pools[0].numbers[0]", "1002");
    shared.declare(&["default", "shop"]).await;
    let producer = shared.producer().await;
    let ledger = shared.ledger().await;
    let worker = shared.world.start();
    producer.publish("shop.normal", &jobs("normal", 30)).await;
    producer.publish("default.bulk", &jobs("bulk", 30)).await;
    shared.world.accepted(60).await;
    shared.world.all_ended(&ledger).await;
    worker.stop();
    for row in shared.world.rows(&ledger).await {
        let number = if row.id.starts_with("normal") { "1002" } else { "1001" };
        assert_eq!(row.number.as_deref(), Some(number), "{}", row.id);
    }
}

#[tokio::test]
async fn jobs_for_one_busy_number_do_not_fill_the_lane_that_it_shares() {
    let mut shared = Shared::with(&["1001", "1002"]).await;
    shared.world.set("numbers[0].rate", "10/s");
    let producer = shared.producer().await;
    let ledger = shared.ledger().await;
    let worker = shared.world.start();
    let from = |number: &str, name: &str, count: usize| -> Vec<serde_json::Value> {
        let job = |n| {
            let mut job = text(&format!("{name}-{n:03}"), "normal");
            job["from"] = number.into();
            job
        };
        (0..count).map(job).collect()
    };
    producer.publish("default.normal", &from("1001", "busy", 300)).await;
    producer.publish("default.normal", &from("1002", "idle", 50)).await;
    shared.world.accepted(350).await;
    shared.world.all_ended(&ledger).await;
    worker.stop();
    let rows = shared.world.rows(&ledger).await;
    audit(&rows, &shared.world.oracle());
    let entries = shared.world.oracle().accepted_entries();
    let last = entries.iter().rposition(|entry| &*entry.number == "1002").expect("some");
    let before = entries[..last].iter().filter(|entry| &*entry.number == "1001").count();
    assert!(before < 150, "{before} of 300 went by the busy number before the last by the idle one");
    // Whether in hand or in a row, they go in order.
    let id_of = |key: &str| rows.iter().find(|row| row.key.to_string() == key).expect("a row").id.to_string();
    let busy = entries.iter().filter(|entry| &*entry.number == "1001");
    let went: Vec<String> =
        busy.map(|entry| id_of(entry.callback.as_deref().expect("ours").rsplit_once(':').expect("key").0)).collect();
    assert!(went.is_sorted(), "{went:?}");
}
