//! A ledger of a test's own on one of the databases, and what only time or a stranger could do to it.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;
use tidegate::clock::Timestamp;
use tidegate::ledger::sqlite::{Access, SqliteLedger};
use tidegate::ledger::{Ledger, LedgerError, Migrate, Options, Publish, QuotaRules};

#[cfg(feature = "services")]
use super::schema::Schema;

/// What one case works with. It is its first worker's ledger.
pub struct Bench {
    ledger: Ledger,
    options: Options,
    home: Home,
}

enum Home {
    File(File),
    #[cfg(feature = "services")]
    Schema(Schema),
}

/// A folder with a ledger in it.
pub struct File {
    folder: TempDir,
}

impl Deref for Bench {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

impl Bench {
    pub async fn sqlite() -> Self {
        Self::in_file(Options::default())
    }

    fn in_file(options: Options) -> Self {
        let file = File::new();
        let ledger = SqliteLedger::open_publishing(&file.path(), Access::Worker, Migrate::Auto, options);
        Self { ledger: Ledger::Sqlite(ledger.expect("opened")), options, home: Home::File(file) }
    }

    #[cfg(feature = "services")]
    pub async fn postgres() -> Self {
        Self::in_schema(Options::default()).await
    }

    #[cfg(feature = "services")]
    async fn in_schema(options: Options) -> Self {
        let schema = Schema::new();
        let ledger = schema.open(Migrate::Auto, options).await.expect("opened");
        Self { ledger, options, home: Home::Schema(schema) }
    }

    /// A new ledger on the same database, which writes events.
    pub async fn publishing(&self, publish: Publish) -> Self {
        self.anew(publish.into()).await
    }

    /// A new ledger on the same database, which gives out places like this.
    pub async fn giving_places(&self, quota: QuotaRules) -> Self {
        self.anew(Options { quota, ..Options::default() }).await
    }

    async fn anew(&self, options: Options) -> Self {
        match &self.home {
            Home::File(_) => Self::in_file(options),
            #[cfg(feature = "services")]
            Home::Schema(_) => Self::in_schema(options).await,
        }
    }

    /// What a second worker works with. A file has one worker: there it is the same.
    pub async fn another(&self) -> Ledger {
        match &self.home {
            Home::File(_) => self.ledger.clone(),
            #[cfg(feature = "services")]
            Home::Schema(schema) => schema.open(Migrate::Check, self.options).await.expect("opened"),
        }
    }

    /// Lets every lease run out that was taken at a moment, and says the moment after.
    pub async fn let_run_out(&self, ttl: Duration, taken_at: Timestamp) -> Timestamp {
        match &self.home {
            Home::File(_) => {}
            // A database's leases live by its own clock, which no test moves.
            #[cfg(feature = "services")]
            Home::Schema(schema) => {
                drop(schema.query("UPDATE leases SET expires_at = now() - interval '1 second'").await)
            }
        }
        taken_at + ttl
    }

    /// Asks the database itself; what it answers, as text.
    pub async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        match &self.home {
            Home::File(file) => file.query(sql),
            #[cfg(feature = "services")]
            Home::Schema(schema) => schema.query(sql).await.rows,
        }
    }

    /// The ids of the jobs that have a waiting row with a body.
    pub async fn with_bodies(&self) -> BTreeSet<String> {
        let rows = match &self.home {
            Home::File(file) => {
                let orphans = "SELECT (SELECT count(*) FROM waiting) - (SELECT count(*) FROM bodies)";
                assert_eq!(file.query(orphans), [[Some("0".to_owned())]]);
                let sql = "SELECT j.id FROM waiting w JOIN bodies b ON b.seq = w.seq JOIN jobs j ON j.seq = w.seq";
                file.query(sql)
            }
            #[cfg(feature = "services")]
            Home::Schema(schema) => schema.query("SELECT j.id FROM waiting w JOIN jobs j USING (key)").await.rows,
        };
        rows.into_iter().map(|mut row| row.remove(0).expect("an id")).collect()
    }

    /// The names of a query's columns.
    pub async fn columns(&self, sql: &str) -> Vec<String> {
        match &self.home {
            Home::File(file) => {
                let look = file.look();
                let query = look.prepare(sql).expect("SQL");
                query.column_names().map(str::to_owned).collect()
            }
            #[cfg(feature = "services")]
            Home::Schema(schema) => schema.query(sql).await.columns,
        }
    }

    /// The moments that a column of the analysts' views says.
    pub async fn moments(&self, view: &str, column: &str) -> Vec<Timestamp> {
        let rows = match &self.home {
            Home::File(file) => file.query(&format!("SELECT {column} FROM {view} ORDER BY {column}")),
            #[cfg(feature = "services")]
            Home::Schema(schema) => {
                let form = "YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"";
                let sql =
                    format!("SELECT to_char({column} AT TIME ZONE 'UTC', '{form}') FROM {view} ORDER BY {column}");
                schema.query(&sql).await.rows
            }
        };
        rows.into_iter().map(|row| row[0].as_deref().expect("a moment").parse().expect("a moment")).collect()
    }

    /// The only answer of a query.
    pub async fn count(&self, sql: &str) -> i64 {
        let rows = self.query(sql).await;
        rows[0][0].as_deref().expect("a number").parse().expect("a number")
    }
}

impl File {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub fn open(&self, access: Access) -> Result<Ledger, LedgerError> {
        SqliteLedger::open(&self.path(), access, Migrate::Auto).map(Ledger::Sqlite)
    }

    pub fn worker(&self) -> Ledger {
        self.open(Access::Worker).expect("opened")
    }

    pub fn beside(&self) -> Ledger {
        self.open(Access::Beside).expect("opened")
    }

    pub fn look(&self) -> Connection {
        Connection::open(self.path()).expect("opened")
    }

    fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let look = self.look();
        let mut query = look.prepare(sql).expect("SQL");
        let columns = query.column_count();
        let text = |value: ValueRef<'_>| match value {
            ValueRef::Null => None,
            ValueRef::Integer(number) => Some(number.to_string()),
            ValueRef::Real(number) => Some(number.to_string()),
            ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(_) => panic!("bytes are not for tests to look at"),
        };
        let rows = query.query_map([], |row| (0..columns).map(|column| Ok(text(row.get_ref(column)?))).collect());
        rows.expect("asked").collect::<Result<_, _>>().expect("read")
    }
}
