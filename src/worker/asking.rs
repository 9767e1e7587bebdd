//! What the worker asks of the ledger, each in a batch; the answers come back as events.

use std::sync::Arc;

use futures_util::FutureExt;

use crate::clock::{self, Now};
use crate::job::{JobKey, NumberId};
use crate::ledger::{AdmitRequest, Deferral, Hand, Parking};

use super::attempt;
use super::event::{Ask, Event, PutBack, Settling};
use super::lane::Delivery;
use super::recovering::Asked;
use super::scheduler::{Choice, Pick};
use super::shell::Worker;

/// At most so many jobs are asked for in one batch.
const MOST_CHOICES: usize = 200;
/// At most so many settlements go into one batch.
const MOST_SETTLEMENTS: usize = 200;
/// At most so many batches of settlements are at the ledger.
const MOST_SETTLING: usize = 4;

impl Worker {
    /// Takes what the core picks, and asks the ledger for all of it at once.
    pub(super) fn choose(&mut self, now: Now) {
        let mut choices = Vec::new();
        let (mut parked, mut tickets) = (Vec::new(), Vec::new());
        let (mut deferred, mut deferred_tickets) = (Vec::new(), Vec::new());
        while choices.len() < MOST_CHOICES && parked.len() + deferred.len() < MOST_CHOICES / 5 {
            match self.core.scheduler.pick(now) {
                Pick::Admit(choice) => choices.push(choice),
                Pick::Park(delivery, hold) => {
                    parked.push(Parking { key: delivery.job().key, hold, delivered: delivery.delivered() });
                    tickets.extend(delivery.ticket);
                }
                Pick::Defer(delivery, due, reason) => {
                    self.telling.metrics.pair_deferred.inc();
                    let home = self.core.scheduler.home_of(&delivery);
                    let (key, delivered) = (delivery.job().key, delivery.delivered());
                    deferred.push((Deferral { key, due, reason, delivered }, home));
                    deferred_tickets.extend(delivery.ticket);
                }
                Pick::WaitUntil(_) | Pick::Idle => break,
            }
        }
        if !parked.is_empty() {
            self.put_backs.push(PutBack::Park(parked, tickets));
        }
        if !deferred.is_empty() {
            self.put_backs.push(PutBack::Defer(deferred, deferred_tickets));
        }
        let (trials, choices) = self.pick_trials(choices);
        self.ask_to_try(trials, now);
        self.admit(choices, now);
    }

    /// Asks for the admission of chosen jobs.
    pub(super) fn admit(&mut self, choices: Vec<Choice>, now: Now) {
        if !choices.is_empty() {
            self.ask_to_admit(Ask { choices, first: now }, Asked::First, now);
        }
    }

    /// Deadlines count from the first time that it is asked, like those of an admission whose answer was lost.
    pub(super) fn ask_to_admit(&mut self, ask: Ask, asked: Asked, now: Now) {
        let found = ask.choices.iter().map(|choice| (self.siblings(choice), self.unfit(choice, now.wall)));
        let found: Vec<_> = found.collect();
        self.tell_doubts(now);
        let times = &self.settings.policy.times;
        let requests = ask.choices.iter().zip(found).map(|(choice, (siblings, unfit))| {
            let spec = &self.core.scheduler.number(choice.number).spec;
            let hand = if choice.delivery.ticket.is_some() { Hand::Delivered } else { Hand::Claimed(self.id) };
            let request = attempt::admit_request(choice, spec, hand, times, ask.first);
            AdmitRequest { again: asked == Asked::Again, unfit, siblings, ..request }
        });
        let requests: Vec<_> = requests.collect();
        let ledger = self.ledger.clone();
        self.open.admitting += 1;
        self.asked
            .push(async move { Event::Admitted(ask, now.mono, ledger.admit(requests, now.wall).await) }.boxed_local());
    }

    /// Who may have to send it, if its recipient wrote to them: what is no template must wait for that number.
    fn siblings(&mut self, choice: &Choice) -> Arc<[NumberId]> {
        let pool = self.core.scheduler.number(choice.number).spec.pool;
        if choice.delivery.job().message.is_free_form() {
            return self.core.scheduler.siblings(pool);
        }
        self.core.scheduler.fit_siblings(pool)
    }

    /// Puts jobs back where they stood: this worker has no use for them now.
    pub(super) fn let_go(&mut self, deliveries: Vec<Delivery>) {
        let mut rows = Vec::new();
        for delivery in deliveries {
            match delivery.ticket {
                Some(ticket) => self.refused.push(ticket),
                None => rows.push(delivery.job().key),
            }
        }
        self.give_back(rows);
    }

    /// The same for claimed rows.
    pub(super) fn give_back(&mut self, jobs: Vec<JobKey>) {
        if !jobs.is_empty() {
            self.put_backs.push(PutBack::GiveBack(jobs));
        }
    }

    /// Carries out what was put back; what the ledger did not take is tried again when it is there.
    pub(super) fn flush_put_backs(&mut self, now: Now) {
        if self.ledger_away_until.is_some() {
            return;
        }
        for batch in std::mem::take(&mut self.put_backs) {
            let (ledger, id, kept) = (self.ledger.clone(), self.id, batch.clone());
            self.open.putting += 1;
            let answer = async move {
                let answer = match batch {
                    PutBack::Park(jobs, _) => ledger.park(jobs, now.wall).await,
                    PutBack::Defer(jobs, _) => {
                        ledger.defer(jobs.into_iter().map(|(job, _)| job).collect(), now.wall).await
                    }
                    PutBack::GiveBack(jobs) => ledger.give_back(id, jobs).await,
                };
                Event::PutBack(kept, answer)
            };
            self.asked.push(answer.boxed_local());
        }
    }

    /// Claims rows for which there is room, one claim at a time.
    pub(super) fn claim(&mut self, now: Now) {
        if self.claiming {
            return;
        }
        let wanted = self.intake.wanted(&mut self.core.scheduler, now.mono, now.wall);
        if wanted.rooms.is_empty() {
            return;
        }
        self.claiming = true;
        let (ledger, id, rooms) = (self.ledger.clone(), self.id, wanted.rooms.clone());
        self.asked.push(
            async move { Event::Claimed(wanted, now.mono, ledger.claim(id, rooms, now.wall).await) }.boxed_local(),
        );
    }

    /// Commits answers in hand. Nothing else may come before them when the ledger is back after an outage.
    pub(super) fn flush_settlements(&mut self) {
        if self.ledger_away_until.is_some() {
            return;
        }
        while !self.settlements.is_empty() && self.settling < MOST_SETTLING {
            let most = self.settlements.len().min(MOST_SETTLEMENTS);
            let batch: Vec<Settling> = self.settlements.drain(..most).collect();
            let (ledger, asked) = (self.ledger.clone(), clock::now().mono);
            self.settling += 1;
            self.asked.push(
                async move {
                    let settlements = batch.iter().map(|settling| settling.settlement.clone()).collect();
                    let answer = ledger.settle(settlements).await;
                    Event::Settled(batch, asked, answer)
                }
                .boxed_local(),
            );
        }
    }

    /// Asks which holds stand.
    pub(super) fn read_holds(&mut self) {
        if std::mem::replace(&mut self.reading_holds, true) {
            self.read_holds_again = true;
            return;
        }
        let ledger = self.ledger.clone();
        self.asked.push(async move { Event::Holds(ledger.holds().await) }.boxed_local());
    }
}
