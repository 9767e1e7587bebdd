//! How many people each portfolio may begin to write to, remembered for as long as nothing of the fleet changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::super::desk::{Desk, Session, Stir, Tx};
use crate::hold::Scope;
use crate::ledger::{LedgerError, MessagingLimit, PORTFOLIO, QuotaRules};

/// The limits, and when they were read.
#[derive(Default)]
pub(in crate::ledger::postgres) struct Limits {
    known: Mutex<Option<Arc<Known>>>,
}

/// What stood at one moment.
pub(in crate::ledger::postgres) struct Known {
    /// Of the fleet's signals, seen before the limits were read.
    turn: u64,
    /// Of portfolios of which nothing is said.
    others: Option<u64>,
    said: HashMap<String, Option<u64>>,
    /// Whether anything counts, or did.
    is_counting: bool,
}

impl Known {
    /// The limit of a portfolio; none: it has none.
    pub(in crate::ledger::postgres) fn of(&self, portfolio: &str) -> Option<u64> {
        self.said.get(portfolio).copied().unwrap_or(self.others)
    }

    /// Whether anybody has a place, or may have.
    pub(in crate::ledger::postgres) const fn is_counting(&self) -> bool {
        self.is_counting
    }

    /// Whether any portfolio has a limit.
    pub(in crate::ledger::postgres) fn has_any(&self) -> bool {
        self.others.is_some() || self.said.values().any(Option::is_some)
    }
}

impl Limits {
    fn remembered(&self, turn: u64) -> Option<Arc<Known>> {
        let known = self.known.lock().expect("nobody panics while looking").clone();
        known.filter(|known| known.turn == turn)
    }

    /// What stands now, as far as this process has heard.
    pub(super) async fn known(&self, desk: &Desk, session: &Session) -> Result<Arc<Known>, LedgerError> {
        let turn = desk.signals.borrow().fleet;
        match self.remembered(turn) {
            Some(known) => Ok(known),
            None => self.read(desk, session, turn).await,
        }
    }

    async fn read(&self, desk: &Desk, session: &Session, turn: u64) -> Result<Arc<Known>, LedgerError> {
        let sql = "SELECT id, fields FROM fleet WHERE kind = $1";
        let mut said = HashMap::new();
        for row in session.query(sql, &[&PORTFOLIO]).await? {
            said.insert(row.try_get(0)?, of(row.try_get(1)?, &desk.quota));
        }
        let mut known = Known { turn, others: desk.quota.limit, said, is_counting: false };
        let has_counted = session.query_one("SELECT EXISTS (SELECT 1 FROM seen)", &[]).await?;
        known.is_counting = known.has_any() || has_counted.try_get(0)?;
        let known = Arc::new(known);
        *self.known.lock().expect("nobody panics while looking") = Some(known.clone());
        Ok(known)
    }
}

impl Desk {
    /// The limits as this process knows them.
    pub(in crate::ledger::postgres) async fn remembered_limits(&self) -> Result<Arc<Known>, LedgerError> {
        if let Some(known) = self.limits.remembered(self.signals.borrow().fleet) {
            return Ok(known);
        }
        let session = self.session().await?;
        session.in_time(self.limits.known(self, &session)).await
    }
}

/// What a portfolio's row says, or the rules where it says nothing.
pub(super) fn of(fields: Option<&str>, rules: &QuotaRules) -> Option<u64> {
    fields.and_then(MessagingLimit::of_fields).map_or(rules.limit, MessagingLimit::count)
}

/// What is known of a portfolio changed: who waits for a place may have one.
pub(in crate::ledger::postgres) async fn limits_may_have_changed(tx: &Tx<'_>) -> Result<(), LedgerError> {
    let known = tx.desk.holds.known(tx).await?;
    if known.all.iter().any(|hold| hold.cover.scope == Scope::Quota) {
        tx.stir(Stir::Work);
    }
    Ok(())
}
