//! The figures that the project promises, taken from the real binary against the simulator's own log.
//!
//! `cargo bench --bench acceptance`: prints each figure beside what is promised, and fails if one is missed. Takes
//! about two minutes, and wants a quiet machine.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidegate::app;
use tidegate::clock;
use tidegate::config::{Config, Sources};
use tidegate::fleet::Pools;
use tidegate::job::{self, NumberId, Received};
use tidegate::ledger::sqlite::Access;
use tidegate::ledger::{JobFilter, JobRef, Ledger, Routed};
use tidegate::outcome::State;
use tidegate::sim::{Fault, NumberSpec, Sim, SimConfig};

const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut verdicts = Vec::new();
    runtime.block_on(async {
        verdicts.push(throughput(0).await);
        verdicts.push(throughput(1_000_000).await);
        verdicts.push(rate().await);
        verdicts.push(urgent().await);
        verdicts.push(retry().await);
    });
    if verdicts.contains(&false) {
        std::process::exit(1);
    }
}

/// Prints one figure beside its promise.
fn verdict(what: &str, figures: &str, kept: bool) -> bool {
    println!("{} {what}: {figures}", if kept { "kept  " } else { "MISSED" });
    kept
}

struct Stand {
    sim: Sim,
    dir: TempDir,
    numbers: Vec<(String, u32)>,
    pools: Vec<(String, Vec<String>)>,
}

impl Stand {
    fn new(numbers: &[(String, u32)], pools: &[(String, Vec<String>)]) -> Self {
        let specs = numbers.iter().map(|(id, rate)| NumberSpec::new(id.clone()).with_mps(*rate));
        let sim = Sim::spawn_thread(SimConfig::with_numbers(specs)).expect("a free port");
        let dir = TempDir::new().expect("a directory");
        Self { sim, dir, numbers: numbers.to_vec(), pools: pools.to_vec() }
    }

    fn settings(&self) -> Vec<(String, String)> {
        let mut settings = vec![
            ("data_dir".to_owned(), self.dir.path().display().to_string()),
            ("cloud_api.base_url".to_owned(), self.sim.url()),
            ("cloud_api.access_token".to_owned(), "token".to_owned()),
            ("ops.listen".to_owned(), "127.0.0.1:0".to_owned()),
            ("retry.base".to_owned(), "4s".to_owned()),
            ("log.filter".to_owned(), "warn".to_owned()),
        ];
        for (slot, (id, rate)) in self.numbers.iter().enumerate() {
            settings.push((format!("numbers[{slot}].id"), id.clone()));
            settings.push((format!("numbers[{slot}].rate"), format!("{rate}/s")));
        }
        for (slot, (name, numbers)) in self.pools.iter().enumerate() {
            settings.push((format!("pools[{slot}].name"), name.clone()));
            for (n, number) in numbers.iter().enumerate() {
                settings.push((format!("pools[{slot}].numbers[{n}]"), number.clone()));
            }
        }
        settings
    }

    fn config(&self) -> Config {
        let sources = Sources { file: None, env: BTreeMap::new(), dotenv: None, overrides: self.settings() };
        Config::load(sources).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn tidegate(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(TIDEGATE);
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        for (key, value) in self.settings() {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command
    }

    fn run(&self) -> Worker {
        Worker(self.tidegate(&["run"]).spawn().expect("the binary starts"))
    }

    /// Hands a file in by the command, and says whether all of it was taken.
    fn send_file(&self, lines: impl Iterator<Item = String>) -> bool {
        let path = self.dir.path().join("jobs.jsonl");
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).expect("a file"));
        for line in lines {
            writeln!(file, "{line}").expect("room");
        }
        file.flush().expect("room");
        let status =
            self.tidegate(&["send", "--file", "jobs.jsonl"]).stderr(Stdio::null()).stdout(Stdio::null()).status();
        status.expect("the binary runs").success()
    }

    async fn beside(&self) -> Ledger {
        app::open_ledger(&self.config(), Access::Beside).await.expect("a ledger")
    }

    async fn enqueue(&self, ledger: &Ledger, json: &str) -> Duration {
        let config = self.config();
        let ids: Vec<NumberId> = config.numbers.iter().map(|n| n.id.parse().expect("an id")).collect();
        let directory = Pools::new(&config).directory(ids.iter().map(|id| (id, "")));
        let now = clock::now().wall;
        let job = job::parse(json.as_bytes(), &Received::here(now)).expect("a job");
        let route = directory.route(&job.from).expect("a route");
        ledger.enqueue(vec![Routed { job: Arc::new(job), route }], now).await.expect("room");
        Duration::from_nanos(self.sim.oracle().now_ns())
    }
}

/// A running worker; killed when it is not stopped.
struct Worker(Child);

impl Worker {
    /// The most memory it ever had, in MiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|text| text.trim_end_matches("kB").trim().parse::<u64>().ok()).map_or(0, |kib| kib / 1_024)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn line(id: &str, n: usize, priority: &str, from: &str) -> String {
    serde_json::json!({
        "id": id, "to": format!("+4477{:08}", n), "from": from, "priority": priority, "on_unknown": "leave",
        "message": { "type": "template", "template": { "name": "spring_sale", "language": { "code": "en_US" },
            "components": [{ "type": "body", "parameters": [{ "type": "text", "text": "Anna ".repeat(60) }] }] } }
    })
    .to_string()
}

