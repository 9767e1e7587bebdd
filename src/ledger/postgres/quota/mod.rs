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
use super::desk::Session;
use crate::clock::Timestamp;
use crate::ledger::{LedgerError, PORTFOLIO, QuotaRow, QuotaRules};

/// How every portfolio stands that was heard of.
const STANDING: &str = "SELECT p.id, (SELECT f.fields FROM fleet f WHERE f.kind = $1 AND f.id = p.id),
        (SELECT coalesce(sum(b.n), 0)::bigint FROM bucket b WHERE b.portfolio = p.id AND b.slot >= $2),
        (SELECT count(*) FROM holds h JOIN waiting w ON w.held = h.id AND w.held > 0
         WHERE h.scope = 'quota' AND h.subject = p.id)
    FROM (SELECT id FROM fleet WHERE kind = $1 UNION SELECT portfolio FROM bucket) p ORDER BY p.id COLLATE \"C\"";

pub(super) async fn list(session: &Session, rules: &QuotaRules, now: Timestamp) -> Result<Vec<QuotaRow>, LedgerError> {
    let mut found = Vec::new();
    for row in session.query(STANDING, &[&PORTFOLIO, &rules.first_slot(now)]).await? {
        let limit = limits::of(row.try_get(1)?, rules);
        let count = |at: usize| row.try_get(at).map(|n: i64| u64::try_from(n).unwrap_or(0));
        found.push(QuotaRow { portfolio: row.try_get(0)?, limit, taken: rules.taken(count(2)?), parked: count(3)? });
    }
    Ok(found)
}
