//! The `tidegate` command.

use std::process::ExitCode;

use clap::Parser;
use tidegate::cli::{Cli, Exit};

/// One loop thread: a worker owns its numbers and its state without locks.
fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let exit = match runtime {
        Ok(runtime) => runtime.block_on(cli.run()),
        Err(cause) => Exit::of_error(&anyhow::Error::new(cause).context("the process can't start its event loop")),
    };
    exit.into()
}
