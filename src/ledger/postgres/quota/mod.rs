//! A portfolio's messaging limit: how much it is, how its places stand, and who must hear when they change.
//!
//! Whoever changes the places of a portfolio has it locked, from before its first row: see [`lock`].

mod admission;
mod limits;
mod lock;
mod parked;
mod places;
mod returned;

pub(super) use self::admission::{Verdict, judge, limited, lock_for};
pub(super) use self::limits::{Limits, limits_may_have_changed};
pub(super) use self::lock::Locks;
pub(super) use self::parked::{Queues, lift_spare};
pub(super) use self::places::trim;
pub(super) use self::returned::{erase, give_back, give_back_of, has_places, lock_of, move_up};
use tokio_postgres::Row;

use super::desk::Session;
use crate::clock::Timestamp;
use crate::ledger::{LedgerError, PORTFOLIO, QuotaRow, QuotaRules};

/// How every portfolio stands that was heard of.
const STANDING: &str = "SELECT p.id, (SELECT f.fields FROM fleet f WHERE f.kind = $1 AND f.id = p.id),
        (SELECT count(*) FROM holds h JOIN waiting w ON w.held = h.id AND w.held > 0
         WHERE h.scope = 'quota' AND h.subject = p.id)
    FROM (SELECT id FROM fleet WHERE kind = $1 UNION SELECT portfolio FROM bucket) p ORDER BY p.id COLLATE \"C\"";

/// How many people are counted in each slot that is not over.
const SLOTS: &str = "SELECT slot, n FROM bucket WHERE portfolio = $1 AND slot >= $2 AND n > 0 ORDER BY slot";

pub(super) async fn list(session: &Session, rules: &QuotaRules, now: Timestamp) -> Result<Vec<QuotaRow>, LedgerError> {
    let mut found = Vec::new();
    let count = |row: &Row, at: usize| row.try_get(at).map(|n: i64| u64::try_from(n).unwrap_or(0));
    for row in session.query(STANDING, &[&PORTFOLIO]).await? {
        let (portfolio, limit): (String, _) = (row.try_get(0)?, limits::of(row.try_get(1)?, rules));
        let slots = session.query(SLOTS, &[&portfolio, &rules.first_slot(now)]).await?;
        let slots = slots.iter().map(|row| Ok((row.try_get(0)?, count(row, 1)?)));
        let slots = slots.collect::<Result<Vec<_>, LedgerError>>()?;
        found.push(QuotaRow::new((portfolio, limit), &slots, count(&row, 2)?, rules, now));
    }
    Ok(found)
}
