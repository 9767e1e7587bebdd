//! A whole small world: the simulator as Meta, a ledger in a directory of its own, and the real app between them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;
use tidegate::app::{self, RunOptions};
use tidegate::clock;
use tidegate::config::{Config, NumberConfig, Sources};
use tidegate::fleet::{Directory, Pools};
use tidegate::job::{self, NumberId, Received};
use tidegate::ledger::sqlite::Access;
use tidegate::ledger::{Enqueued, JobFilter, JobRef, JobRow, Ledger, Routed};
use tidegate::outcome::State;
use tidegate::sim::{NumberSpec, Oracle, Sim, SimConfig};
use tidegate::worker::Drained;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, also on a busy machine: whoever waits longer has lost something.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Simulator, directory and configuration; workers come and go.
pub struct World {
    pub sim: Sim,
    dir: TempDir,
    settings: Vec<(String, String)>,
}

/// A worker on a thread of its own, as in a process of its own.
pub struct Running {
    stop: CancellationToken,
    thread: JoinHandle<Drained>,
}

impl World {
    /// One number, 1001, of 80/s.
    pub fn new() -> Self {
        Self::with(SimConfig::with_numbers([NumberSpec::new("1001").with_mps(80)]), &[("1001", "80/s")])
    }

    /// These numbers with these rates, before this simulator.
    pub fn with(sim: SimConfig, numbers: &[(&str, &str)]) -> Self {
        let sim = Sim::spawn_thread(sim).expect("a free port");
        let dir = TempDir::new().expect("a directory");
        let mut settings: Vec<(String, String)> = vec![
            ("data_dir".into(), dir.path().display().to_string()),
            ("cloud_api.base_url".into(), sim.url()),
            ("cloud_api.access_token".into(), "test-token".into()),
            ("ops.listen".into(), "127.0.0.1:0".into()),
            ("retry.base".into(), "100ms".into()),
            ("unknown.wait.authentication".into(), "1s".into()),
            ("unknown.wait.others".into(), "1s".into()),
        ];
        for (slot, (id, rate)) in numbers.iter().enumerate() {
            settings.push((format!("numbers[{slot}].id"), (*id).to_owned()));
            settings.push((format!("numbers[{slot}].rate"), (*rate).to_owned()));
        }
        Self { sim, dir, settings }
    }

    /// Another setting for workers that start from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.retain(|(set, _)| set != key);
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// Every setting, as flags of a command.
    pub fn flags(&self) -> impl Iterator<Item = String> {
        self.settings.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")])
    }

    /// Faults in their text form, instead of those in force.
    pub fn faults(&self, faults: &[&str]) {
        self.sim.set_faults(faults.iter().map(|text| text.parse().expect("a fault")).collect());
    }

    pub fn config(&self) -> Config {
        let sources = Sources { file: None, env: BTreeMap::new(), dotenv: None, overrides: self.settings.clone() };
        Config::load(sources).unwrap_or_else(|problems| panic!("{problems}"))
    }

    pub fn oracle(&self) -> Oracle {
        self.sim.oracle()
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().to_path_buf()
    }

    /// The same ledger as the worker's, opened as a command beside it.
    pub async fn beside(&self) -> Ledger {
        app::open_ledger(&self.config(), Access::Beside).await.expect("the ledger opens")
    }

    pub fn directory(&self) -> Directory {
        let config = self.config();
        let display = |number: &NumberConfig| number.display.as_ref().map_or("", |shown| shown.as_written()).to_owned();
        let known = config.numbers.iter().map(|number| (number.id.parse().expect("an id"), display(number)));
        let known: Vec<(NumberId, String)> = known.collect();
        Pools::new(&config).directory(known.iter().map(|(id, display)| (id, display.as_str())))
    }

    /// Hands jobs in, as a producer's JSON.
    pub async fn enqueue(&self, ledger: &Ledger, jobs: &[serde_json::Value]) -> Vec<Enqueued> {
        let directory = self.directory();
        let mut answers = Vec::new();
        for chunk in jobs.chunks(200) {
            let now = clock::now().wall;
            let routed = chunk.iter().map(|json| {
                let job = job::parse(json.to_string().as_bytes(), &Received::here(now)).expect("a valid job");
                let route = directory.route(&job.from).expect("a route");
                Routed { job: Arc::new(job), route }
            });
            answers.extend(ledger.enqueue(routed.collect(), now).await.expect("the ledger takes them"));
        }
        answers
    }

    /// Starts a worker.
    pub fn start(&self) -> Running {
        self.start_with(RunOptions::default())
    }

    /// Starts a worker that begins with a hold over everything.
    pub fn start_held(&self) -> Running {
        self.start_with(RunOptions { held: true, ..RunOptions::default() })
    }

