//! Our numbers by the names that webhooks give them.

use std::collections::HashMap;

use serde_json::Value;

use crate::job::{NumberId, PoolName};
use crate::ledger::FleetRow;

/// Our numbers: by display number, and the pool of each.
#[derive(Clone, Debug, Default)]
pub struct Names {
    by_display: HashMap<String, NumberId>,
    pool_of: HashMap<NumberId, PoolName>,
}

impl Names {
    /// Adds a number; its display number may have separators, or be unknown.
    pub fn add(&mut self, id: NumberId, display: &str, pool: PoolName) {
        let digits = digits(display);
        if !digits.is_empty() {
            self.by_display.insert(digits, id.clone());
        }
        self.pool_of.insert(id, pool);
    }

    /// The number that people know so.
    pub fn id(&self, display: &str) -> Option<&NumberId> {
        self.by_display.get(&digits(display))
    }

    /// Where a number belongs: `default` for those that no pool names.
    pub fn pool(&self, id: &NumberId) -> PoolName {
        self.pool_of.get(id).cloned().unwrap_or_else(PoolName::default_pool)
    }

    /// What was read of a number, as far as its names go: its id, and its display number.
    pub fn of_row(row: &FleetRow) -> Option<(NumberId, String)> {
        let fields: Value = serde_json::from_str(&row.fields).ok()?;
        let display = fields.get("display_phone_number").and_then(Value::as_str).unwrap_or_default();
        Some((row.id.parse().ok()?, display.to_owned()))
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}
