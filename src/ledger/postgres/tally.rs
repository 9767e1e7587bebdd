//! How many jobs stand where, counted along with each change; a commit adds its own rows and waits for nobody.

use std::sync::Mutex;

use super::desk::Session;
use crate::ledger::LedgerError;
use crate::outcome::{Reason, State};

/// Changes of one transaction. Jobs are counted by state, and those that wait also by reason.
#[derive(Default)]
pub(super) struct Tally {
    counts: Mutex<Vec<Count>>,
}

struct Count {
    what: &'static str,
    word: &'static str,
    n: i64,
}

impl Tally {
    /// Jobs came to stand here.
    pub(super) fn add(&self, state: State, reason: Option<Reason>) {
        self.count(state, reason, 1);
    }

    /// Jobs stand here no more.
    pub(super) fn remove(&self, state: State, reason: Option<Reason>) {
        self.count(state, reason, -1);
    }

    /// Dead bodies came, or went.
    pub(super) fn bury(&self, bodies: i64) {
        self.note("dead", "", bodies);
    }

    fn count(&self, state: State, reason: Option<Reason>, by: i64) {
        self.note("state", state.as_str(), by);
        if let (State::Waiting, Some(reason)) = (state, reason) {
            self.note("waiting", reason.as_str(), by);
        }
    }

    fn note(&self, what: &'static str, word: &'static str, by: i64) {
        let mut counts = self.counts.lock().expect("nobody panics while counting");
        match counts.iter_mut().find(|count| count.what == what && count.word == word) {
            Some(count) => count.n += by,
            None => counts.push(Count { what, word, n: by }),
        }
    }

    /// Writes what was counted, in the same transaction.
    pub(super) async fn write(&self, session: &Session) -> Result<(), LedgerError> {
        let counts = std::mem::take(&mut *self.counts.lock().expect("nobody panics while counting"));
        let (mut whats, mut words, mut ns) = (Vec::new(), Vec::new(), Vec::new());
        for count in counts.iter().filter(|count| count.n != 0) {
            whats.push(count.what);
            words.push(count.word);
            ns.push(count.n);
        }
        if !ns.is_empty() {
            let sql = "INSERT INTO tally SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])";
            session.execute(sql, &[&whats, &words, &ns]).await?;
        }
        Ok(())
    }
}

/// Adds up what many commits counted; the sum stays.
pub(super) async fn fold(session: &Session, limit: i64) -> Result<(), LedgerError> {
    let sql = "WITH gone AS (
            DELETE FROM tally WHERE ctid = ANY (ARRAY(SELECT ctid FROM tally LIMIT $1 FOR UPDATE SKIP LOCKED))
            RETURNING what, word, n)
        INSERT INTO tally SELECT what, word, sum(n)::bigint FROM gone GROUP BY what, word HAVING sum(n) <> 0";
    session.execute(sql, &[&limit]).await?;
    Ok(())
}
