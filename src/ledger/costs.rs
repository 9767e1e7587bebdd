//! What messages cost, as far as the ledger knows: how many were priced as what. The money is the asker's sum.

use crate::clock::Timestamp;

/// Which prices to count, and how finely.
#[derive(Clone, Debug, Default)]
pub struct CostFilter {
    /// Only what was booked from this moment on.
    pub since: Option<Timestamp>,
    /// Only what was booked before this moment.
    pub until: Option<Timestamp>,
    /// Only this campaign.
    pub campaign: Option<String>,
    /// How far days are ahead of UTC, in milliseconds.
    pub zone_ms: i64,
    /// Counts each number for itself.
    pub by_number: bool,
    /// Counts recipients apart whose phone numbers differ in so many first digits.
    pub digits: u32,
}

/// So many messages that are priced alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CostRow {
    /// Days since 1970: when they were delivered, or as far as they came before that.
    pub day: i64,
    /// Their campaign.
    pub campaign: Option<String>,
    /// As Meta says: `marketing`, `utility`, …
    pub category: String,
    /// `regular`, `free_customer_service`, `free_entry_point`.
    pub kind: String,
    /// The number that sent them; none if numbers are not counted apart.
    pub number: Option<String>,
    /// Whose they are: the first digits after a `+`, or the country of a business-scoped id; empty if the person was
    /// forgotten.
    pub place: String,
    /// How many.
    pub messages: u64,
    /// Of these, delivered and not free of charge: what Meta bills.
    pub billable: u64,
}

/// A day in milliseconds.
pub(super) const DAY_MS: i64 = 86_400_000;
