//! What is published, and what is said about it.

use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use tidegate::job::Priority;
use tidegate::queue::{BrokerState, Exchange, Outgoing, Published};

use super::ward::{Private, Stranger, Ward, delivery, event, lanes};
use super::wire::Wire;
use crate::world::patient;

/// A queue of the test's own that hears every event; with `most`, it refuses what is more.
async fn listen(ward: &Ward, stranger: &Stranger, most: Option<i32>) -> String {
    let queue = format!("{}.listener", ward.broker.names.events().trim_end_matches(".events"));
    let mut arguments = FieldTable::default();
    if let Some(most) = most {
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(most));
        arguments.insert("x-overflow".into(), AMQPValue::LongString(LongString::from("reject-publish")));
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    stranger.channel.queue_declare(queue.clone().into(), options, arguments).await.expect("declared");
    let (exchange, options) = (ward.broker.names.events().into(), QueueBindOptions::default());
    let bind =
        stranger.channel.queue_bind(queue.clone().into(), exchange, "message.#".into(), options, FieldTable::default());
    bind.await.expect("bound");
    queue
}

#[tokio::test]
async fn a_thousand_events_are_confirmed_and_lie_in_order() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    let queue = listen(&ward, &stranger, None).await;
    let publisher = ward.publisher(ward.broker.clone()).await;
    let batch: Vec<Outgoing> = (0..1_000).map(event).collect();
    let answers = patient("confirms", publisher.publish(batch)).await;
    assert_eq!(answers, vec![Published::Confirmed; 1_000]);
    for n in 0..1_000 {
        let delivery = stranger.get(&queue).await.expect("it lies there");
        assert_eq!(delivery.data, format!("{{\"n\":{n}}}").into_bytes());
    }
    assert!(ward.metrics.render().contains("tidegate_publish_total{result=\"ack\"} 1000"));
}

#[tokio::test]
async fn an_event_carries_its_properties() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    let queue = listen(&ward, &stranger, None).await;
    let publisher = ward.publisher(ward.broker.clone()).await;
    patient("a confirm", publisher.publish(vec![event(7)])).await;
    let delivery = stranger.get(&queue).await.expect("it lies there");
    let properties = &delivery.properties;
    let text = |text: &Option<lapin::types::ShortString>| text.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!(delivery.routing_key.as_str(), "message.accepted.default.shop");
    assert_eq!(text(properties.message_id()), "event-7");
    assert_eq!(text(properties.correlation_id()), "job-7");
    assert_eq!(text(properties.kind()), "message.accepted");
    assert_eq!(text(properties.content_type()), "application/json");
    assert_eq!((properties.delivery_mode(), properties.timestamp()), (&Some(2), &Some(1_700_000_000)));
}

#[tokio::test]
async fn a_published_job_arrives_by_its_lane() {
    let mut ward = Ward::new().await;
    let publisher = ward.publisher(ward.broker.clone()).await;
    let mut job = event(3);
    job.exchange = Exchange::Jobs;
    job.routing_key = "default.high".to_owned();
    job.enqueued_at = Some(tidegate::clock::Timestamp::from_millis(1_700_000_000_123));
    job.app_id = Some("shop".to_owned());
    assert_eq!(patient("a confirm", publisher.publish(vec![job])).await, [Published::Confirmed]);
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&lanes(&[(Priority::High, 4)]), false);
    let arrived = delivery(&mut reception).await;
    assert_eq!((arrived.message_id.as_deref(), arrived.app_id.as_deref()), (Some("event-3"), Some("shop")));
    assert_eq!(arrived.enqueued_at.map(|time| time.as_millis()), Some(1_700_000_000_123));
}

