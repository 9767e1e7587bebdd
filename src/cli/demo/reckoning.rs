//! What became of everything, reckoned from the ledger's rows and the simulator's own log. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::desk::{Book, Handed, Kind};
use super::figures::Spread;
use super::observer::job_of;
use super::proof::Proof;
use super::stage::{CAST, Player};
use super::story::{self, Story};
use crate::job::JobKey;
use crate::ledger::{JobRow, TrailEntry};
use crate::outcome::{Reason, State};
use crate::sim::{Entry, EntryOutcome};

/// Meta's code for more than a number's throughput.
const TOO_FAST: u32 = 130_429;

/// Everything that was there to be found at the end.
pub struct Findings {
    /// What was handed in.
    pub book: Book,
    /// Every job's row.
    pub rows: Vec<JobRow>,
    /// The waits and retries of the jobs that had any.
    pub trails: HashMap<JobKey, Vec<TrailEntry>>,
    /// Every request that the simulator saw, in order.
    pub entries: Vec<Entry>,
    /// The worst sliding second of each number, as the simulator counted it.
    pub worst_seconds: Vec<usize>,
    /// Each number's rate over time.
    pub histories: Vec<Vec<f64>>,
    /// Which numbers were rested for failing.
    pub rested: Vec<bool>,
    /// Whether it was stopped before its end.
    pub is_cut_short: bool,
}

/// What the summary tells.
pub struct Reckoning {
    /// How long the sending took, from the first request to the last message that was taken.
    pub lasted: Duration,
    /// Messages that Meta took.
    pub taken_by_meta: u64,
    /// Each number.
    pub numbers: Vec<NumberRecord>,
    /// States with their counts, and the reasons in each.
    pub outcomes: BTreeMap<State, Vec<Cause>>,
    /// Why jobs went again.
    pub retries: Vec<Retry>,
    /// From being handed in until Meta had it.
    pub latencies: Vec<(Kind, Spread)>,
    /// The one-time password with the most messages waiting before it, and how long it took.
    pub most_ahead: Option<(u64, Duration)>,
    /// One unlucky job's way.
    pub story: Option<Story>,
    /// Whether it all adds up.
    pub proof: Proof,
    /// What was handed in twice and taken once.
    pub duplicates: u64,
    /// What could not become a job.
    pub dead: Vec<String>,
    /// Whether it was stopped before its end.
    pub is_cut_short: bool,
}

/// What one number did.
pub struct NumberRecord {
    /// Which.
    pub player: Player,
    /// Messages that Meta took.
    pub accepted: u64,
    /// The most requests in any sliding second, where they arrived.
    pub worst_second: usize,
    /// Requests a second from its first to its last of the campaign's time.
    pub average: f64,
    /// Requests that were too fast for its limit.
    pub too_fast: u64,
    /// Its rate over time.
    pub history: Vec<f64>,
    /// Whether it was rested for failing.
    pub was_rested: bool,
}

/// Why jobs are in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Our word; none where the state says it all.
    pub reason: Option<Reason>,
    /// Meta's code.
    pub code: Option<u32>,
    /// How many jobs.
    pub count: u64,
}

/// Jobs that went again for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Our word.
    pub reason: Reason,
    /// Meta's code.
    pub code: Option<u32>,
    /// How often.
    pub times: u64,
    /// How many jobs.
    pub jobs: u64,
    /// How many of these Meta took after all.
    pub came_through: u64,
}

/// Reckons it all up.
pub fn reckon(findings: Findings) -> Reckoning {
    let proof = Proof::of(&findings);
    let arrivals = Arrivals::of(&findings);
    let (first, last) = arrivals.span();
    Reckoning {
        lasted: Duration::from_nanos(last.saturating_sub(first)),
        taken_by_meta: findings.entries.iter().filter(|entry| entry.outcome.is_accepted()).count() as u64,
        numbers: numbers(&findings, arrivals.campaign_left_ns),
        outcomes: outcomes(&findings.rows),
        retries: retries(&findings),
        latencies: latencies(&findings.book, &arrivals),
        most_ahead: most_ahead(&findings.book, &arrivals),
        story: story::unluckiest(&findings),
        duplicates: findings.book.duplicates,
        dead: findings.book.dead,
        is_cut_short: findings.is_cut_short,
        proof,
    }
}

/// When jobs first arrived at Meta.
struct Arrivals {
    of_jobs: HashMap<JobKey, u64>,
    first_ns: u64,
    last_accepted_ns: u64,
    /// When the campaign's last message arrived for the first time.
    campaign_left_ns: u64,
}

