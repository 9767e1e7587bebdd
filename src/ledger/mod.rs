//! The ledger: the durable record of jobs, waiting rows, holds, leases and events to publish.
//!
//! It promises: what it answered is on disk; a job is admitted by one worker at a time; a job that ended stays
//! ended; a waiting row stands as long as its job waits or is unknown, and goes in the commit that ends the job.
//! Every call is a batch, and batches that gather while one commit is under way become the next commit.

mod calls;
mod costs;
mod dead;
mod end;
mod event;
mod event_schema;
mod form;
mod inbound;
mod lattice;
mod model;
mod news;
mod owner;
pub mod postgres;
mod quota;
mod reading;
pub mod sqlite;

pub use costs::{CostFilter, CostRow};
pub use event_schema::event_schema;
pub use inbound::INBOUND;
pub use model::*;
pub use news::*;
pub use owner::WABA;
pub use quota::{MessagingLimit, PORTFOLIO, QuotaRow, QuotaRules, needs_place};
pub use reading::{READING, TemplateReading};

/// Why the ledger could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database is away or full: stop taking jobs, and try again.
    #[error("ledger is unreachable: {0}")]
    Unreachable(String),
    /// Another worker has this embedded ledger open.
    #[error("ledger {0} belongs to another running worker")]
    Taken(String),
    /// The schema is newer or older than this binary can work with.
    #[error("ledger has schema {found}, this binary works with {known}: run `tidegate migrate`, or a newer tidegate")]
    Schema {
        /// The version that the ledger has.
        found: i64,
        /// The version that this binary brings.
        known: i64,
    },
    /// What stands between us and the database hands each transaction to another connection.
    #[error(
        "a pooler in transaction mode stands before the database: connect to PostgreSQL itself, or let the pooler work \
         in session mode"
    )]
    Pooled,
    /// A row does not read as what it must be: the file was damaged or changed by others.
    #[error("ledger row is damaged: {0}")]
    Damaged(String),
}

/// What to do about a schema that is older than this binary's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Migrate {
    /// Bring it up to date.
    Auto,
    /// Refuse to open it.
    Check,
}

/// Which changes of a job are written to the outbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Publish {
    /// None: nobody listens.
    #[default]
    Off,
    /// Only how it ended.
    Ended,
    /// Every one.
    All,
}

/// What a ledger is opened with.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Options {
    /// Which changes of a job are written to the outbox.
    pub publish: Publish,
    /// How places of a messaging limit are given out.
    pub quota: QuotaRules,
}

impl From<Publish> for Options {
    fn from(publish: Publish) -> Self {
        Self { publish, ..Self::default() }
    }
}

/// The ledger, whichever database keeps it. Its clones are the same ledger.
///
/// Calls are futures that lose nothing but their answer when they are dropped: what was asked is done all the same.
#[derive(Clone, Debug)]
pub enum Ledger {
    /// One file, one worker.
    Sqlite(sqlite::SqliteLedger),
    /// A database, as many workers as you start.
    Postgres(postgres::PostgresLedger),
}
