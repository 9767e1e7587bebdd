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
