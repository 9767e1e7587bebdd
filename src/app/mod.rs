//! Puts the rooms together: opens what a run needs in order, runs until told to stop, and closes in reverse.

mod gateway;
mod lanes;
mod open;
mod settings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{Config, Publish};
use crate::fleet::{self, Refresher, Roster, Schedule};
use crate::graph;
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::keeper::{self, Applier, Duties, Hook, Keeper, Relay, Task};
use crate::ledger::{Census, Ledger, OutboxStage, sqlite};
use crate::metrics::{Connection, Metrics};
use crate::ops::{self, Heartbeat, StatusSnapshot};
use crate::outcome::{Reason, words};
use crate::queue::{self, Queue};
use crate::telemetry::DroppedLines;
use crate::worker::picture::Easel;
use crate::worker::telling::Telling;
use crate::worker::{Drained, Parts, Worker};

pub use lanes::{check as check_lanes, ready_in_lanes};
pub use open::{Migrated, ledger_name, look_at_ledger, make_folder, migrate, open_ledger};

/// Changes of the fleet that wait for the worker's next turn; a full channel makes the fleet's reader wait.
const CHANGES: usize = 64;

words! {
    /// A part that a process may play.
    Role {
        /// Claims, sends and settles.
        Sender = "sender",
        /// Ends what is over: deadlines, policies, expiry, retention.
        Keeper = "keeper",
        /// Takes Meta's webhooks in.
        Gateway = "gateway",
    }
}

/// How this run differs from what the configuration says.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The parts to play; none named: all that [`RunOptions::quiet`] leaves.
    pub roles: Vec<Role>,
    /// Counts log lines that nobody took.
    pub dropped_logs: Option<DroppedLines>,
    /// Starts with a hold over everything.
    pub held: bool,
    /// Serves no `ops.listen`, and is no gateway unless that is named: for a worker inside a command.
    pub quiet: bool,
    /// Is told where webhooks are taken in, for who let the system choose the port.
    pub webhook_address: Option<watch::Sender<Option<SocketAddr>>>,
}

/// Runs a worker and its keeper until `stop`, then drains.
pub async fn run(config: &Config, options: RunOptions, stop: CancellationToken) -> Result<Drained> {
    if options.plays(Role::Sender) {
        config.check_sending()?;
    }
    let ledger = open_ledger(config, sqlite::Access::Worker).await?;
    run_on(config, options, ledger, stop).await
}

/// The same on a ledger that is open already.
pub async fn run_on(config: &Config, options: RunOptions, ledger: Ledger, stop: CancellationToken) -> Result<Drained> {
    let now = clock::now();
    if options.held {
        ledger.place(hold_everything(), now.wall).await?;
    }
    let _secrets = config.watch_secrets();
    let (census, census_seen) = watch::channel(Census::default());
    let (picture, picture_seen) = watch::channel(Arc::new(StatusSnapshot::starting(now.wall)));
    let metrics = Arc::new(Metrics::new());
    let heartbeat = Arc::new(Heartbeat::new(now.mono));
    let mut house = House { helpers: JoinSet::new(), stop: CancellationToken::new() };
    if !options.quiet {
        let server = ops::Server::bind(config.ops.listen).await?;
        tracing::info!(address = %server.address(), "status page on http://{}", server.address());
        let sources = ops::Sources { metrics: metrics.clone(), heartbeat: heartbeat.clone(), status: picture_seen };
        house.helpers.spawn(server.serve(sources, house.stop.clone()));
    }
    if options.plays(Role::Keeper) {
        let leases = settings::lease_times(config);
        let kept = keeper::Config { unknown: settings::unknown_wait(config), retention: config.retention, leases };
        let keeper = Keeper::new(kept, ledger.clone(), metrics.clone(), census);
        house.relay(config, &keeper, &ledger, &metrics);
        house.hook(config, &keeper, &ledger, &metrics)?;
        house.apply(config, &keeper, &ledger, &metrics);
        house.helpers.spawn(keeper.run(house.stop.clone()));
    }
    if options.plays(Role::Gateway) {
        house.take_webhooks_in(&config.webhook, &ledger, &metrics, options.webhook_address.as_ref()).await?;
    }
    let drained = if options.plays(Role::Sender) {
        let easel = Easel::new(ledger_name(config), now.wall, census_seen, picture);
        let telling = Telling::new(metrics, heartbeat, options.dropped_logs);
        house.send(config, ledger, (telling, easel), stop).await?
    } else {
        house.stand_by(&heartbeat, stop).await?
    };
    house.close().await;
    Ok(drained)
}

impl RunOptions {
    fn plays(&self, role: Role) -> bool {
        let by_default = self.roles.is_empty() && !(self.quiet && role == Role::Gateway);
        by_default || self.roles.contains(&role)
    }
}

/// What runs beside the worker, and stops after it.
struct House {
    helpers: JoinSet<()>,
    stop: CancellationToken,
}

