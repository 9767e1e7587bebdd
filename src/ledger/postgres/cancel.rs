//! What people decide about single jobs: to take one back, or what became of an unknown one.

use super::desk::Tx;
use super::show::keys_of;
use crate::clock::Timestamp;
use crate::ledger::{Cancelled, JobRef, LedgerError, Resolution, Unseen};

pub(super) async fn cancel(
    tx: &Tx<'_>,
    jobs: &[JobRef],
    unseen: Unseen,
    now: Timestamp,
) -> Result<Vec<Cancelled>, LedgerError> {
    let _ = (keys_of(tx, &jobs[0]).await?, unseen, now);
    Ok(vec![])
}
pub(super) async fn resolve(
    tx: &Tx<'_>,
    job: &JobRef,
    resolution: Resolution,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let _ = (tx, job, resolution, now);
    Ok(false)
}
