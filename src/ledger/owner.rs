//! Which portfolio an account belongs to, as it was read of Meta or configured: a row of the fleet.

use serde::{Deserialize, Serialize};

use super::FleetRow;
use crate::clock::Timestamp;

/// The kind under which accounts lie.
pub const WABA: &str = "waba";

#[derive(Serialize, Deserialize)]
struct Fields {
    portfolio: String,
    #[serde(default)]
    name: String,
}

impl FleetRow {
    /// This account is of that portfolio, and has this name.
    pub fn account(waba: &str, portfolio: &str, name: &str, now: Timestamp) -> Self {
        let fields = Fields { portfolio: portfolio.to_owned(), name: name.to_owned() };
        Self {
            kind: WABA.to_owned(),
            id: waba.to_owned(),
            parent: portfolio.to_owned(),
            fields: serde_json::to_string(&fields).expect("texts are JSON"),
            read_at: now,
        }
    }

    /// The account and its portfolio, of a row of this kind; none where the portfolio is not known.
    pub fn owner(&self) -> Option<(String, String)> {
        let fields: Fields = serde_json::from_str(&self.fields).ok()?;
        (!fields.portfolio.is_empty()).then(|| (self.id.clone(), fields.portfolio))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whose_an_account_is_if_it_is_known() {
        let row = FleetRow::account("102", "55", "Shop", Timestamp::from_millis(7));
        assert_eq!(row.owner(), Some(("102".to_owned(), "55".to_owned())));
        assert_eq!(FleetRow::account("102", "", "Shop", Timestamp::from_millis(7)).owner(), None);
        assert_eq!(FleetRow { fields: "{}".to_owned(), ..row }.owner(), None);
    }
}
