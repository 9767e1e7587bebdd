//! What Meta's webhooks tell, in the form that every database takes it in.

use std::time::Duration;

use serde_json::{Map, Value};

use super::OutboxRow;
use crate::clock::Timestamp;
use crate::hold::{Cover, HoldOrder};
use crate::job::{Category, JobKey, NumberId};
use crate::outcome::{Reason, State};

/// How long a recipient's message opens the way for free-form answers.
/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages>
pub const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// A webhook's body that was verified and kept, and is not applied yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// Its place in line.
    pub seq: i64,
    /// As it came.
    pub body: Vec<u8>,
    /// When it came.
    pub at: Timestamp,
}

/// What some webhook bodies say. It is applied in one commit, in which the bodies go.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// The bodies.
    pub read: Vec<i64>,
    /// What became of messages, in the order told. The same may be told often, in any order.
    pub statuses: Vec<StatusNews>,
    /// Windows that recipients opened.
    pub windows: Vec<WindowNews>,
    /// Holds to place and to lift, in this order.
    pub holds: Vec<HoldChange>,
    /// What is now known of numbers, portfolios, accounts and templates.
    pub fields: Vec<FieldsNews>,
    /// Events that belong to no job: of inbound messages, numbers, templates, accounts. Written if anybody listens.
    pub events: Vec<OutboxRow>,
    /// What could not be understood.
    pub strange: Vec<StrangeChange>,
}

/// What Meta says of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusNews {
    /// The job, and which attempt at it.
    pub key: JobKey,
    /// From 1.
    pub attempt: u32,
    /// Meta's id of the message.
    pub wamid: String,
    /// What became of it.
    pub heard: Heard,
    /// When, by Meta's clock.
    pub at: Timestamp,
    /// What it costs, where the status says.
    pub pricing: Option<Pricing>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Meta sent it on.
    Sent,
    /// It reached the phone.
    Delivered,
    /// It was opened, or played.
    Read,
    /// It will not arrive.
    Failed(Failure),
}

/// Why a message will not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `failed` or `suppressed`.
    pub state: State,
    /// The closed word.
    pub reason: Reason,
    /// Meta's code.
    pub code: Option<u32>,
    /// Meta's own words.
    pub details: String,
    /// Whether the app might try again.
    pub retryable: bool,
}

/// What a message costs, in Meta's words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Pricing {
    /// `regular`, `free_customer_service`, `free_entry_point`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `marketing`, `utility`, …
    pub category: String,
}

impl Pricing {
    /// From a job's columns.
    pub(super) fn read(kind: Option<String>, category: Option<String>) -> Option<Self> {
        Some(Self { kind: kind?, category: category? })
    }
}

/// A recipient wrote to a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowNews {
    /// The number written to.
    pub number: NumberId,
    /// Who wrote, as jobs name recipients.
    pub recipient: String,
    /// When the window closes: [`WINDOW`] after the message.
    pub until: Timestamp,
}

/// A change of what is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldChange {
    /// Places a hold, or strengthens the one with the same cover.
    Place(HoldOrder),
    /// Lifts the hold with this cover, if it stands for one of these reasons.
    Lift {
        /// What it covers.
        cover: Cover,
        /// Holds for other reasons stay.
        only: &'static [Reason],
    },
    /// A person does not want something, from the moment they said so.
    Stop {
        /// Their opt-out.
        order: HoldOrder,
        /// When they said so, by Meta's clock.
        said: Timestamp,
    },
    /// They want it again: lifts an opt-out that is no newer than this. Told again later, it lifts no newer one.
    Start {
        /// What the opt-out covers.
        cover: Cover,
        /// When they said so, by Meta's clock.
        said: Timestamp,
    },
}

/// Fields of one thing of the fleet that changed; those not named stay as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldsNews {
    /// `number`, `portfolio`, `waba` or `template`.
    pub kind: String,
    /// Meta's id; of a template, its name and language with a slash between.
    pub id: String,
    /// What it belongs to; left as it is if the thing is known.
    pub parent: String,
    /// The fields, by the names of Meta's reads.
    pub fields: Map<String, Value>,
    /// When.
    pub at: Timestamp,
}

/// A change that nobody here understands, kept for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrangeChange {
    /// Meta's name of the field, or why it could not be read.
    pub field: String,
    /// The change as it came.
    pub body: String,
    /// When it came.
    pub at: Timestamp,
}

/// What a job must be known by, to say what a failure of its message means for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFacts {
    /// Who it is for.
    pub recipient: String,
    /// What kind of message it is.
    pub category: Category,
    /// `name/language`.
    pub template: Option<String>,
    /// The number that tried last.
    pub number: Option<NumberId>,
}

/// What applying came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What each status did, in order.
    pub statuses: Vec<Moved>,
    /// Recipients whose suppression began with these statuses: not on WhatsApp three times in a row.
    pub suppressed: u32,
    /// Messages whose price was booked.
    pub priced: Vec<Pricing>,
}

/// What one status did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The job went from here to there.
    Job {
        /// Where it stood.
        from: State,
        /// Where it stands.
        to: State,
        /// From its acceptance to this status, where both are known.
        after: Option<Duration>,
    },
    /// The job stands where it stood: told before, or outdated.
    Nothing,
    /// No job of ours, or forgotten.
    Stranger,
}

/// What was erased of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Erased {
    /// Jobs whose person is forgotten.
    pub jobs: u64,
    /// Of these, jobs that had not ended, and now are cancelled.
    pub cancelled: u64,
    /// Opt-outs and other holds that go on under a keyed hash.
    pub holds: u64,
    /// Windows, events, dead bodies and webhooks that named the person.
    pub others: u64,
}
