//! `tidegate jobs costs`: what messages cost, as Meta priced them and a rate table of the user's says.

mod country;
mod money;
mod rates;
mod reckoning;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use self::rates::Rates;
use self::reckoning::{Line, Reckoning, Wanted, date, reckon};
use super::args;
use super::context::{Context, field};
use super::exit::{BadUsage, Exit};
use super::output::{Column, Output, counts, words};
use super::wording::{Count, counted, say};
use crate::clock::{self, Timestamp};
use crate::job::Campaign;
use crate::ledger::{CostFilter, Ledger};
use crate::outcome;

const DAY: Duration = Duration::from_secs(86_400);
/// So many kinds of messages without a price are named.
const NAMED: usize = 10;

outcome::words! {
    /// What lines of the summary are told apart by.
    By {
        /// The day of delivery.
        Day = "day",
        /// Its month.
        Month = "month",
        /// The campaign.
        Campaign = "campaign",
        /// Meta's category.
        Category = "category",
        /// Meta's type: regular, free_customer_service, free_entry_point.
        Type = "type",
        /// The recipient's country.
        Country = "country",
        /// The number that sent.
        Number = "number",
    }
}

/// Told at the end of `--help`.
pub const ABOUT_RATES: &str = "\
The rate table:
  A CSV file with the prices of Meta's rate card, for example

    market,category,price,currency,from,from_count
    44,marketing,0.0382,GBP,2026-10-01,
    44,utility,0.0159,GBP,2026-10-01,
    44,utility,0.0151,GBP,2026-10-01,100001
    DE,marketing,0.1131,EUR,,
    1,marketing,0.0250,USD,,
    *,marketing,0.0604,USD,,

  market      a calling code with or without +, a country (ISO 3166), or * for the rest; where
              several fit, the one that says most of the phone number wins
  category    marketing, marketing_lite, utility, authentication, authentication_international,
              service or referral_conversion
  price       of one message, with at most six digits after the point
  currency    three capital letters
  from        from which day on; optional (Meta changes prices on the first of January, April,
              July and October)
  from_count  from which message of a calendar month on, counted by portfolio, market and
              category; optional (volume tiers)

What is counted:
  Messages that Meta has priced, each once, on the day of its delivery (until then, on the day it
  was sent). Billable is what was delivered and is not free (free_customer_service,
  free_entry_point). Jobs that the ledger has forgotten (see `retention`) are not in the sum.";

/// Flags of `tidegate jobs costs`.
#[derive(Args, Debug)]
#[command(after_long_help = ABOUT_RATES)]
pub struct Costs {
    /// A table of prices: Meta's webhooks say how a message is priced, not at what (see --help)
    #[arg(long, value_name = "CSV")]
    rates: Option<PathBuf>,
    /// From this day on ("2026-11-01"), or so many days back ("7d")
    #[arg(long, value_name = "DAY")]
    since: Option<Day>,
    /// Up to this day, and with it
    #[arg(long, value_name = "DAY")]
    until: Option<Day>,
    /// Only this campaign
    #[arg(long)]
    campaign: Option<Campaign>,
    /// What lines are told apart by; several with commas
    #[arg(long, value_delimiter = ',', default_value = "day,campaign,category,type", value_name = "WHAT",
          value_parser = args::word(By::ALL, By::as_str))]
    by: Vec<By>,
    /// When days begin: an offset from UTC ("+02:00")
    #[arg(long, default_value = "+00:00", allow_hyphen_values = true, value_name = "OFFSET")]
    zone: Zone,
}

/// A day, as it is written or so many back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Day {
    On(Date),
    Back(u16),
}

/// How far days are ahead of UTC, in minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Zone(i32);

