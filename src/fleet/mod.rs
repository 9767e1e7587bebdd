//! The fleet: which numbers there are, whose they are, what Meta says of them, and who may send by them.

pub mod accounts;
pub mod directory;
pub mod discover;
pub mod members;
pub mod refresh;
pub mod rhythm;
pub mod roster;
pub mod schedule;
pub mod standing;
pub mod survey;
pub mod sync;
pub mod templates;
pub mod uploads;

pub use directory::{Directory, Unroutable};
pub use discover::discover;
pub use members::{Member, Pools};
pub use refresh::Refresher;
pub use roster::Roster;
pub use schedule::Schedule;
pub use uploads::{UploadError, Uploaded, Uploads};

use crate::config::Config;
use crate::graph::media::Media;
use crate::graph::reads::Reads;
use crate::graph::receipt::Receipts;
use crate::graph::{ApiBase, Credential, SetupError};
use crate::job::NumberId;

/// Meta's address, by the configuration.
pub fn api(config: &Config) -> ApiBase {
    ApiBase::new(config.cloud_api.base_url.clone(), config.cloud_api.version.clone())
}

/// A client for what is read of Meta.
pub fn reads(config: &Config) -> Result<Reads, SetupError> {
    Reads::new(api(config), config.cloud_api.ca_file.as_deref())
}

/// A client for media.
pub fn media(config: &Config) -> Result<Media, SetupError> {
    Media::new(api(config), config.cloud_api.ca_file.as_deref())
}

/// A client for marking messages as read.
pub fn receipts(config: &Config) -> Result<Receipts, SetupError> {
    Receipts::new(api(config), config.cloud_api.ca_file.as_deref())
}

/// A number's own credential, or its account's, or else the shared one; the shared one where no number is named. `waba`
/// is its account, where that is known.
pub fn credential_of(config: &Config, number: Option<&NumberId>, waba: Option<&str>) -> Option<Credential> {
    let own = number.and_then(|id| config.numbers.iter().find(|number| number.id == id.as_str()));
    let waba = own.and_then(|number| number.waba.as_deref()).or(waba).unwrap_or_default();
    Some(accounts::token_of(config, own, waba)?.header(&config.cloud_api.auth_header))
}
