//! A Cloud API to send to without an account at Meta: it behaves as Meta's pages say, and keeps a log
//! of every request it accepted, the *oracle*.
//!
//! This room uses nothing of the sender, and the sender's send path nothing of this room: two readings
//! of Meta's pages must not share one mistake.
//!
//! What it promises:
//! - a message is in the oracle exactly if the simulated Meta accepted it, whatever the sender was told;
//! - at most the limit of a number's messages are accepted in any sliding second, measured where they arrive;
//! - every acceptance has a message id of its own, also across runs;
//! - every message in the oracle gets its statuses by webhook, if webhooks are configured, whatever the sender was told;
//! - given the same requests at the same times, everything but message ids comes out the same (`seed`).
//!
//! Start it with [`Sim::start`] on the caller's runtime, or with [`Sim::spawn_thread`] on a thread of its own.

mod account;
mod answer;
mod clock;
mod config;
mod control;
mod control_account;
mod customer;
mod decision;
mod entry;
pub mod error_table;
mod fault;
mod fault_script;
mod fault_text;
mod key_values;
pub mod limits;
mod media;
mod message;
mod messaging_limit;
mod number_spec;
mod number_state;
mod oracle;
mod oracle_file;
mod oracle_log;
mod paging;
mod pair_limit;
mod platform;
mod reads;
mod refusal;
mod response_body;
mod rules;
mod running;
mod send;
mod server;
mod service_windows;
mod sliding_second;
mod tell;
mod template_spec;
mod validate;
mod waiters;
mod webhooks;
mod wire;
mod words;

pub use account::{
    AccountEvent, AlertSeverity, BanState, EventError, LimitForm, MarketingPreference, NameDecision, Pause, Restriction,
};
pub use config::{Latency, SimConfig, WabaSpec};
pub use customer::{Inbound, SayError};
pub use entry::{Entry, EntryOutcome, NumberStats, Stats, Totals};
pub use fault::{Fault, FaultAction};
pub use key_values::SpecError;
pub use message::MessageKind;
pub use number_spec::{NumberSpec, Token};
pub use number_state::{NumberChange, NumberStatus, Quality, ThroughputLevel};
pub use oracle::Oracle;
pub use running::Sim;
pub use template_spec::{Category, TemplateChange, TemplateSpec, TemplateStatus};
pub use webhooks::{
    AnswerShares, AnswerTimes, AppSecret, Between, Delays, FailedShare, HandshakeError, WebhookConfig, WebhookCounts,
};

use std::time::Duration;

/// How many real nanoseconds `simulated` takes when so many simulated seconds pass in a real one.
fn scaled_ns(simulated: Duration, time_scale: f64) -> u64 {
    (simulated.as_nanos() as f64 / time_scale).max(1.0) as u64
}

#[cfg(test)]
mod tests;
