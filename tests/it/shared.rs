//! A world whose ledger is PostgreSQL and whose queue is RabbitMQ: a schema and a prefix of its own in each.

use tidegate::app;
use tidegate::ledger::Ledger;
use tidegate::sim::{NumberSpec, SimConfig, TemplateSpec, WebhookConfig};
use uuid::Uuid;

use crate::gateway::{APP_SECRET, with_webhooks};
use crate::producer::Producer;
use crate::services;
use crate::suite::schema::Schema;
use crate::world::World;

/// Simulator, schema, lanes and configuration; workers come and go.
pub struct Shared {
    pub world: World,
    _schema: Schema,
    lanes: Lanes,
}

/// Exchanges and lanes of a test's own, deleted when it is over, also when it failed.
struct Lanes {
    prefix: String,
    pools: Vec<String>,
}

impl Shared {
    /// One number, 1001, of 80/s.
    pub async fn new() -> Self {
        Self::with(&["1001"]).await
    }

    /// These numbers, of 80/s each.
    pub async fn with(numbers: &[&str]) -> Self {
        let mut shared = Self::before(numbers);
        shared.declare(&["default"]).await;
        shared
    }

    /// The same, and workers take in what the simulator tells by webhook, once it is told where they listen. A hundred
    /// seconds of its waiting are one.
    pub async fn with_webhooks(numbers: &[&str]) -> Self {
        Self::with_templates(numbers, Vec::new()).await
    }

    /// The same, and the account has these templates and no others, if there are any.
    pub async fn with_templates(numbers: &[&str], templates: Vec<TemplateSpec>) -> Self {
        let webhooks = WebhookConfig { scale: 0.01, ..WebhookConfig::new("", APP_SECRET) };
        let sim = SimConfig {
            webhooks: Some(webhooks),
            known_templates_only: !templates.is_empty(),
            templates,
            ..simulator(numbers)
        };
        let mut shared = Self::over(sim, numbers);
        with_webhooks(&mut shared.world);
        shared.connect();
        shared.declare(&["default"]).await;
        shared
    }

    /// One number, 1001, whose simulator lets so many seconds pass in one, for the pair limit.
    pub async fn with_pair_clock(time_scale: f64) -> Self {
        let mut shared = Self::over(SimConfig { time_scale, ..simulator(&["1001"]) }, &["1001"]);
        shared.connect();
        shared.declare(&["default"]).await;
        shared
    }

    /// The same, with no lanes declared yet and without webhooks.
    pub fn before(numbers: &[&str]) -> Self {
        let mut shared = Self::ledger_only(numbers);
        shared.connect();
        shared
    }

    /// Workers consume the lanes of the broker too.
    pub fn connect(&mut self) {
        self.world.set("queue.url", &services::amqp_url());
        self.world.set("queue.prefix", &self.lanes.prefix);
    }

    /// The same with no broker.
    pub fn ledger_only(numbers: &[&str]) -> Self {
        Self::over(simulator(numbers), numbers)
    }

    /// These numbers of 80/s each before this simulator, with no broker yet.
    pub fn over(sim: SimConfig, numbers: &[&str]) -> Self {
        let rated: Vec<_> = numbers.iter().map(|id| (*id, "80/s")).collect();
        let mut world = World::with(sim, &rated);
        let schema = Schema::new();
        world.set("ledger.url", &services::database_url());
        world.set("ledger.schema", schema.name());
        world.set("lease.ttl", "3s");
        world.set("lease.renew", "500ms");
        world.set("lease.margin", "500ms");
        let lanes = Lanes { prefix: format!("test_{}", Uuid::now_v7().simple()), pools: Vec::new() };
        Self { world, _schema: schema, lanes }
    }

    /// Brings schema and lanes up, as a deployment does before producers publish.
    pub async fn declare(&mut self, pools: &[&str]) {
        self.lanes.pools = pools.iter().map(|pool| (*pool).to_owned()).collect();
        app::migrate(&self.world.config()).await.expect("schema and lanes");
    }

    pub async fn ledger(&self) -> Ledger {
        self.world.beside().await
    }

    pub async fn producer(&self) -> Producer {
        Producer::connect(&services::amqp_url(), &self.lanes.prefix).await
    }

    /// The name of a lane's queue.
    pub fn queue_of(&self, lane: &str) -> String {
        format!("{}.jobs.{lane}", self.lanes.prefix)
    }

    pub fn returned(&self) -> String {
        format!("{}.returned", self.lanes.prefix)
    }
}

fn simulator(numbers: &[&str]) -> SimConfig {
    SimConfig::with_numbers(numbers.iter().map(|id| NumberSpec::new(*id).with_mps(80)))
}

impl Drop for Lanes {
    fn drop(&mut self) {
        if self.pools.is_empty() {
            return;
        }
        // On a thread of its own: the test's runtime may be the one that runs this.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    Producer::connect(&services::amqp_url(), &self.prefix).await.clear(&self.pools).await;
                });
            });
        });
    }
}
