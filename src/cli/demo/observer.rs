//! Watches a running demo: what arrives at the simulator, and what the ledger says of it.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::desk::{Book, Kind};
use super::figures::Spread;
use super::glimpse::{Glimpse, NumberGlimpse, Passwords, Phase};
use super::optout::OptOut;
use super::stage::CAST;
use super::statuses::Statuses;
use crate::clock;
use crate::hold::{Hold, Scope};
use crate::job::JobKey;
use crate::ledger::{Census, Ledger, LedgerError};
use crate::outcome::{Reason, State};
use crate::sim::{Entry, Oracle};

const SECOND_NS: u64 = 1_000_000_000;
/// Rows of the oracle that are read at a time.
const ROWS: usize = 4_096;
/// How often a number's rate becomes a point of its history.
pub const POINT: Duration = Duration::from_millis(500);

/// What is known so far.
pub struct Observer {
    oracle: Oracle,
    ledger: Ledger,
    began_ns: u64,
    /// The oracle's last row that was read.
    seen: u64,
    tracks: Vec<Track>,
    next_point_ns: u64,
    /// Messages of the campaign that reached Meta at least once, or never will.
    left: HashSet<JobKey>,
    reached: HashSet<JobKey>,
    latencies: Vec<Duration>,
    census: Census,
    holds: Vec<Hold>,
}

/// One number's arrivals.
#[derive(Default)]
struct Track {
    /// Those of the last second.
    recent: VecDeque<u64>,
    accepted: u64,
    history: Vec<f64>,
    was_rested: bool,
}

/// The job of a request, as its callback data says: what stands before the attempt.
pub fn job_of(entry: &Entry) -> Option<JobKey> {
    entry.callback.as_deref()?.rsplit_once(':')?.0.parse().ok()
}

impl Observer {
    /// Begins to watch, now.
    pub fn new(oracle: Oracle, ledger: Ledger) -> Self {
        let began_ns = oracle.now_ns();
        Self {
            oracle,
            ledger,
            began_ns,
            seen: 0,
            tracks: CAST.iter().map(|_| Track::default()).collect(),
            next_point_ns: began_ns,
            left: HashSet::new(),
            reached: HashSet::new(),
            latencies: Vec::new(),
            census: Census::default(),
            holds: Vec::new(),
        }
    }

    /// Reads what has arrived since the last look. Cheap.
    pub fn look(&mut self, book: &Book) {
        loop {
            let entries = self.oracle.entries_since(self.seen, ROWS);
            for entry in &entries {
                self.note(entry, book);
            }
            if entries.len() < ROWS {
                break;
            }
        }
        let now = self.oracle.now_ns();
        for track in &mut self.tracks {
            while track.recent.front().is_some_and(|at| at + SECOND_NS <= now) {
                track.recent.pop_front();
            }
        }
        while self.next_point_ns <= now {
            self.next_point_ns += POINT.as_nanos() as u64;
            self.tracks.iter_mut().for_each(|track| track.history.push(track.recent.len() as f64));
        }
    }

    /// Asks the ledger where jobs stand, and what is held.
    pub async fn ask(&mut self) -> Result<(), LedgerError> {
        self.census = self.ledger.census().await?;
        self.holds = self.ledger.holds().await?;
        for (track, player) in self.tracks.iter_mut().zip(CAST) {
            track.was_rested |= rests(&self.holds, player.id).is_some_and(|hold| hold.reason == Reason::Failing);
        }
        Ok(())
    }

    fn note(&mut self, entry: &Entry, book: &Book) {
        self.seen = entry.seq;
        if let Some(place) = CAST.iter().position(|player| player.id == &*entry.number) {
            let track = &mut self.tracks[place];
            track.recent.push_back(entry.at_ns);
            track.accepted += u64::from(entry.outcome.is_accepted());
        }
        let Some(key) = job_of(entry) else { return };
        let Some(handed) = book.jobs.get(&key) else { return };
        match handed.kind {
            Kind::Campaign => {
                self.left.insert(key);
            }
            Kind::Password if self.reached.insert(key) => {
                self.latencies.push(Duration::from_nanos(entry.at_ns.saturating_sub(handed.at_ns)));
            }
            Kind::Password | Kind::Notice => {}
        }
    }

