//! The fleet: which numbers there are, whose they are, what Meta says of them, and who may send by them.

pub mod directory;
pub mod members;
pub mod standing;

pub use directory::{Directory, Unroutable};
pub use members::{Member, Pools};
