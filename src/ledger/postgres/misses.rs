//! Recipients who are not found on WhatsApp: three times in a row, and they are left alone for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::desk::Tx;
use super::holds;
use crate::clock::Timestamp;
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::ledger::{Heard, LedgerError};
use crate::outcome::Reason;

/// Meta's code for who cannot be reached.
pub(super) const UNDELIVERABLE: u32 = 131_026;
/// So many in a row are enough.
const ENOUGH: i32 = 3;
/// How long nobody writes to them then.
const REST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Whether somebody was reached.
pub(super) struct Missed {
    pub(super) recipient: String,
    pub(super) was_reached: bool,
}

impl Missed {
    /// What a status that moved its job says of the recipient.
    pub(super) fn of(recipient: &str, heard: &Heard) -> Option<Self> {
        let was_reached = match heard {
            Heard::Delivered | Heard::Read => true,
            Heard::Failed(failure) if failure.code == Some(UNDELIVERABLE) => false,
            Heard::Failed(_) | Heard::Sent => return None,
        };
        // Of a person who was forgotten nothing is counted.
        (!recipient.is_empty()).then(|| Self { recipient: recipient.to_owned(), was_reached })
    }
}

/// Counts misses, in order; who was reached begins anew. Says for how many it was enough.
pub(super) async fn count(tx: &Tx<'_>, missed: &[Missed], now: Timestamp) -> Result<u32, LedgerError> {
    let (mut reached, mut misses) = (BTreeSet::new(), BTreeMap::<&str, i32>::new());
    for Missed { recipient, was_reached } in missed {
        if *was_reached {
            reached.insert(recipient.as_str());
            misses.remove(recipient.as_str());
        } else {
            *misses.entry(recipient).or_default() += 1;
        }
    }
    forget(tx, &reached.into_iter().collect::<Vec<_>>()).await?;
    if misses.is_empty() {
        return Ok(0);
    }
    let (recipients, ns): (Vec<&str>, Vec<i32>) = misses.into_iter().unzip();
    let sql = "INSERT INTO misses AS m (recipient, n) SELECT * FROM unnest($1::text[], $2::int[])
        ON CONFLICT (recipient) DO UPDATE SET n = m.n + excluded.n RETURNING recipient, n";
    let mut enough = Vec::new();
    for row in tx.query(sql, &[&recipients, &ns]).await? {
        if row.try_get::<_, i32>(1)? >= ENOUGH {
            enough.push(row.try_get::<_, String>(0)?);
        }
    }
    forget(tx, &enough.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    for recipient in &enough {
        let order = HoldOrder {
            cover: Cover::of(Scope::Recipient, recipient),
            effect: Effect::End,
            reason: Reason::NotOnWhatsapp,
            who: format!("{UNDELIVERABLE} three times"),
            until: Some(now + REST),
            probe: false,
        };
        holds::place(tx, &order, now).await?;
    }
    Ok(u32::try_from(enough.len()).unwrap_or(u32::MAX))
}

async fn forget(tx: &Tx<'_>, recipients: &[&str]) -> Result<(), LedgerError> {
    if recipients.is_empty() {
        return Ok(());
    }
    // There are few misses, if any: most who are reached were never missed.
    let sql = "DELETE FROM misses WHERE recipient = ANY (ARRAY(
        SELECT recipient FROM misses WHERE recipient = ANY ($1::text[]) ORDER BY recipient FOR UPDATE))";
    tx.execute(sql, &[&recipients]).await?;
    Ok(())
}
