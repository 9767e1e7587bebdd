//! Each call of the workers' as a batch or an errand.

use super::PostgresLedger;
use super::admit::Ask;
use super::enqueue::Entry;
use super::sweep::Pass;
use super::{claim, hand, sweep};
use crate::clock::Timestamp;
use crate::job::JobKey;
use crate::ledger::{
    AdmitRequest, Admitted, Claimed, Deferral, Enqueued, LaneRoom, LedgerError, Parking, Routed, Settled, Settlement,
    Swept, UnknownWait, WorkerId,
};

/// A transaction holds what it changes for at most so many rows.
const BATCH: usize = 200;

impl PostgresLedger {
    pub(in crate::ledger) async fn enqueue(
        &self,
        jobs: Vec<Routed>,
        now: Timestamp,
    ) -> Result<Vec<Enqueued>, LedgerError> {
        self.shared.enqueuing.ask(jobs.into_iter().map(|routed| Entry::new(routed, now))).await
    }

    pub(in crate::ledger) async fn claim(
        &self,
        worker: WorkerId,
        rooms: Vec<LaneRoom>,
        now: Timestamp,
    ) -> Result<Claimed, LedgerError> {
        self.errand(move |desk| async move {
            let ask = claim::Ask { worker, rooms, now };
            let known = desk.remembered_holds().await?;
            if claim::has_run_out(&known, now) {
                desk.write(&now, |tx, now| Box::pin(claim::lift_run_out(tx, *now))).await?;
            }
            desk.write(&ask, |tx, ask| Box::pin(claim::claim(tx, ask))).await
        })
        .await
    }

    pub(in crate::ledger) async fn give_back(&self, worker: WorkerId, jobs: Vec<JobKey>) -> Result<(), LedgerError> {
        self.write((worker, jobs), |tx, (worker, jobs)| Box::pin(hand::give_back(tx, *worker, jobs))).await
    }

    pub(in crate::ledger) async fn keep_only(&self, worker: WorkerId, in_hand: Vec<JobKey>) -> Result<(), LedgerError> {
        self.write((worker, in_hand), |tx, (worker, in_hand)| Box::pin(hand::keep_only(tx, *worker, in_hand))).await
    }

    pub(in crate::ledger) async fn expire(&self, jobs: Vec<Routed>, now: Timestamp) -> Result<(), LedgerError> {
        for batch in jobs.chunks(BATCH) {
            self.shared.desk.introduce(batch.iter()).await?;
            self.write((batch.to_vec(), now), |tx, (jobs, now)| Box::pin(hand::expire(tx, jobs, *now))).await?;
        }
        Ok(())
    }

    pub(in crate::ledger) async fn park(&self, jobs: Vec<Parking>, now: Timestamp) -> Result<(), LedgerError> {
        for batch in jobs.chunks(BATCH) {
            self.shared.desk.introduce(batch.iter().filter_map(|parking| parking.delivered.as_ref())).await?;
            self.write((batch.to_vec(), now), |tx, (jobs, now)| Box::pin(hand::park(tx, jobs, *now))).await?;
        }
        Ok(())
    }

    pub(in crate::ledger) async fn defer(&self, jobs: Vec<Deferral>, now: Timestamp) -> Result<(), LedgerError> {
        for batch in jobs.chunks(BATCH) {
            self.shared.desk.introduce(batch.iter().filter_map(|deferral| deferral.delivered.as_ref())).await?;
            self.write((batch.to_vec(), now), |tx, (jobs, now)| Box::pin(hand::defer(tx, jobs, *now))).await?;
        }
        Ok(())
    }

    pub(in crate::ledger) async fn admit(
        &self,
        requests: Vec<AdmitRequest>,
        now: Timestamp,
    ) -> Result<Vec<Admitted>, LedgerError> {
        self.shared.admitting.ask(requests.into_iter().map(|request| Ask { request, now })).await
    }

    pub(in crate::ledger) async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, LedgerError> {
        self.shared.settling.ask(settlements).await
    }

    pub(in crate::ledger) async fn sweep(
        &self,
        now: Timestamp,
        wait: UnknownWait,
        limit: u32,
    ) -> Result<Swept, LedgerError> {
        self.errand(move |desk| async move {
            let pass = Pass { now, wait, limit };
            let mut swept = desk.write(&pass, |tx, pass| Box::pin(sweep::past_deadline(tx, pass))).await?;
            swept.expired = desk.write(&pass, |tx, pass| Box::pin(sweep::out_of_time(tx, pass))).await?.expired;
            swept.lifted = desk.write(&pass, |tx, pass| Box::pin(sweep::run_out_holds(tx, pass))).await?.lifted;
            swept.late = desk.write(&pass, |tx, pass| Box::pin(sweep::late(tx, pass))).await?.late;
            desk.write(&pass, |tx, pass| Box::pin(sweep::tidy(tx, pass))).await?;
            Ok(swept)
        })
        .await
    }

    pub(in crate::ledger) async fn trim(&self, ended_before: Timestamp, limit: u32) -> Result<u32, LedgerError> {
        self.write((ended_before, limit), |tx, (before, limit)| Box::pin(sweep::trim(tx, *before, *limit))).await
    }
}
