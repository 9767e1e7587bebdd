//! Listens, and speaks HTTP on a thread of its own.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::body::Room;
use super::forwarding::{self, Forwarding};
use super::gate::Gate;
use super::intake::{self, Inbox};
use super::places::{Places, Seat, Taking};
use super::{Config, WebhookError};
use crate::ledger::Ledger;
use crate::metrics::{Metrics, WebhookResult};

/// Memory of one connection for what it sends, but for a body; a head has to fit in it.
const BUFFER: usize = 16 << 10;
/// Connections that the system holds until we take them; how many it allows is up to its own settings, too.
const BACKLOG: u32 = 4_096;
/// After the system refused a connection (it has no more files), so long before the next is asked for.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What is being answered, and what is being forwarded, when a stop comes may take so much longer.
const GRACE: Duration = Duration::from_secs(2);

/// Has its address, and takes webhooks in once it is told where to.
pub struct Server {
    config: Config,
    listener: std::net::TcpListener,
    address: SocketAddr,
    http: Option<reqwest::Client>,
}

/// What the thread works with.
struct Face {
    listener: std::net::TcpListener,
    gate: Arc<Gate>,
    forwarding: Option<Forwarding>,
    metrics: Arc<Metrics>,
}

impl Server {
    /// Takes the address, so that a wrong one is known before anything else starts.
    pub async fn bind(config: Config) -> Result<Self, WebhookError> {
        let refused = |source| WebhookError::Listen { address: config.listen, source };
        let listener = listen(config.listen).and_then(TcpListener::into_std).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let http = config.forward.as_ref().map(|_| forwarding::client()).transpose()?;
        Ok(Self { config, listener, address, http })
    }

    /// Where it listens; tells the port where the configuration says 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then lets what is being answered finish for a moment. Run it where the ledger's
    /// connections are driven; dropped, it stops.
    pub async fn serve(self, ledger: Ledger, metrics: Arc<Metrics>, stop: CancellationToken) {
        self.tell();
        let stop = stop.child_token();
        let _dropped = stop.clone().drop_guard();
        let (inbox, intake) = intake::inbox(&self.config.limits);
        let face = self.face(inbox, metrics);
        let (over, is_over) = oneshot::channel::<Infallible>();
        let thread = std::thread::Builder::new().name("webhooks".to_owned()).spawn(move || {
            face.show(stop);
            drop(over);
        });
        let thread = match thread {
            Ok(thread) => thread,
            Err(error) => panic!("no thread for webhooks could be started: {error}"),
        };
        // Ends when the thread has dropped the inbox, by its end or by a panic.
        intake.run(&ledger).await;
        let _ = is_over.await;
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }

    fn tell(&self) {
        info!(address = %self.address, "webhooks on http://{}{}", self.address, super::PATH);
        if self.config.secrets.is_empty() {
            warn!("webhook.app_secret is not set: every webhook of Meta's is refused, and no status ever comes back");
        }
        if self.config.verify_token.is_none() {
            warn!("webhook.verify_token is not set: Meta's dashboard cannot verify this webhook");
        }
    }

    fn face(self, inbox: Inbox, metrics: Arc<Metrics>) -> Face {
        let forward = self.config.forward.clone().zip(self.http);
        let forward = forward.map(|(forward, http)| forwarding::forwarder(forward, http, metrics.clone()));
        let (forwarder, forwarding) = forward.unzip();
        let room = Room::new(self.config.limits.waiting_bytes);
        let gate = Gate { config: self.config, room, inbox, forwarder, metrics: metrics.clone() };
        Face { listener: self.listener, gate: Arc::new(gate), forwarding, metrics }
    }
}

impl Face {
    /// The thread's whole life.
    fn show(self, stop: CancellationToken) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap_or_else(|error| panic!("no runtime for webhooks could be started: {error}"));
        runtime.block_on(self.work(stop));
        // A name that is still being looked up is not waited for.
        runtime.shutdown_background();
    }

    async fn work(self, stop: CancellationToken) {
        let Self { listener, gate, forwarding, metrics } = self;
        let mut forwards = JoinSet::new();
        if let Some(forwarding) = forwarding {
            forwards.spawn(forwarding.run());
        }
        match TcpListener::from_std(listener) {
            Ok(listener) => serve(listener, gate, &stop).await,
            Err(error) => panic!("webhook.listen cannot be watched: {error}"),
        }
        // With the gate went the forwarder: what waits is all there will be.
        if timeout(GRACE, forwards.join_next()).await.is_err() {
            let left = metrics.webhook().forwards_waiting.get();
            warn!(left, "stopped with {left} webhooks that were not forwarded");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As a restart finds connections of the last run still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn serve(listener: TcpListener, gate: Arc<Gate>, stop: &CancellationToken) {
    let places = Places::new(gate.config.limits.connections);
    let shown = &gate.metrics.webhook().connections;
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => {
                if let Err(panic) = ended {
                    warn!(error = %panic, "answering a webhook failed: {panic}");
                }
                shown.set(places.count() as f64);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot take a connection of Meta's: {error}");
                // Its file may be what is lacking.
                places.make_way();
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let seat = match places.take() {
            Taking::Free(seat) => seat,
            Taking::GaveWay(seat) => {
                gate.metrics.webhook().requests.inc(WebhookResult::GaveWay);
                seat
            }
            // The next try finds a place; the ledger answers in seconds or not at all.
            Taking::Full => continue,
        };
        shown.set(places.count() as f64);
        connections.spawn(converse(stream, peer.ip(), gate.clone(), seat, stop.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    shown.set(0.0);
}

/// Answers one connection's requests.
async fn converse(stream: TcpStream, peer: IpAddr, gate: Arc<Gate>, seat: Seat, stop: CancellationToken) {
    // An answer is one small write: there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(gate.config.limits.head_within);
    builder.max_headers(64).max_buf_size(BUFFER);
    let service = service_fn(async |request| Ok::<_, Infallible>(gate.answer(request, peer, &seat).await));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = seat.given_away() => return debug!("a connection of Meta's was closed: another needed its place"),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match timeout(GRACE, connection).await {
                Ok(ended) => ended,
                Err(_) => return debug!("a connection of Meta's was closed: it took too long"),
            }
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection of Meta's broke: {error}");
        let requests = &gate.metrics.webhook().requests;
        if error.is_parse() {
            requests.inc(WebhookResult::Broken);
        } else if error.is_timeout() {
            requests.inc(WebhookResult::TooSlow);
        }
    }
}
