//! Somebody who writes STOP while their message of the campaign is still in line: what was noted of it, and what the
//! ledger and the simulator's log say of it. Pure.

use std::time::Duration;

use super::desk::Kind;
use super::observer::job_of;
use super::reckoning::Findings;
use crate::cli::wording::{Count, masked};
use crate::job::JobKey;
use crate::outcome::{Reason, State};
use crate::sim::Entry;

/// What was noted while it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOut {
    /// Who wrote it.
    pub recipient: String,
    /// Their message of the campaign.
    pub message: JobKey,
    /// When they wrote, by the simulator's clock.
    pub said_ns: u64,
    /// Messages of the campaign that had not left then.
    pub in_line: u64,
    /// The one-time password that they asked for when the ledger knew of their wish.
    pub password: Option<JobKey>,
    /// How their message of the campaign ended.
    pub ended: Option<State>,
}

/// What the ledger and the simulator's log say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who wrote it, as far as it is shown.
    pub name: String,
    /// Messages of the campaign that had not left then.
    pub in_line: u64,
    /// Whether their message ended for their wish.
    pub is_suppressed: bool,
    /// Requests of the campaign to them that reached Meta after they wrote.
    pub sent_after: u64,
    /// How long their one-time password took from handed in to Meta; none: Meta never took it.
    pub password_took: Option<Duration>,
}

impl Record {
    /// Looks it up; none if nobody wrote.
    pub fn of(findings: &Findings) -> Option<Self> {
        let opt_out = findings.opt_out.as_ref()?;
        let row = findings.rows.iter().find(|row| row.key == opt_out.message);
        let is_theirs = |entry: &&Entry| digits(&entry.recipient).eq(digits(&opt_out.recipient));
        let is_campaign = |entry: &&Entry| {
            let handed = job_of(entry).and_then(|key| findings.book.jobs.get(&key));
            handed.is_some_and(|handed| handed.kind == Kind::Campaign)
        };
        let after = findings.entries.iter().filter(|entry| entry.at_ns > opt_out.said_ns).filter(is_theirs);
        let password_took = opt_out.password.and_then(|key| {
            let handed = findings.book.jobs.get(&key)?;
            let taken = after.clone().find(|entry| entry.outcome.is_accepted() && job_of(entry) == Some(key))?;
            Some(Duration::from_nanos(taken.at_ns.saturating_sub(handed.at_ns)))
        });
        Some(Self {
            name: masked(&opt_out.recipient),
            in_line: opt_out.in_line,
            is_suppressed: row
                .is_some_and(|row| row.state == State::Suppressed && row.reason == Some(Reason::OptedOut)),
            sent_after: after.filter(is_campaign).count() as u64,
            password_took,
        })
    }

    /// What must not be, in words.
    pub fn problems(&self) -> Vec<String> {
        let name = &self.name;
        let mut problems = Vec::new();
        if self.sent_after > 0 {
            problems.push(format!(
                "{} of the campaign's requests were for {name} after their STOP",
                Count(self.sent_after)
            ));
        }
        if !self.is_suppressed {
            problems.push(format!("the queued message to {name} did not end as suppressed, though they wrote STOP"));
        }
        if self.password_took.is_none() {
            problems.push(format!("the one-time password for {name} is not in the simulator's log"));
        }
        problems
    }
}

/// A phone number is written with or without its plus.
fn digits(number: &str) -> impl Iterator<Item = char> {
    number.chars().filter(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{findings, opted_out};
    use super::*;

    fn problems(spoil: impl FnOnce(&mut Findings)) -> Vec<String> {
        let mut findings = opted_out(findings(3));
        spoil(&mut findings);
        Record::of(&findings).unwrap().problems()
    }

    #[test]
    fn a_stop_that_was_heeded_has_no_problem() {
        let record = Record::of(&opted_out(findings(3))).unwrap();
        assert_eq!((record.name.as_str(), record.is_suppressed, record.sent_after), ("…99", true, 0));
        assert_eq!(record.password_took, Some(Duration::from_millis(8)));
        assert_eq!(record.problems(), Vec::<String>::new());
        assert_eq!(Record::of(&findings(3)), None);
    }

    #[test]
    fn a_message_that_went_out_all_the_same_is_found() {
        let found = problems(|findings| {
            let mut sent = findings.entries.last().unwrap().clone();
            let message = findings.opt_out.as_ref().unwrap().message;
            sent.callback = Some(format!("{message}:1"));
            findings.entries.push(sent);
        });
        assert_eq!(found, ["1 of the campaign's requests were for …99 after their STOP"]);
    }

    #[test]
    fn another_end_and_a_missing_password_are_found() {
        let found = problems(|findings| {
            findings.rows[0].state = State::Expired;
            findings.entries.pop();
        });
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(problems(|findings| findings.rows[0].reason = Some(Reason::RecipientBlocked)).len(), 1);
    }
}
