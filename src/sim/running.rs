//! A running simulator: started, steered, stopped.

use super::account::{AccountEvent, EventError, Pause};
use super::config::SimConfig;
use super::customer::{Inbound, SayError};
use super::fault::Fault;
use super::key_values::SpecError;
use super::number_spec::NumberSpec;
use super::number_state::NumberChange;
use super::oracle::{Oracle, Shared};
use super::platform::Platform;
use super::template_spec::TemplateChange;
use super::webhooks::{self, FailedShare, HandshakeError, WebhookCounts};
use super::{oracle_file, server};
use bytes::Bytes;
use std::fmt;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running simulator. Dropping it stops it without waiting for it; [`Sim::stop`] waits.
pub struct Sim {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Cancels when it is dropped.
    stop: DropGuard,
    runner: Runner,
}

/// What carries the simulator.
enum Runner {
    /// A task on the caller's runtime.
    Task(JoinSet<io::Result<()>>),
    /// A thread with a runtime of its own; the channel tells how it ended.
    Thread { ended: oneshot::Receiver<io::Result<()>>, handle: thread::JoinHandle<()> },
}

/// Everything that must be there before the first connection.
struct Prepared {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    file: Option<File>,
}

impl Prepared {
    async fn new(config: SimConfig) -> io::Result<Self> {
        config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let file = config.oracle_file.as_deref().map(oracle_file::open).transpose()?;
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, shared: Arc::new(Shared::new(Platform::new(config))), file })
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A priority before everything that runs at the usual one.
const FIRST: i32 = -15;

impl Sim {
    /// Starts one on the caller's runtime. It listens when this returns.
    ///
    /// Fails with `InvalidInput` and the name of the key if the configuration cannot be.
    pub async fn start(config: SimConfig) -> io::Result<Self> {
        let Prepared { listener, address, shared, file } = Prepared::new(config).await?;
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(server::serve(listener, Arc::clone(&shared), file, stop.clone()));
        Ok(Self { shared, address, stop: stop.drop_guard(), runner: Runner::Task(task) })
    }

