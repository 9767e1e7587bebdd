//! The reads around the send endpoint: numbers, accounts, templates, and media by their ids.
//!
//! Fields: `…/reference/…/whatsapp-business-account-phone-number-api`, read 2026-09-11.

use super::config::WabaSpec;
use super::media;
use super::number_spec::NumberSpec;
use super::oracle::Shared;
use super::paging::{self, PageRequest};
use super::platform::Platform;
use super::refusal::Refusal;
use super::send::{bearer, is_version};
use super::template_spec::TemplateSpec;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

type App = State<Arc<Shared>>;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/{version}/{id}", get(object))
        .route("/{version}/{id}/phone_numbers", get(phone_numbers))
        .route("/{version}/{id}/message_templates", get(message_templates))
}

/// Fields of a number that is read without naming any.
const DEFAULT_NUMBER_FIELDS: &[&str] = &[
    "verified_name",
    "code_verification_status",
    "display_phone_number",
    "quality_rating",
    "platform_type",
    "throughput",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReadQuery {
    fields: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
    /// Of a medium: the number that it must belong to.
    phone_number_id: Option<String>,
}

impl ReadQuery {
    fn page(&self) -> PageRequest {
        PageRequest { limit: self.limit, after: self.after.clone() }
    }

    /// The names of the wanted fields, or `default`; what stands in parentheses or braces is left aside.
    fn fields<'a>(&'a self, default: &[&'a str]) -> Vec<&'a str> {
        match self.fields.as_deref() {
            None | Some("") => default.to_vec(),
            Some(fields) => fields.split(',').map(|f| f.split(['{', '(', '.']).next().unwrap_or(f).trim()).collect(),
        }
    }
}

async fn object(
    State(shared): App,
    Path((version, id)): Path<(String, String)>,
    query: Query<ReadQuery>,
    headers: HeaderMap,
) -> Response {
    let (mut platform, now_ns) = shared.platform_now();
    let found = admit(&platform, &version, &headers).and_then(|token| {
        let asked = media::Asked { token, number: query.phone_number_id.as_deref(), host: host(&headers) };
        if let Some(medium) = media::view(&platform, &id, asked, now_ns) {
            return medium;
        }
        // Accounts come first: with `any_number`, every other id becomes a number when it is asked for.
        if let Some(waba) = platform.wabas.iter().find(|waba| waba.id == id) {
            let view = waba_view(waba);
            return choose(&view, &query.fields(&["name", "currency", "timezone_id", "message_template_namespace"]));
        }
        let number = platform.find_number(&id).filter(|number| platform.may_use(token, *number));
        let number = number.ok_or_else(|| Refusal::no_such_object(&id))?;
        let view = number_view(&mut platform, number);
        choose(&view, &query.fields(DEFAULT_NUMBER_FIELDS))
    });
    respond(&mut platform, found)
}

async fn phone_numbers(
    State(shared): App,
    Path((version, id)): Path<(String, String)>,
    query: Query<ReadQuery>,
    headers: HeaderMap,
) -> Response {
    let mut platform = shared.platform();
    let found = admit(&platform, &version, &headers).and_then(|token| {
        require_waba(&platform, &id)?;
        let fields = query.fields(DEFAULT_NUMBER_FIELDS);
        let count = u32::try_from(platform.numbers.len()).expect("numbers are bounded");
        let mut items = Vec::new();
        for number in 0..count {
            if platform.numbers[number as usize].spec.waba == id && platform.may_use(token, number) {
                let view = number_view(&mut platform, number);
                items.push(choose(&view, &fields)?);
            }
        }
        Ok(paging::page(&items, &query.page(), &list_url(&headers, &version, &id, "phone_numbers")))
    });
    respond(&mut platform, found)
}

async fn message_templates(
    State(shared): App,
    Path((version, id)): Path<(String, String)>,
    query: Query<ReadQuery>,
    headers: HeaderMap,
) -> Response {
    let mut platform = shared.platform();
    platform.totals.template_reads += 1;
    let found = admit(&platform, &version, &headers).and_then(|_| {
        require_waba(&platform, &id)?;
        let fields = query.fields(&["name", "language", "status", "category", "components", "parameter_format"]);
        let mut items = Vec::new();
        for (index, template) in platform.templates.iter().enumerate().filter(|(_, template)| template.waba == id) {
            let view = json!({
                "id": TemplateSpec::id(index).to_string(),
                "name": template.name,
                "language": template.language,
                "status": template.status,
                "category": template.category,
                "parameter_format": "POSITIONAL",
                "quality_score": { "score": template.quality },
                "components": components(template),
            });
            items.push(choose(&view, &fields)?);
        }
        Ok(paging::page(&items, &query.page(), &list_url(&headers, &version, &id, "message_templates")))
    });
    respond(&mut platform, found)
}

/// Whatever no route knows: Graph answers in its own words.
pub(crate) async fn unknown_path(State(shared): App, uri: Uri) -> Response {
    let refusal = Refusal::because(2500, format!("{} is no path of this API", uri.path()));
    respond(&mut shared.platform(), Err(refusal))
}

/// Checks version and token; gives the token.
pub(crate) fn admit<'a>(platform: &Platform, version: &str, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
    if !is_version(version) {
        return Err(Refusal::because(2500, "the path must begin with a version, such as v23.0"));
    }
    let token = bearer(headers);
    platform.authenticate(token)?;
    Ok(token.unwrap_or_default())
}

fn require_waba(platform: &Platform, id: &str) -> Result<(), Refusal> {
    let there = platform.wabas.iter().any(|waba| waba.id == id);
    if there { Ok(()) } else { Err(Refusal::no_such_object(id)) }
}

fn waba_view(waba: &WabaSpec) -> Value {
    json!({
        "id": waba.id,
        "name": waba.name,
        "currency": "USD",
        "timezone_id": "1",
        "message_template_namespace": "00000000_0000_0000_0000_000000000000",
        "account_review_status": "APPROVED",
        "owner_business_info": { "name": waba.portfolio, "id": waba.portfolio },
    })
}

fn number_view(platform: &mut Platform, number: u32) -> Value {
    let limit = platform.messaging_limit(number).limit;
    let spec: &NumberSpec = &platform.numbers[number as usize].spec;
    json!({
        "id": spec.id,
        "display_phone_number": spec.display_number(),
        "verified_name": platform.numbers[number as usize].verified_name,
        "quality_rating": spec.quality,
        "quality_score": { "score": spec.quality },
        "status": spec.status,
        "throughput": { "level": spec.level },
        "whatsapp_business_manager_messaging_limit": tier(limit),
        "code_verification_status": "VERIFIED",
        "name_status": "APPROVED",
        "new_name_status": "NONE",
        "platform_type": "CLOUD_API",
        "is_on_biz_app": spec.coexistence,
        "account_mode": "LIVE",
        "is_pin_enabled": false,
        "is_official_business_account": false,
        "health_status": { "can_send_message": if spec.status.refusal().is_none() { "AVAILABLE" } else { "BLOCKED" } },
    })
}

/// The smallest of Meta's tiers that holds the limit (`messaging-limits`, read 2026-09-11).
pub(crate) fn tier(limit: Option<u32>) -> &'static str {
    match limit {
        Some(0..=250) => "TIER_250",
        Some(251..=2_000) => "TIER_2K",
        Some(2_001..=10_000) => "TIER_10K",
        Some(10_001..=100_000) => "TIER_100K",
        Some(100_001..) | None => "TIER_UNLIMITED",
    }
}

