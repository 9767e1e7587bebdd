//! A job: one message to send, as a producer publishes it, parsed once and valid from then on.
//!
//! [`parse`](fn@parse) turns a producer's bytes into a [`Job`]; inside, nobody checks again.
//! In the ledger a job's body is this type's own JSON, with every default already filled in.

mod catalogue;
#[cfg(test)]
mod corpus;
mod field;
mod identity;
mod message;
#[cfg(test)]
mod mutations;
mod names;
mod needs;
mod parse;
mod recipient;
mod schema;

pub use catalogue::{Catalogue, Entry as TemplateEntry, Fit, Unfit};
pub use identity::{Digest, JobKey};
pub use names::{Campaign, InvalidName, JobId, NumberId, PoolName, Source};
pub use needs::{Button, Header, Needs};
pub use parse::{InvalidFrom, Received, Refused, parse};
pub use recipient::{InvalidRecipient, Phone, Recipient, UserId};
pub use schema::schema;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::outcome::words;

words! {
    /// Which job goes first, where several could.
    Priority {
        /// One-time passwords: the next permit.
        Urgent = "urgent",
        /// Ahead of the ordinary.
        High = "high",
        /// The ordinary.
        Normal = "normal",
        /// Campaigns.
        Bulk = "bulk",
    }
}

impl Priority {
    /// Position in arrays that are kept per priority: urgent is 0.
    pub const fn index(self) -> usize {
        self as usize
    }
}

words! {
    /// What Meta charges for, and what a recipient may opt out of.
    Category {
        /// Offers and news.
        Marketing = "marketing",
        /// About something the recipient did.
        Utility = "utility",
        /// One-time passwords.
        Authentication = "authentication",
        /// Free-form, inside a service window.
        Service = "service",
    }
}

words! {
    /// What to do with a job of which nobody can say whether it was sent.
    OnUnknown {
        /// Send again.
        Resend = "resend",
        /// Send again once later messages were reported and this one was not.
        ResendIfSilent = "resend_if_silent",
        /// Leave it: it ends `unresolved`.
        Leave = "leave",
    }
}

/// Who shall send: what the producer wrote in `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// Any number of this pool.
    Pool(PoolName),
    /// This number alone, by Meta's id.
    Number(NumberId),
    /// This number alone, by its display number (digits only); the fleet knows its id.
    Display(String),
}

/// A template's name and language, as holds and metrics of templates need them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TemplateRef {
    /// The template's name.
    pub name: String,
    /// Its language code, as `en_US`.
    pub language: String,
}

/// The message object, checked, in the producer's own bytes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Message {
    /// Meta's `type`; may be one that we don't know.
    pub kind: String,
    /// Set for templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// The whole object, from `{` to `}`, without `messaging_product`, `to` and what else is ours.
    pub json: Box<RawValue>,
}

impl Message {
    /// Whether Meta lets this out only inside a service window.
    pub fn is_free_form(&self) -> bool {
        self.template.is_none()
    }
}

/// Without the content, which is nobody's but the recipient's.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, template, json } = self;
        f.debug_struct("Message")
            .field("kind", kind)
            .field("template", template)
            .field("bytes", &json.get().len())
            .finish()
    }
}

/// Present: the job goes out by `/marketing_messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marketing {
    /// `CLOUD_API_FALLBACK` or `STRICT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_policy: Option<String>,
    /// Whether Meta may use what the recipient does with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_activity_sharing: Option<bool>,
}

/// One message to send. Valid because it exists.
#[derive(Clone, Serialize, Deserialize)]
pub struct Job {
    /// The ledger's key.
    pub key: JobKey,
    /// The producer's id.
    pub id: JobId,
    /// The producer's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Tells two jobs of one id apart.
    pub digest: Digest,
    /// Who shall send.
    pub from: From,
    /// Its lane's priority.
    pub priority: Priority,
    /// The person.
    pub to: Recipient,
    /// What to send.
    pub message: Message,
    /// What Meta charges for.
    pub category: Category,
    /// The campaign it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Campaign>,
    /// Not to be sent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Not to be sent from this moment on.
    pub expires_at: Timestamp,
    /// To be delivered within this time of its publishing (or `not_before`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_within: Option<Duration>,
    /// What to do if nobody can say whether it was sent.
    pub on_unknown: OnUnknown,
    /// Set for jobs that go out by `/marketing_messages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marketing: Option<Marketing>,
    /// The producer's own, returned with every event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
    /// When it was published, or first seen.
    pub enqueued_at: Timestamp,
}

impl Job {
    /// From this moment on it is late: accepted perhaps, but not delivered in time.
    pub fn late_at(&self) -> Option<Timestamp> {
        let start = self.not_before.map_or(self.enqueued_at, |moment| moment.max(self.enqueued_at));
        self.deliver_within.map(|within| start + within)
    }
}

/// What tells it apart, without its content and its metadata.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("key", &self.key)
            .field("id", &self.id)
            .field("source", &self.source)
            .field("from", &self.from)
            .field("priority", &self.priority)
            .field("to", &self.to)
            .field("message", &self.message)
            .field("category", &self.category)
            .field("campaign", &self.campaign)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
