//! Whether Meta would take a request body: one reading of the send endpoint's documentation, ours alone.
//!
//! Missing parameters are 131008, values that cannot be 131009, too long ones 100, unknown types
//! 131051. Fields that we do not know are let pass, as Graph does.

mod buttons;
mod content;
mod interactive;
mod part;
mod recipient;
mod template;

use super::limits::CALLBACK_CHARS;
use super::message::{Message, MessageKind, Posted};
use super::refusal::Refusal;
use super::template_spec::Category;
use part::Part;
pub(crate) use recipient::person;
use serde_json::Value;

/// Which of the two send endpoints was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/messages`
    Messages,
    /// `/marketing_messages`
    MarketingMessages,
}

/// Reads a body, or says in Meta's words why not.
pub(crate) fn read(body: &[u8], endpoint: Endpoint) -> Result<Posted, Refusal> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        // The text of the error names no content, only a place.
        Refusal::because(100, format!("the body is not valid JSON: {error}"))
    })?;
    let root = Part::root(&value);
    if !value.is_object() {
        return Err(Refusal::because(100, "the body must be a JSON object"));
    }
    check_product(&root)?;
    if root.get("status").is_some() && endpoint == Endpoint::Messages {
        return read_receipt(&root);
    }
    let kind = kind(&root)?;
    if endpoint == Endpoint::MarketingMessages {
        check_marketing(&root, kind)?;
    }
    check_envelope(&root)?;
    let recipient = recipient::read(&root)?;
    let callback = callback(&root)?;
    let mut template = None;
    let content = root.need(kind.word())?;
    match kind {
        MessageKind::Text => content::text(&content)?,
        MessageKind::Image | MessageKind::Video | MessageKind::Audio | MessageKind::Document | MessageKind::Sticker => {
            content::media(&content, kind)?
        }
        MessageKind::Location => content::location(&content)?,
        MessageKind::Contacts => content::contacts(&content)?,
        MessageKind::Reaction => content::reaction(&content)?,
        MessageKind::Interactive => interactive::check(&content)?,
        MessageKind::Template => template = Some(template::read(&content)?),
    }
    let category = direct_category(&root)?;
    let first_button = buttons::first(&value, kind);
    Ok(Posted::Message(Message { recipient, kind, callback, template, category, endpoint, first_button }))
}

fn check_product(root: &Part<'_>) -> Result<(), Refusal> {
    match root.get("messaging_product") {
        None => Err(Refusal::because(100, "The parameter messaging_product is required.")),
        Some(product) if product.text()?.eq_ignore_ascii_case("whatsapp") => Ok(()),
        Some(_) => Err(Refusal::because(100, "Param messaging_product must be one of {WHATSAPP}")),
    }
}

fn read_receipt(root: &Part<'_>) -> Result<Posted, Refusal> {
    root.need("status")?.one_of(&["read"])?;
    let message_id = root.need("message_id")?.filled()?.to_owned();
    if let Some(typing) = root.get("typing_indicator") {
        typing.need("type")?.one_of(&["text"])?;
    }
    Ok(Posted::ReadReceipt { message_id })
}

fn kind(root: &Part<'_>) -> Result<MessageKind, Refusal> {
    let Some(kind) = root.get("type") else {
        return Ok(MessageKind::Text);
    };
    let word = kind.text()?;
    MessageKind::ALL.iter().copied().find(|kind| kind.word() == word).ok_or_else(|| {
        let word: String = word.chars().take(64).collect();
        Refusal::because(131_051, format!("Message type {word} is not supported"))
    })
}

/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/marketing-messages/get-started>, 2026-09-11.
fn check_marketing(root: &Part<'_>, kind: MessageKind) -> Result<(), Refusal> {
    if kind != MessageKind::Template {
        return Err(Refusal::because(131_055, "Only messages of type template can be sent here"));
    }
    root.need("recipient_type")?;
    if let Some(policy) = root.get("product_policy") {
        policy.one_of(&["CLOUD_API_FALLBACK", "STRICT"])?;
    }
    if let Some(sharing) = root.get("message_activity_sharing") {
        sharing.flag()?;
    }
    Ok(())
}

fn check_envelope(root: &Part<'_>) -> Result<(), Refusal> {
    if let Some(recipient_type) = root.get("recipient_type") {
        recipient_type.one_of(&["individual", "group"])?;
    }
    if let Some(context) = root.get("context") {
        context.need("message_id")?.filled()?;
    }
    Ok(())
}

fn callback(root: &Part<'_>) -> Result<Option<String>, Refusal> {
    root.get("biz_opaque_callback_data").map(|data| data.text_up_to(CALLBACK_CHARS).map(str::to_owned)).transpose()
}

/// Direct Send, which names a category instead of a template
/// (<https://developers.facebook.com/documentation/business-messaging/whatsapp/direct-send/configure-message-ttl>, 2026-07-31).
fn direct_category(root: &Part<'_>) -> Result<Option<Category>, Refusal> {
    let Some(category) = root.get("category") else {
        return Ok(None);
    };
    category.one_of(&["utility", "authentication"])?;
    Ok(category.text()?.parse().ok())
}

#[cfg(test)]
mod tests;
