//! How many requests arrived within the last second, exactly, and the most it ever was.

use std::collections::VecDeque;

/// More arrivals in one window than this are no longer told apart (a bound on memory, far above any limit of Meta's).
const REMEMBERED: usize = 65_536;

/// The arrivals of the last `width_ns`, as the receiver saw them.
#[derive(Debug)]
pub(crate) struct SlidingSecond {
    width_ns: u64,
    arrivals: VecDeque<u64>,
    worst: usize,
}

impl SlidingSecond {
    /// An empty window.
    pub(crate) fn new(width_ns: u64) -> Self {
        Self { width_ns, arrivals: VecDeque::new(), worst: 0 }
    }

    /// How many arrivals lie in `(now − width, now]`: one that is exactly `width` old is out.
    pub(crate) fn count(&mut self, now_ns: u64) -> usize {
        while let Some(&first) = self.arrivals.front()
            && first.saturating_add(self.width_ns) <= now_ns
        {
            self.arrivals.pop_front();
        }
        self.arrivals.len()
    }

    /// Notes an arrival. Times must not go backward.
    pub(crate) fn note(&mut self, now_ns: u64) {
        let count = self.count(now_ns);
        if count == REMEMBERED {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(now_ns);
        self.worst = self.worst.max(self.arrivals.len());
    }

    /// The most arrivals that any window ever held.
    pub(crate) fn worst(&self) -> usize {
        self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn an_arrival_leaves_the_window_exactly_one_second_later() {
        let mut window = SlidingSecond::new(SECOND);
        window.note(5);
        assert_eq!(window.count(5 + SECOND - 1), 1);
        assert_eq!(window.count(5 + SECOND), 0);
    }

    #[test]
    fn two_bursts_on_both_sides_of_a_full_second_are_seen_together() {
        let mut window = SlidingSecond::new(SECOND);
        for at in [900, 950, 1_050, 1_100] {
            window.note(at * 1_000_000);
        }
        assert_eq!(window.worst(), 4);
    }

    #[test]
    fn memory_is_bounded() {
        let mut window = SlidingSecond::new(SECOND);
        for _ in 0..REMEMBERED + 10 {
            window.note(1);
        }
        assert_eq!(window.worst(), REMEMBERED);
    }

    proptest! {
        #[test]
        fn the_worst_second_is_what_counting_by_hand_finds(gaps in prop::collection::vec(0u64..400_000_000, 1..200)) {
            let mut window = SlidingSecond::new(SECOND);
            let mut times = Vec::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                times.push(now);
                window.note(now);
            }
            let by_hand = times
                .iter()
                .map(|end| times.iter().filter(|at| **at <= *end && **at + SECOND > *end).count())
                .max();
            prop_assert_eq!(Some(window.worst()), by_hand);
        }
    }
}
