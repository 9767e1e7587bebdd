//! Which queue and which ledger a run works with, and a place of its own in each.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;
use tidegate::app;
use tidegate::clock;
use tidegate::config::{Config, Sources};
use tidegate::fleet::Pools;
use tidegate::job::{self, NumberId, Received};
use tidegate::ledger::{Ledger, Routed};
use tidegate::sim::Sim;

use super::{NUMBERS, job, producing};

/// One row of the table.
pub struct Setup {
    pub name: &'static str,
    pub broker: bool,
    postgres: bool,
    events: &'static str,
}

/// Where a run works; gone after it.
pub struct Place {
    pub config: Config,
    _folder: TempDir,
    name: String,
}

const fn setup(name: &'static str, broker: bool, postgres: bool, events: &'static str) -> Setup {
    Setup { name, broker, postgres, events }
}

impl Setup {
    pub const ALL: [Self; 5] = [
        setup("no broker, SQLite", false, false, "off"),
        setup("no broker, PostgreSQL", false, true, "off"),
        setup("RabbitMQ, SQLite, events off", true, false, "off"),
        setup("RabbitMQ, PostgreSQL, events off", true, true, "off"),
        setup("RabbitMQ, PostgreSQL, all events", true, true, "all"),
    ];

    /// Whether the services that it needs were named.
    pub fn can_be_had(&self) -> bool {
        (!self.broker || amqp_url().is_some()) && (!self.postgres || database_url().is_some())
    }

    /// A folder, a schema and lanes of its own.
    pub async fn place(&self, sim: &Sim) -> Place {
        let folder = TempDir::new().expect("a directory");
        let name = format!("bench_{}_{}", std::process::id(), clock::now().wall.as_millis());
        let mut overrides: Vec<(String, String)> = vec![
            ("data_dir".into(), folder.path().display().to_string()),
            ("cloud_api.base_url".into(), sim.url()),
            ("cloud_api.access_token".into(), "test-token".into()),
            ("events.publish".into(), self.events.into()),
        ];
        for n in 0..NUMBERS {
            overrides.push((format!("numbers[{n}].id"), format!("{}", 1001 + n)));
            overrides.push((format!("numbers[{n}].rate"), "1000/s".into()));
        }
        let ledger = match database_url().filter(|_| self.postgres) {
            Some(url) => url,
            None => format!("sqlite:{}/ledger.db", folder.path().display()),
        };
        overrides.push(("ledger.url".into(), ledger));
        overrides.push(("ledger.schema".into(), name.clone()));
        if let Some(url) = amqp_url().filter(|_| self.broker) {
            overrides.push(("queue.url".into(), url));
            overrides.push(("queue.prefix".into(), name.clone()));
        }
        let sources = Sources { file: None, env: BTreeMap::new(), dotenv: None, overrides };
        let config = Config::load(sources).expect("a configuration");
        app::migrate(&config).await.expect("schema and lanes");
        Place { config, _folder: folder, name }
    }
}

impl Place {
    /// Puts so many jobs in line in the ledger.
    pub async fn enqueue(&self, ledger: &Ledger, messages: usize) {
        let ids: Vec<NumberId> = self.config.numbers.iter().map(|n| n.id.parse().expect("an id")).collect();
        let directory = Pools::new(&self.config).directory(ids.iter().map(|id| (id, "")));
        for start in (0..messages).step_by(200) {
            let now = clock::now().wall;
            let routed = (start..messages.min(start + 200)).map(|n| {
                let job = job::parse(job(n).as_bytes(), &Received::here(now)).expect("a job");
                Routed { route: directory.route(&job.from).expect("a route"), job: Arc::new(job) }
            });
            ledger.enqueue(routed.collect(), now).await.expect("room");
        }
    }

    /// Publishes so many jobs to the broker.
    pub async fn publish(&self, messages: usize) {
        let jobs = (0..messages).map(|n| (format!("bench-{n}"), job(n)));
        producing::publish_to(&amqp_url().expect("a broker"), &self.name, "default.bulk", jobs).await;
    }

    /// Takes its queues away; schemas go with the database that was started for this.
    pub async fn clear(&self) {
        if self.config.queue.broker.is_some() {
            producing::delete_lanes(&amqp_url().expect("a broker"), &self.name, &["default"]).await;
        }
    }
}

fn amqp_url() -> Option<String> {
    std::env::var("TEST_AMQP_URL").ok().filter(|url| !url.is_empty())
}

fn database_url() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}
