//! Dead bodies: what could not become a job, or what nobody should try again.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::desk::{Session, Tx};
use super::words::clean;
use crate::clock::Timestamp;
use crate::ledger::{Dead, DeadRow, LedgerError};

/// Numbered in the order in which they came, but written in that of their hashes: two that bury the same never wait
/// for each other in a ring.
const BURY: &str = "WITH given AS MATERIALIZED (
        SELECT nextval('dead_seq_seq') AS seq, d.*
        FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::bigint[])
            AS d (hash, body, reason, field, origin, at))
    INSERT INTO dead (seq, hash, body, reason, field, origin, at) OVERRIDING SYSTEM VALUE
    SELECT * FROM given ORDER BY hash, seq
    ON CONFLICT (hash) DO NOTHING";

/// Sets bodies aside, each once.
pub(super) async fn bury(tx: &Tx<'_>, dead: &[Dead]) -> Result<Vec<i64>, LedgerError> {
    let hashes: Vec<[u8; 32]> = dead.iter().map(Dead::hash).collect();
    let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    let bodies: Vec<&[u8]> = dead.iter().map(Dead::kept).collect();
    let of = |part: fn(&Dead) -> &String| dead.iter().map(|dead| clean(part(dead))).collect::<Vec<_>>();
    let (reasons, fields, origins) = (of(|dead| &dead.reason), of(|dead| &dead.field), of(|dead| &dead.origin));
    let times: Vec<i64> = dead.iter().map(|dead| dead.at.as_millis()).collect();
    let buried = tx.execute(BURY, &[&hashes, &bodies, &reasons, &fields, &origins, &times]).await?;
    tx.tally.bury(i64::try_from(buried).expect("a batch is small"));
    let rows = tx.query("SELECT hash, seq FROM dead WHERE hash = ANY ($1::bytea[])", &[&hashes]).await?;
    let numbers = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let numbers = numbers.collect::<Result<HashMap<&[u8], i64>, tokio_postgres::Error>>()?;
    // Another command may have dropped a row at this very moment: then it is nobody's.
    Ok(hashes.iter().map(|hash| numbers.get(hash).copied().unwrap_or(0)).collect())
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
