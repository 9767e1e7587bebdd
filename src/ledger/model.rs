//! What goes into the ledger and comes out of it, the same for every database.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::hold::{Hold, HoldId, HoldOrder};
use crate::job::{Job, JobKey, NumberId, PoolName, Priority};
use crate::outcome::{Reason, State, UnknownCause};

/// A worker process, for the time it runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct WorkerId(pub uuid::Uuid);

/// Counts up with each change of a lease's owner; guards admissions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fence(pub i64);

/// Where a job stands in line: its pool, and its number if it may go by that one alone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Route {
    /// The pool.
    pub pool: PoolName,
    /// The one number, if the producer named it.
    pub pinned: Option<NumberId>,
}

/// A job with its place in line.
#[derive(Clone, Debug)]
pub struct Routed {
    /// The job.
    pub job: Arc<Job>,
    /// Its place in line.
    pub route: Route,
}

/// What became of a job that was handed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Enqueued {
    /// Taken: `queued`, or `waiting` for its `not_before`.
    Fresh,
    /// The same job was handed in before; it stands in this state.
    Duplicate(State),
    /// Another job has this id.
    IdReused,
}

/// How many rows of one lane a worker has room for.
#[derive(Clone, Debug)]
pub struct LaneRoom {
    /// The lane's pool, and its number for the jobs that name one.
    pub route: Route,
    /// The lane's priority.
    pub priority: Priority,
    /// Room for rows that are due at a time (retries, deferrals).
    pub timed: u32,
    /// Room for rows that were published and not looked at yet.
    pub fresh: u32,
    /// Whether they may go by a number of some portfolio that is not at its limit: then nobody waits for the places of
    /// another.
    pub has_places: bool,
}

/// A waiting row in a worker's hands.
#[derive(Clone, Debug)]
pub struct ClaimedRow {
    /// The job's key.
    pub key: JobKey,
    /// The job as JSON, in the ledger's own form.
    pub body: String,
    /// Its place in line.
    pub route: Route,
    /// Its lane's priority.
    pub priority: Priority,
    /// Set for rows that were due at a time; none for fresh ones.
    pub due_at: Option<Timestamp>,
    /// The hold under which it was parked: it has been lifted since, or its time is over and this row may try it.
    pub released: Option<HoldId>,
}

/// What a claim found.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The rows, in order within each lane.
    pub rows: Vec<ClaimedRow>,
    /// For each lane asked, whether it may have more that could be claimed now.
    pub more: Vec<bool>,
    /// For each lane asked, when the next row of it falls due.
    pub dues: Vec<Option<Timestamp>>,
    /// When the next hold ends by itself, or the next place is free that a row of these lanes waits for.
    pub let_out_at: Option<Timestamp>,
}

/// How a job came into the hands of the worker that asks about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hand {
    /// By a claim of this worker's: its waiting row stands in the worker's name.
    Claimed(WorkerId),
    /// From the broker, which has it until it is acked: the ledger may have no row of it.
    Delivered,
}

/// A request to send a job now, by this number.
#[derive(Clone, Debug)]
pub struct AdmitRequest {
    /// The job with its place in line.
    pub routed: Routed,
    /// How it came here.
    pub hand: Hand,
    /// It was asked before under the same number and fence, the answer was lost, and nothing was sent: an attempt
    /// that this ask began is answered with its admission again.
    pub again: bool,
    /// The number that shall send it.
    pub number: NumberId,
    /// The lease under which this worker owns the number.
    pub fence: Fence,
    /// What holds may look at besides the job.
    pub account: Arc<Account>,
    /// When an answer must have been settled; later the attempt counts as unknown.
    pub deadline: Timestamp,
    /// A hold whose time is over, which this job tries.
    pub probe: Option<HoldId>,
    /// The numbers of its pool: one of them that the recipient wrote to may have to answer in its place.
    pub siblings: Arc<[NumberId]>,
    /// What the worker knows against it, whoever sends it: instead of being sent it ends as `failed` with this reason.
    pub unfit: Option<Reason>,
}

/// Whose number it is: what holds need to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name of the access token, never the token.
    pub credential: String,
    /// The WhatsApp Business Account; empty if unknown.
    pub waba: String,
    /// The business portfolio; empty if unknown.
    pub portfolio: String,
}

