//! What was read of numbers and accounts, and the outbox's two ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};
use tokio_postgres::Row;

use super::desk::{Session, Stir, Tx};
use super::words::clean;
use crate::clock::Timestamp;
use crate::ledger::{FieldsNews, FleetRow, LedgerError, OutboxRow, OutboxStage, WORKER};

/// Kind and id.
type Name<'a> = (&'a str, &'a str);

/// Notes what was read; of one thing, what was read last.
pub(super) async fn put(tx: &Tx<'_>, rows: &[FleetRow]) -> Result<(), LedgerError> {
    let rows: BTreeMap<Name<'_>, &FleetRow> =
        rows.iter().map(|row| ((row.kind.as_str(), row.id.as_str()), row)).collect();
    let news: BTreeMap<Name<'_>, &FleetRow> =
        rows.iter().filter(|(_, row)| row.kind != WORKER).map(|(name, row)| (*name, *row)).collect();
    if news.is_empty() {
        return write(tx, rows.values().copied()).await;
    }
    let known = lock(tx, news.keys().copied()).await?;
    let is_new = |(name, row): (&Name<'_>, &&FleetRow)| known.get(name).map(|known| &known.fields) != Some(&row.fields);
    let stirs = news.iter().any(is_new);
    write(tx, rows.values().copied()).await?;
    if stirs { count_up(tx).await } else { Ok(()) }
}

/// Forgets what workers said that are gone.
pub(super) async fn trim(tx: &Tx<'_>, before: Timestamp) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM fleet WHERE kind = $1 AND read_at < $2", &[&WORKER, &before.as_millis()]).await?;
    Ok(())
}

/// Notes fields that changed; the others stay as they are.
pub(super) async fn merge(tx: &Tx<'_>, news: &[FieldsNews]) -> Result<(), LedgerError> {
    let names: BTreeSet<Name<'_>> = news.iter().map(|news| (news.kind.as_str(), news.id.as_str())).collect();
    if names.is_empty() {
        return Ok(());
    }
    let known = lock(tx, names.into_iter()).await?;
    let mut changed: BTreeMap<Name<'_>, FleetRow> = BTreeMap::new();
    for news in news {
        let name = (news.kind.as_str(), news.id.as_str());
        let row = changed.get(&name).or_else(|| known.get(&name));
        let mut fields: Map<String, Value> =
            row.and_then(|row| serde_json::from_str(&row.fields).ok()).unwrap_or_default();
        let before = fields.clone();
        fields.extend(news.fields.clone());
        if row.is_some() && fields == before {
            continue;
        }
        let merged = FleetRow {
            kind: news.kind.clone(),
            id: news.id.clone(),
            parent: row.map_or(&news.parent, |row| &row.parent).clone(),
            fields: Value::Object(fields).to_string(),
            read_at: row.map_or(news.at, |row| row.read_at.max(news.at)),
        };
        changed.insert(name, merged);
    }
    if changed.is_empty() {
        return Ok(());
    }
    write(tx, changed.values()).await?;
    count_up(tx).await
}

/// What is known of these things; nobody else changes it before this transaction ends.
async fn lock<'a>(
    tx: &Tx<'_>,
    names: impl Iterator<Item = Name<'a>>,
) -> Result<HashMap<Name<'a>, FleetRow>, LedgerError> {
    let names: Vec<Name<'_>> = names.collect();
    // Who adds a row that is not there yet must find no other doing the same.
    tx.execute("SELECT 1 FROM fleet_version FOR UPDATE", &[]).await?;
    let (kinds, ids): (Vec<&str>, Vec<&str>) = names.iter().copied().unzip();
    let sql = "SELECT f.kind, f.id, f.parent, f.fields, f.read_at FROM unnest($1::text[], $2::text[]) AS a (kind, id)
        CROSS JOIN LATERAL (SELECT * FROM fleet g WHERE g.kind = a.kind AND g.id = a.id OFFSET 0) f";
    let mut known = HashMap::with_capacity(names.len());
    for row in tx.query(sql, &[&kinds, &ids]).await? {
        let row = read(&row)?;
        if let Ok(place) = names.binary_search(&(row.kind.as_str(), row.id.as_str())) {
            known.insert(names[place], row);
        }
    }
    Ok(known)
}

async fn write<'a>(tx: &Tx<'_>, rows: impl Iterator<Item = &'a FleetRow> + Clone) -> Result<(), LedgerError> {
    let of = |part: fn(&FleetRow) -> &String| rows.clone().map(|row| clean(part(row))).collect::<Vec<_>>();
    let (kinds, ids, parents) = (of(|row| &row.kind), of(|row| &row.id), of(|row| &row.parent));
    let fields = of(|row| &row.fields);
    let times: Vec<_> = rows.clone().map(|row| row.read_at.as_millis()).collect();
    let sql = "INSERT INTO fleet (kind, id, parent, fields, read_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
        ON CONFLICT (kind, id) DO UPDATE SET
            parent = excluded.parent, fields = excluded.fields, read_at = excluded.read_at";
    tx.execute(sql, &[&kinds, &ids, &parents, &fields, &times]).await?;
    Ok(())
}

/// Says with the commit that something changed.
async fn count_up(tx: &Tx<'_>) -> Result<(), LedgerError> {
    tx.execute("UPDATE fleet_version SET n = n + 1", &[]).await?;
    tx.stir(Stir::Fleet);
    Ok(())
}

fn read(row: &Row) -> Result<FleetRow, LedgerError> {
    Ok(FleetRow {
        kind: row.try_get(0)?,
        id: row.try_get(1)?,
        parent: row.try_get(2)?,
        fields: row.try_get(3)?,
        read_at: Timestamp::from_millis(row.try_get(4)?),
    })
}

/// What was last read of one kind.
pub(super) async fn list(session: &Session, kind: &str) -> Result<Vec<FleetRow>, LedgerError> {
    let sql = "SELECT kind, id, parent, fields, read_at FROM fleet WHERE kind = $1 ORDER BY id COLLATE \"C\"";
    session.query(sql, &[&kind]).await?.iter().map(read).collect()
}

/// What was last read of one thing.
pub(super) async fn get(session: &Session, kind: &str, id: &str) -> Result<Option<FleetRow>, LedgerError> {
    let sql = "SELECT kind, id, parent, fields, read_at FROM fleet WHERE kind = $1 AND id = $2";
    session.query(sql, &[&kind, &id]).await?.iter().map(read).next().transpose()
}

/// Forgets what was read of one thing.
pub(super) async fn forget(session: &Session, kind: &str, id: &str) -> Result<(), LedgerError> {
    session.execute("DELETE FROM fleet WHERE kind = $1 AND id = $2", &[&kind, &id]).await?;
    Ok(())
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
