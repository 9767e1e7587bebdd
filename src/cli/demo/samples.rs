//! Findings to reckon and a reckoning to draw, for tests.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::desk::{Book, Handed, Kind};
use super::figures::Spread;
use super::optout::{OptOut, Record};
use super::proof::Proof;
use super::reckoning::{Cause, Findings, NumberRecord, Reckoning, Retry};
use super::stage::CAST;
use super::statuses::{Returned, Statuses};
use super::story::{Event, Step, Story};
use super::text::{Line, Look};
use crate::clock::Timestamp;
use crate::job::{JobKey, Priority};
use crate::ledger::JobRow;
use crate::outcome::{Reason, State};
use crate::sim::{Entry, EntryOutcome, WebhookCounts};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Lines as a pipe gets them.
pub fn shown(lines: &[Line]) -> String {
    let look = Look { width: 80, colours: false, unicode: true };
    lines.iter().map(|line| line.shown(look) + "\n").collect()
}

/// As after a good run.
pub fn reckoning() -> Reckoning {
    let spread = |median, p99, longest| Spread { count: 5_000, median: ms(median), p99: ms(p99), longest: ms(longest) };
    let cause = |reason, code, count| Cause { reason: Some(reason), code, count };
    Reckoning {
        lasted: ms(31_200),
        taken_by_meta: 5_043,
        numbers: CAST
            .iter()
            .map(|player| NumberRecord {
                player: *player,
                accepted: 2_345,
                worst_second: player.limit as usize,
                average: 79.24,
                too_fast: 0,
                history: vec![80.0; 70],
                was_rested: player.limit == 20,
            })
            .collect(),
        outcomes: BTreeMap::from([
            (State::Accepted, vec![Cause { reason: None, code: None, count: 5_033 }]),
            (State::Failed, vec![cause(Reason::NotOnWhatsapp, Some(131_026), 50)]),
            (State::Expired, vec![cause(Reason::TooLate, None, 5)]),
            (State::Unresolved, vec![cause(Reason::Left, None, 10)]),
        ]),
        retries: vec![
            Retry { reason: Reason::MetaUnknown, code: Some(131_000), times: 61, jobs: 33, came_through: 32 },
            Retry { reason: Reason::NotTaken, code: None, times: 24, jobs: 15, came_through: 15 },
            Retry { reason: Reason::LastLook, code: None, times: 2, jobs: 2, came_through: 2 },
        ],
        latencies: vec![(Kind::Password, spread(8, 21, 30)), (Kind::Campaign, spread(14_200, 28_900, 29_800))],
        most_ahead: Some((4_893, ms(9))),
        returned: Returned {
            statuses: Statuses { sent: 5_033, delivered: 4_890, read: 3_420 },
            webhooks: WebhookCounts { repeats: 271, disordered: 98, posted: 1_812, ..WebhookCounts::default() },
            settled: 5,
        },
        opt_out: Some(Record {
            name: "…99".to_owned(),
            in_line: 3_745,
            is_suppressed: true,
            sent_after: 0,
            password_took: Some(ms(8)),
        }),
        story: Some(story()),
        proof: Proof {
            taken_in: 5_098,
            states: vec![(State::Accepted, 5_033), (State::Failed, 50), (State::Expired, 5), (State::Unresolved, 10)],
            confirmed: 5_033,
            unresolved_taken: 5,
            doubled: 0,
            told: Statuses { sent: 5_033, delivered: 4_890, read: 3_420 },
            problems: Vec::new(),
        },
        duplicates: 25,
        dead: vec!["message.text.body: 4,290 characters, at most 4,096".to_owned()],
        is_cut_short: false,
    }
}

fn story() -> Story {
    let waited = |reason, code| Event::Waited {
        number: Some(CAST[0].display),
        reason,
        code: Some(code),
        again_in: Some(ms(840)),
    };
    Story {
        id: "spring-sale-01208".to_owned(),
        steps: vec![
            Step { after: ms(0), event: Event::TakenIn { ahead: 1_207 } },
            Step { after: ms(7_100), event: waited(Reason::MetaUnknown, 131_000) },
            Step { after: ms(7_940), event: waited(Reason::ServiceUnavailable, 131_016) },
            Step { after: ms(9_000), event: Event::Accepted { number: CAST[1].display, attempt: 3 } },
        ],
    }
}

