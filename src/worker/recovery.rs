//! In which order a worker finds itself again after its ledger was away. Pure: the real worker and the simulated one
//! keep to the same.

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    /// Nothing is open.
    #[default]
    Over,
    /// Answers of the time before are not all settled yet.
    Settling,
    /// The leases are being renewed.
    Renewing,
    /// Asks whose answer was lost are asked again.
    Asking,
    /// The ledger is to be told what is in hand.
    Counting,
    /// It is being told.
    Counted,
}

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    stage: Stage,
}

impl Recovery {
    /// The ledger is back.
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Settling;
    }

    /// Rows may stand in this worker's name that it has not in hand.
    pub(super) fn count_again(&mut self) {
        if matches!(self.stage, Stage::Over | Stage::Counting | Stage::Counted) {
            self.stage = Stage::Asking;
        }
    }

    /// All answers are settled: leases are next, where any are wanted.
    pub(super) fn settled(&mut self, wants_leases: bool) {
        if self.stage == Stage::Settling {
            self.stage = if wants_leases { Stage::Renewing } else { Stage::Asking };
        }
    }

    /// The leases are renewed.
    pub(super) fn renewed(&mut self) {
        if self.stage == Stage::Renewing {
            self.stage = Stage::Asking;
        }
    }

    /// Every ask has its answer.
    pub(super) fn asked(&mut self) {
        if self.stage == Stage::Asking {
            self.stage = Stage::Counting;
        }
    }

    /// The ledger is being told what is in hand. True if it is its turn.
    pub(super) fn count(&mut self) -> bool {
        let is_next = self.stage == Stage::Counting;
        if is_next {
            self.stage = Stage::Counted;
        }
        is_next
    }

    /// The ledger was told.
    pub(super) fn counted(&mut self) {
        if self.stage == Stage::Counted {
            self.stage = Stage::Over;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub(super) fn is_settling(&self) -> bool {
        self.stage == Stage::Settling
    }

    pub(super) fn is_asking(&self) -> bool {
        self.stage == Stage::Asking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_follows_the_other_and_none_is_skipped() {
        let mut recovery = Recovery::default();
        assert!(recovery.is_over() && !recovery.count());
        recovery.begin();
        recovery.asked();
        recovery.renewed();
        assert!(recovery.is_settling());
        recovery.settled(true);
        recovery.asked();
        assert!(!recovery.is_settling() && !recovery.is_asking());
        recovery.renewed();
        assert!(recovery.is_asking());
        recovery.asked();
        assert!(recovery.count() && !recovery.count());
        // Something was lost while it was told: it is told again.
        recovery.count_again();
        recovery.counted();
        assert!(recovery.is_asking());
        recovery.asked();
        assert!(recovery.count());
        recovery.counted();
        assert!(recovery.is_over());
    }
}
