//! The ledger in PostgreSQL: as many workers as you start.
//!
//! What is hot goes in batches by connections of its own; what people ask goes by others. Every call has a deadline,
//! and a connection that failed or was slow is thrown away. Leases live by the database's clock alone, everything else
//! by the caller's.

mod accounts;
mod address;
mod admit;
mod admit_slowly;
mod applying;
mod calls;
mod cancel;
mod census;
mod change;
mod claim;
mod connect;
mod costs;
mod desk;
mod enqueue;
mod erasing;
mod failure;
mod fleet;
mod free_form;
mod hand;
mod hold_cache;
mod holds;
mod inbox;
mod intake;
mod keyring;
mod lanes;
mod leases;
mod line;
mod misses;
mod morgue;
mod news;
mod open;
mod outbox;
mod people;
mod quota;
mod settle;
mod show;
mod signal;
mod standing;
mod statuses;
mod suppressing;
mod sweep;
mod tally;
mod windows;
mod words;

use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use self::connect::Pools;
use self::desk::{Desk, Session, SharedDesk, Tx};
use self::line::Line;
use super::{Admitted, Connections, Enqueued, LedgerError, Migrate, Options, Settled, Settlement, Signal};

/// Says where the database is, anew for each connection: its password may have changed.
pub type Url = Arc<dyn Fn() -> String + Send + Sync>;

/// How many errands are under way at once.
const ABREAST: usize = 3;
/// How many errands may stand in line; who comes later waits for room before it asks.
const ROOM: usize = 256;

type Errand = BoxFuture<'static, ()>;

/// An open ledger; its clones are the same one. What was asked and not begun when the last clone goes is not done.
#[derive(Clone)]
pub struct PostgresLedger {
    shared: Arc<Shared>,
}

struct Shared {
    desk: SharedDesk,
    enqueuing: Line<enqueue::Entry, Enqueued>,
    admitting: Line<admit::Ask, Admitted>,
    settling: Line<Settlement, Settled>,
    taking_in: Line<inbox::Entry, ()>,
    errands: mpsc::Sender<Errand>,
    schema: String,
    /// Ends with the ledger.
    _tasks: JoinSet<()>,
}

impl PostgresLedger {
    /// Opens the ledger in a schema of its own; takes as long as migrations take.
    pub async fn open(
        url: Url,
        schema: &str,
        migrate: Migrate,
        options: impl Into<Options>,
    ) -> Result<Self, LedgerError> {
        let Options { publish, quota } = options.into();
        open::check_schema(schema)?;
        address::Address::read(&url()).map_err(LedgerError::Unreachable)?;
        let pools = Pools::new(&url, schema);
        open::refuse_transaction_pooler(&pools).await?;
        open::bring_up(&pools, schema, migrate).await?;
        let desk = Arc::new(Desk {
            pools,
            publish,
            quota,
            channel: format!("tidegate {schema}"),
            instance: desk::instance(),
            signals: watch::Sender::new(Signal::default()),
            lanes: lanes::Lanes::default(),
            holds: hold_cache::HoldCache::default(),
            keyring: keyring::Keyring::default(),
            accounts: accounts::Accounts::default(),
        });
        let (errands, line) = mpsc::channel(ROOM);
        // Rows are numbered in the order in which they were published: no two batches of these at once.
        let (enqueuing, enqueued) = line::open(enqueue::enqueue, 1);
        let (admitting, admitted) = line::open(admit::admit, 2);
        let (settling, settled) = line::open(settle::settle, 2);
        let (taking_in, taken_in) = line::open(inbox::put, 2);
        let mut tasks = JoinSet::new();
        tasks.spawn(run(line));
        tasks.spawn(enqueued.serve(desk.clone()));
        tasks.spawn(admitted.serve(desk.clone()));
        tasks.spawn(settled.serve(desk.clone()));
        tasks.spawn(taken_in.serve(desk.clone()));
        tasks.spawn(signal::listen(desk.clone(), url, schema.to_owned()));
        let schema = schema.to_owned();
        let shared = Shared { desk, enqueuing, admitting, settling, taking_in, errands, schema, _tasks: tasks };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The schema's version in the database.
    pub async fn schema_version(&self) -> Result<i64, LedgerError> {
        self.read(self.shared.schema.clone(), |session, schema| Box::pin(open::found_version(session.client(), schema)))
            .await
    }

    pub(super) fn signals(&self) -> watch::Receiver<Signal> {
        self.shared.desk.signals.subscribe()
    }

    pub(super) fn connections(&self) -> Connections {
        self.shared.desk.pools.connections()
    }

    /// Looks something up for people.
    async fn read<Input, Answer>(
        &self,
        input: Input,
        work: impl for<'a> Fn(&'a Session, &'a Input) -> BoxFuture<'a, Result<Answer, LedgerError>>,
    ) -> Result<Answer, LedgerError> {
        self.shared.desk.read(&input, work).await
    }

    /// Changes something in one transaction; dropping the future loses the answer alone. `work` may run more than
    /// once: each time on what stands then, and only the last one is committed.
    async fn write<Input, Answer>(
        &self,
        input: Input,
        work: impl for<'a> Fn(&'a Tx<'_>, &'a Input) -> BoxFuture<'a, Result<Answer, LedgerError>> + Send + Sync + 'static,
    ) -> Result<Answer, LedgerError>
    where
        Input: Send + Sync + 'static,
        Answer: Send + 'static,
    {
        self.errand(|desk| async move { desk.write(&input, work).await }).await
    }

    /// Has something done by several transactions, one after the other; dropping the future loses the answer alone.
    async fn errand<Answer, Done>(&self, work: impl FnOnce(SharedDesk) -> Done) -> Result<Answer, LedgerError>
    where
        Done: Future<Output = Result<Answer, LedgerError>> + Send + 'static,
        Answer: Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let done = work(self.shared.desk.clone());
        let errand: Errand = Box::pin(async move {
            // Nobody may be waiting any more: the call was dropped, what it asked for is done all the same.
            let _ = answer.send(done.await);
        });
        let closed = || LedgerError::Unreachable("the ledger was closed".to_owned());
        self.shared.errands.send(errand).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

/// Brings the schema up to date, and says from which version to which.
pub async fn migrate(url: Url, schema: &str) -> Result<(i64, i64), LedgerError> {
    open::check_schema(schema)?;
    address::Address::read(&url()).map_err(LedgerError::Unreachable)?;
    let pools = Pools::new(&url, schema);
    open::refuse_transaction_pooler(&pools).await?;
    open::bring_up(&pools, schema, Migrate::Auto).await
}

async fn run(mut line: mpsc::Receiver<Errand>) {
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = under_way.next() => {}
            Some(errand) = line.recv(), if under_way.len() < ABREAST => under_way.push(errand),
            else => return,
        }
    }
}

impl fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLedger").field("schema", &self.shared.schema).finish_non_exhaustive()
    }
}
