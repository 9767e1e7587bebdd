//! How long the machine itself stood still: a thread that wants to wake every 20 ms, and notes how late it was.
//!
//! A machine that builds something beside us is slow without any fault of the workers'. What it did to this thread it
//! did to them too; so much more time they get, and no more.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

/// How often it looks.
const STEP: Duration = Duration::from_millis(20);
/// Anybody may be so late on a machine with more than one thing to do; it delays nothing that is promised in seconds.
const LONG: Duration = Duration::from_millis(100);
/// Less is not worth its place in memory.
const NOTED: Duration = Duration::from_millis(2);

/// What was noted so far, by a thread that ends with this.
pub struct Watch {
    noted: Arc<Mutex<Vec<Stall>>>,
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// Once that nothing ran which wanted to.
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
    /// All of 100 ms and more together.
    pub long_ones: Duration,
}

impl Watch {
    pub fn start() -> std::io::Result<Self> {
        let (noted, stop) = (Arc::default(), Arc::default());
        let watch = watch(Arc::clone(&noted), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("stalls".into()).spawn(watch)?;
        Ok(Self { noted, stop, thread: Some(thread) })
    }

    /// What happened from this instant to that, whole stalls if they reach into it.
    pub fn between(&self, from: Instant, to: Instant) -> Stalled {
        sum(&self.noted.lock().unwrap_or_else(PoisonError::into_inner), from, to)
    }
}

/// The stalls that reach into this time.
pub fn sum(noted: &[Stall], from: Instant, to: Instant) -> Stalled {
    let mut stalled = Stalled::default();
    for stall in noted.iter().filter(|stall| stall.from < to && stall.from + stall.late > from) {
        stalled.longest = stalled.longest.max(stall.late);
        if stall.late >= LONG {
            stalled.long_ones += stall.late;
        }
    }
    stalled
}

fn watch(noted: Arc<Mutex<Vec<Stall>>>, stop: Arc<(Mutex<bool>, Condvar)>) -> impl FnOnce() + Send + 'static {
    move || {
        let mut is_over = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_over {
            let due = Instant::now() + STEP;
            (is_over, _) = stop.1.wait_timeout(is_over, STEP).unwrap_or_else(PoisonError::into_inner);
            let late = Instant::now().saturating_duration_since(due);
            if late >= NOTED {
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(Stall { from: due, late });
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}
