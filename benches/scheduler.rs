//! What the core costs a message, from pick to answer, by numbers and by jobs in hand: it should be flat. Beside it a
//! bare queue that hands the same deliveries on and decides nothing.

use std::collections::VecDeque;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use serde_json::json;
use serde_json::value::to_raw_value;
use tidegate::clock::{self, Mono, Now, Timestamp};
use tidegate::job::{Category, Digest, From, Job, JobKey, Message, NumberId, OnUnknown, PoolName, Priority};
use tidegate::ledger::sqlite::{Access, Migrate, SqliteLedger};
use tidegate::ledger::{
    Account, Admission, AdmitRequest, Admitted, Claimed, Fence, Hand, LaneRoom, Ledger, Route, Routed, WorkerId,
};
use tidegate::worker::intake::{Caps, Intake};
use tidegate::worker::lane::Delivery;
use tidegate::worker::launch::{Core, Start};
use tidegate::worker::number::{NumberSpec, Ready, Tenure};
use tidegate::worker::pacer::Limit;
use tidegate::worker::pairs::PairRule;
use tidegate::worker::scheduler::{Pick, Scheduler};
use uuid::Uuid;

const WORKER: WorkerId = WorkerId(Uuid::from_u128(1));
const PER_SECOND: NonZeroU32 = NonZeroU32::new(80).expect("not zero");
/// More than the pads of 1,000 numbers hold.
const ADMISSIONS: usize = 6_000;

fn job(n: usize, priority: Priority) -> Job {
    let id = format!("bench-{n}").parse().expect("an id");
    Job {
        key: JobKey::of(None, &id),
        id,
        source: None,
        digest: Digest::from_bytes([0; 16]),
        from: From::Pool(PoolName::default_pool()),
        priority,
        to: "+447700900123".parse().expect("a phone number"),
        message: Message { kind: "text".to_owned(), template: None, json: to_raw_value(&json!({})).expect("JSON") },
        category: Category::Service,
        campaign: None,
        not_before: None,
        expires_at: Timestamp::MAX,
        deliver_within: None,
        on_unknown: OnUnknown::Leave,
        marketing: None,
        metadata: None,
        enqueued_at: Timestamp::from_millis(0),
    }
}

fn route() -> Route {
    Route { pool: PoolName::default_pool(), pinned: None }
}

fn account() -> Arc<Account> {
    Arc::new(Account { credential: "main".into(), waba: "1".into(), portfolio: "2".into() })
}

/// Only a ledger makes admissions, so a real one makes as many as are ever admitted at once; they go round.
fn admissions() -> Vec<Admission> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::Sqlite(SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("opened"));
    let (now, number): (_, NumberId) = (clock::now().wall, "1001".parse().expect("a number"));
    let jobs: Vec<Routed> =
        (0..ADMISSIONS).map(|n| Routed { job: Arc::new(job(n, Priority::Normal)), route: route() }).collect();
    let room = u32::try_from(ADMISSIONS).expect("small");
    let lane = LaneRoom { route: route(), priority: Priority::Normal, timed: 0, fresh: room, has_places: false };
    runtime.block_on(async {
        let names = vec!["number:1001".to_owned()];
        let leases = ledger.take_leases(WORKER, names, Duration::from_secs(600), now).await.expect("leased");
        ledger.enqueue(jobs.clone(), now).await.expect("enqueued");
        ledger.claim(WORKER, vec![lane], now).await.expect("claimed");
        let request = |routed: Routed| AdmitRequest {
            hand: Hand::Claimed(WORKER),
            again: false,
            routed,
            number: number.clone(),
            fence: leases[0].fence,
            account: account(),
            deadline: now + Duration::from_secs(600),
            probe: None,
            siblings: std::sync::Arc::new([]),
            unfit: None,
        };
        let answers = ledger.admit(jobs.into_iter().map(request).collect(), now).await.expect("answered");
        let admission = |answer| match answer {
            Admitted::Go(admission) => admission,
            other => panic!("not admitted: {other:?}"),
        };
        answers.into_iter().map(admission).collect()
    })
}

/// A core with so many numbers and jobs, on virtual time: what was sent comes back as a new job.
struct Bench {
    core: Core,
    intake: Intake,
    admissions: Vec<Admission>,
    now: Now,
}

fn later(now: Now, at: Mono) -> Now {
    now + at.since(now.mono)
}

impl Bench {
    fn new(numbers: usize, waiting: usize, admissions: Vec<Admission>) -> Self {
        let mut core = Core::new(Scheduler::new(Duration::from_millis(50)));
        // One recipient gets them all.
        core.scheduler.set_pair_rule(PairRule::none());
        let now = Now { mono: Mono::from_nanos(0), wall: Timestamp::from_millis(0) };
        let pool = core.scheduler.pool(&PoolName::default_pool());
        for n in 0..numbers {
            let id = (1_000 + n).to_string().parse().expect("digits");
            let limit = Limit::per_second(PER_SECOND);
            let spec = NumberSpec { id, display: n.to_string(), pool, account: account(), limit };
            let number = core.scheduler.add_number(spec, Duration::from_millis(8), now);
            let until = now.mono + Duration::from_secs(1_000_000_000);
            core.set_tenure(number, Some(Tenure { fence: Fence(1), until }), now.mono);
        }
        // The same few jobs again and again: a million different ones would measure the memory, not the core.
        let jobs: Vec<Arc<Job>> = Priority::ALL.iter().map(|priority| Arc::new(job(0, *priority))).collect();
        for n in 0..waiting {
            let routed = Routed { job: Arc::clone(&jobs[n % 4]), route: route() };
            core.scheduler
                .push(Delivery { routed, due_at: None, ticket: None, bytes: 500 })
                .expect("the lane is served");
        }
        // Full, as it mostly is; what there is to know of lanes is asked all the same.
        let intake = Intake::new(Caps { count: waiting + numbers * 1_000, bytes: usize::MAX });
        Self { core, intake, admissions, now }
    }

