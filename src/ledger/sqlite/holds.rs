//! Placing, lifting and trying holds.

use rusqlite::params;

use super::desk::Desk;
use super::hold_cache::{self, COLUMNS};
use crate::clock::Timestamp;
use crate::hold::{Cover, Hold, HoldId, HoldOrder, Scope};
use crate::job::Category;
use crate::ledger::LedgerError;
use crate::outcome::Reason;

impl Desk {
    /// Places a hold; the same cover has one hold, and the later `until` rules.
    pub(super) fn place(&self, order: &HoldOrder, now: Timestamp) -> Result<Hold, LedgerError> {
        // Of a person who was forgotten, the hold that stands goes on.
        let hidden = match self.hidden_cover(&order.cover)? {
            Some(hidden) => self.of_cover(&hidden)?.map(|_| hidden),
            None => None,
        };
        let cover = hidden.as_ref().unwrap_or(&order.cover);
        let category = cover.category.map_or("", Category::as_str);
        let country = cover.country.as_deref().unwrap_or("");
        // A lifted hold that still has rows to let out begins anew.
        let query = format!(
            "INSERT INTO holds (scope, subject, category, country, effect, reason, who, since, until, probe, step)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1)
             ON CONFLICT (scope, subject, category, country) DO UPDATE SET
                 effect = iif(lifted = 1 OR {RULES}, excluded.effect, effect),
                 reason = iif(lifted = 1 OR {RULES}, excluded.reason, reason),
                 who = iif(lifted = 1 OR {RULES}, excluded.who, who),
                 probe = iif(lifted = 1 OR {RULES}, excluded.probe, probe),
                 until = iif(lifted = 1 OR {RULES}, excluded.until, until),
                 since = iif(lifted = 1, excluded.since, since),
                 step = iif(lifted = 1, 1, step + 1),
                 lifted = 0
             RETURNING {COLUMNS}"
        );
        let hold = self.conn.prepare_cached(&query)?.query_row(
            params![
                cover.scope.as_str(),
                cover.subject,
                category,
                country,
                order.effect.as_str(),
                order.reason.as_str(),
                order.who,
                now.as_millis(),
                order.until.map(Timestamp::as_millis),
                order.probe,
            ],
            |row| Ok(hold_cache::hold(row, 0)),
        )??;
        // A million of them may be imported while jobs are admitted.
        if cover.scope == Scope::Recipient {
            self.holds.note_recipient()
        } else {
            self.holds.forget()
        }
        self.stir_holds();
        Ok(hold)
    }

    /// Lifts a hold that stands.
    pub(super) fn lift(&self, hold: HoldId) -> Result<bool, LedgerError> {
        let lifted =
            self.conn.prepare_cached("UPDATE holds SET lifted = 1 WHERE id = ?1 AND lifted = 0")?.execute([hold.0])?;
        if lifted > 0 {
            self.drop_if_empty(hold)?;
            self.holds.forget();
            self.stir_holds();
            self.stir_work();
        }
        Ok(lifted > 0)
    }

    /// Places holds, and says how many did not stand before.
    pub(super) fn place_many(&self, orders: &[HoldOrder], now: Timestamp) -> Result<u32, LedgerError> {
        let mut new = 0;
        for order in orders {
            new += u32::from(self.place(order, now)?.step == 1);
        }
        Ok(new)
    }

    /// Lifts the hold with a cover, if it stands for one of these reasons; that of a person who was forgotten too.
    pub(super) fn lift_cover(
        &self,
        cover: &Cover,
        only: &[Reason],
        said: Option<Timestamp>,
    ) -> Result<u32, LedgerError> {
        let mut lifted = 0;
        for cover in [Some(cover.clone()), self.hidden_cover(cover)?].into_iter().flatten() {
            if let Some(hold) = self
                .of_cover(&cover)?
                .filter(|hold| only.contains(&hold.reason) && said.is_none_or(|said| hold.since <= said))
            {
                lifted += u32::from(self.lift(hold.id)?);
            }
        }
        Ok(lifted)
    }

    /// Lifts the holds with these covers that stand for one of these reasons, and says how many stood.
    pub(super) fn lift_covers(&self, covers: &[Cover], only: &[Reason]) -> Result<u32, LedgerError> {
        covers.iter().map(|cover| self.lift_cover(cover, only, None)).sum()
    }

