//! Interactive messages: buttons, lists, links, flows, products.

use super::content::media_source;
use super::part::Part;
use crate::sim::limits::{HEADER_CHARS, INTERACTIVE_BODY_CHARS, LIST_BODY_CHARS, PRODUCTS};
use crate::sim::refusal::Refusal;

const TYPES: &[&str] = &[
    "button",
    "list",
    "cta_url",
    "flow",
    "product",
    "product_list",
    "catalog_message",
    "location_request_message",
    "address_message",
    "call_permission_request",
    "voice_call",
    "order_details",
    "order_status",
];

pub(super) fn check(content: &Part<'_>) -> Result<(), Refusal> {
    let word = content.need("type")?.one_of(TYPES)?;
    check_frame(content, word)?;
    let action = content.need("action");
    match word {
        "button" => buttons(&action?),
        "list" => list(&action?),
        "cta_url" => link_button(&action?),
        "flow" => flow(&action?),
        "product" => {
            let action = action?;
            if let Some(header) = content.get("header") {
                return Err(header.bad("is not allowed for a product"));
            }
            action.need("catalog_id")?.filled()?;
            action.need("product_retailer_id")?.filled().map(drop)
        }
        "product_list" => product_list(content, &action?),
        // The others are only named in Meta's examples; a well-formed frame is all that is known of them.
        _ => Ok(()),
    }
}

/// Body, header and footer.
fn check_frame(content: &Part<'_>, word: &str) -> Result<(), Refusal> {
    let body = content.get("body");
    if matches!(word, "button" | "list" | "cta_url" | "product_list" | "location_request_message") {
        content.need("body")?;
    }
    if let Some(body) = body {
        let most = if word == "list" { LIST_BODY_CHARS } else { INTERACTIVE_BODY_CHARS };
        body.need("text")?.filled_up_to(most)?;
    }
    if let Some(footer) = content.get("footer") {
        footer.need("text")?.filled_up_to(HEADER_CHARS)?;
    }
    let Some(header) = content.get("header") else {
        return Ok(());
    };
    let kinds: &[&'static str] = match word {
        "list" | "product_list" => &["text"],
        _ => &["text", "image", "video", "document"],
    };
    match header.need("type")?.one_of(kinds)? {
        "text" => header.need("text")?.filled_up_to(HEADER_CHARS).map(drop),
        media => media_source(&header.need(media)?),
    }
}

fn buttons(action: &Part<'_>) -> Result<(), Refusal> {
    let buttons = action.need("buttons")?;
    buttons.list_up_to(3)?;
    let (mut ids, mut titles) = (Vec::new(), Vec::new());
    for button in buttons.items() {
        button.need("type")?.one_of(&["reply"])?;
        let reply = button.need("reply")?;
        let id = reply.need("id")?;
        let text = id.filled_up_to(256)?;
        if text != text.trim() {
            return Err(id.bad("must not begin or end with a space"));
        }
        unique(&mut ids, &id, text)?;
        let title = reply.need("title")?;
        unique(&mut titles, &title, title.filled_up_to(20)?)?;
    }
    Ok(())
}

fn unique(seen: &mut Vec<String>, part: &Part<'_>, text: &str) -> Result<(), Refusal> {
    if seen.iter().any(|other| other == text) {
        return Err(part.bad("must be different from the others"));
    }
    seen.push(text.to_owned());
    Ok(())
}

fn list(action: &Part<'_>) -> Result<(), Refusal> {
    action.need("button")?.filled_up_to(20)?;
    let sections = action.need("sections")?;
    let several = sections.list_up_to(10)? > 1;
    let mut ids = Vec::new();
    for section in sections.items() {
        match section.get("title") {
            Some(title) => drop(title.text_up_to(24)?),
            None if several => drop(section.need("title")?),
            None => {}
        }
        let rows = section.need("rows")?;
        rows.list_up_to(10)?;
        for row in rows.items() {
            let id = row.need("id")?;
            unique(&mut ids, &id, id.filled_up_to(200)?)?;
            row.need("title")?.filled_up_to(24)?;
            if let Some(description) = row.get("description") {
                description.text_up_to(72)?;
            }
        }
    }
    if ids.len() > 10 {
        return Err(sections.bad(&format!("has {} rows; allowed are 10 in total", ids.len())));
    }
    Ok(())
}

fn link_button(action: &Part<'_>) -> Result<(), Refusal> {
    action.need("name")?.one_of(&["cta_url"])?;
    let parameters = action.need("parameters")?;
    parameters.need("display_text")?.filled_up_to(20)?;
    parameters.need("url")?.link()
}

fn flow(action: &Part<'_>) -> Result<(), Refusal> {
    action.need("name")?.one_of(&["flow"])?;
    let parameters = action.need("parameters")?;
    parameters.need("flow_message_version")?.one_of(&["3"])?;
    parameters.need("flow_cta")?.filled()?;
    match (parameters.get("flow_id"), parameters.get("flow_name")) {
        (Some(id), None) => drop(id.filled()?),
        (None, Some(name)) => drop(name.filled()?),
        (Some(id), Some(_)) => return Err(id.bad("and flow_name exclude each other")),
        (None, None) => drop(parameters.need("flow_id")?),
    }
    if let Some(mode) = parameters.get("mode") {
        mode.one_of(&["draft", "published"])?;
    }
    if let Some(flow_action) = parameters.get("flow_action") {
        flow_action.one_of(&["navigate", "data_exchange"])?;
    }
    Ok(())
}

fn product_list(content: &Part<'_>, action: &Part<'_>) -> Result<(), Refusal> {
    content.need("header")?;
    action.need("catalog_id")?.filled()?;
    let sections = action.need("sections")?;
    sections.list_up_to(10)?;
    let mut products = 0;
    for section in sections.items() {
        let items = section.need("product_items")?;
        products += items.list_up_to(PRODUCTS)?;
        for item in items.items() {
            item.need("product_retailer_id")?.filled()?;
        }
    }
    if products > PRODUCTS {
        return Err(sections.bad(&format!("has {products} products; allowed are {PRODUCTS}")));
    }
    Ok(())
}
