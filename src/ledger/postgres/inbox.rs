//! Webhook bodies that were verified, from their arrival until what they say is committed.

use futures_util::future::BoxFuture;
use tokio_postgres::Row;

use super::desk::{Desk, Session, Tx};
use crate::clock::Timestamp;
use crate::ledger::{InboxRow, LedgerError};

/// A body on its way in.
pub(super) struct Entry {
    pub(super) body: Vec<u8>,
    pub(super) at: Timestamp,
}

pub(super) fn put<'a>(desk: &'a Desk, entries: &'a [Entry]) -> BoxFuture<'a, Result<Vec<()>, LedgerError>> {
    Box::pin(async move {
        let session = desk.session().await?;
        session.in_time(insert(&session, entries)).await
    })
}

async fn insert(session: &Session, entries: &[Entry]) -> Result<Vec<()>, LedgerError> {
    let bodies: Vec<&[u8]> = entries.iter().map(|entry| entry.body.as_slice()).collect();
    let times: Vec<i64> = entries.iter().map(|entry| entry.at.as_millis()).collect();
    let sql = "INSERT INTO inbox (body, at) SELECT a.body, a.at
        FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS a (body, at, n) ORDER BY a.n";
    session.execute(sql, &[&bodies, &times]).await?;
    Ok(vec![(); entries.len()])
}

/// The oldest bodies, as many as were asked for and fit; the first one always does.
pub(super) async fn take(session: &Session, limit: u32, bytes: usize) -> Result<Vec<InboxRow>, LedgerError> {
    let row = |row: &Row| {
        Ok(InboxRow { seq: row.try_get(0)?, body: row.try_get(1)?, at: Timestamp::from_millis(row.try_get(2)?) })
    };
    let sql = "SELECT seq, body, at FROM (
            SELECT seq, body, at, sum(octet_length(body)) OVER so_far AS bytes, row_number() OVER so_far AS n
            FROM (SELECT seq, body, at FROM inbox ORDER BY seq LIMIT $1) oldest
            WINDOW so_far AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)) counted
        WHERE bytes <= $2 OR n = 1 ORDER BY seq";
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    session.query(sql, &[&i64::from(limit), &bytes]).await?.iter().map(row).collect()
}

/// Forgets bodies with the commit of what they say. False if they were there once and are not now: another commit has
/// said it.
pub(super) async fn forget(tx: &Tx<'_>, seqs: &[i64]) -> Result<bool, LedgerError> {
    if seqs.is_empty() {
        return Ok(true);
    }
    let sql = "DELETE FROM inbox WHERE seq = ANY (ARRAY(
        SELECT seq FROM inbox WHERE seq = ANY ($1::bigint[]) ORDER BY seq FOR UPDATE))";
    Ok(tx.execute(sql, &[&seqs]).await? > 0)
}
