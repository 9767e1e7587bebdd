//! What operators see: metrics, probes, and a status page for people, on an address of their own.
//!
//! It only reads. `/livez` says whether the worker's loop turns and asks nobody; `/readyz` names each part that is
//! not well; the page and `/status.json` show the last [`StatusSnapshot`] that the worker published. None of them
//! shows a recipient or a message.

mod heartbeat;
mod html;
mod page;
mod server;
mod status;
mod why;

pub use heartbeat::Heartbeat;
pub use server::{Server, Sources};
pub use status::{HoldStatus, LaneStatus, LedgerStatus, NumberStatus, PartStatus, StatusSnapshot};
pub use why::Why;

use std::net::SocketAddr;

/// Why operators cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The address is taken, or not this machine's.
    #[error("ops.listen: cannot listen on {address}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
