//! Applies webhooks: the bodies that the gateway kept, in order, each batch in one commit.
//!
//! Twice does nothing more: a batch may be applied again after a crash, or by two keepers at a change of duty. A body
//! that cannot be applied is set aside, and holds up no other.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::applied;
use super::inbound::InboundRates;
use super::patience::Patience;
use crate::clock;
use crate::job::{JobKey, NumberId, PoolName};
use crate::ledger::{
    FleetRow, INBOUND, InboxRow, JobFacts, Ledger, LedgerError, NUMBER, News, StrangeChange, TEMPLATE, WABA,
};
use crate::metrics::{Metrics, Update};
use crate::outcome::State;
use crate::webhook::meaning::{self, Known, Meaning, Names, Rules};
use crate::webhook::notice::{self, Notice};

/// At most so many bodies, of so many bytes, in one commit.
const BODIES: u32 = 500;
const BYTES: usize = 4 << 20;
/// How long a body may lie unseen: it may have been kept by another process.
const LOOK: Duration = Duration::from_millis(250);
/// How long to wait for a ledger that is away: at least the first, doubling up to the second.
const AWAY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// After so many failures in a row, while bodies can be read all the same, one of them may be why: each is tried alone.
const SUSPICIOUS: u32 = 3;
/// So many bodies may fail alone before it is taken for the ledger's failure after all.
const MOST_LEFT: u32 = 5;
/// How old what is known of the numbers' names may be.
const NAMES: Duration = Duration::from_secs(15);

/// The numbers' pools, by id and display number.
pub type PoolOf = Arc<dyn Fn(&NumberId, &str) -> PoolName + Send + Sync>;

/// What people and numbers are to us.
#[derive(Clone)]
pub struct Acquaintance {
    /// What people may say to us.
    pub rules: Arc<Rules>,
    /// The numbers that are known before Meta tells of them, with their display numbers.
    pub listed: Vec<(NumberId, String)>,
    /// Where each number belongs.
    pub pool_of: PoolOf,
    /// The portfolio of each account for which the configuration names one: that comes before what was read.
    pub portfolios: HashMap<String, String>,
}

/// Applies one ledger's webhooks while it is on duty: one applier in the whole fleet is, by a lease.
#[derive(Debug)]
pub struct Applier {
    ledger: Ledger,
    metrics: Arc<Metrics>,
    acquaintance: Acquaintance,
    names: Arc<Names>,
    names_until: Option<Instant>,
    /// How fast people write; none before this keeper knows what was told.
    rates: Option<InboundRates>,
    on_duty: watch::Receiver<bool>,
}

/// What was read of some bodies.
struct Understood {
    notices: Vec<Notice>,
    wanted: Vec<JobKey>,
    /// The number of each message that somebody wrote.
    inbound: Vec<NumberId>,
    speaks_of_templates: bool,
    speaks_of_limits: bool,
    has_unknown_number: bool,
}

impl fmt::Debug for Acquaintance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquaintance").field("listed", &self.listed).finish_non_exhaustive()
    }
}

impl Applier {
    /// Applies this ledger's webhooks while on duty.
    pub fn new(
        ledger: Ledger,
        metrics: Arc<Metrics>,
        acquaintance: Acquaintance,
        on_duty: watch::Receiver<bool>,
    ) -> Self {
        Self { ledger, metrics, acquaintance, names: Arc::default(), names_until: None, rates: None, on_duty }
    }

