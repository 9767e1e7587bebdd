//! The numbers that may send, as the configuration and Meta's account list them: whose they are, where they belong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, NumberConfig, SecretSource};
use crate::job::{NumberId, PoolName};
use crate::ledger::Account;
use crate::worker::Recruit;
use crate::worker::number::Standing;
use crate::worker::pacer::Limit;

use super::Directory;

/// The credential of numbers that have none of their own.
pub const SHARED_CREDENTIAL: &str = "default";

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
    /// The name of its credential.
    pub credential: String,
    /// Its credential.
    pub token: SecretSource,
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

    /// A directory of these numbers.
    pub fn directory<'a>(&self, numbers: impl IntoIterator<Item = (&'a NumberId, &'a str)>) -> Directory {
        let mut directory = Directory::new(self.names.iter().cloned());
        for (id, display) in numbers {
            directory.add(id.clone(), display, self.of(id.as_str(), display));
        }
        directory
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The numbers that the configuration lists and has a credential for.
pub fn configured(config: &Config) -> Vec<Member> {
    let pools = Pools::new(config);
    config.numbers.iter().filter_map(|number| member(config, &pools, number)).collect()
}

fn member(config: &Config, pools: &Pools, number: &NumberConfig) -> Option<Member> {
    let (credential, token) = match (&number.token, &config.cloud_api.access_token) {
        (Some(own), _) => (format!("number-{}", number.id), own.clone()),
        (None, Some(shared)) => (SHARED_CREDENTIAL.to_owned(), shared.clone()),
        (None, None) => return None,
    };
    let display = number.display.as_ref().map_or(number.id.as_str(), |display| display.as_written());
    Some(Member {
        id: number.id.parse().expect("the configuration has checked number ids"),
        display: display.to_owned(),
        pool: pools.of(&number.id, display),
        waba: number.waba.clone().or_else(|| config.cloud_api.waba.clone()).unwrap_or_default(),
        credential,
        token,
        rate: number.rate.map(|pace| Limit { count: pace.count(), period: pace.period() }),
    })
}

/// A number that Meta's account lists, with the shared credential.
pub fn discovered(config: &Config, id: NumberId, display: String) -> Option<Member> {
    let token = config.cloud_api.access_token.clone()?;
    let display = if display.is_empty() { id.to_string() } else { display };
    Some(Member {
        pool: Pools::new(config).of(id.as_str(), &display),
        id,
        display,
        waba: config.cloud_api.waba.clone().unwrap_or_default(),
        credential: SHARED_CREDENTIAL.to_owned(),
        token,
        rate: None,
    })
}

/// The members as a worker is set up with them. A number without a configured rate waits until its fields are read.
pub fn recruits(config: &Config, members: Vec<Member>) -> Vec<Recruit> {
    let header = &config.cloud_api.auth_header;
    let mut pools: BTreeMap<PoolName, Vec<NumberId>> = BTreeMap::new();
    for member in &members {
        pools.entry(member.pool.clone()).or_default().push(member.id.clone());
    }
    let siblings: BTreeMap<PoolName, Arc<[NumberId]>> =
        pools.into_iter().map(|(pool, ids)| (pool, ids.into())).collect();
    let recruit = |member: Member| Recruit {
        siblings: siblings[&member.pool].clone(),
        account: Arc::new(Account {
            credential: member.credential.clone(),
            waba: member.waba.clone(),
            portfolio: String::new(),
        }),
        limit: member.rate.unwrap_or_else(|| limit_of_level("", false)),
        credential: super::refresh::credential(header, &member.token),
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
