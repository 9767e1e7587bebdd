//! The part of the simulator's own API that makes it talk: webhooks, customers, events of the account.
//!
//! - `GET /_sim/webhooks`: the counts, a [`WebhookCounts`](crate::sim::WebhookCounts);
//! - `PUT /_sim/webhooks/url` with `{"url": "http://…"}`: they go there from now on;
//! - `PUT /_sim/webhooks/failed` with `[{"code": 131026, "share": 0.1, "recipient_suffix": "99"}]`: what fails from now on;
//! - `POST /_sim/webhooks/raw`: this body goes out as it is, signed;
//! - `POST /_sim/say` with `{"number": "1001", "from": "447700900123", "message": {"type": "text", "body": "hi"}}`: an
//!   [`Inbound`] to a number, answered with its `id`;
//! - `POST /_sim/events` with an [`AccountEvent`], such as `{"event": "template_paused", "name": "sale"}`.

use super::account::AccountEvent;
use super::control::{BadRequest, read_json};
use super::customer::Inbound;
use super::oracle::Shared;
use super::webhooks::FailedShare;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

type App = State<Arc<Shared>>;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/_sim/webhooks", get(counts))
        .route("/_sim/webhooks/url", put(point))
        .route("/_sim/webhooks/failed", put(replace_failures))
        .route("/_sim/webhooks/raw", post(raw))
        .route("/_sim/say", post(say))
        .route("/_sim/events", post(announce))
}

async fn counts(State(shared): App) -> Result<Response, BadRequest> {
    let counts = shared.platform().outbox.as_ref().map(|outbox| outbox.counts());
    counts.map(|counts| Json(counts).into_response()).ok_or_else(no_webhooks)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    url: String,
}

async fn point(State(shared): App, body: String) -> Result<StatusCode, BadRequest> {
    let place: Place = read_json(&body)?;
    let mut platform = shared.platform();
    platform.outbox.as_mut().ok_or_else(no_webhooks)?.point_at(place.url);
    Ok(StatusCode::NO_CONTENT)
}

async fn replace_failures(State(shared): App, body: String) -> Result<StatusCode, BadRequest> {
    let failed: Vec<FailedShare> = read_json(&body)?;
    if let Some(odd) = failed.iter().find(|failed| !(0.0..=1.0).contains(&failed.share)) {
        return Err(BadRequest::because(format!(
            "share: `{}` is not allowed; allowed is a share from 0 to 1",
            odd.share
        )));
    }
    let mut platform = shared.platform();
    platform.outbox.as_mut().ok_or_else(no_webhooks)?.config.failed = failed;
    Ok(StatusCode::NO_CONTENT)
}

async fn raw(State(shared): App, body: Bytes) -> Result<StatusCode, BadRequest> {
    let (mut platform, now_ns) = shared.platform_now();
    if platform.plan_raw(body, now_ns) { Ok(StatusCode::ACCEPTED) } else { Err(no_webhooks()) }
}

fn no_webhooks() -> BadRequest {
    BadRequest::new(StatusCode::CONFLICT, "no webhooks are configured: start with --webhook-url and --app-secret")
}

async fn announce(State(shared): App, body: String) -> Result<StatusCode, BadRequest> {
    let event: AccountEvent = read_json(&body)?;
    shared.announce(&event).map_err(BadRequest::because)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    number: String,
    from: String,
    message: Inbound,
}

async fn say(State(shared): App, body: String) -> Result<Response, BadRequest> {
    let Said { number, from, message } = read_json(&body)?;
    let (mut platform, now_ns) = shared.platform_now();
    let id = platform.say(&number, &from, &message, now_ns).map_err(BadRequest::because)?;
    Ok(Json(json!({ "id": id })).into_response())
}
