//! What each answer changes in a simulated worker.

use crate::clock::Now;
use crate::hold::HoldSet;
use crate::ledger::{Admitted, Claimed, Fate, Routed, Settlement};
use crate::outcome::Outcome;
use crate::worker::lane::Delivery;
use crate::worker::number::Ready;
use crate::worker::scheduler::Choice;

use super::chance::{Chance, Died, Point};
use super::reading::{self, Reading, Tried};
use super::shell::{Flight, LEDGER_PAUSE, Reply, START_WITHIN, Shell, Waiting};

impl Shell {
    pub(super) fn hear(&mut self, call: u64, reply: Reply, chance: &mut Chance, now: Now) -> Result<(), Died> {
        let waiting = self.calls.remove(&call).expect("a call is answered once");
        match (waiting, reply) {
            (Waiting::Claim(wanted), Reply::Claimed(claimed, jobs)) => {
                self.intake.learn(&mut self.core.scheduler, &wanted, &claimed);
                chance.pass(Point::Claimed)?;
                self.claimed(claimed, jobs);
            }
            (Waiting::Admit(choices, asked), Reply::Admitted(answers)) => {
                self.admitted(choices.into_iter().zip(answers), asked, chance, now)?;
            }
            (Waiting::Settle(batch), Reply::Settled) => {
                for (settlement, home) in batch {
                    if let Fate::Retry { due, .. } = settlement.fate {
                        self.intake.expect(home, due);
                    }
                }
                chance.pass(Point::Settled)?;
            }
            (Waiting::Put(_), Reply::Done) => {}
            (Waiting::Look, Reply::Rows(rows)) => self.shift(&rows, now),
            (Waiting::Renew(sent), Reply::Leases(held)) => {
                chance.pass(Point::Renewed)?;
                self.renewed(&held, sent, now);
            }
            (Waiting::Count, Reply::Done) => self.counted(),
            (Waiting::HandOver, Reply::Done) => {}
            (Waiting::Release, Reply::Done) => self.released = true,
            (Waiting::Holds, Reply::Holds(holds)) => {
                self.core.scheduler.set_holds(HoldSet::new(holds), now);
                self.give_back_of_unable(now);
            }
            (waiting, Reply::Failed) => self.failed(waiting, now),
            (waiting, reply) => panic!("{reply:?} is no answer to {waiting:?}"),
        }
        if self.stopping {
            self.clear_pad(now);
        }
        Ok(())
    }

    fn claimed(&mut self, claimed: Claimed, jobs: Vec<Routed>) {
        let mut homeless = Vec::new();
        for (row, routed) in claimed.rows.into_iter().zip(jobs) {
            let delivery = Delivery { routed, due_at: row.due_at, ticket: None, bytes: 100 };
            if self.stopping {
                homeless.push(row.key);
            } else {
                self.core.scheduler.push(delivery).expect("every lane is known");
            }
        }
        self.give_back(homeless);
    }

    fn admitted(
        &mut self,
        answered: impl Iterator<Item = (Choice, Admitted)>,
        asked: Now,
        chance: &mut Chance,
        now: Now,
    ) -> Result<(), Died> {
        let mut lost = Vec::new();
        for (choice, answer) in answered {
            *self.asking.get_mut(&choice.number.slot()).expect("was asked") -= 1;
            let Choice { delivery, number, fence, probe } = choice;
            if let Admitted::Go(admission) = answer {
                let start_by = asked.mono + START_WITHIN;
                let ready = Ready { admission, delivery, probe, start_by, admitted_at: now.mono };
                self.core.admitted(number, ready, now.mono);
                chance.pass(Point::Admitted)?;
                continue;
            }
            self.core.not_admitted(number, &delivery, probe, now.mono);
            if answer == Admitted::LeaseLost {
                if self.core.fence(number) == Some(fence) {
                    self.core.set_tenure(number, None, now.mono);
                }
                lost.push(delivery.job().key);
            }
        }
        self.give_back(lost);
        Ok(())
    }

    fn failed(&mut self, waiting: Waiting, now: Now) {
        match waiting {
            Waiting::Claim(_) => self.look_again(),
            // Perhaps they are admitted.
            Waiting::Admit(choices, first) => self.doubtful.push((choices, first)),
            Waiting::Settle(batch) => {
                for settlement in batch.into_iter().rev() {
                    self.settlements.push_front(settlement);
                }
            }
            // Forgotten, these rows would stay in this worker's name for as long as it lives.
            Waiting::Put(request) => self.unput.push(request),
            Waiting::Release | Waiting::Holds | Waiting::Count | Waiting::HandOver => {}
            Waiting::Look | Waiting::Renew(_) => self.renew_at = now.mono + LEDGER_PAUSE,
        }
        self.away_until = Some(now.mono + LEDGER_PAUSE);
    }

    /// Meta answered, or the request came to its end without.
    pub(super) fn answered(
        &mut self,
        flight: u64,
        outcome: Outcome,
        chance: &mut Chance,
        now: Now,
    ) -> Result<(), Died> {
        let Flight { admission, delivery, number, probe } = self.flights.remove(&flight).expect("answered once");
        chance.pass(Point::Answered)?;
        let account = &self.core.scheduler.number(number).spec.account;
        let reading = reading::read(
            &outcome,
            &Tried { admission: &admission, job: delivery.job(), account },
            &mut chance.rng,
            now,
        );
        if matches!(outcome, Outcome::NotSent(_)) {
            self.core.not_sent(number, &delivery);
        }
        self.core.finished(number, probe, reading.fault, now.mono);
        if reading.throttled {
            self.core.throttled(number, now.mono);
        }
        let lift = probe.filter(|_| matches!(outcome, Outcome::Accepted { .. }));
        let (key, attempt) = (admission.key(), admission.attempt());
        let Reading { fate, hold, .. } = reading;
        let settlement = Settlement { key, attempt, at: now.wall, fate, hold, lift, delivered: None };
        self.settle(settlement, &delivery, now);
        Ok(())
    }
}
