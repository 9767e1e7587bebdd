//! What became of everything, reckoned from the ledger's rows and the simulator's own log. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::desk::{Book, Handed, Kind};
use super::figures::Spread;
use super::observer::job_of;
use super::optout::{OptOut, Record};
use super::proof::Proof;
use super::stage::{CAST, Player};
use super::statuses::Returned;
use super::story::{self, Story};
use crate::job::JobKey;
use crate::ledger::{JobRow, TrailEntry};
use crate::outcome::{Reason, State};
use crate::sim::{Entry, EntryOutcome, WebhookCounts};

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
    /// The simulator's counts of its webhooks.
    pub webhooks: WebhookCounts,
    /// Who wrote STOP, if anybody has.
    pub opt_out: Option<OptOut>,
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
    /// What came back by webhook.
    pub returned: Returned,
    /// What became of a STOP.
    pub opt_out: Option<Record>,
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

/// Whether Meta took a message that is in this state.
pub const fn is_taken(state: State) -> bool {
    matches!(state, State::Accepted | State::Sent | State::Delivered | State::Read)
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
        returned: Returned::of(&findings),
        opt_out: Record::of(&findings),
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
        let is_plain = is_taken(row.state) || row.state == State::Queued;
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
    let accepted = findings.rows.iter().filter(|row| is_taken(row.state));
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

#[cfg(test)]
mod tests {
    use super::super::samples::findings;
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_rate_is_arrivals_over_the_time_between_them() {
        assert_eq!(average([0, 500_000_000, 1_000_000_000].into_iter()), 2.0);
        assert_eq!(average([7].into_iter()), 0.0);
        assert_eq!(average(std::iter::empty()), 0.0);
        let reckoning = reckon(findings(41));
        assert!((reckoning.numbers[0].average - 80.0).abs() < 1e-9, "{}", reckoning.numbers[0].average);
        assert_eq!((reckoning.numbers[0].accepted, reckoning.numbers[1].accepted), (41, 0));
        assert_eq!(reckoning.lasted, Duration::from_millis(500));
    }

    #[test]
    fn only_requests_over_the_limit_count_as_too_fast() {
        let mut findings = findings(3);
        findings.entries[0].outcome = EntryOutcome::Refused { code: 131_000, http: 500 };
        findings.entries[1].outcome = EntryOutcome::Refused { code: TOO_FAST, http: 400 };
        assert_eq!(reckon(findings).numbers[0].too_fast, 1);
    }

    #[test]
    fn outcomes_stand_by_state_and_the_most_frequent_cause_first() {
        let mut findings = findings(4);
        for (row, code) in findings.rows.iter_mut().zip([131_026, 131_049, 131_026]) {
            (row.state, row.code) = (State::Failed, Some(code));
            row.reason = Some(if code == 131_026 { Reason::NotOnWhatsapp } else { Reason::MarketingLimit });
        }
        let outcomes = reckon(findings).outcomes;
        let counts: Vec<u64> = outcomes[&State::Failed].iter().map(|cause| cause.count).collect();
        assert_eq!((counts, outcomes[&State::Accepted][0].count), (vec![2, 1], 1));
    }

    #[test]
    fn retries_count_times_and_jobs_and_who_came_through() {
        let mut findings = findings(2);
        let entry = |n: u32| TrailEntry {
            n,
            at: Timestamp::from_millis(0),
            state: State::Waiting,
            reason: Reason::MetaUnknown,
            code: Some(131_000),
            number: Some(CAST[0].id.to_owned()),
            until: None,
        };
        findings.rows[0].state = State::Failed;
        findings.trails.insert(findings.rows[0].key, vec![entry(1), entry(2)]);
        findings.trails.insert(findings.rows[1].key, vec![entry(1)]);
        let reckoning = reckon(findings);
        let retry = &reckoning.retries[0];
        assert_eq!((reckoning.retries.len(), retry.times, retry.jobs, retry.came_through), (1, 3, 2, 1));
        let story = reckoning.story.unwrap();
        assert_eq!((story.id.as_str(), story.steps.len()), ("spring-sale-00001", 3));
    }

    #[test]
    fn latency_runs_from_handing_in_to_the_first_arrival() {
        let mut findings = findings(2);
        let mut again = findings.entries[0].clone();
        (again.seq, again.at_ns) = (3, 9_000_000_000);
        findings.entries[0].outcome = EntryOutcome::Refused { code: 131_000, http: 500 };
        findings.entries.push(again);
        let key = findings.rows[1].key;
        findings.book.jobs.insert(key, Handed { kind: Kind::Password, at_ns: 1_000_000_000, ahead: 4_000 });
        let reckoning = reckon(findings);
        assert_eq!(reckoning.most_ahead, Some((4_000, Duration::from_micros(12_500))));
        assert_eq!(reckoning.latencies[0].1.longest, Duration::from_micros(12_500));
    }
}
