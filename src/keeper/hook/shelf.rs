//! Which events may go now: of each job the first, and none before its next try. Pure.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::OutboxRow;

/// Waits between tries: the first, doubling, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// Who does not take an event for so long never will.
const PATIENCE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Events that the app refused, by their place in line.
#[derive(Default)]
pub(super) struct Shelf {
    refused: BTreeMap<i64, Refused>,
    told: bool,
}

struct Refused {
    since: Instant,
    next: Instant,
    count: u32,
}

impl Shelf {
    /// Nothing waits to be tried again.
    pub(super) fn is_empty(&self) -> bool {
        self.refused.is_empty()
    }

    /// When the next one is to be tried again.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.refused.values().map(|refused| refused.next).min()
    }

    /// Of these rows, in order, those that may go: each job's first, unless it waits. Rows that belong to no job have
    /// no order among them.
    pub(super) fn due(&self, rows: Vec<OutboxRow>, now: Instant) -> Vec<OutboxRow> {
        let mut seen: HashSet<String> = HashSet::with_capacity(rows.len());
        let is_first = |row: &OutboxRow| row.job.is_empty() || seen.insert(row.job.clone());
        let waits = |row: &OutboxRow| self.refused.get(&row.seq).is_some_and(|refused| refused.next > now);
        let mut firsts: Vec<OutboxRow> = rows.into_iter().filter(is_first).collect();
        firsts.retain(|row| !waits(row));
        firsts
    }

    /// The app has it.
    pub(super) fn taken(&mut self, seq: i64) {
        self.refused.remove(&seq);
        if std::mem::take(&mut self.told) {
            tracing::info!("the outgoing webhook goes on: the app takes events again");
        }
    }

    /// The app does not take it now. True if it had its time, and is to be given up.
    pub(super) fn refused(&mut self, row: &OutboxRow, now: Instant) -> bool {
        let refused = self.refused.entry(row.seq).or_insert(Refused { since: now, next: now, count: 0 });
        let wait = WAITS.0.saturating_mul(2_u32.saturating_pow(refused.count)).min(WAITS.1);
        refused.next = now + wait / 2 + wait.mul_f64(rand::random::<f64>() / 2.0);
        refused.count = refused.count.saturating_add(1);
        let is_over = now - refused.since >= PATIENCE;
        if is_over {
            self.refused.remove(&row.seq);
        }
        is_over
    }

    /// Says once why events wait.
    pub(super) fn tell(&mut self, why: &str) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::warn!(why, "events wait for the app behind events.webhook_url: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: i64, job: &str) -> OutboxRow {
        let [topic, event, body] = [(); 3].map(|()| String::new());
        OutboxRow { seq, topic, event, job: job.to_owned(), body }
    }

    fn places(rows: &[OutboxRow]) -> Vec<i64> {
        rows.iter().map(|row| row.seq).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_event_holds_up_its_own_job_alone() {
        let rows = || vec![row(1, "a"), row(2, "b"), row(3, "a"), row(4, ""), row(5, "")];
        let mut shelf = Shelf::default();
        let now = Instant::now();
        assert_eq!(places(&shelf.due(rows(), now)), [1, 2, 4, 5]);
        assert!(!shelf.refused(&row(1, "a"), now));
        assert_eq!(places(&shelf.due(rows(), now)), [2, 4, 5]);
        assert_eq!(places(&shelf.due(rows(), now + Duration::from_secs(1))), [1, 2, 4, 5]);
        shelf.taken(1);
        assert!(shelf.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_to_ten_minutes_and_end_after_three_days() {
        let mut shelf = Shelf::default();
        let began = Instant::now();
        let (mut now, mut tries) = (began, 0);
        while !shelf.refused(&row(1, "a"), now) {
            let next = shelf.next_try().expect("it waits");
            assert!(next - now <= WAITS.1);
            now = next;
            tries += 1;
        }
        assert!(now - began >= PATIENCE && now - began <= PATIENCE + WAITS.1);
        assert!((400..1_000).contains(&tries), "{tries}");
    }
}