/// The ledger's yes: made by the ledger alone, consumed by the send.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an admission that is neither sent nor settled becomes unknown at its deadline"]
pub struct Admission {
    pub(super) key: JobKey,
    pub(super) number: NumberId,
    pub(super) attempt: u32,
    pub(super) tries: u32,
    pub(super) deadline: Timestamp,
}

impl Admission {
    /// The yes of a ledger that a test plays.
    #[cfg(test)]
    pub(crate) fn for_test(key: JobKey, number: NumberId, attempt: u32, tries: u32, deadline: Timestamp) -> Self {
        Self { key, number, attempt, tries, deadline }
    }

    /// The job.
    pub fn key(&self) -> JobKey {
        self.key
    }
    /// The number it was admitted for.
    pub fn number(&self) -> &NumberId {
        &self.number
    }
    /// Which attempt this is, from 1; travels to Meta and back.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
    /// How many earlier attempts were charged to the job's budget.
    pub fn tries(&self) -> u32 {
        self.tries
    }
    /// When its answer must have been settled.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }
}

/// The ledger's answer to an [`AdmitRequest`].
#[derive(Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Send it.
    Go(Admission),
    /// It ended, now (expired, cancelled, suppressed, poison) or before: nothing is left to do but ack.
    Ended(State),
    /// It waits in its row, or an attempt is in flight or unknown, here or elsewhere; its body is kept: nothing is left
    /// to do but ack.
    InFlight,
    /// It waits under this hold now.
    Parked(HoldId),
    /// The number is no longer this worker's: give the job back.
    LeaseLost,
    /// Another job has this id: it was set aside as dead.
    IdReused,
    /// Another number of the pool alone may write to the recipient: its row stands in that one's lane.
    Elsewhere(NumberId),
}

/// What an attempt did to its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Meta took it.
    Accepted {
        /// Meta's id.
        wamid: String,
        /// Meta holds it back to assess its template.
        held_for_quality: bool,
    },
    /// It goes again at this time.
    Retry {
        /// When.
        due: Timestamp,
        /// Why.
        reason: Reason,
        /// Meta's code.
        code: Option<u32>,
        /// Whether the attempt counts against the job's budget.
        charged: bool,
    },
    /// It waits for the hold that is placed with this settlement, and is not charged.
    Park {
        /// Why.
        reason: Reason,
        /// Meta's code.
        code: Option<u32>,
    },
    /// It ended.
    End {
        /// `failed`, `expired`, `suppressed` or `cancelled`.
        state: State,
        /// Why.
        reason: Reason,
        /// Meta's code.
        code: Option<u32>,
        /// What Meta said, for `show`; never the recipient or the message.
        details: String,
    },
    /// Perhaps sent; its policy ends it at this time.
    Unknown {
        /// Why nobody knows.
        cause: UnknownCause,
        /// When the policy decides.
        until: Timestamp,
    },
}

/// What one attempt came to, to be committed.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The job.
    pub key: JobKey,
    /// The attempt; another attempt's row is left alone.
    pub attempt: u32,
    /// When the answer came.
    pub at: Timestamp,
    /// What it did to the job.
    pub fate: Fate,
    /// A hold to place in the same commit.
    pub hold: Option<HoldOrder>,
    /// A tried hold that proved over: lifted in the same commit.
    pub lift: Option<HoldId>,
    /// The job, if the broker delivered it: a job that goes on waiting gets its row from this.
    pub delivered: Option<Routed>,
}

/// A job in hand that meets a hold which others may pass.
#[derive(Clone, Debug)]
pub struct Parking {
    /// The job.
    pub key: JobKey,
    /// The hold to wait under.
    pub hold: HoldId,
    /// The job, if the broker delivered it: it gets its row from this, unless it has one.
    pub delivered: Option<Routed>,
}

/// A job in hand whose time has not come.
#[derive(Clone, Debug)]
pub struct Deferral {
    /// The job.
    pub key: JobKey,
    /// When it is due.
    pub due: Timestamp,
    /// Why it waits.
    pub reason: Reason,
    /// The job, if the broker delivered it: it gets its row from this, unless it has one.
    pub delivered: Option<Routed>,
}

/// What became of a [`Settlement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Committed.
    Done,
    /// The job was not waiting for this attempt's answer any more; the row was left as it is.
    Stale,
}

