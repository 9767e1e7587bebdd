//! Tests of the whole: what no single room can prove about itself.

mod accounts;
mod beside;
#[cfg(feature = "services")]
mod brokered;
mod campaign;
mod chaos;
mod cli;
mod crash;
mod credential;
mod dead;
mod deploy;
mod drain;
#[cfg(feature = "services")]
mod example_apps;
#[cfg(feature = "services")]
mod examples;
mod gateway;
mod holding;
mod hook;
mod in_doubt;
mod limits;
mod listing;
mod main_job;
mod map;
mod media;
mod newcomers;
mod numbers;
mod operators;
mod owning;
mod pairs;
mod process;
#[cfg(feature = "services")]
mod producer;
#[cfg(feature = "services")]
mod queue;
mod rate;
mod refusals;
#[cfg(feature = "services")]
mod services;
#[cfg(feature = "services")]
mod shared;
mod startup;
mod suite;
mod talking;
mod templates;
mod timing;
mod trouble;
mod urgency;
mod world;
