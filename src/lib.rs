//! Tidegate sends WhatsApp messages through Meta's Cloud API, at the full speed Meta allows and never faster.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod fleet;
pub mod graph;
pub mod hold;
pub mod job;
pub mod keeper;
pub mod ledger;
pub mod metrics;
pub mod ops;
pub mod outcome;
pub mod queue;
pub mod sim;
pub mod telemetry;
pub mod worker;
