//! The message object: what Meta would refuse is refused here, before it costs a request.
//!
//! One file per family of types, after Meta's page of each type. What Meta tolerates passes, and so does a type
//! that we don't know.

mod contacts;
mod interactive;
mod location;
mod media;
mod reaction;
mod template;
mod text;

use serde_json::value::RawValue;

use super::field::{Field, Problem};
use super::{Message, TemplateRef};

/// What stands beside the message in a request, and is written by the sender.
const OURS: &[&str] = &["messaging_product", "to", "recipient", "recipient_type", "biz_opaque_callback_data"];

/// Checks the message; `raw` is the same in the producer's own bytes.
pub(super) fn check(message: &Field<'_, '_>, raw: &RawValue) -> Result<Message, Problem> {
    let fields = message.object()?;
    if let Some(name) = OURS.iter().find(|name| fields.contains_key(**name)) {
        return Err(message.refuse_below(name, "ours: the sender writes it, leave it out"));
    }
    if let Some(context) = message.get("context") {
        context.need("message_id")?.filled(usize::MAX)?;
    }
    let kind = kind(message)?;
    let template = content(message, kind)?;
    Ok(Message { kind: kind.to_owned(), template, json: raw.to_owned() })
}

/// Meta takes a message without a type for a text.
fn kind<'v>(message: &Field<'_, 'v>) -> Result<&'v str, Problem> {
    match message.get("type") {
        Some(kind) => kind.filled(64),
        None if message.get("text").is_some() => Ok("text"),
        None => Err(message.refuse_below("type", "missing")),
    }
}

fn content(message: &Field<'_, '_>, kind: &str) -> Result<Option<TemplateRef>, Problem> {
    match kind {
        "text" => text::check(&message.need("text")?),
        "image" => media::check(&message.need("image")?, media::Kind::Image),
        "video" => media::check(&message.need("video")?, media::Kind::Video),
        "audio" => media::check(&message.need("audio")?, media::Kind::Audio),
        "document" => media::check(&message.need("document")?, media::Kind::Document),
        "sticker" => media::check(&message.need("sticker")?, media::Kind::Sticker),
        "location" => location::check(&message.need("location")?),
        "contacts" => contacts::check(&message.need("contacts")?),
        "reaction" => reaction::check(&message.need("reaction")?),
        "interactive" => interactive::check(&message.need("interactive")?),
        "template" => return template::check(&message.need("template")?).map(Some),
        _ => Ok(()),
    }?;
    Ok(None)
}
