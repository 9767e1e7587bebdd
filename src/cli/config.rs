//! `tidegate config`: checks the configuration, or shows it with where each value came from.

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::Exit;
use super::output::{Column, words};
use super::wording::{counted, say};
use crate::config::Setting;

/// What can be asked about the configuration.
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Check that a worker can start on it; every problem is printed, and the exit code is 78
    Check,
    /// Print every key with its value and where that came from; secrets are ***
    Show(Show),
}

/// Flags of `tidegate config show`.
#[derive(Args, Debug)]
pub struct Show {
    /// Leave out what is as by default
    #[arg(long)]
    changed: bool,
}

const COLUMNS: &[Column<Setting>] = &[
    words("KEY", |row| row.key.clone()),
    words("VALUE", |row| row.value.clone()),
    words("FROM", |row| row.origin.clone()),
];

impl ConfigCommand {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        match self {
            Self::Check => {
                config.check_sending()?;
                say("the configuration is fine");
            }
            Self::Show(show) => {
                let shown = config.show().iter().filter(|setting| !show.changed || setting.origin != "default");
                let shown: Vec<_> = shown.cloned().collect();
                if shown.is_empty() {
                    say(format_args!("all {} are as by default", counted(config.show().len() as u64, "key")));
                }
                context.output.list(&shown, COLUMNS)?;
            }
        }
        Ok(Exit::Done)
    }
}
