//! The ledger in one SQLite file: one worker owns it, commands write beside it.

mod calls;

use std::path::{Path, PathBuf};

use tokio::sync::watch;

use super::{LedgerError, Signal};

/// Who opens the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// The one worker: what the last one had claimed and leased is free at once.
    Worker,
    /// A command beside the worker, or without one.
    Beside,
}

/// What to do about a schema that is older than this binary's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Migrate {
    /// Bring it up to date.
    Auto,
    /// Refuse to open it.
    Check,
}

/// Which changes of a job are written to the outbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Publish {
    /// None: nobody listens.
    #[default]
    Off,
    /// Only how it ended.
    Ended,
    /// Every one.
    All,
}

/// An open ledger file; its clones are the same one. The last to go waits for what was asked to be committed.
#[derive(Clone, Debug)]
pub struct SqliteLedger {}

impl SqliteLedger {
    /// Opens the file, or makes it; blocks for as long as migrations take.
    pub fn open(path: &Path, access: Access, migrate: Migrate) -> Result<Self, LedgerError> {
        Self::open_publishing(path, access, migrate, Publish::Off)
    }

    /// Opens the file and writes events to its outbox.
    pub fn open_publishing(
        _path: &Path,
        _access: Access,
        _migrate: Migrate,
        _publish: Publish,
    ) -> Result<Self, LedgerError> {
        todo!()
    }

    /// Where the file is.
    pub fn path(&self) -> &PathBuf {
        todo!()
    }

    /// The schema's version in the file.
    pub async fn schema_version(&self) -> Result<i64, LedgerError> {
        todo!()
    }

    pub(super) fn signals(&self) -> watch::Receiver<Signal> {
        todo!()
    }
}

/// Brings the schema of a file up to date, and says from which version to which.
pub fn migrate(_path: &Path) -> Result<(i64, i64), LedgerError> {
    todo!()
}
