//! When rows that wait for a time fall due, as far as is known: by lane, and for those whose lane nobody told.

use std::collections::{BTreeSet, HashMap};

use crate::clock::Timestamp;

use super::index::LaneIdx;

/// One moment a lane, the earliest: what comes after it the ledger tells when it is asked for that one.
#[derive(Debug, Default)]
pub(super) struct Dues {
    by_time: BTreeSet<(Timestamp, LaneIdx)>,
    of_lane: HashMap<LaneIdx, Timestamp>,
    anywhere: BTreeSet<Timestamp>,
}

impl Dues {
    /// A row of this lane will fall due then; of any lane, if none is named.
    pub(super) fn expect(&mut self, lane: Option<LaneIdx>, due: Timestamp) {
        let Some(lane) = lane else {
            self.anywhere.insert(due);
            return;
        };
        match self.of_lane.get(&lane) {
            Some(known) if *known <= due => {}
            Some(_) | None => {
                if let Some(later) = self.of_lane.insert(lane, due) {
                    self.by_time.remove(&(later, lane));
                }
                self.by_time.insert((due, lane));
            }
        }
    }

    /// The next moment.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(due, _)| *due).into_iter().chain(self.anywhere.first().copied()).min()
    }

    /// A lane in which a row has fallen due, each once.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<LaneIdx> {
        let (due, lane) = self.by_time.first().copied().filter(|(due, _)| *due <= now)?;
        self.by_time.remove(&(due, lane));
        self.of_lane.remove(&lane);
        Some(lane)
    }

    /// Whether any row has fallen due in a lane that nobody named, said once.
    pub(super) fn pop_anywhere(&mut self, now: Timestamp) -> bool {
        let is_due = self.anywhere.first().is_some_and(|due| *due <= now);
        self.anywhere.retain(|due| *due > now);
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_is_told_of_once_at_its_earliest_moment() {
        let at = Timestamp::from_millis;
        let (mut dues, one, other) = (Dues::default(), LaneIdx(1), LaneIdx(2));
        for (lane, due) in
            [(Some(one), 30), (Some(one), 10), (Some(one), 20), (Some(other), 15), (None, 12), (None, 40)]
        {
            dues.expect(lane, at(due));
        }
        assert_eq!((dues.next(), dues.pop(at(9)), dues.pop_anywhere(at(9))), (Some(at(10)), None, false));
        assert_eq!((dues.pop(at(14)), dues.pop(at(14))), (Some(one), None));
        assert_eq!((dues.next(), dues.pop_anywhere(at(14)), dues.pop_anywhere(at(39))), (Some(at(12)), true, false));
        assert!(dues.pop_anywhere(at(40)));
        dues.expect(Some(one), at(60));
        assert_eq!((dues.pop(at(50)), dues.pop(at(50)), dues.next()), (Some(other), None, Some(at(60))));
    }
}
