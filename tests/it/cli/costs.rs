//! `tidegate jobs costs`: what Meta priced, in money by a table of the user's.

use std::path::Path;

use serde_json::{Value, json};
use tidegate::clock::Timestamp;
use tidegate::job::JobKey;
use tidegate::ledger::sqlite::{Access, SqliteLedger};
use tidegate::ledger::{Heard, Ledger, Migrate, News, Pricing, StatusNews};

use super::Desk;

const HOUR: i64 = 3_600_000;
/// 2026-11-01, in UTC.
const NOVEMBER: i64 = 1_793_491_200_000;

/// A message and what its delivery was priced as.
struct Told {
    to: &'static str,
    campaign: &'static str,
    at: i64,
    category: &'static str,
    kind: &'static str,
}

const fn told(to: &'static str, campaign: &'static str, at: i64) -> Told {
    Told { to, campaign, at, category: "utility", kind: "regular" }
}

/// Puts jobs in line, and tells that they were delivered, at these prices.
async fn deliver(desk: &Desk, all: &[Told]) {
    let mut statuses = Vec::new();
    for (n, told) in all.iter().enumerate() {
        let id = format!("job-{n}");
        let campaign = if told.campaign.is_empty() { String::new() } else { format!("--campaign {}", told.campaign) };
        desk.run(&format!("send --to {} --text hello --id {id} {campaign}", told.to)).ends_with(0);
        statuses.push(StatusNews {
            key: JobKey::of(None, &id.parse().expect("an id")),
            attempt: 0,
            wamid: format!("wamid.{n}"),
            heard: Heard::Delivered,
            at: Timestamp::from_millis(told.at),
            pricing: Some(Pricing { kind: told.kind.to_owned(), category: told.category.to_owned() }),
        });
    }
    let path = desk.dir.path().join("tidegate-data/ledger.db");
    let ledger = SqliteLedger::open(Path::new(&path), Access::Beside, Migrate::Auto).expect("opened");
    let news = News { statuses, ..News::default() };
    Ledger::Sqlite(ledger).apply(news, Timestamp::from_millis(NOVEMBER)).await.expect("applied");
}

fn row(line: &Value, parts: &[&str]) -> Value {
    let parts: Vec<_> = parts.iter().map(|part| line[*part].clone()).collect();
    json!([parts, line["messages"], line["billable"], line["unpriced"], line["cost"]])
}

#[tokio::test]
async fn messages_cost_what_the_table_says() {
    let desk = Desk::new();
    let free = Told { kind: "free_customer_service", ..told("+447700900002", "", NOVEMBER) };
    let otp = Told { category: "authentication-international", ..told("+447700900003", "", NOVEMBER) };
    deliver(
        &desk,
        &[
            told("+447700900001", "spring", NOVEMBER),
            told("+447700900001", "spring", NOVEMBER + HOUR),
            told("+4915123456789", "spring", NOVEMBER + 25 * HOUR),
            free,
            otp,
            told("+33612345678", "", NOVEMBER),
        ],
    )
    .await;
    desk.write(
        "rates.csv",
        "market,category,price,currency,from\n44,utility,0.0159,GBP,2026-10-01\n44,utility,9,GBP,2027-01-01\n\
         DE,utility,0.05,EUR,\n*,authentication_international,1,USD,\n",
    );
    let line = "jobs costs --rates rates.csv --output jsonl";
    let said = desk.run(line).ends_with(0).says("warning: 1 billable without a price in the table: FR utility 1");
    let lines: Vec<_> =
        said.json_lines().iter().map(|line| row(line, &["day", "campaign", "category", "type"])).collect();
    let expected = [
        json!([["2026-11-01", null, "authentication-international", "regular"], 1, 1, 0,
               [{"amount": "1.00", "currency": "USD"}]]),
        json!([["2026-11-01", null, "utility", "free_customer_service"], 1, 0, 0, []]),
        json!([["2026-11-01", null, "utility", "regular"], 1, 1, 1, []]),
        json!([["2026-11-01", "spring", "utility", "regular"], 2, 2, 0, [{"amount": "0.0318", "currency": "GBP"}]]),
        json!([["2026-11-02", "spring", "utility", "regular"], 1, 1, 0, [{"amount": "0.05", "currency": "EUR"}]]),
    ];
    assert_eq!(lines, expected);

    let by_country = desk.run("jobs costs --rates rates.csv --by country --since 2026-11-02").ends_with(0);
    let table: Vec<_> =
        by_country.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(table[0], "COUNTRY MESSAGES BILLABLE NO PRICE COST");
    assert_eq!(table[2..], ["DE 1 1 0 0.05 EUR"]);
    by_country.says("in all: 1 priced message, 1 billable: 0.05 EUR");

    let west = desk.run("jobs costs --by month --zone -01:00 --output json").ends_with(0).json();
    let months: Vec<_> = west.as_array().expect("a list").iter().map(|line| row(line, &["month"])).collect();
    assert_eq!(months, [json!([["2026-10"], 4, 3, 3, []]), json!([["2026-11"], 2, 2, 2, []])]);
    let spring = desk.run("jobs costs --campaign spring --by campaign --until 2026-11-01 --output json").json();
    assert_eq!(row(&spring[0], &["campaign"]), json!([["spring"], 2, 2, 2, []]));
    assert_eq!(spring.as_array().map(Vec::len), Some(1));
    desk.run("jobs costs --since 2026-12-01").ends_with(0).says("in all: 0 priced messages, 0 billable");
    desk.run("jobs costs").ends_with(0).says("note: no prices without a table of them: --rates");
}

#[tokio::test]
async fn a_volume_tier_counts_the_whole_month() {
    let desk = Desk::new();
    let campaign = |n: i64| if n % 2 == 0 { "a" } else { "b" };
    let all: Vec<_> = (0..6).map(|n| told("+447700900001", campaign(n), NOVEMBER + n * 24 * HOUR)).collect();
    deliver(&desk, &all).await;
    desk.write("tiers.csv", "market,category,price,currency,from_count\n44,utility,0.10,GBP,\n44,utility,0.01,GBP,4\n");
    let cost = |line: &str| {
        let line =
            desk.run(&format!("jobs costs --rates tiers.csv --by campaign --output json {line}")).ends_with(0).json();
        line.as_array().expect("a list").iter().map(|line| line["cost"][0]["amount"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(cost(""), ["0.21", "0.12"]);
    assert_eq!(cost("--campaign b"), ["0.12"]);
    assert_eq!(cost("--since 2026-11-04"), ["0.01", "0.02"]);
}

#[test]
fn a_table_that_says_nonsense_is_refused_by_line_and_column() {
    let desk = Desk::new();
    desk.run("send --to +447700900001 --text hello").ends_with(0);
    desk.write("rates.csv", "market,category,price,currency\n44,tools,0.1,GBP\n*,service,0.1,pounds\n");
    desk.run("jobs costs --rates rates.csv")
        .ends_with(1)
        .says("rates.csv, line 2, category: must be one of marketing, marketing_lite, utility, authentication,")
        .says("rates.csv, line 3, currency: must be three capital letters such as EUR, and is \"pounds\"");
    desk.run("jobs costs --rates nofile").ends_with(1).says("nofile can't be opened");
    desk.run("jobs costs --by colour").ends_with(2).says("[possible values: day, month, campaign, category,");
    desk.run("jobs costs --since 2026-11-02 --until 2026-11-01").ends_with(2).says("2026-11-01 is before 2026-11-02");
    assert!(desk.run("jobs costs --help").ends_with(0).out.contains("44,utility,0.0151,GBP,2026-10-01,100001"));
}
