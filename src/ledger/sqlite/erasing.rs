//! Forgetting a person: what is counted stays, what names them goes, and what they refused stays refused.

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::Sha256;

use super::claim::is_in_line;
use super::desk::{Desk, damaged};
use crate::clock::Timestamp;
use crate::hold::{Cover, Scope};
use crate::job::Digest;
use crate::ledger::end::End;
use crate::ledger::{Erased, LedgerError};
use crate::outcome::{Reason, State};

/// What stands between the digits of a phone number as people write it.
const SEPARATORS: &[char] = &['+', '-', '(', ')', '.', ' '];

/// A row whose text names the person.
#[derive(Clone, Copy)]
pub(super) struct Naming {
    table: Table,
    seq: i64,
}

/// The tables of texts that were written by others, or for them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Outbox,
    Strange,
    Inbox,
    Dead,
}

impl Table {
    const ALL: [Self; 4] = [Self::Outbox, Self::Strange, Self::Inbox, Self::Dead];

    const fn name(self) -> &'static str {
        match self {
            Self::Outbox => "outbox",
            Self::Strange => "strange",
            Self::Inbox => "inbox",
            Self::Dead => "dead",
        }
    }
}

impl Desk {
    /// Takes the person out of jobs: those in line are cancelled, and those of which nobody knows cannot be sent again.
    /// One that is being sent ends as it would; its body goes now.
    pub(super) fn erase_jobs(&self, seqs: &[i64], recipient: &str, now: Timestamp) -> Result<Erased, LedgerError> {
        let mut erased = Erased::default();
        // Meta's id of a message has the phone number in it.
        let mut erase = self.conn.prepare_cached(
            "UPDATE jobs SET recipient = '', id = 'erased-' || lower(substr(hex(key), 1, 8)), digest = ?3,
                 metadata = NULL, details = NULL, wamid = NULL
             WHERE seq = ?1 AND recipient = ?2",
        )?;
        for seq in seqs {
            if erase.execute(params![seq, recipient, Digest::UNSEEN.as_bytes()])? == 0 {
                continue;
            }
            erased.jobs += 1;
            let Some(job) = self.find_readable(*seq)? else { continue };
            if is_in_line(job.state) {
                self.end(&job, &End::ours(State::Cancelled, Reason::Cancelled, now))?;
                erased.cancelled += 1;
            } else if job.state == State::Unknown {
                self.end(&job, &End::ours(State::Unresolved, Reason::Left, now))?;
            } else {
                self.drop_rows(job.seq)?;
            }
        }
        Ok(erased)
    }

    /// Forgets what is known of a recipient beside jobs, and hides whom the holds are about.
    pub(super) fn erase_rest(&self, recipient: &str) -> Result<Erased, LedgerError> {
        let mut others = self.conn.prepare_cached("DELETE FROM windows WHERE recipient = ?1")?.execute([recipient])?;
        others += self.conn.prepare_cached("DELETE FROM misses WHERE recipient = ?1")?.execute([recipient])?;
        others += self.erase_places(recipient)?;
        let holds = self.hide_holds(recipient)?;
        Ok(Erased { holds: holds as u64, others: others as u64, ..Erased::default() })
    }

