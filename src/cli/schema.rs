//! `tidegate schema`: prints the JSON Schema of a job, or of an event.

use clap::Args;

use super::exit::Exit;
use super::output::print;
use crate::{job, ledger};

/// Flags of `tidegate schema`.
#[derive(Args, Debug)]
pub struct Schema {
    /// Of the events that apps read, instead of the jobs that they write
    #[arg(long)]
    event: bool,
}

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if self.event {
            print(&serde_json::to_string_pretty(&ledger::event_schema())?)?;
        } else {
            print(job::schema().trim_end())?;
        }
        Ok(Exit::Done)
    }
}
