//! Things that come due, earliest first; of those due at the same time, the one that was put in first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A heap by due time.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    heap: BinaryHeap<Reverse<Due<T>>>,
    put_in: u64,
}

#[derive(Debug)]
struct Due<T> {
    at_ns: u64,
    order: u64,
    thing: T,
}

impl<T> PartialEq for Due<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Due<T> {}

impl<T> PartialOrd for Due<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Due<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_ns, self.order).cmp(&(other.at_ns, other.order))
    }
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), put_in: 0 }
    }
}

impl<T> Timeline<T> {
    pub(super) fn put(&mut self, at_ns: u64, thing: T) {
        self.put_in += 1;
        self.heap.push(Reverse(Due { at_ns, order: self.put_in, thing }));
    }

    /// The next thing that is due, and when it came due.
    pub(super) fn take_due(&mut self, now_ns: u64) -> Option<(u64, T)> {
        self.take_due_if(now_ns, |_| true)
    }

    /// The next thing that is due, if it is wanted; else it stays where it is.
    pub(super) fn take_due_if(&mut self, now_ns: u64, wanted: impl FnOnce(&T) -> bool) -> Option<(u64, T)> {
        let Reverse(next) = self.heap.peek()?;
        if next.at_ns > now_ns || !wanted(&next.thing) {
            return None;
        }
        self.heap.pop().map(|Reverse(due)| (due.at_ns, due.thing))
    }

    pub(super) fn next_at_ns(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(due)| due.at_ns)
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