impl Arrivals {
    fn of(findings: &Findings) -> Self {
        let (mut of_jobs, mut campaign_left_ns) = (HashMap::new(), 0);
        for entry in &findings.entries {
            let Some(key) = job_of(entry) else { continue };
            let is_of_campaign = findings.book.jobs.get(&key).is_some_and(|handed| handed.kind == Kind::Campaign);
            of_jobs.entry(key).or_insert_with(|| {
                if is_of_campaign {
                    campaign_left_ns = entry.at_ns;
                }
                entry.at_ns
            });
        }
        let accepted = findings.entries.iter().filter(|entry| entry.outcome.is_accepted());
        Self {
            of_jobs,
            first_ns: findings.entries.first().map_or(0, |entry| entry.at_ns),
            last_accepted_ns: accepted.map(|entry| entry.at_ns).max().unwrap_or(0),
            campaign_left_ns,
        }
    }

    fn span(&self) -> (u64, u64) {
        (self.first_ns, self.last_accepted_ns)
    }

    fn latency(&self, key: JobKey, handed: &Handed) -> Option<Duration> {
        let at = self.of_jobs.get(&key)?;
        Some(Duration::from_nanos(at.saturating_sub(handed.at_ns)))
    }
}

fn numbers(findings: &Findings, campaign_left_ns: u64) -> Vec<NumberRecord> {
    let record = |(place, player): (usize, &Player)| {
        let entries = || findings.entries.iter().filter(|entry| &*entry.number == player.id);
        let was_too_fast = |entry: &&Entry| matches!(entry.outcome, EntryOutcome::Refused { code: TOO_FAST, .. });
        NumberRecord {
            player: *player,
            accepted: entries().filter(|entry| entry.outcome.is_accepted()).count() as u64,
            worst_second: findings.worst_seconds.get(place).copied().unwrap_or(0),
            average: average(entries().map(|entry| entry.at_ns).filter(|at| *at <= campaign_left_ns)),
            too_fast: entries().filter(was_too_fast).count() as u64,
            history: findings.histories.get(place).cloned().unwrap_or_default(),
            was_rested: findings.rested.get(place).copied().unwrap_or(false),
        }
    };
    CAST.iter().enumerate().map(record).collect()
}

/// Arrivals a second; the first begins the time and does not count.
fn average(arrivals: impl Iterator<Item = u64>) -> f64 {
    let arrivals: Vec<u64> = arrivals.collect();
    match arrivals.as_slice() {
        [first, .., last] if last > first => (arrivals.len() - 1) as f64 * 1e9 / (last - first) as f64,
        _ => 0.0,
    }
}

fn outcomes(rows: &[JobRow]) -> BTreeMap<State, Vec<Cause>> {
    let mut counts: BTreeMap<(State, Option<Reason>, Option<u32>), u64> = BTreeMap::new();
    for row in rows {
        let is_plain = matches!(row.state, State::Accepted | State::Queued);
        let (reason, code) = if is_plain { (None, None) } else { (row.reason, row.code) };
        *counts.entry((row.state, reason, code)).or_default() += 1;
    }
    let mut outcomes: BTreeMap<State, Vec<Cause>> = BTreeMap::new();
    for ((state, reason, code), count) in counts {
        outcomes.entry(state).or_default().push(Cause { reason, code, count });
    }
    for causes in outcomes.values_mut() {
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    }
    outcomes
}

fn retries(findings: &Findings) -> Vec<Retry> {
    let mut found: BTreeMap<(Reason, Option<u32>), Retry> = BTreeMap::new();
    let accepted = findings.rows.iter().filter(|row| row.state == State::Accepted);
    let accepted: HashSet<JobKey> = accepted.map(|row| row.key).collect();
    for (key, trail) in &findings.trails {
        let came_through = accepted.contains(key);
        let mut counted = Vec::new();
        for entry in trail {
            let which = (entry.reason, entry.code);
            let retry = found.entry(which).or_insert(Retry {
                reason: entry.reason,
                code: entry.code,
                times: 0,
                jobs: 0,
                came_through: 0,
            });
            retry.times += 1;
            if !counted.contains(&which) {
                counted.push(which);
                retry.jobs += 1;
                retry.came_through += u64::from(came_through);
            }
        }
    }
    let mut retries: Vec<Retry> = found.into_values().collect();
    retries.sort_by_key(|retry| std::cmp::Reverse(retry.times));
    retries
}

fn latencies(book: &Book, arrivals: &Arrivals) -> Vec<(Kind, Spread)> {
    let of_kind = |kind: Kind| {
        let handed = book.jobs.iter().filter(|(_, handed)| handed.kind == kind);
        let spread = Spread::of(handed.filter_map(|(key, handed)| arrivals.latency(*key, handed)).collect())?;
        Some((kind, spread))
    };
    [Kind::Password, Kind::Notice, Kind::Campaign].into_iter().filter_map(of_kind).collect()
}

fn most_ahead(book: &Book, arrivals: &Arrivals) -> Option<(u64, Duration)> {
    let passwords = book.jobs.iter().filter(|(_, handed)| handed.kind == Kind::Password);
    let behind = passwords.filter_map(|(key, handed)| Some((handed.ahead, arrivals.latency(*key, handed)?)));
    behind.max()
}
