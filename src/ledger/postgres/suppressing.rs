//! Holds of recipients by the thousand: placed, lifted and listed as sets.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::desk::{Session, Stir, Tx};
use super::hold_cache::{self, COLUMNS};
use super::holds::{self, RULES};
use crate::clock::Timestamp;
use crate::hold::{Cover, Effect, Hold, HoldId, HoldOrder, Scope};
use crate::job::Category;
use crate::ledger::LedgerError;
use crate::outcome::Reason;

/// A transaction places or lifts so many at most.
pub(super) const BATCH: usize = 2_000;

/// The columns that make a cover.
struct Covers<'a> {
    scopes: Vec<&'static str>,
    subjects: Vec<&'a str>,
    categories: Vec<&'static str>,
    countries: Vec<&'a str>,
}

impl<'a> Covers<'a> {
    fn of(covers: impl Iterator<Item = &'a Cover> + Clone) -> Self {
        Self {
            scopes: covers.clone().map(|cover| cover.scope.as_str()).collect(),
            subjects: covers.clone().map(|cover| cover.subject.as_str()).collect(),
            categories: covers.clone().map(|cover| cover.category.map_or("", Category::as_str)).collect(),
            countries: covers.map(|cover| cover.country.as_deref().unwrap_or("")).collect(),
        }
    }
}

/// Places holds, and says how many did not stand before.
pub(super) async fn place_many(tx: &Tx<'_>, orders: &[HoldOrder], now: Timestamp) -> Result<u32, LedgerError> {
    let mut has_erased = false;
    for is_recipients in [false, true] {
        let mut scopes = orders.iter().map(|order| order.cover.scope);
        if let Some(scope) = scopes.find(|scope| (*scope == Scope::Recipient) == is_recipients) {
            has_erased |= holds::announce(tx, scope).await?;
        }
    }
    let orders = if has_erased { Cow::Owned(with_hidden(tx, orders).await?) } else { Cow::Borrowed(orders) };
    let mut placed = 0;
    let mut rest: Vec<&HoldOrder> = orders.iter().collect();
    // A statement changes a row once: who comes second finds what the first left.
    while !rest.is_empty() {
        let mut round: BTreeMap<&Cover, &HoldOrder> = BTreeMap::new();
        rest.retain(|order| {
            let is_later = round.contains_key(&order.cover);
            round.entry(&order.cover).or_insert(order);
            is_later
        });
        placed += place_each_once(tx, &round.into_values().collect::<Vec<_>>(), now).await?;
    }
    tx.stir(Stir::Holds);
    Ok(placed)
}

/// The same orders; those of people who were forgotten go to the holds that stand.
async fn with_hidden(tx: &Tx<'_>, orders: &[HoldOrder]) -> Result<Vec<HoldOrder>, LedgerError> {
    let mut hidden = HashMap::new();
    for order in orders {
        if let Some(cover) = tx.desk.keyring.cover(tx, &order.cover).await? {
            hidden.insert(&order.cover, cover);
        }
    }
    let Covers { scopes, subjects, categories, countries } = Covers::of(hidden.values());
    let sql = "SELECT h.scope, h.subject, h.category, h.country
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS a (scope, subject, category, country)
        CROSS JOIN LATERAL (SELECT * FROM holds f WHERE f.scope = a.scope AND f.subject = a.subject
            AND f.category = a.category AND f.country = a.country AND NOT f.lifted OFFSET 0) h";
    let mut standing = HashSet::new();
    for row in tx.query(sql, &[&scopes, &subjects, &categories, &countries]).await? {
        standing.insert(hold_cache::cover(&row, 0)?);
    }
    let cover = |order: &HoldOrder| hidden.get(&order.cover).filter(|cover| standing.contains(*cover)).cloned();
    let order =
        |order: &HoldOrder| HoldOrder { cover: cover(order).unwrap_or_else(|| order.cover.clone()), ..order.clone() };
    Ok(orders.iter().map(order).collect())
}

