//! `tidegate run`: a worker, until it is told to stop.

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::exit::Exit;
use super::wording::{counted, say};
use crate::app::{self, Role, RunOptions};
use crate::config::{Config, LedgerUrl};
use crate::telemetry;
use crate::worker::Drained;

/// Flags of `tidegate run`.
#[derive(Args, Debug)]
pub struct Run {
    /// The parts to play: sender, keeper, gateway; all, unless named
    #[arg(long, value_delimiter = ',', value_name = "ROLES")]
    roles: Vec<Role>,

    /// Begin with a hold over everything: jobs are taken in, and nothing is sent until it is lifted
    #[arg(long)]
    held: bool,
}

impl Run {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config_without_notices()?;
        if let LedgerUrl::Sqlite(path) = &config.ledger.url {
            app::make_folder(path)?;
        }
        let logs = telemetry::init(&config.log);
        for notice in config.notices() {
            tracing::warn!("{notice}");
        }
        let options = RunOptions {
            roles: self.roles,
            dropped_logs: Some(logs.dropped()),
            held: self.held,
            ..RunOptions::default()
        };
        let drained = until_signalled(&config, options, CancellationToken::new());
        Ok(match drained.await? {
            Drained::Clean => Exit::Done,
            Drained::OutOfTime { left } => {
                say(format_args!(
                    "the time to drain ran out with {} in flight: unknown until their policies decide",
                    counted(left as u64, "job")
                ));
                Exit::Partly
            }
        })
    }
}

/// Runs a worker until `stop`, or until a signal; a second signal ends the process at once.
pub async fn until_signalled(config: &Config, options: RunOptions, stop: CancellationToken) -> anyhow::Result<Drained> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let worker = app::run(config, options, stop.clone());
    tokio::pin!(worker);
    tokio::select! {
        drained = &mut worker => return drained,
        () = either(&mut terminate, &mut interrupt) => {}
    }
    say("stopping: what is in flight is settled first; once more stops at once");
    stop.cancel();
    tokio::select! {
        drained = worker => drained,
        () = either(&mut terminate, &mut interrupt) => {
            say("stopped at once: what was in flight is unknown until its policy decides");
            std::process::exit(Exit::Partly.code().into())
        }
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
