//! Places of a messaging limit: taken, given back, moved, forgotten.

use rusqlite::{OptionalExtension, params};

use super::super::desk::Desk;
use crate::clock::Timestamp;
use crate::job::{JobKey, Priority};
use crate::ledger::LedgerError;

/// Whom a job writes to, in whose name.
#[derive(Clone, Copy)]
pub(in crate::ledger::sqlite) struct Letter<'a> {
    pub(in crate::ledger::sqlite) portfolio: &'a str,
    pub(in crate::ledger::sqlite) recipient: &'a str,
    pub(in crate::ledger::sqlite) key: JobKey,
    pub(in crate::ledger::sqlite) priority: Priority,
}

/// A row of a message that counted.
struct Seen {
    portfolio: String,
    recipient: String,
    key: JobKey,
    at: Timestamp,
}

impl Desk {
    /// Takes a place for a message that must have been answered by then; false if there is none. Who has one keeps it,
    /// whatever the limit.
    pub(super) fn take_place(
        &self,
        letter: Letter<'_>,
        limit: u64,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        let Letter { portfolio, recipient, key, priority } = letter;
        let before = self.latest(portfolio, recipient)?;
        let has_place = before.is_some_and(|latest| self.quota.counts(latest, now));
        if !has_place && self.free_places(portfolio, limit, priority, now)? == 0 {
            return Ok(false);
        }
        self.conn
            .prepare_cached(
                "INSERT INTO seen (portfolio, recipient, key, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (portfolio, recipient, key) DO UPDATE SET at = max(at, excluded.at)",
            )?
            .execute(params![portfolio, recipient, key.as_bytes(), at.as_millis()])?;
        self.recount(portfolio, before, before.max(Some(at)), now)?;
        Ok(true)
    }

    /// Whether the person has a place already.
    pub(super) fn has_place_of_its_own(&self, letter: Letter<'_>, now: Timestamp) -> Result<bool, LedgerError> {
        let latest = self.latest(letter.portfolio, letter.recipient)?;
        Ok(latest.is_some_and(|latest| self.quota.counts(latest, now)))
    }

    /// How many places of a portfolio are free for jobs of this priority.
    pub(super) fn free_places(
        &self,
        portfolio: &str,
        limit: u64,
        priority: Priority,
        now: Timestamp,
    ) -> Result<u64, LedgerError> {
        let counted: i64 = self
            .conn
            .prepare_cached("SELECT coalesce(sum(n), 0) FROM bucket WHERE portfolio = ?1 AND slot >= ?2")?
            .query_row(params![portfolio, self.quota.first_slot(now)], |row| row.get(0))?;
        Ok(self.quota.free(limit, u64::try_from(counted).unwrap_or(0), priority))
    }

    /// When the next places of a portfolio are free again; none: none is taken.
    pub(super) fn next_freed(&self, portfolio: &str, now: Timestamp) -> Result<Option<Timestamp>, LedgerError> {
        let slot: Option<i64> = self
            .conn
            .prepare_cached("SELECT min(slot) FROM bucket WHERE portfolio = ?1 AND slot >= ?2")?
            .query_row(params![portfolio, self.quota.first_slot(now)], |row| row.get(0))?;
        Ok(slot.map(|slot| self.quota.freed_at(slot)))
    }

    /// Gives back what a job took whose attempt did not leave, and tells who waits for it. With other attempts of it in
    /// doubt nothing is given back: one of them may have left.
    pub(in crate::ledger::sqlite) fn give_back_places(
        &self,
        seq: i64,
        in_doubt: u32,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        if in_doubt > 0 {
            return Ok(());
        }
        self.give_back_where(seq, |_| true, now)
    }

    /// The same for all portfolios but the one in whose name it is sent after all.
    pub(super) fn give_back_elsewhere(
        &self,
        seq: i64,
        in_doubt: u32,
        portfolio: &str,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        if in_doubt > 0 {
            return Ok(());
        }
        self.give_back_where(seq, |other| other != portfolio, now)
    }

    fn give_back_where(&self, seq: i64, is_one: impl Fn(&str) -> bool, now: Timestamp) -> Result<(), LedgerError> {
        for gone in self.seen_of(seq)?.into_iter().filter(|seen| is_one(&seen.portfolio)) {
            self.conn
                .prepare_cached("DELETE FROM seen WHERE portfolio = ?1 AND recipient = ?2 AND key = ?3")?
                .execute(params![gone.portfolio, gone.recipient, gone.key.as_bytes()])?;
            let left = self.latest(&gone.portfolio, &gone.recipient)?;
            self.recount(&gone.portfolio, left.max(Some(gone.at)), left, now)?;
            if self.holds.known(&self.conn)?.set.at_limit(&gone.portfolio).is_some() {
                self.stir_work();
            }
        }
        Ok(())
    }

