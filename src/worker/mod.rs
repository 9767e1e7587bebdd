//! (room)
pub mod index;
pub mod intake;
pub mod lane;
pub mod launch;
pub mod leases;
pub mod number;
pub mod pacer;
pub mod pool;
pub mod retry;
pub mod scheduler;
pub mod verdict;
