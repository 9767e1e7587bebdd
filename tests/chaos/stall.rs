//! How long the machine itself stood still: threads that want to wake every few milliseconds, and note how late they
//! were.
//!
//! A machine that builds something beside us is slow without any fault of the workers'. What it did to these threads
//! it did to them too; so much more time they get, and no more.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

/// How often each looks: what holds a request back for longer than the margin of its second must be seen.
const STEP: Duration = Duration::from_millis(5);
/// One sees what happens on its own core only.
const THREADS: u32 = 4;
/// Anybody may be so late on a machine with more than one thing to do; it delays nothing that is promised in seconds.
const LONG: Duration = Duration::from_millis(100);
/// Less is not worth its place in memory.
const NOTED: Duration = Duration::from_millis(2);

/// What was noted so far, by threads that end with this.
pub struct Watch {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    noted: Mutex<Vec<Stall>>,
    is_over: Mutex<bool>,
    over: Condvar,
}

/// Once that somebody who wanted to did not run.
#[derive(Clone, Copy, Debug)]
pub struct Stall {
    /// When it should have gone on.
    pub from: Instant,
    /// How much later it did.
    pub late: Duration,
}

/// What stalls come to in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalled {
    pub longest: Duration,
    /// The time that lay in those of 100 ms and more.
    pub long_ones: Duration,
}

impl Watch {
    pub fn start() -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let begin = |place| {
            let (shared, first) = (Arc::clone(&shared), STEP / THREADS * place);
            std::thread::Builder::new().name("stalls".into()).spawn(move || shared.watch(first))
        };
        let threads = (0..THREADS).map(begin).collect::<std::io::Result<_>>()?;
        Ok(Self { shared, threads })
    }

    /// What happened from this instant to that, whole stalls if they reach into it.
    pub fn between(&self, from: Instant, to: Instant) -> Stalled {
        sum(&self.shared.noted.lock().unwrap_or_else(PoisonError::into_inner), from, to)
    }
}

impl Shared {
    fn watch(&self, first: Duration) {
        let mut step = first;
        let mut is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_over {
            let due = Instant::now() + step;
            (is_over, _) = self.over.wait_timeout(is_over, step).unwrap_or_else(PoisonError::into_inner);
            let late = Instant::now().saturating_duration_since(due);
            if late >= NOTED {
                self.noted.lock().unwrap_or_else(PoisonError::into_inner).push(Stall { from: due, late });
            }
            step = STEP;
        }
    }
}

/// The stalls that reach into this time; where several overlap, their time counts once.
pub fn sum(noted: &[Stall], from: Instant, to: Instant) -> Stalled {
    let reaches = |stall: &&Stall| stall.from < to && stall.from + stall.late > from;
    let mut reaching: Vec<&Stall> = noted.iter().filter(reaches).collect();
    reaching.sort_by_key(|stall| stall.from);
    let (mut stalled, mut counted) = (Stalled::default(), None);
    for stall in reaching {
        stalled.longest = stalled.longest.max(stall.late);
        if stall.late >= LONG {
            let end = stall.from + stall.late;
            let begin = counted.map_or(stall.from, |counted: Instant| counted.max(stall.from));
            stalled.long_ones += end.saturating_duration_since(begin);
            counted = counted.max(Some(end));
        }
    }
    stalled
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.shared.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.over.notify_all();
        for thread in self.threads.drain(..) {
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}
