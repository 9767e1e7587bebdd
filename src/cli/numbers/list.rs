//! `tidegate numbers list`: whose each number is, how it does, and what keeps it from sending more.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use crate::cli::context::{Context, field, known_numbers};
use crate::cli::exit::Exit;
use crate::cli::output::{Column, Output, counts, words};
use crate::cli::portfolios::Portfolios;
use crate::cli::wording::{Count, say};
use crate::clock::{self, Timestamp};
use crate::config::Config;
use crate::hold::{Hold, Scope};
use crate::job::NumberId;
use crate::ledger::{FleetRow, Ledger, QuotaRow};
use crate::ops::Why;
use crate::worker::leases;
use crate::worker::picture::live::{self, LiveNumber};

/// The level of a number that is also on the WhatsApp Business app.
const COEXISTENCE: &str = "coexistence";

/// A number as it is listed.
#[derive(Serialize)]
struct Listed {
    id: NumberId,
    display: String,
    pool: String,
    /// The worker that owns it.
    owner: Option<Uuid>,
    /// Until when, unless it renews its lease.
    leased_until: Option<Timestamp>,
    quality: Option<String>,
    status: Option<String>,
    /// What Meta lets it do: `STANDARD`, `HIGH`, `coexistence`.
    level: Option<String>,
    /// What the configuration lets it do instead.
    configured_rate: Option<String>,
    waba: Option<String>,
    /// When Meta's fields were read.
    read_at: Option<Timestamp>,
    /// Why it does not send more; none: its owner has not said it yet.
    why: Option<Why>,
    /// What its owner said a moment ago.
    now: Option<LiveNumber>,
    /// The messaging limit of its portfolio.
    quota: Option<Quota>,
    holds: Vec<Hold>,
}

#[derive(Serialize)]
struct Quota {
    portfolio: String,
    /// None: without a limit.
    limit: Option<u64>,
    taken: u64,
    left: Option<u64>,
    /// Jobs that wait for a place.
    parked: u64,
    /// When a place is free for `normal` and `bulk` jobs.
    next_place_at: Option<Timestamp>,
}

const COLUMNS: &[Column<Listed>] = &[
    words("NUMBER", |row| row.id.to_string()),
    words("DISPLAY", |row| row.display.clone()),
    words("POOL", |row| row.pool.clone()),
    words("OWNER", |row| row.owner.map(short).unwrap_or_default()),
    words("QUALITY", |row| row.quality.clone().unwrap_or_default()),
    words("STATUS", |row| row.status.clone().unwrap_or_default()),
    words("LEVEL", |row| row.configured_rate.clone().or_else(|| row.level.clone()).unwrap_or_default()),
    words("NOW", rate),
    words("WHY NOT MORE", |row| row.why.map(|why| why.as_str().replace('_', " ")).unwrap_or_default()),
    counts("TOKENS", |row| row.now.as_ref().map(|now| format!("{:.0}", now.tokens)).unwrap_or_default()),
    counts("IN FLIGHT", |row| row.now.as_ref().map(|now| now.in_flight.to_string()).unwrap_or_default()),
    counts("QUOTA LEFT", quota_left),
    words("HELD", held),
];

/// What the rows are made of.
struct Known<'a> {
    config: &'a Config,
    portfolios: Portfolios<'a>,
    quotas: Vec<QuotaRow>,
    holds: Vec<Hold>,
    /// Who owns a number, and until when.
    owners: BTreeMap<String, (Uuid, Timestamp)>,
    live: BTreeMap<(String, String), LiveNumber>,
}

pub(super) async fn run(context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let ledger = context.ledger_or_new(&config).await?;
    let known = Known::read(&config, &ledger).await?;
    let numbers = known_numbers(&config, &ledger).await?;
    let rows: Vec<Listed> = numbers.into_iter().map(|(id, display)| known.listed(id, display)).collect();
    context.output.list(&rows, COLUMNS)?;
    if rows.is_empty() && context.output == Output::Table {
        say("no number is known: set WHATSAPP_PHONE_NUMBER_ID, list [[numbers]], or start a worker, which asks Meta \
             for those of the account");
    }
    Ok(Exit::Done)
}

impl<'a> Known<'a> {
    async fn read(config: &'a Config, ledger: &Ledger) -> anyhow::Result<Self> {
        let now = clock::now();
        let owned = ledger.leases(now.wall).await?.into_iter().filter_map(|lease| {
            let owner = lease.owner?.0;
            Some((lease.name, (owner, now.wall + lease.left)))
        });
        Ok(Self {
            config,
            portfolios: Portfolios::read(config, ledger).await?,
            quotas: ledger.quotas(now.wall).await?,
            holds: ledger.holds().await?,
            owners: owned.collect(),
            live: live::read(ledger, now).await?,
        })
    }

