//! How many jobs stand where, from what every commit counted.

use super::desk::Session;
use super::words::{known_word, time, word};
use crate::ledger::{Census, LedgerError};

/// The first row of each lane, timed and fresh: what has stood in line longest is among them.
const OLDEST: &str = "SELECT min(since) FROM (
    SELECT (SELECT w.due_at FROM waiting w
            WHERE w.lane = l.id AND w.class = 0 AND w.owner IS NULL AND w.held = 0
            ORDER BY w.due_at, w.seq LIMIT 1) AS since FROM lanes l
    UNION ALL
    SELECT (SELECT j.created_at FROM waiting w JOIN jobs j ON j.key = w.key
            WHERE w.lane = l.id AND w.class = 1 AND w.owner IS NULL AND w.held = 0
            ORDER BY w.due_at, w.seq LIMIT 1) FROM lanes l) first";

/// Reads the counts.
pub(super) async fn census(session: &Session) -> Result<Census, LedgerError> {
    let mut census = Census::default();
    let sql = "SELECT what, word, sum(n)::bigint FROM tally GROUP BY what, word HAVING sum(n) <> 0";
    for row in session.query(sql, &[]).await? {
        let n = u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0);
        match row.try_get(0)? {
            "state" => census.states.push((word(&row, 1)?, n)),
            "waiting" => census.waiting.extend(known_word(&row, 1)?.map(|reason| (reason, n))),
            "dead" => census.dead = n,
            other => return Err(LedgerError::Damaged(format!("tally of {other}"))),
        }
    }
    census.states.sort_unstable_by_key(|(state, _)| *state);
    census.waiting.sort_unstable_by_key(|(reason, _)| *reason);
    census.oldest_due = time(&session.query_one(OLDEST, &[]).await?, 0)?;
    Ok(census)
}
