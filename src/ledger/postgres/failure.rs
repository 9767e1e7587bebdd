//! What went wrong at the database, in the ledger's words.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use super::address::with_causes;
use crate::ledger::LedgerError;

impl From<tokio_postgres::Error> for LedgerError {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = with_causes(&error);
        if is_damage(&error) { Self::Damaged(text) } else { Self::Unreachable(text) }
    }
}

impl From<PoolError> for LedgerError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => Self::Unreachable(with_causes(&error)),
        }
    }
}

/// Whether trying again would not help: the statement and the tables, or the values, do not fit each other.
fn is_damage(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => ["22", "23", "42"].iter().any(|class| code.code().starts_with(class)),
        // Not from the server: a row that does not read as expected says so by itself.
        None => error.to_string().starts_with("error deserializing column"),
    }
}

/// Whether another transaction was in the way, and the same again may well pass.
pub(super) fn is_others_fault(error: &tokio_postgres::Error) -> bool {
    matches!(error.code(), Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE))
}

/// No answer in time.
pub(super) fn too_slow() -> LedgerError {
    LedgerError::Unreachable("the database did not answer in time".to_owned())
}

/// A row does not read as what it must be.
pub(super) fn damaged(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Damaged(error.to_string())
}
