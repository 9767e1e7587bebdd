//! What people ask, what the fleet keeps, and leases: each call as an errand or a look.

use std::time::Duration;

use super::{PostgresLedger, cancel, census, costs, fleet, holds, leases, morgue, quota, show};
use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId, HoldOrder};
use crate::job::JobKey;
use crate::ledger::{
    Cancelled, Census, CostFilter, CostRow, Dead, DeadRow, FleetRow, JobFilter, JobRef, JobRow, Lease, LeaseRow,
    LedgerError, OutboxRow, OutboxStage, QuotaRow, Resolution, TrailEntry, Unseen, WorkerId,
};

/// A command holds what it changes for at most so many rows.
const BATCH: usize = 200;

impl PostgresLedger {
    pub(in crate::ledger) async fn holds(&self) -> Result<Vec<Hold>, LedgerError> {
        let session = self.shared.desk.session().await?;
        session.in_time(holds::general(&session)).await
    }

    pub(in crate::ledger) async fn holds_list(&self, limit: u32) -> Result<Vec<Hold>, LedgerError> {
        self.read(limit, |session, limit| Box::pin(holds::list(session, *limit))).await
    }

    pub(in crate::ledger) async fn place(&self, order: HoldOrder, now: Timestamp) -> Result<Hold, LedgerError> {
        self.write((order, now), |tx, (order, now)| Box::pin(holds::place(tx, order, *now))).await
    }

    pub(in crate::ledger) async fn lift(&self, hold: HoldId, _now: Timestamp) -> Result<bool, LedgerError> {
        self.write(hold, |tx, hold| Box::pin(holds::lift(tx, *hold))).await
    }

    pub(in crate::ledger) async fn take_leases(
        &self,
        worker: WorkerId,
        names: Vec<String>,
        ttl: Duration,
        _now: Timestamp,
    ) -> Result<Vec<Lease>, LedgerError> {
        let asked = (worker, names, ttl);
        self.write(asked, |tx, (worker, names, ttl)| Box::pin(leases::take(tx, *worker, names, *ttl))).await
    }

    pub(in crate::ledger) async fn leases(&self, _now: Timestamp) -> Result<Vec<LeaseRow>, LedgerError> {
        let session = self.shared.desk.session().await?;
        session.in_time(leases::list(&session)).await
    }

    pub(in crate::ledger) async fn hand_over(&self, worker: WorkerId, names: Vec<String>) -> Result<(), LedgerError> {
        self.write((worker, names), |tx, (worker, names)| Box::pin(leases::hand_over(tx, *worker, names))).await
    }

    pub(in crate::ledger) async fn release_leases(&self, worker: WorkerId) -> Result<(), LedgerError> {
        self.write(worker, |tx, worker| Box::pin(leases::release(tx, *worker))).await
    }

    pub(in crate::ledger) async fn bury(&self, dead: Vec<Dead>) -> Result<Vec<i64>, LedgerError> {
        let mut dead = dead.into_iter();
        let mut seqs = Vec::with_capacity(dead.len());
        while dead.len() > 0 {
            let batch: Vec<_> = dead.by_ref().take(BATCH).collect();
            seqs.extend(self.write(batch, |tx, batch| Box::pin(morgue::bury(tx, batch))).await?);
        }
        Ok(seqs)
    }

    pub(in crate::ledger) async fn dead_list(&self, after: i64, limit: u32) -> Result<Vec<DeadRow>, LedgerError> {
        self.read((after, limit), |session, (after, limit)| Box::pin(morgue::list(session, *after, *limit))).await
    }

    pub(in crate::ledger) async fn dead_show(&self, seq: i64) -> Result<Option<DeadRow>, LedgerError> {
        self.read(seq, |session, seq| Box::pin(morgue::show(session, *seq))).await
    }

    pub(in crate::ledger) async fn dead_drop(&self, seqs: Vec<i64>) -> Result<u32, LedgerError> {
        self.write(seqs, |tx, seqs| Box::pin(morgue::drop(tx, seqs))).await
    }

