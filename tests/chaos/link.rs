//! A TCP proxy of our own between a worker and what it talks to: it can be cut, stalled and restored.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The thread that carries all links, so that nobody's work delays them.
pub struct Carrier {
    handle: Handle,
    _stop: DropGuard,
}

/// One way to one service. Connections through it end when it is dropped.
pub struct Link {
    port: u16,
    state: watch::Sender<State>,
    requests: Requests,
    _accepting: JoinSet<()>,
}

/// A POST that began on a link.
#[derive(Clone, Debug)]
pub struct Post {
    pub at: Instant,
    /// Whatever stands before the last part of its path: to Meta, the number.
    pub number: String,
}

type Requests = Arc<Mutex<Vec<Post>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    mode: Mode,
    /// Connections of an earlier epoch are reset.
    epoch: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Bytes stand still in both directions, as on a network without a route.
    Stalled,
    /// Every connection is reset.
    Cut,
}

impl Carrier {
    pub fn start() -> Result<Self> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new().name("links".into()).spawn(move || runtime.block_on(stopped.cancelled()))?;
        Ok(Self { handle, _stop: stop.drop_guard() })
    }

    /// Opens a link to `host:port`.
    pub async fn link(&self, to: &str) -> Result<Link> {
        let to: SocketAddr = to.parse().with_context(|| format!("{to} is no address"))?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let state = watch::Sender::new(State { mode: Mode::Open, epoch: 0 });
        let requests = Arc::default();
        let mut accepting = JoinSet::new();
        accepting.spawn_on(accept(listener, to, state.subscribe(), Arc::clone(&requests)), &self.handle);
        Ok(Link { port, state, requests, _accepting: accepting })
    }
}

impl Link {
    /// `host:port` of this side of it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Resets all connections; new ones are carried.
    pub fn cut_once(&self) {
        self.state.send_modify(|state| state.epoch += 1);
    }

    /// Resets all connections, and new ones too until it is restored.
    pub fn cut(&self) {
        self.state.send_modify(|state| *state = State { mode: Mode::Cut, epoch: state.epoch + 1 });
    }

    /// Carries nothing more until it is restored, and tells nobody.
    pub fn stall(&self) {
        self.state.send_modify(|state| state.mode = Mode::Stalled);
    }

    /// Carries again, what stood still included.
    pub fn restore(&self) {
        self.state.send_modify(|state| state.mode = Mode::Open);
    }

    /// All HTTP POSTs so far.
    pub fn posts(&self) -> Vec<Post> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: std::net::TcpListener, to: SocketAddr, state: watch::Receiver<State>, requests: Requests) {
    let listener = TcpListener::from_std(listener).expect("it does not block");
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => { connections.spawn(carry(client, to, state.clone(), Arc::clone(&requests))); }
                // Out of file descriptors: others may close some.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until one side ends it or the link is cut.
async fn carry(mut client: TcpStream, to: SocketAddr, mut state: watch::Receiver<State>, requests: Requests) {
    let epoch = state.borrow_and_update().epoch;
    let is_cut = move |state: &State| state.mode == Mode::Cut || state.epoch != epoch;
    let mut cut = state.clone();
    let carried = async {
        // A link that stands still does not let new connections through either.
        let _ = state.wait_for(|state| state.mode != Mode::Stalled).await;
        let mut server = TcpStream::connect(to).await.ok()?;
        // Neither delays anything that its ends did not.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let was_cut = {
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            let forth = pump(from_client, to_server, state.clone(), Some(&requests));
            let back = pump(from_server, to_client, state.clone(), None);
            tokio::select! {
                _ = async { tokio::join!(forth, back) } => false,
                _ = cut.wait_for(is_cut) => true,
            }
        };
        if was_cut {
            reset(&server);
        }
        Some(was_cut)
    };
    // A service that is down refuses; so does the link.
    if carried.await.is_none_or(|was_cut| was_cut) {
        reset(&client);
    }
}

/// `1001` of `POST /v1/1001/messages HTTP/1.1`, if these bytes begin so.
fn posted_to(bytes: &[u8]) -> Option<String> {
    let path = bytes.strip_prefix(b"POST ")?.split(|byte| *byte == b' ').next()?;
    let number = path.rsplit(|byte| *byte == b'/').nth(1)?;
    Some(String::from_utf8_lossy(number).into_owned())
}

/// What is still on its way is lost, and the other side learns at once.
fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut state: watch::Receiver<State>,
    requests: Option<&Mutex<Vec<Post>>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if let Some((requests, number)) = requests.zip(posted_to(&buffer[..count])) {
            let post = Post { at: Instant::now(), number };
            requests.lock().unwrap_or_else(PoisonError::into_inner).push(post);
        }
        // The sender is gone when the link is dropped, and then so is this.
        let _ = state.wait_for(|state| state.mode != Mode::Stalled).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
