//! The simulator's own API, under `/_sim`: the oracle, and changing things while it runs. No token needed.

use super::fault::Fault;
use super::number_spec::NumberSpec;
use super::number_state::NumberChange;
use super::oracle::Shared;
use super::oracle_file;
use super::template_spec::TemplateChange;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::sync::Arc;

type App = State<Arc<Shared>>;

pub(crate) fn router() -> Router<Arc<Shared>> {
    let faults = get(list_faults).post(add_faults).put(replace_faults).delete(remove_faults);
    Router::new()
        .route("/_sim/oracle", get(oracle))
        .route("/_sim/stats", get(stats))
        .route("/_sim/faults", faults)
        .route("/_sim/numbers", post(add_number))
        .route("/_sim/numbers/{id}", patch(change_number))
        .route("/_sim/templates/{name}", patch(change_template))
        .route("/_sim/messaging_limit", patch(change_messaging_limit))
}

/// Rows in one answer, at most.
const LARGEST_PAGE: usize = 10_000;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Since {
    after: u64,
    limit: usize,
}

impl Default for Since {
    fn default() -> Self {
        Self { after: 0, limit: 1_000 }
    }
}

async fn oracle(State(shared): App, Query(since): Query<Since>) -> Response {
    let entries = shared.entries_since(since.after, since.limit.min(LARGEST_PAGE));
    ([(header::CONTENT_TYPE, "application/jsonl")], oracle_file::lines(&entries)).into_response()
}

async fn stats(State(shared): App) -> Response {
    Json(shared.stats()).into_response()
}

async fn list_faults(State(shared): App) -> Response {
    Json(shared.platform().script.faults()).into_response()
}

async fn add_faults(State(shared): App, body: String) -> Result<Response, BadRequest> {
    let faults = read_faults(&body)?;
    shared.platform().script.add(faults);
    Ok(list_faults(State(shared)).await)
}

async fn replace_faults(State(shared): App, body: String) -> Result<Response, BadRequest> {
    let faults = read_faults(&body)?;
    shared.platform().script.replace(faults);
    Ok(list_faults(State(shared)).await)
}

async fn remove_faults(State(shared): App) -> StatusCode {
    shared.platform().script.replace(Vec::new());
    StatusCode::NO_CONTENT
}

async fn add_number(State(shared): App, body: String) -> Result<StatusCode, BadRequest> {
    let spec: NumberSpec = read_json(&body)?;
    spec.check().map_err(BadRequest::because)?;
    let problem = format!("there is a number {} already", spec.id);
    if shared.platform().list_number(spec) {
        Ok(StatusCode::CREATED)
    } else {
        Err(BadRequest::new(StatusCode::CONFLICT, problem))
    }
}

async fn change_number(State(shared): App, Path(id): Path<String>, body: String) -> Result<StatusCode, BadRequest> {
    let change: NumberChange = read_json(&body)?;
    if shared.platform().change_number(&id, &change) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(BadRequest::new(StatusCode::NOT_FOUND, format!("there is no number {id}")))
    }
}

async fn change_template(State(shared): App, Path(name): Path<String>, body: String) -> Result<StatusCode, BadRequest> {
    let change: TemplateChange = read_json(&body)?;
    shared.platform().change_template(&name, &change);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitChange {
    /// `null` is UNLIMITED.
    limit: Option<u32>,
}

async fn change_messaging_limit(State(shared): App, body: String) -> Result<StatusCode, BadRequest> {
    let change: LimitChange = read_json(&body)?;
    shared.platform().change_messaging_limit(change.limit);
    Ok(StatusCode::NO_CONTENT)
}

/// One fault, a list of them, or one a line in their text form.
fn read_faults(body: &str) -> Result<Vec<Fault>, BadRequest> {
    match body.trim_start().chars().next() {
        Some('[') => {
            let items: Vec<serde_json::Value> = read_json(body)?;
            // One by one: the error of a list would not say what is wrong with its element.
            items.into_iter().map(|item| serde_json::from_value(item).map_err(BadRequest::because)).collect()
        }
        Some('{' | '"') => read_json(body).map(|fault| vec![fault]),
        Some(_) | None => {
            let lines = body.lines().filter(|line| !line.trim().is_empty());
            lines.map(|line| line.parse().map_err(BadRequest::because)).collect()
        }
    }
}

pub(crate) fn read_json<T: DeserializeOwned>(body: &str) -> Result<T, BadRequest> {
    serde_json::from_str(body).map_err(BadRequest::because)
}

/// What was wrong with a request to the control API.
pub(crate) struct BadRequest {
    status: StatusCode,
    problem: String,
}

impl BadRequest {
    pub(crate) fn because(problem: impl ToString) -> Self {
        Self { status: StatusCode::BAD_REQUEST, problem: problem.to_string() }
    }

    pub(crate) fn new(status: StatusCode, problem: impl Into<String>) -> Self {
        Self { status, problem: problem.into() }
    }
}

impl IntoResponse for BadRequest {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.problem }))).into_response()
    }
}