    /// Until one more message has been sent and answered.
    fn message(&mut self) {
        let wanted = self.intake.wanted(&mut self.core.scheduler, self.now.mono, self.now.wall);
        let nothing = Claimed { more: vec![false; wanted.rooms.len()], ..Claimed::default() };
        self.intake.learn(&mut self.core.scheduler, &wanted, &nothing);
        loop {
            let wakes = match self.core.scheduler.pick(self.now) {
                Pick::Admit(choice) => {
                    let admission = self.admissions.pop().expect("enough for every pad");
                    let (start_by, admitted_at) = (self.now.mono + Duration::from_secs(1_000_000), self.now.mono);
                    let (delivery, probe) = (choice.delivery, choice.probe);
                    let ready = Ready { admission, delivery, probe, start_by, admitted_at };
                    self.core.admitted(choice.number, ready, self.now.mono);
                    None
                }
                Pick::Park(_, hold) => panic!("nothing is held, least of all by {hold:?}"),
                Pick::Defer(_, until, reason) => panic!("nobody waits until {until}, least of all for {reason}"),
                Pick::WaitUntil(at) => Some(at),
                Pick::Idle => Some(self.now.mono + Duration::from_secs(1)),
            };
            match self.core.start(self.now) {
                Start::Go(launch) => {
                    self.core.finished(launch.number, launch.probe, Some(false), self.now.mono);
                    self.admissions.push(launch.admission);
                    return self.core.scheduler.push(launch.delivery).expect("the lane is served");
                }
                Start::Stopped(_, _, cause) => panic!("stopped: {cause}"),
                Start::WaitUntil(at) => {
                    if let Some(wakes) = wakes {
                        self.now = later(self.now, at.min(wakes));
                    }
                }
                Start::Idle => {
                    if let Some(wakes) = wakes {
                        self.now = later(self.now, wakes);
                    }
                }
            }
        }
    }
}

const SHAPES: [(usize, usize); 8] = [
    (1, 1),
    (1, 1_000),
    (1, 1_000_000),
    (10, 1_000),
    (100, 1_000),
    (1_000, 1_000),
    (1_000, 100_000),
    (1_000, 1_000_000),
];

fn by_criterion(criterion: &mut Criterion, mut admissions: Vec<Admission>) -> Vec<Admission> {
    let mut group = criterion.benchmark_group("scheduler/message");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for (numbers, waiting) in SHAPES {
        let mut bench = Bench::new(numbers, waiting, admissions);
        group.bench_function(BenchmarkId::new(format!("{numbers}_numbers"), waiting), |bencher| {
            bencher.iter(|| bench.message());
        });
        admissions = bench.close();
    }
    group.finish();
    admissions
}

impl Bench {
    /// Gives back what it borrowed.
    fn close(mut self) -> Vec<Admission> {
        let admitted = self.core.clear_pad().into_iter().map(|(_, ready)| ready.admission);
        self.admissions.extend(admitted);
        self.admissions
    }
}

/// The same deliveries, handed on by a queue that decides nothing.
fn bare(waiting: usize, messages: u32) -> f64 {
    let shared = Arc::new(job(0, Priority::Normal));
    let delivery = || Delivery {
        routed: Routed { job: Arc::clone(&shared), route: route() },
        due_at: None,
        ticket: None,
        bytes: 500,
    };
    let mut queue: VecDeque<Delivery> = (0..waiting).map(|_| delivery()).collect();
    let began = clock::now().mono;
    for _ in 0..messages {
        let next = queue.pop_front().expect("goes round");
        queue.push_back(black_box(next));
    }
    clock::now().mono.since(began).as_secs_f64() * 1e9 / f64::from(messages)
}

fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(" unknown");
    format!("{cpus} cpus,{}", model.trim_start_matches(['\t', ' ', ':']).replace("  ", " "))
}

#[expect(clippy::print_stdout, reason = "a bench tells people")]
fn table(mut admissions: Vec<Admission>) {
    const MESSAGES: u32 = 300_000;
    let mut first = None;
    println!("\nclaim looked at, pick, admitted, start, finished, push again: ns a message, on {}", machine());
    for (numbers, waiting) in SHAPES {
        let mut bench = Bench::new(numbers, waiting, admissions);
        for _ in 0..20_000 {
            bench.message();
        }
        let began = clock::now().mono;
        for _ in 0..MESSAGES {
            bench.message();
        }
        let each = clock::now().mono.since(began).as_secs_f64() * 1e9 / f64::from(MESSAGES);
        let bare = bare(waiting, MESSAGES);
        if waiting == 1_000 {
            first.get_or_insert(each);
        }
        println!(
            "{numbers:>5} numbers, {waiting:>9} jobs: {each:7.0}   {:.2} of one number's, bare queue {bare:5.1}, ratio {:.0}",
            each / first.unwrap_or(each),
            each / bare
        );
        admissions = bench.close();
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let admissions = by_criterion(&mut criterion, admissions());
    criterion.final_summary();
    // `cargo test --benches` only wants to see it run.
    if !std::env::args().any(|arg| arg == "--test") {
        table(admissions);
    }
}
