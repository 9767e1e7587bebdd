//! How the POSTs behave: repeats, disorder, batches, retries, signatures, the handshake.

use super::receiver::VERIFY_TOKEN;
use super::{Receiver, all, at_once, call, send_to_many, start};
use crate::sim::{Between, Delays, HandshakeError, WebhookConfig};
use std::collections::HashMap;

#[tokio::test]
async fn what_is_not_answered_with_200_comes_again_to_the_letter() {
    let receiver = Receiver::answering([503, 204]).await;
    let sim = start(WebhookConfig { concurrency: 1, ..at_once(&receiver) }).await;
    assert!(sim.send_raw_webhook(r#"{ "any" : "thing" }"#));
    sim.webhooks_settled().await;
    assert_eq!(receiver.raw(), vec![r#"{ "any" : "thing" }"#; 3]);
    let counts = sim.webhook_counts();
    assert_eq!((counts.posted, counts.retried, counts.refused, counts.acknowledged), (3, 2, 2, 1));
    assert_eq!(counts.acknowledged_updates["raw"], 1);
    assert_eq!(counts.answers.count, 3);
}

#[tokio::test]
async fn a_webhook_is_given_up_in_the_end() {
    let receiver = Receiver::answering([500; 64]).await;
    let webhooks = WebhookConfig { give_up_seconds: 0.1, ..at_once(&receiver) };
    let sim = start(webhooks).await;
    assert!(sim.send_raw_webhook("{}"));
    sim.webhooks_settled().await;
    let counts = sim.webhook_counts();
    assert_eq!((counts.given_up, counts.given_up_updates, counts.acknowledged), (1, 1, 0));
    assert_eq!(counts.posted, receiver.raw().len() as u64);
}

#[tokio::test]
async fn a_wrong_secret_is_seen_by_the_receiver() {
    let receiver = Receiver::start().await;
    let mut webhooks = WebhookConfig { give_up_seconds: 0.001, ..at_once(&receiver) };
    webhooks.app_secret.0.push('!');
    let sim = start(webhooks).await;
    assert!(sim.send_raw_webhook("{}"));
    sim.webhooks_settled().await;
    assert_eq!((sim.webhook_counts().refused, receiver.raw().len()), (1, 0));
}

#[tokio::test]
async fn repeats_come_twice_and_no_more() {
    let receiver = Receiver::start().await;
    let sim = start(WebhookConfig { repeat_share: 1.0, ..at_once(&receiver) }).await;
    send_to_many(&sim, 5).await;
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let mut seen: HashMap<String, u32> = HashMap::new();
    for status in all(&bodies, "statuses") {
        *seen.entry(format!("{} {}", status["id"], status["status"])).or_default() += 1;
    }
    assert_eq!(seen.len(), 15);
    assert!(seen.values().all(|times| *times == 2), "{seen:?}");
    let counts = sim.webhook_counts();
    assert_eq!((counts.repeats, counts.planned["sent"], counts.acknowledged_updates["sent"]), (15, 5, 10));
}

#[tokio::test]
async fn a_share_comes_in_disorder() {
    let receiver = Receiver::start().await;
    let apart = Between::seconds(0.02, 0.02);
    let webhooks = WebhookConfig {
        delays: Delays { sent: apart, delivered: apart, read: apart },
        disorder_share: 1.0,
        concurrency: 1,
        ..at_once(&receiver)
    };
    let sim = start(webhooks).await;
    send_to_many(&sim, 1).await;
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    let words: Vec<_> = all(&bodies, "statuses").map(|status| status["status"].as_str().unwrap()).collect();
    assert!(matches!(words[..], ["delivered", "sent", "read"] | ["sent", "read", "delivered"]), "{words:?}");
    assert_eq!(sim.webhook_counts().disordered, 1);
}

#[tokio::test]
async fn what_is_due_together_goes_together_as_far_as_the_batch_allows() {
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let webhooks = WebhookConfig { url: String::new(), most_in_one_post: 7, ..at_once(&receiver) };
    let sim = start(webhooks).await;
    send_to_many(&sim, 20).await;
    sim.oracle().wait_for(20).await;
    // The latest is due nine milliseconds after the last answer; what is due later goes alone, and changes nothing.
    sim.set_webhook_url(url);
    sim.webhooks_settled().await;
    let bodies = receiver.bodies();
    assert!(bodies.iter().all(|body| all(std::slice::from_ref(body), "statuses").count() <= 7));
    assert_eq!(all(&bodies, "statuses").count(), 60);
    assert_eq!(sim.webhook_counts().largest_post, 7);
    let both = bodies.iter().find(|body| body["entry"].as_array().unwrap().len() == 2);
    let accounts: Vec<_> = both.unwrap()["entry"].as_array().unwrap().iter().map(|entry| &entry["id"]).collect();
    assert!(accounts == ["2001", "2002"] || accounts == ["2002", "2001"], "{accounts:?}");
}

#[tokio::test]
async fn without_room_updates_are_dropped_and_counted() {
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let sim = start(WebhookConfig { url: String::new(), capacity: 2, ..at_once(&receiver) }).await;
    send_to_many(&sim, 2).await;
    assert_eq!((sim.webhook_counts().dropped, sim.webhook_counts().waiting), (4, 2));
    sim.set_webhook_url(url);
    sim.webhooks_settled().await;
    assert_eq!(all(&receiver.bodies(), "statuses").count(), 2);
}

#[tokio::test]
async fn whoever_waits_for_webhooks_is_let_go_when_the_simulator_stops() {
    let receiver = Receiver::start().await;
    let sim = start(WebhookConfig { url: String::new(), ..at_once(&receiver) }).await;
    assert!(sim.send_raw_webhook("{}"));
    let oracle = sim.oracle();
    let ((), stopped) = tokio::join!(oracle.webhooks_settled(), sim.stop());
    stopped.unwrap();
    oracle.webhooks_settled().await;
    assert_eq!(oracle.webhook_counts().waiting, 1);
    assert!(receiver.raw().is_empty());
}

#[tokio::test]
async fn counts_are_read_and_bodies_sent_by_http() {
    let receiver = Receiver::start().await;
    let sim = start(at_once(&receiver)).await;
    assert_eq!(call(&sim, "POST", "/_sim/webhooks/raw", r#"{"a":1}"#).await.status, 202);
    sim.webhooks_settled().await;
    let counts = call(&sim, "GET", "/_sim/webhooks", "").await.json();
    assert_eq!((&counts["acknowledged"], &counts["planned"]["raw"]), (&1.into(), &1.into()));
    let mute = crate::sim::Sim::start(super::super::two_numbers()).await.unwrap();
    assert_eq!(call(&mute, "GET", "/_sim/webhooks", "").await.status, 409);
    assert!(!mute.send_raw_webhook("{}"));
}

#[tokio::test]
async fn the_handshake_tells_a_receiver_that_knows_the_token_from_one_that_does_not() {
    let receiver = Receiver::start().await;
    let sim = start(at_once(&receiver)).await;
    sim.verify_webhook(VERIFY_TOKEN).await.unwrap();
    assert!(matches!(sim.verify_webhook("wrong").await, Err(HandshakeError::Refused(403))));
    let gone = Receiver::start().await.url();
    sim.set_webhook_url(gone);
    assert!(matches!(sim.verify_webhook(VERIFY_TOKEN).await, Err(HandshakeError::Unreachable(_))));
    sim.set_webhook_url("");
    assert!(matches!(sim.verify_webhook(VERIFY_TOKEN).await, Err(HandshakeError::NoAddress)));
}