/// 20,000 jobs by `send --file`, accepted exactly once, in 64 MiB; also with many others standing.
async fn throughput(standing: usize) -> bool {
    let numbers: Vec<(String, u32)> =
        (0..20).map(|n| (format!("{}", 1001 + n), 1_000)).chain([("5001".into(), 1)]).collect();
    let stand = Stand::new(&numbers, &[("slow".into(), vec!["5001".into()])]);
    assert!(stand.send_file((0..standing).map(|n| line(&format!("slow-{n}"), n, "bulk", "slow"))), "all is taken");
    let worker = stand.run();
    let taken = stand.send_file((0..20_000).map(|n| line(&format!("fast-{n}"), n, "normal", "default")));
    let oracle = stand.sim.oracle();
    let fast =
        || oracle.stats().numbers.iter().filter(|(id, _)| id.as_ref() != "5001").map(|(_, n)| n.accepted).sum::<u64>();
    let mut waited = 0;
    while fast() < 20_000 && waited < 600 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        waited += 1;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ledger = stand.beside().await;
    let filter = JobFilter { pool: Some("default".parse().expect("a pool")), limit: 30_000, ..JobFilter::default() };
    let rows = ledger.jobs(filter).await.expect("rows");
    let accepted = rows.iter().filter(|row| row.state == State::Accepted).count();
    let doubled = oracle.stats().duplicate_jobs;
    let peak = worker.peak();
    let kept = taken && fast() == 20_000 && accepted == 20_000 && doubled == 0 && peak <= 64;
    let what = format!("20,000 jobs by send --file, {standing} others standing");
    verdict(
        &what,
        &format!("at Meta {}, rows accepted {accepted}, doubled {doubled}, peak {peak} MiB (at most 64)", fast()),
        kept,
    )
}

/// One number of 80/s with a backlog, over 30 s from its first send.
async fn rate() -> bool {
    let stand = Stand::new(&[("1001".into(), 80)], &[]);
    assert!(stand.send_file((0..3_000).map(|n| line(&format!("job-{n}"), n, "bulk", "default"))), "all is taken");
    let _worker = stand.run();
    let oracle = stand.sim.oracle();
    oracle.wait_for(80 * 31).await;
    let entries = oracle.accepted_entries();
    let first = entries[0].at();
    let within = entries.iter().filter(|entry| entry.at() - first < Duration::from_secs(30)).count();
    let rate = within as f64 / 30.0;
    let worst = oracle.worst_sliding_second("1001");
    let figures = format!("{rate:.2}/s (at least 78.8), worst sliding second {worst} (at most 80)");
    verdict("one number of 80/s for 30 s", &figures, rate >= 78.8 && worst <= 80)
}

/// Urgent jobs behind 20,000 bulk jobs of the same number: from the enqueueing commit to the simulator.
async fn urgent() -> bool {
    let stand = Stand::new(&[("1001".into(), 80)], &[]);
    assert!(stand.send_file((0..20_000).map(|n| line(&format!("bulk-{n}"), n, "bulk", "default"))), "all is taken");
    let _worker = stand.run();
    let (oracle, ledger) = (stand.sim.oracle(), stand.beside().await);
    oracle.wait_for(100).await;
    let mut committed = BTreeMap::new();
    for n in 0..200_usize {
        let recipient = 99_000_000 + n;
        let at = stand.enqueue(&ledger, &line(&format!("otp-{n}"), recipient, "urgent", "default")).await;
        committed.insert(format!("+4477{recipient:08}"), at);
        // Not in step with the permits.
        tokio::time::sleep(Duration::from_millis(45 + (n as u64 * 7) % 23)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let arrivals = oracle.accepted_entries();
    let mut waits: Vec<Duration> = arrivals
        .iter()
        .filter_map(|entry| Some(entry.at().saturating_sub(*committed.get(entry.recipient.as_str())?)))
        .collect();
    waits.sort_unstable();
    let (median, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    let figures = format!("{} sent, median {median:.1?} (at most 30 ms), p99 {p99:.1?} (at most 80 ms)", waits.len());
    let kept = waits.len() == 200 && median <= Duration::from_millis(30) && p99 <= Duration::from_millis(80);
    verdict("urgent behind 20,000 bulk jobs", &figures, kept)
}

/// Retries behind the same backlog leave on their due time.
async fn retry() -> bool {
    let stand = Stand::new(&[("1001".into(), 80)], &[]);
    stand.sim.set_faults(vec!["recipient_suffix=7,probability=0.3,code=131000".parse::<Fault>().expect("a fault")]);
    assert!(stand.send_file((0..20_000).map(|n| line(&format!("bulk-{n}"), n, "bulk", "default"))), "all is taken");
    let _worker = stand.run();
    let (oracle, ledger) = (stand.sim.oracle(), stand.beside().await);
    oracle.wait_for(800).await;
    let mut late = Vec::new();
    let rows = ledger
        .jobs(JobFilter { state: Some(State::Accepted), limit: 2_000, ..JobFilter::default() })
        .await
        .expect("rows");
    for row in rows.iter().filter(|row| row.attempts == 2) {
        let due = ledger.trail(row.key).await.expect("a trail")[0].until.expect("a retry has a time");
        let shown = ledger.show(JobRef { source: None, id: row.id.clone() }).await.expect("a row");
        let wamid = shown[0].wamid.clone();
        if let Some(entry) = oracle.accepted_entries().iter().find(|entry| entry.wamid == wamid) {
            late.push(i64::try_from(entry.unix_ms).unwrap_or(0) - due.as_millis());
        }
    }
    late.sort_unstable();
    let worst = late.last().copied().unwrap_or(i64::MAX);
    let median = late.get(late.len() / 2).copied().unwrap_or(i64::MAX);
    let figures = format!("{} retries, {median} ms late at the median, {worst} ms at worst (at most 100)", late.len());
    verdict("retries behind 20,000 bulk jobs", &figures, !late.is_empty() && worst <= 100)
}
