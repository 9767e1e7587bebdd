//! Opening: is this a database that we can work with, and is its schema one that we know?

use std::time::Duration;

use tokio_postgres::Client;
use uuid::Uuid;

use super::connect::{DEADLINE, Pools, discard, quoted, settings, take};
use super::failure::{damaged, too_slow};
use crate::ledger::{LedgerError, Migrate};

mod embedded {
    refinery::embed_migrations!("src/ledger/migrations/postgres");
}

/// A schema this much newer is one that this binary still works with: migrations expand first, contract later.
const NEWER: i64 = 1;
/// Migrations of large tables take their time; who waits for another's waits no longer than this.
const MIGRATION_TIME: Duration = Duration::from_secs(300);

/// The schema that this binary brings.
pub(super) fn known_version() -> i64 {
    let migrations = embedded::migrations::runner();
    migrations.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

/// The schema that the database has; 0 for a new one.
pub(super) async fn found_version(client: &Client, schema: &str) -> Result<i64, LedgerError> {
    let history = format!("{}.refinery_schema_history", quoted(schema));
    let is_there: bool = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&history]).await?.try_get(0)?;
    if !is_there {
        return Ok(0);
    }
    let sql = format!("SELECT coalesce(max(version), 0)::bigint FROM {history}");
    Ok(client.query_one(&sql, &[]).await?.try_get(0)?)
}

/// Sees to it that this binary can work with the database's schema; says from which version to which it was brought.
pub(super) async fn bring_up(pools: &Pools, schema: &str, migrate: Migrate) -> Result<(i64, i64), LedgerError> {
    let known = known_version();
    let client = take(&pools.people).await?;
    let before = in_time(found_version(&client, schema)).await?;
    let mut found = before;
    if found < known && migrate == Migrate::Auto {
        let mut client = client;
        let done =
            tokio::time::timeout(MIGRATION_TIME, run(&mut client, schema)).await.unwrap_or_else(|_| Err(too_slow()));
        // Whatever it was set to for migrating goes with it.
        discard(client);
        done?;
        let client = take(&pools.people).await?;
        found = in_time(found_version(&client, schema)).await?;
    }
    if (known..=known + NEWER).contains(&found) {
        Ok((before, found))
    } else {
        Err(LedgerError::Schema { found, known })
    }
}

/// Two that start at once must not both make the tables: one waits for the other, and then finds nothing to do.
async fn run(client: &mut Client, schema: &str) -> Result<(), LedgerError> {
    let turn = format!("tidegate migrates {schema}");
    client.batch_execute("SET statement_timeout = 0; SET lock_timeout = '120s'").await?;
    client.query_one("SELECT pg_advisory_lock(hashtextextended($1, 0))", &[&turn]).await?;
    // Who holds a table for longer than this is not to be waited for: everybody else would stand behind us.
    client.batch_execute("SET lock_timeout = '3s'").await?;
    if found_version(client, schema).await? >= known_version() {
        return Ok(());
    }
    let has_schema = client.query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&schema]).await?.is_some();
    if !has_schema {
        client.batch_execute(&format!("CREATE SCHEMA {}", quoted(schema))).await?;
    }
    client.batch_execute(&settings(schema)).await?;
    client.batch_execute("SET statement_timeout = 0").await?;
    let migrated = embedded::migrations::runner().run_async(client).await;
    migrated.map(drop).map_err(|error| LedgerError::Unreachable(super::address::with_causes(&error)))
}

/// Finds out a pooler that hands each transaction to whichever connection is free: what we set for a session, what we
/// listen to and what we prepare would be another's a moment later.
pub(super) async fn refuse_transaction_pooler(pools: &Pools) -> Result<(), LedgerError> {
    let (one, other) = (take(&pools.people).await?, take(&pools.people).await?);
    let mark = Uuid::now_v7().to_string();
    in_time(async {
        one.batch_execute(&format!("SET tidegate.mark = '{mark}'")).await?;
        // While this transaction lasts, it keeps the connection that the first one just used, if they share any.
        other.batch_execute("BEGIN; SELECT 1").await?;
        Ok(())
    })
    .await?;
    let look = one.simple_query("SELECT current_setting('tidegate.mark', true)");
    let seen = match tokio::time::timeout(DEADLINE / 2, look).await {
        Ok(seen) => seen?,
        // The other's transaction has the only connection that there is for both.
        Err(_) => Vec::new(),
    };
    let is_ours = seen.iter().any(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0) == Some(&mark),
        _ => false,
    });
    in_time(async { Ok(other.batch_execute("ROLLBACK").await?) }).await?;
    if is_ours { Ok(()) } else { Err(LedgerError::Pooled) }
}

async fn in_time<Answer>(work: impl Future<Output = Result<Answer, LedgerError>>) -> Result<Answer, LedgerError> {
    tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(too_slow()))
}

/// A schema of ours has a name of its own.
pub(super) fn check_schema(schema: &str) -> Result<(), LedgerError> {
    let is_others = schema.is_empty() || schema.len() > 63 || schema == "public" || schema.starts_with("pg_");
    if is_others { Err(damaged(format!("{schema:?} cannot be the ledger's schema"))) } else { Ok(()) }
}
