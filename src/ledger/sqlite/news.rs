//! What webhooks tell.

use super::{SqliteLedger, inbox, show, windows};
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
        let _ = (orders, now);
        Err(LedgerError::Damaged("not built".to_owned()))
    }

    pub(in crate::ledger) async fn lift_covers(
        &self,
        covers: Vec<Cover>,
        only: &'static [Reason],
        now: Timestamp,
    ) -> Result<u32, LedgerError> {
        let _ = (covers, only, now);
        Err(LedgerError::Damaged("not built".to_owned()))
    }

    pub(in crate::ledger) async fn recipient_holds(&self, after: HoldId, limit: u32) -> Result<Vec<Hold>, LedgerError> {
        let _ = (after, limit);
        Err(LedgerError::Damaged("not built".to_owned()))
    }

    pub(in crate::ledger) async fn erase(&self, recipient: String, now: Timestamp) -> Result<Erased, LedgerError> {
        let _ = (recipient, now);
        Err(LedgerError::Damaged("not built".to_owned()))
    }
}
