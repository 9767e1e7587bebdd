//! The holds that every admission must pass, remembered until one changes, here or in another process.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, Row};

use super::desk::{known_word, maybe_word, word};
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
    known: RefCell<Known>,
    is_fresh: Cell<bool>,
    /// Rows given out to try holds, until that comes to something.
    trials: RefCell<HashMap<HoldId, Trial>>,
}

/// One row went out to try a hold.
struct Trial {
    /// The hold's end at the time: a hold that was placed again may be tried again.
    until: Option<Timestamp>,
    given_at: Timestamp,
}

/// A trial of which nothing has come in this time is given to another row.
const TRIAL_TIME: Duration = Duration::from_secs(15);

#[derive(Default)]
pub(super) struct Known {
    /// By what they cover.
    pub(super) set: HoldSet,
    /// The same, in order.
    pub(super) all: Vec<Hold>,
    /// Whether any is lifted, but with rows still parked under it.
    pub(super) has_lifted: bool,
    /// Whether any recipient is held.
    pub(super) has_recipients: bool,
    /// Whether any of them was forgotten, so that the hold goes by a hash.
    pub(super) has_hidden: bool,
}

impl HoldCache {
    /// What stands, read again if it may have changed.
    pub(super) fn known(&self, conn: &Connection) -> Result<Ref<'_, Known>, LedgerError> {
        if !self.is_fresh.get() {
            *self.known.borrow_mut() = Known::read(conn)?;
            self.is_fresh.set(true);
        }
        Ok(self.known.borrow())
    }

    /// Another process may have changed holds: reads them and says whether they are others now.
    pub(super) fn reread(&self, conn: &Connection) -> Result<bool, LedgerError> {
        let now = Known::read(conn)?;
        let changed = now.all != self.known.borrow().all;
        *self.known.borrow_mut() = now;
        self.is_fresh.set(true);
        Ok(changed)
    }

    /// Of these holds, those that one row shall try now.
    pub(super) fn untried(&self, holds: &[Hold], now: Timestamp) -> Vec<HoldId> {
        let mut trials = self.trials.borrow_mut();
        trials.retain(|id, trial| {
            let stands = holds.iter().any(|hold| hold.id == *id && hold.until == trial.until);
            stands && trial.given_at + TRIAL_TIME > now
        });
        let is_due = |hold: &&Hold| hold.probe && hold.until.is_some_and(|until| until <= now);
        holds.iter().filter(is_due).map(|hold| hold.id).filter(|id| !trials.contains_key(id)).collect()
    }

    /// A row went out to try this hold.
    pub(super) fn note_trial(&self, hold: HoldId, now: Timestamp) {
        let until = self.known.borrow().all.iter().find(|known| known.id == hold).and_then(|known| known.until);
        self.trials.borrow_mut().insert(hold, Trial { until, given_at: now });
    }

    /// A recipient's hold was placed: the next look reads again, unless it would find nothing new.
    pub(super) fn note_recipient(&self) {
        if !self.known.borrow().has_recipients {
            self.forget();
        }
    }

    /// The next look reads again.
    pub(super) fn forget(&self) {
        self.is_fresh.set(false);
    }
}

impl Known {
    fn read(conn: &Connection) -> Result<Self, LedgerError> {
        let all = read(conn, &format!("SELECT {COLUMNS} FROM holds WHERE scope <> 'recipient' AND lifted = 0"), [])?;
        let has_lifted = conn.prepare_cached("SELECT 1 FROM holds WHERE lifted = 1 LIMIT 1")?.exists([])?;
        let has_recipients =
            conn.prepare_cached("SELECT 1 FROM holds WHERE scope = 'recipient' AND lifted = 0 LIMIT 1")?.exists([])?;
        let has_hidden = conn
            .prepare_cached(
                "SELECT 1 FROM holds
                 WHERE scope = 'recipient' AND subject >= 'erased:' AND subject < 'erased;' AND lifted = 0 LIMIT 1",
            )?
            .exists([])?;
        Ok(Self { set: HoldSet::new(all.iter().cloned()), all, has_lifted, has_recipients, has_hidden })
    }
}

/// The holds that a query of [`COLUMNS`] finds.
pub(super) fn read(conn: &Connection, query: &str, values: impl rusqlite::Params) -> Result<Vec<Hold>, LedgerError> {
    let mut find = conn.prepare_cached(query)?;
    let mut rows = find.query(values)?;
    let mut holds = Vec::new();
    while let Some(row) = rows.next()? {
        holds.push(hold(row, 0)?);
    }
    Ok(holds)
}

/// A hold whose columns begin at `first`.
pub(super) fn hold(row: &Row<'_>, first: usize) -> Result<Hold, LedgerError> {
    let country: String = row.get(first + 4)?;
    Ok(Hold {
        id: HoldId(row.get(first)?),
        cover: Cover {
            scope: word(row, first + 1)?,
            subject: row.get(first + 2)?,
            category: maybe_word(row, first + 3)?,
            country: Some(country).filter(|code| !code.is_empty()),
        },
        effect: known_word(row, first + 5)?.unwrap_or(Effect::Wait),
        reason: known_word(row, first + 6)?.unwrap_or(Reason::Held),
        who: row.get(first + 7)?,
        since: Timestamp::from_millis(row.get(first + 8)?),
        until: row.get::<_, Option<i64>>(first + 9)?.map(Timestamp::from_millis),
        probe: row.get(first + 10)?,
        step: row.get(first + 11)?,
    })
}
