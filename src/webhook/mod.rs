//! Takes Meta's webhooks in: `GET|POST /webhook/whatsapp` on an address of its own.
//!
//! It promises: nothing of a request is looked into before its signature is found right; 200 means that the raw body
//! is on disk; whatever else is answered makes Meta repeat it. What the bodies say is not its business.
//!
//! HTTP is spoken on a thread of its own, with a runtime of its own, so that a flood from outside takes no time from
//! the sending. Bodies come over to the ledger's runtime by a bounded channel, and each commit takes all that wait.

mod body;
mod forwarding;
mod gate;
mod intake;
mod limits;
pub mod meaning;
mod networks;
pub mod notice;
mod places;
mod server;
mod signature;
#[cfg(test)]
mod tests;

pub use forwarding::Forward;
pub use limits::Limits;
pub use networks::Networks;
pub use server::Server;
pub use signature::Secrets;

use std::net::SocketAddr;
use std::sync::Arc;

/// Where webhooks are taken in.
pub const PATH: &str = "/webhook/whatsapp";

/// A secret as it is now; asked for each time, since its file may change.
pub type Text = Arc<dyn Fn() -> String + Send + Sync>;
/// Several of them.
pub type Texts = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// How webhooks are taken in.
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What Meta must send when the webhook is set up; without it no handshake succeeds.
    pub verify_token: Option<Text>,
    /// What Meta signs webhooks with; with none of them all webhooks are refused.
    pub secrets: Secrets,
    /// Who may speak to us.
    pub networks: Networks,
    /// Who gets every verified webhook as it came.
    pub forward: Option<Forward>,
    /// Bounds of time and space.
    pub limits: Limits,
}

/// Why webhooks cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The address is taken, or not this machine's.
    #[error("webhook.listen: cannot listen on {address}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No authority is known, so that no server could be trusted.
    #[error("webhook.forward_to: no authority to trust for TLS; install ca-certificates")]
    Trust(#[source] rustls::Error),
    /// The client that forwards could not be built.
    #[error("webhook.forward_to: cannot set up HTTP")]
    Http(#[source] reqwest::Error),
}
