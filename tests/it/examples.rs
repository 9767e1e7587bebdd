//! The examples for producers, run as they are: foreign clients against the real broker.
//!
//! `make test` installs what they need; see `examples/README.md` for what they promise.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

use crate::services::amqp_url;
use crate::shared::Shared;
use crate::world::{audit, patient, recipient, until};

/// The method `basic.ack` in a frame of AMQP 0-9-1: class 60, method 80.
const ACK: &[u8] = &[0, 60, 0, 80];

/// In which language an example is written.
#[derive(Clone, Copy)]
pub enum Language {
    Python,
    Node,
}

/// An example that runs; killed if a test ends before it.
pub struct Example {
    child: Child,
    out: UnboundedReceiver<String>,
    said: Vec<String>,
    _dir: TempDir,
}

impl Language {
    /// The example of this name, before it has any arguments, and the folder that must outlive it.
    fn command(self, name: &str) -> (Command, TempDir) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dir = TempDir::new().expect("a directory");
        match self {
            Self::Python => {
                let mut command = Command::new(installed(root.join("target/examples/python/bin/python")));
                command.arg(root.join(format!("examples/python/{name}.py")));
                (command, dir)
            }
            Self::Node => {
                // A module finds its packages beside itself.
                let modules = installed(root.join("target/examples/node/node_modules"));
                std::os::unix::fs::symlink(modules, dir.path().join("node_modules")).expect("a link");
                let script = dir.path().join(format!("{name}.mjs"));
                std::fs::copy(root.join(format!("examples/node/{name}.mjs")), &script).expect("the example is there");
                let mut command = Command::new("node");
                command.arg(script);
                (command, dir)
            }
        }
    }
}

fn installed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing; `make test` installs it", path.display());
    path
}

impl Example {
    /// Starts it with these arguments, at this broker, with these lines as its input.
    pub fn start(shared: &Shared, language: Language, line: &str, url: &str, input: &[Value]) -> Self {
        let mut words = line.split_whitespace();
        let (mut command, dir) = language.command(words.next().expect("a name"));
        let returned = shared.returned();
        let prefix = returned.strip_suffix(".returned").expect("it ends so");
        command.args(words).env("AMQP_URL", url).env("TIDEGATE_PREFIX", prefix).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the language is installed");
        let mut stdin = child.stdin.take().expect("it is piped");
        for line in input {
            writeln!(stdin, "{line}").expect("it reads");
        }
        drop(stdin);
        let (tell, out) = unbounded_channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("it is piped")), Box::new(child.stderr.take().expect("it is piped"))];
        for stream in streams {
            let tell = tell.clone();
            std::thread::spawn(move || {
                let read = BufReader::new(stream).lines().map_while(Result::ok);
                // Nobody listens once the test is over.
                read.take_while(|line| tell.send(line.clone()).is_ok()).for_each(drop);
            });
        }
        Self { child, out, said: Vec::new(), _dir: dir }
    }

    /// Waits until it says these words.
    pub async fn until_said(&mut self, words: &str) {
        while let Some(line) = patient(words, self.out.recv()).await {
            if line.contains(words) {
                return;
            }
            self.said.push(line);
        }
        panic!("never said: {words}; said: {}", self.said.join("\n"));
    }

    /// Waits for its end: whether it was well, and what it said since it was last asked.
    pub async fn ended(mut self) -> (bool, Vec<String>) {
        let mut said = Vec::new();
        while let Some(line) = patient("the example ends", self.out.recv()).await {
            said.push(line);
        }
        (self.child.wait().expect("it ends").success(), said)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A way to the broker on which the first confirm that follows some bytes is lost with its connection; what comes after
/// it passes. Ends when it is dropped.
struct Lossy {
    url: String,
    _ways: JoinSet<()>,
}

impl Lossy {
    async fn new(after: &'static [u8]) -> Self {
        let mut url = Url::parse(&amqp_url()).expect("a URL");
        let broker = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(5672));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        url.set_host(Some("127.0.0.1")).expect("it has a host");
        url.set_port(Some(listener.local_addr().expect("it is bound").port())).expect("it has a port");
        let mut ways = JoinSet::new();
        ways.spawn(async move {
            let (mut lost, mut whole) = (false, JoinSet::new());
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(&broker).await.expect("the broker listens");
                if lost {
                    whole.spawn(async move { copy_bidirectional(&mut client, &mut server).await });
                } else {
                    lost = pass_until_lost(client, server, after).await;
                }
            }
        });
        Self { url: url.to_string(), _ways: ways }
    }
}

