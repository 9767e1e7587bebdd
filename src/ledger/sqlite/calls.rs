//! Each call as an errand to the writer's or the reader's thread.

use std::time::Duration;

use super::SqliteLedger;
use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId, HoldOrder};
use crate::job::JobKey;
use crate::ledger::{
    AdmitRequest, Admitted, Cancelled, Census, Claimed, Dead, DeadRow, Enqueued, FleetRow, JobFilter, JobRef, JobRow,
    LaneRoom, Lease, LedgerError, OutboxRow, Resolution, Routed, Settled, Settlement, Swept, TrailEntry, UnknownWait,
    WorkerId,
};
use crate::outcome::Reason;

impl SqliteLedger {
    pub(in crate::ledger) async fn enqueue(
        &self,
        jobs: Vec<Routed>,
        now: Timestamp,
    ) -> Result<Vec<Enqueued>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn claim(
        &self,
        worker: WorkerId,
        lanes: Vec<LaneRoom>,
        now: Timestamp,
    ) -> Result<Claimed, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn give_back(&self, worker: WorkerId, jobs: Vec<JobKey>) -> Result<(), LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn park(&self, jobs: Vec<(JobKey, HoldId)>, now: Timestamp) -> Result<(), LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn defer(
        &self,
        jobs: Vec<(JobKey, Timestamp, Reason)>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn admit(
        &self,
        requests: Vec<AdmitRequest>,
        now: Timestamp,
    ) -> Result<Vec<Admitted>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn holds(&self) -> Result<Vec<Hold>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn holds_list(&self, limit: u32) -> Result<Vec<Hold>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn place(&self, order: HoldOrder, now: Timestamp) -> Result<Hold, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn lift(&self, hold: HoldId, now: Timestamp) -> Result<bool, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn take_leases(
        &self,
        worker: WorkerId,
        names: Vec<String>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Vec<Lease>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn renew_leases(
        &self,
        worker: WorkerId,
        leases: Vec<Lease>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Vec<Lease>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn release_leases(&self, worker: WorkerId) -> Result<(), LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn sweep(
        &self,
        now: Timestamp,
        wait: UnknownWait,
        limit: u32,
    ) -> Result<Swept, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn trim(&self, ended_before: Timestamp, limit: u32) -> Result<u32, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn bury(&self, dead: Vec<Dead>) -> Result<Vec<i64>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn dead_list(&self, after: i64, limit: u32) -> Result<Vec<DeadRow>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn dead_show(&self, seq: i64) -> Result<Option<DeadRow>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn dead_drop(&self, seqs: Vec<i64>) -> Result<u32, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn cancel(
        &self,
        jobs: Vec<JobRef>,
        now: Timestamp,
    ) -> Result<Vec<Cancelled>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn resolve(
        &self,
        job: JobRef,
        resolution: Resolution,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn show(&self, job: JobRef) -> Result<Vec<JobRow>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn trail(&self, key: JobKey) -> Result<Vec<TrailEntry>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRow>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn census(&self) -> Result<Census, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn waiting_ahead(
        &self,
        key: JobKey,
        now: Timestamp,
    ) -> Result<Option<u32>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn fleet_put(&self, rows: Vec<FleetRow>) -> Result<(), LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn fleet_list(&self, kind: String) -> Result<Vec<FleetRow>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn outbox_take(&self, limit: u32) -> Result<Vec<OutboxRow>, LedgerError> {
        todo!()
    }

    pub(in crate::ledger) async fn outbox_done(&self, seqs: Vec<i64>) -> Result<(), LedgerError> {
        todo!()
    }
}
