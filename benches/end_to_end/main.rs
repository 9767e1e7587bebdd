//! Messages a second, and CPU a message: the whole worker against a stub that answers at once, over each queue and
//! ledger, beside a bare reqwest loop against the same stub in the same run.
//!
//! `cargo bench --bench end_to_end -- [messages]`; with `TEST_AMQP_URL` and `TEST_DATABASE_URL` (`make bench` starts
//! both) over RabbitMQ and PostgreSQL too.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use tidegate::app::{self, RunOptions};
use tidegate::ledger::sqlite::Access;
use tidegate::sim::{NumberSpec, Sim, SimConfig};
use tokio_util::sync::CancellationToken;

mod producing;
mod setup;

use setup::Setup;

const NUMBERS: usize = 30;

fn main() {
    let messages = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(60_000);
    println!("{}", machine());
    let numbers = (0..NUMBERS).map(|n| NumberSpec::new(format!("{}", 1001 + n)).with_mps(1_000));
    let sim = Sim::spawn_thread(SimConfig { stub: true, ..SimConfig::with_numbers(numbers) }).expect("a stub");
    let bare = bare_loop(&sim, messages);
    bare.print("bare reqwest loop, 64 in flight", &bare);
    for setup in Setup::ALL.iter().filter(|setup| setup.can_be_had()) {
        worker(&sim, setup, messages).print(setup.name, &bare);
    }
}

struct Figure {
    messages: usize,
    wall: Duration,
    cpu: BTreeMap<String, Duration>,
}

impl Figure {
    fn cpu_total(&self) -> f64 {
        self.cpu.values().map(Duration::as_secs_f64).sum::<f64>() * 1e6 / self.messages as f64
    }

    fn print(&self, name: &str, yardstick: &Self) {
        let rate = self.messages as f64 / self.wall.as_secs_f64();
        println!(
            "{name}: {rate:.0}/s, {:.1} us of CPU a message, {:.2} times the bare loop",
            self.cpu_total(),
            self.cpu_total() / yardstick.cpu_total()
        );
        for (thread, cpu) in &self.cpu {
            println!("    {thread}: {:.1} us", cpu.as_secs_f64() * 1e6 / self.messages as f64);
        }
    }
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_matches([':', ' ', '\t']);
    format!("machine: {} cores, {model}", std::thread::available_parallelism().map_or(0, usize::from))
}

/// CPU time of this process's threads by name, but for those of the stub.
fn threads() -> BTreeMap<String, Duration> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(')') else { continue };
        let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap_or(0) + fields[12].parse::<u64>().unwrap_or(0);
        if !name.contains("sim") {
            *threads.entry(name).or_default() += Duration::from_millis(ticks * 10);
        }
    }
    threads
}

fn since(before: &BTreeMap<String, Duration>) -> BTreeMap<String, Duration> {
    let none = Duration::ZERO;
    let spent = threads().into_iter().map(|(name, cpu)| {
        let earlier = before.get(&name).copied().unwrap_or(none);
        (name, cpu.saturating_sub(earlier))
    });
    spent.filter(|(_, cpu)| !cpu.is_zero()).collect()
}

/// A job of about 600 bytes.
fn job(n: usize) -> String {
    serde_json::json!({
        "id": format!("bench-{n}"), "to": format!("+4477009{:05}", n % 100_000), "priority": "bulk", "on_unknown": "leave",
        "message": { "type": "template", "template": { "name": "spring_sale", "language": { "code": "en_US" },
            "components": [{ "type": "body", "parameters": [{ "type": "text", "text": "Anna ".repeat(60) }] }] } }
    })
    .to_string()
}

fn bare_loop(sim: &Sim, messages: usize) -> Figure {
    let body = job(0);
    let url = format!("{}/v25.0/1001/messages", sim.url());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let provider = rustls::crypto::ring::default_provider();
        let _already = provider.install_default();
        let client = reqwest::Client::builder().tcp_nodelay(true).build().expect("a client");
        let before = threads();
        let start = Instant::now();
        stream::iter(0..messages)
            .for_each_concurrent(64, |_| {
                let request = client
                    .post(&url)
                    .header("authorization", "Bearer test-token")
                    .header("content-type", "application/json")
                    .body(body.clone());
                async move {
                    let answer = request.send().await.expect("an answer");
                    let _answer: serde_json::Value =
                        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
                }
            })
            .await;
        Figure { messages, wall: start.elapsed(), cpu: since(&before) }
    })
}

fn worker(sim: &Sim, setup: &Setup, messages: usize) -> Figure {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let place = setup.place(sim).await;
        let config = &place.config;
        let ledger = app::open_ledger(config, Access::Worker).await.expect("a ledger");
        if setup.broker {
            place.publish(messages).await
        } else {
            place.enqueue(&ledger, messages).await
        }
        let oracle = sim.oracle();
        let already = oracle.accepted();
        let stop = CancellationToken::new();
        let before = threads();
        let watch = async {
            // The first window is a new owner's: it begins full.
            oracle.wait_for(already + 1).await;
            let start = Instant::now();
            oracle.wait_for(already + messages as u64).await;
            let wall = start.elapsed();
            let cpu = since(&before);
            stop.cancel();
            Figure { messages, wall, cpu }
        };
        let run = app::run_on(config, RunOptions { quiet: true, ..RunOptions::default() }, ledger, stop.clone());
        let (figure, drained) = tokio::join!(watch, run);
        println!("    drained: {:?}", drained.expect("the worker runs"));
        place.clear().await;
        figure
    })
}
