//! The real binary, as people and scripts call it: what it prints where, and its exit codes.

mod costs;
mod media;

use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::sim::{NumberSpec, Sim, SimConfig};

/// A folder to work in, with nothing of this machine's environment.
struct Desk {
    dir: TempDir,
    env: Vec<(String, String)>,
}

/// What a command said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory"), env: Vec::new() }
    }

    /// A desk whose Meta is a simulator with number 1001.
    fn with(sim: &Sim) -> Self {
        let mut desk = Self::new();
        let mut set = |name: &str, value: String| desk.env.push((name.to_owned(), value));
        set("TIDEGATE_CLOUD_API__BASE_URL", sim.url());
        set("TIDEGATE_OPS__LISTEN", "127.0.0.1:0".to_owned());
        set("WHATSAPP_ACCESS_TOKEN", "test-token".to_owned());
        set("WHATSAPP_PHONE_NUMBER_ID", "1001".to_owned());
        desk
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(line.split_whitespace()).current_dir(self.dir.path()).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, line: &str) -> Said {
        Said::of(self.command(line).output().expect("the binary runs"))
    }

    fn run_with_stdin(&self, line: &str, input: &str) -> Said {
        let mut child = self.command(line).stdin(Stdio::piped()).spawn().expect("the binary runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        Said::of(child.wait_with_output().expect("it ends"))
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).expect("the folder can be written");
    }
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let said = Self {
            code: output.status.code().expect("no signal ended it"),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        assert!(!said.err.contains("panicked"), "{}", said.err);
        said
    }

    #[track_caller]
    fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, words: &str) -> Self {
        assert!(self.err.contains(words), "not said: {words}\nstderr: {}", self.err);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("stdout is one JSON document")
    }

    fn json_lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }
}

fn text_job(id: &str, to: &str) -> String {
    json!({"id": id, "to": to, "message": {"type": "text", "text": {"body": "hello"}}}).to_string()
}

/// So many jobs, one a line.
fn jobs(count: usize) -> String {
    (0..count).map(|n| text_job(&format!("job-{n}"), &format!("+4477009{n:05}")) + "\n").collect()
}

#[test]
fn where_there_is_no_ledger_commands_say_what_to_do() {
    let desk = Desk::new();
    for line in ["jobs list", "show a", "cancel a", "holds list", "dead list", "unknown list", "dead replay --all"] {
        desk.run(line).ends_with(1).says("there is no ledger at ./tidegate-data/ledger.db yet: `tidegate run` or");
    }
    assert!(!desk.dir.path().join("tidegate-data").exists(), "looking makes nothing");
}

