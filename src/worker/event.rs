//! What comes back to the worker's loop from those it asked: the ledger, Meta, its own timers.

use crate::clock::{Mono, Now};
use crate::hold::{Hold, HoldId};
use crate::job::JobKey;
use crate::ledger::{Admission, Admitted, Claimed, Lease, LedgerError, Parking, Settled, Settlement};
use crate::outcome::Outcome;

use super::index::NumberIdx;
use super::intake::Wanted;
use super::lane::Delivery;
use super::scheduler::Choice;

/// One answer.
#[derive(Debug)]
pub(super) enum Event {
    /// To a claim, with when it was asked.
    Claimed(Wanted, Mono, Result<Claimed, LedgerError>),
    /// To a batch of requests to send, with when it was asked.
    Admitted(Vec<Choice>, Now, Result<Vec<Admitted>, LedgerError>),
    /// To one request to Meta.
    Answered(Box<Answered>),
    /// To a batch of settlements.
    Settled(Vec<Settlement>, Mono, Result<Vec<Settled>, LedgerError>),
    /// To a renewal of leases, with when it was sent.
    Renewed(Mono, Result<Vec<Lease>, LedgerError>),
    /// To the question which holds stand.
    Holds(Result<Vec<Hold>, LedgerError>),
    /// To a batch that was parked or given back.
    PutBack(PutBack, Result<(), LedgerError>),
    /// To the wish to lift a hold.
    Lifted(Result<bool, LedgerError>),
}

/// Rows that this worker has in its name and has no use for now. Forgotten, they would stay in its name.
#[derive(Clone, Debug)]
pub(super) enum PutBack {
    /// To wait under holds.
    Park(Vec<Parking>),
    /// To stand where they stood.
    GiveBack(Vec<JobKey>),
}

/// A request that has come to an outcome.
#[derive(Debug)]
pub(super) struct Answered {
    pub admission: Admission,
    pub delivery: Delivery,
    pub number: NumberIdx,
    pub probe: Option<HoldId>,
    pub sent_at: Mono,
    pub outcome: Outcome,
}
