//! One cell's small world: the simulator, the workers at their seats, producers, and what was done to them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tidegate::sim::Sim;
use tokio::time::Instant;

use crate::events::Listener;
use crate::judge::Sent;
use crate::ledger::{Census, Ledger};
use crate::link::Carrier;
use crate::producer::{Jobs, Promises, Publisher, hand_in};
use crate::recovery::Recovery;
use crate::seat::{Links, Seat, await_end};
use crate::services::Services;
use crate::setup::Setup;

/// What all cells share.
pub struct Shared {
    pub services: Services,
    pub carrier: Carrier,
    /// Where logs and ledgers are, a directory for each cell.
    pub dir: PathBuf,
    pub seed: u64,
}

pub struct Trial<'a> {
    pub shared: &'a Shared,
    pub setup: Setup,
    pub jobs: Jobs,
    pub sim: Sim,
    pub ledger: Ledger,
    pub seats: Vec<Seat>,
    pub rng: SmallRng,
    pub recovery: Recovery,
    /// How often something was broken, and how often by killing.
    pub runs: u32,
    pub kills: u32,
    /// Jobs whose attempt a kill may have cut off.
    pub in_flight: BTreeSet<usize>,
    publisher: Option<Publisher>,
    /// Where there is a broker to tell of events.
    pub listener: Option<Listener>,
    pub promises: Promises,
}

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many looks in a row that show nothing new.
const QUIET: u32 = 8;
/// What a killed worker had sent to the database is committed by then.
const LAST_WORDS: Duration = Duration::from_millis(200);

