//! Small names for the core's numbers, pools and lanes: positions in its tables, which only ever grow.

/// A number's position in the core's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NumberIdx(pub(super) u32);

/// A pool's position in the core's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PoolIdx(pub(super) u32);

/// A lane's position in the core's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaneIdx(pub(super) u32);

impl NumberIdx {
    /// As a position in a table kept per number.
    pub fn slot(self) -> usize {
        self.0 as usize
    }
}

impl PoolIdx {
    /// As a position in a table kept per pool.
    pub fn slot(self) -> usize {
        self.0 as usize
    }
}

impl LaneIdx {
    pub(super) fn slot(self) -> usize {
        self.0 as usize
    }
}
