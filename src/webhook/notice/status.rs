//! What became of a message that we sent.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status>, read
//! 2026-09-11.

use std::sync::Arc;

use super::object::Object;
use super::{Reading, is_plain};
use crate::clock::Timestamp;
use crate::graph::answer::shorten;
use crate::graph::message::parse_callback;
use crate::job::{JobKey, NumberId};
use crate::ledger::Pricing;

/// A status of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The account that it was sent by.
    pub waba: Arc<str>,
    /// The number that it was sent by.
    pub number: Option<NumberId>,
    /// Meta's id of the message.
    pub wamid: String,
    /// What became of it.
    pub told: Told,
    /// When.
    pub at: Timestamp,
    /// Which attempt at which job; none: something else than Tidegate sent it.
    pub job: Option<(JobKey, u32)>,
    /// What it costs, where the status says.
    pub pricing: Option<Pricing>,
}

/// Meta's word for what became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It left Meta.
    Sent,
    /// It reached the phone.
    Delivered,
    /// It was opened; or played, which is told of voice messages only.
    Read,
    /// It will not arrive.
    Failed(MetaError),
}

/// An error as webhooks tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaError {
    /// Meta's code.
    pub code: Option<u32>,
    /// Meta's own words, without what could be somebody's number.
    pub details: String,
}

impl Status {
    pub(super) fn read(status: &Object<'_>, reading: &Reading<'_>, number: Option<&NumberId>) -> Option<Self> {
        let told = match status.text("status")?.as_str() {
            "sent" => Told::Sent,
            "delivered" => Told::Delivered,
            "read" | "played" => Told::Read,
            "failed" => Told::Failed(status.objects("errors").first().map(MetaError::read).unwrap_or_default()),
            _ => return None,
        };
        Some(Self {
            waba: reading.waba.clone(),
            number: number.cloned(),
            wamid: status.text("id").filter(|id| is_plain(id))?,
            told,
            at: status.moment("timestamp").unwrap_or(reading.at),
            job: status.text("biz_opaque_callback_data").and_then(|data| parse_callback(&data)),
            pricing: status.object("pricing").and_then(|pricing| price(&pricing)),
        })
    }
}

impl MetaError {
    pub(super) fn read(error: &Object<'_>) -> Self {
        let details = error.object("error_data").and_then(|data| data.text("details"));
        let details = details.or_else(|| error.text("message")).or_else(|| error.text("title"));
        Self {
            code: error.whole("code").and_then(|code| code.try_into().ok()),
            details: details.map(|details| shorten(&details)).unwrap_or_default(),
        }
    }
}

/// Before 2025-07 there was no type: what was billed is `regular`.
fn price(pricing: &Object<'_>) -> Option<Pricing> {
    let word = |text: String| {
        // Meta writes `authentication-international` with both.
        let word = text.to_ascii_lowercase().replace('-', "_");
        let fits = word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        fits.then_some(word)
    };
    let billed = || pricing.raw("billable").filter(|billable| billable.get() == "true").map(|_| "regular".to_owned());
    Some(Pricing {
        kind: pricing.text("type").or_else(billed).and_then(word)?,
        category: pricing.text("category").and_then(word)?,
    })
}
