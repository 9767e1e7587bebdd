//! The demo's course: who hands in what and when, until everything has ended.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::bodies;
use super::customer::Customer;
use super::desk::{Desk, Kind};
use super::engine::Engine;
use super::glimpse::Phase;
use super::observer::Observer;
use super::optout::OptOut;
use super::reckoning::Findings;
use super::screen::Screen;
use super::stage::CAST;
use crate::cli::wording::say;
use crate::config::Config;
use crate::job::JobKey;
use crate::ledger::{JobFilter, Ledger, TrailEntry};
use crate::sim::{Oracle, Sim};

/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// The ledger is asked in every so many frames.
const FRAMES_A_QUESTION: u64 = 3;
/// Somebody logs in so often, give or take a half.
const LOGIN: Duration = Duration::from_millis(330);
/// Something is shipped in every so many logins.
const LOGINS_A_SHIPMENT: u32 = 4;
/// Jobs at the campaign's start that their producer hands in twice, as one does that got no answer.
const TWICE: usize = 25;
/// Messages that are worth nothing by the time it is their turn.
const FLASH: u32 = 5;
/// With no news for so long, something is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// The demo on its ledger, before it has begun.
pub struct Play<'a> {
    sim: &'a Sim,
    oracle: Oracle,
    ledger: Ledger,
    desk: Desk,
    rng: SmallRng,
    logins: u32,
    notices: u32,
}

/// Why the watching ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Watched {
    /// Every job has ended.
    ToTheEnd,
    /// Somebody stopped it.
    UntilStopped,
    /// Jobs are left, and nothing happens any more.
    UntilNothingMoved,
}

