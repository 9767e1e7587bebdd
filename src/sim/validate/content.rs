//! Text, media, places, contacts and reactions.

use super::part::Part;
use crate::sim::limits::{CAPTION_CHARS, CONTACTS, TEXT_BODY_CHARS};
use crate::sim::message::MessageKind;
use crate::sim::refusal::Refusal;

pub(super) fn text(content: &Part<'_>) -> Result<(), Refusal> {
    content.need("body")?.filled_up_to(TEXT_BODY_CHARS)?;
    if let Some(preview) = content.get("preview_url") {
        preview.flag()?;
    }
    Ok(())
}

pub(super) fn media(content: &Part<'_>, kind: MessageKind) -> Result<(), Refusal> {
    media_source(content)?;
    if let Some(caption) = content.get("caption") {
        if matches!(kind, MessageKind::Audio | MessageKind::Sticker) {
            return Err(caption.bad("is not allowed for this type"));
        }
        caption.text_up_to(CAPTION_CHARS)?;
    }
    if let Some(filename) = content.get("filename") {
        if kind != MessageKind::Document {
            return Err(filename.bad("is only allowed for documents"));
        }
        filename.filled()?;
    }
    Ok(())
}

/// Exactly one of an uploaded media id and a link.
pub(super) fn media_source(content: &Part<'_>) -> Result<(), Refusal> {
    match (content.get("id"), content.get("link")) {
        (Some(id), None) => id.filled().map(drop),
        (None, Some(link)) => link.link(),
        (Some(id), Some(_)) => Err(id.bad("and link exclude each other")),
        (None, None) => content.need("id").map(drop),
    }
}

pub(super) fn location(content: &Part<'_>) -> Result<(), Refusal> {
    for (key, most) in [("latitude", 90.0), ("longitude", 180.0)] {
        let degrees = content.need(key)?;
        if degrees.number()?.abs() > most {
            return Err(degrees.bad(&format!("must lie between -{most} and {most}")));
        }
    }
    content.need("name")?.filled()?;
    content.need("address")?.filled()?;
    Ok(())
}

pub(super) fn contacts(content: &Part<'_>) -> Result<(), Refusal> {
    content.list_up_to(CONTACTS)?;
    for contact in content.items() {
        let name = contact.need("name")?;
        name.need("formatted_name")?.filled()?;
        let parts = ["first_name", "last_name", "middle_name", "suffix", "prefix"];
        if name.count_fields(|key| parts.contains(&key)) == 0 {
            return Err(name.bad("needs one more part beside formatted_name, such as first_name"));
        }
    }
    Ok(())
}

pub(super) fn reaction(content: &Part<'_>) -> Result<(), Refusal> {
    content.need("message_id")?.filled()?;
    // An empty emoji takes the reaction back.
    content.need("emoji")?.text()?;
    Ok(())
}
