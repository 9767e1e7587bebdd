//! Tests of the whole: what no single room can prove about itself.

mod cli;
mod main_job;
mod map;
mod suite;
mod world;