/// Whether a confirm was lost here.
async fn pass_until_lost(mut client: TcpStream, mut server: TcpStream, after: &[u8]) -> bool {
    let (mut sent, mut answered) = (Vec::new(), Vec::new());
    let (mut up, mut down) = ([0; 4_096], [0; 4_096]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(0) | Err(_) => return false,
                Ok(n) => {
                    sent.extend_from_slice(&up[..n]);
                    server.write_all(&up[..n]).await.expect("the broker reads");
                }
            },
            read = server.read(&mut down) => match read {
                Ok(0) | Err(_) => return false,
                Ok(n) if has(&sent, after) => {
                    answered.extend_from_slice(&down[..n]);
                    if has(&answered, ACK) {
                        return true;
                    }
                }
                Ok(n) => client.write_all(&down[..n]).await.expect("the producer reads"),
            },
        }
    }
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn job(id: &str) -> Value {
    json!({ "id": id, "to": recipient(id), "message": { "type": "template",
        "template": { "name": "hello_world", "language": { "code": "en_US" } } } })
}

/// A producer loses a confirm and publishes again, another one publishes too, and each hears of its own jobs.
async fn published_twice_sent_once(language: Language) {
    let shared = Shared::new().await;
    let url = amqp_url();
    // Also the name of a queue that the examples declare.
    let source = format!("shop-{}", Uuid::now_v7().simple());
    let events = format!("events --source {source} --count 2");
    let mut events = Example::start(&shared, language, &events, &url, &[]);
    events.until_said("following").await;

    let produce = format!("produce --source {source}");
    let lossy = Lossy::new(b"order-17").await;
    let first = Example::start(&shared, language, &produce, &lossy.url, &[job("order-17")]);
    let (well, said) = first.ended().await;
    assert!(well && said.iter().any(|line| line.contains("again in")), "a confirm was lost: {said:?}");
    for (produce, id) in [("produce --source another", "another-1"), (produce.as_str(), "order-18")] {
        let (well, said) = Example::start(&shared, language, produce, &url, &[job(id)]).ended().await;
        assert!(well && said == ["published 1"], "{said:?}");
    }
    let lane = shared.queue_of("default.normal");
    let producer = shared.producer().await;
    assert_eq!(producer.ready(&lane).await, 4, "one of three jobs lies there twice");

    let worker = shared.world.start();
    let ledger = shared.ledger().await;
    shared.world.accepted(3).await;
    let (well, said) = events.ended().await;
    let heard: Vec<Value> = said.iter().map(|line| serde_json::from_str(line).expect("an event")).collect();
    assert!(well && heard.iter().all(|event| event["type"] == "message.accepted"), "{said:?}");
    let ids: BTreeSet<_> = heard.iter().map(|event| event["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, BTreeSet::from(["order-17", "order-18"]), "each once, and nothing of others");
    until(&ledger, "every copy is taken", async || (producer.ready(&lane).await == 0).then_some(())).await;
    worker.stop();
    assert_eq!(producer.ready(&lane).await, 0, "what is not acked would be there again");
    audit(&shared.world.rows(&ledger).await, &shared.world.oracle());
    assert_eq!(shared.world.oracle().accepted(), 3);
    producer.delete(&format!("{source}.whatsapp-events")).await;
}

#[tokio::test]
async fn a_job_that_python_publishes_again_after_a_lost_confirm_is_sent_once() {
    published_twice_sent_once(Language::Python).await;
}

#[tokio::test]
async fn a_job_that_node_publishes_again_after_a_lost_confirm_is_sent_once() {
    published_twice_sent_once(Language::Node).await;
}

/// Who is not let in says so and does not try for ever; a lane that is not there is no error of the broker's.
async fn mistakes_are_told(language: Language) {
    let shared = Shared::new().await;
    let mut stranger = Url::parse(&amqp_url()).expect("a URL");
    stranger.set_password(Some("wrong")).expect("it has a host");
    for line in ["produce", "events"] {
        let (well, said) = Example::start(&shared, language, line, stranger.as_str(), &[job("order-19")]).ended().await;
        assert!(!well && said.iter().any(|line| line.contains("does not let us in")), "{said:?}");
    }
    let astray = Example::start(&shared, language, "produce --pool nowhere", &amqp_url(), &[job("order-20")]);
    let (well, said) = astray.ended().await;
    assert!(well, "{said:?}");
    assert_eq!(shared.producer().await.ready(&shared.returned()).await, 1);
}

#[tokio::test]
async fn python_tells_mistakes() {
    mistakes_are_told(Language::Python).await;
}

#[tokio::test]
async fn node_tells_mistakes() {
    mistakes_are_told(Language::Node).await;
}