/// Ctrl-C and its like; a terminal that is closed too, so that nothing is left behind.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl<'a> Play<'a> {
    /// Before this ledger and this Meta.
    pub fn new(sim: &'a Sim, ledger: Ledger, seed: u64) -> Self {
        let oracle = sim.oracle();
        let desk = Desk::new(ledger.clone(), oracle.clone());
        Self { sim, oracle, ledger, desk, rng: SmallRng::seed_from_u64(seed), logins: 0, notices: 0 }
    }

    /// From the first job to the last row.
    pub async fn perform(mut self, config: Config, messages: u32) -> anyhow::Result<Findings> {
        let mut signals = Signals::new()?;
        let campaign = self.hand_in_campaign(messages).await?;
        let mut customer = Customer::new(self.sim, &campaign);
        let (gateway, told) = watch::channel(None);
        let mut engine = Engine::start(config, self.ledger.clone(), gateway)?;
        let mut observer = Observer::new(self.oracle.clone(), self.ledger.clone());
        let mut screen = Screen::new();
        let watched = tokio::select! {
            watched = self.watch(&mut observer, &mut customer, (&mut screen, &mut signals, told)) => watched?,
            cause = engine.failure() => {
                drop(screen);
                return Err(cause);
            }
        };
        if watched == Watched::UntilStopped {
            screen.show(&observer.glimpse(&self.desk.book, customer.opt_out(), Phase::Stopping));
        }
        tokio::select! {
            drained = engine.stop() => drop(drained?),
            () = signals.next() => {
                drop(screen);
                anyhow::bail!("stopped at once; what was in flight is left as it was");
            }
        }
        observer.look(&self.desk.book);
        drop(screen);
        if watched == Watched::UntilNothingMoved {
            say("nothing has happened for half a minute, though jobs are left, or news of them");
        }
        let is_cut_short = watched == Watched::UntilStopped;
        anyhow::ensure!(
            is_cut_short || customer.opt_out().is_some(),
            "nobody could write STOP: no webhook was taken in"
        );
        self.find(&observer, customer.opt_out().cloned(), is_cut_short).await
    }

    /// Gives the keys of its messages, those aside that are soon worth nothing.
    async fn hand_in_campaign(&mut self, messages: u32) -> anyhow::Result<Vec<JobKey>> {
        let campaign: Vec<Value> = (0..messages - FLASH).map(bodies::campaign).collect();
        let keys = self.desk.hand_in(Kind::Campaign, &campaign, 0).await?;
        self.desk.hand_in(Kind::Campaign, &campaign[..TWICE], 0).await?;
        let flash: Vec<Value> = (0..FLASH).map(|place| bodies::flash(place, messages - FLASH + place)).collect();
        self.desk.hand_in(Kind::Campaign, &flash, 0).await?;
        self.desk.hand_in(Kind::Notice, &[bodies::too_long()], 0).await?;
        Ok(keys)
    }

    async fn watch(
        &mut self,
        observer: &mut Observer,
        customer: &mut Customer<'_>,
        (screen, signals, mut gateway): (&mut Screen, &mut Signals, watch::Receiver<Option<SocketAddr>>),
    ) -> anyhow::Result<Watched> {
        let total = self.desk.book.count(Kind::Campaign);
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut frame, mut last_news) = (0_u64, (0, Instant::now()));
        let mut phase = Phase::Sending;
        let mut next_login = Instant::now() + LOGIN;
        loop {
            tokio::select! {
                () = signals.next() => return Ok(Watched::UntilStopped),
                () = sleep_until(next_login), if phase == Phase::Sending => {
                    next_login += LOGIN.mul_f64(self.rng.random_range(0.5..1.5));
                    let done = observer.campaign_done(total);
                    // A worker's first second passes in silence, since another may have sent just before it.
                    if done > 0 {
                        self.log_in(total - done).await?;
                    }
                }
                Ok(()) = gateway.changed() => {
                    let address = *gateway.borrow_and_update();
                    if let Some(address) = address {
                        customer.be_heard_at(address).await?;
                    }
                }
                _ = frames.tick() => {
                    observer.look(&self.desk.book);
                    if frame.is_multiple_of(FRAMES_A_QUESTION) {
                        observer.ask().await?;
                        self.follow(customer, observer, total).await?;
                        let is_over = phase == Phase::Settling && observer.open() == 0 && customer.is_done();
                        if is_over && observer.is_all_told().await? {
                            return Ok(Watched::ToTheEnd);
                        }
                        if observer.campaign_done(total) == total {
                            phase = Phase::Settling;
                        }
                    }
                    frame += 1;
                    if observer.progress() != last_news.0 {
                        last_news = (observer.progress(), Instant::now());
                    } else if last_news.1.elapsed() > PATIENCE {
                        return Ok(Watched::UntilNothingMoved);
                    }
                    screen.show(&observer.glimpse(&self.desk.book, customer.opt_out(), phase));
                }
            }
        }
    }

    /// One reader writes STOP, and logs in when the ledger knows it.
    async fn follow(&mut self, customer: &mut Customer<'_>, observer: &mut Observer, total: u64) -> anyhow::Result<()> {
        let done = observer.campaign_done(total);
        customer.perhaps_write(done, total)?;
        if let Some(password) = customer.log_in(&self.ledger, self.logins).await? {
            let keys = self.desk.hand_in(Kind::Password, &[password], total - done).await?;
            customer.note_password(keys.first().copied());
            self.logins += 1;
        }
        if let Some(message) = customer.ended(&self.ledger).await? {
            observer.note_over(message);
        }
        Ok(())
    }

    async fn log_in(&mut self, ahead: u64) -> anyhow::Result<()> {
        self.desk.hand_in(Kind::Password, &[bodies::password(self.logins)], ahead).await?;
        self.logins += 1;
        if self.logins.is_multiple_of(LOGINS_A_SHIPMENT) {
            self.desk.hand_in(Kind::Notice, &[bodies::notice(self.notices)], ahead).await?;
            self.notices += 1;
        }
        Ok(())
    }

    /// Reads everything back: rows and trails from the ledger, requests from the simulator's log.
    async fn find(self, observer: &Observer, opt_out: Option<OptOut>, is_cut_short: bool) -> anyhow::Result<Findings> {
        let everything = JobFilter { limit: u32::MAX, ..JobFilter::default() };
        let rows = self.ledger.jobs(everything).await.context("the ledger's rows can't be read back")?;
        let mut trails: HashMap<JobKey, Vec<TrailEntry>> = HashMap::new();
        for row in &rows {
            let trail = self.ledger.trail(row.key).await?;
            if !trail.is_empty() {
                trails.insert(row.key, trail);
            }
        }
        Ok(Findings {
            book: self.desk.book,
            rows,
            trails,
            entries: self.oracle.entries_since(0, usize::MAX),
            worst_seconds: CAST.iter().map(|player| self.oracle.worst_sliding_second(player.id)).collect(),
            histories: observer.histories(),
            rested: observer.rested(),
            webhooks: self.oracle.webhook_counts(),
            opt_out,
            is_cut_short,
        })
    }
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves at the next one. Dropping it loses none.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
