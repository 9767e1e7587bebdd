//! What arrives, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use lapin::BasicProperties;
use lapin::options::QueueDeleteOptions;
use lapin::types::{AMQPValue, FieldTable, LongString};
use tidegate::clock::Timestamp;
use tidegate::job::Priority;
use tidegate::queue::{Arrived, BrokerState, Ticket, Why, topology};

use super::ward::{Ward, deliveries, delivery, lane, lanes, lost, state};
use crate::world::patient;

fn ids(arrived: &[Arrived]) -> BTreeSet<String> {
    arrived.iter().filter_map(|arrived| arrived.message_id.clone()).collect()
}

fn tickets(arrived: &[Arrived]) -> Vec<Ticket> {
    arrived.iter().map(|arrived| arrived.ticket).collect()
}

#[tokio::test]
async fn a_job_arrives_with_all_that_its_producer_said() {
    let mut ward = Ward::new().await;
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&lanes(&[(Priority::Urgent, 8)]), false);
    let mut headers = FieldTable::default();
    headers.insert("enqueued_at".into(), AMQPValue::LongLongInt(1_700_000_000_123));
    headers.insert("traceparent".into(), AMQPValue::LongString(LongString::from("00-aa-bb-01")));
    let properties = BasicProperties::default()
        .with_message_id("order-17".into())
        .with_app_id("shop".into())
        .with_timestamp(1_700_000_000)
        .with_headers(headers);
    let stranger = ward.stranger().await;
    assert!(stranger.publish(&ward.jobs(), "default.urgent", "{\"to\":\"+44\"}", properties).await);
    let Arrived {
        lane: by, body, message_id, app_id, timestamp, enqueued_at, traceparent, redelivered, returned, ..
    } = delivery(&mut reception).await;
    assert_eq!((by, body), (Some(lane(Priority::Urgent)), b"{\"to\":\"+44\"}".to_vec()));
    assert_eq!((message_id.as_deref(), app_id.as_deref()), (Some("order-17"), Some("shop")));
    assert_eq!(timestamp, Some(Timestamp::from_millis(1_700_000_000_000)));
    assert_eq!(enqueued_at, Some(Timestamp::from_millis(1_700_000_000_123)));
    assert_eq!((traceparent.as_deref(), redelivered, returned), (Some("00-aa-bb-01"), false, None));
    assert_eq!(reception.origin(Some(&lane(Priority::Urgent))), format!("amqp:{}", ward.queue(Priority::Urgent)));
}

#[tokio::test]
async fn what_is_acked_is_gone_and_what_is_given_back_comes_again() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 40).await;
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&lanes(&[(Priority::Bulk, 100)]), false);
    let first = deliveries(&mut reception, 40).await;
    assert!(first.iter().all(|arrived| !arrived.redelivered));
    let (acked, back): (Vec<_>, Vec<_>) = first.into_iter().enumerate().partition(|(n, _)| n % 3 != 0);
    let [acked, back] = [acked, back].map(|part| part.into_iter().map(|(_, arrived)| arrived).collect::<Vec<_>>());
    reception.ack(tickets(&acked));
    reception.give_back(tickets(&back));
    let second = deliveries(&mut reception, back.len()).await;
    assert!(second.iter().all(|arrived| arrived.redelivered));
    assert_eq!(ids(&second), ids(&back));
    // Given twice, as a careless caller might: an unknown tag would cost the channel.
    reception.ack(tickets(&acked));
    reception.ack(tickets(&second));
    ward.stop().await;
    stranger.until_ready(&ward.queue(Priority::Bulk), 0).await;
}

#[tokio::test]
async fn acks_given_just_before_the_end_still_count() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 10).await;
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&lanes(&[(Priority::Bulk, 10)]), false);
    let arrived = deliveries(&mut reception, 10).await;
    reception.serve(&BTreeMap::new(), false);
    reception.ack(tickets(&arrived[..7]));
    ward.stop().await;
    stranger.until_ready(&ward.queue(Priority::Bulk), 3).await;
}

#[tokio::test]
async fn no_more_is_out_than_the_prefetch() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 30).await;
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&lanes(&[(Priority::Bulk, 8)]), false);
    let mut held = deliveries(&mut reception, 8).await;
    stranger.until_ready(&ward.queue(Priority::Bulk), 22).await;
    assert!(reception.try_next().is_none(), "a ninth came");
    reception.ack(tickets(&held.split_off(3)));
    let more = deliveries(&mut reception, 5).await;
    assert!(more.iter().all(|arrived| !arrived.redelivered));
    stranger.until_ready(&ward.queue(Priority::Bulk), 17).await;
}