    pub(in crate::ledger) async fn cancel(
        &self,
        jobs: Vec<JobRef>,
        unseen: Unseen,
        now: Timestamp,
    ) -> Result<Vec<Cancelled>, LedgerError> {
        let mut answers = Vec::with_capacity(jobs.len());
        for batch in jobs.chunks(BATCH) {
            let asked = (batch.to_vec(), unseen, now);
            let work = self.write(asked, |tx, (jobs, unseen, now)| Box::pin(cancel::cancel(tx, jobs, *unseen, *now)));
            answers.extend(work.await?);
        }
        Ok(answers)
    }

    pub(in crate::ledger) async fn resolve(
        &self,
        job: JobRef,
        resolution: Resolution,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        let asked = (job, resolution, now);
        self.write(asked, |tx, (job, resolution, now)| Box::pin(cancel::resolve(tx, job, *resolution, *now))).await
    }

    pub(in crate::ledger) async fn show(&self, job: JobRef) -> Result<Vec<JobRow>, LedgerError> {
        self.read(job, |session, job| Box::pin(show::show(session, job))).await
    }

    pub(in crate::ledger) async fn trail(&self, key: JobKey) -> Result<Vec<TrailEntry>, LedgerError> {
        self.read(key, |session, key| Box::pin(show::trail(session, *key))).await
    }

    pub(in crate::ledger) async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRow>, LedgerError> {
        self.read(filter, |session, filter| Box::pin(show::jobs(session, filter))).await
    }

    pub(in crate::ledger) async fn census(&self) -> Result<Census, LedgerError> {
        self.read((), |session, ()| Box::pin(census::census(session))).await
    }

    pub(in crate::ledger) async fn costs(&self, filter: CostFilter) -> Result<Vec<CostRow>, LedgerError> {
        let mut sum = costs::Sum::default();
        let mut from = i64::MIN;
        while let Some(begins) = self.read(from, |session, from| Box::pin(costs::next(session, *from))).await? {
            let asked = (filter.clone(), begins);
            let (rows, end) = self.read(asked, |session, asked| Box::pin(costs::count(session, asked))).await?;
            sum.add(rows);
            from = end;
        }
        Ok(sum.rows())
    }

    pub(in crate::ledger) async fn waiting_ahead(
        &self,
        key: JobKey,
        now: Timestamp,
    ) -> Result<Option<u32>, LedgerError> {
        self.read((key, now), |session, (key, now)| Box::pin(show::waiting_ahead(session, *key, *now))).await
    }

    pub(in crate::ledger) async fn fleet_put(&self, rows: Vec<FleetRow>) -> Result<(), LedgerError> {
        self.write(rows, |tx, rows| Box::pin(fleet::put(tx, rows))).await
    }

    pub(in crate::ledger) async fn quotas(&self, now: Timestamp) -> Result<Vec<QuotaRow>, LedgerError> {
        let asked = (self.shared.desk.quota, now);
        self.read(asked, |session, (rules, now)| Box::pin(quota::list(session, rules, *now))).await
    }

    pub(in crate::ledger) async fn fleet_list(&self, kind: String) -> Result<Vec<FleetRow>, LedgerError> {
        self.read(kind, |session, kind| Box::pin(fleet::list(session, kind))).await
    }

    pub(in crate::ledger) async fn fleet_get(&self, kind: String, id: String) -> Result<Option<FleetRow>, LedgerError> {
        self.read((kind, id), |session, (kind, id)| Box::pin(fleet::get(session, kind, id))).await
    }

    pub(in crate::ledger) async fn fleet_forget(&self, kind: String, id: String) -> Result<(), LedgerError> {
        self.write((kind, id), |tx, (kind, id)| Box::pin(fleet::forget(tx, kind, id))).await
    }

    pub(in crate::ledger) async fn outbox_take(
        &self,
        stage: OutboxStage,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, LedgerError> {
        let session = self.shared.desk.session().await?;
        session.in_time(fleet::outbox(&session, stage, limit)).await
    }

    pub(in crate::ledger) async fn outbox_pass_on(&self, seqs: Vec<i64>) -> Result<(), LedgerError> {
        self.write(seqs, |tx, seqs| Box::pin(fleet::outbox_pass_on(tx, seqs))).await
    }

    pub(in crate::ledger) async fn outbox_done(&self, seqs: Vec<i64>) -> Result<(), LedgerError> {
        self.write(seqs, |tx, seqs| Box::pin(fleet::outbox_done(tx, seqs))).await
    }
}
