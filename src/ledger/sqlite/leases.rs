//! Leases: who may send by which number, and who does which of the keeper's tasks.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::desk::Desk;
use crate::clock::Timestamp;
use crate::job::NumberId;
use crate::ledger::{Fence, Lease, LeaseRow, LedgerError, WorkerId};

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

    /// Every lease, whoever holds it.
    pub(super) fn leases(&self, now: Timestamp) -> Result<Vec<LeaseRow>, LedgerError> {
        let mut find = self.conn.prepare_cached("SELECT name, owner, fence, expires_at FROM leases ORDER BY name")?;
        let rows = find.query_map([], |row| {
            let left = Timestamp::from_millis(row.get(3)?).since(now);
            let owner: Option<[u8; 16]> = row.get(1)?;
            let owner = owner.filter(|_| !left.is_zero()).map(|bytes| WorkerId(Uuid::from_bytes(bytes)));
            Ok(LeaseRow { name: row.get(0)?, owner, fence: Fence(row.get(2)?), left })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn hand_over(&self, worker: WorkerId, names: &[String]) -> Result<(), LedgerError> {
        let mut release = self
            .conn
            .prepare_cached("UPDATE leases SET owner = NULL, expires_at = 0 WHERE name = ?1 AND owner = ?2")?;
        for name in names {
            release.execute(params![name, worker.0.as_bytes()])?;
        }
        Ok(())
    }

    pub(super) fn release_leases(&self, worker: WorkerId) -> Result<(), LedgerError> {
        self.conn
            .prepare_cached("UPDATE leases SET owner = NULL, expires_at = 0 WHERE owner = ?1")?
            .execute([worker.0.as_bytes()])?;
        Ok(())
    }

    /// Forgets who held what is held by nobody since then. A number's fence must never be used twice: its row stays.
    pub(super) fn forget_leases(&self, ended_before: Timestamp) -> Result<(), LedgerError> {
        self.conn
            .prepare_cached("DELETE FROM leases WHERE expires_at < ?1 AND name NOT LIKE 'number:%'")?
            .execute([ended_before.as_millis()])?;
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
