//! Leases: who may send by which number, by the database's clock alone.

use std::time::Duration;

use uuid::Uuid;

use super::desk::{Session, Stir, Tx};
use crate::ledger::{Fence, Lease, LeaseRow, LedgerError, WorkerId};

/// Takes what is free, run out or this worker's own, in order of names: two workers that ask for the same never wait
/// for each other in a ring. What stands in the subquery is what was before.
const TAKE: &str = "INSERT INTO leases AS l (name, owner, fence, expires_at)
    SELECT name, $2, 1, clock_timestamp() + $3 * interval '1 millisecond'
    FROM (SELECT DISTINCT unnest($1::text[]) AS name) asked ORDER BY name
    ON CONFLICT (name) DO UPDATE SET
        fence = l.fence + (l.owner IS DISTINCT FROM excluded.owner)::int,
        owner = excluded.owner, expires_at = excluded.expires_at
    WHERE l.owner IS NULL OR l.owner = excluded.owner OR l.expires_at <= clock_timestamp()
    RETURNING name, fence, (SELECT b.owner FROM leases b WHERE b.name = l.name) IS DISTINCT FROM $2";

/// Who has claims and no lease: one look at the index for each owner, however many rows they have.
const GONE: &str = "WITH RECURSIVE owners AS (
        (SELECT owner FROM waiting WHERE owner IS NOT NULL ORDER BY owner LIMIT 1)
        UNION ALL
        SELECT (SELECT w.owner FROM waiting w WHERE w.owner > o.owner ORDER BY w.owner LIMIT 1)
        FROM owners o WHERE o.owner IS NOT NULL)
    SELECT owner FROM owners o WHERE owner IS NOT NULL AND owner <> $1
        AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.owner = o.owner AND l.expires_at > clock_timestamp())";

/// Frees claims; a row whose job is in an attempt stays out of line, and is nobody's. Who is just being admitted is
/// passed over.
const FREE: &str = "WITH found AS (
        SELECT w.key, j.state IN ('queued', 'waiting') AS is_free
        FROM waiting w JOIN jobs j ON j.key = w.key WHERE w.owner = ANY ($1::uuid[]) LIMIT $3
        FOR UPDATE OF w, j SKIP LOCKED)
    UPDATE waiting w SET owner = CASE WHEN f.is_free THEN NULL ELSE $2::uuid END
    FROM found f WHERE w.key = f.key RETURNING f.is_free";

/// The claims of workers that are gone are freed so many at a time, with each renewal of somebody's leases.
const FREED: usize = 2_000;

/// Takes leases, and frees the claims of workers that have none.
pub(super) async fn take(
    tx: &Tx<'_>,
    worker: WorkerId,
    names: &[String],
    ttl: Duration,
) -> Result<Vec<Lease>, LedgerError> {
    #[expect(clippy::cast_precision_loss, reason = "no lease lasts for millions of years")]
    let ttl = ttl.as_millis() as f64;
    let rows = tx.query(TAKE, &[&names, &worker.0, &ttl]).await?;
    let mut taken = Vec::with_capacity(rows.len());
    for row in &rows {
        let (name, is_new): (String, bool) = (row.try_get(0)?, row.try_get(2)?);
        if is_new && name.starts_with("worker:") {
            tx.stir(Stir::Leases);
        }
        taken.push(Lease { name, fence: Fence(row.try_get(1)?) });
    }
    // In the order in which they were asked for.
    let place = |lease: &Lease| names.iter().position(|name| *name == lease.name);
    taken.sort_by_cached_key(place);
    let gone: Vec<Uuid> =
        tx.query(GONE, &[&Uuid::nil()]).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if !gone.is_empty() {
        free(tx, &gone).await?;
    }
    Ok(taken)
}

/// Puts what these workers have claimed back in line, and says how many rows it found.
async fn free(tx: &Tx<'_>, workers: &[Uuid]) -> Result<usize, LedgerError> {
    let rows = tx.query(FREE, &[&workers, &Uuid::nil(), &(FREED as i64)]).await?;
    for row in &rows {
        if row.try_get(0)? {
            tx.stir(Stir::Work);
        }
    }
    Ok(rows.len())
}

/// Every lease, whoever holds it.
pub(super) async fn list(session: &Session) -> Result<Vec<LeaseRow>, LedgerError> {
    let sql = "SELECT name, owner, fence,
            greatest(0, extract(epoch FROM expires_at - clock_timestamp()) * 1000)::bigint
        FROM leases ORDER BY name";
    let row = |row: &tokio_postgres::Row| {
        let left = Duration::from_millis(u64::try_from(row.try_get::<_, i64>(3)?).unwrap_or(0));
        let owner = row.try_get::<_, Option<Uuid>>(1)?.filter(|_| !left.is_zero()).map(WorkerId);
        Ok(LeaseRow { name: row.try_get(0)?, owner, fence: Fence(row.try_get(2)?), left })
    };
    session.query(sql, &[]).await?.iter().map(row).collect()
}

/// Gives up some leases.
pub(super) async fn hand_over(tx: &Tx<'_>, worker: WorkerId, names: &[String]) -> Result<(), LedgerError> {
    let sql =
        "WITH own AS (SELECT name FROM leases WHERE name = ANY ($1::text[]) AND owner = $2 ORDER BY name FOR UPDATE)
        UPDATE leases l SET owner = NULL, expires_at = 'epoch' FROM own WHERE l.name = own.name";
    if tx.execute(sql, &[&names, &worker.0]).await? > 0 {
        tx.stir(Stir::Leases);
    }
    Ok(())
}

/// Gives up all leases, and what was claimed.
pub(super) async fn release(tx: &Tx<'_>, worker: WorkerId) -> Result<(), LedgerError> {
    let sql = "WITH own AS (SELECT name FROM leases WHERE owner = $1 ORDER BY name FOR UPDATE)
        UPDATE leases l SET owner = NULL, expires_at = 'epoch' FROM own WHERE l.name = own.name";
    if tx.execute(sql, &[&worker.0]).await? > 0 {
        tx.stir(Stir::Leases);
    }
    while free(tx, &[worker.0]).await? == FREED {}
    Ok(())
}

/// Forgets who held what nobody holds any more. A number's fence must never be used twice: its row stays.
pub(super) async fn forget(session: &Session) -> Result<(), LedgerError> {
    let sql = "DELETE FROM leases WHERE name NOT LIKE 'number:%'
        AND (owner IS NULL OR expires_at < clock_timestamp() - interval '1 hour')";
    session.execute(sql, &[]).await?;
    Ok(())
}