impl<'a> Trial<'a> {
    /// Starts everything, and waits until messages flow.
    pub async fn start(shared: &'a Shared, cell: &'static str, setup: Setup) -> Result<Self> {
        let dir = shared.dir.join(cell);
        std::fs::create_dir_all(&dir)?;
        let sim = Sim::spawn_thread(setup.sim(shared.seed))?;
        let mut seats = Vec::new();
        for worker in 0..setup.workers {
            let place = Place { shared, cell, setup: &setup, sim: &sim, dir: &dir };
            seats.push(place.seat(&format!("worker-{worker}")).await?);
        }
        let ledger = if setup.ground.has_database() {
            Ledger::Postgres { url: shared.services.database.url().to_owned(), schema: cell.to_owned() }
        } else {
            Ledger::Sqlite(dir.join("ledger.db"))
        };
        let jobs = Jobs { cell, on_unknown: setup.on_unknown };
        let seed = cell.bytes().fold(shared.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let mut trial = Self {
            shared,
            jobs,
            recovery: Recovery::new(setup.number_ids().collect(), sim.oracle()),
            sim,
            ledger,
            seats,
            rng: SmallRng::seed_from_u64(seed),
            runs: 0,
            kills: 0,
            in_flight: BTreeSet::new(),
            publisher: None,
            listener: None,
            promises: Promises::default(),
            setup,
        };
        trial.begin(seed).await?;
        Ok(trial)
    }

    async fn begin(&mut self, seed: u64) -> Result<()> {
        let mut migration = self.seats[0].command(&["migrate", "--yes"])?.spawn()?;
        let status = await_end(&mut migration, PATIENCE).await?;
        anyhow::ensure!(status.success(), "the migration ended with {status}");
        if !self.setup.ground.has_broker() {
            self.promises = hand_in(&self.seats[0], self.jobs, self.setup.jobs).await?;
        } else {
            let (url, cell) = (self.shared.services.broker.url(), self.jobs.cell);
            self.listener = Some(Listener::start(url, cell).await?);
            let publisher = Publisher::start(url, cell, self.jobs, self.sim.oracle(), seed);
            self.promises = publisher.promises.clone();
            self.publisher = Some(publisher);
        }
        for seat in &mut self.seats {
            seat.start()?;
        }
        self.accepted_beyond(2 * self.capacity()).await.context("nothing is sent")
    }

    /// Messages a second, of all numbers.
    pub fn capacity(&self) -> u64 {
        (self.setup.rate * self.setup.numbers) as u64
    }

    /// Waits until Meta has accepted so many more.
    pub async fn accepted_beyond(&mut self, more: u64) -> Result<()> {
        let oracle = self.sim.oracle();
        let count = oracle.accepted() + more;
        if tokio::time::timeout(PATIENCE, oracle.wait_for(count)).await.is_err() {
            self.check()?;
            bail!("{} of {count} messages were accepted after {PATIENCE:?}", oracle.accepted());
        }
        Ok(())
    }

    /// Waits until Meta has accepted another message of every number.
    pub async fn every_number_accepted(&mut self) -> Result<()> {
        let oracle = self.sim.oracle();
        let totals = oracle.totals();
        let mut seq = totals.accepted + totals.refused + totals.dropped;
        let mut missing: BTreeSet<String> = self.setup.number_ids().collect();
        while !missing.is_empty() {
            if tokio::time::timeout(PATIENCE, oracle.wait_for_row(seq + 1)).await.is_err() {
                self.check()?;
                bail!("{missing:?} sent nothing for {PATIENCE:?}");
            }
            for entry in oracle.entries_since(seq, usize::MAX) {
                seq = entry.seq;
                if entry.outcome.is_accepted() {
                    missing.remove(&*entry.number);
                }
            }
        }
        Ok(())
    }

    /// Lets time pass while something is broken or heals.
    pub async fn pause(&mut self, shortest: Duration, longest: Duration) {
        tokio::time::sleep(self.rng.random_range(shortest..=longest)).await;
    }

    /// `kill -9` of a worker.
    pub async fn kill(&mut self, seat: usize) -> Result<()> {
        self.seats[seat].kill()?;
        (self.runs, self.kills) = (self.runs + 1, self.kills + 1);
        if self.setup.ground.has_database() {
            tokio::time::sleep(LAST_WORDS).await;
        }
        self.note_in_flight().await
    }

    /// Whatever is in flight now may have been cut off.
    pub async fn note_in_flight(&mut self) -> Result<()> {
        let ids = self.ledger.in_doubt().await?;
        self.in_flight.extend(ids.iter().filter_map(|id| self.jobs.place(id)));
        Ok(())
    }

    /// A worker that is there.
    pub fn any_seat(&mut self) -> usize {
        let taken: Vec<usize> = (0..self.seats.len()).filter(|seat| self.seats[*seat].is_taken()).collect();
        taken[self.rng.random_range(0..taken.len())]
    }

    /// Fails if something broke that nobody broke.
    pub fn check(&mut self) -> Result<()> {
        self.seats.iter_mut().try_for_each(Seat::check)
    }

    /// Takes no more jobs in, and waits until every one has ended.
    pub async fn settle(&mut self) -> Result<()> {
        if let Some(publisher) = &mut self.publisher {
            publisher.stop().await?;
        }
        for seat in self.seats.iter_mut().filter(|seat| !seat.is_taken()) {
            seat.start()?;
        }
        let promised = self.promised();
        let (started, mut quiet) = (Instant::now(), 0);
        let mut before = Census::default();
        loop {
            let census = self.ledger.census().await?;
            // Jobs without a promise may still lie in the broker: they show soon after the others.
            let is_over = census.open == 0 && census.ended >= promised;
            quiet = if is_over && census == before { quiet + 1 } else { 0 };
            before = census;
            if quiet == QUIET {
                break;
            }
            if started.elapsed() > PATIENCE {
                self.check()?;
                let queues = self.shared.services.broker.queues().await?;
                bail!("{census:?} of {promised} promised jobs after {PATIENCE:?}, and in the queues: {queues}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        while self.ledger.untold().await? > 0 {
            if started.elapsed() > PATIENCE {
                bail!("{} events are not told after {PATIENCE:?}", self.ledger.untold().await?);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Workers stop cleanly, which also proves that nothing is in flight any more.
        for seat in &mut self.seats {
            seat.drain().await?;
        }
        Ok(())
    }

    fn promised(&self) -> usize {
        let promises = self.promises.lock().expect("nobody panicked");
        promises.iter().filter(|promised| **promised).count()
    }

    /// For whoever looks into a cell that failed: every request that Meta saw, a line of JSON each.
    pub fn keep_evidence(&self) -> Result<()> {
        let mut lines = Vec::new();
        for entry in self.sim.oracle().entries_since(0, usize::MAX) {
            serde_json::to_writer(&mut lines, &entry)?;
            lines.push(b'\n');
        }
        Ok(std::fs::write(self.shared.dir.join(self.jobs.cell).join("oracle.jsonl"), lines)?)
    }

    /// Everything that Meta accepted.
    pub fn sent(&self) -> Vec<Sent> {
        let entries = self.sim.oracle().accepted_entries();
        let sent = entries.into_iter().map(|entry| {
            let callback = entry.callback.unwrap_or_default();
            Sent {
                job: Jobs::place_of_recipient(&entry.recipient),
                wamid: entry.wamid.unwrap_or_default(),
                key: callback.rsplit_once(':').map_or("", |(key, _attempt)| key).to_owned(),
            }
        });
        sent.collect()
    }
}

/// Where a cell's workers sit.
struct Place<'a> {
    shared: &'a Shared,
    cell: &'a str,
    setup: &'a Setup,
    sim: &'a Sim,
    dir: &'a Path,
}

impl Place<'_> {
    /// A seat with its own ways to everything that may break.
    async fn seat(&self, name: &str) -> Result<Seat> {
        let Self { shared, setup, sim, dir, .. } = self;
        let mut links = Links::default();
        let mut meta = sim.url();
        if setup.taps_meta {
            let link = shared.carrier.link(&sim.address().to_string()).await?;
            meta = format!("http://{}", link.address());
            links.meta = Some(link);
        }
        let mut settings = setup.flags(&meta);
        let mut set = |key: &str, value: String| settings.push((key.to_owned(), value));
        set("data_dir", dir.display().to_string());
        if setup.ground.has_broker() {
            let broker = &shared.services.broker;
            let link = shared.carrier.link(broker.address()).await?;
            set("queue.url", broker.url().replace(broker.address(), &link.address()));
            set("queue.prefix", self.cell.to_owned());
            links.broker = Some(link);
        }
        if setup.ground.has_database() {
            let database = &shared.services.database;
            let link = shared.carrier.link(database.address()).await?;
            set("ledger.url", database.url().replace(database.address(), &link.address()));
            set("ledger.schema", self.cell.to_owned());
            links.database = Some(link);
        } else {
            set("ledger.url", format!("sqlite:{}", dir.join("ledger.db").display()));
        }
        let flags = settings.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]);
        Ok(Seat::new(dir, name, flags.collect(), links))
    }
}
