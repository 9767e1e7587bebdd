//! Why a job is where it is, and what moves it on, in a sentence. Pure.

use std::time::Duration;

use crate::cli::holds::{covers, mask, until};
use crate::cli::wording::{Count, moment, relative};
use crate::clock::Timestamp;
use crate::hold::Hold;
use crate::ledger::JobRow;
use crate::outcome::State;

/// A fresh job that is next in line and not taken for so long is probably looked at by nobody.
const UNATTENDED: Duration = Duration::from_secs(5);

/// The sentence; `holds` are those it will meet, `ahead` counts the rows before it in its lane.
pub fn why(job: &JobRow, holds: &[Hold], ahead: Option<u32>, now: Timestamp) -> String {
    match job.state {
        State::Queued | State::Waiting => waits(job, holds, ahead, now),
        State::Sending => {
            let number = job.number.as_deref().unwrap_or("its number");
            let end = job.deadline.map(|at| format!("; without an answer it is unknown {}", relative(at, now)));
            format!("attempt {} is under way at number {number}{}", job.attempts, end.unwrap_or_default())
        }
        State::Unknown => {
            let end = job.deadline.map(|at| format!("its own policy decides {}, ", relative(at, now)));
            format!("perhaps sent, nobody knows; {}`tidegate unknown resolve` decides now", end.unwrap_or_default())
        }
        State::Accepted => "Meta took it".to_owned(),
        State::Sent => "Meta sent it on".to_owned(),
        State::Delivered => "it reached the recipient's phone".to_owned(),
        State::Read => "the recipient opened it".to_owned(),
        State::Failed => format!("it will not go out, after {} attempt{}", job.attempts, plural(job.attempts)),
        State::Expired => format!("its time ran out {} before it could be sent", moment(job.expires_at, now)),
        State::Cancelled => "somebody took it back".to_owned(),
        State::Suppressed => match &job.hold {
            Some(hold) => format!("it met {}", named(hold)),
            None => "it met a hold that ends jobs".to_owned(),
        },
        State::Unresolved => "nobody could find out whether it was sent, and it was left at that".to_owned(),
    }
}

fn waits(job: &JobRow, holds: &[Hold], ahead: Option<u32>, now: Timestamp) -> String {
    if let Some(hold) = &job.hold {
        return format!("it is parked under {}; {}", named(hold), lifted(hold, now));
    }
    if let Some(due) = job.due_at.filter(|due| *due > now) {
        return format!("it is due {}{}", moment(due, now), also(holds, now));
    }
    if let Some(hold) = holds.first() {
        return format!("{} is in its way; {}", named(hold), lifted(hold, now));
    }
    if job.expires_at <= now {
        return "its time is over: it ends as expired when a worker next looks".to_owned();
    }
    let lane = format!("{} of pool {}", job.priority, job.pool);
    match ahead {
        Some(0) if now.since(job.due_at.unwrap_or(job.created_at)) > UNATTENDED => format!(
            "it is next in line ({lane}) and nobody takes it: is a worker running that owns a number of its pool? \
             `tidegate run` starts one, `tidegate numbers list` shows the numbers"
        ),
        Some(0) => format!("it is next in line ({lane})"),
        Some(ahead) => format!("{} before it in line ({lane})", jobs(ahead)),
        None => "a worker has it in hand".to_owned(),
    }
}

/// The ledger counts no further than this.
const COUNTED: u32 = 100_000;

fn jobs(ahead: u32) -> String {
    match ahead {
        1 => "1 job is".to_owned(),
        COUNTED.. => format!("{} jobs or more are", Count(COUNTED.into())),
        _ => format!("{} jobs are", Count(ahead.into())),
    }
}

fn also(holds: &[Hold], now: Timestamp) -> String {
    holds
        .first()
        .map_or_else(String::new, |hold| format!("; then {} is in its way, {}", named(hold), lifted(hold, now)))
}

