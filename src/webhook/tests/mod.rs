//! The gateway over real sockets, into a real ledger.

mod forged;
mod forwarding;
mod keeping;
mod slow;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::signature::sign;
use super::{Config, Limits, Networks, Secrets, Server, Texts};
use crate::ledger::sqlite::{Access, Migrate, Publish, SqliteLedger};
use crate::ledger::{InboxRow, Ledger};
use crate::metrics::Metrics;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "a token of ours";
const BODY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;
/// Nothing here takes long; what does would take for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway, and the ledger behind it.
struct Bench {
    address: SocketAddr,
    ledger: Ledger,
    metrics: Arc<Metrics>,
    folder: tempfile::TempDir,
    stop: CancellationToken,
    running: JoinSet<()>,
}

/// What was answered; none: the connection was closed without an answer.
struct Answered {
    status: Option<u16>,
    head: String,
    body: String,
}

fn config() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        verify_token: Some(Arc::new(|| TOKEN.to_owned())),
        secrets: Secrets::new(fixed(&[SECRET]), Duration::ZERO),
        networks: Networks::default(),
        forward: None,
        limits: Limits::default(),
    }
}

fn fixed(texts: &[&str]) -> Texts {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    Arc::new(move || texts.clone())
}

async fn bench(config: Config) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = SqliteLedger::open_publishing(&path, Access::Worker, Migrate::Auto, Publish::Off).unwrap();
    let ledger = Ledger::Sqlite(ledger);
    let server = Server::bind(config).await.unwrap();
    let (address, metrics, stop) = (server.address(), Arc::new(Metrics::new()), CancellationToken::new());
    // From here on its series are there, at zero.
    metrics.webhook();
    let mut running = JoinSet::new();
    running.spawn(server.serve(ledger.clone(), metrics.clone(), stop.clone()));
    Bench { address, ledger, metrics, folder, stop, running }
}

/// A POST as Meta makes it, with other headers beside.
fn post(signature: &str, others: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /webhook/whatsapp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         x-hub-signature-256: {signature}\r\nuser-agent: facebookexternalua\r\nconnection: close\r\n{others}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn signed(body: &[u8]) -> Vec<u8> {
    post(&sign(SECRET, body), "", body)
}

impl Bench {
    /// Sends bytes on a connection of their own, and reads until it is closed.
    async fn send(&self, bytes: &[u8]) -> Answered {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // Who is refused may be cut off while it writes.
        let _ = stream.write_all(bytes).await;
        answer(&mut stream).await
    }

    async fn status(&self, bytes: &[u8]) -> Option<u16> {
        self.send(bytes).await.status
    }

    async fn kept(&self) -> Vec<InboxRow> {
        self.ledger.inbox_take(1_000, 1 << 30).await.unwrap()
    }

    fn counted(&self, result: &str) -> u64 {
        let line = format!("tidegate_webhook_requests_total{{result=\"{result}\"}} ");
        let text = self.metrics.render();
        text.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or_else(|| panic!("{result}"))
    }
}

async fn answer(stream: &mut TcpStream) -> Answered {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // A connection that is closed with bytes unread is reset: as good an end as any.
    let _ = read.expect("the connection is closed");
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    Answered { status, head: head.to_lowercase(), body: body.to_owned() }
}