    /// A message of the campaign has ended without ever leaving.
    pub fn note_over(&mut self, message: JobKey) {
        self.left.insert(message);
    }

    /// Jobs of the campaign that are over or have reached Meta at least once.
    pub fn campaign_done(&self, total: u64) -> u64 {
        (self.left.len() as u64 + self.count(|state| state == State::Expired)).min(total)
    }

    /// Jobs that have not ended yet.
    pub fn open(&self) -> u64 {
        self.count(|state| !state.has_ended())
    }

    /// Grows whenever anything happens.
    pub fn progress(&self) -> u64 {
        let Statuses { sent, delivered, read } = self.statuses();
        self.seen + self.count(State::has_ended) + sent + delivered + read
    }

    fn statuses(&self) -> Statuses {
        Statuses::of(self.census.states.iter().copied())
    }

    /// Whether Meta has told all that it has to tell, and the ledger knows it.
    pub async fn is_all_told(&self) -> Result<bool, LedgerError> {
        let is_quiet = self.oracle.webhook_counts().waiting == 0;
        Ok(is_quiet && self.ledger.inbox_take(1, 1).await?.is_empty())
    }

    fn count(&self, wanted: impl Fn(State) -> bool) -> u64 {
        self.census.states.iter().filter(|(state, _)| wanted(*state)).map(|(_, count)| count).sum()
    }

    /// Each number's rate at every [`POINT`] so far.
    pub fn histories(&self) -> Vec<Vec<f64>> {
        self.tracks.iter().map(|track| track.history.clone()).collect()
    }

    /// Which numbers were rested for failing.
    pub fn rested(&self) -> Vec<bool> {
        self.tracks.iter().map(|track| track.was_rested).collect()
    }

    /// What there is to see now.
    pub fn glimpse(&self, book: &Book, opt_out: Option<&OptOut>, phase: Phase) -> Glimpse {
        let total = book.count(Kind::Campaign);
        let done = self.campaign_done(total);
        let rate: usize = self.tracks.iter().map(|track| track.recent.len()).sum();
        let is_moving = phase == Phase::Sending && rate > 0;
        let numbers = CAST.iter().zip(&self.tracks).map(|(player, track)| NumberGlimpse {
            display: player.display,
            quality: player.quality,
            limit: player.limit,
            rate: track.recent.len(),
            accepted: track.accepted,
            history: track.history.clone(),
            rests_for: self.rest_of(player.id),
        });
        Glimpse {
            phase,
            elapsed: Duration::from_nanos(self.oracle.now_ns().saturating_sub(self.began_ns)),
            done,
            total,
            remaining: is_moving.then(|| Duration::from_secs_f64((total - done) as f64 / rate as f64)),
            numbers: numbers.collect(),
            passwords: Passwords { last: self.latencies.last().copied(), spread: Spread::of(self.latencies.clone()) },
            refused: self.oracle.totals().refused + self.oracle.totals().dropped,
            waiting: self.count(|state| state == State::Waiting),
            unknown: self.count(|state| state == State::Unknown),
            failed: self.count(|state| matches!(state, State::Failed | State::Suppressed | State::Expired)),
            open: self.open(),
            statuses: self.statuses(),
            opt_out: opt_out.cloned(),
        }
    }

    fn rest_of(&self, number: &str) -> Option<Duration> {
        let now = clock::now().wall;
        let until = rests(&self.holds, number)?.until?;
        (until > now).then(|| until.since(now))
    }
}

/// The hold over a number, if any.
fn rests<'a>(holds: &'a [Hold], number: &str) -> Option<&'a Hold> {
    holds.iter().find(|hold| hold.cover.scope == Scope::Number && hold.cover.subject == number)
}
