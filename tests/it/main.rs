//! Tests of the whole: what no single room can prove about itself.

mod beside;
mod campaign;
mod chaos;
mod cli;
mod crash;
mod credential;
mod dead;
mod drain;
mod holding;
mod in_doubt;
mod main_job;
mod map;
mod numbers;
mod operators;
mod process;
mod rate;
mod refusals;
#[cfg(feature = "services")]
mod services;
mod startup;
mod suite;
mod timing;
mod trouble;
mod urgency;
mod world;
