//! `tidegate migrate`: brings the ledger's schema and the broker's lanes up to date, or says how they stand.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::wording::say;
use crate::app;
use crate::config::{Config, LedgerUrl};
use crate::ledger::LedgerError;

/// Flags of `tidegate migrate`.
#[derive(Args, Debug)]
pub struct Migrate {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Bring everything up to date (the default); twice does nothing more
    Up,
    /// Say how it stands; the exit code is 1 if it is not up to date
    Status,
}

#[derive(Serialize)]
struct Standing {
    ledger: String,
    /// None: there is no ledger yet.
    schema: Option<i64>,
    /// What is wrong at the broker; none without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    lanes: Option<String>,
    up_to_date: bool,
}

impl Migrate {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        match self.what.unwrap_or(What::Up) {
            What::Up => {
                let shown = app::ledger_name(&config);
                let app::Migrated { from, to, created } = app::migrate(&config).await?;
                if from == to {
                    say(format_args!("{shown}: schema {to} is up to date"));
                } else {
                    say(format_args!("{shown}: brought from schema {from} to {to}"));
                }
                match (config.queue.broker.is_some(), created.is_empty()) {
                    (false, _) => {}
                    (true, true) => say("the broker's exchanges and lanes are there"),
                    (true, false) => say(format_args!("declared at the broker: {}", created.join(", "))),
                }
                Ok(Exit::Done)
            }
            What::Status => {
                let standing = standing(&config).await?;
                context.output.one(&standing, || standing.in_words())?;
                Ok(if standing.up_to_date { Exit::Done } else { Exit::Failed })
            }
        }
    }
}

impl Standing {
    fn in_words(&self) -> String {
        let schema = match (self.schema, self.up_to_date || self.lanes.is_some()) {
            (None, _) => "not there yet".to_owned(),
            (Some(schema), true) => format!("schema {schema} is up to date"),
            (Some(schema), false) => format!("schema {schema} is not what this version works with"),
        };
        let lanes = self.lanes.as_ref().map(|lanes| format!("\n{lanes}")).unwrap_or_default();
        format!("{}: {schema}{lanes}", self.ledger)
    }
}

async fn standing(config: &Config) -> anyhow::Result<Standing> {
    let (schema, fits) = schema(config).await?;
    let lanes = app::check_lanes(config).await.err().map(|error| format!("{error:#}"));
    let up_to_date = fits && lanes.is_none();
    Ok(Standing { ledger: app::ledger_name(config), schema, lanes, up_to_date })
}

async fn schema(config: &Config) -> anyhow::Result<(Option<i64>, bool)> {
    if let LedgerUrl::Sqlite(path) = &config.ledger.url
        && !path.exists()
    {
        return Ok((None, false));
    }
    match app::look_at_ledger(config).await {
        Ok(schema) => Ok((Some(schema), true)),
        Err(error) => match error.downcast_ref() {
            Some(LedgerError::Schema { found: 0, .. }) => Ok((None, false)),
            Some(LedgerError::Schema { found, .. }) => Ok((Some(*found), false)),
            _ => Err(error).context("the ledger can't be looked at"),
        },
    }
}
