//! The holds that every admission must pass, remembered together with the version that says whether they still hold.

use std::sync::{Arc, Mutex};

use tokio_postgres::Row;

use super::desk::{Session, Values};
use super::words::{known_word, maybe_word, word};
use crate::clock::Timestamp;
use crate::hold::{Cover, Effect, Hold, HoldId, HoldSet};
use crate::ledger::LedgerError;
use crate::outcome::Reason;

/// The columns of a hold, for [`hold`] to read.
pub(super) const COLUMNS: &str =
    "id, scope, subject, category, country, effect, reason, who, since, until, probe, step";

/// All holds but the recipients', and whether there are any of those.
#[derive(Default)]
pub(super) struct HoldCache {
    known: Mutex<Option<Arc<Known>>>,
}

/// What stood at one moment.
pub(super) struct Known {
    /// Of the table `hold_version`, read before the holds: what is read after it is at least as new.
    pub(super) version: i64,
    /// Whether any recipient was ever held.
    pub(super) has_recipients: bool,
    /// Whether holds stand of recipients who were forgotten.
    pub(super) has_erased: bool,
    /// By what they cover.
    pub(super) set: HoldSet,
    /// The same, in order.
    pub(super) all: Vec<Hold>,
    /// Whether any is lifted, but with rows still parked under it.
    pub(super) has_lifted: bool,
}

impl HoldCache {
    /// What was read last, if that is remembered.
    pub(super) fn remembered(&self) -> Option<Arc<Known>> {
        self.known.lock().expect("nobody panics while looking").clone()
    }

    /// What stands now: read again if the version has changed.
    pub(super) async fn known(&self, session: &Session) -> Result<Arc<Known>, LedgerError> {
        if let Some(known) = self.remembered() {
            let now: i64 = session.query_one("SELECT general FROM hold_version", &[]).await?.try_get(0)?;
            if now == known.version {
                return Ok(known);
            }
        }
        self.read(session).await
    }

    /// Reads what stands now. In a transaction that changed holds itself this must not be remembered by others: such a
    /// transaction counted the version up, and nobody finds that version in the database if it is undone.
    pub(super) async fn read(&self, session: &Session) -> Result<Arc<Known>, LedgerError> {
        let row = session.query_one("SELECT general, recipients, erased FROM hold_version", &[]).await?;
        let general = format!("SELECT {COLUMNS} FROM holds WHERE scope <> 'recipient' AND NOT lifted ORDER BY id");
        let all = read(session, &general, &[]).await?;
        let has_lifted = session.query_one("SELECT EXISTS (SELECT 1 FROM holds WHERE lifted)", &[]).await?;
        let known = Arc::new(Known {
            version: row.try_get(0)?,
            has_recipients: row.try_get(1)?,
            has_erased: row.try_get(2)?,
            set: HoldSet::new(all.iter().cloned()),
            all,
            has_lifted: has_lifted.try_get(0)?,
        });
        *self.known.lock().expect("nobody panics while looking") = Some(known.clone());
        Ok(known)
    }

    /// The next look reads again.
    pub(super) fn forget(&self) {
        *self.known.lock().expect("nobody panics while looking") = None;
    }
}

/// The holds that a query of [`COLUMNS`] finds.
pub(super) async fn read(session: &Session, query: &str, values: Values<'_>) -> Result<Vec<Hold>, LedgerError> {
    session.query(query, values).await?.iter().map(|row| hold(row, 0)).collect()
}

/// A hold whose columns begin at `first`.
pub(super) fn hold(row: &Row, first: usize) -> Result<Hold, LedgerError> {
    Ok(Hold {
        id: HoldId(row.try_get(first)?),
        cover: cover(row, first + 1)?,
        effect: known_word(row, first + 5)?.unwrap_or(Effect::Wait),
        reason: known_word(row, first + 6)?.unwrap_or(Reason::Held),
        who: row.try_get(first + 7)?,
        since: Timestamp::from_millis(row.try_get(first + 8)?),
        until: row.try_get::<_, Option<i64>>(first + 9)?.map(Timestamp::from_millis),
        probe: row.try_get(first + 10)?,
        step: u32::try_from(row.try_get::<_, i32>(first + 11)?).unwrap_or(0),
    })
}

/// A cover whose columns begin at `first`.
pub(super) fn cover(row: &Row, first: usize) -> Result<Cover, LedgerError> {
    let country: &str = row.try_get(first + 3)?;
    Ok(Cover {
        scope: word(row, first)?,
        subject: row.try_get(first + 1)?,
        category: maybe_word(row, first + 2)?,
        country: Some(country.to_owned()).filter(|code| !code.is_empty()),
    })
}
