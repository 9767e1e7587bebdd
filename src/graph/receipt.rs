//! Tells a customer that their message was read, and perhaps that an answer is being written.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/typing-indicators>: the indicator goes
//! when the answer comes, or after 25 seconds.

use std::path::Path;

use http::Method;
use serde::Serialize;

use super::ask::{self, AskError, Asker};
use super::{ApiBase, Credential, SetupError};
use crate::job::NumberId;

/// Receipts of one server.
#[derive(Clone, Debug)]
pub struct Receipts {
    asker: Asker,
}

#[derive(Serialize)]
struct Read<'a> {
    messaging_product: &'static str,
    status: &'static str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    typing_indicator: Option<Typing>,
}

#[derive(Serialize)]
struct Typing {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Receipts {
    /// Trusts the same authorities as the send path.
    pub fn new(base: ApiBase, ca_file: Option<&Path>) -> Result<Self, SetupError> {
        Ok(Self { asker: Asker::new(base, ca_file)? })
    }

    /// Marks a customer's message, and all before it, as read; with `typing`, they see that an answer is being written.
    /// Doing so again changes nothing.
    pub async fn mark_read(
        &self,
        number: &NumberId,
        credential: &Credential,
        wamid: &str,
        typing: bool,
    ) -> Result<(), AskError> {
        let url = self.asker.base().join(&format!("{number}/messages"));
        let body = Read {
            messaging_product: "whatsapp",
            status: "read",
            message_id: wamid,
            typing_indicator: typing.then_some(Typing { kind: "text" }),
        };
        ask::done(self.asker.request(Method::POST, url, credential).json(&body)).await
    }
}
