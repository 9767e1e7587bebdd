//! The worker of the demo: the real one, on a thread of its own, as in a process of its own.

use std::net::SocketAddr;
use std::thread;

use anyhow::{Context as _, anyhow};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::app::{self, Role, RunOptions};
use crate::config::Config;
use crate::ledger::Ledger;
use crate::worker::Drained;

/// A running worker. Dropping it stops it without waiting for it.
pub struct Engine {
    /// Cancels when it is dropped.
    stop: DropGuard,
    ended: oneshot::Receiver<anyhow::Result<Drained>>,
    thread: thread::JoinHandle<()>,
}

impl Engine {
    /// Starts it on a ledger that is open, in all its roles; `gateway` is told where webhooks are taken in.
    pub fn start(config: Config, ledger: Ledger, gateway: watch::Sender<Option<SocketAddr>>) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let (tell, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let roles = vec![Role::Sender, Role::Keeper, Role::Gateway];
                let options =
                    RunOptions { roles, quiet: true, webhook_address: Some(gateway), ..RunOptions::default() };
                let drained = match runtime {
                    Ok(runtime) => runtime.block_on(app::run_on(&config, options, ledger, told)),
                    Err(cause) => Err(anyhow::Error::new(cause).context("the worker can't start its event loop")),
                };
                // Nobody listens if the demo has given up already.
                drop(tell.send(drained));
            })
            .context("the worker's thread can't start")?;
        Ok(Self { stop: stop.drop_guard(), ended, thread })
    }

    /// Resolves when it has ended by itself, which it should not. Dropping it loses nothing but the answer.
    pub async fn failure(&mut self) -> anyhow::Error {
        match (&mut self.ended).await {
            Ok(Ok(_)) => anyhow!("the worker ended though nobody stopped it"),
            Ok(Err(cause)) => cause.context("the worker ended"),
            Err(_) => anyhow!("the worker panicked"),
        }
    }

    /// Tells it to stop, and waits until what is in flight is settled.
    pub async fn stop(self) -> anyhow::Result<Drained> {
        drop(self.stop);
        let drained = self.ended.await.context("the worker panicked")??;
        self.thread.join().map_err(|_| anyhow!("the worker panicked at its end"))?;
        Ok(drained)
    }
}
