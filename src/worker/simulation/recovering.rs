//! A simulated worker after its ledger was away, as the real one: settle, renew, ask again, say what is in hand.

use crate::clock::Now;
use crate::worker::scheduler::Choice;

use super::shell::{Request, Shell, Waiting};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    #[default]
    Over,
    Settling,
    Renewing,
    Asking,
    Counting,
}

#[derive(Default)]
pub(super) struct Recovery {
    stage: Stage,
    /// Asks whose answer was lost.
    pub doubtful: Vec<(Vec<Choice>, Now)>,
}

impl Recovery {
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Settling;
    }

    pub(super) fn count_again(&mut self) {
        if self.stage == Stage::Over {
            self.stage = Stage::Asking;
        }
    }

    pub(super) fn renewed(&mut self) {
        if self.stage == Stage::Renewing {
            self.stage = Stage::Asking;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub(super) fn is_settling(&self) -> bool {
        self.stage == Stage::Settling
    }
}

impl Shell {
    pub(super) fn recover(&mut self, now: Now) {
        if self.away_until.is_some() {
            return;
        }
        let is_settled = self.settlements.is_empty() && self.under_way(|call| matches!(call, Waiting::Settle(_))) == 0;
        if self.recovery.stage == Stage::Settling && is_settled {
            self.recovery.stage = if self.stopping { Stage::Asking } else { Stage::Renewing };
            self.look_at_leases(now);
        }
        if self.recovery.stage == Stage::Asking {
            for (choices, first) in std::mem::take(&mut self.recovery.doubtful) {
                self.ask_to_admit(choices, first, true);
            }
            if self.under_way(|call| matches!(call, Waiting::Admit(..))) == 0 {
                self.recovery.stage = Stage::Counting;
            }
        }
        let busy = |call: &Waiting| matches!(call, Waiting::Claim(_) | Waiting::Put(_) | Waiting::Count);
        if self.recovery.stage == Stage::Counting && self.under_way(busy) == 0 && self.unput.is_empty() {
            let lanes = self.core.scheduler.lanes.iter();
            let in_hand = lanes.flat_map(|lane| lane.deliveries()).map(|delivery| delivery.job().key).collect();
            self.ask(Waiting::Count, Request::KeepOnly(in_hand));
        }
    }

    pub(super) fn counted(&mut self) {
        if self.recovery.stage == Stage::Counting {
            self.recovery.stage = Stage::Over;
        }
        self.look_again();
    }
}
