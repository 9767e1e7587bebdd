//! A worker beside a command, in the same process, for as long as the command needs one.

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::app::RunOptions;
use crate::cli::exit::Exit;
use crate::cli::run::until_signalled;
use crate::cli::wording::say;
use crate::config::{Config, LogConfig, LogFormat};
use crate::ledger::LedgerError;
use crate::telemetry;

/// Who runs beside a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Company {
    /// Nobody.
    None,
    /// A worker, unless another has the ledger.
    Worker,
}

/// Does `work`, with company.
pub async fn beside(
    company: Company,
    config: &Config,
    work: impl Future<Output = anyhow::Result<Exit>>,
) -> anyhow::Result<Exit> {
    match company {
        Company::None => work.await,
        Company::Worker => with_worker(config, work).await,
    }
}

async fn with_worker(config: &Config, work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let _logs = telemetry::init(&quiet(config));
    let stop = CancellationToken::new();
    let worker = until_signalled(config, RunOptions { quiet: true, ..RunOptions::default() }, stop.clone());
    tokio::pin!(worker, work);
    tokio::select! {
        done = &mut work => {
            stop.cancel();
            worker.await.context("the worker beside this command failed")?;
            done
        }
        ended = &mut worker => match ended {
            Ok(_) => {
                say("stopped before all had ended: what was handed in stays in line; a file can be handed in again");
                Ok(Exit::Partly)
            }
            Err(error) if is_taken(&error) => {
                say("a worker has this ledger already: it sends them");
                work.await
            }
            Err(error) => Err(error.context("the worker beside this command failed; what was handed in stays in line")),
        }
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(LedgerError::Taken(_)))
}

/// Warnings only and in words, in the midst of words for people; unless somebody asked for something else.
fn quiet(config: &Config) -> LogConfig {
    let is_asked = |key: &str| config.show().iter().any(|setting| setting.key == key && setting.origin != "default");
    LogConfig {
        format: if is_asked("log.format") { config.log.format } else { LogFormat::Text },
        filter: if is_asked("log.filter") { config.log.filter.clone() } else { "warn".to_owned() },
    }
}