#[test]
fn a_job_goes_in_line_is_shown_and_taken_back() {
    let desk = Desk::new();
    let sent =
        desk.run("send --to +447700900123 --text hello --id order-17 --source shop --priority high").ends_with(0);
    assert_eq!(sent.out, "order-17\n");
    let shown = desk.run("show order-17 --output json").ends_with(0).json();
    assert_eq!(shown["state"], "queued");
    assert_eq!(shown["source"], "shop");
    assert_eq!(shown["priority"], "high");
    assert_eq!(shown["recipient"], "…23");
    assert_eq!(shown["ahead"], 0);
    assert!(shown["created_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{shown}");
    assert_eq!(desk.run("show shop/order-17 --full --output json").ends_with(0).json()["recipient"], "+447700900123");
    let by_key =
        desk.run(&format!("show {} --output json", shown["key"].as_str().expect("a text"))).ends_with(0).json();
    assert_eq!(by_key["id"], "order-17");
    desk.run("show order-18").ends_with(1).says("no job order-18 has been seen here");
    let cancelled = desk.run("cancel shop/order-17 nope --output json").ends_with(3).json();
    assert_eq!(cancelled[0]["cancelled"], true);
    assert_eq!(cancelled[1]["cancelled"], false);
    assert_eq!(desk.run("show order-17 --output json").json()["state"], "cancelled");
    desk.run("cancel nope").ends_with(1);
}

#[test]
fn the_same_job_is_taken_once_and_another_of_its_id_refused() {
    let desk = Desk::new();
    let line = "send --to +447700900123 --text hello --id a --output json";
    assert_eq!(desk.run(line).ends_with(0).json()["result"], "accepted");
    assert_eq!(desk.run(line).ends_with(0).says("duplicate").json()["result"], "duplicate");
    desk.run("send --to +447700900124 --text hello --id a").ends_with(1).says("id_reused");
    desk.run("send --from shpo --to +447700900124 --text hello").ends_with(1).says("from: no pool \"shpo\"");
}

#[test]
fn bad_lines_of_a_file_are_buried_and_the_others_go_on() {
    let desk = Desk::new();
    let lines = [
        text_job("a", "+447700900123"),
        String::new(),
        "rubbish".to_owned(),
        text_job("b", "+447700900124"),
        text_job("a", "+447700900123"),
        text_job("a", "+447700900199"),
        json!({"id": "c", "to": "+447700900125", "expire_at": "never", "message": {}}).to_string(),
        "x".repeat(300_000),
    ];
    desk.write("jobs.jsonl", &lines.join("\n"));
    let sent = desk.run("send --file jobs.jsonl --output json").ends_with(3).says("cli:jobs.jsonl:3: body: must be");
    assert_eq!(sent.json(), json!({"lines": 7, "accepted": 2, "duplicate": 1, "reused": 1, "dead": 3}));
    let dead = desk.run("dead list --output jsonl").ends_with(0).json_lines();
    let mut origins: Vec<_> = dead.iter().map(|dead| dead["origin"].as_str().expect("a text")).collect();
    origins.sort_unstable();
    assert_eq!(origins, ["cli:jobs.jsonl:3", "cli:jobs.jsonl:6", "cli:jobs.jsonl:7", "cli:jobs.jsonl:8"]);
    let misspelt = dead.iter().find(|dead| dead["field"] == "expire_at").expect("it was buried");
    assert_eq!(misspelt["reason"], "unknown field, did you mean expires_at?");
    assert_eq!(desk.run("jobs list --output jsonl").json_lines().len(), 2);
    desk.write("bad.jsonl", "rubbish\n");
    desk.run("send --file bad.jsonl").ends_with(1);
}

#[test]
fn many_jobs_go_in_line_once_however_often_their_file_is_handed_in() {
    let desk = Desk::new();
    let lines = jobs(1_234);
    let first = desk.run_with_stdin("send --file - --output json", &lines).ends_with(0);
    assert_eq!(first.json()["accepted"], 1_234);
    let again = desk.run_with_stdin("send --file - --output json", &lines).ends_with(0).says("1,234 duplicate");
    assert_eq!(again.json()["duplicate"], 1_234);
}

#[test]
fn a_file_that_is_no_list_of_jobs_is_refused_whole() {
    let desk = Desk::new();
    desk.run_with_stdin("send --file -", "[{\"id\": \"a\"}]").ends_with(1).says("this is a JSON array");
    desk.run_with_stdin("send --file -", "{\n \"id\": \"a\"\n}").ends_with(1).says("JSON over several lines");
    desk.run("send --file nofile").ends_with(1).says("nofile can't be opened");
    desk.run("dead list").ends_with(0).says("nothing is dead");
}

#[test]
fn the_dead_are_replayed_once_what_ails_them_is_gone() {
    let desk = Desk::new();
    let job =
        json!({"id": "a", "from": "shop", "to": "+447700900123", "message": {"type": "text", "text": {"body": "x"}}});
    desk.run_with_stdin("send --file -", &job.to_string()).ends_with(1);
    let shown = desk.run("dead show 1 --output json").ends_with(0).json();
    assert_eq!(shown["reason"], "no pool \"shop\"; there is default");
    assert_eq!(shown.get("body"), None);
    assert_eq!(desk.run("dead show 1 --full --output json").json()["body"], job.to_string());
    desk.run("dead replay 1").ends_with(1);
    desk.write("shop.toml", "[[pools]]\nname = \"shop\"\nnumbers = [\"1001\"]\n[[numbers]]\nid = \"1001\"\n");
    let replayed = desk.run("--config shop.toml dead replay 1 --output json").ends_with(0).json();
    assert_eq!(replayed[0]["job"], "a");
    assert_eq!(desk.run("show a --output json").json()["pool"], "shop");
    desk.run("dead show 1").ends_with(1).says("there is no dead 1");
}

#[test]
fn what_cannot_be_undone_asks_and_a_script_says_yes() {
    let desk = Desk::new();
    desk.run_with_stdin("send --file -", "rubbish\n").ends_with(1);
    desk.run("dead drop --all").ends_with(2).says("say --yes");
    desk.run("dead drop --all --yes").ends_with(0).says("dropped 1 of 1");
    desk.run("holds place campaign spring --effect end").ends_with(2).says("say --yes");
    desk.run("holds place campaign spring --effect end --yes").ends_with(0);
    desk.run("holds lift 1").ends_with(2).says("say --yes");
    desk.run("holds lift 1 --yes").ends_with(0);
}

#[test]
fn a_hold_says_whom_it_blocks_and_who_ends_it() {
    let desk = Desk::new();
    let placed = desk.run("holds place recipient +447700900123 --category marketing --effect end --reason opted_out");
    assert_eq!(placed.ends_with(0).says("hold 1 on recipient …23, marketing: jobs end").out, "1\n");
    desk.run("holds place campaign spring --until 2h").ends_with(0).says("it ends in 2 h");
    desk.run("holds place campaign spring --until 2020-01-01T00:00:00Z").ends_with(2).says("that is over already");
    let listed = desk.run("holds list --output jsonl").ends_with(0);
    assert!(!listed.out.contains("447700900123"), "{}", listed.out);
    let listed = listed.json_lines();
    assert_eq!(listed[1]["subject"], "…23");
    assert_eq!(listed[1]["reason"], "opted_out");
    assert_eq!(listed[0]["scope"], "campaign");
    let template = "send --to +447700900124 --template t --language en_US --campaign spring --id a";
    desk.run(template).ends_with(0);
    let shown = desk.run("show a").ends_with(0);
    assert!(shown.out.contains("hold 2 on campaign spring, placed by cli for operator is in its way"), "{}", shown.out);
    desk.run("holds lift 2").ends_with(0).says("lifted hold 2 on campaign spring");
    desk.run("holds lift 2").ends_with(1).says("there is no hold 2");
}

#[test]
fn numbers_are_listed_as_a_table_and_as_json() {
    let desk = Desk::new();
    desk.write(
        "n.toml",
        "[[numbers]]\nid = \"1001\"\ndisplay = \"+1 555 010 0001\"\nrate = \"80/s\"\n[[numbers]]\nid = \"1002\"\n\
         [[pools]]\nname = \"shop\"\nnumbers = [\"1002\"]\n",
    );
    let listed = desk.run("--config n.toml numbers list").ends_with(0);
    let lines: Vec<_> = listed.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines[0],
        "NUMBER DISPLAY POOL OWNER QUALITY STATUS LEVEL NOW WHY NOT MORE TOKENS IN FLIGHT QUOTA LEFT HELD"
    );
    assert_eq!(lines[2..], ["1001 +1 555 010 0001 default 80/s not leased", "1002 shop not leased"]);
    desk.run("--config n.toml numbers pause +15550100001").ends_with(0).says("hold 1 on number 1001: jobs wait");
    let listed = desk.run("--config n.toml numbers list --output json").ends_with(0).json();
    assert_eq!(listed[0]["holds"][0]["reason"], "operator");
    assert_eq!(listed[0]["holds"][0]["who"], "cli");
    assert_eq!(
        listed[1],
        json!({"id": "1002", "display": "", "pool": "shop", "owner": null, "leased_until": null, "quality": null,
               "status": null, "level": null, "configured_rate": null, "waba": null, "read_at": null,
               "why": "not_leased", "now": null, "quota": null, "holds": []})
    );
    desk.run("--config n.toml numbers resume 1001").ends_with(0).says("number 1001 is resumed");
    desk.run("--config n.toml numbers resume 1001").ends_with(0).says("was not paused");
    desk.run("--config n.toml numbers pause +15550100009").ends_with(2).says("no sending number is displayed as");
}

