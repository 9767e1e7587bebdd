//! A simulated worker after its ledger was away, as the real one: settle, renew, ask again, say what is in hand.

use crate::clock::Now;

use super::shell::{Request, Shell, Waiting};

impl Shell {
    pub(super) fn recover(&mut self, now: Now) {
        if self.away_until.is_some() {
            return;
        }
        let is_settled = self.settlements.is_empty() && self.under_way(|call| matches!(call, Waiting::Settle(_))) == 0;
        if self.recovery.is_settling() && is_settled {
            self.recovery.settled(!self.stopping);
            self.look_at_leases(now);
        }
        if self.recovery.is_asking() {
            for (choices, first) in std::mem::take(&mut self.doubtful) {
                self.ask_to_admit(choices, first, true);
            }
            if self.under_way(|call| matches!(call, Waiting::Admit(..))) == 0 {
                self.recovery.asked();
            }
        }
        let busy = |call: &Waiting| matches!(call, Waiting::Claim(_) | Waiting::Put(_) | Waiting::Count);
        if self.under_way(busy) == 0 && self.unput.is_empty() && self.recovery.count() {
            let in_hand = self.core.scheduler.deliveries().map(|delivery| delivery.job().key).collect();
            self.ask(Waiting::Count, Request::KeepOnly(in_hand));
        }
    }

    pub(super) fn counted(&mut self) {
        self.recovery.counted();
        self.look_again();
    }
}
