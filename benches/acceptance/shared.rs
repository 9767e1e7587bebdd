//! RabbitMQ and PostgreSQL, one worker.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};
use tidegate::ledger::JobFilter;
use tidegate::outcome::State;

use crate::stand::{Services, Stand};
use crate::{line, producing, verdict};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// 20,000 jobs of 600 bytes by a producer's publish: at Meta once, each with its row and its event, in 64 MiB; also
/// with many others waiting in the broker.
pub async fn throughput(services: &Services, standing: usize) -> bool {
    let numbers: Vec<(String, u32)> =
        (0..20).map(|n| (format!("{}", 1001 + n), 1_000)).chain([("5001".into(), 1)]).collect();
    let stand = Stand::new(&numbers, &[("slow".into(), vec!["5001".into()])]).on(services).await;
    let prefix = stand.prefix();
    let others = (0..standing).map(|n| (format!("slow-{n}"), line(&format!("slow-{n}"), n, "bulk", "slow")));
    producing::publish_to(&services.amqp, prefix, "slow.bulk", others).await;
    let mut events = listen(&services.amqp, prefix, "message.accepted.default.*").await;
    let worker = stand.run();
    let jobs = (0..20_000).map(|n| (format!("fast-{n}"), line(&format!("fast-{n}"), n, "normal", "default")));
    producing::publish_to(&services.amqp, prefix, "default.normal", jobs).await;
    let mut told = 0;
    while told < 20_000 {
        let next = tokio::time::timeout(PATIENCE, events.next()).await;
        let Ok(Some(Ok(delivery))) = next else { break };
        delivery.acker.ack(BasicAckOptions::default()).await.expect("acked");
        told += 1;
    }
    let oracle = stand.sim.oracle();
    let at_meta: u64 = {
        let stats = oracle.stats();
        stats.numbers.iter().filter(|(id, _)| id.as_ref() != "5001").map(|(_, n)| n.accepted).sum()
    };
    let ledger = stand.beside().await;
    let filter = JobFilter { pool: Some("default".parse().expect("a pool")), limit: 30_000, ..JobFilter::default() };
    let rows = ledger.jobs(filter).await.expect("rows");
    let accepted = rows.iter().filter(|row| row.state == State::Accepted).count();
    let doubled = oracle.stats().duplicate_jobs;
    let peak = worker.peak();
    let kept = told == 20_000 && at_meta == 20_000 && accepted == 20_000 && doubled == 0 && peak <= 64;
    let figures = format!(
        "at Meta {at_meta}, rows accepted {accepted}, events {told}, doubled {doubled}, peak {peak} MiB (at most 64)"
    );
    drop(worker);
    producing::delete_lanes(&services.amqp, prefix, &["default", "slow"]).await;
    verdict(&format!("20,000 jobs published, {standing} others in the broker"), &figures, kept)
}

/// One number of 80/s with a backlog in the broker, over 30 s from its first send.
pub async fn rate(services: &Services) -> bool {
    let stand = Stand::new(&[("1001".into(), 80)], &[]).on(services).await;
    publish_bulk(services, &stand, 3_000).await;
    let worker = stand.run();
    let oracle = stand.sim.oracle();
    oracle.wait_for(80 * 31).await;
    let entries = oracle.accepted_entries();
    let first = entries[0].at();
    let within = entries.iter().filter(|entry| entry.at() - first < Duration::from_secs(30)).count();
    let rate = within as f64 / 30.0;
    let worst = oracle.worst_sliding_second("1001");
    let figures = format!("{rate:.2}/s (at least 78.8), worst sliding second {worst} (at most 80)");
    drop(worker);
    producing::delete_lanes(&services.amqp, stand.prefix(), &["default"]).await;
    verdict("one number of 80/s for 30 s, from the broker", &figures, rate >= 78.8 && worst <= 80)
}

/// Urgent jobs published behind 20,000 bulk jobs of the same number: from the broker's confirm to the simulator.
pub async fn urgent(services: &Services) -> bool {
    let stand = Stand::new(&[("1001".into(), 80)], &[]).on(services).await;
    publish_bulk(services, &stand, 20_000).await;
    let worker = stand.run();
    let oracle = stand.sim.oracle();
    oracle.wait_for(100).await;
    let producer = producing::Producer::connect(&services.amqp, stand.prefix()).await;
    let mut published = BTreeMap::new();
    for n in 0..200_usize {
        let recipient = 99_000_000 + n;
        let (id, at) = (format!("otp-{n}"), Duration::from_nanos(oracle.now_ns()));
        producer.publish("default.urgent", &[(id.clone(), line(&id, recipient, "urgent", "default"))]).await;
        published.insert(format!("+4477{recipient:08}"), at);
        // Not in step with the permits.
        tokio::time::sleep(Duration::from_millis(45 + (n as u64 * 7) % 23)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let arrivals = oracle.accepted_entries();
    let mut waits: Vec<Duration> = arrivals
        .iter()
        .filter_map(|entry| Some(entry.at().saturating_sub(*published.get(entry.recipient.as_str())?)))
        .collect();
    waits.sort_unstable();
    let (median, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    let figures = format!(
        "{} sent, from before the publish: median {median:.1?} (at most 30 ms), p99 {p99:.1?} (at most 80 ms)",
        waits.len()
    );
    let kept = waits.len() == 200 && median <= Duration::from_millis(30) && p99 <= Duration::from_millis(80);
    producer.close().await;
    drop(worker);
    producing::delete_lanes(&services.amqp, stand.prefix(), &["default"]).await;
    verdict("urgent behind 20,000 bulk jobs in the broker", &figures, kept)
}

async fn publish_bulk(services: &Services, stand: &Stand, count: usize) {
    let jobs = (0..count).map(|n| (format!("bulk-{n}"), line(&format!("bulk-{n}"), n, "bulk", "default")));
    producing::publish_to(&services.amqp, stand.prefix(), "default.bulk", jobs).await;
}

async fn listen(url: &str, prefix: &str, pattern: &str) -> Consumer {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("the broker answers");
    let channel = connection.create_channel().await.expect("a channel");
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.expect("a queue");
    let exchange = format!("{prefix}.events");
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    let bind = channel.queue_bind(queue.name().clone(), exchange.as_str().into(), pattern.into(), options, none);
    bind.await.expect("bound");
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let consumer = channel.basic_consume(queue.name().clone(), "events".into(), options, none).await;
    // It lives as long as the process does.
    std::mem::forget((connection, channel));
    consumer.expect("consumed")
}
