//! The outgoing webhook: an app without a broker gets each event, signed, in the order of its job.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tidegate::worker::Drained;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::world::{World, patient, text};

const SECRET: &str = "whsec_dGhlIGtleSBvZiB0aGUgdGVzdA==";

/// An app behind the address: it refuses the first requests, and keeps the others.
#[derive(Clone, Default)]
struct App {
    taken: Arc<Mutex<Vec<Value>>>,
    refusals: Arc<Mutex<u32>>,
    news: Arc<Notify>,
}

impl App {
    async fn serve(refusals: u32) -> (Self, SocketAddr, JoinSet<()>) {
        let app = Self { refusals: Arc::new(Mutex::new(refusals)), ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let router = Router::new().route("/events", post(take)).with_state(app.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.expect("served") });
        (app, address, tasks)
    }

    fn taken(&self) -> Vec<Value> {
        self.taken.lock().expect("not poisoned").clone()
    }

    async fn wait_for_accepted(&self, count: usize) {
        let accepted = || self.taken().iter().filter(|event| event["state"] == "accepted").count();
        patient("the app's events", async {
            while accepted() < count {
                self.news.notified().await;
            }
        })
        .await;
    }
}

async fn take(State(app): State<App>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let refuse = {
        let mut left = app.refusals.lock().expect("not poisoned");
        let was = *left;
        *left = was.saturating_sub(1);
        was > 0
    };
    if refuse {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let signed = [header("webhook-id").as_bytes(), b".", header("webhook-timestamp").as_bytes(), b".", &body].concat();
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    mac.update(&signed);
    let signature = STANDARD.decode(header("webhook-signature").trim_start_matches("v1,")).expect("base64");
    mac.verify_slice(&signature).expect("the signature is right");
    let event: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(event["event"], header("webhook-id"));
    app.taken.lock().expect("not poisoned").push(event);
    app.news.notify_one();
    StatusCode::NO_CONTENT
}

#[tokio::test]
async fn an_app_that_fails_at_first_gets_every_event_in_the_order_of_its_job() {
    let (app, address, _tasks) = App::serve(5).await;
    let mut world = World::new();
    world.set("events.webhook_url", &format!("http://{address}/events"));
    world.set("events.webhook_secret", SECRET);
    world.set("retry.base", "1ms");
    world.faults(&["number=1001,first=10,code=131016"]);
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..20).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let worker = world.start();
    world.all_ended(&ledger).await;
    app.wait_for_accepted(20).await;
    assert_eq!(worker.stop(), Drained::Clean);
    let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in app.taken() {
        let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        states.entry(word("id")).or_default().push(word("state"));
    }
    assert_eq!(states.len(), 20);
    for (job, mut told) in states {
        // At least once: the same event may come again, next to itself.
        told.dedup();
        assert!(told == ["accepted"] || told == ["waiting", "accepted"], "{job}: {told:?}");
    }
}
