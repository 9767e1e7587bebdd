//! Watches one job until it has ended, and says each change.

use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::watch;

use super::Answer;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::show;
use crate::cli::wording::{masked, say};
use crate::clock::{self, Timestamp};
use crate::ledger::{JobRef, JobRow, Ledger, Signal};
use crate::outcome::{Reason, State};

/// Behind the signals, not instead of them.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What of a job makes a line when it changes.
#[derive(PartialEq, Eq)]
struct Stand {
    state: State,
    reason: Option<Reason>,
    due_at: Option<Timestamp>,
    attempts: u32,
    is_overdue: bool,
}

/// In line for so long, a job deserves a second word.
const OVERDUE: Duration = Duration::from_secs(6);

/// Until the job has ended.
pub async fn follow(context: &Context, ledger: &Ledger, answer: &Answer) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let mut signals = ledger.signals();
    let mut said = None;
    loop {
        signals.borrow_and_update();
        let job = JobRef { source: None, id: answer.key.to_string() };
        let row = ledger.show(job).await?.into_iter().find(|row| row.key == answer.key);
        let mut row = row.ok_or_else(|| anyhow!("job {} is gone from the ledger", answer.id))?;
        let stand = Stand::of(&row, clock::now().wall);
        if said.as_ref() != Some(&stand) {
            say(line(&row, &show::explain(&config, ledger, &row).await?));
            said = Some(stand);
        }
        if row.state.has_ended() {
            row.recipient = masked(&row.recipient);
            if context.output != Output::Table {
                context.output.one(&row, String::new)?;
            }
            return Ok(if is_good(row.state) { Exit::Done } else { Exit::Failed });
        }
        changed(&mut signals).await?;
    }
}

/// Waits until there may be news.
pub async fn changed(signals: &mut watch::Receiver<Signal>) -> anyhow::Result<()> {
    match tokio::time::timeout(LOOK_AGAIN, signals.changed()).await {
        Ok(Ok(())) | Err(_) => Ok(()),
        Ok(Err(_)) => Err(anyhow!("the ledger was closed")),
    }
}

/// Whether a job ended as its producer hoped.
pub fn is_good(state: State) -> bool {
    match state {
        State::Accepted | State::Sent | State::Delivered | State::Read => true,
        State::Queued
        | State::Waiting
        | State::Sending
        | State::Unknown
        | State::Failed
        | State::Expired
        | State::Cancelled
        | State::Suppressed
        | State::Unresolved => false,
    }
}

impl Stand {
    fn of(row: &JobRow, now: Timestamp) -> Self {
        let is_in_line = matches!(row.state, State::Queued | State::Waiting);
        let is_overdue = is_in_line && now.since(row.due_at.unwrap_or(row.created_at)) > OVERDUE;
        Self { state: row.state, reason: row.reason, due_at: row.due_at, attempts: row.attempts, is_overdue }
    }
}

fn line(row: &JobRow, why: &str) -> String {
    let reason = row.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let details = row.details.as_ref().filter(|_| row.state == State::Failed);
    let details =
        details.filter(|text| !text.is_empty()).map(|text| format!("; Meta said: {text}")).unwrap_or_default();
    let wamid = row.wamid.as_ref().map(|wamid| format!(" as {wamid}")).unwrap_or_default();
    let code = row.code.map(|code| format!(", code {code} ({})", show::meaning(code).unwrap_or("not in our table")));
    let code = code.unwrap_or_default();
    format!("{}{reason}: {why}{wamid}{code}{details}", row.state)
}
