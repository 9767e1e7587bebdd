//! What the embedded ledger costs: each call per row, a claim with many rows standing, and the whole way of a job in
//! CPU time beside a bare loop that inserts and updates one row a job in the same file system.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::cell::LazyCell;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use rusqlite::{Connection, params};
use serde_json::json;
use serde_json::value::to_raw_value;
use tempfile::TempDir;
use tidegate::clock::{self, Timestamp};
use tidegate::job::{Category, Digest, From, Job, JobKey, Message, OnUnknown, Priority, TemplateRef};
use tidegate::ledger::sqlite::{Access, Migrate, SqliteLedger};
use tidegate::ledger::{
    Account, AdmitRequest, Admitted, ClaimedRow, Fate, Fence, Hand, LaneRoom, Ledger, Route, Routed, Settlement,
    WorkerId,
};
use tokio::runtime::Runtime;
use uuid::Uuid;

const BATCHES: [usize; 3] = [1, 50, 200];
const WORKER: WorkerId = WorkerId(Uuid::from_u128(1));

/// A ledger in a folder of its own, with a clock that stands still.
struct Bench {
    runtime: Runtime,
    ledger: Ledger,
    fence: Fence,
    now: Timestamp,
    made: u64,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.db");
        let ledger = SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("opened");
        let ledger = Ledger::Sqlite(ledger);
        let now = clock::now().wall;
        let (names, ttl) = (vec!["number:1001".to_owned()], Duration::from_secs(86_400));
        let leases = runtime.block_on(ledger.take_leases(WORKER, names, ttl, now)).expect("leased");
        Self { runtime, ledger, fence: leases[0].fence, now, made: 0, folder }
    }

    fn jobs(&mut self, n: usize) -> Vec<Routed> {
        let from = self.made;
        self.made += n as u64;
        (from..self.made).map(|n| routed(n, self.now)).collect()
    }

    fn enqueue(&self, jobs: Vec<Routed>) {
        black_box(self.runtime.block_on(self.ledger.enqueue(jobs, self.now)).expect("enqueued"));
    }

    fn claim(&self, n: usize) -> Vec<ClaimedRow> {
        let room = u32::try_from(n).expect("a small batch");
        let lane = LaneRoom { route: route(), priority: Priority::Normal, timed: room, fresh: room, has_places: false };
        let claimed = self.runtime.block_on(self.ledger.claim(WORKER, vec![lane], self.now)).expect("claimed");
        assert_eq!(claimed.rows.len(), n);
        claimed.rows
    }

    /// As the worker makes them of what it claimed.
    fn requests(&self, rows: Vec<ClaimedRow>, account: &Arc<Account>) -> Vec<AdmitRequest> {
        let number: tidegate::job::NumberId = "1001".parse().expect("a number");
        let request = |row: ClaimedRow| AdmitRequest {
            routed: Routed { job: serde_json::from_str::<Job>(&row.body).expect("a job").into(), route: row.route },
            hand: Hand::Claimed(WORKER),
            again: false,
            number: number.clone(),
            fence: self.fence,
            account: Arc::clone(account),
            deadline: self.now + Duration::from_secs(30),
            probe: None,
            siblings: Arc::new([]),
            unfit: None,
        };
        rows.into_iter().map(request).collect()
    }

    fn admit(&self, requests: Vec<AdmitRequest>) -> Vec<Settlement> {
        let answers = self.runtime.block_on(self.ledger.admit(requests, self.now)).expect("answered");
        let settlement = |answer| match answer {
            Admitted::Go(admission) => Settlement {
                key: admission.key(),
                attempt: admission.attempt(),
                at: self.now,
                fate: Fate::Accepted { wamid: wamid(), held_for_quality: false },
                hold: None,
                lift: None,
                delivered: None,
            },
            other => panic!("not admitted: {other:?}"),
        };
        answers.into_iter().map(settlement).collect()
    }

    fn settle(&self, settlements: Vec<Settlement>) {
        black_box(self.runtime.block_on(self.ledger.settle(settlements)).expect("settled"));
    }
}