#[tokio::test]
async fn a_lane_that_is_left_delivers_no_more_and_what_is_in_hand_stays_good() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 20).await;
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&lanes(&[(Priority::Bulk, 5), (Priority::High, 5)]), false);
    let bulk = deliveries(&mut reception, 5).await;
    reception.serve(&lanes(&[(Priority::High, 5)]), false);
    reception.ack(tickets(&bulk[..2]));
    stranger.publish_jobs(&ward.jobs(), "default.high", 1).await;
    let high = delivery(&mut reception).await;
    assert_eq!(high.lane, Some(lane(Priority::High)));
    // Three in hand; whatever the two acks had let in before the lane was left has gone back by itself.
    stranger.until_ready(&ward.queue(Priority::Bulk), 15).await;
    reception.give_back(tickets(&bulk[2..]));
    stranger.until_ready(&ward.queue(Priority::Bulk), 18).await;
    assert!(!reception.is_lost(high.ticket));

    reception.serve(&lanes(&[(Priority::Bulk, 9)]), false);
    let again = deliveries(&mut reception, 9).await;
    assert!(again.iter().all(|arrived| arrived.lane == Some(lane(Priority::Bulk))));
    reception.serve(&lanes(&[(Priority::Bulk, 4)]), false);
    reception.ack(tickets(&again));
    let few = deliveries(&mut reception, 4).await;
    stranger.until_ready(&ward.queue(Priority::Bulk), 18 - 9 - 4).await;
    reception.ack(tickets(&few));
}

#[tokio::test]
async fn unroutable_and_expired_messages_come_back_with_their_reason() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    let properties = BasicProperties::default().with_message_id("lost".into());
    assert!(stranger.publish(&ward.jobs(), "nobody.bulk", "{}", properties).await);
    let properties = BasicProperties::default().with_message_id("late".into()).with_expiration("1".into());
    assert!(stranger.publish(&ward.jobs(), "default.normal", "{}", properties).await);
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&BTreeMap::new(), true);
    let arrived = deliveries(&mut reception, 2).await;
    let by_id = |id: &str| arrived.iter().find(|arrived| arrived.message_id.as_deref() == Some(id)).expect(id);
    let told = |id: &str| {
        let returned = by_id(id).returned.clone().expect("it was returned");
        (by_id(id).lane.clone(), returned.why, returned.routing_key)
    };
    assert_eq!(told("lost"), (None, Why::Unroutable, "nobody.bulk".to_owned()));
    assert_eq!(told("late"), (None, Why::Expired, "default.normal".to_owned()));
    reception.ack(tickets(&arrived));
    ward.stop().await;
    stranger.until_ready(&ward.broker.names.returned(), 0).await;
}

#[tokio::test]
async fn a_queue_that_is_not_there_stops_no_other_lane_and_is_found_when_it_comes() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    let queue = ward.queue(Priority::High);
    stranger.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.expect("deleted");
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&lanes(&[(Priority::High, 5), (Priority::Bulk, 5)]), false);
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 1).await;
    let bulk = delivery(&mut reception).await;
    topology::declare(&ward.broker, &[lane(Priority::High).pool]).await.expect("declared");
    stranger.publish_jobs(&ward.jobs(), "default.high", 1).await;
    assert_eq!(delivery(&mut reception).await.lane, Some(lane(Priority::High)));
    assert!(!reception.is_lost(bulk.ticket), "one lane's trouble is not another's");
}

#[tokio::test]
async fn a_deleted_queue_loses_its_own_deliveries_alone() {
    let mut ward = Ward::new().await;
    let stranger = ward.stranger().await;
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&lanes(&[(Priority::High, 5), (Priority::Bulk, 5)]), false);
    stranger.publish_jobs(&ward.jobs(), "default.bulk", 1).await;
    let bulk = delivery(&mut reception).await;
    stranger.publish_jobs(&ward.jobs(), "default.high", 1).await;
    let high = delivery(&mut reception).await;
    let queue = ward.queue(Priority::High);
    stranger.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.expect("deleted");
    let lost = lost(&mut reception).await;
    assert!(lost.covers(high.ticket) && !lost.covers(bulk.ticket));
    assert!(reception.is_lost(high.ticket) && !reception.is_lost(bulk.ticket));
    reception.ack(vec![high.ticket, bulk.ticket]);
    ward.stop().await;
    stranger.until_ready(&ward.queue(Priority::Bulk), 0).await;
}

#[tokio::test]
async fn the_end_of_the_reception_is_the_end_of_its_connection() {
    let mut ward = Ward::new().await;
    let mut reception = ward.reception(ward.broker.clone());
    reception.serve(&lanes(&[(Priority::Bulk, 5)]), true);
    state(&mut reception, |state| *state == BrokerState::Connected).await;
    drop(reception);
    let ended = async { while ward.ended_one().await {} };
    patient("the supervisor ends by itself", ended).await;
}
