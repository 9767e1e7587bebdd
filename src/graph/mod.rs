//! Meta's Graph API, from our side: what is asked of it, and what its answers mean.
//!
//! It promises: a send always has an [`Outcome`](crate::outcome::Outcome), and «not sent» is said only if not one
//! byte of the request was written; nothing is ever sent twice by this room; every answer is bounded in size and time.

pub mod answer;
pub mod calling_code;
pub mod codes;
pub mod endpoint;
pub mod message;
pub mod rule;
#[cfg(test)]
pub(crate) mod samples;

pub use endpoint::{ApiBase, Credential, Endpoint, Path, Request};
