//! Placing, lifting and trying holds. Whoever changes one first locks the version that all workers look at, so that
//! two changes never wait for each other in a ring.

use std::sync::LazyLock;

use super::desk::{Session, Stir, Tx};
use super::hold_cache::{self, COLUMNS, hold};
use crate::clock::Timestamp;
use crate::hold::{Cover, Hold, HoldId, HoldOrder, Scope};
use crate::job::Category;
use crate::ledger::LedgerError;

/// Whether the new order lasts at least as long as the hold that stands; no `until` is the longest. A lifted hold
/// that still has rows to let out begins anew.
const LASTS: &str = "h.lifted OR excluded.until IS NULL OR h.until IS NOT NULL AND excluded.until >= h.until";

/// What becomes of a hold `h` that is placed again.
pub(super) static RULES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "ON CONFLICT (scope, subject, category, country) DO UPDATE SET
             effect = CASE WHEN {LASTS} THEN excluded.effect ELSE h.effect END,
             reason = CASE WHEN {LASTS} THEN excluded.reason ELSE h.reason END,
             who = CASE WHEN {LASTS} THEN excluded.who ELSE h.who END,
             probe = CASE WHEN {LASTS} THEN excluded.probe ELSE h.probe END,
             until = CASE WHEN {LASTS} THEN excluded.until ELSE h.until END,
             since = CASE WHEN h.lifted THEN excluded.since ELSE h.since END,
             step = CASE WHEN h.lifted THEN 1 ELSE h.step + 1 END,
             lifted = false"
    )
});

/// Places a hold; the same cover has one hold, and the later `until` rules.
pub(super) async fn place(tx: &Tx<'_>, order: &HoldOrder, now: Timestamp) -> Result<Hold, LedgerError> {
    let hidden = if announce(tx, order.cover.scope).await? { hidden(tx, &order.cover).await? } else { None };
    let cover = hidden.as_ref().unwrap_or(&order.cover);
    let category = cover.category.map_or("", Category::as_str);
    let country = cover.country.as_deref().unwrap_or("");
    let query = format!(
        "INSERT INTO holds AS h (scope, subject, category, country, effect, reason, who, since, until, probe, step)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)
         {}
         RETURNING {COLUMNS}",
        *RULES
    );
    let row = tx
        .query_one(
            &query,
            &[
                &cover.scope.as_str(),
                &cover.subject,
                &category,
                &country,
                &order.effect.as_str(),
                &order.reason.as_str(),
                &order.who,
                &now.as_millis(),
                &order.until.map(Timestamp::as_millis),
                &order.probe,
            ],
        )
        .await?;
    tx.stir(Stir::Holds);
    hold(&row, 0)
}

/// Says with the commit that what workers remember of holds is out of date. A recipient's holds are looked up: of
/// these it is enough to know that there are any. True if holds may stand of people who were forgotten.
pub(super) async fn announce(tx: &Tx<'_>, scope: Scope) -> Result<bool, LedgerError> {
    let sql = "UPDATE hold_version SET recipients = recipients OR $1,
        general = CASE WHEN $1 AND recipients THEN general ELSE nextval('hold_versions') END
        RETURNING erased";
    Ok(tx.query_one(sql, &[&(scope == Scope::Recipient)]).await?.try_get(0)?)
}

/// The cover under which this one's hold stands, if it is one of a person who was forgotten.
pub(super) async fn hidden(tx: &Tx<'_>, cover: &Cover) -> Result<Option<Cover>, LedgerError> {
    let Some(cover) = tx.desk.keyring.cover(tx, cover).await? else { return Ok(None) };
    let category = cover.category.map_or("", Category::as_str);
    let country = cover.country.as_deref().unwrap_or("");
    let sql = "SELECT 1 FROM holds WHERE scope = 'recipient' AND subject = $1 AND category = $2 AND country = $3
        AND NOT lifted";
    Ok(tx.query_opt(sql, &[&cover.subject, &category, &country]).await?.map(|_| cover))
}

/// Says the same whatever it is that changed.
pub(super) async fn count_up(tx: &Tx<'_>) -> Result<bool, LedgerError> {
    let sql = "UPDATE hold_version SET general = nextval('hold_versions') RETURNING erased";
    Ok(tx.query_one(sql, &[]).await?.try_get(0)?)
}

/// Lifts a hold that stands.
pub(super) async fn lift(tx: &Tx<'_>, hold: HoldId) -> Result<bool, LedgerError> {
    count_up(tx).await?;
    let lifted = tx.execute("UPDATE holds SET lifted = true WHERE id = $1 AND NOT lifted", &[&hold.0]).await? > 0;
    if lifted {
        drop_if_empty(tx, hold).await?;
        tx.stir(Stir::Holds);
        tx.stir(Stir::Work);
    }
    Ok(lifted)
}

/// Lifts a hold that one job tried and came through; a hold that nobody was to try is another's affair.
pub(super) async fn lift_tried(tx: &Tx<'_>, hold: HoldId) -> Result<(), LedgerError> {
    let sql = "SELECT 1 FROM holds WHERE id = $1 AND probe AND NOT lifted";
    if tx.query_opt(sql, &[&hold.0]).await?.is_some() {
        // A person who placed it again meanwhile wants it to stay.
        count_up(tx).await?;
        if tx.query_opt(sql, &[&hold.0]).await?.is_some() {
            lift(tx, hold).await?;
        }
    }
    Ok(())
}

/// Forgets a lifted hold under which nothing is parked any more.
pub(super) async fn drop_if_empty(tx: &Tx<'_>, hold: HoldId) -> Result<(), LedgerError> {
    let sql = "DELETE FROM holds WHERE id = $1 AND lifted
        AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.held = $1 AND w.held > 0)";
    tx.execute(sql, &[&hold.0]).await?;
    Ok(())
}

/// Forgets lifted holds under which nothing is parked any more, at most so many.
pub(super) async fn drop_empty(session: &Session, limit: u32) -> Result<(), LedgerError> {
    let sql = "DELETE FROM holds WHERE lifted AND id = ANY (ARRAY(SELECT h.id FROM holds h WHERE h.lifted
        AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.held = h.id AND w.held > 0) LIMIT $1))";
    session.execute(sql, &[&i64::from(limit)]).await?;
    Ok(())
}

/// Every hold but the recipients', as it stands now.
pub(super) async fn general(session: &Session) -> Result<Vec<Hold>, LedgerError> {
    let query = format!("SELECT {COLUMNS} FROM holds WHERE scope <> 'recipient' AND NOT lifted ORDER BY id");
    hold_cache::read(session, &query, &[]).await
}

/// Holds, recipients' too, the newest first.
pub(super) async fn list(session: &Session, limit: u32) -> Result<Vec<Hold>, LedgerError> {
    let query = format!("SELECT {COLUMNS} FROM holds WHERE NOT lifted ORDER BY id DESC LIMIT $1");
    hold_cache::read(session, &query, &[&i64::from(limit)]).await
}
