//! Whose numbers and templates are read, and the credential that each number goes by.
//!
//! A number goes by its own credential, else by that of its account, else by the shared one. Secrets stay in the
//! configuration's sources: the ledger knows credentials by their names alone.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::config::{AccountConfig, AuthHeader, Config, NumberConfig, SecretSource};
use crate::graph::Credential;

/// The credential of numbers that have none of their own, nor their account.
pub const SHARED_CREDENTIAL: &str = "default";

/// A credential: its name, and where its secret is taken from.
#[derive(Clone, Debug)]
pub struct Token {
    /// What holds and the ledger call it.
    pub name: String,
    /// Where the secret is.
    pub source: SecretSource,
}

/// An account that is read.
#[derive(Clone, Debug)]
pub struct Account {
    /// Meta's id of it.
    pub waba: String,
    /// Who owns it, where the configuration says so.
    pub portfolio: Option<String>,
    /// What it is read with.
    pub token: Token,
}

impl Token {
    /// The header that it makes now.
    pub fn header(&self, header: &AuthHeader) -> Credential {
        Credential::new(header.name().clone(), header.value(&self.source.current()))
    }

    fn new(name: impl Into<String>, source: &SecretSource) -> Self {
        Self { name: name.into(), source: source.clone() }
    }
}

/// The accounts of this configuration that can be read, each once: `cloud_api.waba`, those of `[[accounts]]`, and
/// those of `[[numbers]]`.
pub fn accounts(config: &Config) -> Vec<Account> {
    let listed = config.accounts.iter().map(|account| &account.waba);
    let of_numbers = config.numbers.iter().filter_map(|number| number.waba.as_ref());
    let mut accounts: Vec<Account> = Vec::new();
    for waba in config.cloud_api.waba.iter().chain(listed).chain(of_numbers) {
        if accounts.iter().all(|known| known.waba != *waba)
            && let Some(token) = token_of_account(config, waba)
        {
            let portfolio = entry(config, waba).and_then(|account| account.portfolio.clone());
            accounts.push(Account { waba: waba.clone(), portfolio, token });
        }
    }
    accounts
}

/// Names what this configuration reads: processes that read the same take turns, and no one waits for another to read
/// what that one does not know.
pub fn share(config: &Config) -> String {
    let accounts = accounts(config).into_iter().map(|account| format!("account {}", account.waba));
    let numbers = config.numbers.iter().map(|number| format!("number {}", number.id));
    let things: BTreeSet<String> = accounts.chain(numbers).collect();
    let mut digest = Sha256::new();
    things.iter().for_each(|thing| digest.update(format!("{thing}\n")));
    digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a number goes by. `waba` is its account; empty if unknown.
pub fn token_of(config: &Config, number: Option<&NumberConfig>, waba: &str) -> Option<Token> {
    let own = number.and_then(token_of_number);
    let of_account = || entry(config, waba)?.token.as_ref().map(|token| Token::new(format!("account-{waba}"), token));
    own.or_else(of_account).or_else(|| shared(config))
}

/// What an account is read with: its own credential; or that of one of its numbers, if nothing but numbers names it;
/// or the shared one.
fn token_of_account(config: &Config, waba: &str) -> Option<Token> {
    let is_named = config.cloud_api.waba.as_deref() == Some(waba) || entry(config, waba).is_some();
    let of_number =
        || config.numbers.iter().filter(|number| number.waba.as_deref() == Some(waba)).find_map(token_of_number);
    let of_account = token_of(config, None, waba);
    if is_named { of_account.or_else(of_number) } else { of_number().or(of_account) }
}

fn token_of_number(number: &NumberConfig) -> Option<Token> {
    number.token.as_ref().map(|token| Token::new(format!("number-{}", number.id), token))
}

fn shared(config: &Config) -> Option<Token> {
    config.cloud_api.access_token.as_ref().map(|token| Token::new(SHARED_CREDENTIAL, token))
}

fn entry<'a>(config: &'a Config, waba: &str) -> Option<&'a AccountConfig> {
    config.accounts.iter().find(|account| account.waba == waba)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Sources;

    fn config(settings: &[(&str, &str)]) -> Config {
        let overrides = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Config::load(Sources { file: None, env: BTreeMap::new(), dotenv: None, overrides }).expect("a configuration")
    }

    #[test]
    fn those_share_the_reading_who_read_the_same() {
        let of = |settings: &[(&str, &str)]| {
            let token = ("cloud_api.access_token", "shared");
            share(&config(&[&[token], settings].concat()))
        };
        let (one, other) = (("numbers[0].id", "41"), ("numbers[0].id", "42"));
        assert_eq!(of(&[one, ("numbers[1].id", "42")]), of(&[other, ("numbers[1].id", "41"), ("fleet.refresh", "9s")]));
        assert_ne!(of(&[one]), of(&[other]), "neither would read the other's");
        assert_ne!(of(&[one]), of(&[one, ("cloud_api.waba", "1")]));
    }

    #[test]
    fn each_account_is_read_with_the_credential_that_belongs_to_it() {
        let config = config(&[
            ("cloud_api.access_token", "shared"),
            ("cloud_api.waba", "1"),
            ("accounts[0].waba", "2"),
            ("accounts[0].token", "of-2"),
            ("accounts[1].waba", "3"),
            ("accounts[1].portfolio", "33"),
            ("numbers[0].id", "41"),
            ("numbers[0].waba", "4"),
            ("numbers[0].token", "of-41"),
            ("numbers[1].id", "42"),
            ("numbers[1].waba", "2"),
        ]);
        let read: Vec<_> = accounts(&config).into_iter().map(|it| (it.waba, it.token.name, it.portfolio)).collect();
        let shown =
            |waba: &str, name: &str, portfolio: Option<&str>| (waba.into(), name.into(), portfolio.map(str::to_owned));
        assert_eq!(
            read,
            [
                shown("1", "default", None),
                shown("2", "account-2", None),
                shown("3", "default", Some("33")),
                shown("4", "number-41", None),
            ]
        );
        let by = |slot: usize, waba: &str| token_of(&config, config.numbers.get(slot), waba).expect("a token").name;
        assert_eq!([by(0, "2"), by(1, "2"), by(1, ""), by(9, "2")], ["number-41", "account-2", "default", "account-2"]);
    }
}
