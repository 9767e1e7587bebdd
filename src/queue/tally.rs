//! Which deliveries of a channel are out, and how to tell the broker of many at once. Pure.

use std::collections::VecDeque;

/// What to do with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    /// The broker may forget it.
    Ack,
    /// Back to its queue.
    Back,
}

/// One frame to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) tag: u64,
    /// It speaks for all before it, too.
    pub(super) multiple: bool,
    pub(super) settle: Settle,
}

/// What is to be sent: `runs` one after the other, since each speaks for all before it, then `singles` in any order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Orders {
    pub(super) runs: Vec<Order>,
    pub(super) singles: Vec<Order>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Out,
    Marked(Settle),
    Told,
}

/// The deliveries of one channel, in order of their tags, from the oldest that is not settled.
#[derive(Debug)]
pub(super) struct Tally {
    first: u64,
    standing: VecDeque<Standing>,
    marked: usize,
    out: usize,
}

impl Tally {
    /// Of a new channel, whose tags begin at 1.
    pub(super) fn new() -> Self {
        Self { first: 1, standing: VecDeque::new(), marked: 0, out: 0 }
    }

    /// A delivery came. Tags of a channel count up by one; should one be left out, it is nobody's here.
    pub(super) fn delivered(&mut self, tag: u64) {
        while self.first + (self.standing.len() as u64) < tag {
            self.standing.push_back(Standing::Told);
        }
        self.standing.push_back(Standing::Out);
        self.out += 1;
    }

    /// Marks a delivery to be told of. False if it is not out: an unknown tag would cost the channel.
    pub(super) fn mark(&mut self, tag: u64, settle: Settle) -> bool {
        let place = tag.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let Some(standing) = place.and_then(|place| self.standing.get_mut(place)) else { return false };
        let is_out = *standing == Standing::Out;
        if is_out {
            *standing = Standing::Marked(settle);
            self.marked += 1;
            self.out -= 1;
        }
        is_out
    }

    /// Whether anything was ever delivered.
    pub(super) fn has_begun(&self) -> bool {
        self.first > 1 || !self.standing.is_empty()
    }

    /// How many are marked and not told.
    pub(super) fn marked(&self) -> usize {
        self.marked
    }

    /// How many the broker waits to hear of.
    pub(super) fn untold(&self) -> usize {
        self.out + self.marked
    }

    /// Takes what is marked, in as few frames as it goes.
    pub(super) fn take(&mut self) -> Orders {
        let mut orders = Orders::default();
        while let Some(standing) = self.standing.front().copied() {
            match standing {
                Standing::Out => break,
                Standing::Told => {}
                Standing::Marked(settle) => {
                    match orders.runs.last_mut() {
                        Some(run) if run.settle == settle => *run = Order { tag: self.first, multiple: true, settle },
                        Some(_) | None => orders.runs.push(Order { tag: self.first, multiple: false, settle }),
                    }
                    self.marked -= 1;
                }
            }
            self.standing.pop_front();
            self.first += 1;
        }
        for (tag, standing) in (self.first..).zip(self.standing.iter_mut()) {
            if self.marked == 0 {
                break;
            }
            if let Standing::Marked(settle) = *standing {
                orders.singles.push(Order { tag, multiple: false, settle });
                *standing = Standing::Told;
                self.marked -= 1;
            }
        }
        orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tally(deliveries: u64) -> Tally {
        let mut tally = Tally::new();
        (1..=deliveries).for_each(|tag| tally.delivered(tag));
        tally
    }

    #[test]
    fn what_is_settled_in_order_goes_in_one_frame() {
        let mut tally = tally(200);
        (1..=150).for_each(|tag| assert!(tally.mark(tag, Settle::Ack)));
        let orders = tally.take();
        assert_eq!(orders.runs, [Order { tag: 150, multiple: true, settle: Settle::Ack }]);
        assert!(orders.singles.is_empty());
        assert_eq!((tally.marked(), tally.untold()), (0, 50));
    }

    #[test]
    fn what_is_settled_out_of_order_goes_alone_until_the_gap_closes() {
        let mut tally = tally(5);
        [2, 3].into_iter().for_each(|tag| assert!(tally.mark(tag, Settle::Ack)));
        assert_eq!(tally.take().singles.iter().map(|order| order.tag).collect::<Vec<_>>(), [2, 3]);
        [1, 4].into_iter().for_each(|tag| assert!(tally.mark(tag, Settle::Ack)));
        assert_eq!(tally.take().runs, [Order { tag: 4, multiple: true, settle: Settle::Ack }]);
        assert!(!tally.mark(3, Settle::Ack) && !tally.mark(6, Settle::Ack) && !tally.mark(0, Settle::Back));
        assert_eq!(tally.take(), Orders::default());
    }

    proptest! {
        /// A broker of four lines: it refuses a tag it does not know, as the real one does.
        #[test]
        fn the_broker_hears_of_each_delivery_once_and_what_was_meant(
            steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>(), any::<bool>()), 1..200)
        ) {
            let mut tally = Tally::new();
            let (mut next, mut out) = (1_u64, Vec::<u64>::new());
            let mut meant = std::collections::BTreeMap::new();
            let mut broker = std::collections::BTreeSet::new();
            let mut heard = std::collections::BTreeMap::new();
            for (step, which, back) in steps {
                match step {
                    0 | 1 => { tally.delivered(next); out.push(next); broker.insert(next); next += 1; }
                    2 if !out.is_empty() => {
                        let tag = out.swap_remove(which.index(out.len()));
                        let settle = if back { Settle::Back } else { Settle::Ack };
                        prop_assert!(tally.mark(tag, settle));
                        prop_assert!(!tally.mark(tag, Settle::Ack));
                        meant.insert(tag, settle);
                    }
                    _ => {
                        let Orders { runs, singles } = tally.take();
                        for Order { tag, multiple, settle } in runs.into_iter().chain(singles) {
                            prop_assert!(broker.contains(&tag), "unknown tag {tag}");
                            let from = if multiple { 0 } else { tag };
                            let told: Vec<u64> = broker.range(from..=tag).copied().collect();
                            for tag in told { broker.remove(&tag); heard.insert(tag, settle); }
                        }
                        prop_assert_eq!(&heard, &meant);
                        prop_assert_eq!(broker.len(), out.len());
                        prop_assert_eq!(tally.untold(), out.len());
                    }
                }
            }
        }
    }
}
