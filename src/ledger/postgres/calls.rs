//! Each call of the workers' as a batch or an errand.

use super::PostgresLedger;
use crate::clock::Timestamp;

use crate::job::JobKey;
use crate::ledger::{
    AdmitRequest, Admitted, Claimed, Enqueued, LaneRoom, LedgerError, Parking, Routed, Settled, Settlement, Swept,
    UnknownWait, WorkerId,
};
use crate::outcome::Reason;

impl PostgresLedger {
    pub(in crate::ledger) async fn enqueue(
        &self,
        jobs: Vec<Routed>,
        now: Timestamp,
    ) -> Result<Vec<Enqueued>, LedgerError> {
        super::not_written_yet((jobs, now))
    }

    pub(in crate::ledger) async fn claim(
        &self,
        worker: WorkerId,
        lanes: Vec<LaneRoom>,
        now: Timestamp,
    ) -> Result<Claimed, LedgerError> {
        super::not_written_yet((worker, lanes, now))
    }

    pub(in crate::ledger) async fn give_back(&self, worker: WorkerId, jobs: Vec<JobKey>) -> Result<(), LedgerError> {
        super::not_written_yet((worker, jobs))
    }

    pub(in crate::ledger) async fn keep_only(&self, worker: WorkerId, in_hand: Vec<JobKey>) -> Result<(), LedgerError> {
        super::not_written_yet((worker, in_hand))
    }

    pub(in crate::ledger) async fn expire(&self, jobs: Vec<Routed>, now: Timestamp) -> Result<(), LedgerError> {
        super::not_written_yet((jobs, now))
    }

    pub(in crate::ledger) async fn park(&self, jobs: Vec<Parking>, now: Timestamp) -> Result<(), LedgerError> {
        super::not_written_yet((jobs, now))
    }

    pub(in crate::ledger) async fn defer(
        &self,
        jobs: Vec<(JobKey, Timestamp, Reason)>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        super::not_written_yet((jobs, now))
    }

    pub(in crate::ledger) async fn admit(
        &self,
        requests: Vec<AdmitRequest>,
        now: Timestamp,
    ) -> Result<Vec<Admitted>, LedgerError> {
        super::not_written_yet((requests, now))
    }

    pub(in crate::ledger) async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, LedgerError> {
        super::not_written_yet((settlements,))
    }

    pub(in crate::ledger) async fn sweep(
        &self,
        now: Timestamp,
        wait: UnknownWait,
        limit: u32,
    ) -> Result<Swept, LedgerError> {
        super::not_written_yet((now, wait, limit))
    }

    pub(in crate::ledger) async fn trim(&self, ended_before: Timestamp, limit: u32) -> Result<u32, LedgerError> {
        super::not_written_yet((ended_before, limit))
    }
}
