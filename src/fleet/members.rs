//! The numbers that may send, as the configuration and Meta's accounts list them: whose they are, where they belong.
//!
//! Access tokens are taken from where the configuration says whenever they are needed, and are never kept in the
//! ledger: it knows each by its name, and nobody who reads the ledger can send.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::{Config, NumberConfig};
use crate::graph::reads::PhoneNumber;
use crate::job::{NumberId, PoolName};
use crate::ledger::{Account, FleetRow, Ledger, LedgerError, NUMBER, WABA};
use crate::worker::Recruit;
use crate::worker::number::Standing;
use crate::worker::pacer::Limit;

use super::Directory;
use super::accounts::{Token, token_of};

/// A number that may send.
#[derive(Clone, Debug)]
pub struct Member {
    /// Meta's id.
    pub id: NumberId,
    /// How people know it; its id where nothing else is known.
    pub display: String,
    /// Its pool.
    pub pool: PoolName,
    /// Its account; empty if unknown.
    pub waba: String,
    /// Its portfolio; empty if unknown.
    pub portfolio: String,
    /// What it goes by.
    pub token: Token,
    /// The configured rate, which comes before what Meta says.
    pub rate: Option<Limit>,
}

/// Pools by what they list: ids, or display numbers.
#[derive(Clone, Debug)]
pub struct Pools {
    pool_of: BTreeMap<String, PoolName>,
    names: Vec<PoolName>,
}

impl Pools {
    /// The configured pools.
    pub fn new(config: &Config) -> Self {
        let mut pool_of = BTreeMap::new();
        let mut names = Vec::new();
        for pool in &config.pools {
            let name: PoolName = pool.name.parse().expect("the configuration has checked pool names");
            pool_of.extend(pool.numbers.iter().map(|number| (digits(number), name.clone())));
            names.push(name);
        }
        Self { pool_of, names }
    }

    /// Every pool's name, `default` among them.
    pub fn names(&self) -> Vec<PoolName> {
        let mut names = self.names.clone();
        if !names.contains(&PoolName::default_pool()) {
            names.push(PoolName::default_pool());
        }
        names
    }

    /// The pool of a number; `default` for those that no pool lists.
    pub fn of(&self, id: &str, display: &str) -> PoolName {
        let listed = self.pool_of.get(id).or_else(|| self.pool_of.get(&digits(display)));
        listed.cloned().unwrap_or_else(PoolName::default_pool)
    }

    /// What the pools list, and where.
    pub fn listed(&self) -> impl Iterator<Item = (&str, &PoolName)> {
        self.pool_of.iter().map(|(number, pool)| (number.as_str(), pool))
    }

    /// Whether a pool that lists this means a number.
    pub fn means(&self, listed: &str, id: &str, display: &str) -> bool {
        listed == id || listed == digits(display)
    }

    /// A directory of these numbers.
    pub fn directory<'a>(&self, numbers: impl IntoIterator<Item = (&'a NumberId, &'a str)>) -> Directory {
        let mut directory = Directory::new(self.names.iter().cloned());
        let listed = self.pool_of.iter().filter_map(|(id, pool)| Some((id.parse().ok()?, pool.clone())));
        listed.for_each(|(id, pool)| directory.expect(id, pool));
        for (id, display) in numbers {
            directory.add(id.clone(), display, self.of(id.as_str(), display));
        }
        directory
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// A number that the configuration lists; none without a credential for it.
pub fn listed(config: &Config, number: &NumberConfig, known: &Acquainted) -> Option<Member> {
    let id: NumberId = number.id.parse().expect("the configuration has checked number ids");
    let waba = known.waba_of(config, &id);
    let display = number.display.as_ref().map(|display| display.as_written().to_owned());
    let rate = number.rate.map(|pace| Limit { count: pace.count(), period: pace.period() });
    // Of no known account, as far as was read: it goes by what the one there is goes by.
    let sole = || token_of(config, Some(number), config.cloud_api.waba.as_deref()?);
    let token = token_of(config, Some(number), &waba).or_else(sole)?;
    Some(known.member(config, Found { id, display, waba, token, rate }))
}

/// A number that an account of Meta's lists.
pub fn discovered(config: &Config, id: NumberId, waba: &str, known: &Acquainted) -> Option<Member> {
    let token = token_of(config, None, waba)?;
    Some(known.member(config, Found { id, display: None, waba: waba.to_owned(), token, rate: None }))
}

/// What is needed of a number before its pool and its portfolio are looked up.
struct Found {
    id: NumberId,
    display: Option<String>,
    waba: String,
    token: Token,
    rate: Option<Limit>,
}

/// What was read of numbers and accounts, as far as it says where a number belongs.
#[derive(Clone, Debug, Default)]
pub struct Acquainted {
    /// Account and display number of each number; empty if unknown.
    numbers: BTreeMap<NumberId, (String, String)>,
    /// When each number was last read.
    read_at: BTreeMap<NumberId, Timestamp>,
    /// The portfolio of each account.
    portfolios: BTreeMap<String, String>,
}

impl Acquainted {
    /// What the ledger's rows say, and the configuration's word on portfolios, which comes first.
    pub fn new(config: &Config, numbers: &[FleetRow], accounts: &[FleetRow]) -> Self {
        let mut known = Self { portfolios: accounts.iter().filter_map(FleetRow::owner).collect(), ..Self::default() };
        for row in numbers {
            // What only a webhook told was not read yet.
            let (Ok(id), Ok(read)) = (row.id.parse::<NumberId>(), serde_json::from_str::<PhoneNumber>(&row.fields))
            else {
                continue;
            };
            known.read_at.insert(id.clone(), row.read_at);
            known.numbers.insert(id, (row.parent.clone(), read.display().to_owned()));
        }
        let told = config.accounts.iter().filter_map(|it| Some((it.waba.clone(), it.portfolio.clone()?)));
        known.portfolios.extend(told);
        known
    }

