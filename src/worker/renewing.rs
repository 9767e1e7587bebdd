//! The worker's rounds: it looks who lives and who owns what, hands over what is too much, takes and renews the rest.
//!
//! One round every `lease.renew`, one at once when the ledger says that leases changed, and one when those of a dead
//! worker end. What is handed over is stopped before the ledger hears of it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;

use crate::clock::{self, Mono, Now};
use crate::hold::HoldId;
use crate::job::NumberId;
use crate::ledger::{Lease, LeaseRow, LeaseTimes, LedgerError, WorkerId};
use crate::outcome::NotSentCause;

use super::event::Event;
use super::index::NumberIdx;
use super::leases;
use super::ownership::{self, Ownership, Shift};
use super::shell::{LEDGER_PAUSE, Worker};

/// A dead worker's leases are looked at so long after their end.
const AFTER_THE_END: Duration = Duration::from_millis(20);

/// What the worker remembers of its rounds.
#[derive(Debug)]
pub(super) struct Rounds {
    ownership: Ownership,
    is_under_way: bool,
    /// Something changed since the one under way began.
    again: bool,
    /// When the last renewal that the ledger took was sent.
    renewed_at: Option<Mono>,
    /// When the first lease of another worker ends unless it is renewed, seen from the last look.
    others_end: Option<Duration>,
    /// What the last look made the worker ask for.
    asked_for: usize,
    stepped_down: bool,
    /// Holds that other workers try just now.
    pub(super) tried_elsewhere: Vec<HoldId>,
}

impl Rounds {
    pub(super) fn new(worker: WorkerId, ttl: Duration) -> Self {
        Self {
            ownership: Ownership::new(worker, ttl),
            is_under_way: false,
            again: false,
            renewed_at: None,
            others_end: None,
            asked_for: 0,
            stepped_down: false,
            tried_elsewhere: Vec::new(),
        }
    }
}

impl Worker {
    /// Answers in hand go first: a lease says that its owner has nothing open.
    pub(super) fn may_renew(&self) -> bool {
        !self.stopping && self.ledger_away_until.is_none() && !self.recovery.is_settling()
    }

    /// Whether the ledger knows that this worker lives.
    pub(super) fn holds_leases(&self, now: Mono) -> bool {
        let LeaseTimes { ttl, margin, renew: _ } = self.settings.leases;
        self.rounds.renewed_at.is_some_and(|at| now < at + ttl - margin)
    }

    /// Looks at the leases, to take and to hand over.
    pub(super) fn begin_round(&mut self, now: Now) {
        if self.rounds.is_under_way {
            self.rounds.again = true;
        } else if self.may_renew() {
            self.rounds.is_under_way = true;
            self.renew_at = None;
            let ledger = self.ledger.clone();
            self.asked.push(async move { Event::Leases(ledger.leases(now.wall).await) }.boxed_local());
        }
    }

    pub(super) fn leases_read(&mut self, answer: Result<Vec<LeaseRow>, LedgerError>) {
        if self.stopping {
            self.rounds.is_under_way = false;
            return;
        }
        let rows = match answer {
            Ok(rows) => rows,
            Err(error) => return self.round_failed(&error),
        };
        let known: BTreeSet<String> =
            self.core.scheduler.numbers().map(|number| leases::name(number.spec.id.as_str())).collect();
        let now = clock::now();
        let Shift { hand_over, take, new, others_end } = self.rounds.ownership.shift(&rows, &known, now.mono);
        if new + hand_over.len() > 0 {
            let handed = hand_over.len();
            tracing::info!(taking = new, handing_over = handed, "taking {new} numbers, handing over {handed}");
        }
        self.rounds.others_end = others_end;
        self.rounds.asked_for = take.len();
        let handed: Vec<NumberIdx> = hand_over.iter().filter_map(|name| self.number_of_lease(name)).collect();
        self.stop_numbers(&handed, now);
        let (ledger, id, ttl) = (self.ledger.clone(), self.id, self.settings.leases.ttl);
        let renew = async move {
            if !hand_over.is_empty() {
                ledger.hand_over(id, hand_over).await?;
            }
            let sent = clock::now();
            Ok((sent.mono, ledger.take_leases(id, take, ttl, sent.wall).await?))
        };
        self.asked.push(async move { Event::Renewed(renew.await) }.boxed_local());
    }