impl House {
    /// Puts a fleet and a worker together, and runs it.
    async fn send(
        &mut self,
        config: &Config,
        ledger: Ledger,
        (telling, easel): (Telling, Easel),
        stop: CancellationToken,
    ) -> Result<Drained> {
        let reads = fleet::reads(config)?;
        let roster = Roster::new(config);
        let joining = roster.join(fleet::discover(config, &reads, &ledger).await?);
        let (changes, changes_seen) = mpsc::channel(CHANGES);
        let duties = Duties::for_share(
            ledger.clone(),
            settings::lease_times(config),
            Task::Fleet,
            &fleet::accounts::share(config),
        );
        let schedule = Schedule::new(config, reads, roster.subscribe(), ledger.clone(), duties.on(Task::Fleet));
        let refresher = Refresher::new(config, roster, ledger.clone(), changes, schedule.readings());
        self.helpers.spawn(duties.run(self.stop.clone()));
        self.helpers.spawn(schedule.run(self.stop.clone()));
        self.helpers.spawn(refresher.run(self.stop.clone()));
        let queue = self.receive(config, telling.metrics());
        let (client, opener) = graph::Client::new(&fleet::api(config), &settings::travel(config))?;
        self.helpers.spawn(until_stopped(opener, self.stop.clone()));
        let parts = Parts { ledger, queue, client, api: fleet::api(config), telling, easel };
        let worker = Worker::new(parts, settings::settings(config), joining, clock::now());
        let run = worker.run(stop.clone(), changes_seen);
        tokio::pin!(run);
        let mut broken = false;
        loop {
            tokio::select! {
                drained = &mut run => {
                    anyhow::ensure!(!broken, "a part beside the worker broke down");
                    return Ok(drained);
                }
                Some(ended) = self.helpers.join_next() => {
                    // Without its keeper or its connections a worker only looks alive.
                    if let Err(panic) = ended {
                        tracing::error!(%panic, "a part beside the worker broke down, stopping: {panic}");
                        broken = true;
                        stop.cancel();
                    }
                }
            }
        }
    }

    /// Relays events to the broker, if there is one and anybody may listen.
    fn relay(&mut self, config: &Config, keeper: &Keeper, ledger: &Ledger, metrics: &Arc<Metrics>) {
        let is_wanted = config.events.publish != Publish::Off;
        let Some(broker) = lanes::broker(config, "relay").filter(|_| is_wanted) else { return };
        metrics.broker().connected(Connection::Publishing, false);
        let (publisher, courier) = queue::publisher(broker, metrics.clone());
        self.helpers.spawn(courier.run(self.stop.clone()));
        let relay =
            Relay::new(ledger.clone(), publisher, config.events.webhook_url.is_some(), keeper.on_duty(Task::Relay));
        self.helpers.spawn(relay.run(self.stop.clone()));
    }

    /// Applies what the gateways took in, whoever they are.
    fn apply(&mut self, config: &Config, keeper: &Keeper, ledger: &Ledger, metrics: &Arc<Metrics>) {
        let (acquaintance, on_duty) = (settings::acquaintance(config), keeper.on_duty(Task::Apply));
        let applier = Applier::new(ledger.clone(), metrics.clone(), acquaintance, on_duty);
        self.helpers.spawn(applier.run(self.stop.clone()));
    }

    /// Hands events to the app's own address, if there is one.
    fn hook(&mut self, config: &Config, keeper: &Keeper, ledger: &Ledger, metrics: &Arc<Metrics>) -> Result<()> {
        let Some(target) = settings::hook_target(config)? else { return Ok(()) };
        // With a broker, it has each event first.
        let stage = if config.queue.broker.is_some() { OutboxStage::PassedOn } else { OutboxStage::Any };
        let hook = Hook::new(ledger.clone(), stage, target, metrics.clone(), keeper.on_duty(Task::Hook));
        self.helpers.spawn(hook.run(self.stop.clone()));
        Ok(())
    }

    /// Puts up the reception of deliveries, if there is a broker.
    fn receive(&mut self, config: &Config, metrics: Arc<Metrics>) -> Queue {
        let Some(broker) = lanes::broker(config, "sender") else { return Queue::None };
        // Away until it says otherwise.
        metrics.broker().connected(Connection::Consuming, false);
        let (reception, supervisor) = queue::reception(broker, metrics);
        let (config, stop) = (config.clone(), self.stop.clone());
        self.helpers.spawn(async move {
            // Lanes that are not there cannot be consumed.
            lanes::prepare(config, stop.clone()).await;
            supervisor.run(stop).await;
        });
        Queue::Rabbit(reception)
    }

    /// Without a worker there is no loop but this one.
    async fn stand_by(&mut self, heartbeat: &Heartbeat, stop: CancellationToken) -> Result<Drained> {
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(Drained::Clean),
                _ = beat.tick() => heartbeat.beat(clock::now().mono),
                Some(ended) = self.helpers.join_next() => {
                    if let Err(panic) = ended {
                        tracing::error!(%panic, "a part broke down, stopping: {panic}");
                        anyhow::bail!("a part broke down");
                    }
                }
            }
        }
    }

    async fn close(mut self) {
        self.stop.cancel();
        while self.helpers.join_next().await.is_some() {}
    }
}

async fn until_stopped(opener: graph::Opener, stop: CancellationToken) {
    tokio::select! {
        () = opener.run() => {}
        () = stop.cancelled() => {}
    }
}

fn hold_everything() -> HoldOrder {
    HoldOrder {
        cover: Cover::of(Scope::Everything, ""),
        effect: Effect::Wait,
        reason: Reason::Operator,
        who: "run --held".to_owned(),
        until: None,
        probe: false,
    }
}
