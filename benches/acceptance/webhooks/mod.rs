//! Meta's webhooks, taken in by the running binary.

mod load;
mod posting;
mod replay;
mod slow;

pub use load::statuses_beside_sends;
pub use replay::replay;
pub use slow::slow_clients;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use tidegate::ledger::Ledger;
use tidegate::sim::SimConfig;

use crate::stand::Stand;

pub const SECRET: &str = "the app's secret";

/// A stand that takes webhooks in at an address of its own.
pub fn stand(sim: SimConfig, numbers: &[(String, u32)]) -> (Stand, SocketAddr) {
    let mut stand = Stand::simulated(sim, numbers, &[]);
    let address = {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        free.local_addr().expect("it is bound")
    };
    stand.set("webhook.listen", &address.to_string());
    stand.set("webhook.app_secret", SECRET);
    stand.set("webhook.verify_token", "a token");
    (stand, address)
}

/// Waits until webhooks are taken in there.
pub async fn listening(address: SocketAddr) {
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until all that was kept is applied; no longer than so.
async fn applied(ledger: &Ledger, most: Duration) -> bool {
    let looked = async {
        while !ledger.inbox_take(1, 1 << 20).await.expect("the ledger answers").is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(most, looked).await.is_ok()
}
