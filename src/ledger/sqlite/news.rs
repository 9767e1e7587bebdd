//! What webhooks tell.

use super::calls::BATCH;
use super::{SqliteLedger, erasing, inbox, show, windows};
use crate::clock::Timestamp;
use crate::hold::{Cover, Hold, HoldId, HoldOrder};
use crate::job::JobKey;
use crate::ledger::{Applied, Erased, InboxRow, JobFacts, LedgerError, News, WindowNews};
use crate::outcome::Reason;

impl SqliteLedger {
    pub(in crate::ledger) async fn inbox_put(&self, bodies: Vec<Vec<u8>>, now: Timestamp) -> Result<(), LedgerError> {
        self.write(bodies.len(), move |desk| desk.inbox_put(&bodies, now)).await
    }

    pub(in crate::ledger) async fn inbox_take(&self, limit: u32, bytes: usize) -> Result<Vec<InboxRow>, LedgerError> {
        self.read(move |conn| inbox::take(conn, limit, bytes)).await
    }

    pub(in crate::ledger) async fn job_facts(&self, jobs: Vec<JobKey>) -> Result<Vec<Option<JobFacts>>, LedgerError> {
        self.read(move |conn| show::facts(conn, &jobs)).await
    }

    pub(in crate::ledger) async fn apply(&self, news: News, now: Timestamp) -> Result<Applied, LedgerError> {
        self.write(news.statuses.len() + news.windows.len() + 1, move |desk| desk.apply(&news, now)).await
    }

    pub(in crate::ledger) async fn windows(
        &self,
        recipient: String,
        now: Timestamp,
    ) -> Result<Vec<WindowNews>, LedgerError> {
        self.read(move |conn| windows::list(conn, &recipient, now)).await
    }

    pub(in crate::ledger) async fn place_many(
        &self,
        orders: Vec<HoldOrder>,
        now: Timestamp,
    ) -> Result<u32, LedgerError> {
        let mut orders = orders.into_iter();
        let mut new = 0;
        loop {
            let batch: Vec<_> = orders.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(new);
            }
            new += self.write(batch.len(), move |desk| desk.place_many(&batch, now)).await?;
        }
    }

    pub(in crate::ledger) async fn lift_covers(
        &self,
        covers: Vec<Cover>,
        only: &'static [Reason],
        _now: Timestamp,
    ) -> Result<u32, LedgerError> {
        let mut covers = covers.into_iter();
        let mut lifted = 0;
        loop {
            let batch: Vec<_> = covers.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(lifted);
            }
            lifted += self.write(batch.len(), move |desk| desk.lift_covers(&batch, only)).await?;
        }
    }

    pub(in crate::ledger) async fn recipient_holds(&self, after: HoldId, limit: u32) -> Result<Vec<Hold>, LedgerError> {
        self.read(move |conn| show::recipient_holds(conn, after, limit)).await
    }

    pub(in crate::ledger) async fn erase(&self, recipient: String, now: Timestamp) -> Result<Erased, LedgerError> {
        if recipient.is_empty() {
            return Ok(Erased::default());
        }
        let mut erased = Erased::default();
        // Found first, so that the writer waits for no look at every job; what came in meanwhile is found next.
        loop {
            let person = recipient.clone();
            let seqs = self.read(move |conn| erasing::jobs_of(conn, &person)).await?;
            if seqs.is_empty() {
                break;
            }
            for batch in seqs.chunks(BATCH) {
                let (batch, person) = (batch.to_vec(), recipient.clone());
                let done = self.write(batch.len(), move |desk| desk.erase_jobs(&batch, &person, now)).await?;
                erased.jobs += done.jobs;
                erased.cancelled += done.cancelled;
            }
        }
        let person = recipient.clone();
        let done = self.write(1, move |desk| desk.erase_rest(&person)).await?;
        (erased.holds, erased.others) = (done.holds, done.others);
        let naming = self.read(move |conn| erasing::naming(conn, &recipient)).await?;
        for batch in naming.chunks(BATCH) {
            let batch = batch.to_vec();
            erased.others += self.write(batch.len(), move |desk| desk.drop_naming(&batch)).await?;
        }
        Ok(erased)
    }
}