    /// Runs until told to stop. A batch that is under way is applied all the same, or will be again.
    pub async fn run(mut self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.apply_all()).await;
    }

    /// Ends with the app that gives the duty.
    async fn apply_all(&mut self) {
        let mut failures = Patience::new("webhooks", AWAY);
        loop {
            if !*self.on_duty.borrow() {
                // Another keeper knows: what stood here last would be told for ever.
                self.metrics.inbox_oldest.set(0.0);
                self.rates = None;
            }
            if self.on_duty.wait_for(|on_duty| *on_duty).await.is_err() {
                return;
            }
            if self.rates.is_none() {
                self.tell_rates().await;
            }
            match self.apply_next(failures.count >= SUSPICIOUS).await {
                Ok(count) => {
                    failures.over();
                    self.tell_rates().await;
                    if count == 0 {
                        sleep(LOOK).await;
                    }
                }
                Err(error) => sleep(failures.wait(&error.to_string())).await,
            }
        }
    }

    /// One batch, if there is any; says of how many bodies.
    async fn apply_next(&mut self, each: bool) -> Result<usize, LedgerError> {
        let rows = self.ledger.inbox_take(BODIES, BYTES).await?;
        self.metrics.inbox_oldest.set(rows.first().map_or(0.0, |row| row.at.as_millis() as f64 / 1_000.0));
        let count = rows.len();
        if count == 0 {
            return Ok(0);
        }
        if each {
            self.apply_each(rows).await?;
            return Ok(count);
        }
        match self.apply(rows.clone()).await {
            Err(LedgerError::Damaged(problem)) => {
                tracing::warn!(problem, "{count} webhooks are applied one by one, one of them cannot be: {problem}");
                self.apply_each(rows).await?;
            }
            applied => applied?,
        }
        Ok(count)
    }

    /// Body by body: one that cannot be applied is set aside, and one that fails otherwise is left for later.
    async fn apply_each(&mut self, rows: Vec<InboxRow>) -> Result<(), LedgerError> {
        let (mut left, mut failure) = (0, None);
        for row in rows {
            match self.apply(vec![row.clone()]).await {
                Ok(()) => {}
                Err(LedgerError::Damaged(problem)) => self.set_aside(row, &problem).await?,
                Err(error) => (left, failure) = (left + 1, Some(error)),
            }
            if left >= MOST_LEFT {
                break;
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn set_aside(&self, row: InboxRow, problem: &str) -> Result<(), LedgerError> {
        tracing::error!(problem, "webhook {} cannot be applied and is set aside: {problem}", row.seq);
        let body = String::from_utf8_lossy(&row.body).replace('\0', "\u{fffd}");
        let strange = vec![StrangeChange { field: "unappliable".to_owned(), body, at: row.at }];
        let news = News { read: vec![row.seq], strange, ..News::default() };
        self.ledger.apply(news, clock::now().wall).await?;
        self.metrics.webhook_updates.inc(Update::Strange);
        Ok(())
    }

    async fn apply(&mut self, rows: Vec<InboxRow>) -> Result<(), LedgerError> {
        let began = Instant::now();
        let now = clock::now().wall;
        let read: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        let names = self.names.clone();
        let Understood { notices, wanted, inbound, speaks_of_templates, speaks_of_limits, has_unknown_number } =
            beside(move || understand(&rows, &names)).await?;
        let facts = self.facts(wanted).await?;
        self.learn_names(has_unknown_number).await?;
        let templates = if speaks_of_templates {
            meaning::template_times(&self.ledger.fleet_list(TEMPLATE.to_owned()).await?)
        } else {
            HashMap::new()
        };
        let portfolios = if speaks_of_limits { self.portfolios().await? } else { HashMap::new() };
        let (rules, names) = (self.acquaintance.rules.clone(), self.names.clone());
        let say = move || {
            let known = Known {
                rules: &rules,
                names: &names,
                facts: &facts,
                templates: &templates,
                portfolios: &portfolios,
                now,
            };
            meaning::news(notices, &known)
        };
        let Meaning { mut news, updates } = beside(say).await?;
        news.read = read;
        let told: Vec<State> = news.statuses.iter().map(|status| status.heard.state()).collect();
        let mut messages: BTreeMap<NumberId, u32> = BTreeMap::new();
        inbound.into_iter().for_each(|number| *messages.entry(number).or_default() += 1);
        let applied = self.ledger.apply(news, now).await?;
        if let Some(rates) = &mut self.rates {
            messages.iter().for_each(|(number, count)| rates.count(number, *count, began));
        }
        self.metrics.webhook_apply.observe(began.elapsed().as_secs_f64());
        updates.into_iter().for_each(|update| self.metrics.webhook_updates.inc(update));
        applied::tell(&self.metrics, &told, applied);
        Ok(())
    }

    async fn facts(&self, wanted: Vec<JobKey>) -> Result<HashMap<JobKey, JobFacts>, LedgerError> {
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let facts = self.ledger.job_facts(wanted.clone()).await?;
        Ok(wanted.into_iter().zip(facts).filter_map(|(key, facts)| Some((key, facts?))).collect())
    }

    async fn portfolios(&self) -> Result<HashMap<String, String>, LedgerError> {
        let rows = self.ledger.fleet_list(WABA.to_owned()).await?;
        let mut portfolios: HashMap<String, String> = rows.iter().filter_map(FleetRow::owner).collect();
        portfolios.extend(self.acquaintance.portfolios.clone());
        Ok(portfolios)
    }

    /// Looks the numbers' names up anew, if what is known is old or does not do.
    async fn learn_names(&mut self, at_once: bool) -> Result<(), LedgerError> {
        if !at_once && self.names_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let Acquaintance { listed, pool_of, .. } = &self.acquaintance;
        let rows = self.ledger.fleet_list(NUMBER.to_owned()).await?;
        let mut names = Names::default();
        for (id, display) in listed.iter().cloned().chain(rows.iter().filter_map(Names::of_row)) {
            let pool = pool_of(&id, &display);
            names.add(id, &display, pool);
        }
        self.names = Arc::new(names);
        self.names_until = Some(Instant::now() + NAMES);
        Ok(())
    }

    /// Tells the workers how fast people write, since Meta counts that with what they send. What could not be told is
    /// told when it changes again, or by the next keeper.
    async fn tell_rates(&mut self) {
        let now = Instant::now();
        let told = match &mut self.rates {
            Some(rates) => {
                let row = |(number, rate): &(NumberId, u32)| FleetRow::inbound(number, *rate, clock::now().wall);
                let rows: Vec<_> = rates.changed(now).iter().map(row).collect();
                if rows.is_empty() { Ok(()) } else { self.ledger.fleet_put(rows).await }
            }
            None => self.ledger.fleet_list(INBOUND.to_owned()).await.map(|rows| {
                self.rates = Some(InboundRates::begin(rows.iter().filter_map(FleetRow::inbound_rate)));
            }),
        };
        if let Err(error) = told {
            tracing::warn!(%error, "how fast people write could not be told: {error}");
        }
    }
}

/// What is heavy is done beside the loop, which has messages to send. A panic is a body's fault, and no reason to stop.
async fn beside<Answer: Send + 'static>(work: impl FnOnce() -> Answer + Send + 'static) -> Result<Answer, LedgerError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|cause| {
        let is_panic = cause.is_panic();
        let problem = format!("webhooks could not be read: {cause}");
        if is_panic { LedgerError::Damaged(problem) } else { LedgerError::Unreachable(problem) }
    })
}

fn understand(rows: &[InboxRow], names: &Names) -> Understood {
    let notices: Vec<Notice> = rows.iter().flat_map(|row| notice::read(&row.body, row.at)).collect();
    let is_unknown = |notice: &Notice| matches!(notice, Notice::Number(_, news) if names.id(news.display()).is_none());
    Understood {
        wanted: meaning::wanted(&notices),
        inbound: notices.iter().filter_map(written_to).collect(),
        speaks_of_limits: notices.iter().any(|notice| matches!(notice, Notice::Number(..) | Notice::Account(..))),
        speaks_of_templates: notices.iter().any(|notice| matches!(notice, Notice::Template(..))),
        has_unknown_number: notices.iter().any(is_unknown),
        notices,
    }
}

fn written_to(notice: &Notice) -> Option<NumberId> {
    if let Notice::Inbound(inbound) = notice { Some(inbound.number.clone()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_as_damage() {
        let damaged = beside(|| assert!(std::hint::black_box(false), "a body that nobody foresaw")).await;
        assert!(matches!(damaged, Err(LedgerError::Damaged(_))), "{damaged:?}");
        assert_eq!(beside(|| 7).await.expect("done"), 7);
    }
}
