//! A corner of the real broker for one test: names of its own, and nothing left behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use lapin::options::{BasicGetOptions, BasicPublishOptions, ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tempfile::TempDir;
use tidegate::job::{PoolName, Priority};
use tidegate::metrics::Metrics;
use tidegate::queue::{
    Arrival, Arrived, Broker, BrokerState, LaneName, Lost, Outgoing, Publisher, Reception, publisher, reception,
    topology,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::services::amqp_url;
use crate::world::patient;

/// The broker, under a prefix of its own.
pub struct Ward {
    pub url: String,
    pub broker: Broker,
    pub metrics: Arc<Metrics>,
    pools: Vec<PoolName>,
    prefix: String,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

/// Whoever else speaks with the broker: producers, listeners, operators.
pub struct Stranger {
    _connection: Connection,
    pub channel: Channel,
}

impl Ward {
    /// With the lanes of pool `default`, declared.
    pub async fn new() -> Self {
        Self::at(amqp_url()).await
    }

    /// At a broker that is not everybody's.
    pub async fn at(url: String) -> Self {
        let ward = Self::bare(url);
        patient("the topology", topology::declare(&ward.broker, &ward.pools)).await.expect("it is declared");
        ward
    }

    /// With nothing declared.
    pub fn bare(url: String) -> Self {
        let prefix = format!("test-{}", uuid::Uuid::now_v7().simple());
        let (named, pools) = (url.clone(), vec![PoolName::default_pool()]);
        let broker = Broker::new(move || vec![named.clone()], prefix.clone(), "tidegate test here");
        let (metrics, tasks, stop) = (Arc::new(Metrics::new()), JoinSet::new(), CancellationToken::new());
        Self { url, broker, metrics, pools, prefix, tasks, stop }
    }

    /// The same corner by other ways.
    pub fn by(&self, urls: Vec<String>) -> Broker {
        let mut broker = Broker::new(move || urls.clone(), self.prefix.clone(), "tidegate test here");
        broker.ca_file.clone_from(&self.broker.ca_file);
        broker
    }

    pub fn reception(&mut self, broker: Broker) -> Reception {
        let (reception, supervisor) = reception(broker, self.metrics.clone());
        self.tasks.spawn(supervisor.run(self.stop.clone()));
        reception
    }

    pub async fn publisher(&mut self, broker: Broker) -> Publisher {
        let (publisher, courier) = publisher(broker, self.metrics.clone());
        self.tasks.spawn(courier.run(self.stop.clone()));
        assert!(patient("a connection for publishing", publisher.until_connected()).await);
        publisher
    }

    /// Runs until it is stopped.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&mut self, run: impl FnOnce(CancellationToken) -> F) {
        self.tasks.spawn(run(self.stop.clone()));
    }

    /// Stops what runs, in order.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        while let Some(ended) = patient("everything ends", self.tasks.join_next()).await {
            ended.expect("no panic");
        }
        self.stop = CancellationToken::new();
    }

    /// Waits until one of what runs has ended; false if nothing runs.
    pub async fn ended_one(&mut self) -> bool {
        self.tasks.join_next().await.is_some()
    }

    pub async fn stranger(&self) -> Stranger {
        let connect = Connection::connect(&self.url, ConnectionProperties::default());
        let connection = patient("a connection", connect).await.expect("the broker is there");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(Default::default()).await.expect("confirms");
        Stranger { _connection: connection, channel }
    }

    pub fn jobs(&self) -> String {
        self.broker.names.jobs()
    }

    pub fn queue(&self, priority: Priority) -> String {
        self.broker.names.queue(&lane(priority))
    }

    fn queues(&self) -> Vec<String> {
        let lanes = Priority::ALL.iter().map(|priority| self.queue(*priority));
        lanes.chain([self.broker.names.returned(), format!("{}.listener", self.prefix)]).collect()
    }
}

/// Also after a panic.
impl Drop for Ward {
    fn drop(&mut self) {
        let (url, queues) = (self.url.clone(), self.queues());
        let exchanges = [self.jobs(), self.broker.names.events(), self.broker.names.returned()];
        let tidy = async move {
            let Ok(connection) = Connection::connect(&url, ConnectionProperties::default()).await else { return };
            let Ok(channel) = connection.create_channel().await else { return };
            for queue in queues {
                let _ = channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
            }
            for exchange in exchanges {
                let _ = channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await;
            }
            let _ = channel.close(200, "bye".into()).await;
            let _ = connection.close(200, "bye".into()).await;
        };
        let ended = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let _ = runtime.block_on(async { tokio::time::timeout(crate::world::PATIENCE, tidy).await });
        })
        .join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

