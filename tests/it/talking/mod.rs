//! Meta talks back: webhooks over HTTP into the running app, and what follows from them at the simulator.

mod doubt;
mod late;
mod people;
mod quality;
mod replay;
mod statuses;
mod template;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tidegate::app::{Role, RunOptions};
use tidegate::job::JobKey;
use tidegate::ledger::{Ledger, OutboxRow, OutboxStage};
use tidegate::sim::{Entry, NumberSpec, SimConfig, WebhookConfig};
use tokio::sync::watch;

use crate::process::Process;
#[cfg(feature = "services")]
use crate::suite::schema::Schema;
use crate::world::{Running, World, patient, until};

const SECRET: &str = "the app's secret";

/// The ledger that a test runs on.
#[derive(Clone, Copy)]
enum Place {
    Sqlite,
    #[cfg(feature = "services")]
    Postgres,
}

/// Each of these on every ledger there is.
macro_rules! everywhere {
    ($($(#[$meta:meta])* $name:ident)*) => {
        mod sqlite {
            $($(#[$meta])* #[tokio::test] async fn $name() { super::$name($crate::talking::Place::Sqlite).await })*
        }
        #[cfg(feature = "services")]
        mod postgres {
            $($(#[$meta])* #[tokio::test] async fn $name() { super::$name($crate::talking::Place::Postgres).await })*
        }
    };
}
use everywhere;

/// A world that Meta talks back to.
struct Stage {
    world: World,
    #[cfg(feature = "services")]
    schema: Option<Schema>,
}

/// Everything once and in order, a hundred times as fast as by default.
fn quick() -> WebhookConfig {
    WebhookConfig { scale: 0.01, ..WebhookConfig::new("", SECRET) }
}

/// Numbers of 80/s and a simulator that tells of them.
fn simulated(numbers: &[&str], webhooks: WebhookConfig) -> SimConfig {
    let numbers = numbers.iter().map(|id| NumberSpec::new(*id).with_mps(80));
    SimConfig { webhooks: Some(webhooks), ..SimConfig::with_numbers(numbers) }
}

impl Stage {
    /// Takes webhooks in, and writes events that nobody fetches.
    fn new(place: Place, sim: SimConfig) -> Self {
        let ids: Vec<String> = sim.numbers.iter().map(|number| number.id.clone()).collect();
        let rated: Vec<_> = ids.iter().map(|id| (id.as_str(), "80/s")).collect();
        let world = World::with(sim, &rated);
        let stage = Self::in_world(world);
        match place {
            Place::Sqlite => stage,
            #[cfg(feature = "services")]
            Place::Postgres => {
                let (mut stage, schema) = (stage, Schema::new());
                stage.world.set("ledger.url", &crate::services::database_url());
                stage.world.set("ledger.schema", schema.name());
                for (key, value) in [("lease.ttl", "3s"), ("lease.renew", "500ms"), ("lease.margin", "500ms")] {
                    stage.world.set(key, value);
                }
                stage.schema = Some(schema);
                stage
            }
        }
    }

    fn in_world(mut world: World) -> Self {
        for (key, value) in [
            ("webhook.listen", "127.0.0.1:0"),
            ("webhook.app_secret", SECRET),
            ("webhook.verify_token", "a token"),
            // Nobody is there: events stay, and can be looked at.
            ("events.webhook_url", "http://127.0.0.1:1/events"),
            ("events.webhook_secret", "whsec_dGhlIGtleSBvZiB0aGUgdGVzdA=="),
        ] {
            world.set(key, value);
        }
        Self {
            world,
            #[cfg(feature = "services")]
            schema: None,
        }
    }

    /// Starts a worker that Meta talks to.
    async fn start(&self) -> Running {
        let (running, url) = self.start_as(&[Role::Sender, Role::Keeper, Role::Gateway], false).await;
        self.world.sim.set_webhook_url(url);
        running
    }

    /// Starts these parts, with a hold over everything or without, and says where webhooks would be taken in.
    async fn start_as(&self, roles: &[Role], held: bool) -> (Running, String) {
        let (told, mut address) = watch::channel::<Option<SocketAddr>>(None);
        let options = RunOptions { roles: roles.to_vec(), held, webhook_address: Some(told), ..RunOptions::default() };
        let running = self.world.start_with(options);
        let address = address.wait_for(Option::is_some).await.expect("it starts").expect("it is told");
        (running, format!("http://{address}/webhook/whatsapp"))
    }

    /// Waits until everything that Meta had to tell is told, and applied.
    async fn heard(&self, ledger: &Ledger) {
        patient("the webhooks are answered", self.world.sim.webhooks_settled()).await;
        until(ledger, "the webhooks are applied", async || {
            let left = ledger.inbox_take(1, 1 << 20).await.expect("the ledger answers");
            left.is_empty().then_some(())
        })
        .await;
        let counts = self.world.sim.webhook_counts();
        assert_eq!((counts.dropped, counts.given_up), (0, 0), "{counts:?}");
    }

    /// What a query answers, a line for each row.
    async fn ask(&self, sql: &str) -> Vec<String> {
        #[cfg(feature = "services")]
        if let Some(schema) = &self.schema {
            let rows = schema.query(sql).await.rows;
            return rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect();
        }
        let conn = rusqlite::Connection::open(self.world.path().join("ledger.db")).expect("the ledger's file");
        let mut query = conn.prepare(sql).expect("SQL");
        let columns = query.column_count();
        let text = |value| match value {
            rusqlite::types::Value::Null => String::new(),
            rusqlite::types::Value::Integer(n) => n.to_string(),
            rusqlite::types::Value::Real(n) => n.to_string(),
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Blob(bytes) => format!("{bytes:?}"),
        };
        let rows = query
            .query_map([], |row| (0..columns).map(|n| row.get(n).map(text)).collect::<Result<String, _>>())
            .expect("rows");
        rows.collect::<Result<_, _>>().expect("values")
    }
}

/// The real binary, and where it takes webhooks in.
fn start_process(stage: &Stage) -> (Process, String) {
    let mut process = Process::start(&stage.world, "run");
    let line = process.until_said("webhooks on http://");
    (process, url_in(&line))
}

/// The address in a line of the log.
fn url_in(line: &str) -> String {
    let at = line.find("http://").expect("an address");
    line[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || ":/._-".contains(*c)).collect()
}

/// Every event that was written and is still there.
async fn events(ledger: &Ledger) -> Vec<OutboxRow> {
    ledger.outbox_take(OutboxStage::Any, 100_000).await.expect("the ledger answers")
}

/// What Meta accepted of each job.
fn accepted_by_job(entries: &[Entry]) -> BTreeMap<String, Vec<&Entry>> {
    let mut jobs: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.outcome.is_accepted()) {
        jobs.entry(job_of(entry)).or_default().push(entry);
    }
    jobs
}

/// The key of the job that a request was for.
fn job_of(entry: &Entry) -> String {
    let callback = entry.callback.as_deref().expect("every request carries its job's key and attempt");
    callback.rsplit_once(':').expect("key:attempt").0.to_owned()
}

/// What Meta accepted of one job.
fn accepted_of(jobs: &BTreeMap<String, Vec<&Entry>>, key: JobKey) -> usize {
    jobs.get(&key.to_string()).map_or(0, Vec::len)
}

/// A template's message of this category.
fn template(id: &str, name: &str, category: &str) -> serde_json::Value {
    serde_json::json!({
        "id": id, "to": crate::world::recipient(id), "category": category, "on_unknown": "leave",
        "message": { "type": "template", "template": { "name": name, "language": { "code": "en_US" } } }
    })
}
