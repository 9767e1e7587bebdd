//! What people write to our numbers, and what Meta could not tell us of it.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages>, read
//! 2026-09-11.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::object::Object;
use super::{MetaError, is_plain};
use crate::clock::Timestamp;
use crate::job::{NumberId, Phone, Recipient, UserId};
use crate::outcome::words;

words! {
    /// What kind of message came in. Closed: it stands in the names of events.
    InboundKind {
        /// Written words.
        Text = "text",
        /// A picture.
        Image = "image",
        /// A film.
        Video = "video",
        /// Sound, also spoken into the phone.
        Audio = "audio",
        /// A file.
        Document = "document",
        /// A sticker.
        Sticker = "sticker",
        /// A place.
        Location = "location",
        /// Contact cards.
        Contacts = "contacts",
        /// An answer to buttons, a list or a flow.
        Interactive = "interactive",
        /// A tap on a template's quick-reply button.
        Button = "button",
        /// An emoji on a message, or its removal.
        Reaction = "reaction",
        /// A shopping basket.
        Order = "order",
        /// WhatsApp itself: the person changed their number or identity.
        System = "system",
        /// The person took a message back.
        Revoke = "revoke",
        /// The person changed a message.
        Edit = "edit",
        /// Anything else, also what Meta calls so.
        Unsupported = "unsupported",
    }
}

/// A message that a person wrote.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The number that they wrote to.
    pub number: NumberId,
    /// Who wrote, by phone number and by user id: one of them at least.
    pub from: Vec<Recipient>,
    /// The name that they gave themselves.
    pub name: Option<String>,
    /// Meta's id of the message.
    pub wamid: String,
    /// What it is.
    pub kind: InboundKind,
    /// When they wrote it.
    pub at: Timestamp,
    /// What it answers, as Meta says it.
    pub context: Option<Box<RawValue>>,
    /// The words that may be an order to us: the whole text, or what stands on the button.
    pub said: Vec<String>,
    /// The message as Meta tells it.
    pub message: Box<RawValue>,
}

/// Something that Meta tells of a number beside messages and statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The number.
    pub number: Option<NumberId>,
    /// When it was told.
    pub at: Timestamp,
    /// What.
    pub error: MetaError,
}

impl Inbound {
    pub(super) fn read(raw: &RawValue, number: &NumberId, contacts: &[Object<'_>], told_at: Timestamp) -> Option<Self> {
        let message = Object::read(raw.get())?;
        let kind = message.text("type")?.parse().unwrap_or(InboundKind::Unsupported);
        let contact = contact(contacts, message.text("from"), message.text("from_user_id"));
        let from = people(
            [message.text("from"), message.text("from_user_id")],
            contact.map(|contact| [contact.text("wa_id"), contact.text("user_id")]),
        );
        if from.is_empty() {
            return None;
        }
        let name = contact.and_then(|contact| contact.object("profile")).and_then(|profile| profile.text("name"));
        Some(Self {
            number: number.clone(),
            from,
            name,
            wamid: message.text("id").filter(|id| is_plain(id))?,
            kind,
            at: message.moment("timestamp").unwrap_or(told_at),
            context: message.raw("context").map(ToOwned::to_owned),
            said: said(&message),
            message: raw.to_owned(),
        })
    }
}

fn said(message: &Object<'_>) -> Vec<String> {
    let text = message.object("text").map(|text| [text.text("body"), None]);
    let button = message.object("button").map(|button| [button.text("payload"), button.text("text")]);
    let reply = message.object("interactive").and_then(|interactive| interactive.object("button_reply"));
    let reply = reply.map(|reply| [reply.text("id"), reply.text("title")]);
    [text, button, reply].into_iter().flatten().flatten().flatten().collect()
}

/// The contact that a message or a preference is of: the one of its number or user id, or the only one if it can be.
pub(super) fn contact<'a, 'b>(
    contacts: &'b [Object<'a>],
    phone: Option<String>,
    user_id: Option<String>,
) -> Option<&'b Object<'a>> {
    let is_same = |contact: &&Object<'_>| {
        phone.is_some() && contact.text("wa_id") == phone || user_id.is_some() && contact.text("user_id") == user_id
    };
    // An only one that is somebody else's must not lend its name.
    let is_open = |contact: &&Object<'_>| {
        (phone.is_none() || contact.text("wa_id").is_none()) && (user_id.is_none() || contact.text("user_id").is_none())
    };
    contacts.iter().find(is_same).or_else(|| contacts.first().filter(|_| contacts.len() == 1).filter(is_open))
}

/// A person's names as jobs write them: what the change itself says comes before what its contact says.
pub(super) fn people(own: [Option<String>; 2], contact: Option<[Option<String>; 2]>) -> Vec<Recipient> {
    let [phone, user_id] = own;
    let [other_phone, other_id] = contact.unwrap_or_default();
    let phone = [phone, other_phone].into_iter().flatten().find_map(|text| text.parse::<Phone>().ok());
    let user_id = [user_id, other_id].into_iter().flatten().find_map(|text| text.parse::<UserId>().ok());
    phone.map(Recipient::Phone).into_iter().chain(user_id.map(Recipient::UserId)).collect()
}