impl Stranger {
    /// Publishes with these properties, and waits for the confirm; false for a nack.
    pub async fn publish(&self, exchange: &str, key: &str, body: &str, properties: BasicProperties) -> bool {
        let (exchange, key) = (ShortString::from(exchange), ShortString::from(key));
        let options = BasicPublishOptions::default();
        let sent = self.channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await;
        patient("a confirm", sent.expect("it is sent")).await.expect("an answer").is_ack()
    }

    /// Publishes jobs 0..n.
    pub async fn publish_jobs(&self, exchange: &str, key: &str, count: usize) {
        for n in 0..count {
            let properties = BasicProperties::default().with_message_id(n.to_string().into()).with_delivery_mode(2);
            assert!(self.publish(exchange, key, &format!("{{\"n\":{n}}}"), properties).await);
        }
    }

    /// How many lie ready in a queue.
    pub async fn ready(&self, queue: &str) -> u32 {
        let options = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
        let queue = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        queue.expect("it is there").message_count()
    }

    /// Waits until so many lie ready in a queue: the broker tells nobody when that changes.
    pub async fn until_ready(&self, queue: &str, count: u32) {
        let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
        let until = async {
            while self.ready(queue).await != count {
                look.tick().await;
            }
        };
        patient(&format!("{count} ready in {queue}"), until).await;
    }

    /// Takes one message out of a queue, if there is any.
    pub async fn get(&self, queue: &str) -> Option<lapin::message::Delivery> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await;
        got.expect("it is there").map(|message| message.delivery)
    }
}

pub fn lane(priority: Priority) -> LaneName {
    LaneName { pool: PoolName::default_pool(), priority }
}

pub fn lanes(prefetch: &[(Priority, u16)]) -> BTreeMap<LaneName, u16> {
    prefetch.iter().map(|(priority, prefetch)| (lane(*priority), *prefetch)).collect()
}

pub fn event(n: usize) -> Outgoing {
    Outgoing {
        exchange: tidegate::queue::Exchange::Events,
        routing_key: "message.accepted.default.shop".to_owned(),
        body: format!("{{\"n\":{n}}}").into_bytes(),
        message_id: format!("event-{n}"),
        correlation_id: Some(format!("job-{n}")),
        app_id: None,
        kind: Some("message.accepted".to_owned()),
        timestamp: Some(tidegate::clock::Timestamp::from_millis(1_700_000_000_000)),
        enqueued_at: None,
        traceparent: None,
    }
}

/// The next delivery; states are passed over.
pub async fn delivery(reception: &mut Reception) -> Arrived {
    loop {
        match patient("a delivery", reception.next()).await.expect("the supervisor runs") {
            Arrival::Delivery(arrived) => return arrived,
            Arrival::State(_) => {}
            Arrival::Lost(lost) => panic!("lost before a delivery: {lost:?}"),
        }
    }
}

pub async fn deliveries(reception: &mut Reception, count: usize) -> Vec<Arrived> {
    let mut arrived = Vec::new();
    while arrived.len() < count {
        arrived.push(delivery(reception).await);
    }
    arrived
}

/// Waits for the word that deliveries are lost; more of them may come before it.
pub async fn lost(reception: &mut Reception) -> Lost {
    loop {
        if let Arrival::Lost(lost) = patient("a loss", reception.next()).await.expect("the supervisor runs") {
            return lost;
        }
    }
}

/// Waits for a state that fits.
pub async fn state(reception: &mut Reception, fits: impl Fn(&BrokerState) -> bool) -> BrokerState {
    loop {
        match patient("a state", reception.next()).await.expect("the supervisor runs") {
            Arrival::State(state) if fits(&state) => return state,
            Arrival::State(_) | Arrival::Delivery(_) | Arrival::Lost(_) => {}
        }
    }
}

/// A broker of a test's own, that may be filled up and killed.
pub struct Private {
    dir: TempDir,
    pub url: String,
}

impl Private {
    pub fn start() -> Self {
        let dir = TempDir::new().expect("a directory");
        let url = script(dir.path(), "start", &[]);
        Self { dir, url: url.trim().to_owned() }
    }

    pub fn ctl(&self, arguments: &[&str]) -> String {
        script(self.dir.path(), "ctl", arguments)
    }

    pub fn kill(&self) {
        script(self.dir.path(), "kill", &[]);
    }

    pub fn start_again(&self) {
        script(self.dir.path(), "start", &[]);
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        script(self.dir.path(), "stop", &[]);
    }
}

fn script(dir: &Path, command: &str, arguments: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/rabbitmq");
    let output = Command::new(script).arg(command).arg(dir).args(arguments).output().expect("the script runs");
    assert!(output.status.success(), "{command} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
