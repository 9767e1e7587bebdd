//! Serves operators: a few small connections at a time, none of them for long.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Heartbeat, OpsError, StatusSnapshot, page};
use crate::clock;
use crate::metrics::Metrics;

/// Connections past these stay in the system's queue until one is over.
const MOST_CONNECTIONS: usize = 64;
/// A request's head must be there within this time; so long may a connection idle, too.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// No connection stands longer: who reads too slowly gives up its place.
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// What is being answered when the time is over may take so much longer.
const GRACE: Duration = Duration::from_secs(2);
/// After the system refused a connection (it has no more files), so long before the next is asked for.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is shown.
#[derive(Clone, Debug)]
pub struct Sources {
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// For `/livez`.
    pub heartbeat: Arc<Heartbeat>,
    /// For everything else; published about once a second.
    pub status: watch::Receiver<Arc<StatusSnapshot>>,
}

/// Listens, and serves once it is told what to show.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address, so that a wrong one is known before anything else starts.
    pub async fn bind(listen: SocketAddr) -> Result<Self, OpsError> {
        let refused = |source| OpsError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Where it listens; tells the port where the configuration says 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then lets what is being answered finish for a moment.
    pub async fn serve(self, sources: Sources, stop: CancellationToken) {
        let router = router(sources);
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => {
                    if let Err(panic) = ended {
                        warn!(error = %panic, "answering an operator's request failed: {panic}");
                    }
                    continue;
                }
                accepted = accept(&self.listener, &places) => accepted,
            };
            let (stream, place) = accepted;
            let (router, stop) = (router.clone(), stop.clone());
            connections.spawn(async move {
                converse(stream, router, stop).await;
                drop(place);
            });
        }
        while connections.join_next().await.is_some() {}
    }
}

/// The next connection, once there is a place for it. Dropping this loses no connection.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, tokio::sync::OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                warn!(%error, "cannot take an operator's connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers one connection's requests.
async fn converse(stream: TcpStream, router: Router, stop: CancellationToken) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE).max_headers(64);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.cancelled() => None,
        () = tokio::time::sleep(CONNECTION_LIFE) => None,
    };
    let ended = match ended {
        Some(ended) => Ok(ended),
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(GRACE, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "an operator's connection broke: {error}"),
        Err(_) => debug!("an operator's connection was closed: it took too long"),
    }
}

fn router(sources: Sources) -> Router {
    Router::new()
        .route("/", get(status_page))
        .route("/status.json", get(status_json))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .fallback(async || (StatusCode::NOT_FOUND, "here are /, /status.json, /metrics, /livez and /readyz\n"))
        .with_state(sources)
}

const NEVER_STORED: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

async fn status_page(State(sources): State<Sources>) -> Response {
    let now = clock::now();
    let silence = sources.heartbeat.silence(now.mono);
    let body = page::render(&sources.status.borrow(), silence, now.wall);
    let headers = [
        NEVER_STORED,
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body).into_response()
}

async fn status_json(State(sources): State<Sources>) -> Response {
    let status = Arc::clone(&sources.status.borrow());
    ([NEVER_STORED], Json(status)).into_response()
}

async fn metrics(State(sources): State<Sources>) -> Response {
    ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], sources.metrics.render()).into_response()
}

