//! Opens the ledger and the way to the broker, as the configuration names them.

use anyhow::{Context, Result};

use crate::config::{Config, LedgerUrl, Migrate};
use crate::ledger::{Ledger, sqlite};

/// Opens the ledger as the worker's own.
pub async fn open_ledger(config: &Config, access: sqlite::Access) -> Result<Ledger> {
    let migrate = match config.migrate {
        Migrate::Auto => sqlite::Migrate::Auto,
        Migrate::Check => sqlite::Migrate::Check,
    };
    match &config.ledger.url {
        LedgerUrl::Sqlite(path) => {
            let ledger = sqlite::SqliteLedger::open(path, access, migrate);
            Ok(Ledger::Sqlite(ledger.with_context(|| format!("cannot open the ledger {}", path.display()))?))
        }
        LedgerUrl::Postgres(_) => anyhow::bail!("ledger.url: this build keeps its ledger in SQLite only: sqlite:PATH"),
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
    Ok(Migrated { from, to })
}

/// What a migration came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The schema's version before,
    pub from: i64,
    /// and after.
    pub to: i64,
}
