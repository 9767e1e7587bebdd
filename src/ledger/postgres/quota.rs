//! The places of a portfolio's messaging limit.

use super::desk::Session;
use crate::clock::Timestamp;
use crate::ledger::{LedgerError, MessagingLimit, PORTFOLIO, QuotaRow, QuotaRules};

/// How every portfolio stands that was heard of.
const STANDING: &str = "SELECT p.id, (SELECT f.fields FROM fleet f WHERE f.kind = $1 AND f.id = p.id),
        (SELECT coalesce(sum(b.n), 0)::bigint FROM bucket b WHERE b.portfolio = p.id AND b.slot >= $2),
        (SELECT count(*) FROM holds h JOIN waiting w ON w.held = h.id AND w.held > 0
         WHERE h.scope = 'quota' AND h.subject = p.id)
    FROM (SELECT id FROM fleet WHERE kind = $1 UNION SELECT portfolio FROM bucket) p ORDER BY p.id";

pub(super) async fn list(session: &Session, rules: &QuotaRules, now: Timestamp) -> Result<Vec<QuotaRow>, LedgerError> {
    let mut found = Vec::new();
    for row in session.query(STANDING, &[&PORTFOLIO, &rules.first_slot(now)]).await? {
        let said = row.try_get::<_, Option<String>>(1)?.and_then(|fields| MessagingLimit::of_fields(&fields));
        let limit = said.map_or(rules.limit, MessagingLimit::count);
        let count = |at: usize| row.try_get(at).map(|n: i64| u64::try_from(n).unwrap_or(0));
        found.push(QuotaRow { portfolio: row.try_get(0)?, limit, taken: rules.taken(count(2)?), parked: count(3)? });
    }
    Ok(found)
}