#[test]
fn bad_usage_ends_with_2_and_says_what_was_meant() {
    let desk = Desk::new();
    for (line, words) in [
        ("hodls list", "similar subcommand exists: 'holds'"),
        ("jobs list --state qeued", "a similar value exists: 'queued'"),
        ("send --to 12 --text x", "a phone number has 8 to 15"),
        ("send --text x", "--to <RECIPIENT>"),
        ("send --to +447700900123", "--text <TEXT>|--template <NAME>"),
        ("send --to +447700900123 --template x", "--language <CODE>"),
        ("send --to +447700900123 --text x --json -", "cannot be used with"),
        ("send --to +447700900123 --text x --ttl soon", "a length of time looks like"),
        ("holds place template x", "as in order_shipped/en_US"),
        ("unknown resolve a", "--sent|--resend|--leave"),
        ("unknown resolve a --sent --leave", "cannot be used with"),
        ("simulate --fault every=zero", "every: `zero` is not allowed"),
        ("simulate --number id=1,qality=RED", "qality: no such key"),
        ("--set nonsense jobs list", "a setting looks like key=value"),
    ] {
        desk.run(line).ends_with(2).says(words);
    }
}

#[test]
fn a_bad_configuration_ends_with_78_and_every_problem() {
    let desk = Desk::new();
    desk.write("bad.toml", "[worker]\ndran = \"1s\"\n[log]\nformat = \"xml\"\n");
    for command in ["config check", "config show", "jobs list", "run", "send --to +447700900123 --text x"] {
        let said = desk.run(&format!("--config bad.toml {command}")).ends_with(78);
        said.says("2 problems").says("did you mean worker.drain?").says("log.format");
    }
    desk.run("config check").ends_with(78).says("set WHATSAPP_ACCESS_TOKEN").says("set WHATSAPP_PHONE_NUMBER_ID");
    desk.run("run").ends_with(78).says("set WHATSAPP_ACCESS_TOKEN");
    desk.run("send --to +447700900123 --text x --run").ends_with(78);
}