fn wamid() -> String {
    format!("wamid.HBgMNDQ3NzAwOTAwMTIzFQIAERgS{:032X}", rand::random::<u128>())
}

fn route() -> Route {
    Route { pool: "default".parse().expect("a pool"), pinned: None }
}

/// A job of some 700 bytes with an id that tells nothing of time, as most producers' ids.
fn routed(n: u64, now: Timestamp) -> Routed {
    let id = format!("order-{n}-shipped").parse().expect("an id");
    let text = "Your order is on its way and will be with you between nine and eleven in the morning.";
    let parameters = json!([{ "type": "text", "text": text }, { "type": "text", "text": "Ada Lovelace" }]);
    let components = json!([{ "type": "body", "parameters": parameters }]);
    let template = json!({ "name": "order_shipped", "language": { "code": "en_US" }, "components": components });
    let json = json!({ "type": "template", "template": template });
    let to = format!("+4477{:08}", n % 100_000_000).parse().expect("a recipient");
    let from = From::Pool("default".parse().expect("a pool"));
    let template = TemplateRef { name: "order_shipped".to_owned(), language: "en_US".to_owned() };
    let job = Job {
        key: JobKey::of(None, &id),
        id,
        source: None,
        digest: Digest::of(&to, &from, &json),
        from,
        priority: Priority::Normal,
        to,
        message: Message {
            kind: "template".to_owned(),
            template: Some(template),
            json: to_raw_value(&json).expect("JSON"),
        },
        category: Category::Utility,
        campaign: None,
        not_before: None,
        expires_at: now + Duration::from_secs(86_400),
        deliver_within: None,
        on_unknown: OnUnknown::Leave,
        marketing: None,
        metadata: None,
        enqueued_at: now,
    };
    Routed { job: job.into(), route: route() }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = clock::now().mono;
    work();
    clock::now().mono.since(began)
}

/// Each call by itself, at three sizes of batch; criterion's throughput is in rows.
fn calls(criterion: &mut Criterion) {
    let account = Arc::new(Account { credential: "main".into(), waba: "1".into(), portfolio: "2".into() });
    for batch in BATCHES {
        let mut group = criterion.benchmark_group(format!("ledger/batch_{batch}"));
        group.throughput(Throughput::Elements(batch as u64));
        group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
        let mut bench = Bench::new();
        let mut each = |name: &str, measure: &mut dyn FnMut(&mut Bench) -> Duration| {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|n| (0..n).map(|_| measure(&mut bench)).sum());
            });
        };
        each("enqueue", &mut |bench| {
            let jobs = bench.jobs(batch);
            timed(|| bench.enqueue(jobs))
        });
        each("claim", &mut |bench| {
            let jobs = bench.jobs(batch);
            bench.enqueue(jobs);
            timed(|| drop(black_box(bench.claim(batch))))
        });
        each("admit", &mut |bench| {
            let jobs = bench.jobs(batch);
            bench.enqueue(jobs);
            let requests = bench.requests(bench.claim(batch), &account);
            timed(|| drop(black_box(bench.admit(requests))))
        });
        each("settle", &mut |bench| {
            let jobs = bench.jobs(batch);
            bench.enqueue(jobs);
            let settlements = bench.admit(bench.requests(bench.claim(batch), &account));
            timed(|| bench.settle(settlements))
        });
        group.finish();
    }
}

