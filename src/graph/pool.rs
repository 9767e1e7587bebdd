//! Open connections, kept ready: a permit meets one that is there, and never waits for a handshake.
//!
//! The opener alone dials, apart from the loop that paces. A connection that its server closes while it lies idle
//! wakes the opener, which replaces it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Wake, Waker};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::connection::Connection;
use super::dial::{DialError, Dialer};

/// So many connections are opened at once while that works; one after a failure.
const MOST_DIALING: usize = 16;
/// The pauses after failed attempts to connect: doubling from the first to the last, give or take a quarter.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(3);
/// Connections are looked at for their age no more often than this, but for a known moment.
const LEAST_LOOK: Duration = Duration::from_secs(1);

/// What a pool has, and has had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Open and idle.
    pub idle: usize,
    /// With a request on them.
    pub in_use: usize,
    /// Being opened.
    pub opening: usize,
    /// Opened so far.
    pub opened: u64,
    /// Attempts to open one that failed.
    pub failed: u64,
    /// Why the last attempt failed; none once one has succeeded since.
    pub trouble: Option<String>,
}

/// The idle connections, shared by those who take and those who give back. Bounded by `most` in all.
pub(super) struct Pool {
    state: Mutex<State>,
    most: usize,
    changed: Arc<Changed>,
    waker: Waker,
    ready: Notify,
}

#[expect(clippy::vec_box, reason = "a connection is large, and moved more often than looked at")]
struct State {
    /// Each in its box: from here to its request and back it passes through many hands.
    idle: Vec<Box<Connection>>,
    wanted: usize,
    stats: PoolStats,
}

/// Wakes the opener. As a waker, it is what idle connections call when something happens on them.
#[derive(Default)]
struct Changed(Notify);

/// Opens connections as long as it runs: to be spawned beside the loop that sends.
#[must_use = "no connection is opened unless this runs"]
pub struct Opener {
    pool: Arc<Pool>,
    dialer: Dialer,
}

impl Pool {
    pub fn new(wanted: usize, most: usize) -> Self {
        let changed = Arc::new(Changed::default());
        let waker = Waker::from(changed.clone());
        let state = State { idle: Vec::new(), wanted, stats: PoolStats::default() };
        Self { state: Mutex::new(state), most, changed, waker, ready: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the pool in hand")
    }

    /// The connection used last is the likeliest to be alive.
    pub fn take(&self) -> Option<Box<Connection>> {
        loop {
            let mut connection = {
                let mut state = self.state();
                let connection = state.idle.pop();
                if connection.is_none() || state.missing(self.most) > 0 {
                    self.changed.0.notify_one();
                }
                connection?
            };
            // From here on its news are for whoever has taken it, and not for the opener.
            // Its age does not matter here: better an old one now than a new one later.
            if connection.is_ready(Waker::noop()) {
                self.state().stats.in_use += 1;
                return Some(connection);
            }
            self.changed.0.notify_one();
        }
    }

    /// Takes back what was taken; none, or one that is not fit to be used again, makes room for another.
    pub fn give_back(&self, connection: Option<Box<Connection>>) {
        let kept = connection.filter(|connection| !connection.is_old()).and_then(|mut connection| {
            let is_ready = connection.is_ready(&self.waker);
            is_ready.then_some(connection)
        });
        let mut state = self.state();
        state.stats.in_use -= 1;
        match kept {
            Some(connection) => {
                state.idle.push(connection);
                drop(state);
                self.ready.notify_waiters();
            }
            None => self.changed.0.notify_one(),
        }
    }

    fn add(&self, connection: Connection) {
        let mut connection = Box::new(connection);
        let is_ready = connection.is_ready(&self.waker);
        let mut state = self.state();
        state.stats.opened += 1;
        state.stats.trouble = None;
        if is_ready {
            state.idle.push(connection);
        }
        drop(state);
        self.ready.notify_waiters();
    }

    /// Returns once a connection is idle. Dropping it midway loses nothing.
    pub async fn wait_ready(&self) {
        loop {
            let mut news = std::pin::pin!(self.ready.notified());
            news.as_mut().enable();
            if !self.state().idle.is_empty() {
                return;
            }
            self.changed.0.notify_one();
            news.await;
        }
    }

    pub fn set_wanted(&self, wanted: usize) {
        let mut state = self.state();
        if state.wanted != wanted {
            state.wanted = wanted;
            drop(state);
            self.changed.0.notify_one();
        }
    }

    pub fn stats(&self) -> PoolStats {
        let state = self.state();
        PoolStats { idle: state.idle.len(), ..state.stats.clone() }
    }

    /// Drops what was closed meanwhile or has grown old, and says how many more should be opened, and when the next
    /// grows old.
    fn sweep(&self) -> (usize, Option<Instant>) {
        let mut idle = std::mem::take(&mut self.state().idle);
        idle.retain_mut(|connection| !connection.is_old() && connection.is_ready(&self.waker));
        let next = idle.iter().map(|connection| connection.retire_at()).min();
        let mut state = self.state();
        // What came back meanwhile was used last, and is taken first.
        idle.append(&mut state.idle);
        state.idle = idle;
        (state.missing(self.most), next)
    }
}

impl State {
    /// As many as are wanted, and always half as many spare as are in use, so that a slower server or a growing
    /// rate finds open ones.
    fn missing(&self, most: usize) -> usize {
        let in_use = self.stats.in_use;
        let spare = (in_use / 2).max(1);
        let target = self.wanted.max(in_use + spare).min(most);
        target.saturating_sub(in_use + self.idle.len() + self.stats.opening)
    }
}

impl Wake for Changed {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

impl Opener {
    pub(super) fn new(pool: Arc<Pool>, dialer: Dialer) -> Self {
        Self { pool, dialer }
    }

