//! The oracle as others see it: counts, rows, and waiting for them.

use super::account::{AccountEvent, EventError, Moment};
use super::clock::Clock;
use super::entry::{Entry, NumberStats, Stats, Totals};
use super::oracle_log::Note;
use super::platform::Platform;
use super::webhooks::WebhookCounts;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// What the server, the control API and the oracle's readers share.
pub(crate) struct Shared {
    platform: Mutex<Platform>,
    pub(crate) clock: Clock,
    pub(crate) stub: bool,
}

impl Shared {
    pub(crate) fn new(platform: Platform) -> Self {
        Self { clock: Clock::start(), stub: platform.config.stub, platform: Mutex::new(platform) }
    }

    /// The platform. Held for one decision, never across an await.
    pub(crate) fn platform(&self) -> MutexGuard<'_, Platform> {
        // A panic elsewhere leaves counts at worst one short; a test that reads them should still see why.
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The platform, and the time at which it was reached: times never go backward from one holder to the next.
    pub(crate) fn platform_now(&self) -> (MutexGuard<'_, Platform>, u64) {
        let platform = self.platform();
        let now = self.clock.now_ns();
        (platform, now)
    }

    /// Makes something happen to the account now.
    pub(crate) fn announce(&self, event: &AccountEvent) -> Result<(), EventError> {
        let (mut platform, at_ns) = self.platform_now();
        platform.announce(event, Moment { at_ns, unix_s: self.clock.unix_ms(at_ns) / 1_000 })
    }

    pub(crate) fn entry(&self, platform: &Platform, seq: u64, note: &Note<'_>) -> Entry {
        Entry {
            seq,
            at_ns: note.at_ns,
            unix_ms: self.clock.unix_ms(note.at_ns),
            number: platform
                .numbers
                .get(note.number as usize)
                .map_or_else(|| "".into(), |number| Arc::clone(&number.id)),
            recipient: note.recipient.to_owned(),
            wamid: note.fate.is_accepted().then(|| platform.wamid(seq)),
            callback: note.callback.map(str::to_owned),
            kind: note.kind,
            category: note.category,
            outcome: note.fate.into(),
        }
    }

    pub(crate) fn entries_since(&self, after: u64, limit: usize) -> Vec<Entry> {
        let platform = self.platform();
        platform.log.after(after).take(limit).map(|(seq, note)| self.entry(&platform, seq, &note)).collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        let (mut platform, now_ns) = self.platform_now();
        let limited = platform.portfolios.iter_mut().filter(|(_, limit)| limit.limit.is_some());
        let messaged = limited.map(|(name, limit)| (name.clone(), limit.used(now_ns))).collect();
        let numbers = platform.numbers.iter().filter(|number| number.accepted + number.refused > 0);
        let numbers = numbers.map(|number| {
            let stats = NumberStats {
                accepted: number.accepted,
                refused: number.refused,
                messages_per_second: number.spec.messages_per_second(),
                worst_second: number.counted.worst(),
                worst_second_offered: number.offered.worst(),
                first_accepted_ns: number.first_accepted_ns,
                last_accepted_ns: number.last_accepted_ns,
            };
            (Arc::clone(&number.id), stats)
        });
        let (duplicate_callbacks, duplicate_jobs) = duplicates(&platform);
        Stats {
            totals: platform.totals,
            refused_by_code: platform.refused_by_code.clone(),
            faults: platform.faults_struck.clone(),
            numbers: numbers.collect(),
            messaged,
            duplicate_callbacks,
            duplicate_jobs,
            rows_dropped: platform.log.dropped(),
        }
    }
}

/// Repeated callback data among the accepted, whole and less what follows its last colon.
/// Kept as 64-bit hashes: two different ones meet about once in ten million runs of two million rows.
fn duplicates(platform: &Platform) -> (u64, u64) {
    let hasher = RandomState::new();
    let (mut seen, mut seen_jobs) = (HashSet::new(), HashSet::new());
    let (mut callbacks, mut jobs) = (0, 0);
    for callback in
        platform.log.after(0).filter(|(_, note)| note.fate.is_accepted()).filter_map(|(_, note)| note.callback)
    {
        let job = callback.rsplit_once(':').map_or(callback, |(job, _)| job);
        callbacks += u64::from(!seen.insert(hasher.hash_one(callback)));
        jobs += u64::from(!seen_jobs.insert(hasher.hash_one(job)));
    }
    (callbacks, jobs)
}