    /// The hold with a cover, if it stands.
    fn of_cover(&self, cover: &Cover) -> Result<Option<Hold>, LedgerError> {
        let query = format!(
            "SELECT {COLUMNS} FROM holds
             WHERE scope = ?1 AND subject = ?2 AND category = ?3 AND country = ?4 AND lifted = 0"
        );
        let category = cover.category.map_or("", Category::as_str);
        let country = cover.country.as_deref().unwrap_or("");
        let values = params![cover.scope.as_str(), cover.subject, category, country];
        Ok(hold_cache::read(&self.conn, &query, values)?.pop())
    }

    /// Lifts a hold that one job tried and came through; a hold that nobody was to try is another's affair.
    pub(super) fn lift_tried(&self, hold: HoldId) -> Result<(), LedgerError> {
        if self.standing_hold(hold)?.is_some_and(|hold| hold.probe) {
            self.lift(hold)?;
        }
        Ok(())
    }

    /// Forgets a lifted hold under which nothing is parked any more.
    pub(super) fn drop_if_empty(&self, hold: HoldId) -> Result<(), LedgerError> {
        let gone = self
            .conn
            .prepare_cached(
                "DELETE FROM holds WHERE id = ?1 AND lifted = 1
                     AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.held = ?1 AND w.held > 0)",
            )?
            .execute([hold.0])?;
        if gone > 0 {
            self.holds.forget();
        }
        Ok(())
    }

    /// Forgets lifted holds under which nothing is parked any more, at most so many.
    pub(super) fn drop_empty(&self, limit: u32) -> Result<(), LedgerError> {
        if !self.holds.known(&self.conn)?.has_lifted {
            return Ok(());
        }
        let gone = self
            .conn
            .prepare_cached(
                "DELETE FROM holds WHERE id IN (SELECT h.id FROM holds h WHERE h.lifted = 1
                     AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.held = h.id AND w.held > 0) LIMIT ?1)",
            )?
            .execute([limit])?;
        if gone > 0 {
            self.holds.forget();
        }
        Ok(())
    }

    /// Lifts those of the holds that everyone must pass whose time is over and which need no trial.
    pub(super) fn lift_run_out(&self, now: Timestamp) -> Result<(), LedgerError> {
        let run_out: Vec<HoldId> = {
            let known = self.holds.known(&self.conn)?;
            let is_over = |hold: &&Hold| !hold.probe && hold.until.is_some_and(|until| until <= now);
            known.all.iter().filter(is_over).map(|hold| hold.id).collect()
        };
        for hold in run_out {
            self.lift(hold)?;
        }
        Ok(())
    }

    /// Holds whose time is over and that one row shall try, if none was given out for it lately.
    pub(super) fn holds_to_try(&self, now: Timestamp) -> Result<Vec<HoldId>, LedgerError> {
        let known = self.holds.known(&self.conn)?;
        Ok(self.holds.untried(&known.all, now))
    }

    /// The hold of a number, if it stands.
    pub(super) fn standing_hold(&self, hold: HoldId) -> Result<Option<Hold>, LedgerError> {
        let query = format!("SELECT {COLUMNS} FROM holds WHERE id = ?1 AND lifted = 0");
        Ok(hold_cache::read(&self.conn, &query, [hold.0])?.pop())
    }

    /// The holds over one recipient.
    pub(super) fn recipient_holds(&self, recipient: &str) -> Result<Vec<Hold>, LedgerError> {
        if !self.holds.known(&self.conn)?.has_recipients {
            return Ok(Vec::new());
        }
        let query = format!("SELECT {COLUMNS} FROM holds WHERE scope = ?1 AND subject IN (?2, ?3) AND lifted = 0");
        let hidden = self.hidden_cover(&Cover::of(Scope::Recipient, recipient))?.map(|cover| cover.subject);
        hold_cache::read(&self.conn, &query, params![Scope::Recipient.as_str(), recipient, hidden])
    }
}

/// Whether the new order lasts at least as long as the hold that stands; no `until` is the longest.
const RULES: &str = "excluded.until IS NULL OR until IS NOT NULL AND excluded.until >= until";
