//! Puts the rooms together: opens what a run needs in order, runs until told to stop, and closes in reverse.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{Config, LedgerUrl, Migrate};
use crate::fleet::{self, Refresher};
use crate::graph;
use crate::hold::{Cover, Effect, HoldOrder, Scope};
use crate::keeper::{self, Keeper};
use crate::ledger::{Census, Ledger, UnknownWait, sqlite};
use crate::metrics::Metrics;
use crate::ops::{self, Heartbeat, StatusSnapshot};
use crate::outcome::Reason;
use crate::worker::attempt::{AttemptTimes, Policy};
use crate::worker::intake::Caps;
use crate::worker::leases::LeaseTimes;
use crate::worker::picture::Easel;
use crate::worker::retry::Retries;
use crate::worker::telling::Telling;
use crate::worker::{Drained, Parts, Settings, Worker};

/// An admitted job that is overtaken for so long is given back.
const START_WITHIN: Duration = Duration::from_secs(10);
/// How long a settlement may take before its attempt counts as unknown.
const SETTLE_WITHIN: Duration = Duration::from_secs(15);
/// Changes of the fleet that wait for the worker's next turn; a full channel makes the fleet's reader wait.
const CHANGES: usize = 64;

/// How this run differs from what the configuration says.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Starts with a hold over everything.
    pub held: bool,
    /// Serves no `ops.listen`: for a worker inside a command.
    pub quiet: bool,
}

/// Opens the ledger as the worker's own.
pub async fn open_ledger(config: &Config, access: sqlite::Access) -> Result<Ledger> {
    let migrate = match config.migrate {
        Migrate::Auto => sqlite::Migrate::Auto,
        Migrate::Check => sqlite::Migrate::Check,
    };
    match &config.ledger.url {
        LedgerUrl::Sqlite(path) => {
            let ledger = sqlite::SqliteLedger::open(path, access, migrate);
            Ok(Ledger::Sqlite(ledger.with_context(|| format!("cannot open the ledger {}", path.display()))?))
        }
        LedgerUrl::Postgres(_) => anyhow::bail!("ledger.url: this build keeps its ledger in SQLite only: sqlite:PATH"),
    }
}

/// Runs a worker and its keeper until `stop`, then drains.
pub async fn run(config: &Config, options: RunOptions, stop: CancellationToken) -> Result<Drained> {
    config.check_sending()?;
    anyhow::ensure!(config.queue.broker.is_none(), "queue.url: this build has no broker support: leave it unset");
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
    let reads = fleet::reads(config)?;
    let members = fleet::discover(config, &reads).await?;
    let metrics = Arc::new(Metrics::new());
    let heartbeat = Arc::new(Heartbeat::new(now.mono));
    let (census, census_seen) = watch::channel(Census::default());
    let (picture, picture_seen) = watch::channel(Arc::new(StatusSnapshot::starting(now.wall)));
    let (changes, changes_seen) = mpsc::channel(CHANGES);

    let helpers_stop = CancellationToken::new();
    let mut helpers = JoinSet::new();
    if !options.quiet {
        let server = ops::Server::bind(config.ops.listen).await?;
        tracing::info!(address = %server.address(), "status page on http://{}", server.address());
        let sources = ops::Sources { metrics: metrics.clone(), heartbeat: heartbeat.clone(), status: picture_seen };
        helpers.spawn(server.serve(sources, helpers_stop.clone()));
    }
    let kept = keeper::Config { unknown: unknown_wait(config), retention: config.retention };
    helpers.spawn(Keeper::new(kept, ledger.clone(), metrics.clone(), census).run(helpers_stop.clone()));
    let refresher = Refresher::new(config, reads, members.clone(), ledger.clone(), changes);
    helpers.spawn(refresher.run(helpers_stop.clone()));

    let (client, opener) = graph::Client::new(&fleet::api(config), &travel(config))?;
    helpers.spawn(until_stopped(opener, helpers_stop.clone()));
    let easel = Easel::new(ledger_name(config), now.wall, census_seen, picture);
    let telling = Telling::new(metrics, heartbeat);
    let parts = Parts { ledger, client, api: fleet::api(config), telling, easel };
    let worker = Worker::new(parts, settings(config), fleet::recruits(config, members), now);
    let drained = worker.run(stop, changes_seen).await;
    helpers_stop.cancel();
    while helpers.join_next().await.is_some() {}
    Ok(drained)
}

/// The ledger's name for people, without credentials.
fn ledger_name(config: &Config) -> String {
    match &config.ledger.url {
        LedgerUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        LedgerUrl::Postgres(_) => "postgres".to_owned(),
    }
}

async fn until_stopped(opener: graph::Opener, stop: CancellationToken) {
    tokio::select! {
        () = opener.run() => {}
        () = stop.cancelled() => {}
    }
}

/// How requests travel, by the configuration.
fn travel(config: &Config) -> graph::Settings {
    let cloud_api = &config.cloud_api;
    graph::Settings {
        connect_timeout: cloud_api.connect_timeout,
        write_timeout: cloud_api.write_timeout,
        request_timeout: cloud_api.request_timeout,
        max_response: cloud_api.max_response.as_usize(),
        ca_file: cloud_api.ca_file.clone(),
        ..graph::Settings::default()
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

fn unknown_wait(config: &Config) -> UnknownWait {
    UnknownWait { authentication: config.unknown.wait_authentication, others: config.unknown.wait_others }
}

fn settings(config: &Config) -> Settings {
    Settings {
        policy: Policy {
            times: AttemptTimes {
                start_within: START_WITHIN,
                request: config.cloud_api.request_timeout,
                settle: SETTLE_WITHIN,
                unknown: unknown_wait(config),
            },
            retries: Retries { base: config.retry.base, cap: config.retry.cap, attempts: config.retry.attempts },
        },
        leases: LeaseTimes { ttl: config.lease.ttl, renew: config.lease.renew, margin: config.lease.margin },
        caps: Caps { count: config.worker.in_hand, bytes: config.worker.in_hand_bytes.as_usize() },
        admit_ahead: config.worker.admit_ahead,
        pacing_margin: config.pacing.margin,
        drain: config.worker.drain,
    }
}
