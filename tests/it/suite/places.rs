//! Letters to many people, and the places that a portfolio has for them.

use std::time::Duration;

use tidegate::hold::HoldId;
use tidegate::job::{Job, Priority};
use tidegate::ledger::{
    Admission, AdmitRequest, Admitted, FleetRow, LaneRoom, Ledger, MessagingLimit, PORTFOLIO, QuotaRow, QuotaRules,
};

use super::bench::Bench;
use super::ledger::*;

pub const DAY: i64 = 24 * 60 * 60;
pub const HOUR: i64 = 60 * 60;
/// So long an attempt may take.
pub const TAKES: i64 = 30;
/// The portfolio of [`NUMBER`].
pub const OWN: &str = "portfolio";

/// So many places a day, for whoever comes first.
pub fn limit(limit: u64) -> QuotaRules {
    QuotaRules {
        limit: Some(limit),
        reserve: 0.0,
        used_elsewhere: 0,
        window: Duration::from_secs(u64::try_from(DAY).expect("a day")),
    }
}

/// One of many people.
pub fn person(n: u32) -> String {
    format!("+4915{n:09}")
}

/// A template for a person, worth sending for days.
pub fn letter(name: &str, n: u32) -> Job {
    Job { expires_at: at(9 * DAY), ..to(&person(n), job(name)) }
}

pub fn with(priority: Priority, job: Job) -> Job {
    Job { priority, ..job }
}

pub fn lane(priority: Priority, timed: u32, fresh: u32) -> LaneRoom {
    LaneRoom { priority, ..room(timed, fresh) }
}

/// What is asked at a moment must be answered a little later.
pub fn timely(request: AdmitRequest, now: i64) -> AdmitRequest {
    AdmitRequest { deadline: at(now + TAKES), ..request }
}

/// Asks for a letter that the broker delivered.
pub async fn ask(steps: &Steps<'_>, job: Job, now: i64) -> Admitted {
    steps.ask(timely(steps.delivery(job), now), at(now)).await
}

/// Asks for a letter that was claimed.
pub async fn ask_claimed(steps: &Steps<'_>, job: Job, now: i64) -> Admitted {
    steps.ask(timely(steps.request(job), now), at(now)).await
}

/// Begins an attempt.
pub async fn begin(steps: &Steps<'_>, job: Job, now: i64) -> Admission {
    go(ask(steps, job, now).await)
}

/// Sends a letter, and Meta takes it.
pub async fn send(steps: &Steps<'_>, job: Job, now: i64) {
    let admission = begin(steps, job, now).await;
    steps.settle(&admission, accepted(), at(now)).await;
}

/// Asks for a letter that finds no place, and says under which hold it waits.
pub async fn park(steps: &Steps<'_>, job: Job, now: i64) -> HoldId {
    match ask(steps, job, now).await {
        Admitted::Parked(hold) => hold,
        other => panic!("not parked: {other:?}"),
    }
}

/// How the portfolio's places stand.
pub async fn quota(bench: &Bench, now: i64) -> Option<QuotaRow> {
    let rows = bench.quotas(at(now)).await.expect("listed");
    rows.into_iter().find(|row| row.portfolio == OWN)
}

/// How many places are taken.
pub async fn taken(bench: &Bench, now: i64) -> u64 {
    quota(bench, now).await.map_or(0, |row| row.taken)
}

/// Meta says how much the portfolio may send.
pub async fn say_limit(ledger: &Ledger, limit: MessagingLimit, now: i64) {
    let (field, value) = limit.field();
    let fields = serde_json::json!({ field: value }).to_string();
    let (kind, id, parent) = (PORTFOLIO.to_owned(), OWN.to_owned(), String::new());
    ledger.fleet_put(vec![FleetRow { kind, id, parent, fields, read_at: at(now) }]).await.expect("put");
}
