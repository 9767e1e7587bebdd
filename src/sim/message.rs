//! A send request as the simulator understands it, once it has passed validation.

use super::template_spec::Category;
use super::validate::Endpoint;
use super::words::words;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What was posted to the messages endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Posted {
    /// A message to somebody.
    Message(Message),
    /// «Read», perhaps with a typing indicator: answered, but not a message.
    ReadReceipt {
        /// The customer's message that was read.
        message_id: String,
    },
}

/// A valid message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) recipient: Recipient,
    pub(crate) kind: MessageKind,
    pub(crate) callback: Option<String>,
    pub(crate) template: Option<TemplateUse>,
    /// A category that the request itself names (Direct Send).
    pub(crate) category: Option<Category>,
    /// Where it was posted.
    pub(crate) endpoint: Endpoint,
    /// What its recipient may tap, if there is anything.
    pub(crate) first_button: Option<FirstButton>,
}

/// The first button of a message that answers when it is tapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FirstButton {
    /// A template's quick reply, with the payload that the send gave it.
    QuickReply { payload: String },
    /// A reply button of an interactive message.
    Reply { id: String, title: String },
}

/// Whom it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// As it stood in the request.
    pub(crate) input: String,
    /// The digits of a phone number; none for a business-scoped user id.
    pub(crate) wa_id: Option<String>,
}

impl Recipient {
    /// A short stand-in for the person, whichever way the number was written.
    pub(crate) fn key(&self) -> u64 {
        match self.wa_id.as_deref().map(str::parse::<u64>) {
            Some(Ok(digits)) => digits,
            Some(Err(_)) | None => {
                let mut hasher = DefaultHasher::new();
                self.input.hash(&mut hasher);
                // The highest bit keeps user ids apart from phone numbers, which never reach it.
                hasher.finish() | 1 << 63
            }
        }
    }

    /// A phone number written without `+`: Meta may take it for a national one and prepend a country code.
    pub(crate) fn lacks_plus(&self) -> bool {
        self.wa_id.is_some() && !self.input.trim_start().starts_with('+')
    }
}

/// Which template, and what of it can be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateUse {
    pub(crate) name: String,
    pub(crate) language: String,
    pub(crate) body_parameters: usize,
}

words! {
    /// The type of a message.
    MessageKind {
        /// Plain text.
        Text = "text",
        /// A picture.
        Image = "image",
        /// A film.
        Video = "video",
        /// A sound or voice note.
        Audio = "audio",
        /// A file.
        Document = "document",
        /// A sticker.
        Sticker = "sticker",
        /// A place.
        Location = "location",
        /// Contact cards.
        Contacts = "contacts",
        /// An emoji on an earlier message.
        Reaction = "reaction",
        /// Buttons, lists, flows, products.
        Interactive = "interactive",
        /// A template.
        Template = "template",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(input: &str, wa_id: Option<&str>) -> Recipient {
        Recipient { input: input.to_owned(), wa_id: wa_id.map(str::to_owned) }
    }

    #[test]
    fn one_person_has_one_key_however_the_number_is_written() {
        let plain = recipient("+447700900123", Some("447700900123"));
        let spaced = recipient("+44 (7700) 900-123", Some("447700900123"));
        assert_eq!(plain.key(), spaced.key());
        assert_ne!(plain.key(), recipient("US.1349", None).key());
    }
}