/// The wanted fields of `view`, and always its id.
fn choose(view: &Value, fields: &[&str]) -> Result<Value, Refusal> {
    let mut chosen = Map::new();
    for field in fields.iter().filter(|field| !field.is_empty()) {
        let value = view.get(field).ok_or_else(|| {
            Refusal::because(100, format!("Tried accessing nonexisting field ({field}) on this node"))
        })?;
        chosen.insert((*field).to_owned(), value.clone());
    }
    chosen.insert("id".to_owned(), view["id"].clone());
    Ok(Value::Object(chosen))
}

/// Those that were given; else a body with as many gaps as sends are held to. Where they are held to none, nobody could
/// say what the body is.
fn components(template: &TemplateSpec) -> Value {
    match (&template.components, template.body_parameters) {
        (Some(components), _) => components.clone(),
        (None, Some(gaps)) => json!([{ "type": "BODY", "text": body_text(gaps) }]),
        (None, None) => json!([]),
    }
}

fn body_text(parameters: usize) -> String {
    let places: Vec<_> = (1..=parameters).map(|n| format!("{{{{{n}}}}}")).collect();
    format!("Simulated text {}", places.join(" ")).trim_end().to_owned()
}

fn list_url(headers: &HeaderMap, version: &str, id: &str, edge: &str) -> String {
    format!("http://{}/{version}/{id}/{edge}", host(headers))
}

fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost")
}

pub(crate) fn respond(platform: &mut Platform, found: Result<Value, Refusal>) -> Response {
    let (status, body) = match found {
        Ok(value) => (StatusCode::OK, value.to_string().into_bytes()),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.http).expect("statuses are from our own table");
            (status, refusal.body(platform.next_trace()))
        }
    };
    (status, [(header::CONTENT_TYPE, "application/json; charset=UTF-8")], body).into_response()
}
