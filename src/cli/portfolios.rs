//! Whose each known number is, by the configuration and by what was read of Meta.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::fleet::{Pools, accounts};
use crate::job::{NumberId, PoolName};
use crate::ledger::{FleetRow, Ledger, NUMBER, WABA};

use super::context::{field, known_numbers};

/// Numbers, accounts and portfolios, as they belong together.
pub struct Portfolios<'a> {
    config: &'a Config,
    pools: Pools,
    read: BTreeMap<String, FleetRow>,
    of_waba: BTreeMap<String, String>,
}

impl<'a> Portfolios<'a> {
    /// What is known now.
    pub async fn read(config: &'a Config, ledger: &Ledger) -> anyhow::Result<Self> {
        let read = ledger.fleet_list(NUMBER.to_owned()).await?;
        let wabas = ledger.fleet_list(WABA.to_owned()).await?;
        Ok(Self {
            config,
            pools: Pools::new(config),
            read: read.into_iter().map(|row| (row.id.clone(), row)).collect(),
            of_waba: wabas.into_iter().filter_map(|row| Some((row.id.clone(), field(&row, "portfolio")?))).collect(),
        })
    }

    /// What Meta said of a number.
    pub fn fields(&self, id: &NumberId) -> Option<&FleetRow> {
        self.read.get(id.as_str())
    }

    /// Its pool.
    pub fn pool(&self, id: &NumberId, display: &str) -> PoolName {
        self.pools.of(id.as_str(), display)
    }

    /// Its account.
    pub fn waba(&self, id: &NumberId) -> Option<String> {
        let configured = self.config.numbers.iter().find(|number| number.id == id.as_str());
        let waba = configured.and_then(|number| number.waba.clone());
        waba.or_else(|| self.fields(id).map(|row| row.parent.clone()).filter(|parent| !parent.is_empty()))
    }

    /// The portfolio of an account; empty if it is not known.
    pub fn of(&self, waba: Option<&str>) -> &str {
        waba.and_then(|waba| self.of_waba.get(waba)).map_or("", String::as_str)
    }

    /// What holds call the token that a number goes by.
    pub fn credential(&self, id: &NumberId) -> Option<String> {
        let configured = self.config.numbers.iter().find(|number| number.id == id.as_str());
        let waba = self.waba(id).unwrap_or_default();
        accounts::token_of(self.config, configured, &waba).map(|token| token.name)
    }

    /// The portfolios whose numbers send for a pool.
    pub async fn of_pool(&self, pool: &str, ledger: &Ledger) -> anyhow::Result<BTreeSet<String>> {
        let numbers = known_numbers(self.config, ledger).await?;
        let of_pool = numbers.iter().filter(|(id, display)| self.pool(id, display).as_str() == pool);
        Ok(of_pool.map(|(id, _)| self.of(self.waba(id).as_deref()).to_owned()).collect())
    }
}
