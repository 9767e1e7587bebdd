//! The fleet: which numbers there are, whose they are, what Meta says of them, and who may send by them.

pub mod directory;
pub mod discover;
pub mod members;
pub mod refresh;
pub mod standing;
pub mod uploads;

pub use directory::{Directory, Unroutable};
pub use discover::discover;
pub use members::{Member, Pools, recruits};
pub use refresh::Refresher;
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

/// A number's own credential, or else the shared one; the shared one where no number is named.
pub fn credential_of(config: &Config, number: Option<&NumberId>) -> Option<Credential> {
    let own = number.and_then(|id| config.numbers.iter().find(|number| number.id == id.as_str()));
    let token = own.and_then(|number| number.token.as_ref()).or(config.cloud_api.access_token.as_ref())?;
    Some(refresh::credential(&config.cloud_api.auth_header, token))
}