    /// Starts these parts; serves no `ops.listen`.
    pub fn start_with(&self, options: RunOptions) -> Running {
        let config = self.config();
        let stop = CancellationToken::new();
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let options = RunOptions { quiet: true, ..options };
            runtime.block_on(app::run(&config, options, told)).expect("the worker runs")
        });
        Running { stop, thread }
    }

    /// Waits until no job is on its way any more.
    pub async fn all_ended(&self, ledger: &Ledger) {
        let open = async || {
            let census = ledger.census().await.expect("a census");
            census.states.iter().filter(|(state, _)| !state.has_ended()).map(|(_, count)| count).sum::<u64>()
        };
        until(ledger, "every job ends", async || (open().await == 0).then_some(())).await;
    }

    /// Waits until a job's row is as it should be.
    pub async fn row_when(&self, ledger: &Ledger, id: &str, wanted: impl Fn(&JobRow) -> bool) -> JobRow {
        let last = std::cell::RefCell::new(None);
        let look = async || {
            let row = self.row(ledger, id).await;
            *last.borrow_mut() = Some(row.clone());
            Some(row).filter(&wanted)
        };
        match tokio::time::timeout(PATIENCE, looking(ledger, look)).await {
            Ok(row) => row,
            Err(_) => panic!("waited {PATIENCE:?} in vain for {:?}", last.into_inner()),
        }
    }

    /// Waits until Meta has accepted so many in all.
    pub async fn accepted(&self, count: u64) {
        let oracle = self.oracle();
        patient(&format!("{count} are accepted"), oracle.wait_for(count)).await;
    }

    /// One job's row.
    pub async fn row(&self, ledger: &Ledger, id: &str) -> JobRow {
        let name = JobRef { source: None, id: id.to_owned() };
        let mut rows = ledger.show(name).await.expect("the ledger answers");
        assert_eq!(rows.len(), 1, "one job is called {id}");
        rows.remove(0)
    }

    /// Every row, the newest first.
    pub async fn rows(&self, ledger: &Ledger) -> Vec<JobRow> {
        ledger.jobs(JobFilter { limit: 1_000_000, ..JobFilter::default() }).await.expect("the ledger answers")
    }
}

impl Running {
    /// Stops it cleanly.
    pub fn stop(self) -> Drained {
        self.stop.cancel();
        self.thread.join().expect("the worker did not panic")
    }
}

/// Looks whenever the ledger changed, and 20 times a second for what no signal tells, until there is something to see.
pub async fn until<Seen>(ledger: &Ledger, what: &str, look: impl AsyncFn() -> Option<Seen>) -> Seen {
    patient(what, looking(ledger, look)).await
}

/// The same, without an end.
pub async fn looking<Seen>(ledger: &Ledger, look: impl AsyncFn() -> Option<Seen>) -> Seen {
    let mut signals = ledger.signals();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        let _news = tokio::time::timeout(Duration::from_millis(50), signals.changed()).await;
    }
}

/// Waits, and says what for if it was in vain.
pub async fn patient<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// The ledger against the oracle, row by row: what is accepted here was accepted there once, under the same id, and
/// whatever was accepted there is accepted here or at least not known to be unsent.
pub fn audit(rows: &[JobRow], oracle: &Oracle) {
    let mut there: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    for entry in oracle.accepted_entries() {
        let callback = entry.callback.expect("every request carries its job's key and attempt");
        let (key, _attempt) = callback.rsplit_once(':').expect("key:attempt");
        there.entry(key.to_owned()).or_default().push(entry.wamid);
    }
    for row in rows {
        let sent = there.remove(&row.key.to_string()).unwrap_or_default();
        let told = format!("job {} ({}, attempts {}) against {sent:?}", row.id, row.state, row.attempts);
        match row.state {
            State::Accepted => assert_eq!(sent, std::slice::from_ref(&row.wamid), "{told}"),
            State::Unresolved => assert!(sent.len() <= 1, "{told}"),
            State::Queued
            | State::Waiting
            | State::Sending
            | State::Unknown
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Failed
            | State::Expired
            | State::Cancelled
            | State::Suppressed => assert!(sent.is_empty(), "{told}"),
        }
    }
    assert!(there.is_empty(), "accepted at Meta without a row: {there:?}");
}

/// A text to a fictional recipient.
pub fn text(id: &str, priority: &str) -> serde_json::Value {
    serde_json::json!({
        "id": id, "to": recipient(id), "priority": priority, "on_unknown": "leave",
        "message": { "type": "text", "text": { "body": format!("hello {id}") } }
    })
}

/// A number of the range for fiction, one for each id as far as the range goes.
pub fn recipient(id: &str) -> String {
    let digits: u64 = id.bytes().fold(7, |sum, byte| (sum * 131 + u64::from(byte)) % 1_000_000_000);
    format!("+999{digits:09}")
}

/// States of all rows, counted.
pub fn count(rows: &[JobRow]) -> BTreeMap<State, usize> {
    rows.iter().fold(BTreeMap::new(), |mut counts, row| {
        *counts.entry(row.state).or_default() += 1;
        counts
    })
}