fn columns(by: &[By]) -> Vec<Column<Line>> {
    let column = |by: &By| match by {
        By::Day => words("DAY", |line: &Line| part(line, By::Day)),
        By::Month => words("MONTH", |line| part(line, By::Month)),
        By::Campaign => words("CAMPAIGN", |line| part(line, By::Campaign)),
        By::Category => words("CATEGORY", |line| part(line, By::Category)),
        By::Type => words("TYPE", |line| part(line, By::Type)),
        By::Country => words("COUNTRY", |line| part(line, By::Country)),
        By::Number => words("NUMBER", |line| part(line, By::Number)),
    };
    let figures = [
        counts("MESSAGES", |line: &Line| Count(line.messages).to_string()),
        counts("BILLABLE", |line| Count(line.billable).to_string()),
        counts("NO PRICE", |line| Count(line.unpriced).to_string()),
        counts("COST", cost),
    ];
    by.iter().map(column).chain(figures).collect()
}

impl Costs {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let rates = self.rates.as_ref().map(read_rates).transpose()?;
        let (since, until) = self.days()?;
        let ledger = context.ledger(&context.config()?).await?;
        let reckoning = self.reckon(&ledger, rates.as_ref(), since, until).await?;
        context.output.list(&reckoning.lines, &columns(&self.by))?;
        if context.output == Output::Table {
            say(in_all(&reckoning));
            if rates.is_none() {
                say("note: no prices without a table of them: --rates, see `tidegate jobs costs --help`");
            }
        }
        if rates.is_some() && !reckoning.unpriced.is_empty() {
            say(silent(&reckoning));
        }
        Ok(Exit::Done)
    }

    async fn reckon(
        &self,
        ledger: &Ledger,
        rates: Option<&Rates>,
        since: Option<Date>,
        until: Option<Date>,
    ) -> anyhow::Result<Reckoning> {
        let none = Rates::default();
        let rates = rates.unwrap_or(&none);
        let campaign = self.campaign.as_ref().map(ToString::to_string);
        let begins = |date: Date| self.zone.midnight(date);
        let mut filter = CostFilter {
            since: since.map(begins),
            until: until.map(|until| begins(until) + DAY),
            campaign: campaign.clone(),
            zone_ms: self.zone.millis(),
            by_number: self.by.contains(&By::Number),
            digits: rates.digits().max(country::DIGITS),
        };
        if rates.has_tiers {
            // What fills a tier is all that the portfolio sent in the month.
            filter.since = since.map(|since| begins(since.first_of_month()));
            filter.campaign = None;
            filter.by_number = true;
        }
        let rows = ledger.costs(filter).await?;
        let portfolios = if rates.has_tiers { portfolios(ledger).await? } else { BTreeMap::new() };
        let wanted = Wanted { by: &self.by, since, campaign: campaign.as_deref() };
        Ok(reckon(&rows, rates, |number| portfolios.get(number).map_or("", String::as_str), &wanted))
    }

    fn days(&self) -> Result<(Option<Date>, Option<Date>), BadUsage> {
        let local = clock::now().wall.as_millis() + self.zone.millis();
        let today = date(local.div_euclid(DAY.as_millis() as i64));
        let written = |day: Day| match day {
            Day::On(date) => date,
            Day::Back(days) => today.saturating_sub(jiff::Span::new().days(i64::from(days))),
        };
        let (since, until) = (self.since.map(written), self.until.map(written));
        if let (Some(since), Some(until)) = (since, until)
            && until < since
        {
            return Err(BadUsage(format!("--until: {until} is before {since}")));
        }
        Ok((since, until))
    }
}

fn read_rates(path: &PathBuf) -> anyhow::Result<Rates> {
    let shown = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("{shown} can't be opened"))?;
    Rates::read(file).or_else(|problems| {
        for problem in &problems {
            say(format_args!("{shown}, {problem}"));
        }
        bail!("{shown} is no table of prices: nothing was reckoned")
    })
}

/// Whose each number is.
async fn portfolios(ledger: &Ledger) -> anyhow::Result<BTreeMap<String, String>> {
    let wabas = ledger.fleet_list("waba".to_owned()).await?;
    let of_waba: BTreeMap<_, _> =
        wabas.iter().map(|row| (row.id.as_str(), field(row, "portfolio").unwrap_or_default())).collect();
    let numbers = ledger.fleet_list("number".to_owned()).await?;
    let portfolio = |waba: &str| of_waba.get(waba).cloned().unwrap_or_default();
    Ok(numbers.into_iter().map(|row| (row.id, portfolio(&row.parent))).collect())
}

