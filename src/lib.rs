//! Tidegate sends WhatsApp messages through Meta's Cloud API, at the full speed Meta allows and never faster.
//!
//! *A job is received from its lane, scheduled onto a number, admitted by the ledger, paced, sent by graph, settled in
//! the ledger, acked.* The source reads as this sentence: producers' bytes become a [`job`], which the [`ledger`]
//! keeps; the [`worker`] takes it in hand, chooses one of the [`fleet`]'s numbers, has it admitted and paced, sends it
//! through [`graph`], and settles the [`outcome`]; the [`keeper`] ends what nobody else would; [`ops`] shows it all.
//!
//! # Invariants
//!
//! 1. Nothing is sent without an [admission](ledger::Admission) and a [permit](worker::pacer::Permit); both are
//!    consumed by the send.
//! 2. The ledger has committed before anything is acked. No job that was taken from a producer is ever lost: it ends,
//!    in one of the [states](outcome::State).
//! 3. A job whose request may have reached Meta without an answer is *unknown*: never resent blindly.
//! 4. Every buffer is bounded. When none has room, jobs stay where they are.
//! 5. A number belongs to one worker at a time (a fenced [lease](worker::leases), one of an even
//!    [share](worker::ownership)), so its bucket is exact with no traffic between workers. The fence guards admission; a late answer is still welcome: a settlement is taken for
//!    the same (job, attempt) while it is `sending` or `unknown`.
//! 6. A limit whose store is away closes; it never opens.
//!
//! The core of the worker is a state machine on virtual time; its simulation breaks everything around it, for
//! hundreds of seeds, and holds it to these.
//!
//! # Map
//!
//! Which room may use which (a test holds the code to it):
//!
//! - everyone uses `clock`, `outcome`
//! - `app` uses `config`, `fleet`, `graph`, `hold`, `job`, `keeper`, `ledger`, `metrics`, `ops`, `queue`, `telemetry`, `webhook`, `worker`
//! - `cli` uses `app`, `config`, `fleet`, `graph`, `hold`, `job`, `ledger`, `ops`, `sim`, `telemetry`, `worker`
//! - `clock` uses nothing
//! - `config` uses nothing
//! - `fleet` uses `config`, `graph`, `hold`, `job`, `ledger`, `worker`
//! - `graph` uses `hold`, `job`
//! - `hold` uses `job`
//! - `job` uses `clock`, `outcome`
//! - `keeper` uses `job`, `ledger`, `metrics`, `queue`, `webhook`
//! - `ledger` uses `hold`, `job`
//! - `metrics` uses `hold`, `job`
//! - `ops` uses `hold`, `job`, `metrics`
//! - `outcome` uses nothing
//! - `queue` uses `job`, `metrics`
//! - `sim` uses nothing
//! - `telemetry` uses `config`
//! - `webhook` uses `graph`, `hold`, `job`, `ledger`, `metrics`
//! - `worker` uses `graph`, `hold`, `job`, `ledger`, `metrics`, `ops`, `queue`, `telemetry`

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod fleet;
pub mod graph;
pub mod hold;
pub mod job;
pub mod keeper;
pub mod ledger;
pub mod metrics;
pub mod ops;
pub mod outcome;
pub mod queue;
pub mod sim;
pub mod telemetry;
pub mod webhook;
pub mod worker;
