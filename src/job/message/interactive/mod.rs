//! Interactive messages: their common frame here, one file per family of actions beside it.

mod button;
mod flow;
mod link;
mod list;
mod product;

use super::media::{self, Kind};
use super::{Field, Problem};

/// What a sub type says of the parts around its action.
struct Frame {
    headers: &'static [&'static str],
    body: Body,
}

enum Body {
    Needed(usize),
    Optional,
}

const ANY_HEADER: &[&str] = &["text", "image", "video", "document"];

pub(super) fn check(interactive: &Field<'_, '_>) -> Result<(), Problem> {
    match interactive.need("type")?.filled(64)? {
        "button" => {
            frame(interactive, Frame { headers: ANY_HEADER, body: Body::Needed(1_024) })?;
            button::check(&interactive.need("action")?)
        }
        "list" => {
            frame(interactive, Frame { headers: &["text"], body: Body::Needed(4_096) })?;
            list::check(&interactive.need("action")?)
        }
        "cta_url" => {
            frame(interactive, Frame { headers: ANY_HEADER, body: Body::Needed(1_024) })?;
            link::check(&interactive.need("action")?)
        }
        "flow" => {
            frame(interactive, Frame { headers: ANY_HEADER, body: Body::Needed(1_024) })?;
            flow::check(&interactive.need("action")?)
        }
        "product" => {
            if let Some(header) = interactive.get("header") {
                return Err(header.refuse("not allowed here: a product brings its own"));
            }
            frame(interactive, Frame { headers: ANY_HEADER, body: Body::Optional })?;
            product::check_one(&interactive.need("action")?)
        }
        "product_list" => {
            interactive.need("header")?;
            frame(interactive, Frame { headers: &["text"], body: Body::Needed(1_024) })?;
            product::check_list(&interactive.need("action")?)
        }
        "catalog_message" => {
            frame(interactive, Frame { headers: ANY_HEADER, body: Body::Needed(1_024) })?;
            interactive.need("action")?.need("name")?.one_of(&["catalog_message"]).map(drop)
        }
        "location_request_message" => {
            frame(interactive, Frame { headers: ANY_HEADER, body: Body::Needed(1_024) })?;
            interactive.need("action")?.need("name")?.one_of(&["send_location"]).map(drop)
        }
        // Known to exist, but Meta's pages give no limits beyond the frame's.
        "address_message" | "call_permission_request" | "voice_call" | "order_details" | "order_status" => {
            frame(interactive, Frame { headers: ANY_HEADER, body: Body::Optional })?;
            interactive.need("action")?.object().map(drop)
        }
        _ => Ok(()),
    }
}

fn frame(interactive: &Field<'_, '_>, frame: Frame) -> Result<(), Problem> {
    if let Some(header) = interactive.get("header") {
        match header.need("type")?.one_of(frame.headers)? {
            "image" => media::check(&header.need("image")?, Kind::Image)?,
            "video" => media::check(&header.need("video")?, Kind::Video)?,
            "document" => media::check(&header.need("document")?, Kind::Document)?,
            _ => drop(header.need("text")?.filled(60)?),
        }
    }
    match (frame.body, interactive.get("body")) {
        (Body::Needed(most), _) => drop(interactive.need("body")?.need("text")?.filled(most)?),
        (Body::Optional, Some(body)) => drop(body.need("text")?.at_most(1_024)?),
        (Body::Optional, None) => {}
    }
    match interactive.get("footer") {
        Some(footer) => footer.need("text")?.at_most(60).map(drop),
        None => Ok(()),
    }
}
