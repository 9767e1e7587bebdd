//! Events on their way from a ledger to the broker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use tempfile::TempDir;
use tidegate::clock;
use tidegate::job::{self, PoolName, Received};
use tidegate::keeper::Relay;
use tidegate::ledger::sqlite::{Access, Migrate, Publish, SqliteLedger};
use tidegate::ledger::{Cancelled, JobRef, Ledger, OutboxStage, Route, Routed, Unseen};
use tidegate::metrics::PublishResult;
use tidegate::queue::Publisher;
use tokio::sync::watch;

use super::ward::{Stranger, Ward};
use super::wire::Wire;
use crate::world::patient;

/// A ledger whose events are wanted.
struct Bench {
    ledger: Ledger,
    _dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let file = dir.path().join("ledger.sqlite");
        let ledger = SqliteLedger::open_publishing(&file, Access::Worker, Migrate::Auto, Publish::All);
        Self { ledger: Ledger::Sqlite(ledger.expect("it opens")), _dir: dir }
    }

    /// Jobs that come and go, an event each.
    async fn cancel_jobs(&self, ids: std::ops::Range<usize>) {
        let now = clock::now().wall;
        let (mut jobs, mut names) = (Vec::new(), Vec::new());
        for n in ids {
            let body = format!(
                "{{\"id\":\"job-{n}\",\"source\":\"shop\",\"to\":\"+4477009{n:05}\",\"message\":{{\"type\":\"text\",\"text\":{{\"body\":\"hi\"}}}}}}"
            );
            let job = job::parse(body.as_bytes(), &Received::here(now)).expect("a job");
            jobs.push(Routed { job: Arc::new(job), route: Route { pool: PoolName::default_pool(), pinned: None } });
            names.push(JobRef { source: Some("shop".to_owned()), id: format!("job-{n}") });
        }
        let count = names.len();
        self.ledger.enqueue(jobs, now).await.expect("taken");
        let cancelled = self.ledger.cancel(names, Unseen::Refuse, now).await.expect("an answer");
        assert_eq!(cancelled, vec![Cancelled::Done; count]);
    }

    async fn pending(&self) -> usize {
        self.ledger.outbox_take(OutboxStage::Any, 10_000).await.expect("an answer").len()
    }
}

impl Ward {
    fn relay(&mut self, ledger: &Ledger, publisher: Publisher) -> watch::Sender<bool> {
        let (duty, on_duty) = watch::channel(true);
        let relay = Relay::new(ledger.clone(), publisher, false, on_duty);
        self.spawn(|stop| relay.run(stop));
        duty
    }

    async fn listener(&self, stranger: &Stranger) -> String {
        let queue = format!("{}.listener", self.broker.names.events().trim_end_matches(".events"));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let declare = stranger.channel.queue_declare(queue.clone().into(), options, FieldTable::default());
        declare.await.expect("declared");
        let (exchange, options) = (self.broker.names.events().into(), QueueBindOptions::default());
        let (queue_name, key) = (queue.clone().into(), "message.cancelled.default.shop".into());
        stranger.channel.queue_bind(queue_name, exchange, key, options, FieldTable::default()).await.expect("bound");
        queue
    }
}

/// All that was heard, once each, in the order of their first coming.
async fn heard(stranger: &Stranger, queue: &str) -> Vec<String> {
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    while let Some(delivery) = stranger.get(queue).await {
        let id = delivery.properties.message_id().as_ref().expect("an id").to_string();
        let job = delivery.properties.correlation_id().as_ref().expect("a job").to_string();
        if seen.insert(id) {
            order.push(job);
        }
    }
    order
}

async fn until_empty(bench: &Bench) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let until = async {
        while bench.pending().await > 0 {
            look.tick().await;
        }
    };
    patient("the outbox is empty", until).await;
}

fn jobs(ids: std::ops::Range<usize>) -> Vec<String> {
    ids.map(|n| format!("job-{n}")).collect()
}