    /// Runs for ever. Dropping it midway loses nothing but half-open connections.
    pub async fn run(self) {
        let mut dialing = FuturesUnordered::new();
        let mut failures = 0;
        let mut paused_until = None;
        loop {
            let (missing, next_old) = self.pool.sweep();
            if paused_until.is_none() {
                let room = if failures == 0 { MOST_DIALING } else { 1 };
                for _ in 0..missing.min(room.saturating_sub(dialing.len())) {
                    dialing.push(self.dialer.dial());
                }
            }
            self.pool.state().stats.opening = dialing.len();
            // Those that come back later are looked at then.
            let look_again = Instant::now() + (self.dialer.max_age() / 4).max(LEAST_LOOK);
            let look_again = next_old.map_or(look_again, |old| old.min(look_again));
            tokio::select! {
                () = self.pool.changed.0.notified() => {}
                () = sleep_until(look_again) => {}
                () = sleep_until(paused_until.unwrap_or(look_again)) => paused_until = None,
                Some(dialed) = dialing.next() => match dialed {
                    Ok(connection) => {
                        self.succeeded(connection, failures);
                        failures = 0;
                    }
                    Err(cause) => {
                        failures += 1;
                        self.failed(&cause, failures);
                        paused_until = Some(Instant::now() + pause_after(failures));
                    }
                },
            }
            self.pool.state().stats.opening = dialing.len();
        }
    }

    fn succeeded(&self, connection: Connection, failures: u32) {
        if failures > 0 {
            info!("connected to {} again, after {failures} failures", self.dialer.server());
        }
        self.pool.add(connection);
    }

    fn failed(&self, cause: &DialError, failures: u32) {
        let trouble = cause.with_causes();
        // Once a row: the pool's statistics tell how it goes on.
        if failures == 1 {
            warn!("cannot open a connection to {}: {trouble}", self.dialer.server());
        }
        let mut state = self.pool.state();
        state.stats.failed += 1;
        state.stats.trouble = Some(trouble);
    }
}

fn pause_after(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LAST_PAUSE);
    doubled.mul_f64(rand::random_range(0.75..1.25))
}
