//! Uploading, reading, fetching and deleting media.

use super::store::Medium;
use super::{kinds, multipart};
use crate::sim::oracle::Shared;
use crate::sim::platform::Platform;
use crate::sim::reads::{admit, respond};
use crate::sim::refusal::Refusal;
use crate::sim::send::bearer;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type App = State<Arc<Shared>>;

pub(crate) fn router() -> Router<Arc<Shared>> {
    let upload = post(upload).layer(DefaultBodyLimit::max(kinds::UPLOAD_BYTES));
    Router::new()
        .route("/{version}/{id}/media", upload)
        .route("/{version}/{id}", delete(remove))
        .route("/_media/{id}", get(fetch))
}

async fn upload(
    State(shared): App,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let read = read_upload(&headers, &body);
    let (mut platform, now_ns) = shared.platform_now();
    let kept = admit(&platform, &version, &headers).and_then(|token| {
        let number = platform.find_number(&id).filter(|number| platform.may_use(token, *number));
        let number = number.ok_or_else(|| Refusal::no_such_object(&id))?;
        let (mime_type, file) = read.map_err(|problem| Refusal::because(100, problem))?;
        let medium = platform.media.upload(number, &mime_type, file, now_ns);
        Ok(json!({ "id": medium.to_string() }))
    });
    respond(&mut platform, kept)
}

/// The type and the file of an upload, or what is wrong with it.
fn read_upload(headers: &HeaderMap, body: &Bytes) -> Result<(String, Bytes), String> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut fields = multipart::fields(content_type, body)?;
    let text = |name: &str| {
        let field = fields.iter().find(|field| field.name == name)?;
        std::str::from_utf8(&field.body).ok().map(|text| text.trim().to_owned())
    };
    match text("messaging_product") {
        None => return Err("The parameter messaging_product is required.".to_owned()),
        Some(product) if product.eq_ignore_ascii_case("whatsapp") => {}
        Some(_) => return Err("Param messaging_product must be one of {WHATSAPP}".to_owned()),
    }
    let named_type = text("type");
    let file = fields.iter().position(|field| field.name == "file").ok_or("The parameter file is required.")?;
    let file = fields.swap_remove(file);
    let mime_type = named_type.or(file.content_type).ok_or("The parameter type is required.")?;
    kinds::check(&mime_type, file.body.len())?;
    // What came over the wire holds the whole form; a copy of its own lets that go.
    Ok((mime_type, Bytes::copy_from_slice(&file.body)))
}

/// What a read of this id shows, if it is a medium that this token may see.
pub(crate) fn view(platform: &Platform, id: &str, asked: Asked<'_>, now_ns: u64) -> Option<Result<Value, Refusal>> {
    let (place, medium) = platform.media.find(id, now_ns)?;
    if !is_allowed(platform, medium, asked) {
        return Some(Err(Refusal::no_such_object(id)));
    }
    Some(Ok(json!({
        "messaging_product": "whatsapp",
        "url": format!("http://{}/_media/{}", asked.host, platform.media.link(place, now_ns)),
        "mime_type": medium.mime_type,
        "sha256": medium.sha256_hex(),
        "file_size": medium.bytes.len(),
        "id": id,
    })))
}

/// Who asks for a medium, and where.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) token: &'a str,
    /// The `phone_number_id` that the medium must belong to, if one was named.
    pub(crate) number: Option<&'a str>,
    pub(crate) host: &'a str,
}

fn is_allowed(platform: &Platform, medium: &Medium, asked: Asked<'_>) -> bool {
    let id = &platform.numbers[medium.number as usize].id;
    asked.number.is_none_or(|number| number == &**id) && platform.may_use(asked.token, medium.number)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OfNumber {
    phone_number_id: Option<String>,
}

async fn remove(
    State(shared): App,
    Path((version, id)): Path<(String, String)>,
    Query(of): Query<OfNumber>,
    headers: HeaderMap,
) -> Response {
    let (mut platform, now_ns) = shared.platform_now();
    let removed = admit(&platform, &version, &headers).and_then(|token| {
        let asked = Asked { token, number: of.phone_number_id.as_deref(), host: "" };
        let found = platform.media.find(&id, now_ns).filter(|(_, medium)| is_allowed(&platform, medium, asked));
        let place = found.map(|(place, _)| place).ok_or_else(|| Refusal::no_such_object(&id))?;
        platform.media.remove(place);
        Ok(json!({ "success": true }))
    });
    respond(&mut platform, removed)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    ext: u64,
    hash: String,
}

async fn fetch(State(shared): App, Path(id): Path<String>, Query(link): Query<Link>, headers: HeaderMap) -> Response {
    let (mut platform, now_ns) = shared.platform_now();
    let token = bearer(&headers);
    if let Err(refusal) = platform.authenticate(token) {
        return respond(&mut platform, Err(refusal));
    }
    let asked = Asked { token: token.unwrap_or_default(), number: None, host: "" };
    let found = platform.media.find(&id, now_ns).filter(|(place, medium)| {
        platform.media.is_good_link(*place, link.ext, &link.hash, now_ns) && is_allowed(&platform, medium, asked)
    });
    match found {
        Some((_, medium)) => ([(header::CONTENT_TYPE, medium.mime_type.clone())], medium.bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
