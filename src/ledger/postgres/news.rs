//! What webhooks tell, and who wants no messages: each call as a batch, an errand or a look.

use super::{PostgresLedger, applying, erasing, inbox, suppressing, windows};
use crate::clock::Timestamp;
use crate::hold::{Cover, Hold, HoldId, HoldOrder};
use crate::job::JobKey;
use crate::ledger::{Applied, Erased, InboxRow, JobFacts, LedgerError, News, WindowNews};
use crate::outcome::Reason;

impl PostgresLedger {
    pub(in crate::ledger) async fn inbox_put(&self, bodies: Vec<Vec<u8>>, now: Timestamp) -> Result<(), LedgerError> {
        self.shared.taking_in.ask(bodies.into_iter().map(|body| inbox::Entry { body, at: now })).await.map(drop)
    }

    pub(in crate::ledger) async fn inbox_take(&self, limit: u32, bytes: usize) -> Result<Vec<InboxRow>, LedgerError> {
        let session = self.shared.desk.session().await?;
        session.in_time(inbox::take(&session, limit, bytes)).await
    }

    pub(in crate::ledger) async fn job_facts(&self, jobs: Vec<JobKey>) -> Result<Vec<Option<JobFacts>>, LedgerError> {
        let session = self.shared.desk.session().await?;
        session.in_time(applying::job_facts(&session, &jobs)).await
    }

    pub(in crate::ledger) async fn apply(&self, news: News, now: Timestamp) -> Result<Applied, LedgerError> {
        self.write((news, now), |tx, (news, now)| Box::pin(applying::apply(tx, news, *now))).await
    }

    pub(in crate::ledger) async fn windows(
        &self,
        recipient: String,
        now: Timestamp,
    ) -> Result<Vec<WindowNews>, LedgerError> {
        let asked = (recipient, now);
        self.read(asked, |session, (recipient, now)| Box::pin(windows::of_recipient(session, recipient, *now))).await
    }

    pub(in crate::ledger) async fn place_many(
        &self,
        orders: Vec<HoldOrder>,
        now: Timestamp,
    ) -> Result<u32, LedgerError> {
        let mut placed = 0;
        for batch in orders.chunks(suppressing::BATCH) {
            let asked = (batch.to_vec(), now);
            placed +=
                self.write(asked, |tx, (orders, now)| Box::pin(suppressing::place_many(tx, orders, *now))).await?;
        }
        Ok(placed)
    }

    pub(in crate::ledger) async fn lift_covers(
        &self,
        covers: Vec<Cover>,
        only: &'static [Reason],
        _now: Timestamp,
    ) -> Result<u32, LedgerError> {
        let mut lifted = 0;
        for batch in covers.chunks(suppressing::BATCH) {
            let batch = batch.to_vec();
            lifted +=
                self.write(batch, |tx, covers| Box::pin(suppressing::lift_covers(tx, covers, only, None))).await?;
        }
        Ok(lifted)
    }

    pub(in crate::ledger) async fn recipient_holds(&self, after: HoldId, limit: u32) -> Result<Vec<Hold>, LedgerError> {
        self.read((after, limit), |session, (after, limit)| {
            Box::pin(suppressing::recipient_holds(session, *after, *limit))
        })
        .await
    }

    pub(in crate::ledger) async fn erase(&self, recipient: String, now: Timestamp) -> Result<Erased, LedgerError> {
        self.errand(move |desk| async move { erasing::erase(&desk, &recipient, now).await }).await
    }
}
