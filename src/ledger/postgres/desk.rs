//! What every call works with: connections, what is remembered of the database, and transactions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::Client;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::accounts::Accounts;
use super::connect::{DEADLINE, Pools, discard, take};
use super::failure::{is_others_fault, too_slow};
use super::hold_cache::{HoldCache, Known};
use super::keyring::Keyring;
use super::lanes::Lanes;
use super::quota;
use super::tally::Tally;
use crate::ledger::{LedgerError, Publish, QuotaRules, Routed, Signal};

/// How often a transaction is tried again that others were in the way of.
const TRIES: usize = 4;

/// The values of a statement.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Shared by all calls of one open ledger.
pub(super) struct Desk {
    pub(super) pools: Pools,
    pub(super) publish: Publish,
    pub(super) quota: QuotaRules,
    /// The channel of notifications: one a schema.
    pub(super) channel: String,
    /// Tells our own notifications from those of others.
    pub(super) instance: String,
    pub(super) signals: watch::Sender<Signal>,
    pub(super) lanes: Lanes,
    pub(super) holds: HoldCache,
    pub(super) limits: quota::Limits,
    pub(super) keyring: Keyring,
    /// Whose each number is, as its last admission said: a settlement may have to find the hold that covers it.
    pub(super) accounts: Accounts,
}

/// A connection with its prepared statements.
pub(super) struct Session {
    client: Option<Client>,
    /// A statement failed because another transaction was in its way.
    is_others_fault: AtomicBool,
    /// Used up: a statement failed, or nobody waited for its end.
    is_spoilt: AtomicBool,
}

/// A transaction. One that is dropped before its end takes its connection with it.
pub(super) struct Tx<'a> {
    session: Session,
    pub(super) desk: &'a Desk,
    /// What was counted, written with the commit.
    pub(super) tally: Tally,
    /// The portfolios whose places nobody else changes before its end.
    pub(super) locks: quota::Locks,
    stirred: [AtomicBool; Stir::ALL.len()],
}

/// What others should look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stir {
    /// Rows may have become claimable.
    Work = 0,
    /// Holds changed.
    Holds = 1,
    /// Leases were given up, or a worker came or went.
    Leases = 2,
    /// What is known of numbers, accounts and templates changed.
    Fleet = 3,
}

impl Stir {
    pub(super) const ALL: [Self; 4] = [Self::Work, Self::Holds, Self::Leases, Self::Fleet];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Holds => "holds",
            Self::Leases => "leases",
            Self::Fleet => "fleet",
        }
    }
}

impl Session {
    fn new(client: Client) -> Self {
        Self { client: Some(client), is_others_fault: AtomicBool::new(false), is_spoilt: AtomicBool::new(true) }
    }

    /// The connection itself, for what has no room in a prepared statement.
    pub(super) fn client(&self) -> &Client {
        self.client.as_ref().expect("a session has its connection until it is dropped")
    }

    pub(super) async fn query(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, LedgerError> {
        let rows = async { self.client().query(&self.client().prepare_cached(sql).await?, values).await };
        rows.await.map_err(|error| self.note(error))
    }

    pub(super) async fn query_one(&self, sql: &str, values: Values<'_>) -> Result<Row, LedgerError> {
        let row = async { self.client().query_one(&self.client().prepare_cached(sql).await?, values).await };
        row.await.map_err(|error| self.note(error))
    }

    pub(super) async fn query_opt(&self, sql: &str, values: Values<'_>) -> Result<Option<Row>, LedgerError> {
        let row = async { self.client().query_opt(&self.client().prepare_cached(sql).await?, values).await };
        row.await.map_err(|error| self.note(error))
    }

    pub(super) async fn execute(&self, sql: &str, values: Values<'_>) -> Result<u64, LedgerError> {
        let changed = async { self.client().execute(&self.client().prepare_cached(sql).await?, values).await };
        changed.await.map_err(|error| self.note(error))
    }

    /// Waits for work on this connection within the deadline; only then others may have it after.
    pub(super) async fn in_time<Answer>(
        &self,
        work: impl Future<Output = Result<Answer, LedgerError>>,
    ) -> Result<Answer, LedgerError> {
        let answer = tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| Err(too_slow()))?;
        self.keep();
        Ok(answer)
    }

    fn note(&self, error: tokio_postgres::Error) -> LedgerError {
        if is_others_fault(&error) {
            self.is_others_fault.store(true, Ordering::Relaxed);
        }
        error.into()
    }

    /// All is well with the connection: others may have it.
    fn keep(&self) {
        self.is_spoilt.store(false, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(client) = self.client.take()
            && self.is_spoilt.load(Ordering::Relaxed)
        {
            discard(client);
        }
    }
}

impl std::ops::Deref for Tx<'_> {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Tx<'_> {
    /// Says with the commit that others should look.
    pub(super) fn stir(&self, what: Stir) {
        self.stirred[what as usize].store(true, Ordering::Relaxed);
    }

