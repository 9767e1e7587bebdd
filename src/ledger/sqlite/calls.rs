//! Each call as an errand to the writer's or the reader's thread.
//!
//! Parameters that begin with `_` are for ledgers that several workers share.

use std::time::Duration;

use super::enqueue::Entry;
use super::{SqliteLedger, census, costs, fleet, morgue, quota, show};
use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId, HoldOrder};
use crate::job::JobKey;
use crate::ledger::{
    AdmitRequest, Admitted, Cancelled, Census, Claimed, CostFilter, CostRow, Dead, DeadRow, Enqueued, FleetRow,
    JobFilter, JobRef, JobRow, LaneRoom, Lease, LeaseRow, LedgerError, OutboxRow, OutboxStage, Parking, QuotaRow,
    Resolution, Routed, Settled, Settlement, Swept, TrailEntry, UnknownWait, Unseen, WorkerId,
};
use crate::outcome::Reason;

/// A command beside a running worker holds the write lock for at most so many rows.
pub(super) const BATCH: usize = 200;

impl SqliteLedger {
    pub(in crate::ledger) async fn enqueue(
        &self,
        jobs: Vec<Routed>,
        now: Timestamp,
    ) -> Result<Vec<Enqueued>, LedgerError> {
        let mut jobs = jobs.into_iter().map(Entry::new);
        let mut answers = Vec::new();
        loop {
            let batch: Vec<_> = jobs.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(answers);
            }
            answers.extend(self.write(batch.len(), move |desk| desk.enqueue(&batch, now)).await?);
        }
    }

    pub(in crate::ledger) async fn claim(
        &self,
        _worker: WorkerId,
        lanes: Vec<LaneRoom>,
        now: Timestamp,
    ) -> Result<Claimed, LedgerError> {
        self.write(lanes.iter().map(|lane| (lane.timed + lane.fresh) as usize).sum(), move |desk| {
            desk.claim(&lanes, now)
        })
        .await
    }

    pub(in crate::ledger) async fn give_back(&self, _worker: WorkerId, jobs: Vec<JobKey>) -> Result<(), LedgerError> {
        self.write(jobs.len(), move |desk| desk.give_back(&jobs)).await
    }

    pub(in crate::ledger) async fn keep_only(
        &self,
        _worker: WorkerId,
        in_hand: Vec<JobKey>,
    ) -> Result<(), LedgerError> {
        self.write(1, move |desk| desk.keep_only(&in_hand)).await
    }

    pub(in crate::ledger) async fn expire(&self, jobs: Vec<Routed>, now: Timestamp) -> Result<(), LedgerError> {
        self.write(jobs.len(), move |desk| desk.expire_delivered(&jobs, now)).await
    }

    pub(in crate::ledger) async fn park(&self, jobs: Vec<Parking>, now: Timestamp) -> Result<(), LedgerError> {
        self.write(jobs.len(), move |desk| desk.park(&jobs, now)).await
    }

    pub(in crate::ledger) async fn defer(
        &self,
        jobs: Vec<(JobKey, Timestamp, Reason)>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.write(jobs.len(), move |desk| desk.defer(&jobs, now)).await
    }

    pub(in crate::ledger) async fn admit(
        &self,
        requests: Vec<AdmitRequest>,
        now: Timestamp,
    ) -> Result<Vec<Admitted>, LedgerError> {
        self.write(requests.len(), move |desk| desk.admit(&requests, now)).await
    }

    pub(in crate::ledger) async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, LedgerError> {
        self.write(settlements.len(), move |desk| desk.settle(&settlements)).await
    }

    pub(in crate::ledger) async fn holds(&self) -> Result<Vec<Hold>, LedgerError> {
        self.write(1, |desk| Ok(desk.holds.known(&desk.conn)?.all.clone())).await
    }

    pub(in crate::ledger) async fn holds_list(&self, limit: u32) -> Result<Vec<Hold>, LedgerError> {
        self.read(move |conn| show::holds(conn, limit)).await
    }

    pub(in crate::ledger) async fn place(&self, order: HoldOrder, now: Timestamp) -> Result<Hold, LedgerError> {
        self.write(1, move |desk| desk.place(&order, now)).await
    }

    pub(in crate::ledger) async fn lift(&self, hold: HoldId, _now: Timestamp) -> Result<bool, LedgerError> {
        self.write(1, move |desk| desk.lift(hold)).await
    }

    pub(in crate::ledger) async fn take_leases(
        &self,
        worker: WorkerId,
        names: Vec<String>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Vec<Lease>, LedgerError> {
        self.write(names.len(), move |desk| desk.take_leases(worker, names, ttl, now)).await
    }

    pub(in crate::ledger) async fn leases(&self, now: Timestamp) -> Result<Vec<LeaseRow>, LedgerError> {
        self.write(1, move |desk| desk.leases(now)).await
    }

    pub(in crate::ledger) async fn hand_over(&self, worker: WorkerId, names: Vec<String>) -> Result<(), LedgerError> {
        self.write(names.len(), move |desk| desk.hand_over(worker, &names)).await
    }

    pub(in crate::ledger) async fn release_leases(&self, worker: WorkerId) -> Result<(), LedgerError> {
        self.write(1, move |desk| desk.release_leases(worker)).await
    }

    pub(in crate::ledger) async fn sweep(
        &self,
        now: Timestamp,
        wait: UnknownWait,
        limit: u32,
    ) -> Result<Swept, LedgerError> {
        self.write(limit as usize, move |desk| desk.sweep(now, wait, limit)).await
    }

    pub(in crate::ledger) async fn trim(&self, ended_before: Timestamp, limit: u32) -> Result<u32, LedgerError> {
        self.write(limit as usize, move |desk| desk.trim(ended_before, limit)).await
    }

    pub(in crate::ledger) async fn bury(&self, dead: Vec<Dead>) -> Result<Vec<i64>, LedgerError> {
        self.write(dead.len(), move |desk| desk.bury(&dead)).await
    }

    pub(in crate::ledger) async fn dead_list(&self, after: i64, limit: u32) -> Result<Vec<DeadRow>, LedgerError> {
        self.read(move |conn| morgue::list(conn, after, limit)).await
    }

    pub(in crate::ledger) async fn dead_show(&self, seq: i64) -> Result<Option<DeadRow>, LedgerError> {
        self.read(move |conn| morgue::show(conn, seq)).await
    }

    pub(in crate::ledger) async fn dead_drop(&self, seqs: Vec<i64>) -> Result<u32, LedgerError> {
        self.write(seqs.len(), move |desk| desk.dead_drop(&seqs)).await
    }

    pub(in crate::ledger) async fn cancel(
        &self,
        jobs: Vec<JobRef>,
        unseen: Unseen,
        now: Timestamp,
    ) -> Result<Vec<Cancelled>, LedgerError> {
        let mut answers = Vec::new();
        for batch in jobs.chunks(BATCH) {
            let batch = batch.to_vec();
            answers.extend(self.write(batch.len(), move |desk| desk.cancel(&batch, unseen, now)).await?);
        }
        Ok(answers)
    }

    pub(in crate::ledger) async fn resolve(
        &self,
        job: JobRef,
        resolution: Resolution,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.write(1, move |desk| desk.resolve(&job, resolution, now)).await
    }

    pub(in crate::ledger) async fn show(&self, job: JobRef) -> Result<Vec<JobRow>, LedgerError> {
        self.read(move |conn| show::show(conn, &job)).await
    }

    pub(in crate::ledger) async fn trail(&self, key: JobKey) -> Result<Vec<TrailEntry>, LedgerError> {
        self.read(move |conn| show::trail(conn, key)).await
    }

    pub(in crate::ledger) async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRow>, LedgerError> {
        self.read(move |conn| show::jobs(conn, &filter)).await
    }

    pub(in crate::ledger) async fn census(&self) -> Result<Census, LedgerError> {
        self.read(census::census).await
    }

    pub(in crate::ledger) async fn costs(&self, filter: CostFilter) -> Result<Vec<CostRow>, LedgerError> {
        self.read(move |conn| costs::count(conn, &filter)).await
    }

    pub(in crate::ledger) async fn waiting_ahead(
        &self,
        key: JobKey,
        now: Timestamp,
    ) -> Result<Option<u32>, LedgerError> {
        self.read(move |conn| show::waiting_ahead(conn, key, now)).await
    }

    pub(in crate::ledger) async fn fleet_put(&self, rows: Vec<FleetRow>) -> Result<(), LedgerError> {
        self.write(rows.len(), move |desk| desk.fleet_put(&rows)).await
    }

    pub(in crate::ledger) async fn quotas(&self, now: Timestamp) -> Result<Vec<QuotaRow>, LedgerError> {
        let rules = self.shared.quota;
        self.read(move |conn| quota::list(conn, &rules, now)).await
    }

    pub(in crate::ledger) async fn fleet_list(&self, kind: String) -> Result<Vec<FleetRow>, LedgerError> {
        self.read(move |conn| fleet::list(conn, &kind)).await
    }

    pub(in crate::ledger) async fn fleet_get(&self, kind: String, id: String) -> Result<Option<FleetRow>, LedgerError> {
        self.read(move |conn| fleet::get(conn, &kind, &id)).await
    }

    pub(in crate::ledger) async fn fleet_forget(&self, kind: String, id: String) -> Result<(), LedgerError> {
        self.write(1, move |desk| desk.fleet_forget(&kind, &id)).await
    }

    pub(in crate::ledger) async fn outbox_take(
        &self,
        stage: OutboxStage,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, LedgerError> {
        self.read(move |conn| fleet::outbox(conn, stage, limit)).await
    }

    pub(in crate::ledger) async fn outbox_pass_on(&self, seqs: Vec<i64>) -> Result<(), LedgerError> {
        self.write(seqs.len(), move |desk| desk.outbox_pass_on(&seqs)).await
    }

    pub(in crate::ledger) async fn outbox_done(&self, seqs: Vec<i64>) -> Result<(), LedgerError> {
        self.write(seqs.len(), move |desk| desk.outbox_done(&seqs)).await
    }
}