/// Asks nobody else: a broken ledger must never restart a worker that would come back by itself.
async fn livez(State(sources): State<Sources>) -> Response {
    match sources.heartbeat.silence(clock::now().mono) {
        None => "ok\n".into_response(),
        Some(silence) => {
            let why = format!("the worker's loop has not turned for {} s\n", silence.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
    }
}

async fn readyz(State(sources): State<Sources>) -> Response {
    let status = Arc::clone(&sources.status.borrow());
    let silence = sources.heartbeat.silence(clock::now().mono);
    let worker = ("worker", silence.map(|silence| format!("its loop has not turned for {} s", silence.as_secs())));
    let others = status.parts.iter().map(|part| (part.name, part.problem.clone()));
    let mut parts = serde_json::Map::new();
    let mut ready = true;
    for (name, problem) in std::iter::once(worker).chain(others) {
        ready &= problem.is_none();
        let shown = match problem {
            None => json!({ "ok": true }),
            Some(why) => json!({ "ok": false, "why": why }),
        };
        parts.insert(name.to_owned(), shown);
    }
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, [NEVER_STORED], Json(json!({ "ready": ready, "parts": parts }))).into_response()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::clock::{Mono, Timestamp};
    use crate::ops::PartStatus;
    use crate::ops::status::tests::busy;

    /// A server on a free port, with what it shows and what stops it.
    struct Served {
        address: SocketAddr,
        sources: Sources,
        publish: watch::Sender<Arc<StatusSnapshot>>,
        stop: CancellationToken,
        running: JoinSet<()>,
    }

    async fn serve(heartbeat: Heartbeat) -> Served {
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = server.address();
        let (publish, status) = watch::channel(Arc::new(StatusSnapshot::starting(Timestamp::from_millis(0))));
        let sources = Sources { metrics: Arc::new(Metrics::new()), heartbeat: Arc::new(heartbeat), status };
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(server.serve(sources.clone(), stop.clone()));
        Served { address, sources, publish, stop, running }
    }

    async fn serve_living() -> Served {
        serve(Heartbeat::new(clock::now().mono)).await
    }

    impl Served {
        /// The answer's status line, head and body.
        async fn get(&self, path: &str) -> (u16, String, String) {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
        }
    }

    #[tokio::test]
    async fn metrics_are_served_as_prometheus_reads_them() {
        let served = serve_living().await;
        served.sources.metrics.duplicates.inc_by(7);
        let (code, head, body) = served.get("/metrics").await;
        assert_eq!(code, 200);
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        assert!(body.contains("\ntidegate_duplicates_total 7\n"), "{body}");
    }

    #[tokio::test]
    async fn a_broken_ledger_makes_a_worker_unready_but_not_dead() {
        let served = serve_living().await;
        let mut status = busy(clock::now().wall);
        served.publish.send_replace(Arc::new(status.clone()));
        assert_eq!(served.get("/readyz").await.0, 200);

        status.parts[0] = PartStatus::broken("ledger", "disk is full");
        served.publish.send_replace(Arc::new(status));
        let (code, _, body) = served.get("/readyz").await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let parts = json!({
            "worker": { "ok": true }, "numbers": { "ok": true }, "ledger": { "ok": false, "why": "disk is full" },
        });
        assert_eq!((code, body), (503, json!({ "ready": false, "parts": parts })));
        assert_eq!(served.get("/livez").await.0, 200);
    }

    #[tokio::test]
    async fn a_loop_that_does_not_turn_is_dead_until_it_turns() {
        let served = serve(Heartbeat::new(Mono::from_nanos(0))).await;
        let (code, _, body) = served.get("/livez").await;
        assert!(code == 503 && body.starts_with("the worker's loop has not turned for "), "{code} {body}");
        assert_eq!(served.get("/readyz").await.0, 503);
        served.sources.heartbeat.beat(clock::now().mono);
        assert_eq!(served.get("/livez").await.0, 200);
    }

    #[tokio::test]
    async fn the_page_and_its_json_show_what_was_published() {
        let served = serve_living().await;
        served.publish.send_replace(Arc::new(busy(clock::now().wall)));
        let (code, head, body) = served.get("/").await;
        assert!(code == 200 && body.contains("+44 20 7946 0001"), "{code} {body}");
        assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
        let (_, _, body) = served.get("/status.json").await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["numbers"][2]["blocked"], "failing");
        assert_eq!(body["waiting"]["not_before"], 1_000_000);
        assert_eq!(body["holds"][1]["subject"], "…23");
        assert_eq!(served.get("/elsewhere").await.0, 404);
    }

    #[tokio::test]
    async fn a_taken_address_is_named_with_its_key() {
        let served = serve_living().await;
        let refused = Server::bind(served.address).await.expect_err("the address is taken");
        assert_eq!(refused.to_string(), format!("ops.listen: cannot listen on {}", served.address));
    }

    #[tokio::test]
    async fn stopping_does_not_wait_for_a_connection_that_idles() {
        let mut served = serve_living().await;
        let mut idle = TcpStream::connect(served.address).await.unwrap();
        idle.write_all(b"GET /livez HTTP/1.1\r\nhost: ops\r\n\r\n").await.unwrap();
        assert!(idle.read(&mut [0; 256]).await.unwrap() > 0);
        served.stop.cancel();
        served.running.join_next().await.unwrap().unwrap();
        assert!(TcpStream::connect(served.address).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_loses_its_place() {
        let served = serve_living().await;
        let mut slow = TcpStream::connect(served.address).await.unwrap();
        slow.write_all(b"GET /metrics HTTP/1.1\r\nx-slow: ").await.unwrap();
        let mut answer = Vec::new();
        slow.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");
    }

    #[tokio::test]
    async fn a_connection_past_the_cap_waits_for_a_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _clients = (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let places = Arc::new(Semaphore::new(1));
        let (_stream, place) = accept(&listener, &places).await;
        let mut second = pin!(accept(&listener, &places));
        assert!(second.as_mut().now_or_never().is_none(), "there was one place, and it is taken");
        drop(place);
        drop(second.await);
    }
}
