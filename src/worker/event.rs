//! What comes back to the worker's loop from those it asked: the ledger, Meta, its own timers.

use crate::clock::{Mono, Now};
use crate::hold::{Hold, HoldId};
use crate::job::JobKey;
use crate::ledger::{
    Admission, Admitted, Claimed, Deferral, Lease, LeaseRow, LedgerError, Parking, Settled, Settlement,
};
use crate::outcome::Outcome;
use crate::queue::Ticket;

use super::fitting::Doubts;
use super::index::{LaneIdx, NumberIdx};
use super::intake::Wanted;
use super::lane::Delivery;
use super::reception::Aside;
use super::scheduler::Choice;

/// One answer.
#[derive(Debug)]
pub(super) enum Event {
    /// To a claim, with when it was asked.
    Claimed(Wanted, Mono, Result<Claimed, LedgerError>),
    /// To a batch of requests to send, with when it was asked.
    Admitted(Ask, Mono, Result<Vec<Admitted>, LedgerError>),
    /// To the wish to try holds, each as the only one in the fleet.
    Trial(Vec<Choice>, Result<Vec<Lease>, LedgerError>),
    /// To one request to Meta.
    Answered(Box<Answered>),
    /// To a batch of settlements.
    Settled(Vec<Settling>, Mono, Result<Vec<Settled>, LedgerError>),
    /// To the question who holds which leases.
    Leases(Result<Vec<LeaseRow>, LedgerError>),
    /// To a renewal of leases, with when it was sent.
    Renewed(Result<(Mono, Vec<Lease>), LedgerError>),
    /// To giving up every lease, at a stop.
    SteppedDown(Result<(), LedgerError>),
    /// To telling the ledger which rows are in hand.
    Counted(Result<(), LedgerError>),
    /// To the question which holds stand.
    Holds(Result<Vec<Hold>, LedgerError>),
    /// To a batch that was parked, put off or given back.
    PutBack(PutBack, Result<(), LedgerError>),
    /// To a batch of deliveries that go no further here.
    SetAside(Vec<(Aside, Ticket)>, Result<(), LedgerError>),
    /// To word left of the worker's numbers.
    LeftWord(Result<(), LedgerError>),
    /// To word left of readings that are doubted.
    Doubted(Doubts, Result<(), LedgerError>),
    /// To the wish to lift a hold.
    Lifted(Result<bool, LedgerError>),
}

/// Jobs whose admission is asked for.
#[derive(Debug)]
pub(super) struct Ask {
    pub choices: Vec<Choice>,
    /// When it was asked for the first time.
    pub first: Now,
}

/// Rows that this worker has in its name and has no use for now. Forgotten, they would stay in its name.
#[derive(Clone, Debug)]
pub(super) enum PutBack {
    /// To wait under holds; what the broker delivered is acked then.
    Park(Vec<Parking>, Vec<Ticket>),
    /// To wait until a time, each to come back to its lane; what the broker delivered is acked then.
    Defer(Vec<(Deferral, Option<LaneIdx>)>, Vec<Ticket>),
    /// To stand where they stood.
    GiveBack(Vec<JobKey>),
}

/// What an attempt came to, and what to ack once that is committed.
#[derive(Clone, Debug)]
pub(super) struct Settling {
    pub settlement: Settlement,
    pub ticket: Option<Ticket>,
    /// Where the job comes back, if it does.
    pub home: Option<LaneIdx>,
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
