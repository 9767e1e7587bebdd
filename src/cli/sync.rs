//! `tidegate numbers sync` and `tidegate templates sync`: one reading now, and what it changed.

use serde_json::Value;

use super::context::Context;
use super::exit::Exit;
use super::output::{Column, Output, words};
use super::wording::say;
use crate::fleet::{self, sync};
use crate::ledger::LedgerError;

const COLUMNS: &[Column<sync::Change>] = &[
    words("KIND", |row| row.kind.clone()),
    words("ID", |row| row.id.clone()),
    words("FIELD", |row| row.field.clone()),
    words("BEFORE", |row| shown(row.before.as_ref())),
    words("NOW", |row| shown(row.now.as_ref())),
];

/// Reads numbers and accounts.
pub async fn numbers(context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let ledger = context.ledger_or_new(&config).await?;
    let reads = fleet::reads(&config)?;
    tell(context, sync::numbers(&config, &reads, &ledger).await)
}

/// Reads templates.
pub async fn templates(context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let ledger = context.ledger_or_new(&config).await?;
    let reads = fleet::reads(&config)?;
    tell(context, sync::templates(&config, &reads, &ledger).await)
}

fn tell(context: &Context, synced: Result<sync::Synced, LedgerError>) -> anyhow::Result<Exit> {
    let sync::Synced { changes, read, failed } = synced?;
    context.output.list(&changes, COLUMNS)?;
    for (what, error) in &failed {
        say(format_args!("{what} could not be read: {error}"));
    }
    if read == 0 {
        say("nothing to read: set cloud_api.waba, or list [[accounts]] or [[numbers]]");
        return Ok(Exit::Failed);
    }
    if changes.is_empty() && failed.is_empty() && context.output == Output::Table {
        say("nothing has changed");
    }
    Ok(match failed.len() {
        0 => Exit::Done,
        all if all == read => Exit::Failed,
        _ => Exit::Partly,
    })
}

/// A plain word, or JSON where it is more than that.
fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
