//! One busy number's jobs in a lane that it shares with others: past two seconds' worth of it they wait in rows, so
//! that they don't fill this worker's hands.
//!
//! Once some wait in rows, those that come after them do too, until all of those rows are in hand: of one number and
//! priority, jobs go in order.

use std::time::Duration;

use crate::clock::Mono;
use crate::ledger::Routed;

use super::index::LaneIdx;
use super::lane::{Delivery, Supply};
use super::scheduler::Scheduler;

/// So much of a number's own lane may be in hand.
const MOST: Duration = Duration::from_secs(2);
/// At least so many jobs of it, however slow the number.
const LEAST: usize = 8;

/// What of a lane was handed over to rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spill {
    /// On their way to the ledger.
    under_way: usize,
    /// When the latest of them arrived there, or set out; none once all of them are in hand again.
    since: Option<Mono>,
}

impl Scheduler {
    /// Whether this job had better wait in a row: its number has enough to do, or others of it wait there already.
    pub fn is_too_much(&mut self, delivery: &Delivery, now: Mono) -> bool {
        let Some(lane) = self.lane_of(delivery.route(), delivery.job().priority) else { return false };
        let Some(number) = self.lanes[lane.slot()].key().pinned else { return false };
        let most = LEAST.max((self.rate_of(number, now) * MOST.as_secs_f64()) as usize);
        let lane = &mut self.lanes[lane.slot()];
        if lane.spill.since.is_none() && lane.fresh() >= most {
            lane.spill.since = Some(now);
        }
        lane.spill.since.is_some()
    }

    /// A delivery is on its way to a row.
    pub fn hand_over(&mut self, routed: &Routed) {
        if let Some(lane) = self.lane_of(&routed.route, routed.job.priority) {
            self.lanes[lane.slot()].spill.under_way += 1;
        }
    }

    /// It has its row, or the broker has it again.
    pub fn handed_over(&mut self, routed: &Routed, now: Mono) {
        if let Some(lane) = self.lane_of(&routed.route, routed.job.priority) {
            let spill = &mut self.lanes[lane.slot()].spill;
            spill.under_way = spill.under_way.saturating_sub(1);
            spill.since = spill.since.map(|_| now);
        }
    }

    /// The ledger, asked at that time, had no more fresh rows of a lane.
    pub fn caught_up(&mut self, lane: LaneIdx, asked: Mono) {
        let lane = &mut self.lanes[lane.slot()];
        let is_dry = matches!(lane.fresh_supply, Supply::DryAt(_));
        if is_dry && lane.spill.under_way == 0 {
            lane.spill.since = lane.spill.since.filter(|since| *since >= asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Now, Timestamp};
    use crate::job::{PoolName, Priority};
    use crate::ledger::{Account, Fence, Route};
    use crate::worker::launch::Core;
    use crate::worker::number::{NumberSpec, Tenure};
    use crate::worker::pacer::Limit;

    fn at(ms: u64) -> Mono {
        Mono::from_nanos(ms * 1_000_000)
    }

    /// A core with one able number of 10/s, and a delivery for it alone.
    fn core() -> (Core, impl Fn() -> Delivery) {
        let mut core = Core::new(Scheduler::new(Duration::from_millis(50)));
        let now = Now { mono: at(0), wall: Timestamp::from_millis(0) };
        let account = Account { credential: "default".to_owned(), waba: String::new(), portfolio: String::new() };
        let spec = NumberSpec {
            id: "1001".parse().expect("a number id"),
            display: "1001".to_owned(),
            pool: core.scheduler.pool(&PoolName::default_pool()),
            account: Arc::new(account),
            limit: Limit::per_second(NonZeroU32::new(10).expect("not zero")),
        };
        let number = core.scheduler.add_number(spec, Duration::from_millis(8), now);
        core.set_tenure(number, Some(Tenure { fence: Fence(1), until: at(60_000) }), at(0));
        let delivery = || {
            let delivery = crate::worker::simulation::delivery(Priority::Normal);
            let pinned = Some("1001".parse().expect("a number id"));
            let route = Route { pool: PoolName::default_pool(), pinned };
            Delivery { routed: Routed { route, ..delivery.routed }, due_at: None, ticket: None, bytes: 100 }
        };
        (core, delivery)
    }

    #[test]
    fn past_two_seconds_worth_a_number_has_enough() {
        let (mut core, delivery) = core();
        for _ in 0..20 {
            assert!(!core.scheduler.is_too_much(&delivery(), at(0)));
            core.scheduler.push(delivery()).expect("the lane is served");
        }
        assert!(core.scheduler.is_too_much(&delivery(), at(0)));
        // What any number may send is nobody's surplus.
        let open = Route { pool: PoolName::default_pool(), pinned: None };
        let open = Delivery { routed: Routed { route: open, ..delivery().routed }, ..delivery() };
        assert!(!core.scheduler.is_too_much(&open, at(0)));
    }

    #[test]
    fn once_some_wait_in_rows_the_next_do_too_until_those_are_in_hand() {
        let (mut core, delivery) = core();
        let scheduler = &mut core.scheduler;
        (0..20).for_each(|_| scheduler.push(delivery()).expect("the lane is served"));
        assert!(scheduler.is_too_much(&delivery(), at(1)));
        scheduler.hand_over(&delivery().routed);
        let lane = scheduler.lane_of(delivery().route(), Priority::Normal).expect("served");
        assert_eq!(scheduler.drain_lane(lane).len(), 20);
        scheduler.lanes[lane.slot()].fresh_supply = Supply::DryAt(1);
        scheduler.caught_up(lane, at(2));
        assert!(scheduler.is_too_much(&delivery(), at(3)), "it is on its way to its row");
        scheduler.handed_over(&delivery().routed, at(4));
        scheduler.caught_up(lane, at(3));
        assert!(scheduler.is_too_much(&delivery(), at(5)), "the ledger was asked before it had that row");
        scheduler.caught_up(lane, at(5));
        assert!(!scheduler.is_too_much(&delivery(), at(6)));
    }
}
