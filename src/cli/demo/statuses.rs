//! How far messages have come, as Meta's webhooks told. Pure.

use std::collections::HashSet;

use super::observer::job_of;
use super::reckoning::{Findings, is_taken};
use crate::job::JobKey;
use crate::ledger::JobRow;
use crate::outcome::State;
use crate::sim::{EntryOutcome, WebhookCounts};

/// How many messages have come at least so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statuses {
    /// Meta sent them on.
    pub sent: u64,
    /// They are on the phone.
    pub delivered: u64,
    /// They were opened.
    pub read: u64,
}

impl Statuses {
    /// From the states that jobs are in.
    pub fn of(states: impl IntoIterator<Item = (State, u64)>) -> Self {
        let mut statuses = Self::default();
        for (state, count) in states {
            statuses.sent += if matches!(state, State::Sent | State::Delivered | State::Read) { count } else { 0 };
            statuses.delivered += if matches!(state, State::Delivered | State::Read) { count } else { 0 };
            statuses.read += if state == State::Read { count } else { 0 };
        }
        statuses
    }

    /// What the simulator told, repeats not counted.
    pub fn told(counts: &WebhookCounts) -> Self {
        let told = |word| counts.planned.get(word).copied().unwrap_or(0);
        Self { sent: told("sent"), delivered: told("delivered"), read: told("read") }
    }
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    /// How far messages have come, by the ledger.
    pub statuses: Statuses,
    /// The simulator's counts of its webhooks.
    pub webhooks: WebhookCounts,
    /// Messages whose answer never came, and of which a status told that Meta had taken them.
    pub settled: u64,
}

impl Returned {
    /// Counts it.
    pub fn of(findings: &Findings) -> Self {
        let unanswered =
            findings.entries.iter().filter(|entry| matches!(entry.outcome, EntryOutcome::AcceptedThen { .. }));
        let unanswered: HashSet<JobKey> = unanswered.filter_map(job_of).collect();
        let is_settled = |row: &&JobRow| is_taken(row.state) && unanswered.contains(&row.key);
        Self {
            statuses: Statuses::of(findings.rows.iter().map(|row| (row.state, 1))),
            webhooks: findings.webhooks.clone(),
            settled: findings.rows.iter().filter(is_settled).count() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::findings;
    use super::*;

    #[test]
    fn who_has_read_a_message_got_it_too() {
        let states = [(State::Accepted, 1), (State::Sent, 2), (State::Delivered, 4), (State::Read, 8)];
        assert_eq!(Statuses::of(states), Statuses { sent: 14, delivered: 12, read: 8 });
    }

    #[test]
    fn only_messages_without_an_answer_are_settled_by_a_status() {
        let mut findings = findings(3);
        findings.rows[0].state = State::Delivered;
        for entry in &mut findings.entries[1..] {
            entry.outcome = EntryOutcome::AcceptedThen { fault: "cut_after" };
        }
        findings.rows[1].state = State::Unresolved;
        let returned = Returned::of(&findings);
        assert_eq!((returned.settled, returned.statuses.delivered), (1, 1));
    }
}
