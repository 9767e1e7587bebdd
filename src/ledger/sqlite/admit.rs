//! The ledger's yes or no to sending a job now, and its durable note that it is about to be sent.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row, params};

use super::change::{Place, Wait};
use super::claim::is_in_line;
use super::desk::{Desk, Standing, known_word, readable, word};
use super::enqueue::{Begins, body, template, worth_until};
use crate::clock::Timestamp;
use crate::hold::{Effect, Facts, Hold};
use crate::job::{Campaign, Digest, NumberId};
use crate::ledger::end::End;
use crate::ledger::quota::Line;
use crate::ledger::{Admission, AdmitRequest, Admitted, Dead, Hand, LedgerError};
use crate::outcome::{Reason, State};

/// A job that was attempted so often without an outcome is not tried again: it may be what kills its workers.
pub(super) const POISON: u32 = 5;

/// A job that an admission is asked for.
struct Candidate {
    standing: Standing,
    digest: Digest,
    number: Option<NumberId>,
    is_in_hand: bool,
}

/// What the ledger knows of a job that an admission is asked for.
enum Known {
    Candidate(Candidate),
    /// It has a row that cannot be read.
    Unreadable,
    /// Nothing.
    Never,
}

/// The leases of a batch's numbers, each read once.
#[derive(Default)]
struct Leases<'a> {
    known: HashMap<&'a NumberId, Option<(i64, Timestamp)>>,
}

impl Desk {
    pub(super) fn admit(&self, requests: &[AdmitRequest], now: Timestamp) -> Result<Vec<Admitted>, LedgerError> {
        let (mut leases, mut line) = (Leases::default(), Line::default());
        requests.iter().map(|request| self.admit_one(request, &mut leases, &mut line, now)).collect()
    }

