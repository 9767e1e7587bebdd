//! Until when recipients may be answered freely, and what is known of each number's webhooks.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::desk::{Session, Tx};
use super::words::word;
use crate::clock::Timestamp;
use crate::ledger::{LedgerError, WINDOW, WindowNews};

/// What is known of one number's webhooks.
#[derive(Clone, Copy, Default)]
struct Heard {
    inbound_since: Option<i64>,
    accepted_at: Option<i64>,
}

/// Notes which windows were opened, and what came of which numbers.
pub(super) async fn note(
    tx: &Tx<'_>,
    opened: &[WindowNews],
    accepted: &BTreeMap<String, Timestamp>,
) -> Result<(), LedgerError> {
    open(tx, opened).await?;
    let mut heard: BTreeMap<&str, Heard> = BTreeMap::new();
    for news in opened {
        let since = news.until.as_millis() - i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
        let known = &mut heard.entry(news.number.as_str()).or_default().inbound_since;
        *known = Some(known.map_or(since, |known| known.min(since)));
    }
    for (number, at) in accepted {
        heard.entry(number).or_default().accepted_at = Some(at.as_millis());
    }
    if heard.is_empty() {
        return Ok(());
    }
    let numbers: Vec<&str> = heard.keys().copied().collect();
    let since: Vec<Option<i64>> = heard.values().map(|heard| heard.inbound_since).collect();
    let accepted: Vec<Option<i64>> = heard.values().map(|heard| heard.accepted_at).collect();
    // Neither `least` nor `greatest` looks at what is not known.
    let sql = "INSERT INTO heard AS h (number, inbound_since, accepted_at)
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
        ON CONFLICT (number) DO UPDATE SET inbound_since = least(h.inbound_since, excluded.inbound_since),
            accepted_at = greatest(h.accepted_at, excluded.accepted_at)
        WHERE (h.inbound_since, h.accepted_at) IS DISTINCT FROM
            (least(h.inbound_since, excluded.inbound_since), greatest(h.accepted_at, excluded.accepted_at))";
    tx.execute(sql, &[&numbers, &since, &accepted]).await?;
    Ok(())
}

async fn open(tx: &Tx<'_>, opened: &[WindowNews]) -> Result<(), LedgerError> {
    let mut latest: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for news in opened {
        let until = latest.entry((&news.recipient, news.number.as_str())).or_insert(i64::MIN);
        *until = news.until.as_millis().max(*until);
    }
    if latest.is_empty() {
        return Ok(());
    }
    let recipients: Vec<&str> = latest.keys().map(|(recipient, _)| *recipient).collect();
    let numbers: Vec<&str> = latest.keys().map(|(_, number)| *number).collect();
    let ends: Vec<i64> = latest.values().copied().collect();
    let sql = "INSERT INTO windows AS w (recipient, number, until)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
        ON CONFLICT (recipient, number) DO UPDATE SET until = excluded.until WHERE w.until < excluded.until";
    tx.execute(sql, &[&recipients, &numbers, &ends]).await?;
    Ok(())
}

/// The windows of a recipient that are open at a moment.
pub(super) async fn of_recipient(
    session: &Session,
    recipient: &str,
    now: Timestamp,
) -> Result<Vec<WindowNews>, LedgerError> {
    let window = |row: &Row| {
        let until = Timestamp::from_millis(row.try_get(1)?);
        Ok(WindowNews { number: word(row, 0)?, recipient: recipient.to_owned(), until })
    };
    let sql = "SELECT number, until FROM windows WHERE recipient = $1 AND until > $2 ORDER BY number COLLATE \"C\"";
    session.query(sql, &[&recipient, &now.as_millis()]).await?.iter().map(window).collect()
}

/// Forgets windows that closed long ago, a few at a time.
pub(super) async fn trim(session: &Session, closed_before: Timestamp, limit: u32) -> Result<(), LedgerError> {
    let sql = "DELETE FROM windows WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM windows WHERE until < $1 ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED))";
    session.execute(sql, &[&closed_before.as_millis(), &i64::from(limit)]).await?;
    Ok(())
}