async fn place_each_once(tx: &Tx<'_>, orders: &[&HoldOrder], now: Timestamp) -> Result<u32, LedgerError> {
    let Covers { scopes, subjects, categories, countries } = Covers::of(orders.iter().map(|order| &order.cover));
    let effects: Vec<&str> = orders.iter().map(|order| Effect::as_str(order.effect)).collect();
    let reasons: Vec<&str> = orders.iter().map(|order| Reason::as_str(order.reason)).collect();
    let names: Vec<&str> = orders.iter().map(|order| order.who.as_str()).collect();
    let ends: Vec<Option<i64>> = orders.iter().map(|order| order.until.map(Timestamp::as_millis)).collect();
    let probes: Vec<bool> = orders.iter().map(|order| order.probe).collect();
    let sql = format!(
        "WITH placed AS (
            INSERT INTO holds AS h (scope, subject, category, country, effect, reason, who, since, until, probe, step)
            SELECT a.scope, a.subject, a.category, a.country, a.effect, a.reason, a.who, $10, a.until, a.probe, 1
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::bigint[], $9::boolean[])
                AS a (scope, subject, category, country, effect, reason, who, until, probe)
            {}
            RETURNING h.step
        )
        SELECT count(*) FROM placed WHERE step = 1",
        *RULES
    );
    let values: super::desk::Values<'_> =
        &[&scopes, &subjects, &categories, &countries, &effects, &reasons, &names, &ends, &probes, &now.as_millis()];
    let placed: i64 = tx.query_one(&sql, values).await?.try_get(0)?;
    Ok(u32::try_from(placed).unwrap_or(u32::MAX))
}

/// Lifts those of the holds with these covers that stand for one of the reasons, and says how many.
pub(super) async fn lift_covers(
    tx: &Tx<'_>,
    covers: &[Cover],
    only: &[Reason],
    said: Option<Timestamp>,
) -> Result<u32, LedgerError> {
    if covers.is_empty() || only.is_empty() {
        return Ok(0);
    }
    let mut hidden = Vec::new();
    if holds::count_up(tx).await? {
        for cover in covers {
            hidden.extend(tx.desk.keyring.cover(tx, cover).await?);
        }
    }
    let Covers { scopes, subjects, categories, countries } = Covers::of(covers.iter().chain(&hidden));
    let only: Vec<&str> = only.iter().map(|reason| reason.as_str()).collect();
    let sql = "UPDATE holds SET lifted = true WHERE id = ANY (ARRAY(
            SELECT h.id FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                AS a (scope, subject, category, country)
            CROSS JOIN LATERAL (SELECT f.id, f.reason, f.lifted, f.since FROM holds f
                WHERE f.scope = a.scope AND f.subject = a.subject AND f.category = a.category
                    AND f.country = a.country OFFSET 0) h
            WHERE NOT h.lifted AND h.reason = ANY ($5::text[]) AND ($6::bigint IS NULL OR h.since <= $6)))
        RETURNING id";
    let rows =
        tx.query(sql, &[&scopes, &subjects, &categories, &countries, &only, &said.map(Timestamp::as_millis)]).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    let sql = "DELETE FROM holds h WHERE h.id = ANY ($1::bigint[]) AND h.lifted
        AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.held = h.id AND w.held > 0)";
    tx.execute(sql, &[&ids]).await?;
    tx.stir(Stir::Holds);
    tx.stir(Stir::Work);
    Ok(u32::try_from(ids.len()).unwrap_or(u32::MAX))
}

/// The recipients' holds behind one, in order.
pub(super) async fn recipient_holds(session: &Session, after: HoldId, limit: u32) -> Result<Vec<Hold>, LedgerError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM holds WHERE scope = 'recipient' AND NOT lifted AND id > $1 ORDER BY id LIMIT $2"
    );
    hold_cache::read(session, &sql, &[&after.0, &i64::from(limit)]).await
}
