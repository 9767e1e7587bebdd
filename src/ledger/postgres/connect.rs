//! Connections: made from the URL as it is at that moment, set up alike, kept in two pools.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Client, ConfigConnectImpl, Connect, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime,
};
use tokio::task::JoinHandle;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Url;
use super::address::{Address, trusting_nobody};
use super::failure::too_slow;
use crate::ledger::{Connections, LedgerError};

/// No call takes longer, whatever the database does.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// For what is written, and for what the workers wait for. Our own plans: on a table that was never analysed the
/// planner takes hash joins over full scans.
const HOT: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
    SET enable_mergejoin = off; SET enable_bitmapscan = off; SET enable_material = off; ";

/// Two pools: what people ask never delays a send.
pub(super) struct Pools {
    pub(super) hot: Pool,
    pub(super) people: Pool,
}

/// Makes connections from a URL that is asked for anew each time: passwords change.
pub(super) struct FromUrl(pub(super) Url);

impl Pools {
    pub(super) fn new(url: &Url, schema: &str) -> Self {
        Self { hot: pool(url, 6, format!("{HOT}{}", settings(schema))), people: pool(url, 2, settings(schema)) }
    }

    /// How busy both are.
    pub(super) fn connections(&self) -> Connections {
        let mut seen = Connections::default();
        for status in [self.hot.status(), self.people.status()] {
            seen.in_use += status.size.saturating_sub(status.available);
            seen.waiting += status.waiting;
        }
        seen
    }
}

/// What every session of ours is set to, by statements: poolers do not pass options of the start on.
pub(super) fn settings(schema: &str) -> String {
    format!(
        "SET search_path = {}; SET statement_timeout = '5s'; SET lock_timeout = '3s'; \
         SET idle_in_transaction_session_timeout = '10s'; SET jit = off; SET timezone = 'UTC';",
        quoted(schema)
    )
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn pool(url: &Url, size: usize, settings: String) -> Pool {
    let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_connect(Config::new(), FromUrl(url.clone()), manager_config);
    let settings: Arc<str> = settings.into();
    let set_up = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
        let settings = settings.clone();
        Box::pin(async move { client.batch_execute(&settings).await.map_err(HookError::Backend) })
    });
    Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(DEADLINE))
        .create_timeout(Some(DEADLINE))
        .recycle_timeout(Some(DEADLINE))
        .post_create(set_up)
        .build()
        .expect("the pool has a runtime for its timeouts")
}

/// A connection of the pool, in time or not at all.
pub(super) async fn take(pool: &Pool) -> Result<Client, LedgerError> {
    match tokio::time::timeout(DEADLINE, pool.get()).await {
        Ok(client) => Ok(client?),
        Err(_) => Err(too_slow()),
    }
}

/// Of no use any more: what it was doing ends with it.
pub(super) fn discard(client: Client) {
    drop(Client::take(client));
}

impl Connect for FromUrl {
    fn connect(&self, _: &Config) -> Connecting<'_> {
        let address = Address::read(&self.0());
        Box::pin(async move {
            match address {
                Ok(Address { config, tls: None }) => ConfigConnectImpl { tls: NoTls }.connect(&config).await,
                Ok(Address { config, tls: Some(tls) }) => {
                    let tls = MakeRustlsConnect::new(tls);
                    ConfigConnectImpl { tls }.connect(&config).await
                }
                Err(problem) => {
                    // The URL was good when the ledger was opened; its connector's errors have no room for words.
                    tracing::error!(problem, "no connection to the ledger can be made");
                    let tls = MakeRustlsConnect::new(trusting_nobody());
                    ConfigConnectImpl { tls }.connect(&Config::new()).await
                }
            }
        })
    }
}

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(tokio_postgres::Client, JoinHandle<()>), tokio_postgres::Error>> + Send + 'a>>;
