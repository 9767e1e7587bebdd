//! A schema of a test's own in PostgreSQL, dropped when the test is over, also when it failed.

use std::sync::Arc;

use tidegate::ledger::postgres::{PostgresLedger, Url};
use tidegate::ledger::{Ledger, LedgerError, Migrate, Options};
use tokio_postgres::{NoTls, SimpleQueryMessage};
use uuid::Uuid;

use crate::services::database_url;

pub struct Schema {
    url: String,
    name: String,
}

/// What a query answered, as text.
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

impl Schema {
    /// Names one; whoever opens a ledger in it makes it.
    pub fn new() -> Self {
        Self { url: database_url(), name: format!("test_{}", Uuid::now_v7().simple()) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is, as a ledger asks for it.
    pub fn url(&self) -> Url {
        let url = self.url.clone();
        Arc::new(move || url.clone())
    }

    pub async fn open(&self, migrate: Migrate, options: impl Into<Options>) -> Result<Ledger, LedgerError> {
        PostgresLedger::open(self.url(), &self.name, migrate, options).await.map(Ledger::Postgres)
    }

    /// Asks the database beside the ledger; names without a schema are of this one.
    pub async fn query(&self, sql: &str) -> Table {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.expect("PostgreSQL answers");
        let batch = format!("SET search_path TO {}; SET lock_timeout TO '10s'; {sql}", self.name);
        let asked = async {
            let answered = client.simple_query(&batch).await;
            drop(client);
            answered
        };
        let (answered, ended) = tokio::join!(asked, connection);
        ended.expect("the connection ends well");
        let mut table = Table { columns: Vec::new(), rows: Vec::new() };
        for message in answered.expect("SQL") {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    table.columns = columns.iter().map(|column| column.name().to_owned()).collect();
                }
                SimpleQueryMessage::Row(row) => {
                    table.rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
                }
                _ => {}
            }
        }
        table
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        // On a thread of its own: the test's runtime may be the one that runs this.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(self.query(&drop));
            });
        });
    }
}