/// As after one that was stopped, and lost something.
pub fn troubled() -> Reckoning {
    let mut reckoning = reckoning();
    reckoning.is_cut_short = true;
    reckoning.proof.problems = vec!["3 messages sent twice".to_owned()];
    reckoning.numbers[0].too_fast = 4;
    reckoning.outcomes.insert(State::Queued, vec![Cause { reason: None, code: None, count: 2_000 }]);
    reckoning
}

/// A job of the campaign that Meta took at its first attempt: key, what its producer noted, row, request.
fn accepted_job(place: u8) -> (JobKey, Handed, JobRow, Entry) {
    let key = JobKey::from_bytes([place; 16]);
    let now = Timestamp::from_millis(1_000_000 + i64::from(place));
    let wamid = Some(format!("wamid.{place}"));
    let row = JobRow {
        key,
        id: format!("spring-sale-{place:05}"),
        source: Some("demo".to_owned()),
        state: State::Accepted,
        reason: None,
        code: None,
        pool: "default".to_owned(),
        priority: Priority::Bulk,
        campaign: Some("spring-sale".to_owned()),
        template: None,
        number: Some(CAST[0].id.to_owned()),
        recipient: "+12015550100".to_owned(),
        category: "marketing".to_owned(),
        attempts: 1,
        wamid: wamid.clone(),
        due_at: None,
        deadline: None,
        expires_at: now,
        created_at: now,
        accepted_at: Some(now),
        sent_at: None,
        delivered_at: None,
        read_at: None,
        cost_type: None,
        cost_category: None,
        ended_at: Some(now),
        updated_at: now,
        details: None,
        hold: None,
    };
    let at_ns = 1_000_000_000 + u64::from(place) * 12_500_000;
    let entry = Entry {
        seq: place.into(),
        at_ns,
        unix_ms: 0,
        number: CAST[0].id.into(),
        recipient: String::new(),
        wamid,
        callback: Some(format!("{key}:1")),
        kind: None,
        category: None,
        outcome: EntryOutcome::Accepted,
    };
    (key, Handed { kind: Kind::Campaign, at_ns: 0, ahead: 0 }, row, entry)
}

/// So many jobs that all went well; rows come the newest first.
pub fn findings(count: u8) -> Findings {
    let jobs: Vec<_> = (1..=count).map(accepted_job).collect();
    Findings {
        book: Book { jobs: jobs.iter().map(|(key, handed, ..)| (*key, *handed)).collect(), ..Book::default() },
        rows: jobs.iter().rev().map(|(_, _, row, _)| row.clone()).collect(),
        trails: HashMap::new(),
        entries: jobs.into_iter().map(|(.., entry)| entry).collect(),
        worst_seconds: vec![80, 0, 0],
        histories: vec![Vec::new(); 3],
        rested: vec![false; 3],
        webhooks: WebhookCounts::default(),
        opt_out: None,
        is_cut_short: false,
    }
}

/// The same, and somebody wrote STOP: their message of the campaign was suppressed, their password went out.
pub fn opted_out(mut findings: Findings) -> Findings {
    let recipient = "+12015550199";
    let (message, handed, mut row, _) = accepted_job(250);
    (row.state, row.reason, row.wamid, row.number) = (State::Suppressed, Some(Reason::OptedOut), None, None);
    findings.book.jobs.insert(message, handed);
    let (password, _, login, mut entry) = accepted_job(251);
    entry.recipient = recipient.to_owned();
    let at_ns = entry.at_ns - 8_000_000;
    findings.book.jobs.insert(password, Handed { kind: Kind::Password, at_ns, ahead: 3_000 });
    findings.rows.splice(0..0, [row, login]);
    findings.entries.push(entry);
    findings.opt_out = Some(OptOut {
        recipient: recipient.to_owned(),
        message,
        said_ns: at_ns - 1_000_000_000,
        in_line: 3_745,
        password: Some(password),
        ended: Some(State::Suppressed),
    });
    findings
}