    /// The same of this ledger.
    pub async fn of(config: &Config, ledger: &Ledger) -> Result<Self, LedgerError> {
        let (numbers, accounts) =
            (ledger.fleet_list(NUMBER.to_owned()).await?, ledger.fleet_list(WABA.to_owned()).await?);
        Ok(Self::new(config, &numbers, &accounts))
    }

    /// The account of a number: as configured, as read, or else the one there is. Empty if nobody knows, or if it was
    /// read and is none of those there are.
    pub fn waba_of(&self, config: &Config, id: &NumberId) -> String {
        let read = || self.numbers.get(id).map(|(waba, _)| waba.clone());
        configured_waba(config, id).or_else(read).or_else(|| config.cloud_api.waba.clone()).unwrap_or_default()
    }

    /// The account of a number that the listing of its account does not have: its limit is not that account's, unless
    /// the configuration says so.
    pub fn waba_beside(&self, config: &Config, member: &Member) -> String {
        if let Some(waba) = configured_waba(config, &member.id) {
            return waba;
        }
        match self.numbers.get(&member.id) {
            Some((waba, _)) if *waba != member.waba => waba.clone(),
            Some(_) | None => {
                tracing::warn!(
                    number.id = %member.id,
                    "account {} does not list number {}: its messaging limit counts by itself; set its waba in [[numbers]]",
                    member.waba,
                    member.display
                );
                String::new()
            }
        }
    }

    /// The portfolio of an account; empty if nobody knows.
    pub fn portfolio_of(&self, waba: &str) -> String {
        self.portfolios.get(waba).cloned().unwrap_or_default()
    }

    /// When a number was last read.
    pub fn read_at(&self, id: &NumberId) -> Option<Timestamp> {
        self.read_at.get(id).copied()
    }

    /// The numbers that were read in this account.
    pub fn numbers_of<'a>(&'a self, waba: &'a str) -> impl Iterator<Item = &'a NumberId> {
        self.numbers.iter().filter(move |(_, (of, _))| of == waba).map(|(id, _)| id)
    }

    fn member(&self, config: &Config, found: Found) -> Member {
        let Found { id, display, waba, token, rate } = found;
        let read = || self.numbers.get(&id).map(|(_, display)| display.clone()).filter(|display| !display.is_empty());
        let display = display.or_else(read).unwrap_or_else(|| id.to_string());
        let pool = Pools::new(config).of(id.as_str(), &display);
        Member { portfolio: self.portfolio_of(&waba), id, display, pool, waba, token, rate }
    }
}

fn configured_waba(config: &Config, id: &NumberId) -> Option<String> {
    config.numbers.iter().find(|number| number.id == id.as_str())?.waba.clone()
}

/// The members as a worker is set up with them. A number without a configured rate waits until its fields are read.
pub fn recruits(config: &Config, members: Vec<Member>) -> Vec<Recruit> {
    let header = &config.cloud_api.auth_header;
    let recruit = |member: Member| Recruit {
        account: Arc::new(Account {
            credential: member.token.name.clone(),
            waba: member.waba.clone(),
            portfolio: member.portfolio.clone(),
        }),
        limit: member.rate.unwrap_or_else(|| limit_of_level("", false)),
        credential: member.token.header(header),
        standing: Standing { may_send: member.rate.is_some(), weight: config.quality.unknown },
        id: member.id,
        display: member.display,
        pool: member.pool,
    };
    members.into_iter().map(recruit).collect()
}

/// Meta's documented levels (`cloud-api`, throughput): 80 a second, 1,000 when upgraded, 20 beside the business app.
pub fn limit_of_level(level: &str, is_on_business_app: bool) -> Limit {
    let count = match (is_on_business_app, level) {
        (true, _) => 20,
        (false, "HIGH") => 1_000,
        (false, _) => 80,
    };
    Limit { count: std::num::NonZeroU32::new(count).expect("not zero"), period: Duration::from_secs(1) }
}
