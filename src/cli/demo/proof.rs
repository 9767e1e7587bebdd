//! Whether it all adds up: every job that was taken in ended once, and Meta got each accepted one exactly once. Pure.

use std::collections::{HashMap, HashSet};

use super::observer::job_of;
use super::optout::Record;
use super::reckoning::Findings;
use super::statuses::Statuses;
use crate::cli::wording::Count;
use crate::job::JobKey;
use crate::outcome::State;

/// What was compared, and what does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Proof {
    /// Jobs that the ledger took in.
    pub taken_in: u64,
    /// Their states, counted; in order of a job's life.
    pub states: Vec<(State, u64)>,
    /// Accepted jobs whose message, by its id, stands in the simulator's log.
    pub confirmed: u64,
    /// Unresolved jobs that the simulator did take.
    pub unresolved_taken: u64,
    /// Jobs that the simulator took more than once.
    pub doubled: u64,
    /// How far messages have come by the simulator's word; compared with the ledger's.
    pub told: Statuses,
    /// What must not be, in words. Empty: it all adds up.
    pub problems: Vec<String>,
}

impl Proof {
    /// Compares what was handed in, the ledger's rows and the simulator's log.
    pub fn of(findings: &Findings) -> Self {
        let mut proof = Self { taken_in: findings.book.jobs.len() as u64, ..Self::default() };
        proof.count_states(findings);
        proof.compare_with_meta(findings);
        // What is stopped early has not heard everything.
        if !findings.is_cut_short {
            proof.compare_statuses(findings);
            proof.problems.extend(Record::of(findings).iter().flat_map(Record::problems));
        }
        proof
    }

    fn count_states(&mut self, findings: &Findings) {
        let rows = &findings.rows;
        let count = |state: State| rows.iter().filter(|row| row.state == state).count() as u64;
        self.states = State::ALL.iter().map(|state| (*state, count(*state))).filter(|(_, count)| *count > 0).collect();
        let keys: HashSet<JobKey> = rows.iter().map(|row| row.key).collect();
        let lost = findings.book.jobs.keys().filter(|key| !keys.contains(key)).count();
        self.complain(lost, "taken in, and not in the ledger any more");
        let strange = keys.iter().filter(|key| !findings.book.jobs.contains_key(key)).count();
        self.complain(strange, "in the ledger that nobody handed in");
        self.complain(rows.len() - keys.len(), "in the ledger twice");
        let open = rows.iter().filter(|row| !row.state.has_ended()).count();
        if !findings.is_cut_short {
            self.complain(open, "not ended, though nothing is left to wait for");
        }
    }

    fn compare_with_meta(&mut self, findings: &Findings) {
        let mut taken: HashMap<JobKey, Vec<&str>> = HashMap::new();
        let mut nameless = 0;
        for entry in findings.entries.iter().filter(|entry| entry.outcome.is_accepted()) {
            match (job_of(entry), entry.wamid.as_deref()) {
                (Some(key), Some(wamid)) => taken.entry(key).or_default().push(wamid),
                (None, _) | (_, None) => nameless += 1,
            }
        }
        self.complain(nameless, "taken by the simulator without a job's key");
        self.doubled = taken.values().filter(|wamids| wamids.len() > 1).count() as u64;
        self.complain(self.doubled as usize, "sent twice");
        let (mut unconfirmed, mut denied) = (0, 0);
        for row in &findings.rows {
            let wamids = taken.remove(&row.key).unwrap_or_default();
            match row.state {
                State::Accepted | State::Sent | State::Delivered | State::Read => {
                    let is_there = row.wamid.as_deref().is_some_and(|wamid| wamids.contains(&wamid));
                    self.confirmed += u64::from(is_there);
                    unconfirmed += usize::from(!is_there);
                }
                State::Unresolved => self.unresolved_taken += u64::from(!wamids.is_empty()),
                // Perhaps sent: that Meta has it is no contradiction.
                State::Unknown | State::Sending => {}
                State::Queued
                | State::Waiting
                | State::Failed
                | State::Expired
                | State::Cancelled
                | State::Suppressed => denied += usize::from(!wamids.is_empty()),
            }
        }
        self.complain(unconfirmed, "accepted by the ledger's word, and not in the simulator's log");
        self.complain(denied, "taken by the simulator, while the ledger says that they were not");
        self.complain(taken.len(), "taken by the simulator, and not in the ledger");
    }