fn part(line: &Line, by: By) -> String {
    line.parts.get(by.as_str()).cloned().flatten().unwrap_or_default()
}

fn cost(line: &Line) -> String {
    line.cost.iter().map(|money| format!("{} {}", money.amount, money.currency)).collect::<Vec<_>>().join(" + ")
}

fn in_all(reckoning: &Reckoning) -> String {
    let total = &reckoning.total;
    let cost = if total.cost.is_empty() { String::new() } else { format!(": {}", cost(total)) };
    format!("in all: {}, {} billable{cost}", counted(total.messages, "priced message"), Count(total.billable))
}

fn silent(reckoning: &Reckoning) -> String {
    let mut most: Vec<_> = reckoning.unpriced.iter().collect();
    most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = if most.len() > NAMED { format!(" and {} more", most.len() - NAMED) } else { String::new() };
    let name =
        |((country, category), count): &(&(String, String), &u64)| format!("{country} {category} {}", Count(**count));
    let named: Vec<_> = most.iter().take(NAMED).map(name).collect();
    format!(
        "warning: {} billable without a price in the table: {}{more}",
        Count(reckoning.total.unpriced),
        named.join(", ")
    )
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let back = text.strip_suffix('d').and_then(|days| days.parse().ok()).map(Self::Back);
        let on = || text.parse().ok().filter(|date: &Date| (1970..=9_000).contains(&date.year())).map(Self::On);
        back.or_else(on).ok_or_else(|| "a day looks like \"2026-11-01\", or \"7d\" for seven days back".to_owned())
    }
}

impl Zone {
    fn millis(self) -> i64 {
        i64::from(self.0) * 60_000
    }

    /// When a day begins.
    fn midnight(self, day: Date) -> Timestamp {
        let utc = day.to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |zoned| zoned.timestamp().as_millisecond());
        Timestamp::from_millis(utc - self.millis())
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || "an offset from UTC looks like \"+02:00\" or \"-05:30\"".to_owned();
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            Some(_) | None => return Err(refused()),
        };
        let (hours, minutes) = rest.split_once(':').ok_or_else(refused)?;
        let two = |digits: &str, most: i32| {
            let is_two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|number: &i32| is_two && *number <= most)
        };
        let (Some(hours), Some(minutes)) = (two(hours, 14), two(minutes, 59)) else { return Err(refused()) };
        Ok(Self(sign * (hours * 60 + minutes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_offsets_are_read() {
        assert_eq!("7d".parse(), Ok(Day::Back(7)));
        assert_eq!("2026-11-01".parse(), Ok(Day::On(jiff::civil::date(2026, 11, 1))));
        for wrong in ["", "yesterday", "2026-13-01", "-1d", "0001-01-01"] {
            assert!(wrong.parse::<Day>().is_err(), "{wrong}");
        }
        assert_eq!(("+05:30".parse(), "-03:00".parse()), (Ok(Zone(330)), Ok(Zone(-180))));
        for wrong in ["", "2", "+2", "+2:00", "+02:60", "+15:00", "UTC", "Europe/Paris"] {
            assert!(wrong.parse::<Zone>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_where_it_is() {
        let day = jiff::civil::date(2026, 11, 1);
        assert_eq!(Zone(0).midnight(day).to_string(), "2026-11-01T00:00:00.000Z");
        assert_eq!(Zone(330).midnight(day).to_string(), "2026-10-31T18:30:00.000Z");
    }

    #[test]
    fn the_table_in_the_help_is_one() {
        let lines = ABOUT_RATES.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.contains(','));
        let table: Vec<_> = lines.take_while(|line| !line.starts_with(' ')).collect();
        assert_eq!(table.len(), 7);
        assert!(Rates::read(table.join("\n").as_bytes()).expect("it can be read").has_tiers);
    }
}
