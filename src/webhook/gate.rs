//! What is answered to one request. Checks go from what costs nothing to what costs most; who fails one is let go, and
//! its connection with it.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;
use url::form_urlencoded;

use super::body::{self, Received, Room};
use super::forwarding::Forwarder;
use super::intake::{Inbox, NotKept};
use super::places::Seat;
use super::signature::{Signature, same_text};
use super::{Config, PATH};
use crate::clock;
use crate::metrics::{Metrics, WebhookResult};

/// When Meta may come again with what found no room.
const AGAIN_SECONDS: &str = "5";

/// Lets requests in, or not.
pub(super) struct Gate {
    pub(super) config: Config,
    pub(super) room: Room,
    pub(super) inbox: Inbox,
    pub(super) forwarder: Option<Forwarder>,
    pub(super) metrics: Arc<Metrics>,
}

type Answer = Response<Full<Bytes>>;

impl Gate {
    /// The answer to one request of this peer. Dropped, a body may be kept all the same.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: IpAddr, seat: &Seat) -> Answer {
        seat.wait();
        let (result, answer) = match self.admit(&request, peer) {
            Err(refused) => (refused, refusal(refused)),
            Ok(()) if request.method() == Method::GET => match self.shake_hands(request.uri().query()) {
                Some(challenge) => (WebhookResult::Handshake, welcome(challenge)),
                None => (WebhookResult::VerifyToken, refusal(WebhookResult::VerifyToken)),
            },
            Ok(()) => match self.take(request, seat).await {
                Ok(()) => (WebhookResult::Kept, Response::new(Full::default())),
                Err(refused) => (refused, refusal(refused)),
            },
        };
        self.metrics.webhook().requests.inc(result);
        seat.wait();
        answer
    }

    fn admit(&self, request: &Request<Incoming>, peer: IpAddr) -> Result<(), WebhookResult> {
        if request.uri().path() != PATH {
            return Err(WebhookResult::Path);
        }
        if request.method() != Method::GET && request.method() != Method::POST {
            return Err(WebhookResult::Method);
        }
        if !self.config.networks.admit(peer, request.headers()) {
            return Err(WebhookResult::Network);
        }
        Ok(())
    }

    /// The challenge, if it comes from one who knows the token.
    fn shake_hands(&self, query: Option<&str>) -> Option<String> {
        let token = self.config.verify_token.as_ref()?;
        let pairs: Vec<_> = form_urlencoded::parse(query?.as_bytes()).collect();
        let value = |name: &str| Some(pairs.iter().find(|(found, _)| found == name)?.1.as_ref());
        let is_known = same_text(value("hub.verify_token")?, &token());
        let is_asked = value("hub.mode")? == "subscribe";
        (is_known && is_asked).then(|| value("hub.challenge").map(str::to_owned))?
    }

    /// Reads, verifies, and keeps a webhook.
    async fn take(&self, request: Request<Incoming>, seat: &Seat) -> Result<(), WebhookResult> {
        let signature = self.look_at_head(request.headers(), request.body())?;
        let began = Instant::now();
        let (head, body) = request.into_parts();
        let received = body::read(body, &self.config.limits, &self.room).await?;
        seat.work();
        if !self.config.secrets.signed(&signature, &received.bytes, clock::now().mono) {
            return Err(WebhookResult::Signature);
        }
        let copy = self.forwarder.as_ref().map(|forwarder| (forwarder, Bytes::copy_from_slice(&received.bytes)));
        let kept = self.keep(received).await;
        self.metrics.webhook().duration.observe(began.elapsed().as_secs_f64());
        kept?;
        // What was not kept comes again, and is forwarded then.
        if let Some((forwarder, copy)) = copy {
            forwarder.offer(&head.headers, copy);
        }
        Ok(())
    }

    async fn keep(&self, received: Received) -> Result<(), WebhookResult> {
        self.inbox.keep(received).await.map_err(|problem| match problem {
            NotKept::Full => WebhookResult::Full,
            NotKept::Away => WebhookResult::Away,
        })
    }

    /// What can be known to be wrong before the body is read.
    fn look_at_head(&self, headers: &HeaderMap, body: &Incoming) -> Result<Signature, WebhookResult> {
        if self.config.secrets.is_empty() {
            return Err(WebhookResult::NoSecret);
        }
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(WebhookResult::ContentType);
        }
        let signature = Signature::read(headers).ok_or(WebhookResult::Signature)?;
        // A chunked body tells no length; one that tells none otherwise has none.
        if body.is_end_stream() {
            let told = headers.contains_key(CONTENT_LENGTH);
            return Err(if told { WebhookResult::Empty } else { WebhookResult::NoLength });
        }
        let least = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if least > self.config.limits.largest_body {
            return Err(WebhookResult::TooLarge);
        }
        Ok(signature)
    }
}

fn welcome(challenge: String) -> Answer {
    let mut answer = Response::new(Full::from(challenge));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    // The challenge may come from a link that somebody made up.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

fn refusal(result: WebhookResult) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status(result);
    let headers = answer.headers_mut();
    match result {
        WebhookResult::Full | WebhookResult::Away => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(AGAIN_SECONDS));
        }
        WebhookResult::Method => {
            headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        WebhookResult::Kept
        | WebhookResult::Handshake
        | WebhookResult::Path
        | WebhookResult::Network
        | WebhookResult::NoSecret
        | WebhookResult::Signature
        | WebhookResult::VerifyToken
        | WebhookResult::ContentType
        | WebhookResult::NoLength
        | WebhookResult::TooLarge
        | WebhookResult::TooSlow
        | WebhookResult::Empty
        | WebhookResult::Broken
        | WebhookResult::GaveWay => {}
    }
    // Whoever is refused earns no more requests on this connection, and what is unread of its body is not waited for.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn status(result: WebhookResult) -> StatusCode {
    match result {
        WebhookResult::Kept | WebhookResult::Handshake => StatusCode::OK,
        WebhookResult::Path => StatusCode::NOT_FOUND,
        WebhookResult::Method => StatusCode::METHOD_NOT_ALLOWED,
        WebhookResult::Network | WebhookResult::NoSecret | WebhookResult::Signature | WebhookResult::VerifyToken => {
            StatusCode::FORBIDDEN
        }
        WebhookResult::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        WebhookResult::NoLength => StatusCode::LENGTH_REQUIRED,
        WebhookResult::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        WebhookResult::TooSlow => StatusCode::REQUEST_TIMEOUT,
        WebhookResult::Empty | WebhookResult::Broken | WebhookResult::GaveWay => StatusCode::BAD_REQUEST,
        WebhookResult::Full | WebhookResult::Away => StatusCode::SERVICE_UNAVAILABLE,
    }
}
