//! Passes verified webhooks on, as they came, to one that had this callback before us.
//!
//! Never in the way of Meta's answer: what waits is bounded, and past that dropped, counted and told. At least once
//! while the process runs; what waits when it is killed is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::body::{Claim, Room};
use super::{Text, WebhookError};
use crate::metrics::{ForwardResult, Metrics};

/// What waits, in webhooks and in bytes.
const MOST_WAITING: usize = 4_096;
const MOST_BYTES: usize = 32 << 20;
/// Requests at once.
const AT_ONCE: usize = 8;
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What the receiver needs of the head: the signature is of the body, so that it can verify it itself.
const HEADERS: [HeaderName; 3] =
    [HeaderName::from_static("x-hub-signature-256"), header::CONTENT_TYPE, header::USER_AGENT];

/// Who gets verified webhooks, and how often it is tried.
#[derive(Clone)]
pub struct Forward {
    /// An HTTP address.
    pub url: Text,
    /// Tries of one webhook; then it is given up.
    pub tries: u32,
    /// The wait after the first try; it doubles with each,
    pub first_wait: Duration,
    /// up to this.
    pub longest_wait: Duration,
}

/// Takes webhooks to pass on.
pub(super) struct Forwarder {
    parcels: mpsc::Sender<Parcel>,
    room: Room,
    metrics: Arc<Metrics>,
    /// Dropped since one was last taken.
    dropped: AtomicU64,
}

/// Passes them on.
pub(super) struct Forwarding {
    parcels: mpsc::Receiver<Parcel>,
    route: Arc<Route>,
}

struct Route {
    forward: Forward,
    http: reqwest::Client,
    metrics: Arc<Metrics>,
}

struct Parcel {
    headers: HeaderMap,
    body: Bytes,
    metrics: Arc<Metrics>,
    _claim: Claim,
}

impl Forward {
    /// Ten tries within about two and a half minutes.
    pub fn to(url: Text) -> Self {
        Self { url, tries: 10, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(30) }
    }

    fn wait_after(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        self.first_wait.saturating_mul(doubled).min(self.longest_wait)
    }
}

/// A client for whatever address the configuration will name.
pub(super) fn client() -> Result<reqwest::Client, WebhookError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(WebhookError::Trust)?
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        .build()
        .map_err(WebhookError::Http)
}

/// Both ends.
pub(super) fn forwarder(forward: Forward, http: reqwest::Client, metrics: Arc<Metrics>) -> (Forwarder, Forwarding) {
    let (sender, parcels) = mpsc::channel(MOST_WAITING);
    let route = Arc::new(Route { forward, http, metrics: metrics.clone() });
    let forwarder = Forwarder { parcels: sender, room: Room::new(MOST_BYTES), metrics, dropped: AtomicU64::new(0) };
    (forwarder, Forwarding { parcels, route })
}

impl Forwarder {
    /// Takes a webhook if there is room, and never waits.
    pub(super) fn offer(&self, headers: &HeaderMap, body: Bytes) {
        let mut claim = Claim::default();
        if !self.room.grow(&mut claim, body.len()) {
            return self.drop_one();
        }
        let needed = HEADERS.into_iter().filter_map(|name| headers.get(&name).cloned().map(|value| (name, value)));
        self.metrics.webhook().forwards_waiting.inc();
        let parcel = Parcel { headers: needed.collect(), body, metrics: self.metrics.clone(), _claim: claim };
        if self.parcels.try_send(parcel).is_err() {
            return self.drop_one();
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "{dropped} webhooks were not forwarded, since too many waited; now there is room");
        }
    }

    fn drop_one(&self) {
        self.metrics.webhook().forwards.inc(ForwardResult::Dropped);
        if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("webhook.forward_to takes too little: what comes now is not forwarded");
        }
    }
}

impl Forwarding {
    /// Passes on what comes until nobody can bring anything any more and all is delivered or given up.
    pub(super) async fn run(mut self) {
        let mut under_way = JoinSet::new();
        let mut is_open = true;
        while is_open || !under_way.is_empty() {
            tokio::select! {
                Some(ended) = under_way.join_next() => {
                    if let Err(panic) = ended {
                        tracing::error!(%panic, "forwarding a webhook broke down: {panic}");
                    }
                }
                parcel = self.parcels.recv(), if is_open && under_way.len() < AT_ONCE => match parcel {
                    Some(parcel) => {
                        under_way.spawn(deliver(self.route.clone(), parcel));
                    }
                    None => is_open = false,
                },
            }
        }
    }
}

async fn deliver(route: Arc<Route>, parcel: Parcel) {
    let forwards = &route.metrics.webhook().forwards;
    for tries in 1.. {
        match post(&route, &parcel).await {
            Ok(()) => return forwards.inc(ForwardResult::Taken),
            Err(problem) if tries >= route.forward.tries => {
                tracing::warn!(tries, problem, "gave up forwarding a webhook after {tries} tries: {problem}");
                return forwards.inc(ForwardResult::GivenUp);
            }
            Err(problem) => tracing::debug!(tries, problem, "a webhook was not forwarded yet: {problem}"),
        }
        tokio::time::sleep(route.forward.wait_after(tries)).await;
    }
}

async fn post(route: &Route, parcel: &Parcel) -> Result<(), String> {
    let request = route.http.post((route.forward.url)()).headers(parcel.headers.clone()).body(parcel.body.clone());
    // Without its URL, which may carry a credential.
    let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.metrics.webhook().forwards_waiting.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let forward = Forward::to(Arc::new(String::new));
        let waits: Vec<u128> = (1..10).map(|tries| forward.wait_after(tries).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(forward.wait_after(u32::MAX), forward.longest_wait);
    }

    #[test]
    fn what_is_too_much_is_dropped_and_counted() {
        let metrics = Arc::new(Metrics::new());
        let (forwarder, forwarding) = forwarder(Forward::to(Arc::new(String::new)), client().unwrap(), metrics.clone());
        let body = Bytes::from(vec![0; MOST_BYTES / 2]);
        (0..3).for_each(|_| forwarder.offer(&HeaderMap::new(), body.clone()));
        let text = metrics.render();
        assert!(text.contains("tidegate_webhook_forwards_total{result=\"dropped\"} 1\n"), "{text}");
        assert!(text.contains("tidegate_webhook_forwards_waiting 2\n"), "{text}");
        drop(forwarding);
        assert!(metrics.render().contains("tidegate_webhook_forwards_waiting 0\n"));
    }
}
