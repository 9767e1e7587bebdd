//! What the writer's thread works with: its connection, and what it remembers between errands.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Publish;
use super::hold_cache::HoldCache;
use super::lanes::Lanes;
use super::tally::Tally;
use crate::clock::Timestamp;
use crate::job::{JobKey, NumberId, Source};
use crate::ledger::quota::in_doubt;
use crate::ledger::{Account, LedgerError, Options, QuotaRules};
use crate::outcome::{Reason, State};

/// Sources remembered as known to the file; past that the file is asked.
const SOURCES: usize = 1_024;

/// The writer's desk. One thread has it, so its cells are never borrowed twice.
pub(super) struct Desk {
    pub(super) conn: Connection,
    pub(super) publish: Publish,
    pub(super) quota: QuotaRules,
    pub(super) lanes: Lanes,
    pub(super) tally: Tally,
    pub(super) holds: HoldCache,
    /// The messaging limits of portfolios, as last read.
    pub(super) limits: RefCell<HashMap<String, Option<u64>>>,
    /// Whose each number is, as its last admission said: a settlement may have to find the hold that covers it.
    pub(super) accounts: RefCell<HashMap<NumberId, Arc<Account>>>,
    sources: RefCell<HashSet<Source>>,
    /// How often fields of the fleet had changed when this was last looked at; none: not looked yet.
    pub(super) fleet_turn: Cell<Option<i64>>,
    stirred: Cell<Stirred>,
}

/// What a commit changed that a worker should look at.
#[derive(Clone, Copy, Default)]
pub(super) struct Stirred {
    /// Rows may have become claimable.
    pub(super) work: bool,
    /// Holds changed.
    pub(super) holds: bool,
    /// Fields of the fleet changed.
    pub(super) fleet: bool,
}

/// Where a job stands, as far as its next step must know.
pub(super) struct Standing {
    pub(super) seq: i64,
    pub(super) state: State,
    pub(super) reason: Option<Reason>,
    pub(super) attempt: u32,
    pub(super) charged: u32,
    pub(super) lost: u32,
}

impl Desk {
    pub(super) fn new(conn: Connection, options: Options) -> Self {
        Self {
            conn,
            publish: options.publish,
            quota: options.quota,
            lanes: Lanes::default(),
            tally: Tally::default(),
            holds: HoldCache::default(),
            limits: RefCell::default(),
            accounts: RefCell::default(),
            sources: RefCell::default(),
            fleet_turn: Cell::default(),
            stirred: Cell::default(),
        }
    }

    /// Rows may have become claimable.
    pub(super) fn stir_work(&self) {
        self.stirred.set(Stirred { work: true, ..self.stirred.get() });
    }

    /// Holds changed.
    pub(super) fn stir_holds(&self) {
        self.stirred.set(Stirred { holds: true, ..self.stirred.get() });
    }

    /// Fields of the fleet changed.
    pub(super) fn stir_fleet(&self) {
        self.stirred.set(Stirred { fleet: true, ..self.stirred.get() });
    }

    /// What was stirred since the last time.
    pub(super) fn take_stirred(&self) -> Stirred {
        self.stirred.take()
    }

    /// Forgets what may have been learnt from something undone.
    pub(super) fn forget(&self) {
        self.tally.forget();
        self.lanes.forget();
        self.holds.forget();
        self.limits.borrow_mut().clear();
        self.sources.borrow_mut().clear();
    }

    /// Where the job of a key stands; none if its row cannot be read: one such row must not stop the others.
    pub(super) fn find(&self, key: JobKey) -> Result<Option<Standing>, LedgerError> {
        Ok(self
            .conn
            .prepare_cached("SELECT seq, state, reason, attempt, charged, lost FROM jobs WHERE key = ?1")?
            .query_row([key.as_bytes()], |row| Ok(readable(Standing::read(row), row)))
            .optional()?
            .flatten())
    }

    /// Where the job of a row stands; none if the row cannot be read: one such row must not stop the others.
    pub(super) fn find_readable(&self, seq: i64) -> Result<Option<Standing>, LedgerError> {
        Ok(self
            .conn
            .prepare_cached("SELECT seq, state, reason, attempt, charged, lost FROM jobs WHERE seq = ?1")?
            .query_row([seq], |row| Ok(readable(Standing::read(row), row)))?)
    }

    /// Where the job of a row stands.
    pub(super) fn find_row(&self, seq: i64) -> Result<Standing, LedgerError> {
        self.conn
            .prepare_cached("SELECT seq, state, reason, attempt, charged, lost FROM jobs WHERE seq = ?1")?
            .query_row([seq], |row| Ok(Standing::read(row)))?
    }

    /// Makes a source known, so that its jobs are found by their id alone.
    pub(super) fn know_source(&self, source: Option<&Source>) -> Result<(), LedgerError> {
        let Some(source) = source.filter(|source| !self.sources.borrow().contains(*source)) else {
            return Ok(());
        };
        self.conn
            .prepare_cached("INSERT INTO sources (name) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute(params![source.as_str()])?;
        let mut sources = self.sources.borrow_mut();
        if sources.len() < SOURCES {
            sources.insert(source.clone());
        }
        Ok(())
    }
}

impl Standing {
    /// How many attempts have no outcome, but for the last one: it has one now.
    pub(super) fn in_doubt(&self) -> u32 {
        in_doubt(self.state, self.lost)
    }

    fn read(row: &Row<'_>) -> Result<Self, LedgerError> {
        Ok(Self {
            seq: row.get(0)?,
            state: word(row, 1)?,
            reason: known_word(row, 2)?,
            attempt: row.get(3)?,
            charged: row.get(4)?,
            lost: row.get(5)?,
        })
    }
}

/// A word of a closed set.
pub(super) fn word<Word>(row: &Row<'_>, column: usize) -> Result<Word, LedgerError>
where
    Word: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = row.get_ref(column)?.as_str().map_err(damaged)?;
    text.parse().map_err(damaged)
}

/// A word of a closed set; none also for one that a later version wrote.
pub(super) fn known_word<Word: std::str::FromStr>(row: &Row<'_>, column: usize) -> Result<Option<Word>, LedgerError> {
    Ok(row.get_ref(column)?.as_str_or_null().map_err(damaged)?.and_then(|text| text.parse().ok()))
}

/// What a job's row says, if it can be read; if not, that is said in the log. The row begins with its number.
pub(super) fn readable<Found>(found: Result<Found, LedgerError>, row: &Row<'_>) -> Option<Found> {
    found
        .inspect_err(|error| {
            let seq = row.get::<_, i64>(0).unwrap_or_default();
            tracing::error!(seq, %error, "a job's row cannot be read and is left as it is");
        })
        .ok()
}

/// A word of a closed set, or none.
pub(super) fn maybe_word<Word>(row: &Row<'_>, column: usize) -> Result<Option<Word>, LedgerError>
where
    Word: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = row.get_ref(column)?.as_str_or_null().map_err(damaged)?;
    text.filter(|text| !text.is_empty()).map(|text| text.parse().map_err(damaged)).transpose()
}

/// A moment, or none.
pub(super) fn time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, LedgerError> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

/// A row does not read as what it must be.
pub(super) fn damaged(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Damaged(error.to_string())
}
