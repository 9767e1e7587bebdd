//! A reader of the campaign who writes STOP while their message is still in line, and logs in afterwards.

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::Value;

use super::bodies;
use super::optout::OptOut;
use super::stage;
use crate::hold::{HoldId, Scope};
use crate::job::JobKey;
use crate::ledger::{JobRef, Ledger};
use crate::sim::{Inbound, Sim};

/// They write when a fifth of the campaign is out, or when it takes no longer than so many seconds any more.
const BEFORE_THE_END: u64 = 3;

/// The reader, and the webhooks that they are heard by.
pub struct Customer<'a> {
    sim: &'a Sim,
    recipient: String,
    /// What waits for them.
    message: JobKey,
    is_heard: bool,
    /// None yet: they have not written.
    opt_out: Option<OptOut>,
}

impl<'a> Customer<'a> {
    /// The last of a campaign whom nothing else befalls.
    pub fn new(sim: &'a Sim, campaign: &[JobKey]) -> Self {
        let recipients = (0_u32..).map(bodies::recipient);
        let mut people: Vec<_> = recipients.zip(campaign.iter().copied()).collect();
        people.retain(|(recipient, _)| !stage::is_troubled(recipient));
        let (recipient, message) = people.pop().expect("a campaign has a hundred messages, and few meet trouble");
        Self { sim, recipient, message, is_heard: false, opt_out: None }
    }

    /// What they did so far.
    pub fn opt_out(&self) -> Option<&OptOut> {
        self.opt_out.as_ref()
    }

    /// Whether there is nothing left to happen to them.
    pub fn is_done(&self) -> bool {
        self.opt_out.as_ref().is_some_and(|opt_out| opt_out.ended.is_some() && opt_out.password.is_some())
    }

    /// Points Meta's webhooks at a gateway, with Meta's handshake.
    pub async fn be_heard_at(&mut self, gateway: SocketAddr) -> anyhow::Result<()> {
        self.sim.set_webhook_url(format!("http://{gateway}/webhook/whatsapp"));
        let shaken = self.sim.verify_webhook(stage::VERIFY_TOKEN).await;
        shaken.context("the gateway did not answer Meta's handshake")?;
        self.is_heard = true;
        Ok(())
    }

    /// Writes STOP, if it is time.
    pub fn perhaps_write(&mut self, done: u64, total: u64) -> anyhow::Result<()> {
        let in_line = total.saturating_sub(done);
        let is_time = done * 5 >= total || in_line <= BEFORE_THE_END * u64::from(stage::rate());
        if self.opt_out.is_some() || !self.is_heard || !is_time {
            return Ok(());
        }
        let (recipient, message) = (self.recipient.clone(), self.message);
        let said_ns = self.sim.oracle().now_ns();
        self.sim.say(stage::CAST[0].id, &recipient, &Inbound::text("STOP")).context("nobody could write STOP")?;
        self.opt_out = Some(OptOut { recipient, message, said_ns, in_line, password: None, ended: None });
        Ok(())
    }

    /// The password that they ask for, if it is time: the ledger knows that they wrote STOP.
    pub async fn log_in(&self, ledger: &Ledger, login: u32) -> anyhow::Result<Option<Value>> {
        let Some(opt_out) = self.opt_out.as_ref().filter(|opt_out| opt_out.password.is_none()) else { return Ok(None) };
        let holds = ledger.recipient_holds(HoldId(0), u32::MAX).await?;
        let is_known =
            holds.iter().any(|hold| hold.cover.scope == Scope::Recipient && hold.cover.subject == opt_out.recipient);
        Ok(is_known.then(|| bodies::password_for(login, &opt_out.recipient)))
    }

    /// Their password was handed in.
    pub fn note_password(&mut self, password: Option<JobKey>) {
        if let Some(opt_out) = &mut self.opt_out {
            opt_out.password = password;
        }
    }

    /// Their message, if it has ended.
    pub async fn ended(&mut self, ledger: &Ledger) -> anyhow::Result<Option<JobKey>> {
        let Some(opt_out) = &mut self.opt_out else { return Ok(None) };
        if opt_out.ended.is_none() {
            let job = JobRef { source: None, id: opt_out.message.to_string() };
            let rows = ledger.show(job).await?;
            opt_out.ended = rows.first().map(|row| row.state).filter(|state| state.has_ended());
        }
        Ok(opt_out.ended.map(|_| opt_out.message))
    }
}
