//! Hands verified bodies to the ledger: all that wait while one commit is under way share the next.
//!
//! It runs where the ledger's own connections are driven; HTTP is spoken elsewhere.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Limits;
use super::body::{Claim, Received};
use crate::clock;
use crate::ledger::{Ledger, LedgerError};

/// One call hands over no more than so many bodies,
const MOST_BODIES: usize = 256;
/// and, but for the last, no more bytes: what the sending commits waits behind it.
const MOST_BYTES: usize = 1 << 20;

/// Takes bodies. Full, it refuses: Meta repeats what was not taken.
#[derive(Clone)]
pub(super) struct Inbox {
    waiting: mpsc::Sender<Waiting>,
    within: Duration,
}

/// The other end.
pub(super) struct Intake {
    waiting: mpsc::Receiver<Waiting>,
    within: Duration,
    /// Whether the last call failed; told once.
    is_away: bool,
}

/// Why a body was not kept. Meta repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotKept {
    /// Too many wait already.
    Full,
    /// The ledger does not answer, or not in time.
    Away,
}

struct Waiting {
    received: Received,
    kept: oneshot::Sender<Result<(), NotKept>>,
}

type Asker = (oneshot::Sender<Result<(), NotKept>>, Claim);

/// Both ends.
pub(super) fn inbox(limits: &Limits) -> (Inbox, Intake) {
    let (sender, receiver) = mpsc::channel(limits.waiting.max(1));
    let within = limits.keep_within;
    (Inbox { waiting: sender, within }, Intake { waiting: receiver, within, is_away: false })
}

impl Inbox {
    /// Answers once the body is on disk. Dropped, it may be kept all the same.
    pub(super) async fn keep(&self, received: Received) -> Result<(), NotKept> {
        let (kept, answer) = oneshot::channel();
        self.waiting.try_send(Waiting { received, kept }).map_err(|_| NotKept::Full)?;
        match timeout(self.within, answer).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(_)) | Err(_) => Err(NotKept::Away),
        }
    }
}

impl Intake {
    /// Keeps what comes until nobody can bring anything any more.
    pub(super) async fn run(mut self, ledger: &Ledger) {
        while let Some(first) = self.waiting.recv().await {
            let (bodies, askers) = self.gather(first);
            if bodies.is_empty() {
                continue;
            }
            let count = bodies.len();
            let kept = match timeout(self.within, ledger.inbox_put(bodies, clock::now().wall)).await {
                Ok(kept) => kept,
                Err(_) => Err(LedgerError::Unreachable("it took too long".to_owned())),
            };
            self.tell(count, kept.as_ref().err());
            let answer = kept.map_err(|_| NotKept::Away);
            for (asker, _claim) in askers {
                // Who gave up meanwhile has said 503, and will be told the same again.
                let _ = asker.send(answer);
            }
        }
    }

    /// What waits just now, without those who have given up.
    fn gather(&mut self, first: Waiting) -> (Vec<Vec<u8>>, Vec<Asker>) {
        let (mut bodies, mut askers, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut next = Some(first);
        while let Some(Waiting { received, kept }) = next.take() {
            if !kept.is_closed() {
                bytes += received.bytes.len();
                bodies.push(received.bytes);
                askers.push((kept, received.claim));
            }
            if bodies.len() < MOST_BODIES && bytes < MOST_BYTES {
                next = self.waiting.try_recv().ok();
            }
        }
        (bodies, askers)
    }

    fn tell(&mut self, count: usize, problem: Option<&LedgerError>) {
        match problem {
            Some(error) if !self.is_away => {
                tracing::warn!(%error, count, "webhooks cannot be kept, and Meta is told to repeat them: {error}");
            }
            None if self.is_away => tracing::info!("webhooks are kept again"),
            Some(_) | None => {}
        }
        self.is_away = problem.is_some();
    }
}
