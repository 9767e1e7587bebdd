//! A portfolio's messaging limit: how much it is, how its places stand, and who must hear when they change.

mod parked;
mod places;

use rusqlite::{Connection, OptionalExtension, Row, params};

pub(super) use self::parked::Queue;
use super::desk::Desk;
use crate::clock::Timestamp;
use crate::hold::Scope;
use crate::ledger::{LedgerError, MessagingLimit, PORTFOLIO, QuotaRow, QuotaRules};

/// How every portfolio stands that was heard of.
const STANDING: &str = "SELECT p.id, (SELECT f.fields FROM fleet f WHERE f.kind = ?1 AND f.id = p.id),
        (SELECT count(*) FROM holds h CROSS JOIN waiting w ON w.held = h.id AND w.held > 0
         WHERE h.scope = 'quota' AND h.subject = p.id)
    FROM (SELECT id FROM fleet WHERE kind = ?1 UNION SELECT portfolio FROM bucket) p ORDER BY p.id";

/// How many people are counted in each slot that is not over.
const SLOTS: &str = "SELECT slot, n FROM bucket WHERE portfolio = ?1 AND slot >= ?2 AND n > 0 ORDER BY slot";

impl Desk {
    /// How many people a portfolio may begin to write to; none: without a limit.
    pub(super) fn limit_of(&self, portfolio: &str) -> Result<Option<u64>, LedgerError> {
        if let Some(limit) = self.limits.borrow().get(portfolio) {
            return Ok(*limit);
        }
        let fields: Option<String> = self
            .conn
            .prepare_cached("SELECT fields FROM fleet WHERE kind = ?1 AND id = ?2")?
            .query_row([PORTFOLIO, portfolio], |row| row.get(0))
            .optional()?;
        let limit = limit(fields.as_deref(), &self.quota);
        self.limits.borrow_mut().insert(portfolio.to_owned(), limit);
        Ok(limit)
    }

    /// What is known of one kind changed: limits are read again, and who waits for a place may have one.
    pub(super) fn limits_may_have_changed(&self, kind: &str) -> Result<(), LedgerError> {
        if kind != PORTFOLIO {
            return Ok(());
        }
        self.limits.borrow_mut().clear();
        if self.holds.known(&self.conn)?.all.iter().any(|hold| hold.cover.scope == Scope::Quota) {
            self.stir_work();
        }
        Ok(())
    }
}

pub(super) fn list(conn: &Connection, rules: &QuotaRules, now: Timestamp) -> Result<Vec<QuotaRow>, LedgerError> {
    let mut find = conn.prepare_cached(STANDING)?;
    let mut count = conn.prepare_cached(SLOTS)?;
    let mut rows = find.query([PORTFOLIO])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let fields: Option<String> = row.get(1)?;
        let (portfolio, limit): (String, _) = (row.get(0)?, limit(fields.as_deref(), rules));
        let slots = count.query_map(params![portfolio, rules.first_slot(now)], |row| Ok((row.get(0)?, n(row, 1)?)))?;
        let slots = slots.collect::<Result<Vec<_>, _>>()?;
        found.push(QuotaRow::new((portfolio, limit), &slots, n(row, 2)?, rules, now));
    }
    Ok(found)
}

fn n(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get(at).map(|n: i64| u64::try_from(n).unwrap_or(0))
}

/// The limit of a portfolio whose row has these fields.
fn limit(fields: Option<&str>, rules: &QuotaRules) -> Option<u64> {
    fields.and_then(MessagingLimit::of_fields).map_or(rules.limit, MessagingLimit::count)
}
