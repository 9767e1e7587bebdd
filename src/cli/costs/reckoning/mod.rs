//! What the counts of a ledger come to in money: each line of the summary, and what no price was found for.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::By;
use super::country;
use super::money::{Amount, Currency};
use super::rates::{Market, Rates, written};
use crate::ledger::CostRow;

/// A day that dates begin with.
const EPOCH: Date = jiff::civil::date(1970, 1, 1);
/// What stands for a country that nobody knows.
const NOWHERE: &str = "unknown";

/// What to print of the counts.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What lines are told apart by.
    pub by: &'a [By],
    /// From this day on.
    pub since: Option<Date>,
    /// Only this campaign.
    pub campaign: Option<&'a str>,
}

/// A line of the summary.
#[derive(Debug, Default, Serialize)]
pub struct Line {
    /// What it is told apart by; a campaign may be none.
    #[serde(flatten)]
    pub parts: BTreeMap<&'static str, Option<String>>,
    /// Priced messages.
    pub messages: u64,
    /// Of these, delivered and not free.
    pub billable: u64,
    /// Of these, without a price in the table; all, if there is no table.
    pub unpriced: u64,
    /// What the others come to.
    pub cost: Vec<Money>,
}

/// An amount with its currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Money {
    /// How much.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

/// A summary.
#[derive(Debug, Default)]
pub struct Reckoning {
    /// Its lines, in order.
    pub lines: Vec<Line>,
    /// What they come to together.
    pub total: Line,
    /// Billable messages without a price, by country and category.
    pub unpriced: BTreeMap<(String, String), u64>,
}

#[derive(Default)]
struct Sums {
    messages: u64,
    billable: u64,
    unpriced: u64,
    money: BTreeMap<Currency, Amount>,
}

/// How far a month's tiers are filled: by portfolio, market, category, year and month.
type Filled<'a> = BTreeMap<(&'a str, Option<&'a Market>, String, (i16, i8)), u64>;

/// Prices the counts, in their order: with tiers, who comes first in a day pays for the lower ones.
pub fn reckon<'a>(
    rows: &'a [CostRow],
    rates: &'a Rates,
    portfolio_of: impl Fn(&'a str) -> &'a str,
    wanted: &Wanted<'_>,
) -> Reckoning {
    let (mut lines, mut total) = (BTreeMap::<Vec<Option<String>>, Sums>::new(), Sums::default());
    let mut filled: Filled<'a> = BTreeMap::new();
    let mut unpriced = BTreeMap::new();
    for row in rows {
        let day = date(row.day);
        let market = rates.market(&row.place, &row.category);
        let portfolio = row.number.as_deref().map_or("", &portfolio_of);
        let month = (portfolio, market, written(&row.category), (day.year(), day.month()));
        let before = filled.entry(month).or_default();
        let priced = rates.price(market, &row.category, day, *before..*before + row.billable);
        *before += row.billable;
        let is_wanted = wanted.since.is_none_or(|since| day >= since)
            && wanted.campaign.is_none_or(|campaign| row.campaign.as_deref() == Some(campaign));
        if !is_wanted {
            continue;
        }
        let key: Vec<_> = wanted.by.iter().map(|by| part(*by, row, day)).collect();
        for sums in [lines.entry(key).or_default(), &mut total] {
            sums.messages += row.messages;
            sums.billable += row.billable;
            for part in &priced {
                match &part.price {
                    Some((price, currency)) => *sums.money.entry(currency.clone()).or_default() += *price * part.count,
                    None => sums.unpriced += part.count,
                }
            }
        }
        let silent: u64 = priced.iter().filter(|part| part.price.is_none()).map(|part| part.count).sum();
        if silent > 0 {
            *unpriced.entry((country_of(&row.place), row.category.clone())).or_default() += silent;
        }
    }
    let named = |key: Vec<Option<String>>| wanted.by.iter().map(|by| by.as_str()).zip(key).collect();
    let lines = lines.into_iter().map(|(key, sums)| sums.line(named(key))).collect();
    Reckoning { lines, total: total.line(BTreeMap::new()), unpriced }
}

/// The day that is so many after the first of 1970.
pub fn date(days: i64) -> Date {
    EPOCH.saturating_add(jiff::Span::new().days(days.clamp(-700_000, 2_900_000)))
}

impl Sums {
    fn line(self, parts: BTreeMap<&'static str, Option<String>>) -> Line {
        let Self { messages, billable, unpriced, money } = self;
        let cost = money.into_iter().map(|(currency, amount)| Money { amount, currency }).collect();
        Line { parts, messages, billable, unpriced, cost }
    }
}

fn part(by: By, row: &CostRow, day: Date) -> Option<String> {
    match by {
        By::Day => Some(day.to_string()),
        By::Month => Some(format!("{:04}-{:02}", day.year(), day.month())),
        By::Campaign => row.campaign.clone(),
        By::Category => Some(row.category.clone()),
        By::Type => Some(row.kind.clone()),
        By::Country => Some(country_of(&row.place)),
        By::Number => row.number.clone(),
    }
}

fn country_of(place: &str) -> String {
    let found = match place.strip_prefix('+') {
        Some(digits) => country::of_digits(digits).map(|(name, _)| name),
        None => country::named(place).map(|(name, _)| name),
    };
    found.unwrap_or(NOWHERE).to_owned()
}

#[cfg(test)]
mod tests;