/// A reader of the oracle; clones read the same one, from any thread.
#[derive(Clone)]
pub struct Oracle {
    shared: Arc<Shared>,
}

impl fmt::Debug for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oracle").field("totals", &self.totals()).finish_non_exhaustive()
    }
}

impl Oracle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Messages accepted so far.
    pub fn accepted(&self) -> u64 {
        self.totals().accepted
    }

    /// The counts that cost nothing to ask for.
    pub fn totals(&self) -> Totals {
        self.shared.platform().totals
    }

    /// All counts. Walks through the whole log: a millisecond per 20,000 rows, during which nothing is answered.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// The rows after sequence number `after` (0: from the first), oldest first, at most `limit`.
    pub fn entries_since(&self, after: u64, limit: usize) -> Vec<Entry> {
        self.shared.entries_since(after, limit)
    }

    /// The rows of all messages that were accepted and are still kept.
    pub fn accepted_entries(&self) -> Vec<Entry> {
        let platform = self.shared.platform();
        let accepted = platform.log.after(0).filter(|(_, note)| note.fate.is_accepted());
        accepted.map(|(seq, note)| self.shared.entry(&platform, seq, &note)).collect()
    }

    /// The most requests that arrived for a number in any sliding second, those refused with 130429
    /// included: it is above the limit if the sender was too fast. Zero for a number that saw none.
    pub fn worst_sliding_second(&self, number: &str) -> usize {
        let platform = self.shared.platform();
        platform.numbers.iter().find(|known| &*known.id == number).map_or(0, |known| known.offered.worst())
    }

    /// The most different people that were written to within any such span, by the messages that were accepted and are
    /// still kept.
    pub fn most_people_within(&self, span: Duration) -> usize {
        let entries = self.accepted_entries();
        let (mut first, mut most) = (0, 0);
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (last, entry) in entries.iter().enumerate() {
            *times.entry(&entry.recipient).or_default() += 1;
            while entries[last].at() - entries[first].at() >= span {
                let gone = times.get_mut(entries[first].recipient.as_str()).expect("it was counted");
                *gone -= 1;
                if *gone == 0 {
                    times.remove(entries[first].recipient.as_str());
                }
                first += 1;
            }
            most = most.max(times.len());
        }
        most
    }

    /// The simulator's clock now, on the scale of [`Entry::at_ns`].
    pub fn now_ns(&self) -> u64 {
        self.shared.clock.now_ns()
    }

    /// Waits until `count` messages have been accepted, or the simulator has stopped. Dropping it loses nothing.
    pub async fn wait_for(&self, count: u64) {
        // An error says that the simulator has stopped: then there is nothing left to wait for.
        let _ = self.acceptance(count).await;
    }

    /// As [`Oracle::wait_for`], for threads without a runtime. Panics inside one.
    pub fn wait_for_blocking(&self, count: u64) {
        let _ = self.acceptance(count).blocking_recv();
    }

    /// Waits until the row with this sequence number is there, whatever became of its request, or the
    /// simulator has stopped. Dropping it loses nothing.
    pub async fn wait_for_row(&self, seq: u64) {
        let row = {
            let mut platform = self.shared.platform();
            let now = platform.log.next_seq() - 1;
            platform.rows.wait(seq, now)
        };
        let _ = row.await;
    }

    /// All counts of the webhooks; zeros if none are configured.
    pub fn webhook_counts(&self) -> WebhookCounts {
        self.shared.platform().outbox.as_ref().map(|outbox| outbox.counts()).unwrap_or_default()
    }

    /// Waits until all planned webhooks are acknowledged or given up, or the simulator has stopped. Dropping it
    /// loses nothing.
    pub async fn webhooks_settled(&self) {
        let Some(settled) = self.shared.platform().outbox.as_ref().map(|outbox| outbox.settled()) else {
            return;
        };
        loop {
            let rings = settled.notified();
            if self.shared.platform().outbox.as_ref().is_none_or(|outbox| outbox.is_settled()) {
                return;
            }
            rings.await;
        }
    }

    fn acceptance(&self, count: u64) -> oneshot::Receiver<()> {
        let mut platform = self.shared.platform();
        let now = platform.totals.accepted;
        platform.acceptances.wait(count, now)
    }
}