#[test]
fn secrets_are_not_shown() {
    let mut desk = Desk::new();
    desk.env.push(("WHATSAPP_ACCESS_TOKEN".to_owned(), "EAAcanary".to_owned()));
    for line in ["config show", "config show --output json", "config check"] {
        let said = desk.run(line);
        assert!(!said.out.contains("EAAcanary") && !said.err.contains("EAAcanary"), "{line}: {}{}", said.out, said.err);
    }
    let shown = desk.run("config show --output json").ends_with(0).json();
    let token = shown.as_array().expect("a list").iter().find(|row| row["key"] == "cloud_api.access_token");
    assert_eq!(token.expect("every key is there")["value"], "***");
}

#[test]
fn the_schema_of_the_ledger_is_told_and_brought_up_to_date() {
    let desk = Desk::new();
    assert_eq!(desk.run("migrate status --output json").ends_with(1).json()["schema"], Value::Null);
    desk.run("migrate").ends_with(0).says("brought from schema 0 to");
    desk.run("migrate up").ends_with(0).says("is up to date");
    assert_eq!(desk.run("migrate status --output json").ends_with(0).json()["up_to_date"], true);
}

#[test]
fn who_closes_the_pipe_has_seen_enough() {
    let desk = Desk::new();
    desk.run_with_stdin("send --file -", &jobs(3_000)).ends_with(0);
    for line in ["completions bash", "schema", "jobs list --limit 3000 --output jsonl", "jobs list --limit 3000"] {
        let mut child = desk.command(line).spawn().expect("the binary runs");
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut err).expect("UTF-8");
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{line}: {err}");
        assert!(!err.contains("panicked") && !err.contains("error"), "{line}: {err}");
    }
}

#[test]
fn the_schema_and_completions_are_printed() {
    let desk = Desk::new();
    let schema = desk.run("schema").ends_with(0).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(desk.run(&format!("completions {shell}")).ends_with(0).out.contains("simulate"), "{shell}");
    }
}

fn simulator() -> Sim {
    Sim::spawn_thread(SimConfig::with_numbers([NumberSpec::new("1001")])).expect("a free port")
}

#[test]
fn send_with_a_worker_of_its_own_stays_until_all_have_ended() {
    let sim = simulator();
    let desk = Desk::with(&sim);
    let one = desk.run("send --to +447700900123 --text hello --run --output json").ends_with(0).json();
    assert_eq!(one["state"], "accepted");
    let many = desk.run_with_stdin("send --file - --run --output json", &jobs(40)).ends_with(0).json();
    assert_eq!(many["ended"], json!([{"state": "accepted", "reason": null, "jobs": 40}]));
    assert_eq!(sim.oracle().accepted(), 41);
}

