//! `tidegate schema`: prints the JSON Schema of a job.

use clap::Args;

use super::exit::Exit;
use super::output::print;
use crate::job;

/// Flags of `tidegate schema`.
#[derive(Args, Debug)]
pub struct Schema {}

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        print(job::schema().trim_end())?;
        Ok(Exit::Done)
    }
}
