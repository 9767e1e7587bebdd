//! Tests of the whole: what no single room can prove about itself.

mod cli;
mod crash;
mod credential;
mod drain;
mod holding;
mod in_doubt;
mod main_job;
mod map;
mod process;
mod refusals;
mod suite;
mod timing;
mod urgency;
mod world;
