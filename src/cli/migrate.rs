//! `tidegate migrate`: brings the ledger's schema up to date, or says how it stands.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::{Context, make_folder};
use super::exit::Exit;
use super::wording::say;
use crate::config::LedgerUrl;
use crate::ledger::LedgerError;
use crate::ledger::sqlite::{self, Access, SqliteLedger};

/// Flags of `tidegate migrate`.
#[derive(Args, Debug)]
pub struct Migrate {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Bring the schema up to date (the default); twice does nothing more
    Up,
    /// Say how it stands; the exit code is 1 if it is not up to date
    Status,
}

#[derive(Serialize)]
struct Standing {
    ledger: String,
    /// None: there is no ledger yet.
    schema: Option<i64>,
    up_to_date: bool,
}

impl Migrate {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let LedgerUrl::Sqlite(path) = &config.ledger.url else { anyhow::bail!("provisional") };
        let shown = path.display();
        match self.what.unwrap_or(What::Up) {
            What::Up => {
                make_folder(path)?;
                let (from, to) =
                    sqlite::migrate(path).with_context(|| format!("the ledger {shown} can't be migrated"))?;
                if from == to {
                    say(format_args!("{shown}: schema {to} is up to date"));
                } else {
                    say(format_args!("{shown}: brought from schema {from} to {to}"));
                }
                Ok(Exit::Done)
            }
            What::Status => {
                let (schema, up_to_date) = standing(path).await?;
                let standing = Standing { ledger: shown.to_string(), schema, up_to_date };
                context.output.one(&standing, || match (schema, up_to_date) {
                    (None, _) => format!("{shown}: not there yet"),
                    (Some(schema), true) => format!("{shown}: schema {schema} is up to date"),
                    (Some(schema), false) => format!("{shown}: schema {schema} is not what this version works with"),
                })?;
                Ok(if up_to_date { Exit::Done } else { Exit::Failed })
            }
        }
    }
}

async fn standing(path: &std::path::Path) -> anyhow::Result<(Option<i64>, bool)> {
    if !path.exists() {
        return Ok((None, false));
    }
    match SqliteLedger::open(path, Access::Beside, sqlite::Migrate::Check) {
        Ok(ledger) => Ok((Some(ledger.schema_version().await?), true)),
        Err(LedgerError::Schema { found, .. }) => Ok((Some(found), false)),
        Err(other) => Err(other).with_context(|| format!("the ledger {} can't be opened", path.display())),
    }
}
