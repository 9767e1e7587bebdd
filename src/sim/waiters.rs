//! Those who wait until so many messages have been accepted.

use tokio::sync::oneshot;

/// Who waits for which count.
#[derive(Debug)]
pub(crate) struct Waiters {
    waiting: Vec<(u64, oneshot::Sender<()>)>,
    /// The lowest count anybody waits for: all that the hot path looks at.
    next: u64,
}

impl Default for Waiters {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            next: u64::MAX,
        }
    }
}

impl Waiters {
    /// Waits for `count`; `accepted` is where it stands now.
    pub(crate) fn wait(&mut self, count: u64, accepted: u64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.retain(|(_, waiting)| !waiting.is_closed());
        self.waiting.push((count, sender));
        self.wake(accepted);
        receiver
    }

    /// So many have been accepted now.
    pub(crate) fn reached(&mut self, accepted: u64) {
        if accepted >= self.next {
            self.wake(accepted);
        }
    }

    fn wake(&mut self, accepted: u64) {
        for (_, waiting) in self.waiting.extract_if(.., |(count, _)| *count <= accepted) {
            // Whoever no longer waits has dropped the receiver; that is fine.
            let _ = waiting.send(());
        }
        self.next = self
            .waiting
            .iter()
            .map(|(count, _)| *count)
            .min()
            .unwrap_or(u64::MAX);
    }
}
