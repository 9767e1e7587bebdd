//! The user's rate table: what a message costs, by the recipient's market and its category.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

use csv::StringRecord;
use jiff::civil::Date;

use super::country;
use super::money::{Amount, Currency};

/// Meta's categories, as they are written here; in webhooks some have a `-` for the `_`.
const CATEGORIES: [&str; 7] = [
    "marketing",
    "marketing_lite",
    "utility",
    "authentication",
    "authentication_international",
    "service",
    "referral_conversion",
];
const COLUMNS: [&str; 6] = ["market", "category", "price", "currency", "from", "from_count"];
/// These may be left out.
const OPTIONAL: usize = 2;
/// A calling code with an area code.
const MOST_DIGITS: usize = 7;
/// So many problems of a table are told.
const TOLD: usize = 20;

/// Whose messages a rate is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Market {
    /// Phone numbers that begin so.
    Code(String),
    /// A country.
    Country(&'static str),
    /// Whom no other line is for.
    Rest,
}

/// What messages of one market and category cost from a day on.
#[derive(Debug, Default)]
struct Tiers(BTreeMap<u64, (Amount, Currency)>);

/// A rate table.
#[derive(Debug, Default)]
pub struct Rates {
    by_market: BTreeMap<Market, BTreeMap<&'static str, BTreeMap<Date, Tiers>>>,
    /// A price depends on how many messages went before in the month.
    pub has_tiers: bool,
}

/// Some messages at one price.
#[derive(Debug, PartialEq, Eq)]
pub struct Priced {
    /// How many.
    pub count: u64,
    /// What each costs; none if the table does not say.
    pub price: Option<(Amount, Currency)>,
}

impl Rates {
    /// Reads a table with its problems, if any, by line and column.
    pub fn read(input: impl Read) -> Result<Self, Vec<String>> {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(input);
        let mut records = reader.records();
        let head = match records.next() {
            Some(Ok(head)) => head,
            Some(Err(error)) => return Err(vec![format!("line 1: this is no CSV: {error}")]),
            None => return Err(vec![format!("the file is empty: its first line must be {}", COLUMNS.join(","))]),
        };
        let places = places(&head).map_err(|problem| vec![problem])?;
        let (mut rates, mut problems) = (Self::default(), Vec::new());
        for record in records {
            let line = match record {
                Ok(record) => {
                    let line = record.position().map_or(0, csv::Position::line);
                    rates
                        .add(&Cells { places: &places, record: &record })
                        .map_err(|problem| format!("line {line}, {problem}"))
                }
                Err(error) => Err(format!("this is no CSV: {error}")),
            };
            problems.extend(line.err());
            if problems.len() > TOLD {
                problems[TOLD] = "and more".to_owned();
                break;
            }
        }
        if problems.is_empty() { Ok(rates) } else { Err(problems) }
    }

    fn add(&mut self, cells: &Cells<'_>) -> Result<(), String> {
        let market = market(cells.cell("market"))?;
        let category = category(cells.cell("category"))?;
        let price: Amount = cells.cell("price").parse().map_err(|()| {
            cells.refused("price", "a decimal such as 0.0535, with at most six digits after the point")
        })?;
        let currency: Currency = cells
            .cell("currency")
            .parse()
            .map_err(|()| cells.refused("currency", "three capital letters such as EUR"))?;
        let from = match cells.cell("from") {
            "" => Date::MIN,
            day => day.parse().map_err(|_| cells.refused("from", "a day such as 2026-10-01, or nothing"))?,
        };
        let from_count = match cells.cell("from_count") {
            "" => 1,
            count => count.parse().map(|count: u64| count.max(1)).map_err(|_| {
                cells.refused("from_count", "from which message of a month on, such as 100001, or nothing")
            })?,
        };
        self.has_tiers |= from_count > 1;
        let days = self.by_market.entry(market).or_default().entry(category).or_default();
        match days.entry(from).or_default().0.insert(from_count, (price, currency)) {
            None => Ok(()),
            Some(_) => Err("market: this market has a price for this category, from and from_count already".to_owned()),
        }
    }

    /// How many first digits of a phone number tell every market of the table.
    pub fn digits(&self) -> u32 {
        let digits = self.by_market.keys().map(|market| match market {
            Market::Code(code) => u32::try_from(code.len()).unwrap_or(0),
            Market::Country(_) => country::DIGITS,
            Market::Rest => 0,
        });
        digits.max().unwrap_or(0)
    }

