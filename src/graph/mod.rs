//! Meta's Graph API, from our side: what is asked of it, and what its answers mean.
//!
//! It promises: a send always has an [`Outcome`](crate::outcome::Outcome), and «not sent» is said only if not one
//! byte of the request was written; nothing is ever sent twice by this room; every answer is bounded in size and time.

pub mod answer;
mod ask;
pub mod calling_code;
pub mod client;
pub mod codes;
mod connection;
mod dial;
pub mod endpoint;
pub mod holding;
pub mod media;
pub mod message;
mod pool;
pub mod reads;
pub mod receipt;
pub mod rule;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use ask::{AskError, Usage};
pub use client::{Client, Ready, Settings, SetupError};
pub use endpoint::{ApiBase, Credential, Endpoint, Path, Request};
pub use pool::{Opener, PoolStats};
pub use tls::outward_client;