    /// What another transaction did meanwhile makes this one's looks useless: it is undone and begins anew.
    pub(super) fn begin_anew(&self) -> LedgerError {
        self.is_others_fault.store(true, Ordering::Relaxed);
        LedgerError::Unreachable("the ledger is too busy with the same jobs".to_owned())
    }

    fn stirred(&self) -> impl Iterator<Item = Stir> {
        Stir::ALL.into_iter().filter(|what| self.stirred[*what as usize].load(Ordering::Relaxed))
    }

    async fn commit(self) -> Result<(), LedgerError> {
        self.tally.write(&self).await?;
        for what in self.stirred() {
            let note = self.desk.note(what);
            self.query_one("SELECT pg_notify($1, $2)", &[&self.desk.channel, &note]).await?;
        }
        self.client().batch_execute("COMMIT").await.map_err(|error| self.note(error))?;
        self.keep();
        for what in self.stirred() {
            self.desk.ring(what);
        }
        Ok(())
    }
}

impl Desk {
    /// What a notification says: who it is from, and what to look at.
    pub(super) fn note(&self, what: Stir) -> String {
        format!("{} {}", self.instance, what.word())
    }

    /// Tells those in this process who wait for signals.
    pub(super) fn ring(&self, what: Stir) {
        self.signals.send_modify(|signal| match what {
            Stir::Work => signal.work += 1,
            Stir::Holds => signal.holds += 1,
            Stir::Leases => signal.leases += 1,
            Stir::Fleet => signal.fleet += 1,
        });
    }

    /// Looks something up for people, each statement by itself.
    pub(super) async fn read<Input, Answer>(
        &self,
        input: &Input,
        work: impl for<'a> Fn(&'a Session, &'a Input) -> BoxFuture<'a, Result<Answer, LedgerError>>,
    ) -> Result<Answer, LedgerError> {
        let session = Session::new(take(&self.pools.people).await?);
        session.in_time(work(&session, input)).await
    }

    /// A connection of the hot path, for statements that are not in a transaction of several.
    pub(super) async fn session(&self) -> Result<Session, LedgerError> {
        Ok(Session::new(take(&self.pools.hot).await?))
    }

    /// Changes something in one transaction, within the deadline; again if another one was in the way.
    pub(super) async fn write<Input, Answer>(
        &self,
        input: &Input,
        work: impl for<'a> Fn(&'a Tx<'_>, &'a Input) -> BoxFuture<'a, Result<Answer, LedgerError>>,
    ) -> Result<Answer, LedgerError> {
        let (mut tries, mut missed) = (1, BTreeSet::new());
        loop {
            let tx = self.begin().await?;
            let done = async {
                tx.lock_places(&missed).await?;
                work(&tx, input).await
            };
            match tokio::time::timeout(DEADLINE, done).await {
                Ok(Ok(answer)) => {
                    tokio::time::timeout(DEADLINE, tx.commit()).await.unwrap_or_else(|_| Err(too_slow()))?;
                    return Ok(answer);
                }
                Ok(Err(_)) if tx.is_others_fault.load(Ordering::Relaxed) && tries < TRIES => {
                    tries += 1;
                    missed.extend(tx.locks.missed());
                }
                Ok(Err(error)) => {
                    self.holds.forget();
                    return Err(error);
                }
                Err(_) => return Err(too_slow()),
            }
        }
    }

    /// The lanes of these jobs. New lanes and sources are made known at once, and stay whatever becomes of the jobs: who
    /// does this before its transaction needs no second connection in it.
    pub(super) async fn introduce<'a>(
        &self,
        jobs: impl Iterator<Item = &'a Routed> + Clone + Send,
    ) -> Result<Vec<i32>, LedgerError> {
        if let Some(lanes) = self.lanes.all_remembered(jobs.clone()) {
            return Ok(lanes);
        }
        let session = self.session().await?;
        session.in_time(self.lanes.introduce(&session, jobs)).await
    }

    /// The holds as they were read last.
    pub(super) async fn remembered_holds(&self) -> Result<Arc<Known>, LedgerError> {
        if let Some(known) = self.holds.remembered() {
            return Ok(known);
        }
        let session = self.session().await?;
        session.in_time(self.holds.read(&session)).await
    }

    async fn begin(&self) -> Result<Tx<'_>, LedgerError> {
        let session = Session::new(take(&self.pools.hot).await?);
        let begun = tokio::time::timeout(DEADLINE, session.client().batch_execute("BEGIN"));
        begun.await.map_err(|_| too_slow())??;
        let stirred = [const { AtomicBool::new(false) }; Stir::ALL.len()];
        Ok(Tx { session, desk: self, tally: Tally::default(), locks: quota::Locks::default(), stirred })
    }
}

/// A new name for an open ledger.
pub(super) fn instance() -> String {
    Uuid::now_v7().simple().to_string()
}

/// What is shared is shared by pointer.
pub(super) type SharedDesk = Arc<Desk>;