/// Where an unknown job goes when its wait is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// It was sent after all.
    Sent,
    /// It was not sent: send it again.
    Resend,
    /// Nobody will know: `unresolved`.
    Leave,
}

/// How long an unknown outcome waits for news before its policy decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownWait {
    /// For one-time passwords.
    pub authentication: Duration,
    /// For everything else.
    pub others: Duration,
    /// How long none may come of a job of `resend_if_silent` while those of later sends do.
    pub silence: Duration,
}

/// A body that could not become a job, or a job that nobody should try again.
#[derive(Clone, Debug)]
pub struct Dead {
    /// The bytes, as they came (at most the first 256 KiB).
    pub body: Vec<u8>,
    /// Why.
    pub reason: String,
    /// The field at fault; empty if none.
    pub field: String,
    /// Where it came from: `cli:jobs.jsonl:17`, `amqp:tidegate.jobs.default.bulk`.
    pub origin: String,
    /// When.
    pub at: Timestamp,
}

/// A dead body as it lies in the ledger.
#[derive(Clone, Debug)]
pub struct DeadRow {
    /// Its number.
    pub seq: i64,
    /// What was buried.
    pub dead: Dead,
}

/// What a wish to cancel does about a job that the ledger has not seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unseen {
    /// Nothing: without a broker, what is not in the ledger is nowhere.
    Refuse,
    /// Leaves a row that ends the job when it comes up.
    Leave,
}

/// A lease as it stands, whoever holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    /// `number:…`, `worker:…`, `task:…` or `probe:…`.
    pub name: String,
    /// Who holds it; none if it was given up or ran out.
    pub owner: Option<WorkerId>,
    /// Its fence.
    pub fence: Fence,
    /// How long it lasts from now, unless renewed.
    pub left: Duration,
}

/// How leases are kept.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTimes {
    /// How long a lease lasts unless renewed.
    pub ttl: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// Its holder starts nothing in its last so much.
    pub margin: Duration,
}

/// A lease that a worker holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// `number:…`, `worker:…`, `task:…` or `probe:…`.
    pub name: String,
    /// Its fence.
    pub fence: Fence,
}

/// A job as the analysts' view `jobs_v1` shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct JobRow {
    /// The ledger's key.
    pub key: JobKey,
    /// The producer's id.
    pub id: String,
    /// The producer.
    pub source: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub reason: Option<Reason>,
    /// Meta's code.
    pub code: Option<u32>,
    /// Its pool.
    pub pool: String,
    /// Its priority.
    pub priority: Priority,
    /// Its campaign.
    pub campaign: Option<String>,
    /// Its template, as `name/language`.
    pub template: Option<String>,
    /// The number that sent it, or shall.
    pub number: Option<String>,
    /// The recipient, whole: mask it before it is printed.
    pub recipient: String,
    /// Its category.
    pub category: String,
    /// How many attempts were admitted.
    pub attempts: u32,
    /// Meta's id.
    pub wamid: Option<String>,
    /// When it is due, while it waits for a time.
    pub due_at: Option<Timestamp>,
    /// When its request must be answered, or its unknown outcome is decided.
    pub deadline: Option<Timestamp>,
    /// When it stops being worth sending.
    pub expires_at: Timestamp,
    /// When the ledger first saw it.
    pub created_at: Timestamp,
    /// When Meta took it.
    pub accepted_at: Option<Timestamp>,
    /// When Meta sent it on.
    pub sent_at: Option<Timestamp>,
    /// When it reached the phone.
    pub delivered_at: Option<Timestamp>,
    /// When it was opened.
    pub read_at: Option<Timestamp>,
    /// How Meta prices it: `regular`, `free_customer_service`, `free_entry_point`.
    pub cost_type: Option<String>,
    /// As what: `marketing`, `utility`, …
    pub cost_category: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the row last changed.
    pub updated_at: Timestamp,
    /// What Meta said last.
    pub details: Option<String>,
    /// The hold it is parked under.
    pub hold: Option<Hold>,
}

/// One wait or retry of a job.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TrailEntry {
    /// Its number, from 1.
    pub n: u32,
    /// When.
    pub at: Timestamp,
    /// The state it went to.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// Meta's code.
    pub code: Option<u32>,
    /// The number that had tried.
    pub number: Option<String>,
    /// Until when it waits.
    pub until: Option<Timestamp>,
}