fn named(hold: &Hold) -> String {
    let mut hold = hold.clone();
    mask(&mut hold);
    format!("hold {} on {}, placed by {} for {}", hold.id.0, covers(&hold.cover), hold.who, hold.reason)
}

fn lifted(hold: &Hold, now: Timestamp) -> String {
    let by_hand = format!("`tidegate holds lift {}` ends it", hold.id.0);
    match (hold.until, hold.probe) {
        (None, _) => by_hand,
        (Some(_), true) => format!("it ends when a job comes through: {}; or {by_hand} now", until(hold, now)),
        (Some(at), false) => format!("it ends {}; or {by_hand} now", moment(at, now)),
    }
}

fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::holds::tests::hold;
    use crate::hold::Scope;
    use crate::job::{JobKey, Priority};
    use crate::outcome::Reason;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn job(state: State) -> JobRow {
        JobRow {
            key: JobKey::from_bytes([7; 16]),
            id: "a".into(),
            source: None,
            state,
            reason: None,
            code: None,
            pool: "default".into(),
            priority: Priority::Bulk,
            campaign: None,
            template: None,
            number: None,
            recipient: "+447700900123".into(),
            category: "marketing".into(),
            attempts: 0,
            wamid: None,
            due_at: None,
            deadline: None,
            expires_at: NOW + Duration::from_secs(3_600),
            created_at: NOW,
            accepted_at: None,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            cost_type: None,
            cost_category: None,
            ended_at: None,
            updated_at: NOW,
            details: None,
            hold: None,
        }
    }

    #[test]
    fn a_job_in_line_says_how_many_are_before_it() {
        let queued = job(State::Queued);
        assert_eq!(why(&queued, &[], Some(0), NOW), "it is next in line (bulk of pool default)");
        assert_eq!(why(&queued, &[], Some(1_234), NOW), "1,234 jobs are before it in line (bulk of pool default)");
        assert_eq!(why(&queued, &[], None, NOW), "a worker has it in hand");
        let later = NOW + Duration::from_secs(60);
        assert!(why(&queued, &[], Some(0), later).contains("is a worker running"));
        assert!(why(&queued, &[], Some(3), NOW + Duration::from_secs(7_200)).contains("its time is over"));
    }

    #[test]
    fn a_held_job_says_which_hold_and_who_ends_it() {
        let hold = hold(Scope::Campaign, "spring");
        let words = "hold 3 on campaign spring, placed by cli:anna for operator";
        let said = why(&job(State::Queued), std::slice::from_ref(&hold), Some(0), NOW);
        assert_eq!(said, format!("{words} is in its way; `tidegate holds lift 3` ends it"));
        let probed = Hold { until: Some(NOW + Duration::from_secs(60)), probe: true, ..hold };
        let parked = JobRow { hold: Some(probed), reason: Some(Reason::Held), ..job(State::Waiting) };
        let said = why(&parked, &[], None, NOW);
        assert!(
            said.starts_with(&format!("it is parked under {words}; it ends when a job comes through: in 1 min")),
            "{said}"
        );
    }

    #[test]
    fn a_held_recipient_is_masked() {
        let parked = JobRow { hold: Some(hold(Scope::Recipient, "+447700900123")), ..job(State::Waiting) };
        let said = why(&parked, &[], None, NOW);
        assert!(said.contains("recipient …23") && !said.contains("900123"), "{said}");
    }

    #[test]
    fn a_retry_says_when_it_goes() {
        let due = JobRow { due_at: Some(NOW + Duration::from_secs(12)), ..job(State::Waiting) };
        assert!(why(&due, &[], Some(0), NOW).starts_with("it is due in 12 s (1970-"));
        let sending = JobRow { attempts: 2, number: Some("1001".into()), deadline: due.due_at, ..job(State::Sending) };
        let said = why(&sending, &[], None, NOW);
        assert_eq!(said, "attempt 2 is under way at number 1001; without an answer it is unknown in 12 s");
    }
}
