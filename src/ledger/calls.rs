//! What can be asked of a ledger, one call each; the variants answer.

use std::time::Duration;

use tokio::sync::watch;

use super::{
    AdmitRequest, Admitted, Applied, Cancelled, Census, Claimed, Connections, CostFilter, CostRow, Dead, DeadRow,
    Enqueued, Erased, FleetRow, InboxRow, JobFacts, JobFilter, JobRef, JobRow, LaneRoom, Lease, LeaseRow, Ledger,
    LedgerError, News, OutboxRow, OutboxStage, Parking, QuotaRow, Resolution, Routed, Settled, Settlement, Signal,
    Swept, TrailEntry, UnknownWait, Unseen, WindowNews, WorkerId,
};
use crate::clock::Timestamp;
use crate::hold::{Cover, Hold, HoldId, HoldOrder};
use crate::job::JobKey;
use crate::outcome::Reason;

impl Ledger {
    /// Counts up when rows may have become claimable, or holds changed, by this process or another.
    pub fn signals(&self) -> watch::Receiver<Signal> {
        match self {
            Self::Sqlite(ledger) => ledger.signals(),
            Self::Postgres(ledger) => ledger.signals(),
        }
    }

    /// How busy its connections are just now; the embedded ledger has none.
    pub fn connections(&self) -> Connections {
        match self {
            Self::Sqlite(_) => Connections::default(),
            Self::Postgres(ledger) => ledger.connections(),
        }
    }

