//! Numbers that join a worker: those that it starts with, and those that are found while it runs, by the same way.

use std::sync::Arc;

use crate::clock::Now;
use crate::graph::{Credential, Endpoint};
use crate::job::{NumberId, PoolName};
use crate::ledger::Account;
use crate::metrics::{NumberMetrics, Rating};

use super::number::{NumberSpec, Standing};
use super::pacer::Limit;
use super::reception::Router;
use super::shell::Worker;

/// Numbers that join, and the way to them and to all that joined before.
#[derive(Debug)]
pub struct Joining {
    /// The numbers.
    pub recruits: Vec<Recruit>,
    /// Turns a job's `from` into its place in line.
    pub router: Router,
}

/// A number that the worker is set up with.
#[derive(Debug)]
pub struct Recruit {
    /// Meta's id.
    pub id: NumberId,
    /// How people know it.
    pub display: String,
    /// Its one pool.
    pub pool: PoolName,
    /// Whose it is.
    pub account: Arc<Account>,
    /// Its throughput.
    pub limit: Limit,
    /// The header that it sends with.
    pub credential: Credential,
    /// Whether it may send, and its share, before anything was read of it.
    pub standing: Standing,
}

/// What belongs to a number outside the core.
#[derive(Debug)]
pub(super) struct Way {
    /// What Meta, or the configuration, lets it do.
    pub level: Limit,
    /// Meta said so, not the configuration.
    pub has_level: bool,
    /// How many messages a second people write to it.
    pub inbound: u32,
    /// How its requests are addressed and signed.
    pub endpoint: Endpoint,
    /// Its metrics, bound once.
    pub metrics: NumberMetrics,
    /// How often in a row it was rested.
    pub rests: u32,
    /// What Meta says of its quality.
    pub rating: Rating,
    /// What Meta says of its state; empty if not read.
    pub status: String,
    /// Whether its lease was held when last looked at.
    pub leased: bool,
}

impl Worker {
    /// Nothing leaves by them before this worker has their leases, and then as by any number that was another's.
    pub(super) fn join(&mut self, joining: Joining, now: Now) {
        self.router = joining.router;
        for recruit in joining.recruits {
            self.recruit(recruit, now);
        }
        self.core.scheduler.share_connections(self.settings.connections);
    }

    fn recruit(&mut self, recruit: Recruit, now: Now) {
        let Recruit { id, display, pool, account, limit, credential, standing } = recruit;
        let metrics = self.telling.metrics.number(&display, pool.as_str());
        let endpoint = Endpoint::new(&self.api, &id, &credential);
        let pool = self.core.scheduler.pool(&pool);
        let spec = NumberSpec { id, display, pool, account, limit };
        let number = self.core.scheduler.add_number(spec, self.settings.pacing_margin, now);
        self.core.set_standing(number, standing, now.mono);
        let (rating, status) = (Rating::Unknown, String::new());
        self.ways.push(Way {
            level: limit,
            has_level: false,
            inbound: 0,
            endpoint,
            metrics,
            rests: 0,
            rating,
            status,
            leased: false,
        });
    }
}
