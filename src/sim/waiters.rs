//! Those who wait until a count has been reached.

use tokio::sync::oneshot;

/// Who waits for which count.
#[derive(Debug)]
pub(crate) struct Waiters {
    waiting: Vec<(u64, oneshot::Sender<()>)>,
    /// The lowest count anybody waits for: all that the hot path looks at.
    next: u64,
    /// Nothing will be counted any more.
    closed: bool,
}

impl Default for Waiters {
    fn default() -> Self {
        Self { waiting: Vec::new(), next: u64::MAX, closed: false }
    }
}

impl Waiters {
    /// Waits for `count`; `now` is where it stands. After the end, the receiver's sender is gone at once.
    pub(crate) fn wait(&mut self, count: u64, now: u64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.retain(|(_, waiting)| !waiting.is_closed());
        if !self.closed {
            self.waiting.push((count, sender));
            self.wake(now);
        }
        receiver
    }

    /// So many it is now.
    pub(crate) fn reached(&mut self, now: u64) {
        if now >= self.next {
            self.wake(now);
        }
    }

    /// Lets everybody go: nothing will be counted any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.waiting.clear();
    }

    fn wake(&mut self, now: u64) {
        for (_, waiting) in self.waiting.extract_if(.., |(count, _)| *count <= now) {
            // Whoever no longer waits has dropped the receiver; that is fine.
            let _ = waiting.send(());
        }
        self.next = self.waiting.iter().map(|(count, _)| *count).min().unwrap_or(u64::MAX);
    }
}