    /// Takes jobs in: each gets its row, and a waiting row that is fresh or due at its `not_before`.
    pub async fn enqueue(&self, jobs: Vec<Routed>, now: Timestamp) -> Result<Vec<Enqueued>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.enqueue(jobs, now).await,
            Self::Postgres(ledger) => ledger.enqueue(jobs, now).await,
        }
    }

    /// Hands out waiting rows, at most as many as each lane has room for: rows that are due first, then (for as much
    /// of `timed` as these leave) rows whose hold was lifted, then fresh ones in order of publishing. One row under a
    /// hold whose time is over comes out ahead of all, to try it. Rows that ran out of time end here.
    pub async fn claim(&self, worker: WorkerId, lanes: Vec<LaneRoom>, now: Timestamp) -> Result<Claimed, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.claim(worker, lanes, now).await,
            Self::Postgres(ledger) => ledger.claim(worker, lanes, now).await,
        }
    }

    /// Puts claimed rows back where they stood.
    pub async fn give_back(&self, worker: WorkerId, jobs: Vec<JobKey>) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.give_back(worker, jobs).await,
            Self::Postgres(ledger) => ledger.give_back(worker, jobs).await,
        }
    }

    /// Frees what stands in this worker's name and is not in its hands, in line: a claim whose answer was lost.
    pub async fn keep_only(&self, worker: WorkerId, in_hand: Vec<JobKey>) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.keep_only(worker, in_hand).await,
            Self::Postgres(ledger) => ledger.keep_only(worker, in_hand).await,
        }
    }

    /// Ends delivered jobs that the broker gave up as too old. A job that the ledger knows is left as it stands.
    pub async fn expire(&self, jobs: Vec<Routed>, now: Timestamp) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.expire(jobs, now).await,
            Self::Postgres(ledger) => ledger.expire(jobs, now).await,
        }
    }

    /// Parks jobs in hand under holds; where the hold is gone, a row goes back to where it stood. A delivered job that
    /// the ledger knows already is left as it stands.
    pub async fn park(&self, jobs: Vec<Parking>, now: Timestamp) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.park(jobs, now).await,
            Self::Postgres(ledger) => ledger.park(jobs, now).await,
        }
    }

    /// Lets claimed rows wait until a time, and says why.
    pub async fn defer(&self, jobs: Vec<(JobKey, Timestamp, Reason)>, now: Timestamp) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.defer(jobs, now).await,
            Self::Postgres(ledger) => ledger.defer(jobs, now).await,
        }
    }

    /// Decides, for each request in order, whether the job may be sent now by this number, and notes durably that it
    /// is about to be. A delivered job that the ledger has never seen gets its row here; of one that it knows and that
    /// has not ended, the body is kept.
    pub async fn admit(&self, requests: Vec<AdmitRequest>, now: Timestamp) -> Result<Vec<Admitted>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.admit(requests, now).await,
            Self::Postgres(ledger) => ledger.admit(requests, now).await,
        }
    }

    /// Commits what attempts came to, with the holds that they place or prove over.
    pub async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.settle(settlements).await,
            Self::Postgres(ledger) => ledger.settle(settlements).await,
        }
    }

    /// Every hold that stands, but the recipients'.
    pub async fn holds(&self) -> Result<Vec<Hold>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.holds().await,
            Self::Postgres(ledger) => ledger.holds().await,
        }
    }

    /// Holds that stand, the recipients' too, the newest first.
    pub async fn holds_list(&self, limit: u32) -> Result<Vec<Hold>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.holds_list(limit).await,
            Self::Postgres(ledger) => ledger.holds_list(limit).await,
        }
    }

    /// Places a hold, or strengthens the one with the same cover: the later `until` wins, and `step` counts up.
    pub async fn place(&self, order: HoldOrder, now: Timestamp) -> Result<Hold, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.place(order, now).await,
            Self::Postgres(ledger) => ledger.place(order, now).await,
        }
    }

    /// Lifts a hold: what is parked under it is let out at the pace of claims. False if it does not stand.
    pub async fn lift(&self, hold: HoldId, now: Timestamp) -> Result<bool, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.lift(hold, now).await,
            Self::Postgres(ledger) => ledger.lift(hold, now).await,
        }
    }

    /// Takes those of the named leases that are free, run out, or this worker's own.
    pub async fn take_leases(
        &self,
        worker: WorkerId,
        names: Vec<String>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Vec<Lease>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.take_leases(worker, names, ttl, now).await,
            Self::Postgres(ledger) => ledger.take_leases(worker, names, ttl, now).await,
        }
    }

    /// Every lease that was ever taken and not forgotten, whoever holds it.
    pub async fn leases(&self, now: Timestamp) -> Result<Vec<LeaseRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.leases(now).await,
            Self::Postgres(ledger) => ledger.leases(now).await,
        }
    }

    /// Gives up some leases of a worker, for others to take at once. What it has claimed stays its own.
    pub async fn hand_over(&self, worker: WorkerId, names: Vec<String>) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.hand_over(worker, names).await,
            Self::Postgres(ledger) => ledger.hand_over(worker, names).await,
        }
    }

    /// Gives up all leases of a worker at once, and frees what it has claimed.
    pub async fn release_leases(&self, worker: WorkerId) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.release_leases(worker).await,
            Self::Postgres(ledger) => ledger.release_leases(worker).await,
        }
    }

    /// The keeper's pass over everything whose time is over, at most `limit` rows of each kind.
    pub async fn sweep(&self, now: Timestamp, wait: UnknownWait, limit: u32) -> Result<Swept, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.sweep(now, wait, limit).await,
            Self::Postgres(ledger) => ledger.sweep(now, wait, limit).await,
        }
    }

    /// Forgets jobs that ended before a moment, at most `limit`, and says how many; and the leases of workers, tasks and
    /// trials that ended before it or were given up.
    pub async fn trim(&self, ended_before: Timestamp, limit: u32) -> Result<u32, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.trim(ended_before, limit).await,
            Self::Postgres(ledger) => ledger.trim(ended_before, limit).await,
        }
    }

    /// Sets bodies aside that could not become jobs, and numbers them. The same body from the same place with the same
    /// reason is one row, however often it is delivered.
    pub async fn bury(&self, dead: Vec<Dead>) -> Result<Vec<i64>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.bury(dead).await,
            Self::Postgres(ledger) => ledger.bury(dead).await,
        }
    }

    /// Dead bodies with a higher number than `after`, the lowest first.
    pub async fn dead_list(&self, after: i64, limit: u32) -> Result<Vec<DeadRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.dead_list(after, limit).await,
            Self::Postgres(ledger) => ledger.dead_list(after, limit).await,
        }
    }

    /// One dead body.
    pub async fn dead_show(&self, seq: i64) -> Result<Option<DeadRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.dead_show(seq).await,
            Self::Postgres(ledger) => ledger.dead_show(seq).await,
        }
    }

    /// Drops dead bodies and says how many there were.
    pub async fn dead_drop(&self, seqs: Vec<i64>) -> Result<u32, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.dead_drop(seqs).await,
            Self::Postgres(ledger) => ledger.dead_drop(seqs).await,
        }
    }

    /// Takes jobs back that have not left yet.
    pub async fn cancel(
        &self,
        jobs: Vec<JobRef>,
        unseen: Unseen,
        now: Timestamp,
    ) -> Result<Vec<Cancelled>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.cancel(jobs, unseen, now).await,
            Self::Postgres(ledger) => ledger.cancel(jobs, unseen, now).await,
        }
    }

    /// Decides by hand what became of an unknown job. False if no job of this name is unknown, or several have it.
    pub async fn resolve(&self, job: JobRef, resolution: Resolution, now: Timestamp) -> Result<bool, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.resolve(job, resolution, now).await,
            Self::Postgres(ledger) => ledger.resolve(job, resolution, now).await,
        }
    }

    /// The jobs of this name; several if producers share the id.
    pub async fn show(&self, job: JobRef) -> Result<Vec<JobRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.show(job).await,
            Self::Postgres(ledger) => ledger.show(job).await,
        }
    }

    /// The waits and retries of a job, in order.
    pub async fn trail(&self, key: JobKey) -> Result<Vec<TrailEntry>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.trail(key).await,
            Self::Postgres(ledger) => ledger.trail(key).await,
        }
    }

    /// Jobs, the newest first.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.jobs(filter).await,
            Self::Postgres(ledger) => ledger.jobs(filter).await,
        }
    }

    /// How many jobs stand where. Cheap however many there are.
    pub async fn census(&self) -> Result<Census, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.census().await,
            Self::Postgres(ledger) => ledger.census().await,
        }
    }

    /// How many messages were priced as what, in order. Looks at every job, and nobody waits for it.
    pub async fn costs(&self, filter: CostFilter) -> Result<Vec<CostRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.costs(filter).await,
            Self::Postgres(ledger) => ledger.costs(filter).await,
        }
    }

    /// How many rows of its lane go before this job, counted up to 100,000; none if it does not stand in line.
    pub async fn waiting_ahead(&self, key: JobKey, now: Timestamp) -> Result<Option<u32>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.waiting_ahead(key, now).await,
            Self::Postgres(ledger) => ledger.waiting_ahead(key, now).await,
        }
    }

    /// How the places of each portfolio stand that is known, in order of id.
    pub async fn quotas(&self, now: Timestamp) -> Result<Vec<QuotaRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.quotas(now).await,
            Self::Postgres(ledger) => ledger.quotas(now).await,
        }
    }

    /// Notes what was read of numbers, accounts, portfolios and templates.
    pub async fn fleet_put(&self, rows: Vec<FleetRow>) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.fleet_put(rows).await,
            Self::Postgres(ledger) => ledger.fleet_put(rows).await,
        }
    }

    /// What was last read of one kind of thing, in order of id.
    pub async fn fleet_list(&self, kind: String) -> Result<Vec<FleetRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.fleet_list(kind).await,
            Self::Postgres(ledger) => ledger.fleet_list(kind).await,
        }
    }

    /// What was last read of one thing.
    pub async fn fleet_get(&self, kind: String, id: String) -> Result<Option<FleetRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.fleet_get(kind, id).await,
            Self::Postgres(ledger) => ledger.fleet_get(kind, id).await,
        }
    }

    /// Forgets what was read of one thing.
    pub async fn fleet_forget(&self, kind: String, id: String) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.fleet_forget(kind, id).await,
            Self::Postgres(ledger) => ledger.fleet_forget(kind, id).await,
        }
    }

    /// Events to publish, the oldest first.
    pub async fn outbox_take(&self, stage: OutboxStage, limit: u32) -> Result<Vec<OutboxRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.outbox_take(stage, limit).await,
            Self::Postgres(ledger) => ledger.outbox_take(stage, limit).await,
        }
    }

    /// Leaves events that the broker has to the outgoing webhook.
    pub async fn outbox_pass_on(&self, seqs: Vec<i64>) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.outbox_pass_on(seqs).await,
            Self::Postgres(ledger) => ledger.outbox_pass_on(seqs).await,
        }
    }

    /// Forgets events that were published.
    pub async fn outbox_done(&self, seqs: Vec<i64>) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.outbox_done(seqs).await,
            Self::Postgres(ledger) => ledger.outbox_done(seqs).await,
        }
    }

    /// Keeps verified webhook bodies until they are applied.
    pub async fn inbox_put(&self, bodies: Vec<Vec<u8>>, now: Timestamp) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.inbox_put(bodies, now).await,
            Self::Postgres(ledger) => ledger.inbox_put(bodies, now).await,
        }
    }

    /// Kept webhook bodies, the oldest first: at most so many, and no more bytes than these but for the first.
    pub async fn inbox_take(&self, limit: u32, bytes: usize) -> Result<Vec<InboxRow>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.inbox_take(limit, bytes).await,
            Self::Postgres(ledger) => ledger.inbox_take(limit, bytes).await,
        }
    }

    /// What is needed of jobs to say what the failure of their messages means for others; none for strangers.
    pub async fn job_facts(&self, jobs: Vec<JobKey>) -> Result<Vec<Option<JobFacts>>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.job_facts(jobs).await,
            Self::Postgres(ledger) => ledger.job_facts(jobs).await,
        }
    }

    /// Commits what webhooks say, and the end of their bodies. The same news twice changes nothing the second time.
    pub async fn apply(&self, news: News, now: Timestamp) -> Result<Applied, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.apply(news, now).await,
            Self::Postgres(ledger) => ledger.apply(news, now).await,
        }
    }

    /// The windows of a recipient that are open at a moment.
    pub async fn windows(&self, recipient: String, now: Timestamp) -> Result<Vec<WindowNews>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.windows(recipient, now).await,
            Self::Postgres(ledger) => ledger.windows(recipient, now).await,
        }
    }

    /// Places many holds; says how many did not stand before.
    pub async fn place_many(&self, orders: Vec<HoldOrder>, now: Timestamp) -> Result<u32, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.place_many(orders, now).await,
            Self::Postgres(ledger) => ledger.place_many(orders, now).await,
        }
    }

    /// Lifts the holds with these covers that stand for one of the reasons; says how many stood.
    pub async fn lift_covers(
        &self,
        covers: Vec<Cover>,
        only: &'static [Reason],
        now: Timestamp,
    ) -> Result<u32, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.lift_covers(covers, only, now).await,
            Self::Postgres(ledger) => ledger.lift_covers(covers, only, now).await,
        }
    }

    /// The recipients' holds with a higher id than `after`, the lowest first.
    pub async fn recipient_holds(&self, after: HoldId, limit: u32) -> Result<Vec<Hold>, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.recipient_holds(after, limit).await,
            Self::Postgres(ledger) => ledger.recipient_holds(after, limit).await,
        }
    }

    /// Forgets a person: jobs keep their counts, those that wait are cancelled, holds go on under a keyed hash.
    pub async fn erase(&self, recipient: String, now: Timestamp) -> Result<Erased, LedgerError> {
        match self {
            Self::Sqlite(ledger) => ledger.erase(recipient, now).await,
            Self::Postgres(ledger) => ledger.erase(recipient, now).await,
        }
    }
}
