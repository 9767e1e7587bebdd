//! What lies in `deploy/` fits the program: every metric that an alert or the board names is told, every file that is
//! named is there, and the configuration of the compose file is one that a worker starts on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate::config::{Config, Sources};
use tidegate::sim::{NumberSpec, SimConfig, WebhookConfig};

use crate::gateway::{APP_SECRET, with_webhooks};
use crate::process::Process;
use crate::world::{PATIENCE, World, looking};

const PATH: &str = "/webhook/whatsapp";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn text(path: &str) -> String {
    let path = folder().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words of a text that look like a metric of ours; what a histogram adds to its name is taken off.
fn metrics_named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("tidegate_") || word.starts_with("process_"));
    let ends = ["_bucket", "_sum", "_count"];
    ours.map(|word| ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned()).collect()
}

/// Every query of the board, as it stands.
fn queries(board: &Value) -> Vec<&str> {
    let panels = board["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let variables = board["templating"]["list"].as_array().expect("variables");
    let asked = variables.iter().filter_map(|variable| variable["query"]["query"].as_str());
    targets.map(|target| target["expr"].as_str().expect("a query")).chain(asked).collect()
}

fn board() -> Value {
    serde_json::from_str(&text("grafana/overview.json")).expect("JSON")
}

/// The values of a key in a YAML text, one line each.
fn values<'a>(yaml: &'a str, key: &str) -> Vec<&'a str> {
    let lines = yaml.lines().map(|line| line.trim_start_matches([' ', '-']));
    lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim).collect()
}

/// What `/metrics` of the worker at this address says.
fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the worker listens");
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// What the rules and the board ask for.
fn wanted() -> BTreeSet<String> {
    let wanted = &metrics_named(&text("prometheus/rules.yaml")) | &metrics_named(&queries(&board()).join("\n"));
    assert!(wanted.len() > 30, "the rules and the board name {wanted:?}");
    wanted
}

#[tokio::test]
async fn every_metric_that_an_alert_or_the_board_names_is_told() {
    let numbers = [("1001", "80/s"), ("1002", "80/s")];
    let sim = SimConfig::with_numbers(numbers.map(|(id, _)| NumberSpec::new(id).with_mps(80)));
    let webhooks = WebhookConfig { scale: 0.01, ..WebhookConfig::new("", APP_SECRET) };
    let mut world = World::with(SimConfig { webhooks: Some(webhooks), ..sim }, &numbers);
    with_webhooks(&mut world);
    // Nobody listens there: the worker tells that it is away.
    world.set("queue.url", "amqp://127.0.0.1:9/%2f");
    world.set("ledger.url", &format!("sqlite:{}", world.path().join("ledger.db").display()));
    let consuming = "tidegate_broker_connected{connection=\"consuming\"} 0";
    told_before(&world, &[consuming, "tidegate_ledger_up 1", "tidegate_holds{scope=\"credential\"} 0"]).await;
}

/// The same over the services that a deployment has.
#[cfg(feature = "services")]
#[tokio::test]
async fn a_worker_of_rabbitmq_and_postgresql_tells_them_too() {
    let shared = crate::shared::Shared::with_webhooks(&["1001", "1002"]).await;
    let connected = ["consuming", "publishing"].map(|c| format!("tidegate_broker_connected{{connection=\"{c}\"}} 1"));
    let [consuming, publishing] = &connected;
    told_before(&shared.world, &[consuming, publishing, "tidegate_ledger_up 1"]).await;
}

/// Things happen before a worker of this world that metrics tell of only when they do: jobs are accepted, refused, tried
/// again, wait, and a number is paused. Then it tells every metric that is asked for, and these series so.
async fn told_before(world: &World, series: &[&str]) {
    let wanted = wanted();
    world.faults(&["first=1,code=131000", "recipient_suffix=9,code=131026"]);
    let ledger = world.beside().await;
    let job = |id: &str, to: &str| {
        json!({ "id": id, "to": to, "from": "1001", "message": { "type": "template",
            "template": { "name": "hello_world", "language": { "code": "en_US" } } } })
    };
    let mut later = job("later", "+447700900011");
    later["not_before"] = json!("2099-01-01T00:00:00Z");
    later["expires_at"] = json!("2099-01-02T00:00:00Z");
    world.enqueue(&ledger, &[job("again", "+447700900010"), job("refused", "+447700900019"), later]).await;
    let (code, said) = Process::run(world, "numbers pause 1002");
    assert_eq!(code, Some(0), "{said}");

    let mut worker = Process::start(world, "run");
    let line = worker.until_said("status page on http://");
    let address = line.split("status page on http://").nth(1).expect("it says where");
    let address: String = address.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
    let webhooks = worker.until_said("webhooks on http://");
    let url = webhooks.split("webhooks on ").nth(1).expect("it says where");
    world.sim.set_webhook_url(url.split(PATH).next().expect("a start").to_owned() + PATH);
    let missing = RefCell::new(BTreeSet::new());
    let look = async || {
        let told = scrape(&address);
        let mut left = &wanted - &metrics_named(&told);
        left.extend(series.iter().filter(|line| told.lines().all(|found| found != **line)).map(ToString::to_string));
        missing.replace(left);
        missing.borrow().is_empty().then_some(())
    };
    if tokio::time::timeout(PATIENCE, looking(&ledger, look)).await.is_err() {
        panic!("named in deploy/, and told by nobody: {:?}", missing.into_inner());
    }
}

