//! What was read of numbers and accounts, and the outbox's two ends.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::desk::Session;
use crate::clock::Timestamp;
use crate::ledger::{FleetRow, LedgerError, OutboxRow, OutboxStage};

/// Notes what was read; of one thing, what was read last.
pub(super) async fn put(session: &Session, rows: &[FleetRow]) -> Result<(), LedgerError> {
    let rows: BTreeMap<_, _> = rows.iter().map(|row| ((&row.kind, &row.id), row)).collect();
    let of = |part: fn(&FleetRow) -> &String| rows.values().map(|row| part(row).as_str()).collect::<Vec<_>>();
    let (kinds, ids, parents) = (of(|row| &row.kind), of(|row| &row.id), of(|row| &row.parent));
    let fields = of(|row| &row.fields);
    let times: Vec<_> = rows.values().map(|row| row.read_at.as_millis()).collect();
    let sql = "INSERT INTO fleet (kind, id, parent, fields, read_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
        ON CONFLICT (kind, id) DO UPDATE SET
            parent = excluded.parent, fields = excluded.fields, read_at = excluded.read_at";
    session.execute(sql, &[&kinds, &ids, &parents, &fields, &times]).await?;
    Ok(())
}

/// What was last read of one kind.
pub(super) async fn list(session: &Session, kind: &str) -> Result<Vec<FleetRow>, LedgerError> {
    let sql = "SELECT kind, id, parent, fields, read_at FROM fleet WHERE kind = $1 ORDER BY id COLLATE \"C\"";
    session.query(sql, &[&kind]).await?.iter().map(row).collect()
}

/// What was last read of one thing.
pub(super) async fn get(session: &Session, kind: &str, id: &str) -> Result<Option<FleetRow>, LedgerError> {
    let sql = "SELECT kind, id, parent, fields, read_at FROM fleet WHERE kind = $1 AND id = $2";
    session.query(sql, &[&kind, &id]).await?.iter().map(row).next().transpose()
}

/// Forgets what was read of one thing.
pub(super) async fn forget(session: &Session, kind: &str, id: &str) -> Result<(), LedgerError> {
    session.execute("DELETE FROM fleet WHERE kind = $1 AND id = $2", &[&kind, &id]).await?;
    Ok(())
}

fn row(row: &Row) -> Result<FleetRow, LedgerError> {
    Ok(FleetRow {
        kind: row.try_get(0)?,
        id: row.try_get(1)?,
        parent: row.try_get(2)?,
        fields: row.try_get(3)?,
        read_at: Timestamp::from_millis(row.try_get(4)?),
    })
}

/// The oldest events that wait to be published.
pub(super) async fn outbox(session: &Session, stage: OutboxStage, limit: u32) -> Result<Vec<OutboxRow>, LedgerError> {
    let row = |row: &Row| {
        Ok(OutboxRow {
            seq: row.try_get(0)?,
            topic: row.try_get(1)?,
            event: row.try_get(2)?,
            job: row.try_get(3)?,
            body: row.try_get(4)?,
        })
    };
    let (least, most) = stage.bounds();
    let sql = "SELECT seq, topic, event, job, body FROM outbox WHERE passed_on BETWEEN $1 AND $2 ORDER BY seq LIMIT $3";
    session.query(sql, &[&least, &most, &i64::from(limit)]).await?.iter().map(row).collect()
}

/// Leaves events to the next way out.
pub(super) async fn outbox_pass_on(session: &Session, seqs: &[i64]) -> Result<(), LedgerError> {
    session.execute("UPDATE outbox SET passed_on = 1 WHERE seq = ANY ($1::bigint[])", &[&seqs]).await?;
    Ok(())
}

/// Forgets events that were published.
pub(super) async fn outbox_done(session: &Session, seqs: &[i64]) -> Result<(), LedgerError> {
    session.execute("DELETE FROM outbox WHERE seq = ANY ($1::bigint[])", &[&seqs]).await?;
    Ok(())
}