#[tokio::test]
async fn a_full_queue_refuses_what_is_too_much_and_takes_it_later() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    let queue = listen(&ward, &stranger, Some(3)).await;
    let publisher = ward.publisher(ward.broker.clone()).await;
    let answers = patient("answers", publisher.publish((0..10).map(event).collect())).await;
    let nacked = answers.iter().filter(|answer| **answer == Published::Nacked).count();
    let confirmed = answers.iter().filter(|answer| **answer == Published::Confirmed).count();
    assert!(nacked >= 6 && nacked + confirmed == 10, "{answers:?}");
    while stranger.get(&queue).await.is_some() {}
    assert_eq!(patient("an answer", publisher.publish(vec![event(11)])).await, [Published::Confirmed]);
}

#[tokio::test]
async fn a_name_that_does_not_fit_harms_nobody_else() {
    let mut ward = Ward::new().await;
    let publisher = ward.publisher(ward.broker.clone()).await;
    let mut long = event(1);
    long.message_id = "x".repeat(300);
    let answers = patient("answers", publisher.publish(vec![event(0), long.clone(), event(2)])).await;
    assert_eq!(answers, [Published::Confirmed, Published::Unfit, Published::Confirmed]);
    assert_eq!(patient("an answer", publisher.publish(vec![long])).await, [Published::Unfit]);
    assert!(patient("an answer", publisher.publish(Vec::new())).await.is_empty());
}

#[tokio::test]
async fn without_a_connection_the_answer_comes_at_once() {
    let mut ward = Ward::new().await;
    let wire = Wire::to(&ward.url).await;
    let url = wire.url(&ward.url);
    let publisher = ward.publisher(ward.by(vec![url])).await;
    drop(wire);
    let away = async {
        while !matches!(publisher.state(), BrokerState::Away { .. }) {
            publisher.publish(vec![event(0)]).await;
        }
    };
    patient("the loss is seen", away).await;
    let asked = tokio::time::Instant::now();
    assert_eq!(publisher.publish((0..300).map(event).collect()).await, vec![Published::Away; 300]);
    assert!(asked.elapsed() < crate::world::PATIENCE);
}

#[tokio::test]
async fn an_exchange_that_is_not_there_costs_no_answer() {
    let mut ward = Ward::bare(crate::services::amqp_url());
    let publisher = ward.publisher(ward.broker.clone()).await;
    let answers = patient("answers", publisher.publish((0..5).map(event).collect())).await;
    assert!(answers.iter().all(|answer| *answer == Published::Unconfirmed), "{answers:?}");
    let told = async {
        loop {
            if let BrokerState::Away { why, .. } = publisher.state() {
                return why;
            }
            publisher.publish(vec![event(0)]).await;
        }
    };
    let why = patient("the reason is told", told).await;
    assert!(why.contains("NOT_FOUND"), "{why}");
}

#[tokio::test]
async fn a_broker_short_of_memory_is_told_at_once_and_the_other_connection_goes_on() {
    let private = Private::start();
    let mut ward = Ward::at(private.url.clone()).await;
    let stranger = ward.stranger().await;
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 4).await;
    let publisher = ward.publisher(ward.broker.clone()).await;
    let mut reception = ward.reception(ward.broker.clone());
    private.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    let blocked = async {
        // The broker tells a connection only once it publishes, and the alarm takes a moment.
        while !matches!(publisher.state(), BrokerState::Blocked { .. }) {
            let answers = publisher.publish(vec![event(0)]).await;
            assert_ne!(answers, [Published::Nacked]);
        }
    };
    patient("the block is told", blocked).await;
    assert_eq!(patient("an answer", publisher.publish(vec![event(1)])).await, [Published::Blocked]);
    reception.serve(&lanes(&[(Priority::Bulk, 2)]), false);
    for _ in 0..4 {
        let arrived = delivery(&mut reception).await;
        reception.ack(vec![arrived.ticket]);
    }
    private.ctl(&["set_vm_memory_high_watermark", "0.4"]);
    assert!(patient("the broker takes things again", publisher.until_open()).await);
    assert_eq!(patient("an answer", publisher.publish(vec![event(2)])).await, [Published::Confirmed]);
    assert!(
        patient("no ack was lost", async {
            ward.stop().await;
            true
        })
        .await
    );
    ward.stranger().await.until_ready(&ward.queue(Priority::Bulk), 0).await;
}