    /// A message arrived: Meta counts it from then.
    pub(in crate::ledger::sqlite) fn move_places(
        &self,
        seq: i64,
        delivered_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        // Meta's clock is not ours.
        let at = delivered_at.min(now);
        for Seen { portfolio, recipient, key, .. } in self.seen_of(seq)?.into_iter().filter(|seen| seen.at < at) {
            let before = self.latest(&portfolio, &recipient)?;
            self.conn
                .prepare_cached("UPDATE seen SET at = ?4 WHERE portfolio = ?1 AND recipient = ?2 AND key = ?3")?
                .execute(params![portfolio, recipient, key.as_bytes(), at.as_millis()])?;
            self.recount(&portfolio, before, before.max(Some(at)), now)?;
        }
        Ok(())
    }

    /// Forgets a person's messages; that they are counted stays.
    pub(in crate::ledger::sqlite) fn erase_places(&self, recipient: &str) -> Result<usize, LedgerError> {
        Ok(self.conn.prepare_cached("DELETE FROM seen WHERE recipient = ?1")?.execute([recipient])?)
    }

    /// Forgets places that are over, at most so many rows of each kind.
    pub(in crate::ledger::sqlite) fn drop_old_places(&self, now: Timestamp, limit: u32) -> Result<(), LedgerError> {
        let first = self.quota.first_slot(now);
        let begins = self.quota.freed_at(first - 1) - self.quota.window;
        self.conn
            .prepare_cached(
                "DELETE FROM seen WHERE (portfolio, recipient, key) IN
                     (SELECT portfolio, recipient, key FROM seen WHERE at < ?1 ORDER BY at LIMIT ?2)",
            )?
            .execute(params![begins.as_millis(), limit])?;
        self.conn
            .prepare_cached(
                "DELETE FROM bucket WHERE (portfolio, slot) IN
                     (SELECT portfolio, slot FROM bucket WHERE slot < ?1 LIMIT ?2)",
            )?
            .execute(params![first, limit])?;
        Ok(())
    }

    /// The latest moment of a person's messages.
    fn latest(&self, portfolio: &str, recipient: &str) -> Result<Option<Timestamp>, LedgerError> {
        let at: Option<i64> = self
            .conn
            .prepare_cached("SELECT max(at) FROM seen WHERE portfolio = ?1 AND recipient = ?2")?
            .query_row([portfolio, recipient], |row| row.get(0))
            .optional()?
            .flatten();
        Ok(at.map(Timestamp::from_millis))
    }

    /// The rows of a job's messages.
    fn seen_of(&self, seq: i64) -> Result<Vec<Seen>, LedgerError> {
        let mut find = self.conn.prepare_cached(
            "SELECT s.portfolio, s.recipient, s.key, s.at
             FROM jobs j CROSS JOIN seen s ON s.key = j.key WHERE j.seq = ?1",
        )?;
        let rows = find.query_map([seq], |row| {
            let (key, at) = (JobKey::from_bytes(row.get(2)?), Timestamp::from_millis(row.get(3)?));
            Ok(Seen { portfolio: row.get(0)?, recipient: row.get(1)?, key, at })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counts a person in the slot of another latest moment. What is over is not counted any more.
    fn recount(
        &self,
        portfolio: &str,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let slot = |at: Option<Timestamp>| at.filter(|at| self.quota.counts(*at, now)).map(|at| self.quota.slot(at));
        let (from, to) = (slot(before), slot(after));
        if from == to {
            return Ok(());
        }
        if let Some(from) = from {
            self.conn
                .prepare_cached("UPDATE bucket SET n = n - 1 WHERE portfolio = ?1 AND slot = ?2")?
                .execute(params![portfolio, from])?;
            self.conn
                .prepare_cached("DELETE FROM bucket WHERE portfolio = ?1 AND slot = ?2 AND n <= 0")?
                .execute(params![portfolio, from])?;
        }
        if let Some(to) = to {
            self.conn
                .prepare_cached(
                    "INSERT INTO bucket (portfolio, slot, n) VALUES (?1, ?2, 1)
                     ON CONFLICT (portfolio, slot) DO UPDATE SET n = n + 1",
                )?
                .execute(params![portfolio, to])?;
        }
        Ok(())
    }
}
