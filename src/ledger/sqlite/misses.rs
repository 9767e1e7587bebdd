//! Recipients whom Meta does not find on WhatsApp: after a few times in a row they are held for a while.

use std::time::Duration;

use super::desk::Desk;
use crate::clock::Timestamp;
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::ledger::LedgerError;
use crate::outcome::Reason;

/// Meta's code for a message that could not be delivered to its recipient.
const UNDELIVERABLE: u32 = 131_026;
/// So often in a row, and the recipient is held.
const MOST_MISSES: u32 = 3;
/// For so long.
const HELD_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Desk {
    /// A message failed with this code; true if its recipient is held from now on.
    pub(super) fn miss(&self, recipient: &str, code: Option<u32>, now: Timestamp) -> Result<bool, LedgerError> {
        if code != Some(UNDELIVERABLE) || recipient.is_empty() {
            return Ok(false);
        }
        let misses: u32 = self
            .conn
            .prepare_cached(
                "INSERT INTO misses (recipient, n) VALUES (?1, 1)
                 ON CONFLICT (recipient) DO UPDATE SET n = n + 1 RETURNING n",
            )?
            .query_row([recipient], |row| row.get(0))?;
        if misses < MOST_MISSES {
            return Ok(false);
        }
        self.forget_misses(recipient)?;
        let order = HoldOrder {
            cover: Cover::of(Scope::Recipient, recipient),
            effect: Effect::End,
            reason: Reason::NotOnWhatsapp,
            who: format!("{UNDELIVERABLE} three times"),
            until: Some(now + HELD_FOR),
            probe: false,
        };
        Ok(self.place(&order, now)?.step == 1)
    }

    /// The same of a job's recipient.
    pub(super) fn miss_of(&self, seq: i64, code: Option<u32>, now: Timestamp) -> Result<(), LedgerError> {
        if code != Some(UNDELIVERABLE) {
            return Ok(());
        }
        let recipient: String = self
            .conn
            .prepare_cached("SELECT recipient FROM jobs WHERE seq = ?1")?
            .query_row([seq], |row| row.get(0))?;
        self.miss(&recipient, code, now).map(drop)
    }

    /// A message arrived.
    pub(super) fn forget_misses(&self, recipient: &str) -> Result<(), LedgerError> {
        self.conn.prepare_cached("DELETE FROM misses WHERE recipient = ?1")?.execute([recipient])?;
        Ok(())
    }
}