    fn listed(&self, id: NumberId, display: String) -> Listed {
        let fields = self.portfolios.fields(&id);
        let of_meta = |name: &str| fields.and_then(|row| field(row, name));
        let configured = self.config.numbers.iter().find(|number| number.id == id.as_str());
        let waba = self.portfolios.waba(&id);
        let portfolio = self.portfolios.of(waba.as_deref());
        let (owner, leased_until) = self.owners.get(&leases::name(id.as_str())).copied().unzip();
        let now = owner.and_then(|owner| self.live.get(&(owner.to_string(), id.to_string())).cloned());
        let quota = self.quotas.iter().find(|row| row.portfolio == portfolio).map(Quota::from);
        let level = if fields.is_some_and(is_on_business_app) {
            Some(COEXISTENCE.to_owned())
        } else {
            of_meta("throughput.level")
        };
        Listed {
            pool: self.portfolios.pool(&id, &display).to_string(),
            owner,
            leased_until,
            quality: of_meta("quality_rating"),
            status: of_meta("status"),
            level,
            configured_rate: configured.and_then(|number| number.rate).map(|rate| rate.to_string()),
            read_at: fields.map(|row| row.read_at),
            why: why(owner, now.as_ref(), quota.as_ref()),
            now,
            quota,
            holds: self.holds_over(&Facts { id: &id, waba: waba.as_deref(), portfolio }),
            waba,
            id,
            display,
        }
    }
}

/// Whose a number is, as holds name it.
struct Facts<'a> {
    id: &'a NumberId,
    waba: Option<&'a str>,
    portfolio: &'a str,
}

impl Known<'_> {
    /// The holds over a number, those that stop all of it first.
    fn holds_over(&self, facts: &Facts<'_>) -> Vec<Hold> {
        let credential = self.portfolios.credential(facts.id);
        let is_over = |hold: &&Hold| is_over(hold, facts, credential.as_deref());
        let mut holds: Vec<Hold> = self.holds.iter().filter(is_over).cloned().collect();
        holds.sort_by_key(|hold| hold.cover.scope == Scope::Quota || !hold.cover.is_whole());
        holds
    }
}

impl From<&QuotaRow> for Quota {
    fn from(row: &QuotaRow) -> Self {
        let QuotaRow { portfolio, limit, taken, parked, ordinary_at, .. } = row;
        let left = limit.map(|limit| limit.saturating_sub(*taken));
        let (portfolio, next_place_at) = (portfolio.clone(), *ordinary_at);
        Self { portfolio, limit: *limit, taken: *taken, left, parked: *parked, next_place_at }
    }
}

/// What its owner says; of places, the ledger knows more.
fn why(owner: Option<Uuid>, now: Option<&LiveNumber>, quota: Option<&Quota>) -> Option<Why> {
    let is_reached = quota.is_some_and(|quota| quota.left == Some(0));
    match (owner, now.map(|now| now.why)) {
        (None, _) => Some(Why::NotLeased),
        (Some(_), Some(Why::NoWork)) if is_reached => Some(Why::MessagingLimit),
        (Some(_), why) => why,
    }
}

fn is_on_business_app(row: &FleetRow) -> bool {
    let fields: serde_json::Value = serde_json::from_str(&row.fields).unwrap_or_default();
    fields["is_on_biz_app"] == true
}

/// Whether a hold is over all of a number, or over a part of what it may send.
fn is_over(hold: &Hold, facts: &Facts<'_>, credential: Option<&str>) -> bool {
    let (Facts { id, waba, portfolio }, subject) = (facts, hold.cover.subject.as_str());
    match hold.cover.scope {
        Scope::Everything => true,
        Scope::Number => subject == id.as_str(),
        Scope::Waba => Some(subject) == *waba,
        Scope::Portfolio | Scope::Quota => subject == *portfolio,
        Scope::Credential => Some(subject) == credential,
        Scope::Template | Scope::Recipient | Scope::Campaign => false,
    }
}

/// The end of a worker's id, which is not the time: enough to tell workers apart.
fn short(worker: Uuid) -> String {
    let id = worker.simple().to_string();
    id[id.len() - 8..].to_owned()
}

fn rate(row: &Listed) -> String {
    row.now.as_ref().map(|now| format!("{:.0} of {:.0}/s", now.rate, now.limit)).unwrap_or_default()
}

fn quota_left(row: &Listed) -> String {
    let Some(quota) = &row.quota else { return String::new() };
    match (quota.left, quota.limit) {
        (Some(left), Some(limit)) => format!("{} of {}", Count(left), Count(limit)),
        (Some(_) | None, _) => "unlimited".to_owned(),
    }
}

fn held(row: &Listed) -> String {
    let hold = |hold: &Hold| format!("hold {}: {}, by {}", hold.id.0, hold.reason, hold.who);
    row.holds.iter().map(hold).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_owns_it_says_why_and_the_ledger_knows_of_places() {
        let live = |why| LiveNumber {
            rate: 0.0,
            limit: 80.0,
            why,
            tokens: 80.0,
            admitted: 0,
            in_flight: 0,
            health: 1.0,
            failures: 0,
        };
        let quota = |taken| Quota {
            portfolio: "p".to_owned(),
            limit: Some(250),
            taken,
            left: Some(250_u64.saturating_sub(taken)),
            parked: 3,
            next_place_at: None,
        };
        let (owner, idle) = (Some(Uuid::nil()), live(Why::NoWork));
        assert_eq!(why(None, None, None), Some(Why::NotLeased));
        assert_eq!(why(owner, None, None), None);
        assert_eq!(why(owner, Some(&idle), Some(&quota(249))), Some(Why::NoWork));
        assert_eq!(why(owner, Some(&idle), Some(&quota(250))), Some(Why::MessagingLimit));
        assert_eq!(why(owner, Some(&live(Why::Level)), Some(&quota(251))), Some(Why::Level));
    }
}
