//! News into the ledger: everything that some webhook bodies say, in one commit.

use std::collections::BTreeMap;

use rusqlite::params;

use super::desk::Desk;
use super::statuses::Telling;
use crate::clock::Timestamp;
use crate::hold::HoldOrder;
use crate::job::NumberId;
use crate::ledger::{Applied, HoldChange, LedgerError, News, OutboxRow, Publish, StrangeChange, WINDOW, WindowNews};
use crate::outcome::Reason;

impl Desk {
    pub(super) fn apply(&self, news: &News, now: Timestamp) -> Result<Applied, LedgerError> {
        let is_new = self.inbox_done(&news.read)? || news.read.is_empty();
        let mut telling = Telling::default();
        for status in &news.statuses {
            let moved = self.tell(status, &mut telling, now)?;
            telling.applied.statuses.push(moved);
        }
        self.note_heard(&telling.heard)?;
        self.open_windows(&news.windows)?;
        // What follows does not forgive to be done twice, and bodies that are gone were applied.
        if is_new {
            for change in &news.holds {
                self.change_hold(change, now)?;
            }
            for fields in &news.fields {
                self.merge_fields(fields)?;
            }
            self.write_events(&news.events)?;
            self.keep_strange(&news.strange)?;
        }
        Ok(telling.applied)
    }

    fn note_heard(&self, heard: &BTreeMap<NumberId, Timestamp>) -> Result<(), LedgerError> {
        let mut note = self.conn.prepare_cached(
            "INSERT INTO heard (number, accepted_at) VALUES (?1, ?2)
             ON CONFLICT (number) DO UPDATE SET accepted_at = excluded.accepted_at
                 WHERE heard.accepted_at IS NULL OR heard.accepted_at < excluded.accepted_at",
        )?;
        for (number, accepted_at) in heard {
            note.execute(params![number.as_str(), accepted_at.as_millis()])?;
        }
        Ok(())
    }

    fn open_windows(&self, windows: &[WindowNews]) -> Result<(), LedgerError> {
        let mut open = self.conn.prepare_cached(
            "INSERT INTO windows (recipient, number, until) VALUES (?1, ?2, ?3)
             ON CONFLICT (recipient, number) DO UPDATE SET until = excluded.until WHERE until < excluded.until",
        )?;
        let mut first: BTreeMap<&NumberId, Timestamp> = BTreeMap::new();
        for WindowNews { number, recipient, until } in windows {
            open.execute(params![recipient, number.as_str(), until.as_millis()])?;
            let written_at = *until - WINDOW;
            let since = first.entry(number).or_insert(written_at);
            *since = written_at.min(*since);
        }
        let mut note = self.conn.prepare_cached(
            "INSERT INTO heard (number, inbound_since) VALUES (?1, ?2)
             ON CONFLICT (number) DO UPDATE SET inbound_since = excluded.inbound_since
                 WHERE heard.inbound_since IS NULL OR heard.inbound_since > excluded.inbound_since",
        )?;
        for (number, since) in first {
            note.execute(params![number.as_str(), since.as_millis()])?;
        }
        Ok(())
    }

    fn change_hold(&self, change: &HoldChange, now: Timestamp) -> Result<(), LedgerError> {
        match change {
            HoldChange::Place(order) => self.place(order, now).map(drop),
            HoldChange::Lift { cover, only } => self.lift_cover(cover, only, None).map(|_| ()),
            HoldChange::Stop { order, said } => self.stop(order, *said),
            HoldChange::Start { cover, said } => self.lift_cover(cover, &[Reason::OptedOut], Some(*said)).map(|_| ()),
        }
    }

    /// Said again, an opt-out counts from the last time: only what is said after that takes it back.
    fn stop(&self, order: &HoldOrder, said: Timestamp) -> Result<(), LedgerError> {
        let hold = self.place(order, said)?;
        self.conn
            .prepare_cached("UPDATE holds SET since = ?2 WHERE id = ?1 AND since < ?2")?
            .execute(params![hold.id.0, said.as_millis()])?;
        Ok(())
    }

    fn write_events(&self, events: &[OutboxRow]) -> Result<(), LedgerError> {
        if self.publish == Publish::Off {
            return Ok(());
        }
        events.iter().try_for_each(|event| self.put_out(event))
    }

    fn keep_strange(&self, strange: &[StrangeChange]) -> Result<(), LedgerError> {
        let mut keep = self.conn.prepare_cached("INSERT INTO strange (field, body, at) VALUES (?1, ?2, ?3)")?;
        for StrangeChange { field, body, at } in strange {
            keep.execute(params![field, body, at.as_millis()])?;
        }
        Ok(())
    }
}
