//! The fleet: which numbers there are, whose they are, what Meta says of them, and who may send by them.

pub mod directory;
pub mod discover;
pub mod members;
pub mod refresh;
pub mod standing;

pub use directory::{Directory, Unroutable};
pub use discover::discover;
pub use members::{Member, Pools, recruits};
pub use refresh::Refresher;

use crate::config::Config;
use crate::graph::reads::Reads;
use crate::graph::{ApiBase, SetupError};

/// Meta's address, by the configuration.
pub fn api(config: &Config) -> ApiBase {
    ApiBase::new(config.cloud_api.base_url.clone(), config.cloud_api.version.clone())
}

/// A client for what is read of Meta.
pub fn reads(config: &Config) -> Result<Reads, SetupError> {
    Reads::new(api(config), config.cloud_api.ca_file.as_deref())
}
