//! A little webhook receiver: believes only what is signed, answers as it is told.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(super) const VERIFY_TOKEN: &str = "let me in";

/// Stops when it is dropped.
pub(super) struct Receiver {
    address: SocketAddr,
    desk: Arc<Desk>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Desk {
    /// What the next POSTs are answered with; after that, 200.
    answers: Mutex<VecDeque<u16>>,
    received: Mutex<Vec<Bytes>>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        Self::answering([]).await
    }

    /// Answers the first POSTs so, and all others with 200.
    pub(super) async fn answering<const N: usize>(statuses: [u16; N]) -> Self {
        let desk = Arc::new(Desk { answers: Mutex::new(statuses.into()), ..Desk::default() });
        let router = Router::new().route("/hook", get(shake_hands).post(receive)).with_state(Arc::clone(&desk));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, desk, _task: task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Every body that came, those refused included.
    pub(super) fn raw(&self) -> Vec<Bytes> {
        self.desk.received.lock().unwrap().clone()
    }

    pub(super) fn bodies(&self) -> Vec<Value> {
        self.raw().iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
    }
}

async fn receive(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    if signature != Some(&signature_of(super::SECRET, &body)) {
        return StatusCode::FORBIDDEN;
    }
    desk.received.lock().unwrap().push(body);
    let answer = desk.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(answer).unwrap()
}

async fn shake_hands(Query(query): Query<HashMap<String, String>>) -> (StatusCode, String) {
    let is = |key: &str, value: &str| query.get(key).is_some_and(|given| given == value);
    if is("hub.mode", "subscribe") && is("hub.verify_token", VERIFY_TOKEN) {
        (StatusCode::OK, query["hub.challenge"].clone())
    } else {
        (StatusCode::FORBIDDEN, String::new())
    }
}

/// HMAC-SHA256 written out from RFC 2104, so that it shares nothing with what it checks.
fn signature_of(secret: &str, body: &[u8]) -> String {
    assert!(secret.len() <= 64, "longer keys would have to be hashed first");
    let padded = |pad: u8| {
        let mut key = [pad; 64];
        key.iter_mut().zip(secret.bytes()).for_each(|(byte, secret)| *byte ^= secret);
        key
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(body).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    outer.iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
