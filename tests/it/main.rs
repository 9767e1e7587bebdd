//! Tests of the whole: what no single room can prove about itself.

mod suite;