#[test]
fn a_job_that_meta_refuses_says_why_and_ends_with_1() {
    let config = SimConfig {
        faults: vec!["number=1001,code=131026".parse().expect("a fault")],
        ..SimConfig::with_numbers([NumberSpec::new("1001")])
    };
    let sim = Sim::spawn_thread(config).expect("a free port");
    let desk = Desk::with(&sim);
    desk.run("send --to +447700900123 --text hello --id a --run").ends_with(1).says("131026").says("not on WhatsApp");
    let shown = desk.run("show a --output json").ends_with(0).json();
    assert_eq!(shown["state"], "failed");
    assert_eq!(shown["reason"], "not_on_whatsapp");
    assert!(shown["meaning"].as_str().is_some_and(|meaning| meaning.contains("not on WhatsApp")), "{shown}");
}

/// A worker in a process of its own; killed if a test fails before it was told to stop.
struct Worker(Child);

impl Worker {
    fn start(desk: &Desk, line: &str) -> Self {
        Self(desk.command(line).stderr(Stdio::null()).spawn().expect("the binary runs"))
    }

    /// Looks until there is something to see, as long as the worker lives.
    fn until<Seen>(&mut self, look: impl Fn() -> Option<Seen>) -> Seen {
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert_eq!(self.0.try_wait().expect("it can be asked"), None, "the worker ended");
            std::thread::yield_now();
        }
    }

    fn terminate(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn commands_work_beside_a_running_worker_until_it_is_told_to_stop() {
    let sim = simulator();
    let desk = Desk::with(&sim);
    let mut worker = Worker::start(&desk, "run --held");
    worker.until(|| desk.dir.path().join("tidegate-data/ledger.db-lock").exists().then_some(()));
    // The hold is placed before anything is claimed.
    desk.run("send --to +447700900123 --text hello --id a").ends_with(0);
    let held = worker.until(|| {
        let listed = desk.run("holds list --output jsonl").ends_with(0).json_lines();
        listed.first().map(|hold| hold["id"].as_i64().expect("a number"))
    });
    desk.run(&format!("holds lift {held}")).ends_with(0);
    desk.run("send --to +447700900124 --text hello --id b --follow").ends_with(0).says("accepted");
    desk.run("send --to +447700900125 --text hello --id c --run").ends_with(0).says("a worker has this ledger already");
    assert_eq!(desk.run("show a --output json").json()["state"], "accepted");
    assert_eq!(worker.terminate(), Some(0));
    assert_eq!(sim.oracle().accepted(), 3);
}

#[test]
fn a_person_decides_what_became_of_unknown_jobs() {
    let config = SimConfig {
        // Accepted, and the connection is cut instead of an answer: nobody knows.
        faults: vec!["first=3,cut_after".parse().expect("a fault")],
        ..SimConfig::with_numbers([NumberSpec::new("1001")])
    };
    let sim = Sim::spawn_thread(config).expect("a free port");
    let desk = Desk::with(&sim);
    desk.run_with_stdin("send --file -", &jobs(3)).ends_with(0);
    let mut worker = Worker::start(&desk, "run");
    let unknown = || desk.run("unknown list --output jsonl").ends_with(0).json_lines();
    worker.until(|| Some(unknown()).filter(|rows| rows.len() == 3));
    desk.run("unknown resolve job-0 --sent").ends_with(0).says("ended as accepted");
    desk.run("unknown resolve job-1 --leave").ends_with(0).says("ended as unresolved");
    desk.run("unknown resolve job-2 --resend").ends_with(2).says("its recipient would get it twice");
    desk.run("unknown resolve job-2 --resend --yes").ends_with(0).says("in line again");
    desk.run("unknown resolve job-0 --sent").ends_with(1).says("job-0 is accepted, not unknown");
    let state = |id: &str| desk.run(&format!("show {id} --output json")).ends_with(0).json()["state"].clone();
    worker.until(|| (state("job-2") == "accepted").then_some(()));
    assert_eq!((state("job-0"), state("job-1")), (json!("accepted"), json!("unresolved")));
    let trail = desk.run("show job-2 --output json").json()["trail"].clone();
    assert!(trail.as_array().is_some_and(|trail| !trail.is_empty()), "{trail}");
    assert_eq!(worker.terminate(), Some(0));
    assert_eq!(sim.oracle().accepted(), 4);
}
