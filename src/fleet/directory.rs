//! Who can send for whom: turns a job's `from` into its place in line.

use std::collections::{BTreeMap, BTreeSet};

use crate::job::{From, NumberId, PoolName};
use crate::ledger::Route;

/// Numbers by id and display number, and the pool of each. A number belongs to exactly one pool.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    pool_of: BTreeMap<NumberId, PoolName>,
    by_display: BTreeMap<String, NumberId>,
    pools: BTreeSet<PoolName>,
    /// Where those belong that are not known yet.
    expected: BTreeMap<NumberId, PoolName>,
}

/// A job's `from` that names nobody.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unroutable {
    /// No such pool.
    #[error("no pool \"{given}\"; there {verb} {known}")]
    Pool {
        /// What the job says.
        given: String,
        /// Grammar for one or several.
        verb: &'static str,
        /// The pools there are.
        known: String,
    },
    /// No number of this display number.
    #[error("no sending number is displayed as +{0}")]
    Display(String),
}

impl Directory {
    /// Only pool `default` is there until numbers are added.
    pub fn new(pools: impl IntoIterator<Item = PoolName>) -> Self {
        let mut known: BTreeSet<PoolName> = pools.into_iter().collect();
        known.insert(PoolName::default_pool());
        Self { pools: known, ..Self::default() }
    }

    /// Adds a number; `display` may have separators.
    pub fn add(&mut self, id: NumberId, display: &str, pool: PoolName) {
        let digits: String = display.chars().filter(char::is_ascii_digit).collect();
        if !digits.is_empty() {
            self.by_display.insert(digits, id.clone());
        }
        self.pools.insert(pool.clone());
        self.pool_of.insert(id, pool);
    }

    /// A pool names this number, which may become known later.
    pub fn expect(&mut self, id: NumberId, pool: PoolName) {
        self.expected.insert(id, pool);
    }

    /// The pool that a number belongs to: `default` for those that no pool names.
    pub fn pool_of(&self, id: &NumberId) -> PoolName {
        self.pool_of.get(id).or_else(|| self.expected.get(id)).cloned().unwrap_or_else(PoolName::default_pool)
    }

    /// A job's place in line. A number that is not known yet is taken at its word: it may be discovered later.
    pub fn route(&self, from: &From) -> Result<Route, Unroutable> {
        match from {
            From::Pool(pool) if self.pools.contains(pool) => Ok(Route { pool: pool.clone(), pinned: None }),
            From::Pool(pool) => Err(Unroutable::Pool {
                given: pool.to_string(),
                verb: if self.pools.len() == 1 { "is" } else { "are" },
                known: self.pools.iter().map(PoolName::as_str).collect::<Vec<_>>().join(", "),
            }),
            From::Number(id) => Ok(self.pinned(id)),
            From::Display(digits) => match self.by_display.get(digits) {
                Some(id) => Ok(self.pinned(id)),
                None => Err(Unroutable::Display(digits.clone())),
            },
        }
    }

    fn pinned(&self, id: &NumberId) -> Route {
        Route { pool: self.pool_of(id), pinned: Some(id.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> NumberId {
        text.parse().expect("valid")
    }

    fn pool(text: &str) -> PoolName {
        text.parse().expect("valid")
    }

    #[test]
    fn a_job_is_routed_by_pool_id_or_display_number() {
        let mut directory = Directory::new([]);
        directory.add(id("1001"), "+1 555-000-1001", pool("shop"));
        directory.add(id("1002"), "", PoolName::default_pool());
        let by_id = directory.route(&From::Number(id("1001"))).expect("known");
        assert_eq!(by_id, Route { pool: pool("shop"), pinned: Some(id("1001")) });
        assert_eq!(directory.route(&From::Display("15550001001".to_owned())), Ok(by_id));
        directory.expect(id("8"), pool("shop"));
        assert_eq!(directory.route(&From::Number(id("8"))).expect("it may come").pool, pool("shop"));
        assert_eq!(directory.route(&From::Number(id("9"))).expect("taken at its word").pool, PoolName::default_pool());
        let refused = directory.route(&From::Pool(pool("shpo"))).expect_err("misspelt").to_string();
        assert_eq!(refused, "no pool \"shpo\"; there are default, shop");
        assert!(directory.route(&From::Display("4".to_owned())).is_err());
    }
}
