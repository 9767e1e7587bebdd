//! The send path over real sockets: small servers with a script, and what the client makes of them.

mod outcomes;
mod reads;
mod ready;
mod server;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use tokio::task::JoinSet;

use super::{ApiBase, Client, Credential, Endpoint, Path, PoolStats, Ready, Request, Settings};
use crate::outcome::Outcome;

/// A client at work, with the opener that serves it.
struct Bench {
    client: Client,
    base: ApiBase,
    _opener: JoinSet<()>,
}

/// Ample: what a test waits for comes, or the test fails.
const AMPLE: Duration = Duration::from_secs(10);

fn settings() -> Settings {
    Settings {
        connect_timeout: AMPLE,
        write_timeout: AMPLE,
        request_timeout: AMPLE,
        connections: 1,
        max_connections: 1,
        ..Settings::default()
    }
}

impl Bench {
    fn new(url: &str, settings: &Settings) -> Self {
        let base = ApiBase::new(url.parse().expect("a URL"), "v25.0");
        let (client, opener) = Client::new(&base, settings).expect("usable settings");
        let mut tasks = JoinSet::new();
        tasks.spawn(opener.run());
        Self { client, base, _opener: tasks }
    }

    fn request(&self, body: Bytes) -> Request {
        let credential = Credential::new(header::AUTHORIZATION, HeaderValue::from_static("Bearer EAA"));
        Endpoint::new(&self.base, &"17".parse().expect("a number id"), &credential).request(Path::Messages, body)
    }

    async fn take(&self) -> Ready {
        let taking = async {
            loop {
                self.client.wait_ready().await;
                if let Some(ready) = self.client.take_ready() {
                    return ready;
                }
            }
        };
        tokio::time::timeout(AMPLE, taking).await.expect("a connection is opened")
    }

    async fn send(&self) -> Outcome {
        self.take().await.send(self.request(Bytes::from_static(b"{\"type\":\"text\"}"))).await
    }

    /// Waits until the statistics are so.
    async fn until(&self, hold: impl Fn(&PoolStats) -> bool) -> PoolStats {
        let waiting = async {
            loop {
                let stats = self.client.stats();
                if hold(&stats) {
                    return stats;
                }
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(AMPLE, waiting).await;
        waited.unwrap_or_else(|_| panic!("still {:?}", self.client.stats()))
    }
}