    /// Starts one on a thread of its own, so that it shares nobody's event loop. It listens when this returns.
    pub fn spawn_thread(config: SimConfig) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (tell_ready, ready) = std::sync::mpsc::sync_channel(1);
        let (tell_end, ended) = oneshot::channel();
        let handle = thread::Builder::new().name("simulator".to_owned()).spawn(move || {
            if config.punctual {
                // Who may not ask for it counts as well as the machine lets it.
                let _refused = rustix::process::setpriority_process(None, FIRST);
            }
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell_ready.send(Err(error))),
            };
            let end = runtime.block_on(async {
                let Prepared { listener, address, shared, file } = match Prepared::new(config).await {
                    Ok(prepared) => prepared,
                    Err(error) => {
                        drop(tell_ready.send(Err(error)));
                        return Ok(());
                    }
                };
                drop(tell_ready.send(Ok((address, Arc::clone(&shared)))));
                server::serve(listener, shared, file, stopped).await
            });
            // Nobody listens if the simulator was dropped instead of stopped.
            drop(tell_end.send(end));
        })?;
        let (address, shared) =
            ready.recv().map_err(|_| io::Error::other("the simulator's thread ended before it was ready"))??;
        Ok(Self { shared, address, stop: stop.drop_guard(), runner: Runner::Thread { ended, handle } })
    }

    /// Where it is, such as `http://127.0.0.1:40123`: a Cloud API's base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A reader of its oracle, which may outlive it.
    pub fn oracle(&self) -> Oracle {
        Oracle::new(Arc::clone(&self.shared))
    }

    /// Replaces all scripted faults, from the next request on.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.platform().script.replace(faults);
    }

    /// Adds a number from the next request on; false if there is one of this id.
    ///
    /// Fails with the name of the key if there can be no such number.
    pub fn add_number(&self, spec: NumberSpec) -> Result<bool, SpecError> {
        spec.check()?;
        Ok(self.shared.platform().list_number(spec))
    }

    /// Changes a number from the next request on; false if there is none of this id.
    #[must_use = "a change of a number that is not there changes nothing"]
    pub fn set_number(&self, id: &str, change: &NumberChange) -> bool {
        self.shared.platform().change_number(id, change)
    }

    /// Changes a template in all its languages from the next request on, and lists it if it was not.
    pub fn set_template(&self, name: &str, change: &TemplateChange) {
        self.shared.platform().change_template(name, change);
    }

    /// Changes the messaging limit of every portfolio; none is UNLIMITED.
    pub fn set_messaging_limit(&self, limit: Option<u32>) {
        self.shared.platform().change_messaging_limit(limit);
    }

    /// A customer says something to a number: opens a service window, and goes out by webhook. Gives its message id.
    pub fn say(&self, number: &str, from: &str, said: &Inbound) -> Result<String, SayError> {
        let (mut platform, now_ns) = self.shared.platform_now();
        platform.say(number, from, said, now_ns)
    }

    /// Makes something happen to the account: changes the simulated state, and goes out by webhook.
    pub fn announce(&self, event: &AccountEvent) -> Result<(), EventError> {
        self.shared.announce(event)
    }

    /// Pauses a template in all its languages, and announces it; lists it if it was not.
    pub fn pause_template(&self, name: &str) {
        self.announce_of_template(AccountEvent::TemplatePaused {
            name: name.to_owned(),
            language: None,
            pause: Pause::First,
        });
    }

    /// Ends a template's pause, and announces it.
    pub fn unpause_template(&self, name: &str) {
        self.announce_of_template(AccountEvent::TemplateUnpaused { name: name.to_owned(), language: None });
    }

    /// Disables a template for good, and announces it.
    pub fn disable_template(&self, name: &str) {
        self.announce_of_template(AccountEvent::TemplateDisabled { name: name.to_owned(), language: None });
    }

    fn announce_of_template(&self, event: AccountEvent) {
        self.shared.announce(&event).expect("a template that is not there is made");
    }

    /// Sends this body by webhook, signed, whatever it says.
    #[must_use = "false says that no webhooks are configured"]
    pub fn send_raw_webhook(&self, body: impl Into<Bytes>) -> bool {
        let (mut platform, now_ns) = self.shared.platform_now();
        platform.plan_raw(body.into(), now_ns)
    }

    /// All counts of the webhooks; zeros if none are configured.
    pub fn webhook_counts(&self) -> WebhookCounts {
        self.oracle().webhook_counts()
    }

    /// Sends webhooks there from now on, those that wait included; empty: they wait. An https address only if the
    /// configured one was one. Does nothing if no webhooks are configured.
    pub fn set_webhook_url(&self, url: impl Into<String>) {
        if let Some(outbox) = &mut self.shared.platform().outbox {
            outbox.point_at(url.into());
        }
    }

    /// Other failures for what is accepted from now on: see [`WebhookConfig::failed`](super::WebhookConfig::failed). Does nothing if no webhooks are
    /// configured.
    pub fn set_webhook_failures(&self, failed: Vec<FailedShare>) {
        if let Some(outbox) = &mut self.shared.platform().outbox {
            outbox.config.failed = failed;
        }
    }

    /// Waits until all planned webhooks are acknowledged or given up. Dropping it loses nothing.
    pub async fn webhooks_settled(&self) {
        self.oracle().webhooks_settled().await;
    }

    /// Makes Meta's handshake with the webhook's receiver: a GET with `hub.mode=subscribe`.
    pub async fn verify_webhook(&self, verify_token: &str) -> Result<(), HandshakeError> {
        let config = self.shared.platform().outbox.as_ref().map(|outbox| outbox.config.clone());
        let config = config.filter(|config| !config.url.is_empty()).ok_or(HandshakeError::NoAddress)?;
        webhooks::shake_hands(&config.url, verify_token, config.answer_within()).await
    }

    /// Cuts all connections, writes the last rows of the oracle's file and frees the port. Fails if that file
    /// could not be written, now or earlier.
    pub async fn stop(self) -> io::Result<()> {
        let Self { stop, runner, .. } = self;
        drop(stop);
        match runner {
            Runner::Task(mut task) => match task.join_next().await {
                Some(ended) => ended.map_err(io::Error::other)?,
                None => Ok(()),
            },
            Runner::Thread { ended, .. } => ended.await.map_err(|_| thread_panicked())?,
        }
    }

    /// As [`Sim::stop`], for threads without a runtime; only for one from [`Sim::spawn_thread`].
    pub fn stop_blocking(self) -> io::Result<()> {
        let Self { stop, runner, .. } = self;
        drop(stop);
        match runner {
            Runner::Task(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a simulator on a runtime is stopped from that runtime, with stop().await",
            )),
            Runner::Thread { ended, handle } => {
                let end = ended.blocking_recv().map_err(|_| thread_panicked())?;
                handle.join().map_err(|_| thread_panicked())?;
                end
            }
        }
    }
}

fn thread_panicked() -> io::Error {
    io::Error::other("the simulator's thread panicked")
}
