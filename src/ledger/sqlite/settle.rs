//! What attempts came to: states, waiting rows and holds, in one commit.

use rusqlite::params;

use super::change::{Place, Wait};
use super::desk::{Desk, Standing, known_word};
use crate::clock::Timestamp;
use crate::hold::{Effect, Facts, Hold};
use crate::job::{Category, NumberId};
use crate::ledger::end::End;
use crate::ledger::event::Happened;
use crate::ledger::{Fate, LedgerError, Settled, Settlement};
use crate::outcome::{Reason, State};

/// What `show` says of a message that Meta took and holds back.
const HELD_FOR_QUALITY: &str = "held by Meta to assess the template's quality";

impl Desk {
    pub(super) fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, LedgerError> {
        settlements.iter().map(|settlement| self.settle_one(settlement)).collect()
    }

    fn settle_one(&self, settlement: &Settlement) -> Result<Settled, LedgerError> {
        // What an answer says of the number, the token or the template holds whatever became of the job.
        let placed = settlement.hold.as_ref().map(|order| self.place(order, settlement.at)).transpose()?;
        if let Some(hold) = settlement.lift {
            self.lift_tried(hold)?;
        }
        let is_awaited =
            |job: &Standing| job.attempt == settlement.attempt && matches!(job.state, State::Sending | State::Unknown);
        let Some(job) = self.find(settlement.key)?.filter(is_awaited) else {
            return Ok(Settled::Stale);
        };
        self.meet(&job, settlement, placed.as_ref())?;
        Ok(Settled::Done)
    }

    fn meet(&self, job: &Standing, settlement: &Settlement, placed: Option<&Hold>) -> Result<(), LedgerError> {
        let at = settlement.at;
        // An outcome that comes late is an outcome all the same.
        let lost = job.in_doubt();
        match &settlement.fate {
            Fate::Accepted { wamid, held_for_quality } => {
                let details = held_for_quality.then_some(HELD_FOR_QUALITY);
                let wamid = Some(wamid.as_str());
                self.end(job, &End { state: State::Accepted, reason: None, code: None, details, wamid, at })
            }
            Fate::Retry { due, reason, code, charged } => {
                self.give_back_places(job.seq, lost, at)?;
                let charged = job.charged + u32::from(*charged);
                let place = Place::Due(*due);
                self.wait(job, &Wait { place, reason: *reason, code: *code, at, charged, lost })
            }
            Fate::Park { reason, code } => {
                self.give_back_places(job.seq, lost, at)?;
                let under = match placed {
                    Some(hold) if hold.effect == Effect::Wait => Some(hold.clone()),
                    _ => self.covering(job, at)?,
                };
                // The hold may be gone meanwhile: then nothing keeps the job from going at once.
                let place = under.as_ref().map_or(Place::Due(at), Place::Under);
                self.wait(job, &Wait { place, reason: *reason, code: *code, at, charged: job.charged, lost })
            }
            Fate::End { state, reason, code, details } => {
                let details = Some(details.as_str()).filter(|details| !details.is_empty());
                let reason = Some(*reason);
                self.end(job, &End { state: *state, reason, code: *code, details, wamid: None, at })?;
                self.miss_of(job.seq, *code, at)
            }
            Fate::Unknown { cause, until } => self.lose(job, cause.reason(), *until, at),
        }
    }

    /// The attempt has no outcome: perhaps it was sent. Its row stays, and its policy decides later.
    pub(super) fn lose(
        &self,
        job: &Standing,
        reason: Reason,
        until: Timestamp,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let lost = job.lost + u32::from(job.state == State::Sending);
        self.conn
            .prepare_cached(
                "UPDATE jobs SET state = 'unknown', reason = ?2, deadline = ?3, lost = ?4, updated_at = ?5
                 WHERE seq = ?1",
            )?
            .execute(params![job.seq, reason.as_str(), until.as_millis(), lost, at.as_millis()])?;
        self.tally.remove(job.state, job.reason);
        self.tally.add(State::Unknown, Some(reason));
        self.publish(job.seq, &Happened { until: Some(until), ..Happened::of(State::Unknown, at) })
    }

    /// The hold that now covers the job by the number that tried it, as far as the number's account is known.
    fn covering(&self, job: &Standing, now: Timestamp) -> Result<Option<Hold>, LedgerError> {
        let known = self.holds.known(&self.conn)?;
        let mut find = self
            .conn
            .prepare_cached("SELECT number, template, recipient, campaign, category FROM jobs WHERE seq = ?1")?;
        let mut rows = find.query([job.seq])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let text = |column| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
        let (number, template, recipient, campaign) = (text(0)?, text(1)?, text(2)?, text(3)?);
        let Some(category) = known_word::<Category>(row, 4)? else { return Ok(None) };
        let account = number.parse::<NumberId>().ok().and_then(|id| self.accounts.borrow().get(&id).cloned());
        let of = |part: fn(&crate::ledger::Account) -> &String| account.as_deref().map_or("", |account| part(account));
        let facts = Facts {
            credential: of(|account| &account.credential),
            portfolio: of(|account| &account.portfolio),
            waba: of(|account| &account.waba),
            number: &number,
            template: &template,
            recipient: &recipient,
            campaign: &campaign,
            category,
        };
        let hold = known.set.obstacle(&facts, now, None).filter(|hold| hold.effect == Effect::Wait);
        Ok(hold.cloned())
    }
}
