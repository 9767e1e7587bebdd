//! Opens the ledger and the way to the broker, as the configuration names them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::lanes;
use crate::config::{Config, LedgerUrl, Migrate, Publish, SecretSource};
use crate::ledger::postgres::{self, PostgresLedger};
use crate::ledger::{Ledger, Options, QuotaRules, sqlite};

/// Opens the ledger as the worker's own.
pub async fn open_ledger(config: &Config, access: sqlite::Access) -> Result<Ledger> {
    let (migrate, options) = (migrate_as(config), options(config));
    match &config.ledger.url {
        LedgerUrl::Sqlite(path) => {
            let ledger = sqlite::SqliteLedger::open_publishing(path, access, migrate, options);
            Ok(Ledger::Sqlite(ledger.with_context(|| format!("cannot open the ledger {}", path.display()))?))
        }
        LedgerUrl::Postgres(source) => {
            let ledger = PostgresLedger::open(url(source), &config.ledger.schema, migrate, options).await;
            Ok(Ledger::Postgres(ledger.with_context(|| format!("cannot open the ledger {}", ledger_name(config)))?))
        }
    }
}

/// The URL as it is each time it is asked for: a password may change.
fn url(source: &SecretSource) -> postgres::Url {
    let source = source.clone();
    Arc::new(move || source.current().expose().to_owned())
}

/// The schema's version, of a ledger that this binary can work with; changes nothing.
pub async fn look_at_ledger(config: &Config) -> Result<i64> {
    let mut config = config.clone();
    config.migrate = Migrate::Check;
    match open_ledger(&config, sqlite::Access::Beside).await? {
        Ledger::Sqlite(ledger) => Ok(ledger.schema_version().await?),
        Ledger::Postgres(ledger) => Ok(ledger.schema_version().await?),
    }
}

fn migrate_as(config: &Config) -> sqlite::Migrate {
    match config.migrate {
        Migrate::Auto => sqlite::Migrate::Auto,
        Migrate::Check => sqlite::Migrate::Check,
    }
}

fn options(config: &Config) -> Options {
    let quota = &config.quota;
    let quota = QuotaRules {
        limit: quota.limit.map(u64::from),
        reserve: quota.reserve,
        used_elsewhere: quota.used_elsewhere,
        window: quota.window,
    };
    Options { publish: publish_as(config), quota }
}

/// Where nobody listens, no events are written.
fn publish_as(config: &Config) -> sqlite::Publish {
    match config.events.publish {
        _ if config.queue.broker.is_none() && config.events.webhook_url.is_none() => sqlite::Publish::Off,
        Publish::All => sqlite::Publish::All,
        Publish::Ended => sqlite::Publish::Ended,
        Publish::Off => sqlite::Publish::Off,
    }
}

/// The ledger's name for people, without credentials.
pub fn ledger_name(config: &Config) -> String {
    match &config.ledger.url {
        LedgerUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        LedgerUrl::Postgres(_) => {
            let shown = config.show().iter().find(|setting| setting.key == "ledger.url");
            format!("postgres {}, schema {}", shown.map_or("", |setting| &setting.value), config.ledger.schema)
        }
    }
}

/// Brings the ledger's schema and the broker's lanes up to date: what a deployment does before anybody starts. Twice
/// does nothing more.
pub async fn migrate(config: &Config) -> Result<Migrated> {
    let (from, to) = match &config.ledger.url {
        LedgerUrl::Sqlite(path) => {
            make_folder(path)?;
            sqlite::migrate(path).with_context(|| format!("the ledger {} can't be migrated", path.display()))?
        }
        LedgerUrl::Postgres(source) => {
            let migrated = postgres::migrate(url(source), &config.ledger.schema).await;
            migrated.with_context(|| format!("the ledger {} can't be migrated", ledger_name(config)))?
        }
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

/// Makes the folder that the ledger's file stands in.
pub fn make_folder(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("the folder {} can't be made", folder.display()))
        }
        None => Ok(()),
    }
}
