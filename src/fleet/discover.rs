//! Finds the numbers that may send: those that the configuration lists, else those of Meta's account that it allows.

use crate::config::{Config, Discover};
use crate::graph::reads::{PhoneNumber, ReadError, Reads};
use crate::job::NumberId;

use super::members::{self, Member};
use super::refresh;

/// Why no fleet could be put together.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// Meta could not be asked.
    #[error("cannot list the numbers of account {waba}")]
    Unreadable {
        /// The account.
        waba: String,
        /// Why.
        #[source]
        cause: ReadError,
    },
    /// The account has none.
    #[error("account {0} has no number that could send: add one in the WhatsApp Manager")]
    None(String),
    /// Several, and nobody said which.
    #[error(
        "account {waba} has {} numbers; say which may send: list them as [[numbers]], or set fleet.discover = \"all\":{}",
        .found.len(),
        .found.iter().map(|number| format!("\n  {number}")).collect::<String>()
    )]
    Several {
        /// The account.
        waba: String,
        /// What it has: id, display number and name.
        found: Vec<String>,
    },
}

/// The fleet of this configuration.
pub async fn discover(config: &Config, reads: &Reads) -> Result<Vec<Member>, DiscoverError> {
    if !config.numbers.is_empty() {
        return Ok(members::configured(config));
    }
    let (Some(waba), Some(token)) = (&config.cloud_api.waba, &config.cloud_api.access_token) else {
        return Ok(Vec::new());
    };
    let credential = refresh::credential(&config.cloud_api.auth_header, token);
    let found = reads
        .phone_numbers(waba, &credential)
        .await
        .map_err(|cause| DiscoverError::Unreadable { waba: waba.clone(), cause })?;
    allowed(config, waba, &found)
}

fn allowed(config: &Config, waba: &str, found: &[PhoneNumber]) -> Result<Vec<Member>, DiscoverError> {
    let member = |number: &PhoneNumber| {
        let id: NumberId = number.id.parse().ok()?;
        members::discovered(config, id, number.display().to_owned())
    };
    match (config.fleet.discover, found) {
        (Discover::Off, _) => Ok(Vec::new()),
        (Discover::All | Discover::Sole, []) => Err(DiscoverError::None(waba.to_owned())),
        (Discover::Sole, [_, _, ..]) => {
            let shown = |number: &PhoneNumber| format!("{}  {}", number.id, number.display());
            Err(DiscoverError::Several { waba: waba.to_owned(), found: found.iter().map(shown).collect() })
        }
        (Discover::All | Discover::Sole, _) => Ok(found.iter().filter_map(member).collect()),
    }
}
