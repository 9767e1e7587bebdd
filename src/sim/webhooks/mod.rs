//! What the simulated Meta tells the business by webhook, and when: planned under the platform's lock, posted beside it.
//!
//! Envelope, statuses, signature and retries as
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview> and
//! `…/webhooks/reference/messages/status` say (read 2026-09-11). Order is not promised, repeats are to be expected,
//! and only a 200 is an acknowledgement.

mod config;
mod counts;
mod envelope;
mod handshake;
mod outbox;
mod plan;
mod sender;
mod signature;
mod text;
mod timeline;
mod update;

pub use config::{AnswerShares, AppSecret, Between, Delays, FailedShare, WebhookConfig};
pub use counts::{AnswerTimes, WebhookCounts};
pub use handshake::HandshakeError;

pub(crate) use handshake::shake_hands;
pub(crate) use outbox::{Next, Outbox};
pub(crate) use sender::run;
pub(crate) use update::{Origin, Price, SentMessage, Update, contact, metadata, name_person};