#[test]
fn every_alert_leads_to_a_page_that_says_what_to_do() {
    let rules = text("prometheus/rules.yaml");
    let alerts = values(&rules, "alert");
    assert!(alerts.len() >= 5, "{alerts:?}");
    let pages: Vec<String> = alerts.iter().map(|alert| format!("deploy/runbooks/{alert}.md")).collect();
    assert_eq!(values(&rules, "runbook_url"), pages);
    for alert in &alerts {
        let page = text(&format!("runbooks/{alert}.md"));
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with('#')).collect();
        let wanted = [&format!("# {alert}"), "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];
        assert_eq!(headings, wanted, "{alert}");
    }
    let there = std::fs::read_dir(folder().join("runbooks")).expect("a folder").count();
    assert_eq!(there, alerts.len(), "a page without an alert helps nobody");
}

#[test]
fn every_alert_is_tested_to_fire_and_to_be_quiet() {
    let tests = text("prometheus/rules_test.yaml");
    for alert in values(&text("prometheus/rules.yaml"), "alert") {
        let asked: Vec<&str> = tests.split("eval_time:").filter(|part| part.contains(alert)).collect();
        let fires = |part: &&&str| part.lines().skip(1).any(|line| line.trim() == "exp_alerts:");
        let named = |part: &&str| values(part, "alertname").first() == Some(&alert);
        let asked: Vec<&str> = asked.into_iter().filter(named).collect();
        assert!(asked.iter().any(|part| fires(&part)), "{alert} is never seen to fire");
        assert!(asked.iter().any(|part| !fires(&part)), "{alert} is never seen to be quiet");
    }
}

#[test]
fn the_board_says_of_each_panel_what_it_shows_and_in_what_unit() {
    let board = board();
    for panel in board["panels"].as_array().expect("panels") {
        let title = &panel["title"];
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 30), "{title} lacks a description");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} lacks a unit");
        assert_eq!(panel["datasource"]["uid"], "$datasource", "{title}");
    }
}

#[test]
fn a_worker_starts_on_the_configuration_of_the_compose_file() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let secrets = [
        ("access_token", "a-token"),
        ("app_secret", "what Meta signs with"),
        ("verify_token", "what the dashboard says"),
        ("amqp_url", "amqp://tidegate:secret@rabbitmq/%2f"),
        ("database_url", "postgres://tidegate:secret@postgres/tidegate"),
    ];
    for (name, secret) in secrets {
        std::fs::write(dir.path().join(name), secret).expect("room");
    }
    let config = text("compose/tidegate.toml").replace("/run/secrets", &dir.path().display().to_string());
    let file = dir.path().join("tidegate.toml");
    std::fs::write(&file, config).expect("room");
    let sources = Sources { file: Some(file), env: BTreeMap::new(), dotenv: None, overrides: Vec::new() };
    let config = Config::load(sources).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.check_sending().is_ok() && config.queue.broker.is_some());
    assert!(config.webhook.app_secret.is_some() && config.webhook.verify_token.is_some());
    let compose = text("compose.yaml");
    let posted = format!("--webhook-url=http://worker:{}{PATH}", config.webhook.listen.port());
    assert!(compose.contains(&posted), "the simulator does not post to {posted}");
    for number in &config.numbers {
        assert!(compose.contains(&format!("--number=id={},", number.id)), "the simulator lacks {}", number.id);
    }
}

#[test]
fn the_compose_file_pins_its_images_and_names_files_that_are_there() {
    let compose = text("compose.yaml");
    for image in values(&compose, "image") {
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{image} has no tag"));
        assert!(tag == "local" || tag.chars().any(|c| c.is_ascii_digit()), "{image} is not pinned");
    }
    let generated = "compose/secrets/";
    let script = text("compose/make-secrets");
    let sourced =
        compose.lines().filter_map(|line| line.trim().strip_prefix("- ")).filter(|path| path.ends_with(".env"));
    for file in values(&compose, "file").into_iter().chain(values(&compose, "dockerfile")).chain(sourced) {
        let below = file.strip_prefix("deploy/").unwrap_or(file);
        match below.strip_prefix(generated) {
            Some(secret) => assert!(script.contains(&format!("| write {secret}\n")), "nobody writes {secret}"),
            None => assert!(folder().join(below).exists(), "{file} is not there"),
        }
    }
}

#[test]
fn the_image_is_built_by_the_compiler_that_the_crate_asks_for() {
    let manifest = include_str!("../../Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("it is named");
    let dockerfile = text("Dockerfile");
    let image = dockerfile.lines().find_map(|line| line.strip_prefix("ARG RUST_VERSION=")).expect("it is named");
    assert!(image.starts_with(version.trim_matches('"')), "{image} against {version}");
}
