//! Why a job is where it is, and what moves it on, in a sentence. Pure.

use std::time::Duration;

use crate::cli::holds::{covers, mask, until};
use crate::cli::wording::{Count, moment, relative};
use crate::clock::Timestamp;
use crate::hold::{Hold, Scope};
use crate::job::Priority;
use crate::ledger::{JobRow, QuotaRow};
use crate::outcome::State;

/// A fresh job that is next in line and not taken for so long is probably looked at by nobody.
const UNATTENDED: Duration = Duration::from_secs(5);

/// What stands around a job.
#[derive(Default)]
pub struct Around {
    /// The holds that it will meet.
    pub holds: Vec<Hold>,
    /// The messaging limits that it waits for.
    pub limits: Vec<QuotaRow>,
    /// How many rows are before it in its lane, as far as counted.
    pub ahead: Option<u32>,
}

/// The sentence.
pub fn why(job: &JobRow, around: &Around, now: Timestamp) -> String {
    match job.state {
        State::Queued | State::Waiting => waits(job, around, now),
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

fn waits(job: &JobRow, around: &Around, now: Timestamp) -> String {
    let Around { holds, limits, ahead } = around;
    if let Some(hold) = job.hold.as_ref().filter(|hold| hold.cover.scope == Scope::Quota) {
        let portfolio = covers(&hold.cover);
        let how = limits.first().map(|limit| format!(": {}", reached(limit, job.priority, now)));
        return format!(
            "it waits for a place, by priority and age (hold {} on {portfolio}){}",
            hold.id.0,
            how.unwrap_or_default()
        );
    }
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
    if let Some(limit) = limits.first().filter(|_| job.priority == Priority::Bulk && ahead.is_some()) {
        let place = match ahead {
            Some(0) | None => format!("it is next in line ({lane})"),
            Some(ahead) => format!("{} before it in line ({lane})", jobs(*ahead)),
        };
        return format!("{place}, of which a few a minute are looked at: {}", reached(limit, job.priority, now));
    }
    match *ahead {
        Some(0) if now.since(job.due_at.unwrap_or(job.created_at)) > UNATTENDED => format!(
            "it is next in line ({lane}) and nobody takes it: is a worker running that owns a number of its pool? \
             `tidegate run` starts one, `tidegate numbers list` shows the numbers"
        ),
        Some(0) => format!("it is next in line ({lane})"),
        Some(ahead) => format!("{} before it in line ({lane})", jobs(ahead)),
        None => "a worker has it in hand".to_owned(),
    }
}

/// How a messaging limit stands, and when there is a place.
fn reached(limit: &QuotaRow, priority: Priority, now: Timestamp) -> String {
    let portfolio =
        if limit.portfolio.is_empty() { "the portfolio" } else { &format!("portfolio {}", limit.portfolio) };
    let taken = format!("{portfolio} has written to {} ", Count(limit.taken));
    let Some(most) = limit.limit else { return format!("{taken}new people, and has no limit any more") };
    let is_ordinary = matches!(priority, Priority::Normal | Priority::Bulk) && limit.reserve > 0;
    let kept =
        if is_ordinary { format!(" ({} are kept for urgent and high)", Count(limit.reserve)) } else { String::new() };
    let next = match limit.place_at(priority) {
        Some(at) if at <= now => "a place is free now".to_owned(),
        Some(at) => format!("the next place is free {}", moment(at, now)),
        None => "there is no place for it under this limit".to_owned(),
    };
    let waiting = if limit.parked > 1 { format!("; {} jobs wait for one", Count(limit.parked)) } else { String::new() };
    format!("{taken}of {} new people{kept}, its messaging limit; {next}{waiting}", Count(most))
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
    use crate::job::JobKey;
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
        let why = |job: &JobRow, ahead, now| why(job, &Around { ahead, ..Around::default() }, now);
        assert_eq!(why(&queued, Some(0), NOW), "it is next in line (bulk of pool default)");
        assert_eq!(why(&queued, Some(1_234), NOW), "1,234 jobs are before it in line (bulk of pool default)");
        assert_eq!(why(&queued, None, NOW), "a worker has it in hand");
        let later = NOW + Duration::from_secs(60);
        assert!(why(&queued, Some(0), later).contains("is a worker running"));
        assert!(why(&queued, Some(3), NOW + Duration::from_secs(7_200)).contains("its time is over"));
    }

    #[test]
    fn a_held_job_says_which_hold_and_who_ends_it() {
        let hold = hold(Scope::Campaign, "spring");
        let words = "hold 3 on campaign spring, placed by cli:anna for operator";
        let said =
            why(&job(State::Queued), &Around { holds: vec![hold.clone()], ahead: Some(0), ..Around::default() }, NOW);
        assert_eq!(said, format!("{words} is in its way; `tidegate holds lift 3` ends it"));
        let probed = Hold { until: Some(NOW + Duration::from_secs(60)), probe: true, ..hold };
        let parked = JobRow { hold: Some(probed), reason: Some(Reason::Held), ..job(State::Waiting) };
        let said = why(&parked, &Around::default(), NOW);
        assert!(
            said.starts_with(&format!("it is parked under {words}; it ends when a job comes through: in 1 min")),
            "{said}"
        );
    }

    #[test]
    fn who_waits_for_a_place_is_told_how_the_limit_stands_and_when_there_is_one() {
        let limit = QuotaRow {
            portfolio: "700".to_owned(),
            limit: Some(250),
            taken: 225,
            reserve: 25,
            ordinary_at: Some(NOW + Duration::from_secs(3_600)),
            urgent_at: Some(NOW),
            parked: 95,
        };
        let stands = "portfolio 700 has written to 225 of 250 new people (25 are kept for urgent and high), its messaging \
                      limit; the next place is free in 1 h (1970-01-01T01:16:40.000Z); 95 jobs wait for one";
        let parked = JobRow { hold: Some(hold(Scope::Quota, "700")), ..job(State::Waiting) };
        let around = Around { limits: vec![limit], ahead: Some(3), ..Around::default() };
        let said = why(&parked, &around, NOW);
        assert_eq!(said, format!("it waits for a place, by priority and age (hold 3 on quota 700): {stands}"));
        let said = why(&job(State::Queued), &around, NOW);
        let place = "3 jobs are before it in line (bulk of pool default)";
        assert_eq!(said, format!("{place}, of which a few a minute are looked at: {stands}"));
        let said = why(&JobRow { priority: Priority::Urgent, ..parked }, &around, NOW);
        assert!(said.contains("225 of 250 new people, its messaging limit; a place is free now"), "{said}");
    }

    #[test]
    fn a_held_recipient_is_masked() {
        let parked = JobRow { hold: Some(hold(Scope::Recipient, "+447700900123")), ..job(State::Waiting) };
        let said = why(&parked, &Around::default(), NOW);
        assert!(said.contains("recipient …23") && !said.contains("900123"), "{said}");
    }

    #[test]
    fn a_retry_says_when_it_goes() {
        let due = JobRow { due_at: Some(NOW + Duration::from_secs(12)), ..job(State::Waiting) };
        assert!(why(&due, &Around::default(), NOW).starts_with("it is due in 12 s (1970-"));
        let sending = JobRow { attempts: 2, number: Some("1001".into()), deadline: due.due_at, ..job(State::Sending) };
        let said = why(&sending, &Around::default(), NOW);
        assert_eq!(said, "attempt 2 is under way at number 1001; without an answer it is unknown in 12 s");
    }
}