/// A claim must cost the same whatever stands behind it.
fn standing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ledger/claim_200_of");
    group.throughput(Throughput::Elements(200));
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for standing in [10_000_usize, 1_000_000] {
        // Made when it is asked for: a filter may leave it out.
        let bench = LazyCell::new(|| {
            let mut bench = Bench::new();
            while bench.made < standing as u64 {
                let jobs = bench.jobs(10_000);
                bench.enqueue(jobs);
            }
            bench
        });
        group.bench_function(BenchmarkId::from_parameter(standing), |bencher| {
            bencher.iter_custom(|n| {
                let one = |_| {
                    let mut rows = Vec::new();
                    let spent = timed(|| rows = bench.claim(200));
                    let keys = rows.into_iter().map(|row| row.key).collect();
                    bench.runtime.block_on(bench.ledger.give_back(WORKER, keys)).expect("given back");
                    spent
                };
                (0..n).map(one).sum()
            });
        });
    }
    group.finish();
}

/// CPU time of the whole process so far: fsync waits are not in it.
#[expect(clippy::disallowed_methods, reason = "CPU time is no clock that anybody decides by")]
fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(spent.tv_sec).unwrap_or(0), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

fn worked(work: impl FnOnce()) -> Duration {
    let began = cpu();
    work();
    cpu() - began
}

/// What a job costs from claim to settle, beside a bare loop over one table in batches of the same size.
fn whole_way() {
    let account = Arc::new(Account { credential: "main".into(), waba: "1".into(), portfolio: "2".into() });
    println!("\nclaim + admit + settle, CPU time of the whole process, µs a job:");
    for batch in BATCHES {
        let all_jobs = 2_000 * batch.min(20);
        let mut bench = Bench::new();
        let jobs = bench.jobs(all_jobs);
        bench.enqueue(jobs);
        let mut spent = [Duration::ZERO; 3];
        for _ in 0..all_jobs / batch {
            // The worker's own parsing is not the ledger's.
            let (mut rows, mut settlements) = (Vec::new(), Vec::new());
            spent[0] += worked(|| rows = bench.claim(batch));
            let requests = bench.requests(rows, &account);
            spent[1] += worked(|| settlements = bench.admit(requests));
            spent[2] += worked(|| bench.settle(settlements));
        }
        let bare = bare_loop(bench.folder.path(), all_jobs, batch);
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / all_jobs as f64;
        let all = spent.iter().sum::<Duration>();
        println!(
            "  batch {batch:>3}: {:6.1} = {:.1} + {:.1} + {:.1} (bare insert + update: {:.1}, ratio {:.1})",
            each(all),
            each(spent[0]),
            each(spent[1]),
            each(spent[2]),
            each(bare),
            all.as_secs_f64() / bare.as_secs_f64(),
        );
    }
}

/// One table, one prepared INSERT and one prepared UPDATE a job, the same durability.
fn bare_loop(folder: &Path, jobs: usize, batch: usize) -> Duration {
    let conn = Connection::open(folder.join("bare.db")).expect("opened");
    let settings = "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA wal_autocheckpoint = 4000;
        CREATE TABLE jobs (seq INTEGER PRIMARY KEY, body TEXT NOT NULL, state INTEGER NOT NULL);";
    conn.execute_batch(settings).expect("a table");
    let body = "x".repeat(700);
    let mut insert = conn.prepare("INSERT INTO jobs (seq, body, state) VALUES (?1, ?2, 0)").expect("SQL");
    let mut update = conn.prepare("UPDATE jobs SET state = 1 WHERE seq = ?1").expect("SQL");
    let began = cpu();
    for first in (0..jobs).step_by(batch) {
        for sql in ["insert", "update"] {
            conn.execute_batch("BEGIN IMMEDIATE").expect("begun");
            for seq in first..first + batch {
                match sql {
                    "insert" => insert.execute(params![seq as i64, body]).expect("inserted"),
                    _ => update.execute([seq as i64]).expect("updated"),
                };
            }
            conn.execute_batch("COMMIT").expect("committed");
        }
    }
    cpu() - began
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    calls(&mut criterion);
    standing(&mut criterion);
    criterion.final_summary();
    // `cargo test --benches` only wants to see it run.
    if !std::env::args().any(|arg| arg == "--test") {
        whole_way();
    }
}
