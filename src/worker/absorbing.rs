//! What each answer changes in the worker's state.

use std::time::Duration;

use crate::clock::{self, Mono, Now};
use crate::hold::HoldSet;
use crate::job::Job;
use crate::ledger::{Admitted, Claimed, ClaimedRow, Fate, LedgerError, Routed, Settled, Settlement};

use crate::outcome::{Outcome, Reason};

use super::attempt::{self, Finished};
use super::event::{Answered, Ask, Event, PutBack, Settling};
use super::intake::Wanted;
use super::lane::Delivery;
use super::number::Ready;
use super::resting;
use super::scheduler::Choice;
use super::shell::{LEDGER_PAUSE, Worker};

/// How much one batch moves the measured time of an admission.
const ADMISSION_STEP: u32 = 8;
/// How much one answer moves the measured time of an answer.
const ANSWER_STEP: u32 = 64;
/// The ledger lets the next row out to try a hold so long after one that came to nothing.
const NEXT_TRIAL: Duration = Duration::from_secs(16);
/// When what was parked is looked for first: the answer tells when it may come out.
const PARKED_LOOK: Duration = Duration::from_secs(1);

impl Worker {
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Claimed(wanted, asked, answer) => self.claimed(&wanted, asked, answer),
            Event::Admitted(ask, asked, answer) => self.admitted(ask, asked, answer),
            Event::Trial(choices, answer) => self.may_try(choices, answer),
            Event::Answered(answered) => self.answered(*answered),
            Event::Settled(batch, asked, answer) => self.settled(batch, asked, answer),
            Event::Leases(answer) => self.leases_read(answer),
            Event::Renewed(answer) => self.renewed(answer),
            Event::Counted(answer) => self.counted(answer),
            Event::Holds(answer) => self.holds_read(answer),
            Event::PutBack(batch, answer) => self.put_back(batch, answer),
            Event::SetAside(batch, answer) => self.set_aside(batch, answer),
            Event::LeftWord(answer) => self.left_word(&answer),
            Event::Doubted(doubts, answer) => self.doubts_told(&doubts, answer),
            Event::Lifted(answer) => self.note_failure(answer),
            Event::SteppedDown(answer) => self.note_failure(answer),
        }
    }

    fn put_back(&mut self, batch: PutBack, answer: Result<(), LedgerError>) {
        self.open.putting -= 1;
        match (answer, batch) {
            (Ok(()), PutBack::Park(_, tickets)) => self.acks.extend(tickets),
            (Ok(()), PutBack::Defer(jobs, tickets)) => {
                for (job, home) in jobs {
                    self.intake.expect(home, job.due);
                }
                self.acks.extend(tickets);
            }
            (Ok(()), PutBack::GiveBack(_)) => {}
            (Err(error), batch) => {
                self.put_backs.push(batch);
                self.ledger_failed(&error);
            }
        }
    }

    fn claimed(&mut self, wanted: &Wanted, asked: Mono, answer: Result<Claimed, LedgerError>) {
        self.claiming = false;
        let claimed = match answer {
            Ok(claimed) => claimed,
            Err(error) => {
                self.intake.look_again();
                return self.ledger_failed(&error);
            }
        };
        self.intake.learn(&mut self.core.scheduler, wanted, &claimed);
        for (lane, _) in wanted.lanes.iter().zip(&wanted.rooms).filter(|(_, room)| room.fresh > 0) {
            self.core.scheduler.caught_up(*lane, asked);
        }
        let now = clock::now();
        self.telling.claimed(&claimed, now.mono.since(asked), now.wall);
        let mut homeless = Vec::new();
        for row in claimed.rows {
            let key = row.key;
            match delivery(row) {
                Ok(delivery) if !self.stopping => {
                    if self.core.scheduler.push(delivery).is_err() {
                        homeless.push(key);
                    }
                }
                Ok(_) => homeless.push(key),
                // It stays claimed, so that it is not read again and again; `show` has it, and so has the log.
                Err(error) => tracing::error!(job.key = %key, %error, "waiting row of job {key} cannot be read"),
            }
        }
        self.give_back(homeless);
    }

    fn admitted(&mut self, ask: Ask, asked: Mono, answer: Result<Vec<Admitted>, LedgerError>) {
        let now = clock::now();
        let took = now.mono.since(asked);
        self.open.admitting -= 1;
        let answers = match answer {
            Ok(answers) => answers,
            Err(error) => {
                self.open.doubtful.push(ask);
                return self.ledger_failed(&error);
            }
        };
        let Ask { choices, first } = ask;
        self.telling.admitted(took);
        self.admission_time = (self.admission_time * (ADMISSION_STEP - 1) + took) / ADMISSION_STEP;
        self.core.scheduler.set_ahead(self.settings.admit_ahead.max(self.admission_time * 2));
        let mut lost = Vec::new();
        for (choice, answer) in choices.into_iter().zip(answers) {
            if let Admitted::Go(admission) = answer {
                let Choice { delivery, number, fence: _, probe } = choice;
                // Where no connection comes, a job is not kept past its own end.
                let left = delivery.job().expires_at.since(first.wall);
                let start_by = first.mono + self.settings.policy.times.start_within.min(left);
                let ready = Ready { admission, delivery, probe, start_by, admitted_at: now.mono };
                self.core.admitted(number, ready, now.mono);
                continue;
            }
            self.core.not_admitted(choice.number, &choice.delivery, choice.probe, now.mono);
            self.telling.not_admitted(&answer);
            if answer == Admitted::LeaseLost {
                // Asked under an older lease, it says nothing of the one that is held now.
                if self.core.fence(choice.number) == Some(choice.fence) {
                    self.core.set_tenure(choice.number, None, now.mono);
                    self.begin_round(now);
                }
                lost.push(choice.delivery);
            } else {
                if matches!(answer, Admitted::Parked(_)) {
                    // The lane was found empty before this one was parked: the ledger is asked when it may come out.
                    self.intake.expect(self.core.scheduler.home_of(&choice.delivery), now.wall + PARKED_LOOK);
                }
                self.acks.extend(choice.delivery.ticket);
            }
        }
        self.let_go(lost);
    }

    pub(super) fn take_in_hand_again(&mut self, delivery: Delivery) {
        if self.stopping {
            return self.let_go(vec![delivery]);
        }
        if let Err(homeless) = self.core.scheduler.push_front(delivery) {
            self.let_go(vec![homeless]);
        }
    }

    fn answered(&mut self, answered: Answered) {
        let now = clock::now();
        let Answered { admission, delivery, number, probe, sent_at, outcome } = answered;
        let took = now.mono.since(sent_at);
        self.answer_time = (self.answer_time * (ANSWER_STEP - 1) + took) / ANSWER_STEP;
        self.telling.answered(&self.ways[number.slot()].metrics, &outcome, took);
        let refused = matches!(outcome, Outcome::Refused(_));
        // What Meta did not take, the person did not get.
        if matches!(outcome, Outcome::NotSent(_) | Outcome::Refused(_)) {
            self.core.not_sent(number, &delivery);
        }
        let spec = &self.core.scheduler.number(number).spec;
        let finished = Finished { admission, delivery: &delivery, spec, probe, outcome };
        let conclusion = attempt::conclude(finished, &self.settings.policy, &mut self.rng, now);
        self.core.finished(number, probe, conclusion.verdict.health.fault(), now.mono);
        if probe.is_some() && conclusion.settlement.lift.is_none() {
            self.intake.expect(None, now.wall + NEXT_TRIAL);
        }
        if conclusion.verdict.throttled {
            self.core.throttled(number, now.mono);
        }
        let mut settlement = conclusion.settlement;
        if let Fate::Retry { due, reason: Reason::PairLimit, .. } = &settlement.fate {
            self.core.pair_refused(number, &delivery, now.mono + due.since(now.wall), now.mono);
        }
        if settlement.hold.is_none() {
            let (rests, fault) = (&mut self.ways[number.slot()].rests, conclusion.verdict.health.fault());
            settlement.hold = resting::rest(&self.core.scheduler, number, rests, fault, now);
        }
        self.telling.concluded(&self.ways[number.slot()].metrics, &settlement, refused);
        self.settle(settlement, &delivery, now);
    }

    /// Puts an answer in hand for the next commit, and takes its hold to heart at once.
    pub(super) fn settle(&mut self, settlement: Settlement, delivery: &Delivery, now: Now) {
        if let Some(order) = &settlement.hold {
            tracing::warn!(
                scope = %order.cover.scope, subject = %shown(order), reason = %order.reason, who = %order.who,
                "holding {} {}: {}", order.cover.scope, shown(order), order.reason
            );
            if order.cover.is_whole() && attempt::covers_numbers(order.cover.scope) {
                self.core.stop_covered(&order.cover, now);
            }
        }
        let home = self.core.scheduler.home_of(delivery);
        self.settlements.push_back(Settling { settlement, ticket: delivery.ticket, home });
    }

    fn settled(&mut self, batch: Vec<Settling>, asked: Mono, answer: Result<Vec<Settled>, LedgerError>) {
        self.settling -= 1;
        match answer {
            Ok(answers) => {
                let now = clock::now();
                self.telling.settled(&answers, now.mono.since(asked), now.wall);
                for Settling { settlement, ticket, home } in batch {
                    // Only now there is a row to be claimed.
                    if let Fate::Retry { due, .. } = settlement.fate {
                        self.intake.expect(home, due);
                    }
                    self.acks.extend(ticket);
                }
            }
            Err(error) => {
                for settlement in batch.into_iter().rev() {
                    self.settlements.push_front(settlement);
                }
                self.ledger_failed(&error);
            }
        }
    }

    fn holds_read(&mut self, answer: Result<Vec<crate::hold::Hold>, LedgerError>) {
        self.reading_holds = false;
        match answer {
            Ok(holds) => {
                // At its end a hold lets one parked row out to try it, and somebody must ask for that row.
                for until in holds.iter().filter(|hold| hold.probe).filter_map(|hold| hold.until) {
                    self.intake.expect(None, until);
                }
                self.core.scheduler.set_holds(HoldSet::new(holds), clock::now());
                let at_limit = self.core.scheduler.drain_at_limit(clock::now().mono);
                self.let_go(at_limit);
                self.try_again_elsewhere(clock::now().mono);
                self.give_back_of_unable();
                if self.core.scheduler.has_ways_round_limits() {
                    // What was parked before everybody knew comes out again, also what others are parking just now.
                    self.intake.look_again();
                    self.intake.expect(None, clock::now().wall + PARKED_LOOK);
                }
            }
            Err(error) => self.ledger_failed(&error),
        }
        if std::mem::take(&mut self.read_holds_again) {
            self.read_holds();
        }
    }

    /// What is in hand of lanes that no number serves any more goes back, so that others can have it.
    pub(super) fn give_back_of_unable(&mut self) {
        let drained = self.core.scheduler.drain_unable(clock::now().mono);
        // First the consumers: what goes back must not come straight again.
        self.serve_lanes(clock::now().mono);
        self.let_go(drained);
    }

    pub(super) fn note_failure<Answer>(&mut self, answer: Result<Answer, LedgerError>) {
        if let Err(error) = answer {
            self.ledger_failed(&error);
        }
    }

    /// No new sends while the ledger is away: a limit whose store is away closes.
    pub(super) fn ledger_failed(&mut self, error: &LedgerError) {
        if self.ledger_away_until.is_none() {
            tracing::error!(%error, "ledger failed, sending stops until it is back: {error}");
        }
        self.telling.ledger_failed();
        self.ledger_away_until = Some(clock::now().mono + LEDGER_PAUSE);
    }
}

/// A subject that may be printed.
fn shown(order: &crate::hold::HoldOrder) -> &str {
    match order.cover.scope {
        crate::hold::Scope::Recipient => "(one recipient)",
        crate::hold::Scope::Everything
        | crate::hold::Scope::Credential
        | crate::hold::Scope::Portfolio
        | crate::hold::Scope::Waba
        | crate::hold::Scope::Number
        | crate::hold::Scope::Template
        | crate::hold::Scope::Campaign
        | crate::hold::Scope::Quota => &order.cover.subject,
    }
}

fn delivery(row: ClaimedRow) -> Result<Delivery, serde_json::Error> {
    let job: Job = serde_json::from_str(&row.body)?;
    let bytes = row.body.len() + std::mem::size_of::<Job>();
    let routed = Routed { job: std::sync::Arc::new(job), route: row.route };
    Ok(Delivery { routed, due_at: row.due_at, ticket: None, bytes })
}
