//! Sums over counts that a ledger might give.

use super::*;

fn row(day: i64, campaign: &str, place: &str, billable: u64) -> CostRow {
    CostRow {
        day,
        campaign: Some(campaign.to_owned()).filter(|campaign| !campaign.is_empty()),
        category: "utility".to_owned(),
        kind: "regular".to_owned(),
        number: Some("1001".to_owned()),
        place: place.to_owned(),
        messages: billable,
        billable,
    }
}

fn rates(lines: &str) -> Rates {
    Rates::read(format!("market,category,price,currency,from,from_count\n{lines}").as_bytes()).expect("a table")
}

fn said(line: &Line) -> String {
    let cost = line.cost.iter().map(|money| format!(" {} {}", money.amount, money.currency)).collect::<String>();
    let parts: Vec<_> = line.parts.values().map(|part| part.clone().unwrap_or_default()).collect();
    format!("{} {}/{}/{}{cost}", parts.join(" "), line.messages, line.billable, line.unpriced)
}

const ALL: Wanted<'_> = Wanted { by: &[By::Day], since: None, campaign: None };

#[test]
fn days_are_counted_from_1970() {
    assert_eq!(date(0).to_string(), "1970-01-01");
    assert_eq!(date(20_778).to_string(), "2026-11-21");
}

#[test]
fn money_of_each_currency_is_summed_for_itself_and_silence_is_told() {
    let rates = rates("44,utility,0.1,GBP,,\n49,utility,0.2,EUR,,\n");
    let rows = [row(0, "", "+44", 3), row(0, "", "+49", 2), row(0, "", "+33", 4), row(1, "", "+44", 1)];
    let reckoning = reckon(&rows, &rates, |_| "", &ALL);
    let lines: Vec<_> = reckoning.lines.iter().map(said).collect();
    assert_eq!(lines, ["1970-01-01 9/9/4 0.40 EUR 0.30 GBP", "1970-01-02 1/1/0 0.10 GBP"]);
    assert_eq!(said(&reckoning.total), " 10/10/4 0.40 EUR 0.40 GBP");
    assert_eq!(reckoning.unpriced, BTreeMap::from([(("FR".to_owned(), "utility".to_owned()), 4)]));
}

#[test]
fn a_tier_is_filled_by_the_whole_portfolio_and_month() {
    let rates = rates("44,utility,3,USD,,\n44,utility,1,USD,,11\n");
    let rows = [row(3, "a", "+44", 8), row(3, "b", "+44", 8), row(5, "a", "+44", 8), row(31, "a", "+44", 8)];
    // What came before the first day that is asked for, and other campaigns, fill it too.
    let wanted = Wanted { by: &[By::Month, By::Campaign], since: Some(date(4)), campaign: Some("a") };
    let reckoning = reckon(&rows, &rates, |_| "p", &wanted);
    let lines: Vec<_> = reckoning.lines.iter().map(said).collect();
    assert_eq!(lines, ["a 1970-01 8/8/0 8.00 USD", "a 1970-02 8/8/0 24.00 USD"]);
    let all = reckon(&rows, &rates, |_| "p", &Wanted { by: &[By::Campaign], ..ALL });
    let lines: Vec<_> = all.lines.iter().map(said).collect();
    assert_eq!(lines, ["a 24/24/0 56.00 USD", "b 8/8/0 12.00 USD"]);
    let mut two = rows.to_vec();
    two[2].number = Some("2002".to_owned());
    let apart = reckon(&two, &rates, |number| number, &Wanted { by: &[By::Number], ..ALL });
    let lines: Vec<_> = apart.lines.iter().map(said).collect();
    assert_eq!(lines, ["1001 24/24/0 60.00 USD", "2002 8/8/0 24.00 USD"]);
}

#[test]
fn without_a_table_nothing_has_a_price() {
    let free = CostRow { messages: 5, billable: 0, kind: "free_entry_point".to_owned(), ..row(0, "", "+4477", 0) };
    let rows = [row(0, "", "GB", 1), row(0, "", "", 1), free];
    let reckoning = reckon(&rows, &Rates::default(), |_| "", &Wanted { by: &[By::Country], ..ALL });
    let lines: Vec<_> = reckoning.lines.iter().map(said).collect();
    assert_eq!(lines, ["GB 6/1/1", "unknown 1/1/1"]);
}
