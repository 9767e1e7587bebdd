//! Sorts what the broker delivered: in line, or aside where it goes no further from here. Pure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::job::{self, Catalogue, From, Job, PoolName, Priority, Received};
use crate::ledger::{Dead, Route, Routed};
use crate::queue::{Arrived, Why};

use super::lane::Delivery;

/// Turns a job's `from` into its place in line, or says why there is none.
#[derive(Clone)]
pub struct Router(Arc<Routing>);

type Routing = dyn Fn(&From) -> Result<Route, String> + Send + Sync;

/// What is done about a delivery that no number of this worker shall send now.
#[derive(Clone, Debug)]
pub enum Aside {
    /// Its number is another worker's, not able or busy, or its time has not come: it waits in a row of its own.
    HandOver(Routed),
    /// It came too late, or the broker gave it up as too old.
    Expire(Routed),
    /// It is no job, or there is no lane for it.
    Bury(Dead),
}

/// Where a delivery goes.
#[derive(Debug)]
pub enum Sorted {
    /// Into the worker's hands.
    InLine(Delivery),
    /// Into the ledger.
    Aside(Aside),
}

impl Router {
    /// Routes by this.
    pub fn new(route: impl Fn(&From) -> Result<Route, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(route))
    }

    /// A job's place in line, or why there is none.
    pub fn route(&self, from: &From) -> Result<Route, String> {
        self.0(from)
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Router")
    }
}

/// Reads a delivery and says where it goes. `origin` names the queue, for people.
pub fn sort(
    arrived: &Arrived,
    origin: &str,
    (router, catalogue): (&Router, &Arc<Catalogue>),
    now: Timestamp,
) -> Sorted {
    let bury = |field: &str, reason: String| {
        let (body, field, origin) = (arrived.body.to_vec(), field.to_owned(), origin.to_owned());
        Sorted::Aside(Aside::Bury(Dead { body, reason, field, origin, at: now }))
    };
    let why = arrived.returned.as_ref().map(|returned| returned.why);
    if why == Some(Why::Unroutable) {
        let key = arrived.returned.as_ref().map_or("", |returned| &returned.routing_key);
        return bury("routing_key", format!("no lane \"{key}\"; lanes are <pool>.<urgent|high|normal|bulk>"));
    }
    let job = match parse(arrived, catalogue, now) {
        Ok(job) => Arc::new(job),
        Err((field, reason)) => return bury(&field, reason),
    };
    let route = match router.route(&job.from) {
        Ok(route) => route,
        Err(reason) => return bury("from", reason),
    };
    let routed = Routed { job, route };
    if why == Some(Why::Expired) || routed.job.expires_at <= now {
        return Sorted::Aside(Aside::Expire(routed));
    }
    if routed.job.not_before.is_some_and(|time| time > now) {
        return Sorted::Aside(Aside::HandOver(routed));
    }
    let bytes = arrived.body.len() + std::mem::size_of::<Job>();
    Sorted::InLine(Delivery { routed, due_at: None, ticket: Some(arrived.ticket), bytes })
}

/// A body that makes the parser panic is one that cannot be parsed: it must not take the worker with it, again and
/// again.
fn parse(arrived: &Arrived, catalogue: &Arc<Catalogue>, now: Timestamp) -> Result<Job, (String, String)> {
    let routing = match &arrived.returned {
        Some(returned) => lane_of(&returned.routing_key),
        None => arrived.lane.as_ref().map(|lane| (lane.pool.clone(), lane.priority)),
    };
    let received = Received {
        now,
        message_id: arrived.message_id.clone(),
        app_id: arrived.app_id.clone(),
        timestamp: arrived.timestamp,
        enqueued_at: arrived.enqueued_at,
        routing,
        mint_id: false,
        catalogue: Some(catalogue.clone()),
    };
    match catch_unwind(AssertUnwindSafe(|| job::parse(&arrived.body, &received))) {
        Ok(Ok(job)) => Ok(job),
        Ok(Err(refused)) => Err((refused.field, refused.reason)),
        Err(_) => Err(("body".to_owned(), "cannot be parsed: the parser broke down over it".to_owned())),
    }
}

fn lane_of(routing_key: &str) -> Option<(PoolName, Priority)> {
    let (pool, priority) = routing_key.rsplit_once('.')?;
    Some((pool.parse().ok()?, priority.parse().ok()?))
}
