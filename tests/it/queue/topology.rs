//! What `migrate` declares, and what a look at it says.

use lapin::BasicProperties;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use tidegate::job::{PoolName, Priority};
use tidegate::queue::{Broker, QueueError, topology};

use super::ward::{Ward, lane};
use crate::services::amqp_url;
use crate::world::patient;

fn pools() -> [PoolName; 1] {
    [PoolName::default_pool()]
}

fn arguments(pairs: &[(&str, &str)]) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(1_000_000));
    for (name, value) in pairs {
        table.insert((*name).into(), AMQPValue::LongString(LongString::from(*value)));
    }
    table
}

#[tokio::test]
async fn what_is_missing_is_named_then_made_once_and_then_there() {
    let ward = Ward::bare(amqp_url());
    let names = &ward.broker.names;
    let told = patient("a look", topology::check(&ward.broker, &pools())).await.expect_err("nothing is there");
    let QueueError::Missing(missing) = told else { panic!("{told}") };
    assert_eq!(missing.len(), 8, "{missing:?}");
    assert!(missing.contains(&names.queue(&lane(Priority::Urgent))) && missing.contains(&names.events()));

    let declared = patient("declaring", topology::declare(&ward.broker, &pools())).await.expect("it may");
    assert_eq!(declared.created, missing);
    let again = patient("declaring again", topology::declare(&ward.broker, &pools())).await.expect("it may");
    assert!(again.created.is_empty(), "{again:?}");
    patient("a look", topology::check(&ward.broker, &pools())).await.expect("all is there");
}

#[tokio::test]
async fn queues_have_exactly_the_arguments_that_are_promised() {
    let ward = Ward::new().await;
    let stranger = ward.stranger().await;
    let returned = ward.broker.names.returned();
    let lane_arguments = [
        ("x-queue-type", "quorum"),
        ("x-dead-letter-exchange", returned.as_str()),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-overflow", "reject-publish"),
    ];
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    for priority in Priority::ALL {
        let declared =
            stranger.channel.queue_declare(ward.queue(*priority).into(), durable, arguments(&lane_arguments));
        declared.await.expect("the same again is no change");
    }
    let returned_arguments = [("x-queue-type", "quorum"), ("x-overflow", "reject-publish")];
    let same = stranger.channel.queue_declare(returned.clone().into(), durable, arguments(&returned_arguments));
    same.await.expect("the same again is no change");
    for wrong in 0..lane_arguments.len() {
        // At-least-once is not compared by the broker; that it works is shown by what expires.
        if lane_arguments[wrong].0 == "x-dead-letter-strategy" {
            continue;
        }
        let mut others = lane_arguments;
        others[wrong].1 = if others[wrong].0 == "x-queue-type" { "classic" } else { "drop-head" };
        let stranger = ward.stranger().await;
        let queue = ward.queue(Priority::Bulk);
        let declared = stranger.channel.queue_declare(queue.into(), durable, arguments(&others)).await;
        assert!(declared.is_err(), "{:?} is not compared", others[wrong]);
    }
}

#[tokio::test]
async fn a_queue_of_another_make_is_told_of_in_the_broker_s_words() {
    let ward = Ward::bare(amqp_url());
    let stranger = ward.stranger().await;
    let queue = ward.queue(Priority::Bulk);
    let classic = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    stranger.channel.queue_declare(queue.clone().into(), classic, FieldTable::default()).await.expect("made");
    let told = patient("declaring", topology::declare(&ward.broker, &pools())).await.expect_err("it differs");
    let QueueError::Differs { name, told } = told else { panic!("{told}") };
    assert_eq!(name, queue);
    assert!(told.contains("x-queue-type") || told.contains("inequivalent"), "{told}");
}

#[tokio::test]
async fn ready_messages_are_counted_lane_by_lane() {
    let ward = Ward::new().await;
    let stranger = ward.stranger().await;
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 3).await;
    stranger.until_ready(&ward.queue(Priority::Bulk), 3).await;
    let gone = ward.queue(Priority::High);
    stranger.channel.queue_delete(gone.into(), QueueDeleteOptions::default()).await.expect("deleted");
    let all: Vec<_> = Priority::ALL.iter().map(|priority| lane(*priority)).collect();
    let counts = patient("counts", topology::lane_counts(&ward.broker, &all)).await.expect("they can be read");
    assert_eq!(counts.get(&lane(Priority::Bulk)), Some(&3));
    assert_eq!(counts.get(&lane(Priority::Urgent)), Some(&0));
    assert_eq!(counts.get(&lane(Priority::High)), None);
}

#[tokio::test]
async fn a_wrong_password_and_a_dead_port_are_told_apart() {
    let ward = Ward::bare(amqp_url());
    let mut wrong = url::Url::parse(&ward.url).expect("a URL");
    wrong.set_password(Some("hunter2")).expect("it may have one");
    let refused = patient("a look", topology::check(&ward.by(vec![wrong.to_string()]), &pools())).await;
    let Err(QueueError::Refused(told)) = refused else { panic!("{refused:?}") };
    assert!(told.contains("ACCESS_REFUSED") && !told.contains("hunter2"), "{told}");

    let dead = Broker::new(|| vec!["amqp://127.0.0.1:1/%2f".to_owned()], "none", "tidegate test here");
    let unreachable = patient("a look", topology::check(&dead, &pools())).await;
    assert!(
        matches!(&unreachable, Err(QueueError::Unreachable(told)) if told.contains("127.0.0.1:1")),
        "{unreachable:?}"
    );
}

#[tokio::test]
async fn what_has_no_lane_lies_with_the_returned() {
    let ward = Ward::new().await;
    let stranger = ward.stranger().await;
    assert!(stranger.publish(&ward.jobs(), "nobody.bulk", "{}", BasicProperties::default()).await);
    stranger.until_ready(&ward.broker.names.returned(), 1).await;
}
