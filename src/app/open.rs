//! Opens the ledger and the way to the broker, as the configuration names them.

use anyhow::{Context, Result};

use super::lanes;
use crate::config::{Config, LedgerUrl, Migrate, Publish};
use crate::ledger::{Ledger, sqlite};

/// Opens the ledger as the worker's own.
pub async fn open_ledger(config: &Config, access: sqlite::Access) -> Result<Ledger> {
    let (migrate, publish) = (migrate_as(config), publish_as(config));
    match &config.ledger.url {
        LedgerUrl::Sqlite(path) => {
            let ledger = sqlite::SqliteLedger::open_publishing(path, access, migrate, publish);
            Ok(Ledger::Sqlite(ledger.with_context(|| format!("cannot open the ledger {}", path.display()))?))
        }
        LedgerUrl::Postgres(_) => anyhow::bail!("ledger.url: this build keeps its ledger in SQLite only: sqlite:PATH"),
    }
}

fn migrate_as(config: &Config) -> sqlite::Migrate {
    match config.migrate {
        Migrate::Auto => sqlite::Migrate::Auto,
        Migrate::Check => sqlite::Migrate::Check,
    }
}

/// Where nobody listens, no events are written.
fn publish_as(config: &Config) -> sqlite::Publish {
    match config.events.publish {
        _ if config.queue.broker.is_none() => sqlite::Publish::Off,
        Publish::All => sqlite::Publish::All,
        Publish::Ended => sqlite::Publish::Ended,
        Publish::Off => sqlite::Publish::Off,
    }
}

/// The ledger's name for people, without credentials.
pub(super) fn ledger_name(config: &Config) -> String {
    match &config.ledger.url {
        LedgerUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        LedgerUrl::Postgres(_) => "postgres".to_owned(),
    }
}

/// Brings the ledger's schema and the broker's lanes up to date: what a deployment does before anybody starts. Twice
/// does nothing more.
pub async fn migrate(config: &Config) -> Result<Migrated> {
    let (from, to) = match &config.ledger.url {
        LedgerUrl::Sqlite(path) => {
            sqlite::migrate(path).with_context(|| format!("the ledger {} can't be migrated", path.display()))?
        }
        LedgerUrl::Postgres(_) => anyhow::bail!("provisional"),
    };
    Ok(Migrated { from, to, created: lanes::declare(config).await? })
}

/// What a migration came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The schema's version before,
    pub from: i64,
    /// and after.
    pub to: i64,
    /// Exchanges and queues that were not there before.
    pub created: Vec<String>,
}
