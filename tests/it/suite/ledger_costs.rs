//! How many messages were priced as what.

use std::time::Duration;

use tidegate::clock::Timestamp;
use tidegate::job::Job;
use tidegate::ledger::{CostFilter, CostRow, Heard, Ledger, Pricing, StatusNews};

use super::ledger::*;
use super::ledger_statuses::{accept, failed, status, tell};

const DAY: Duration = Duration::from_secs(86_400);
/// The beginning of a day in UTC.
const MIDNIGHT: Timestamp = Timestamp::from_millis(1_800_057_600_000);
const TODAY: i64 = 20_834;

/// A job of a campaign to somebody.
fn sold(id: &str, campaign: &str, to: &str) -> Job {
    let campaign = (!campaign.is_empty()).then(|| campaign.parse().expect("a campaign"));
    Job { campaign, to: to.parse().expect("a recipient"), ..job(id) }
}

fn priced(id: &str, heard: Heard, at: Timestamp, kind: &str) -> StatusNews {
    let pricing = Some(Pricing { kind: kind.to_owned(), category: "utility".to_owned() });
    StatusNews { pricing, ..status(id, heard, at) }
}

/// What is counted, a line each: day, campaign, type, number, place, messages, billable.
async fn counted(ledger: &Ledger, filter: CostFilter) -> Vec<String> {
    let rows = ledger.costs(filter).await.expect("counted");
    let line = |row: &CostRow| {
        assert_eq!(row.category, "utility");
        let campaign = row.campaign.as_deref().unwrap_or("-");
        let number = row.number.as_deref().unwrap_or("-");
        let CostRow { kind, place, messages, billable, .. } = row;
        format!("{:+} {campaign} {kind} {number} {place} {messages}/{billable}", row.day - TODAY)
    };
    rows.iter().map(line).collect()
}

fn by(digits: u32) -> CostFilter {
    CostFilter { digits, ..CostFilter::default() }
}

pub async fn prices_are_counted_by_day_campaign_and_country(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    let (today, tomorrow) = (MIDNIGHT + Duration::from_secs(3_600), MIDNIGHT + DAY);
    for (id, campaign, to, at) in [
        ("a", "spring", "+447700900001", today),
        ("b", "spring", "+447700900002", today),
        ("c", "spring", "+442079460001", today),
        ("d", "", "+14165550001", today),
        ("e", "", "US.13491208655302741918", today),
        ("f", "spring", "+447700900003", tomorrow),
    ] {
        accept(&steps, sold(id, campaign, to)).await;
        tell(ledger, vec![priced(id, Heard::Delivered, at, "regular")]).await;
    }
    // Nobody said what this one costs.
    accept(&steps, sold("silent", "spring", "+447700900004")).await;
    tell(ledger, vec![status("silent", Heard::Delivered, today)]).await;
    let expected = [
        "+0 - regular - +1416 1/1",
        "+0 - regular - US 1/1",
        "+0 spring regular - +4420 1/1",
        "+0 spring regular - +4477 2/2",
        "+1 spring regular - +4477 1/1",
    ];
    assert_eq!(counted(ledger, by(4)).await, expected);
    let expected = ["+0 - regular - + 1/1", "+0 - regular - US 1/1", "+0 spring regular - + 3/3"];
    assert_eq!(counted(ledger, by(0)).await[..3], expected);
    // Where the day begins earlier, and each number for itself.
    let filter = CostFilter { by_number: true, zone_ms: -7_200_000, ..by(1) };
    let expected = [
        "-1 - regular 1001 +1 1/1",
        "-1 - regular 1001 US 1/1",
        "-1 spring regular 1001 +4 3/3",
        "+0 spring regular 1001 +4 1/1",
    ];
    assert_eq!(counted(ledger, filter).await, expected);
}

pub async fn only_what_was_delivered_and_is_not_free_is_billed(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for id in ["sent", "delivered", "read", "free", "entry", "failed"] {
        accept(&steps, sold(id, "", "+447700900001")).await;
    }
    let told = vec![
        priced("sent", Heard::Sent, MIDNIGHT, "regular"),
        priced("delivered", Heard::Sent, MIDNIGHT, "regular"),
        status("delivered", Heard::Delivered, MIDNIGHT + DAY),
        priced("read", Heard::Read, MIDNIGHT, "regular"),
        priced("free", Heard::Delivered, MIDNIGHT, "free_customer_service"),
        priced("entry", Heard::Delivered, MIDNIGHT, "free_entry_point"),
        priced("failed", Heard::Sent, MIDNIGHT, "regular"),
        status("failed", failed(131_026), MIDNIGHT),
    ];
    tell(ledger, told.clone()).await;
    tell(ledger, told).await;
    let expected = [
        "+0 - free_customer_service - + 1/0",
        "+0 - free_entry_point - + 1/0",
        "+0 - regular - + 3/1",
        "+1 - regular - + 1/1",
    ];
    assert_eq!(counted(ledger, by(0)).await, expected);
}

pub async fn prices_of_a_time_or_a_campaign_are_counted_alone(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    for day in 0..4 {
        for campaign in ["spring", "autumn"] {
            let id = format!("{campaign}-{day}");
            let created = MIDNIGHT + DAY * day;
            let job = sold(&id, campaign, "+447700900001");
            let job = Job { enqueued_at: created, expires_at: created + DAY, ..job };
            steps.enqueue(job.clone(), created).await;
            steps.claim(9, 9, created).await;
            let admission = go(steps.admit(job, created).await);
            steps.settle(&admission, accepted(), created).await;
            tell(ledger, vec![priced(&id, Heard::Delivered, created, "regular")]).await;
        }
    }
    let (since, until) = (Some(MIDNIGHT + DAY), Some(MIDNIGHT + DAY * 3));
    let expected = [
        "+1 autumn regular - + 1/1",
        "+1 spring regular - + 1/1",
        "+2 autumn regular - + 1/1",
        "+2 spring regular - + 1/1",
    ];
    assert_eq!(counted(ledger, CostFilter { since, until, ..by(0) }).await, expected);
    let campaign = Some("spring".to_owned());
    let expected = ["+1 spring regular - + 1/1", "+2 spring regular - + 1/1"];
    assert_eq!(counted(ledger, CostFilter { since, until, campaign, ..by(0) }).await, expected);
    assert_eq!(counted(ledger, by(0)).await.len(), 8);
    let since = Some(MIDNIGHT + DAY * 9);
    assert!(counted(ledger, CostFilter { since, ..by(0) }).await.is_empty());
}

pub async fn a_forgotten_person_is_counted_without_a_place(ledger: &Ledger) {
    let steps = Steps::new(ledger).await;
    accept(&steps, sold("a", "", "+447700900001")).await;
    tell(ledger, vec![priced("a", Heard::Delivered, MIDNIGHT, "regular")]).await;
    ledger.erase("+447700900001".to_owned(), MIDNIGHT).await.expect("erased");
    assert_eq!(counted(ledger, by(4)).await, ["+0 - regular -  1/1"]);
}
