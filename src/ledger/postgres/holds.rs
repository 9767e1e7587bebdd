//! Placing, lifting and trying holds.
