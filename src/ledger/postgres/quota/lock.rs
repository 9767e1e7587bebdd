//! Who may change the places of a portfolio: one transaction at a time.
//!
//! It waits for that only as long as it holds nothing else. One that finds late that it needs a portfolio does not wait:
//! if it is locked it begins anew, and locks it first. So no two wait for each other in a ring.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::super::desk::Tx;
use crate::ledger::LedgerError;

/// What a transaction has locked.
#[derive(Default)]
pub(in crate::ledger::postgres) struct Locks {
    held: Mutex<BTreeSet<String>>,
    /// What it would have needed, and had better lock first next time.
    missed: Mutex<BTreeSet<String>>,
}

impl Locks {
    /// What the next try has to lock first.
    pub(in crate::ledger::postgres) fn missed(&self) -> BTreeSet<String> {
        self.missed.lock().expect("nobody panics while looking").clone()
    }

    fn missing(&self, portfolios: &BTreeSet<String>) -> BTreeSet<String> {
        portfolios.difference(&self.held.lock().expect("nobody panics while looking")).cloned().collect()
    }

    fn note(&self, portfolios: &BTreeSet<String>) {
        self.held.lock().expect("nobody panics while looking").extend(portfolios.iter().cloned());
    }
}

impl Tx<'_> {
    /// Locks the places of these portfolios, before it locks any row. Waits for who has them.
    pub(in crate::ledger::postgres) async fn lock_places(
        &self,
        portfolios: &BTreeSet<String>,
    ) -> Result<(), LedgerError> {
        if portfolios.is_empty() {
            return Ok(());
        }
        if !self.locks.held.lock().expect("nobody panics while looking").is_empty() {
            // Not in one go with the others any more: their order would not be the same for all.
            return self.lock_places_late(portfolios).await;
        }
        let names: Vec<&String> = portfolios.iter().collect();
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' quota ' || a.portfolio, 0))
            FROM unnest($2::text[]) AS a (portfolio)";
        self.query(sql, &[&self.desk.channel, &names]).await?;
        self.locks.note(portfolios);
        Ok(())
    }

    /// Locks the places of these portfolios where nobody else has them; else it begins anew.
    pub(super) async fn lock_places_late(&self, portfolios: &BTreeSet<String>) -> Result<(), LedgerError> {
        let missing = self.locks.missing(portfolios);
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<&String> = missing.iter().collect();
        let sql = "SELECT coalesce(bool_and(pg_try_advisory_xact_lock(
                hashtextextended($1 || ' quota ' || a.portfolio, 0))), true)
            FROM unnest($2::text[]) AS a (portfolio)";
        if self.query_one(sql, &[&self.desk.channel, &names]).await?.try_get(0)? {
            self.locks.note(&missing);
            return Ok(());
        }
        self.locks.missed.lock().expect("nobody panics while looking").extend(portfolios.iter().cloned());
        Err(self.begin_anew())
    }
}