    /// Which market with a price for this category a recipient's place falls under; the one that says most of it.
    pub fn market(&self, place: &str, category: &str) -> Option<&Market> {
        let category = written(category);
        let known = |market: Market| {
            let (market, by_category) = self.by_market.get_key_value(&market)?;
            by_category.contains_key(category.as_str()).then_some(market)
        };
        let (country, said_by, digits) = match place.strip_prefix('+') {
            Some(digits) => {
                let found = country::of_digits(digits);
                (found.map(|(name, _)| name), found.map_or(0, |(_, length)| length), digits)
            }
            None => {
                let found = country::named(place);
                (found.map(|(name, _)| name), usize::MAX, found.map_or("", |(_, code)| code))
            }
        };
        let by_country = country.and_then(|name| known(Market::Country(name)));
        let by_code = (1..=digits.len())
            .rev()
            .find_map(|length| Some((known(Market::Code(digits.get(..length)?.to_owned()))?, length)));
        match (by_country, by_code) {
            (Some(country), Some((_, length))) if said_by > length => Some(country),
            (_, Some((code, _))) => Some(code),
            (Some(country), None) => Some(country),
            (None, None) => known(Market::Rest),
        }
    }

    /// What messages of a day cost; the range says which they are of their month, market and category, from 0.
    pub fn price(&self, market: Option<&Market>, category: &str, day: Date, messages: Range<u64>) -> Vec<Priced> {
        let days = market.and_then(|market| self.by_market.get(market)?.get(written(category).as_str()));
        let Some((_, tiers)) = days.and_then(|days| days.range(..=day).next_back()) else {
            return vec![Priced { count: messages.end - messages.start, price: None }];
        };
        let mut priced = Vec::new();
        // Tiers begin at the n-th message: n - 1 went before.
        let Range { start: mut at, end } = messages;
        while at < end {
            let next = tiers.0.range(at.saturating_add(2)..).next().map_or(u64::MAX, |(from, _)| from - 1);
            let price = tiers.0.range(..=at.saturating_add(1)).next_back().map(|(_, price)| price.clone());
            let upto = next.min(end);
            priced.push(Priced { count: upto - at, price });
            at = upto;
        }
        priced
    }
}

/// A category as the table writes it.
pub fn written(category: &str) -> String {
    category.to_ascii_lowercase().replace('-', "_")
}

struct Cells<'a> {
    places: &'a BTreeMap<&'static str, usize>,
    record: &'a StringRecord,
}

impl<'a> Cells<'a> {
    fn cell(&self, column: &str) -> &'a str {
        self.places.get(column).and_then(|place| self.record.get(*place)).unwrap_or("")
    }

    fn refused(&self, column: &str, allowed: &str) -> String {
        refused(column, self.cell(column), allowed)
    }
}

fn refused(column: &str, found: &str, allowed: &str) -> String {
    format!("{column}: must be {allowed}, and is \"{found}\"")
}

/// Where each column is.
fn places(head: &StringRecord) -> Result<BTreeMap<&'static str, usize>, String> {
    let mut places = BTreeMap::new();
    let allowed = || format!("the columns are {}; the last two may be left out", COLUMNS.join(", "));
    for (place, title) in head.iter().enumerate() {
        let title = title.trim_start_matches('\u{feff}').to_ascii_lowercase();
        let Some(column) = COLUMNS.iter().find(|column| **column == title) else {
            return Err(format!("line 1: there is no column \"{title}\": {}", allowed()));
        };
        if places.insert(*column, place).is_some() {
            return Err(format!("line 1: column {column} stands twice"));
        }
    }
    match COLUMNS[..COLUMNS.len() - OPTIONAL].iter().find(|column| !places.contains_key(*column)) {
        Some(column) => Err(format!("line 1: column {column} is missing: {}", allowed())),
        None => Ok(places),
    }
}

fn market(text: &str) -> Result<Market, String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if text == "*" {
        return Ok(Market::Rest);
    }
    if (1..=MOST_DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Market::Code(digits.to_owned()));
    }
    country::named(text).map(|(name, _)| Market::Country(name)).ok_or_else(|| {
        refused("market", text, "a calling code such as 44, a country such as GB (ISO 3166), or * for the rest")
    })
}

fn category(text: &str) -> Result<&'static str, String> {
    let asked = written(text);
    let found = CATEGORIES.iter().find(|category| **category == asked).copied();
    found.ok_or_else(|| refused("category", text, &format!("one of {}", CATEGORIES.join(", "))))
}

#[cfg(test)]
mod tests;
