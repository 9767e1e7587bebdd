//! Tests of the whole: what no single room can prove about itself.

mod map;
mod main_job;
mod world;
