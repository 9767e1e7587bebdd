//! Service windows: for 24 hours after a customer's message, the number may write back free-form.

use super::limits::SERVICE_WINDOW;
use std::collections::{HashMap, VecDeque};

/// Windows kept at most; past that, the oldest close early.
const MOST_WINDOWS: usize = 1_000_000;

/// A number's place, and its customer's key.
type Pair = (u32, u64);

/// When each customer last wrote to each number.
#[derive(Debug)]
pub(crate) struct ServiceWindows {
    opened_ns: HashMap<Pair, u64>,
    /// As they were opened; a pair that wrote again stands here several times.
    order: VecDeque<(u64, Pair)>,
    length_ns: u64,
}

impl ServiceWindows {
    /// None is open. So many simulated seconds pass in a real one.
    pub(crate) fn new(time_scale: f64) -> Self {
        let length_ns = super::scaled_ns(SERVICE_WINDOW, time_scale);
        Self { opened_ns: HashMap::new(), order: VecDeque::new(), length_ns }
    }

    /// A customer wrote.
    pub(crate) fn open(&mut self, number: u32, customer: u64, at_ns: u64) {
        self.opened_ns.insert((number, customer), at_ns);
        self.order.push_back((at_ns, (number, customer)));
        while let Some((oldest_ns, pair)) = self.order.front().copied()
            && (self.order.len() > MOST_WINDOWS || oldest_ns.saturating_add(self.length_ns) <= at_ns)
        {
            self.order.pop_front();
            if self.opened_ns.get(&pair) == Some(&oldest_ns) {
                self.opened_ns.remove(&pair);
            }
        }
    }

    /// Whether the number may write free-form.
    pub(crate) fn is_open(&self, number: u32, customer: u64, now_ns: u64) -> bool {
        let opened_ns = self.opened_ns.get(&(number, customer));
        opened_ns.is_some_and(|opened_ns| now_ns < opened_ns.saturating_add(self.length_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_closes_a_day_after_the_last_message() {
        let mut windows = ServiceWindows::new(86_400.0);
        let second = 1_000_000_000;
        windows.open(0, 7, 0);
        windows.open(0, 7, second / 2);
        assert!(windows.is_open(0, 7, second));
        assert!(!windows.is_open(0, 7, second * 3 / 2));
        assert!(!windows.is_open(1, 7, second) && !windows.is_open(0, 8, second));
        windows.open(1, 9, 4 * second);
        assert_eq!((windows.opened_ns.len(), windows.order.len()), (1, 1));
    }
}
