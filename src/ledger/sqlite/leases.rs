//! Leases: who may send by which number, and who does which of the keeper's tasks.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::desk::Desk;
use crate::clock::Timestamp;
use crate::job::NumberId;
use crate::ledger::{Fence, Lease, LedgerError, WorkerId};

impl Desk {
    pub(super) fn take_leases(
        &self,
        worker: WorkerId,
        names: Vec<String>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Vec<Lease>, LedgerError> {
        let mut take = self.conn.prepare_cached(
            "INSERT INTO leases (name, owner, fence, expires_at) VALUES (?1, ?2, 1, ?3)
             ON CONFLICT (name) DO UPDATE SET
                 fence = fence + (owner IS NOT excluded.owner), owner = excluded.owner, expires_at = excluded.expires_at
             WHERE owner IS NULL OR owner = excluded.owner OR expires_at <= ?4
             RETURNING fence",
        )?;
        let mut taken = Vec::with_capacity(names.len());
        for name in names {
            let values = params![name, worker.0.as_bytes(), (now + ttl).as_millis(), now.as_millis()];
            if let Some(fence) = take.query_row(values, |row| row.get(0)).optional()? {
                taken.push(Lease { name, fence: Fence(fence) });
            }
        }
        Ok(taken)
    }

    /// A lease that ran out is renewed too, as long as nobody else has taken it.
    pub(super) fn renew_leases(
        &self,
        worker: WorkerId,
        leases: Vec<Lease>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Vec<Lease>, LedgerError> {
        let mut renew = self
            .conn
            .prepare_cached("UPDATE leases SET expires_at = ?4 WHERE name = ?1 AND owner = ?2 AND fence = ?3")?;
        let mut renewed = Vec::with_capacity(leases.len());
        for lease in leases {
            let expires_at = (now + ttl).as_millis();
            if renew.execute(params![lease.name, worker.0.as_bytes(), lease.fence.0, expires_at])? > 0 {
                renewed.push(lease);
            }
        }
        Ok(renewed)
    }

    pub(super) fn release_leases(&self, worker: WorkerId) -> Result<(), LedgerError> {
        self.conn
            .prepare_cached("UPDATE leases SET owner = NULL, expires_at = 0 WHERE owner = ?1")?
            .execute([worker.0.as_bytes()])?;
        Ok(())
    }

    /// Fence and end of a number's lease, if somebody has it.
    pub(super) fn number_lease(&self, number: &NumberId) -> Result<Option<(i64, Timestamp)>, LedgerError> {
        Ok(self
            .conn
            .prepare_cached("SELECT fence, expires_at FROM leases WHERE name = 'number:' || ?1 AND owner IS NOT NULL")?
            .query_row([number.as_str()], |row| Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?))))
            .optional()?)
    }
}
