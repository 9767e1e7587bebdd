//! Deterministic simulation of the core: many numbers, several workers, faults at every step, on virtual time.
//!
//! One process, no I/O, no runtime. Everything that is left to chance comes from one seeded generator, so a failing
//! seed replays.

mod chance;
mod fold;
mod judge;
mod lookout;
mod making;
mod meta;
mod plan;
mod reading;
mod shell;
mod storms;
mod world;