#[tokio::test]
async fn every_event_is_published_in_order_and_then_forgotten() {
    let mut ward = Ward::new().await;
    let (stranger, bench) = (ward.stranger().await, Bench::new());
    let queue = ward.listener(&stranger).await;
    bench.cancel_jobs(0..900).await;
    let publisher = ward.publisher(ward.broker.clone()).await;
    let _duty = ward.relay(&bench.ledger, publisher);
    until_empty(&bench).await;
    assert_eq!(heard(&stranger, &queue).await, jobs(0..900));
    bench.cancel_jobs(900..905).await;
    until_empty(&bench).await;
    assert_eq!(heard(&stranger, &queue).await, jobs(900..905));
}

#[tokio::test]
async fn only_who_is_on_duty_publishes() {
    let (mut first, mut second) = (Ward::new().await, Ward::bare(crate::services::amqp_url()));
    let bench = Bench::new();
    let publisher = first.publisher(first.broker.clone()).await;
    let first_duty = first.relay(&bench.ledger, publisher);
    let publisher = second.publisher(first.broker.clone()).await;
    let second_duty = second.relay(&bench.ledger, publisher);
    second_duty.send_replace(false);
    let published = |ward: &Ward| ward.metrics.broker().published.get(PublishResult::Ack);
    // Its first look may have come before.
    bench.cancel_jobs(0..1).await;
    until_empty(&bench).await;
    let before = published(&second);
    bench.cancel_jobs(1..900).await;
    until_empty(&bench).await;
    assert_eq!(published(&second), before);
    first_duty.send_replace(false);
    second_duty.send_replace(true);
    // The first may have had one look left.
    bench.cancel_jobs(900..901).await;
    until_empty(&bench).await;
    let (before, first_before) = (published(&second), published(&first));
    bench.cancel_jobs(901..910).await;
    until_empty(&bench).await;
    assert_eq!((published(&second), published(&first)), (before + 9, first_before));
}

#[tokio::test]
async fn events_outlive_a_cut_connection() {
    let mut ward = Ward::new().await;
    let (stranger, bench) = (ward.stranger().await, Bench::new());
    let queue = ward.listener(&stranger).await;
    let wire = Wire::to(&ward.url).await;
    let by_wire = ward.by(vec![wire.url(&ward.url)]);
    let publisher = ward.publisher(by_wire).await;
    let _duty = ward.relay(&bench.ledger, publisher);
    for round in 0..5 {
        bench.cancel_jobs(round * 300..(round + 1) * 300).await;
        wire.cut();
    }
    until_empty(&bench).await;
    let mut heard = heard(&stranger, &queue).await;
    let mut all = jobs(0..1_500);
    heard.sort();
    all.sort();
    assert_eq!(heard, all);
}

#[tokio::test]
async fn a_refused_event_waits_in_the_ledger_and_is_tried_again() {
    let mut ward = Ward::new().await;
    let (stranger, bench) = (ward.stranger().await, Bench::new());
    let queue = ward.listener(&stranger).await;
    let full = full(&ward, &stranger, &queue).await;
    let publisher = ward.publisher(ward.broker.clone()).await;
    let _duty = ward.relay(&bench.ledger, publisher);
    bench.cancel_jobs(0..20).await;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let refused = async {
        // More than one attempt of all of them.
        while ward.metrics.broker().published.get(PublishResult::Nack) <= 20 {
            look.tick().await;
        }
    };
    patient("it is tried again", refused).await;
    assert!(bench.pending().await > 0, "what was refused is forgotten");
    stranger.channel.queue_delete(full.into(), QueueDeleteOptions::default()).await.expect("deleted");
    until_empty(&bench).await;
    assert_eq!(heard(&stranger, &queue).await.len(), 20);
}

/// A second listener that takes one event and no more.
async fn full(ward: &Ward, stranger: &Stranger, queue: &str) -> String {
    use lapin::types::{AMQPValue, LongString};
    let name = format!("{queue}.full");
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    arguments.insert("x-overflow".into(), AMQPValue::LongString(LongString::from("reject-publish")));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    stranger.channel.queue_declare(name.clone().into(), options, arguments).await.expect("declared");
    let (exchange, options) = (ward.broker.names.events().into(), QueueBindOptions::default());
    let bind = stranger.channel.queue_bind(name.clone().into(), exchange, "#".into(), options, FieldTable::default());
    bind.await.expect("bound");
    name
}
