//! Columns as what they mean.

use std::borrow::Cow;

use tokio_postgres::Row;

use super::failure::damaged;
use crate::clock::Timestamp;
use crate::ledger::LedgerError;

/// A word of a closed set.
pub(super) fn word<Word>(row: &Row, column: usize) -> Result<Word, LedgerError>
where
    Word: std::str::FromStr<Err: std::fmt::Display>,
{
    row.try_get::<_, &str>(column)?.parse().map_err(damaged)
}

/// A word of a closed set; none also for one that a later version wrote.
pub(super) fn known_word<Word: std::str::FromStr>(row: &Row, column: usize) -> Result<Option<Word>, LedgerError> {
    Ok(row.try_get::<_, Option<&str>>(column)?.and_then(|text| text.parse().ok()))
}

/// A word of a closed set, or none.
pub(super) fn maybe_word<Word>(row: &Row, column: usize) -> Result<Option<Word>, LedgerError>
where
    Word: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = row.try_get::<_, Option<&str>>(column)?;
    text.filter(|text| !text.is_empty()).map(|text| text.parse().map_err(damaged)).transpose()
}

/// A time, or none.
pub(super) fn time(row: &Row, column: usize) -> Result<Option<Timestamp>, LedgerError> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

/// A count that is never negative.
pub(super) fn count(row: &Row, column: usize) -> Result<u32, LedgerError> {
    u32::try_from(row.try_get::<_, i32>(column)?).map_err(damaged)
}

/// A text of others as the database takes it: it has no room for NUL.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