    pub(super) fn renewed(&mut self, answer: Result<(Mono, Vec<Lease>), LedgerError>) {
        self.rounds.is_under_way = false;
        if self.stopping {
            return;
        }
        let (sent, leases) = match answer {
            Ok(renewed) => renewed,
            Err(error) => return self.round_failed(&error),
        };
        self.telling.ledger_answered();
        let (now, times) = (clock::now(), self.settings.leases);
        leases::apply(&mut self.core, &leases, times, sent, now.mono);
        self.renew_at = Some(self.next_round(sent, now.mono, leases.len()));
        let before = self.rounds.renewed_at.replace(sent);
        if before.is_some_and(|before| now.mono.since(before) >= times.ttl) {
            self.drop_lapsed_claims();
        }
        self.stop_lost_numbers(now);
        self.try_again_elsewhere(now.mono);
        self.recovery.renewed();
        if std::mem::take(&mut self.rounds.again) {
            self.begin_round(now);
        }
    }

    fn next_round(&self, sent: Mono, now: Mono, got: usize) -> Mono {
        if got < self.rounds.asked_for {
            // Somebody was faster: perhaps there is something else to take.
            return now + LEDGER_PAUSE;
        }
        let others = self.rounds.others_end.map(|end| sent + end + AFTER_THE_END);
        others.map_or(sent, |end| end.max(now)).min(sent + self.settings.leases.renew)
    }

    fn round_failed(&mut self, error: &LedgerError) {
        self.rounds.is_under_way = false;
        self.rounds.again = false;
        self.renew_at = Some(clock::now().mono + LEDGER_PAUSE);
        self.ledger_failed(error);
    }

    fn number_of_lease(&self, name: &str) -> Option<NumberIdx> {
        let id: NumberId = leases::number(name)?.parse().ok()?;
        self.core.scheduler.number_of(&id)
    }

    /// These numbers send nothing from now on: they are another worker's.
    fn stop_numbers(&mut self, numbers: &[NumberIdx], now: Now) {
        for number in numbers {
            self.core.set_tenure(*number, None, now.mono);
        }
        if !numbers.is_empty() {
            self.stop_lost_numbers(now);
        }
    }

    /// What was admitted for numbers that are not this worker's any more goes back at once, and what stands in line
    /// for them alone.
    fn stop_lost_numbers(&mut self, now: Now) {
        let is_lost = |number: &NumberIdx| {
            let number = self.core.scheduler.number(*number);
            number.waiting() > 0 && !number.holds_lease(now.mono)
        };
        let lost: Vec<NumberIdx> = self.core.scheduler.indices().filter(is_lost).collect();
        for number in lost {
            for ready in self.core.clear_pad_of(number) {
                let probe = ready.probe;
                self.unsent(ready, number, NotSentCause::LastLook);
                self.core.stopped(number, probe, now.mono);
            }
        }
        self.give_back_of_unable();
    }

    /// This worker's leases had all run out: what it had claimed may be others' by now. The ledger would admit none of
    /// it, and giving it back is not this worker's any more.
    fn drop_lapsed_claims(&mut self) {
        let claimed = self.core.scheduler.take_out(|delivery| delivery.ticket.is_none());
        tracing::warn!(
            in_hand = claimed.len(),
            "this worker's leases had run out, {} claimed jobs with them",
            claimed.len()
        );
        self.intake.look_again();
        self.recovery.count_again();
    }

    /// At a stop: gives up every lease at once, so that others go on while the last answers come in.
    pub(super) fn step_down(&mut self, now: Now) {
        let waits = self.rounds.is_under_way || self.open.is_asking() || self.ledger_away_until.is_some();
        if waits || std::mem::replace(&mut self.rounds.stepped_down, true) {
            return;
        }
        let numbers: Vec<NumberIdx> = self.core.leased().collect();
        let name = |number: &NumberIdx| leases::name(self.core.scheduler.number(*number).spec.id.as_str());
        let names: Vec<String> = numbers.iter().map(name).chain([ownership::presence(self.id)]).collect();
        for number in numbers {
            self.core.set_tenure(number, None, now.mono);
        }
        let (ledger, id) = (self.ledger.clone(), self.id);
        self.asked.push(async move { Event::SteppedDown(ledger.hand_over(id, names).await) }.boxed_local());
    }
}
