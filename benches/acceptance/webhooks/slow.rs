//! Clients that never get anywhere, and honest ones beside them.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidegate::sim::{NumberSpec, SimConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::posting::{Poster, head};
use super::{listening, stand};
use crate::verdict;

const BODY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;
/// They are gone within this time.
const GONE: Duration = Duration::from_secs(15);
/// Honest ones go on for so long beside them.
const BESIDE: Duration = Duration::from_secs(16);

/// So many of them: a third in their heads, a third in their bodies, a third that say nothing.
pub async fn slow_clients(count: usize) -> bool {
    let numbers = [("1001".to_owned(), 80)];
    let (stand, address) = stand(SimConfig::with_numbers([NumberSpec::new("1001")]), &numbers);
    allow_files(count as u64 + 1_000);
    let worker = stand.run();
    listening(address).await;
    let alone = honest(address, Duration::from_secs(3)).await;

    let mut clients = JoinSet::new();
    for n in 0..count {
        let whole = head(BODY, BODY.len());
        let begun: Vec<u8> = match n % 3 {
            0 => whole.as_bytes()[..60].to_vec(),
            1 => [whole.as_bytes(), &BODY[..1]].concat(),
            _ => Vec::new(),
        };
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        clients.spawn(async move {
            let opened = Instant::now();
            // What is closed already is gone.
            let _told = stream.write_all(&begun).await;
            let mut rest = Vec::new();
            let _gone = tokio::time::timeout(2 * GONE, stream.read_to_end(&mut rest)).await;
            opened.elapsed()
        });
    }
    let beside = honest(address, BESIDE).await;
    let gone = clients.join_all().await;
    let last = gone.iter().max().copied().unwrap_or_default();
    drop(worker);
    let figures =
        format!("the last gone after {last:.1?} (at most {GONE:?}); honest ones alone {alone}, beside them {beside}");
    let kept = last <= GONE && beside.refused == 0 && beside.p99 <= Duration::from_millis(250);
    verdict(&format!("{count} slow clients"), &figures, kept)
}

/// How honest ones fared.
struct Honest {
    posted: usize,
    refused: usize,
    median: Duration,
    p99: Duration,
    longest: Duration,
}

impl std::fmt::Display for Honest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { posted, refused, median, p99, longest } = self;
        write!(f, "{posted} posts, {refused} not 200, median {median:.1?}, p99 {p99:.1?}, longest {longest:.1?}")
    }
}

/// One after the other, each over a connection of its own.
async fn honest(address: SocketAddr, time: Duration) -> Honest {
    let (begun, mut waits, mut refused) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < time {
        let connecting = Instant::now();
        let (status, _) = Poster::connect(address).await.post(BODY).await;
        waits.push(connecting.elapsed());
        refused += usize::from(status != 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)];
    Honest { posted: waits.len(), refused, median: at(50), p99: at(99), longest: at(100) }
}

/// This process needs a file for each of them.
fn allow_files(wanted: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        let raised = maximum.map_or(wanted, |most| most.min(wanted));
        setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).expect("files enough");
    }
}
