//! One thing that the business is told.

use crate::sim::message::Recipient;
use crate::sim::template_spec::Category;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The number that an update is about, as webhooks name it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) waba: String,
    pub(crate) number: Arc<str>,
    /// The digits of the number that people see.
    pub(crate) display: String,
}

/// An accepted message, as far as its statuses speak of it.
#[derive(Debug)]
pub(crate) struct SentMessage {
    pub(crate) wamid: String,
    pub(crate) origin: Arc<Origin>,
    pub(crate) recipient: Recipient,
    pub(crate) callback: Option<String>,
    pub(crate) price: Price,
}

/// What a status says about the price: `webhooks/reference/messages/status` and `pricing`, read 2026-09-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) category: &'static str,
    pub(crate) is_free: bool,
}

impl Price {
    /// The price of a message of this category; one sent by way of marketing messages has a category of its own.
    pub(crate) fn new(category: Category, by_marketing_messages: bool, is_free: bool) -> Self {
        let category = match category {
            Category::Marketing if by_marketing_messages => "marketing_lite",
            Category::Marketing => "marketing",
            Category::Utility => "utility",
            Category::Authentication => "authentication",
            Category::Service => "service",
        };
        Self { category, is_free }
    }

    fn value(self) -> Value {
        let kind = if self.is_free { "free_customer_service" } else { "regular" };
        json!({ "billable": !self.is_free, "pricing_model": "PMP", "type": kind, "category": self.category })
    }
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Sent,
    Delivered,
    Read,
    /// With this code.
    Failed(u32),
}

impl Step {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed(_) => "failed",
        }
    }
}

/// One thing that the business is told.
#[derive(Debug, Clone)]
pub(crate) enum Update {
    /// How far a message has come.
    Status { message: Arc<SentMessage>, step: Step, happened_ns: u64, is_priced: bool },
    /// What a customer wrote: an element of `messages`, still without its timestamp.
    Message { origin: Arc<Origin>, from: Arc<Recipient>, message: Arc<Value>, happened_ns: u64 },
    /// An event of the account: a `field` with its `value`.
    Event { waba: Arc<str>, field: &'static str, value: Arc<Value>, happened_ns: u64 },
    /// A whole body, as it stands.
    Raw(Bytes),
}

impl Update {
    /// What it tells, for the counts.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Status { step, .. } => step.word(),
            Self::Message { .. } => "message",
            Self::Event { field, .. } => field,
            Self::Raw(_) => "raw",
        }
    }

    /// How many bytes it takes in a body, at most.
    pub(super) fn most_bytes(&self) -> usize {
        match self {
            // Every byte of the callback data may have to be escaped.
            Self::Status { message, .. } => 1_500 + message.callback.as_ref().map_or(0, |data| 6 * data.len()),
            Self::Message { message, .. } => 1_000 + message.to_string().len(),
            Self::Event { value, .. } => 500 + value.to_string().len(),
            Self::Raw(body) => body.len(),
        }
    }
}

/// `metadata`, which says what number an update is about.
pub(crate) fn metadata(origin: &Origin) -> Value {
    json!({ "display_phone_number": origin.display, "phone_number_id": &*origin.number })
}

/// An element of `contacts`.
pub(crate) fn contact(person: &Recipient) -> Value {
    let mut contact = json!({ "profile": { "name": "Simulated Customer" } });
    name_person(&mut contact, person, "wa_id", "user_id");
    contact
}

/// An element of `statuses`, for something that happened at this wall clock second.
pub(super) fn status(message: &SentMessage, step: Step, unix_s: u64, is_priced: bool) -> Value {
    let mut status = json!({ "id": message.wamid, "status": step.word(), "timestamp": unix_s.to_string() });
    name_person(&mut status, &message.recipient, "recipient_id", "recipient_user_id");
    if let Some(callback) = &message.callback {
        status["biz_opaque_callback_data"] = callback.as_str().into();
    }
    if is_priced {
        status["pricing"] = message.price.value();
    }
    if let Step::Failed(code) = step {
        let title = crate::sim::error_table::find(code).map_or("Unknown error", |row| row.title);
        status["errors"] = json!([{
            "code": code,
            "title": title,
            "message": title,
            "error_data": { "details": details(code).unwrap_or(title) },
            "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
        }]);
    }
    status
}

/// The sentence that goes with the codes that senders look at most.
fn details(code: u32) -> Option<&'static str> {
    match code {
        130_472 => Some("Failed to send message because this user's phone number is part of an experiment"),
        131_026 => Some("Message undeliverable"),
        131_047 => Some(
            "Message failed to send because more than 24 hours have passed since the customer last replied to this number",
        ),
        131_049 => Some("This message was not delivered to maintain healthy ecosystem engagement."),
        131_050 => Some("The recipient has stopped marketing messages from this business"),
        _ => None,
    }
}

/// Writes a person's phone number or user id under the name that it has here.
pub(crate) fn name_person(object: &mut Value, person: &Recipient, phone_key: &str, user_key: &str) {
    let fields: Option<&mut Map<String, Value>> = object.as_object_mut();
    let (key, id) = match &person.wa_id {
        Some(wa_id) => (phone_key, wa_id),
        None => (user_key, &person.input),
    };
    fields.expect("only objects get here").insert(key.to_owned(), id.as_str().into());
}
