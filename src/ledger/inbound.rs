//! How fast people write to a number, as the keeper tells the workers: a row of the fleet.

use serde::{Deserialize, Serialize};

use super::FleetRow;
use crate::clock::Timestamp;
use crate::job::NumberId;

/// The kind under which these rates lie.
pub const INBOUND: &str = "inbound";

#[derive(Serialize, Deserialize)]
struct Fields {
    per_second: u32,
}

impl FleetRow {
    /// So many messages a second come for this number.
    pub fn inbound(number: &NumberId, per_second: u32, now: Timestamp) -> Self {
        let fields = serde_json::to_string(&Fields { per_second }).expect("a number");
        Self { kind: INBOUND.to_owned(), id: number.to_string(), parent: String::new(), fields, read_at: now }
    }

    /// The number and its rate, of a row of this kind.
    pub fn inbound_rate(&self) -> Option<(NumberId, u32)> {
        let fields: Fields = serde_json::from_str(&self.fields).ok()?;
        Some((self.id.parse().ok()?, fields.per_second))
    }
}
