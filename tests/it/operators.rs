//! What a running binary serves to operators, over real HTTP.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use tidegate::ledger::Ledger;

use crate::process::Process;
use crate::world::{World, text, until};

/// A running worker, and where it serves.
struct Served {
    worker: Process,
    address: String,
}

impl Served {
    fn start(world: &World) -> Self {
        let mut worker = Process::start(world, "run");
        let line = worker.until_said("status page on http://");
        let (_, rest) = line.split_once("status page on http://").expect("it was said");
        let address = rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        Self { worker, address }
    }

    /// Status and body.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
    }

    async fn ready(&self, ledger: &Ledger) {
        until(ledger, "it is ready", async || (self.get("/readyz").0 == 200).then_some(())).await;
    }
}

#[tokio::test]
async fn a_running_worker_says_that_it_lives_and_is_ready() {
    let world = World::new();
    let ledger = world.beside().await;
    let served = Served::start(&world);
    assert_eq!(served.get("/livez"), (200, "ok\n".to_owned()));
    served.ready(&ledger).await;
    let ready: Value = serde_json::from_str(&served.get("/readyz").1).expect("JSON");
    assert_eq!(ready["ready"], true);
    let parts = ready["parts"].as_object().expect("named parts");
    assert!(parts.contains_key("worker") && parts.contains_key("ledger"), "{parts:?}");
    assert!(parts.values().all(|part| part["ok"] == true), "{parts:?}");
    assert_eq!(served.get("/nothing").0, 404);
    served.worker.terminate();
    assert_eq!(served.worker.ended().0, Some(0));
}

#[tokio::test]
async fn every_metric_says_what_it_measures_and_what_was_sent_is_counted() {
    let world = World::new();
    let ledger = world.beside().await;
    let jobs: Vec<_> = (0..10).map(|n| text(&format!("job-{n}"), "normal")).collect();
    world.enqueue(&ledger, &jobs).await;
    let served = Served::start(&world);
    world.all_ended(&ledger).await;
    let counted = |text: &str| {
        let accepted = text.lines().filter(|line| line.starts_with("tidegate_jobs") && line.contains("accepted"));
        accepted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    // Counted once the commit's answer is back with the worker.
    let text =
        until(&ledger, "ten are counted", async || Some(served.get("/metrics").1).filter(|text| counted(text) >= 10.0))
            .await;
    let word = |line: &str| line.split([' ', '{']).next().unwrap_or_default().to_owned();
    let told = |kind: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| line.strip_prefix(kind)).map(|line| word(line.trim_start())).collect()
    };
    let (helped, typed) = (told("# HELP "), told("# TYPE "));
    assert!(helped.len() > 20, "{helped:?}");
    assert_eq!(helped, typed);
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = word(line);
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is_helped = helped.contains(&name) || family.is_some_and(|family| helped.contains(family));
        assert!(is_helped, "{name} has no HELP");
        assert!(name.starts_with("tidegate_") || name.starts_with("process_"), "{name}");
    }
    let recipient = world.row(&ledger, "job-1").await.recipient;
    assert!(!text.contains(&recipient) && !text.contains("test-token"), "metrics name nobody");
    served.worker.terminate();
    served.worker.ended();
}

#[tokio::test]
async fn the_status_page_names_numbers_and_nobody_else() {
    let world = World::new();
    let ledger = world.beside().await;
    world.enqueue(&ledger, &[text("a", "normal")]).await;
    let served = Served::start(&world);
    world.all_ended(&ledger).await;
    served.ready(&ledger).await;
    let recipient = world.row(&ledger, "a").await.recipient;
    for path in ["/", "/status.json"] {
        let (status, body) = served.get(path);
        assert_eq!(status, 200, "{path}");
        assert!(body.contains("1001"), "{path}: {body}");
        let digits = recipient.trim_start_matches('+');
        assert!(!body.contains(digits) && !body.contains("test-token"), "{path}: {body}");
    }
    served.worker.terminate();
    served.worker.ended();
}
