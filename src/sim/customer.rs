//! Customers: what they say to a number, which opens a service window and goes out by webhook.
//!
//! Shapes: `webhooks/reference/messages/…`, read 2026-09-11.

use super::media::SMALL_PICTURE;
use super::message::{FirstButton, Recipient};
use super::platform::Platform;
use super::validate;
use super::webhooks::Update;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Something that a customer says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Inbound {
    /// A sentence.
    Text {
        /// The sentence.
        body: String,
        /// The message id that it quotes.
        #[serde(default)]
        reply_to: Option<String>,
    },
    /// A tap on a template's quick reply.
    Button {
        /// What stands on the button.
        text: String,
        /// What the send put behind it.
        payload: String,
        /// The message id of the template message.
        #[serde(default)]
        reply_to: Option<String>,
    },
    /// A tap on a reply button of an interactive message.
    ButtonReply {
        /// The button's id.
        id: String,
        /// What stands on it.
        title: String,
        /// The message id of the interactive message.
        #[serde(default)]
        reply_to: Option<String>,
    },
    /// A picture.
    Image {
        /// What is written under it.
        #[serde(default)]
        caption: Option<String>,
        /// The id of a medium that was uploaded to this number; none: a picture of one pixel.
        #[serde(default)]
        media: Option<String>,
    },
    /// An emoji on a message.
    Reaction {
        /// The message's id.
        message_id: String,
        /// The emoji; empty takes it back.
        emoji: String,
    },
}

impl Inbound {
    /// A sentence that quotes nothing.
    pub fn text(body: impl Into<String>) -> Self {
        Self::Text { body: body.into(), reply_to: None }
    }

    /// A tap on this button of the message `wamid`; a sentence, if there is no button.
    pub(crate) fn tap(button: Option<&FirstButton>, wamid: &str) -> Self {
        let reply_to = Some(wamid.to_owned());
        match button {
            Some(FirstButton::QuickReply { payload }) => {
                Self::Button { text: payload.clone(), payload: payload.clone(), reply_to }
            }
            Some(FirstButton::Reply { id, title }) => {
                Self::ButtonReply { id: id.clone(), title: title.clone(), reply_to }
            }
            None => Self::Text { body: "Yes, please".to_owned(), reply_to },
        }
    }
}

/// Why something could not be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    /// There is no such number.
    #[error("there is no number {0}")]
    NoNumber(String),
    /// It is neither a phone number nor a user id.
    #[error("from: `{0}` is not allowed; allowed is a phone number with its country code, or a user id")]
    NoPerson(String),
    /// The picture was never uploaded, or is gone.
    #[error("media: there is no medium {0}")]
    NoMedium(String),
}

/// What a customer will say, once it is due.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) number: Arc<str>,
    pub(crate) from: Recipient,
    pub(crate) said: Inbound,
}

/// Message ids kept of what customers said; past that, the oldest are forgotten.
const MOST_HEARD: usize = 100_000;

/// What customers said, as far as it can be marked as read.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    said: u64,
    to: HashMap<String, u32>,
    order: VecDeque<String>,
}

impl Heard {
    /// Whether this is the id of something that was said to this number.
    pub(crate) fn knows(&self, number: u32, wamid: &str) -> bool {
        self.to.get(wamid) == Some(&number)
    }

    fn keep(&mut self, number: u32, wamid: &str) {
        self.to.insert(wamid.to_owned(), number);
        self.order.push_back(wamid.to_owned());
        if self.order.len() > MOST_HEARD
            && let Some(oldest) = self.order.pop_front()
        {
            self.to.remove(&oldest);
        }
    }
}

impl Platform {
    /// A customer says something to a number now: gives its message id.
    pub(crate) fn say(&mut self, number: &str, from: &str, said: &Inbound, now_ns: u64) -> Result<String, SayError> {
        let place = self.find_number(number).ok_or_else(|| SayError::NoNumber(number.to_owned()))?;
        let person = validate::person(from).ok_or_else(|| SayError::NoPerson(from.to_owned()))?;
        if let Inbound::Image { media: Some(id), .. } = said
            && self.media.find(id, now_ns).is_none()
        {
            return Err(SayError::NoMedium(id.clone()));
        }
        Ok(self.hear(place, person, said, now_ns))
    }

    /// Takes in what a customer says: opens the service window, and tells the business.
    pub(crate) fn hear(&mut self, number: u32, from: Recipient, said: &Inbound, at_ns: u64) -> String {
        self.heard.said += 1;
        let wamid = self.inbound_wamid(self.heard.said);
        self.heard.keep(number, &wamid);
        self.windows.open(number, from.key(), at_ns);
        let origin = Arc::clone(&self.numbers[number as usize].origin);
        if self.outbox.is_none() {
            return wamid;
        }
        let mut message = self.content(number, said, at_ns);
        message["id"] = wamid.as_str().into();
        match &from.wa_id {
            Some(wa_id) => message["from"] = wa_id.as_str().into(),
            None => message["from_user_id"] = from.input.as_str().into(),
        }
        let update = Update::Message { origin, from: Arc::new(from), message: Arc::new(message), happened_ns: at_ns };
        if let Some(outbox) = &mut self.outbox {
            outbox.plan(at_ns, update);
        }
        wamid
    }

    /// An element of `messages`, as far as it depends on what was said.
    fn content(&mut self, number: u32, said: &Inbound, now_ns: u64) -> Value {
        let (mut message, reply_to) = match said {
            Inbound::Text { body, reply_to } => {
                (json!({ "type": "text", "text": { "body": body } }), reply_to.as_ref())
            }
            Inbound::Button { text, payload, reply_to } => {
                (json!({ "type": "button", "button": { "text": text, "payload": payload } }), reply_to.as_ref())
            }
            Inbound::ButtonReply { id, title, reply_to } => {
                let reply = json!({ "type": "button_reply", "button_reply": { "id": id, "title": title } });
                (json!({ "type": "interactive", "interactive": reply }), reply_to.as_ref())
            }
            Inbound::Image { caption, media } => (
                json!({ "type": "image", "image": self.picture(number, caption.as_deref(), media.as_deref(), now_ns) }),
                None,
            ),
            Inbound::Reaction { message_id, emoji } => {
                (json!({ "type": "reaction", "reaction": { "message_id": message_id, "emoji": emoji } }), None)
            }
        };
        if let Some(id) = reply_to {
            message["context"] = json!({ "from": self.numbers[number as usize].origin.display, "id": id });
        }
        message
    }

    /// A picture that the business can fetch for a week.
    fn picture(&mut self, number: u32, caption: Option<&str>, uploaded: Option<&str>, now_ns: u64) -> Value {
        let uploaded = uploaded.and_then(|id| self.media.find(id, now_ns));
        let (mime_type, bytes) = uploaded.map_or_else(
            || ("image/png".to_owned(), Bytes::from_static(SMALL_PICTURE)),
            |(_, medium)| (medium.mime_type.clone(), medium.bytes.clone()),
        );
        let id = self.media.receive(number, &mime_type, bytes, now_ns).to_string();
        let (_, medium) = self.media.find(&id, now_ns).expect("it was just received");
        let mut picture = json!({ "mime_type": mime_type, "sha256": medium.sha256_base64(), "id": id });
        if let Some(caption) = caption {
            picture["caption"] = caption.into();
        }
        picture
    }
}
