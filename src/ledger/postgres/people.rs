//! What people ask, what the fleet keeps, and leases: each call as an errand or a look.

use std::time::Duration;

use super::PostgresLedger;
use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId, HoldOrder};
use crate::job::JobKey;
use crate::ledger::{
    Cancelled, Census, Dead, DeadRow, FleetRow, JobFilter, JobRef, JobRow, Lease, LeaseRow, LedgerError, OutboxRow,
    Resolution, TrailEntry, Unseen, WorkerId,
};

impl PostgresLedger {
    pub(in crate::ledger) async fn holds(&self) -> Result<Vec<Hold>, LedgerError> {
        super::not_written_yet(())
    }

    pub(in crate::ledger) async fn holds_list(&self, limit: u32) -> Result<Vec<Hold>, LedgerError> {
        super::not_written_yet((limit,))
    }

    pub(in crate::ledger) async fn place(&self, order: HoldOrder, now: Timestamp) -> Result<Hold, LedgerError> {
        super::not_written_yet((order, now))
    }

    pub(in crate::ledger) async fn lift(&self, hold: HoldId, now: Timestamp) -> Result<bool, LedgerError> {
        super::not_written_yet((hold, now))
    }

    pub(in crate::ledger) async fn take_leases(
        &self,
        worker: WorkerId,
        names: Vec<String>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Vec<Lease>, LedgerError> {
        super::not_written_yet((worker, names, ttl, now))
    }

    pub(in crate::ledger) async fn leases(&self, now: Timestamp) -> Result<Vec<LeaseRow>, LedgerError> {
        super::not_written_yet((now,))
    }

    pub(in crate::ledger) async fn hand_over(&self, worker: WorkerId, names: Vec<String>) -> Result<(), LedgerError> {
        super::not_written_yet((worker, names))
    }

    pub(in crate::ledger) async fn release_leases(&self, worker: WorkerId) -> Result<(), LedgerError> {
        super::not_written_yet((worker,))
    }

    pub(in crate::ledger) async fn bury(&self, dead: Vec<Dead>) -> Result<Vec<i64>, LedgerError> {
        super::not_written_yet((dead,))
    }

    pub(in crate::ledger) async fn dead_list(&self, after: i64, limit: u32) -> Result<Vec<DeadRow>, LedgerError> {
        super::not_written_yet((after, limit))
    }

    pub(in crate::ledger) async fn dead_show(&self, seq: i64) -> Result<Option<DeadRow>, LedgerError> {
        super::not_written_yet((seq,))
    }

    pub(in crate::ledger) async fn dead_drop(&self, seqs: Vec<i64>) -> Result<u32, LedgerError> {
        super::not_written_yet((seqs,))
    }

    pub(in crate::ledger) async fn cancel(
        &self,
        jobs: Vec<JobRef>,
        unseen: Unseen,
        now: Timestamp,
    ) -> Result<Vec<Cancelled>, LedgerError> {
        super::not_written_yet((jobs, unseen, now))
    }

    pub(in crate::ledger) async fn resolve(
        &self,
        job: JobRef,
        resolution: Resolution,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        super::not_written_yet((job, resolution, now))
    }

    pub(in crate::ledger) async fn show(&self, job: JobRef) -> Result<Vec<JobRow>, LedgerError> {
        super::not_written_yet((job,))
    }

    pub(in crate::ledger) async fn trail(&self, key: JobKey) -> Result<Vec<TrailEntry>, LedgerError> {
        super::not_written_yet((key,))
    }

    pub(in crate::ledger) async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRow>, LedgerError> {
        super::not_written_yet((filter,))
    }

    pub(in crate::ledger) async fn census(&self) -> Result<Census, LedgerError> {
        super::not_written_yet(())
    }

    pub(in crate::ledger) async fn waiting_ahead(
        &self,
        key: JobKey,
        now: Timestamp,
    ) -> Result<Option<u32>, LedgerError> {
        super::not_written_yet((key, now))
    }

    pub(in crate::ledger) async fn fleet_put(&self, rows: Vec<FleetRow>) -> Result<(), LedgerError> {
        super::not_written_yet((rows,))
    }

    pub(in crate::ledger) async fn fleet_list(&self, kind: String) -> Result<Vec<FleetRow>, LedgerError> {
        super::not_written_yet((kind,))
    }

    pub(in crate::ledger) async fn outbox_take(&self, limit: u32) -> Result<Vec<OutboxRow>, LedgerError> {
        super::not_written_yet((limit,))
    }

    pub(in crate::ledger) async fn outbox_done(&self, seqs: Vec<i64>) -> Result<(), LedgerError> {
        super::not_written_yet((seqs,))
    }
}
