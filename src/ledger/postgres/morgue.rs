//! Dead bodies: what could not become a job, or what nobody should try again.

use tokio_postgres::Row;

use super::desk::{Session, Tx};
use crate::clock::Timestamp;
use crate::ledger::{Dead, DeadRow, LedgerError};

/// Sets bodies aside, each once. Two that come with the same one wait for each other, so they come in order.
pub(super) async fn bury(tx: &Tx<'_>, dead: &[Dead]) -> Result<Vec<i64>, LedgerError> {
    let mut order: Vec<_> = dead.iter().enumerate().map(|(place, dead)| (dead.hash(), place)).collect();
    order.sort_unstable();
    let mut seqs = vec![0; dead.len()];
    for (hash, place) in order {
        let dead = &dead[place];
        let sql = "INSERT INTO dead (hash, body, reason, field, origin, at) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (hash) DO NOTHING RETURNING seq";
        let (hash, body, at) = (&hash[..], dead.kept(), dead.at.as_millis());
        let buried = tx.query_opt(sql, &[&hash, &body, &dead.reason, &dead.field, &dead.origin, &at]).await?;
        let row = match buried {
            Some(row) => {
                tx.tally.bury(1);
                row
            }
            None => tx.query_one("SELECT seq FROM dead WHERE hash = $1", &[&hash]).await?,
        };
        seqs[place] = row.try_get(0)?;
    }
    Ok(seqs)
}

/// Drops bodies and says how many there were.
pub(super) async fn drop(tx: &Tx<'_>, seqs: &[i64]) -> Result<u32, LedgerError> {
    let dropped = tx.execute("DELETE FROM dead WHERE seq = ANY ($1::bigint[])", &[&seqs]).await?;
    let dropped = u32::try_from(dropped).unwrap_or(u32::MAX);
    tx.tally.bury(-i64::from(dropped));
    Ok(dropped)
}

/// Bodies numbered above `after`.
pub(super) async fn list(session: &Session, after: i64, limit: u32) -> Result<Vec<DeadRow>, LedgerError> {
    let sql = "SELECT seq, body, reason, field, origin, at FROM dead WHERE seq > $1 ORDER BY seq LIMIT $2";
    session.query(sql, &[&after, &i64::from(limit)]).await?.iter().map(read).collect()
}

/// One body.
pub(super) async fn show(session: &Session, seq: i64) -> Result<Option<DeadRow>, LedgerError> {
    let sql = "SELECT seq, body, reason, field, origin, at FROM dead WHERE seq = $1";
    session.query_opt(sql, &[&seq]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<DeadRow, LedgerError> {
    let at = Timestamp::from_millis(row.try_get(5)?);
    let dead =
        Dead { body: row.try_get(1)?, reason: row.try_get(2)?, field: row.try_get(3)?, origin: row.try_get(4)?, at };
    Ok(DeadRow { seq: row.try_get(0)?, dead })
}
