//! Which number a command speaks for, and with which credential.

use std::collections::BTreeMap;

use anyhow::anyhow;

use super::context::{directory, known_numbers};
use super::exit::BadUsage;
use crate::config::Config;
use crate::fleet;
use crate::graph::Credential;
use crate::job::{From, NumberId};
use crate::ledger::Ledger;

/// A number, and what it may ask Meta with.
pub struct Sender {
    /// Its id.
    pub id: NumberId,
    /// Its own, or the shared one.
    pub credential: Credential,
}

/// The number that is named, or the only one there is.
pub async fn sender(named: Option<&From>, config: &Config, ledger: &Ledger) -> anyhow::Result<Sender> {
    let known = known_numbers(config, ledger).await?;
    let id = match named {
        Some(named) => found(named, config, &known)?,
        None => only(&known)?,
    };
    let credential = credential_in(config, Some(&id), waba_of(ledger, &id).await?.as_deref())?;
    Ok(Sender { id, credential })
}

/// The credential of a number, or the shared one where none is named.
pub fn credential(config: &Config, number: Option<&NumberId>) -> anyhow::Result<Credential> {
    credential_in(config, number, None)
}

/// The account in which a number was found, if it was.
async fn waba_of(ledger: &Ledger, id: &NumberId) -> anyhow::Result<Option<String>> {
    let row = ledger.fleet_get("number".to_owned(), id.to_string()).await?;
    Ok(row.map(|row| row.parent).filter(|waba| !waba.is_empty()))
}

fn credential_in(config: &Config, number: Option<&NumberId>, waba: Option<&str>) -> anyhow::Result<Credential> {
    fleet::credential_of(config, number, waba).ok_or_else(|| {
        let whose = number
            .map_or_else(|| "there is no access token".to_owned(), |id| format!("number {id} has no access token"));
        anyhow!(
            "{whose}: set WHATSAPP_ACCESS_TOKEN, or cloud_api.access_token_file in the configuration, or token_file of \
             the number in [[numbers]]"
        )
    })
}

fn found(named: &From, config: &Config, known: &BTreeMap<NumberId, String>) -> anyhow::Result<NumberId> {
    let unknown = |what: String| anyhow::Error::new(BadUsage(format!("{what}; {}", listed(known))));
    match named {
        From::Pool(pool) => Err(unknown(format!("{pool} is no number"))),
        // Where nothing is known yet, Meta's id is taken at its word.
        From::Number(id) if known.is_empty() || known.contains_key(id) => Ok(id.clone()),
        From::Number(id) => Err(unknown(format!("no number {id} is known here"))),
        From::Display(_) => {
            let route = directory(config, known).route(named).map_err(|refused| unknown(refused.to_string()))?;
            Ok(route.pinned.expect("who names a number is pinned to it"))
        }
    }
}

fn only(known: &BTreeMap<NumberId, String>) -> anyhow::Result<NumberId> {
    let mut ids = known.keys();
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id.clone()),
        (Some(_), Some(_)) | (None, _) => {
            Err(BadUsage(format!("say which number, by --number; {}", listed(known))).into())
        }
    }
}

fn listed(known: &BTreeMap<NumberId, String>) -> String {
    if known.is_empty() {
        return "none is known here yet: set WHATSAPP_PHONE_NUMBER_ID, or list [[numbers]]".to_owned();
    }
    let shown = known.iter().map(|(id, display)| match display.as_str() {
        "" => id.to_string(),
        display => format!("{id} ({display})"),
    });
    format!("known are {}", shown.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(ids: &[(&str, &str)]) -> BTreeMap<NumberId, String> {
        ids.iter().map(|(id, display)| (id.parse().expect("an id"), (*display).to_owned())).collect()
    }

    #[test]
    fn the_only_number_need_not_be_named() {
        assert_eq!(only(&known(&[("1001", "")])).expect("the only one").as_str(), "1001");
        let several = only(&known(&[("1001", "+1 555 000 1001"), ("1002", "")])).expect_err("which").to_string();
        assert_eq!(several, "say which number, by --number; known are 1001 (+1 555 000 1001), 1002");
        assert!(only(&known(&[])).expect_err("none").to_string().contains("WHATSAPP_PHONE_NUMBER_ID"));
    }
}