    fn admit_one<'a>(
        &self,
        request: &'a AdmitRequest,
        leases: &mut Leases<'a>,
        line: &mut Line,
        now: Timestamp,
    ) -> Result<Admitted, LedgerError> {
        let job = &*request.routed.job;
        let candidate = match self.known(request)? {
            Known::Candidate(known) => known,
            Known::Unreadable => return Ok(Admitted::InFlight),
            // The broker has it still, and gives it to another: it shall not be in two places.
            Known::Never if worth_until(job) > now && !leases.hold(self, request, now)? => {
                return Ok(Admitted::LeaseLost);
            }
            Known::Never => self.take_in(request, now)?,
        };
        let standing = &candidate.standing;
        if !candidate.digest.is_same(&job.digest) {
            self.bury_reused(request, now)?;
            return Ok(Admitted::IdReused);
        }
        if standing.state.has_ended() {
            return Ok(Admitted::Ended(standing.state));
        }
        if request.again && standing.state == State::Sending && candidate.number.as_ref() == Some(&request.number) {
            return Ok(admission(standing, standing.attempt, request));
        }
        if !is_in_line(standing.state) || !candidate.is_in_hand {
            return Ok(Admitted::InFlight);
        }
        if worth_until(job) <= now {
            self.end(standing, &End::ours(State::Expired, Reason::TooLate, now))?;
            return Ok(Admitted::Ended(State::Expired));
        }
        if standing.lost >= POISON {
            self.poison(standing, now)?;
            return Ok(Admitted::Ended(State::Failed));
        }
        if !leases.hold(self, request, now)? {
            return Ok(Admitted::LeaseLost);
        }
        if let Some(reason) = request.unfit {
            self.end(standing, &End::ours(State::Failed, reason, now))?;
            return Ok(Admitted::Ended(State::Failed));
        }
        let hold = self.hold_against(request, now)?;
        let ends = hold.as_ref().is_some_and(|hold| hold.effect == Effect::End);
        if job.message.is_free_form()
            && !ends
            && let Some(answer) = self.mind_window(standing, request, now)?
        {
            return Ok(answer);
        }
        if let Some(hold) = hold {
            return self.turn_away(standing, &hold, now);
        }
        match self.mind_limit(standing, request, line, now)? {
            Some(answer) => Ok(answer),
            None => self.let_go(standing, request, now),
        }
    }

    /// The job as the ledger knows it.
    fn known(&self, request: &AdmitRequest) -> Result<Known, LedgerError> {
        let known = self
            .conn
            .prepare_cached(
                "SELECT j.seq, j.state, j.reason, j.attempt, j.charged, j.lost, j.digest, w.owned, j.number
                 FROM jobs j LEFT JOIN waiting w ON w.seq = j.seq WHERE j.key = ?1",
            )?
            .query_row([request.routed.job.key.as_bytes()], |row| Ok(readable(Candidate::read(row), row)))
            .optional()?;
        Ok(match (known, request.hand) {
            (None, _) => Known::Never,
            (Some(None), _) => Known::Unreadable,
            (Some(Some(known)), Hand::Claimed(_)) => Known::Candidate(known),
            // What the broker delivers again has its row: that one goes.
            (Some(Some(known)), Hand::Delivered) => Known::Candidate(Candidate { is_in_hand: false, ..known }),
        })
    }

    /// Gives a job that the ledger has never seen its rows.
    fn take_in(&self, request: &AdmitRequest, now: Timestamp) -> Result<Candidate, LedgerError> {
        let job = &*request.routed.job;
        let seq = self.insert(&request.routed, &body(job), now, Begins::InHand)?;
        let seq = seq.expect("a job that was not found can be inserted: nobody else writes in this transaction");
        Ok(Candidate { standing: self.find_row(seq)?, digest: job.digest, number: None, is_in_hand: true })
    }

    /// The hold that this job may not pass by this number.
    fn hold_against(&self, request: &AdmitRequest, now: Timestamp) -> Result<Option<Hold>, LedgerError> {
        let (job, account) = (&*request.routed.job, &*request.account);
        let known = self.holds.known(&self.conn)?;
        if known.set.is_empty() && !known.has_recipients {
            return Ok(None);
        }
        let template = template(job).unwrap_or_default();
        let facts = Facts {
            credential: &account.credential,
            portfolio: &account.portfolio,
            waba: &account.waba,
            number: request.number.as_str(),
            template: &template,
            recipient: job.to.expose(),
            campaign: job.campaign.as_ref().map_or("", Campaign::as_str),
            category: job.category,
        };
        let blocks = |hold: &Hold| hold.stops(&facts, now, request.probe);
        // What ends the job comes first: it need not wait for what else holds it.
        let own: Vec<Hold> = self.recipient_holds(facts.recipient)?.into_iter().filter(blocks).collect();
        let ends = own.iter().find(|hold| hold.effect == Effect::End).or_else(|| own.first());
        Ok(ends.or_else(|| known.set.obstacle(&facts, now, request.probe)).cloned())
    }

    fn turn_away(&self, standing: &Standing, hold: &Hold, now: Timestamp) -> Result<Admitted, LedgerError> {
        match hold.effect {
            Effect::End => {
                self.end(standing, &End::ours(State::Suppressed, hold.reason, now))?;
                Ok(Admitted::Ended(State::Suppressed))
            }
            Effect::Wait => {
                let (charged, lost) = (standing.charged, standing.lost);
                let place = Place::Under(hold);
                self.wait(standing, &Wait { place, reason: hold.reason, code: None, at: now, charged, lost })?;
                Ok(Admitted::Parked(hold.id))
            }
        }
    }

    fn let_go(&self, standing: &Standing, request: &AdmitRequest, now: Timestamp) -> Result<Admitted, LedgerError> {
        let attempt = standing.attempt + 1;
        self.conn
            .prepare_cached(
                "UPDATE jobs SET state = 'sending', reason = NULL, code = NULL, attempt = ?2, number = ?3,
                     deadline = ?4, updated_at = ?5
                 WHERE seq = ?1",
            )?
            .execute(params![
                standing.seq,
                attempt,
                request.number.as_str(),
                request.deadline.as_millis(),
                now.as_millis(),
            ])?;
        self.tally.remove(standing.state, standing.reason);
        self.tally.add(State::Sending, None);
        self.remember_account(request);
        Ok(admission(standing, attempt, request))
    }

    fn remember_account(&self, request: &AdmitRequest) {
        let mut accounts = self.accounts.borrow_mut();
        match accounts.get_mut(&request.number) {
            Some(account) if *account == request.account => {}
            Some(account) => *account = request.account.clone(),
            None => {
                accounts.insert(request.number.clone(), request.account.clone());
            }
        }
    }

    /// Ends a job that was attempted too often without an outcome, and sets its body aside.
    pub(super) fn poison(&self, standing: &Standing, now: Timestamp) -> Result<(), LedgerError> {
        let body: Option<String> = self
            .conn
            .prepare_cached("SELECT body FROM bodies WHERE seq = ?1")?
            .query_row([standing.seq], |row| row.get(0))
            .optional()?;
        if let Some(body) = body {
            self.bury(&[dead(body, Reason::Poison.as_str(), "", now)])?;
        }
        self.end(standing, &End::ours(State::Failed, Reason::Poison, now))
    }

    fn bury_reused(&self, request: &AdmitRequest, now: Timestamp) -> Result<(), LedgerError> {
        self.bury(&[dead(body(&request.routed.job), "id_reused: another job has this id", "id", now)])?;
        Ok(())
    }
}

impl Candidate {
    fn read(row: &Row<'_>) -> Result<Self, LedgerError> {
        let standing = Standing {
            seq: row.get(0)?,
            state: word(row, 1)?,
            reason: known_word(row, 2)?,
            attempt: row.get(3)?,
            charged: row.get(4)?,
            lost: row.get(5)?,
        };
        let owned: Option<bool> = row.get(7)?;
        let number = known_word(row, 8)?;
        Ok(Self { standing, digest: Digest::from_bytes(row.get(6)?), number, is_in_hand: owned == Some(true) })
    }
}

impl<'a> Leases<'a> {
    /// Whether the request's fence is the one under which its number is owned now. A fence has one owner only.
    fn hold(&mut self, desk: &Desk, request: &'a AdmitRequest, now: Timestamp) -> Result<bool, LedgerError> {
        let lease = match self.known.get(&request.number) {
            Some(lease) => *lease,
            None => {
                let lease = desk.number_lease(&request.number)?;
                self.known.insert(&request.number, lease);
                lease
            }
        };
        Ok(lease.is_some_and(|(fence, expires_at)| fence == request.fence.0 && expires_at > now))
    }
}

fn admission(standing: &Standing, attempt: u32, request: &AdmitRequest) -> Admitted {
    Admitted::Go(Admission {
        key: request.routed.job.key,
        number: request.number.clone(),
        attempt,
        tries: standing.charged,
        deadline: request.deadline,
    })
}

fn dead(body: String, reason: &str, field: &str, at: Timestamp) -> Dead {
    let origin = "ledger".to_owned();
    Dead { body: body.into_bytes(), reason: reason.to_owned(), field: field.to_owned(), origin, at }
}
