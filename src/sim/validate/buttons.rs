//! What the recipient of a valid message may tap.

use crate::sim::message::{FirstButton, MessageKind};
use serde_json::Value;

/// What a template's quick reply carries if its send gave it no payload.
const DEFAULT_PAYLOAD: &str = "Quick reply";

/// The first button that answers. Every template is taken to have a quick reply.
pub(super) fn first(body: &Value, kind: MessageKind) -> Option<FirstButton> {
    match kind {
        MessageKind::Template => {
            let components = body["template"]["components"].as_array();
            let payload = components.into_iter().flatten().find_map(|component| {
                let is_quick_reply = component["sub_type"].as_str()?.eq_ignore_ascii_case("quick_reply");
                is_quick_reply.then(|| component["parameters"][0]["payload"].as_str())?
            });
            Some(FirstButton::QuickReply { payload: payload.unwrap_or(DEFAULT_PAYLOAD).to_owned() })
        }
        MessageKind::Interactive => {
            let reply = &body["interactive"]["action"]["buttons"][0]["reply"];
            let (id, title) = (reply["id"].as_str()?, reply["title"].as_str()?);
            Some(FirstButton::Reply { id: id.to_owned(), title: title.to_owned() })
        }
        MessageKind::Text
        | MessageKind::Image
        | MessageKind::Video
        | MessageKind::Audio
        | MessageKind::Document
        | MessageKind::Sticker
        | MessageKind::Location
        | MessageKind::Contacts
        | MessageKind::Reaction => None,
    }
}