/// How many jobs stand where: for people, boards and the status page.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Census {
    /// Jobs by state.
    pub states: Vec<(State, u64)>,
    /// Waiting rows by reason.
    pub waiting: Vec<(Reason, u64)>,
    /// How long each lane has stood; of lanes for one number alone nothing is said.
    pub lanes: Vec<LaneAge>,
    /// About how many events are not published yet.
    pub outbox: u64,
    /// Dead bodies.
    pub dead: u64,
}

/// How long the first in a lane has been waiting.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct LaneAge {
    /// The lane's pool.
    pub pool: PoolName,
    /// Its priority.
    pub priority: Priority,
    /// Since when, or from when, the first row that nothing holds may go; none: there is no such row.
    pub since: Option<Timestamp>,
}

/// How busy a ledger's connections are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Connections {
    /// Those that work.
    pub in_use: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only this state.
    pub state: Option<State>,
    /// Only this campaign.
    pub campaign: Option<String>,
    /// Only this pool.
    pub pool: Option<PoolName>,
    /// Only this number.
    pub number: Option<NumberId>,
    /// Only this recipient.
    pub recipient: Option<String>,
    /// At most so many, the newest first.
    pub limit: u32,
}

/// Names a job: by its key, by id, or by source and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRef {
    /// The producer, if given.
    pub source: Option<String>,
    /// The producer's id, or the key.
    pub id: String,
}

/// What became of a wish to cancel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cancelled {
    /// It will not be sent.
    Done,
    /// It had ended, or its request may have left: it stands in this state.
    TooLate(State),
    /// No job of this name has been seen.
    NotSeen,
    /// It has not been seen yet: it ends as cancelled when it comes up.
    Ahead,
    /// Several producers have a job of this id.
    Ambiguous,
}

/// Said by the ledger when something changed that a worker should look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Signal {
    /// Counts up when rows may have become claimable.
    pub work: u64,
    /// Counts up when holds changed.
    pub holds: u64,
    /// Counts up when leases were given up, or a worker came or went.
    pub leases: u64,
    /// Something of the fleet's fields did.
    pub fleet: u64,
}

/// What a pass of the keeper changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Attempts past their deadline, now `unknown`.
    pub overdue: u32,
    /// Unknown jobs sent again.
    pub resent: u32,
    /// Unknown jobs ended `unresolved`.
    pub unresolved: u32,
    /// Waiting jobs that ran out of time.
    pub expired: u32,
    /// Jobs attempted too often without an outcome.
    pub poisoned: u32,
    /// Holds that ran out.
    pub lifted: u32,
    /// Jobs that were sent and not delivered in the time they asked for: told, and left as they stand.
    pub late: u32,
}

/// The kind of what workers say of themselves every few seconds. It is no news of the fleet: nobody is woken by it.
pub const WORKER: &str = "worker";

/// What a worker said so long ago says nothing of it now.
pub const LIVE: Duration = Duration::from_secs(15);

/// The kind under which numbers lie in the ledger.
pub const NUMBER: &str = "number";
/// The kind under which templates lie in the ledger.
pub const TEMPLATE: &str = "template";

/// What was last read of one thing at Meta's, or what a worker said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetRow {
    /// `portfolio`, `waba`, `number`, `template`, `media` or `worker`.
    pub kind: String,
    /// Meta's id of it.
    pub id: String,
    /// Meta's id of what it belongs to; empty if unknown.
    pub parent: String,
    /// What was read, as JSON.
    pub fields: String,
    /// When.
    pub read_at: Timestamp,
}

/// An event that waits to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its place in line.
    pub seq: i64,
    /// The routing key: `message.<state>.<pool>.<source>`.
    pub topic: String,
    /// The event's id; published twice, it is the same.
    pub event: String,
    /// The producer's id of the job.
    pub job: String,
    /// The event as JSON.
    pub body: String,
}

/// How far events have come on their way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutboxStage {
    /// Nobody has them.
    Fresh,
    /// The broker has them, the outgoing webhook has not.
    PassedOn,
    /// Either: there is only one way out.
    Any,
}

impl OutboxStage {
    /// The least and the most that the rows of this stage have in their column.
    pub(super) const fn bounds(self) -> (i16, i16) {
        match self {
            Self::Fresh => (0, 0),
            Self::PassedOn => (1, 1),
            Self::Any => (0, 1),
        }
    }
}