    fn compare_statuses(&mut self, findings: &Findings) {
        let known = Statuses::of(self.states.iter().copied());
        let told = Statuses::told(&findings.webhooks);
        for (word, known, told) in [
            ("sent", known.sent, told.sent),
            ("delivered", known.delivered, told.delivered),
            ("read", known.read, told.read),
        ] {
            let what = format!("{word} by the simulator's word or by the ledger's, and not by both");
            self.complain(known.abs_diff(told) as usize, &what);
        }
        self.told = told;
    }

    fn complain(&mut self, count: usize, what: &str) {
        if count > 0 {
            let plural = if count == 1 { "message" } else { "messages" };
            self.problems.push(format!("{} {plural} {what}", Count(count as u64)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{findings, opted_out};
    use super::*;
    use crate::sim::EntryOutcome;

    /// What a proof complains of after something was done to findings that add up.
    fn complaints(spoil: impl FnOnce(&mut Findings)) -> Vec<String> {
        let mut findings = findings(3);
        spoil(&mut findings);
        Proof::of(&findings).problems
    }

    #[test]
    fn what_adds_up_has_no_problem() {
        let proof = Proof::of(&findings(3));
        assert_eq!((proof.taken_in, proof.confirmed, proof.doubled), (3, 3, 0));
        assert_eq!(proof.states, [(State::Accepted, 3)]);
        assert_eq!(proof.problems, Vec::<String>::new());
    }

    #[test]
    fn a_job_that_is_gone_from_the_ledger_is_found() {
        let found = complaints(|findings| drop(findings.rows.pop()));
        let gone = "1 message taken in, and not in the ledger any more";
        assert_eq!(found, [gone, "1 message taken by the simulator, and not in the ledger"]);
    }

    #[test]
    fn a_job_that_was_sent_twice_is_found() {
        let found = complaints(|findings| {
            let mut again = findings.entries[0].clone();
            again.wamid = Some("wamid.again".to_owned());
            findings.entries.push(again);
        });
        assert_eq!(found, ["1 message sent twice"]);
    }

    #[test]
    fn a_job_that_meta_never_took_is_found() {
        let found =
            complaints(|findings| findings.entries[1].outcome = EntryOutcome::Refused { code: 131_000, http: 500 });
        assert_eq!(found, ["1 message accepted by the ledger's word, and not in the simulator's log"]);
    }

    #[test]
    fn a_job_that_failed_and_was_taken_all_the_same_is_found() {
        let found = complaints(|findings| findings.rows[0].state = State::Failed);
        assert_eq!(found, ["1 message taken by the simulator, while the ledger says that they were not"]);
    }

    #[test]
    fn a_job_that_never_ends_is_found_unless_somebody_stopped_it() {
        let stuck = |findings: &mut Findings| {
            findings.rows[0].state = State::Queued;
            findings.entries.pop();
        };
        assert_eq!(complaints(stuck), ["1 message not ended, though nothing is left to wait for"]);
        let stopped = complaints(|findings| {
            stuck(findings);
            findings.is_cut_short = true;
        });
        assert_eq!(stopped, Vec::<String>::new());
    }

    #[test]
    fn a_status_that_never_came_is_found_unless_somebody_stopped_it() {
        let told = |findings: &mut Findings| {
            findings.rows[0].state = State::Read;
            findings.webhooks.planned = [("sent", 1), ("delivered", 1), ("read", 2)].into();
        };
        assert_eq!(complaints(told), ["1 message read by the simulator's word or by the ledger's, and not by both"]);
        let stopped = complaints(|findings| {
            told(findings);
            findings.is_cut_short = true;
        });
        assert_eq!(stopped, Vec::<String>::new());
    }

    #[test]
    fn a_stop_that_was_not_heeded_is_found() {
        let heeded = Proof::of(&opted_out(findings(3)));
        assert_eq!((heeded.taken_in, heeded.problems), (5, Vec::new()));
        let mut findings = opted_out(findings(3));
        findings.rows[0].reason = None;
        let found = Proof::of(&findings).problems;
        assert_eq!(found, ["the queued message to …99 did not end as suppressed, though they wrote STOP"]);
    }

    #[test]
    fn an_unresolved_job_may_have_been_taken() {
        let mut findings = findings(3);
        findings.rows[0].state = State::Unresolved;
        let proof = Proof::of(&findings);
        assert_eq!((proof.unresolved_taken, proof.confirmed, proof.problems.len()), (1, 2, 0));
    }
}
