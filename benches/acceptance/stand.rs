//! Where a figure is taken: a simulator, a folder, and the real binary before them.

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
use tidegate::ledger::{Ledger, Routed};
use tidegate::sim::{NumberSpec, Sim, SimConfig};

const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");

/// A broker and a database that were started for this.
pub struct Services {
    pub amqp: String,
    pub database: String,
}

impl Services {
    pub fn named() -> Option<Self> {
        let named = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
        Some(Self { amqp: named("TEST_AMQP_URL")?, database: named("TEST_DATABASE_URL")? })
    }
}

/// One figure's world.
pub struct Stand {
    pub sim: Sim,
    dir: TempDir,
    numbers: Vec<(String, u32)>,
    pools: Vec<(String, Vec<String>)>,
    more: Vec<(String, String)>,
}

impl Stand {
    pub fn new(numbers: &[(String, u32)], pools: &[(String, Vec<String>)]) -> Self {
        let specs = numbers.iter().map(|(id, rate)| NumberSpec::new(id.clone()).with_mps(*rate));
        Self::simulated(SimConfig::with_numbers(specs), numbers, pools)
    }

    /// The same before this simulator.
    pub fn simulated(sim: SimConfig, numbers: &[(String, u32)], pools: &[(String, Vec<String>)]) -> Self {
        let sim = Sim::spawn_thread(SimConfig { punctual: true, ..sim }).expect("a free port");
        let dir = TempDir::new().expect("a directory");
        Self { sim, dir, numbers: numbers.to_vec(), pools: pools.to_vec(), more: Vec::new() }
    }

    /// Another setting for workers that start from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.more.push((key.to_owned(), value.to_owned()));
    }

    /// The same on these services, in a schema and with lanes of its own.
    pub async fn on(mut self, services: &Services) -> Self {
        let name = format!("acc_{}_{}", std::process::id(), clock::now().wall.as_millis());
        let settings = [
            ("ledger.url", &services.database),
            ("ledger.schema", &name),
            ("queue.url", &services.amqp),
            ("queue.prefix", &name),
        ];
        self.more.extend(settings.map(|(key, value)| (key.to_owned(), value.clone())));
        app::migrate(&self.config()).await.expect("schema and lanes");
        self
    }

    /// What its exchanges and queues begin with.
    pub fn prefix(&self) -> &str {
        self.more.iter().find(|(key, _)| key == "queue.prefix").map_or("tidegate", |(_, value)| value)
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
            // Without a rate of its own, a number's is what Meta says.
            if *rate > 0 {
                settings.push((format!("numbers[{slot}].rate"), format!("{rate}/s")));
            }
        }
        for (slot, (name, numbers)) in self.pools.iter().enumerate() {
            settings.push((format!("pools[{slot}].name"), name.clone()));
            for (n, number) in numbers.iter().enumerate() {
                settings.push((format!("pools[{slot}].numbers[{n}]"), number.clone()));
            }
        }
        settings.extend(self.more.iter().cloned());
        settings
    }

    pub fn config(&self) -> Config {
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

    pub fn run(&self) -> Worker {
        Worker(self.tidegate(&["run"]).spawn().expect("the binary starts"))
    }

    /// Hands a file in by the command, and says whether all of it was taken.
    pub fn send_file(&self, lines: impl Iterator<Item = String>) -> bool {
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

    pub async fn beside(&self) -> Ledger {
        app::open_ledger(&self.config(), Access::Beside).await.expect("a ledger")
    }

    pub async fn enqueue(&self, ledger: &Ledger, json: &str) -> Duration {
        self.enqueue_all(ledger, std::iter::once(json.to_owned())).await;
        Duration::from_nanos(self.sim.oracle().now_ns())
    }

    /// Hands jobs in, in one transaction.
    pub async fn enqueue_all(&self, ledger: &Ledger, lines: impl Iterator<Item = String>) {
        let config = self.config();
        let ids: Vec<NumberId> = config.numbers.iter().map(|n| n.id.parse().expect("an id")).collect();
        let directory = Pools::new(&config).directory(ids.iter().map(|id| (id, "")));
        let now = clock::now().wall;
        let routed = lines.map(|json| {
            let job = job::parse(json.as_bytes(), &Received::here(now)).expect("a job");
            let route = directory.route(&job.from).expect("a route");
            Routed { job: Arc::new(job), route }
        });
        ledger.enqueue(routed.collect(), now).await.expect("room");
    }
}

/// A running worker; killed with SIGKILL when it is dropped.
pub struct Worker(Child);

impl Worker {
    /// The most memory it ever had, in MiB.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.and_then(|text| text.trim_end_matches("kB").trim().parse::<u64>().ok()).map_or(0, |kib| kib / 1_024)
    }
}

impl Worker {
    /// The processor time that it took so far.
    pub fn busy(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 =
            after_name.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
        // Linux tells it in hundredths of a second.
        Duration::from_millis(ticks * 10)
    }

    /// SIGTERM, and waits until it has drained.
    pub fn stop(mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let _code = self.0.wait().expect("it ends");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _already = self.0.kill();
        let _reaped = self.0.wait();
    }
}
