//! The ledger as anyone may read it: by SQL, through the view that is promised, while workers write.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rusqlite::Connection;
use tokio_postgres::{Client, NoTls};

use crate::judge::Row;

pub enum Ledger {
    Sqlite(PathBuf),
    Postgres { url: String, schema: String },
}

/// How many jobs are in each state, open ones apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    pub open: usize,
    pub ended: usize,
}

const OPEN: &str = "('queued', 'waiting', 'sending', 'unknown')";

impl Ledger {
    /// Every job.
    pub async fn rows(&self) -> Result<Vec<Row>> {
        let rows = self.ask("SELECT id, state, wamid FROM jobs_v1").await?;
        let row = |[id, state, wamid]: [Option<String>; 3]| Row {
            id: id.unwrap_or_default(),
            state: state.unwrap_or_default(),
            wamid,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Jobs whose request may be on its way.
    pub async fn in_doubt(&self) -> Result<Vec<String>> {
        let rows = self.ask("SELECT id, '', '' FROM jobs_v1 WHERE state IN ('sending', 'unknown')").await?;
        Ok(rows.into_iter().filter_map(|[id, ..]| id).collect())
    }

    pub async fn census(&self) -> Result<Census> {
        let sql = format!("SELECT CAST(state IN {OPEN} AS TEXT), CAST(count(*) AS TEXT), '' FROM jobs_v1 GROUP BY 1");
        let mut census = Census::default();
        for [open, count, _] in self.ask(&sql).await? {
            let count: usize = count.unwrap_or_default().parse()?;
            match open.as_deref() {
                Some("true" | "1") => census.open += count,
                Some(_) | None => census.ended += count,
            }
        }
        Ok(census)
    }

    /// Dead jobs, and waiting rows.
    pub async fn left_over(&self) -> Result<usize> {
        Ok(self.count("dead").await? + self.count("waiting").await?)
    }

    /// Events that nobody was told yet.
    pub async fn untold(&self) -> Result<usize> {
        self.count("outbox").await
    }

    /// Holds that were ever placed.
    pub async fn holds(&self) -> Result<usize> {
        self.count("holds").await
    }

    /// Who holds the lease of a number, and its fence.
    pub async fn lease(&self, number: &str) -> Result<(Option<String>, u64)> {
        let sql = "SELECT CAST(owner AS TEXT), CAST(fence AS TEXT), '' FROM leases WHERE name = 'number:";
        let rows = self.ask(&format!("{sql}{number}'")).await?;
        let [owner, fence, _] = rows.into_iter().next().context("it has no lease")?;
        Ok((owner, fence.unwrap_or_default().parse()?))
    }

    async fn count(&self, table: &str) -> Result<usize> {
        let rows = self.ask(&format!("SELECT CAST(count(*) AS TEXT), '', '' FROM {table}")).await?;
        Ok(rows[0][0].as_deref().unwrap_or_default().parse()?)
    }

    /// Three columns of text.
    async fn ask(&self, sql: &str) -> Result<Vec<[Option<String>; 3]>> {
        match self {
            Self::Sqlite(path) => {
                let connection = Connection::open(path)?;
                connection.busy_timeout(std::time::Duration::from_secs(10))?;
                let mut statement = connection.prepare(sql)?;
                let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
            Self::Postgres { url, schema } => {
                let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
                let (answer, ended) = tokio::join!(query(client, schema, sql), connection);
                ended?;
                answer
            }
        }
    }
}

/// Consumes the client, so that its connection ends too.
async fn query(client: Client, schema: &str, sql: &str) -> Result<Vec<[Option<String>; 3]>> {
    client.batch_execute(&format!("SET search_path TO {schema}; SET statement_timeout TO '10s'")).await?;
    let rows = client.query(sql, &[]).await?;
    rows.iter().map(|row| Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?])).collect()
}