    fn hide_holds(&self, recipient: &str) -> Result<usize, LedgerError> {
        let subject = self.hidden_subject(recipient)?;
        // Nothing is parked under what was lifted: the person's jobs have ended.
        self.conn
            .prepare_cached("DELETE FROM holds WHERE scope = 'recipient' AND subject IN (?1, ?2) AND lifted = 1")?
            .execute([recipient, &subject])?;
        self.conn
            .prepare_cached(
                "DELETE FROM holds WHERE scope = 'recipient' AND subject = ?2 AND EXISTS (
                     SELECT 1 FROM holds h WHERE h.scope = 'recipient' AND h.subject = ?1
                         AND h.category = holds.category AND h.country = holds.country)",
            )?
            .execute([recipient, &subject])?;
        let hidden = self
            .conn
            .prepare_cached("UPDATE holds SET subject = ?2 WHERE scope = 'recipient' AND subject = ?1")?
            .execute([recipient, &subject])?;
        if hidden > 0 {
            self.holds.forget();
            self.stir_holds();
        }
        Ok(hidden)
    }

    /// Drops rows that name a person, and says how many were there.
    pub(super) fn drop_naming(&self, rows: &[Naming]) -> Result<u64, LedgerError> {
        let mut dropped = 0;
        for Naming { table, seq } in rows {
            dropped += match table {
                // Bodies are counted.
                Table::Dead => u64::from(self.dead_drop(&[*seq])?),
                Table::Outbox | Table::Strange | Table::Inbox => {
                    let sql = format!("DELETE FROM {} WHERE seq = ?1", table.name());
                    self.conn.prepare_cached(&sql)?.execute([seq])? as u64
                }
            };
        }
        Ok(dropped)
    }

    /// The same cover as it stands for a person who was forgotten; none while there is no such hold.
    pub(super) fn hidden_cover(&self, cover: &Cover) -> Result<Option<Cover>, LedgerError> {
        if cover.scope != Scope::Recipient || !self.holds.known(&self.conn)?.has_hidden {
            return Ok(None);
        }
        Ok(Some(Cover { subject: self.hidden_subject(&cover.subject)?, ..cover.clone() }))
    }

    /// The subject under which the holds of a person stand who was forgotten.
    pub(super) fn hidden_subject(&self, recipient: &str) -> Result<String, LedgerError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.erasing_key()?).map_err(damaged)?;
        mac.update(recipient.as_bytes());
        let hash = mac.finalize().into_bytes();
        Ok(hash.iter().fold("erased:".to_owned(), |subject, byte| subject + &format!("{byte:02x}")))
    }

    /// The key of those hashes; made at its first use, and never changed.
    fn erasing_key(&self) -> Result<Vec<u8>, LedgerError> {
        let mut find = self.conn.prepare_cached("SELECT value FROM keyring WHERE name = 'erased'")?;
        if let Some(key) = find.query_row([], |row| row.get(0)).optional()? {
            return Ok(key);
        }
        let key: [u8; 32] = rand::random();
        self.conn
            .prepare_cached("INSERT INTO keyring (name, value) VALUES ('erased', ?1)")?
            .execute([key.as_slice()])?;
        Ok(key.to_vec())
    }
}

/// The jobs of a recipient, found without an index.
pub(super) fn jobs_of(conn: &Connection, recipient: &str) -> Result<Vec<i64>, LedgerError> {
    let mut find = conn.prepare_cached("SELECT seq FROM jobs WHERE recipient = ?1")?;
    let rows = find.query_map([recipient], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The rows whose texts name a recipient.
pub(super) fn naming(conn: &Connection, recipient: &str) -> Result<Vec<Naming>, LedgerError> {
    let mut naming = Vec::new();
    for table in Table::ALL {
        let mut find = conn.prepare_cached(&format!("SELECT seq, body FROM {}", table.name()))?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            if names(&String::from_utf8_lossy(row.get_ref(1)?.as_bytes().map_err(damaged)?), recipient) {
                naming.push(Naming { table, seq: row.get(0)? });
            }
        }
    }
    Ok(naming)
}

/// Whether a text names a recipient: not as a part of a longer number or id.
fn names(text: &str, recipient: &str) -> bool {
    match recipient.strip_prefix('+') {
        Some(digits) => {
            let is_more = |byte: u8| byte.is_ascii_digit();
            stands_in(text, digits, is_more) || stands_in(&text.replace(SEPARATORS, ""), digits, is_more)
        }
        None => stands_in(text, recipient, |byte| byte.is_ascii_alphanumeric()),
    }
}

fn stands_in(text: &str, sought: &str, is_more: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    text.match_indices(sought).any(|(start, _)| {
        let before = start.checked_sub(1).map(|at| bytes[at]);
        let after = bytes.get(start + sought.len()).copied();
        !before.is_some_and(&is_more) && !after.is_some_and(&is_more)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_who_stands_in_it_whole() {
        let phone = "+447700900123";
        for text in [
            r#"{"to":"+447700900123"}"#,
            r#"{"wa_id":"447700900123"}"#,
            r#"{"to":"+44 (7700) 900-123"}"#,
            "447700900123",
            "9447700900123 447700900123",
        ] {
            assert!(names(text, phone), "{text}");
        }
        for text in [r#"{"to":"+4477009001234"}"#, "1447700900123", r#"["+447700","900123"]"#, ""] {
            assert!(!names(text, phone), "{text}");
        }
        assert!(names(r#"{"from_user_id":"US.13491208655302741918"}"#, "US.13491208655302741918"));
        assert!(!names(r#"{"from_user_id":"US.134912086553027419180"}"#, "US.13491208655302741918"));
    }
}
