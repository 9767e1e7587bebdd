//! Finds the numbers that may send: those that the configuration lists, else those of Meta's accounts that it allows.
//!
//! Whose they are is asked of Meta before the first job where the ledger does not know it: a messaging limit is the
//! portfolio's, and counted from the first message on.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;

use crate::clock::{self, Timestamp};
use crate::config::{Config, Discover};
use crate::graph::reads::{ReadError, Reads};
use crate::job::NumberId;
use crate::ledger::{Ledger, LedgerError};

use super::accounts::{Account, accounts};
use super::members::{self, Acquainted, Member, Pools};
use super::survey::Survey;

/// So long a start waits for what it could also do without.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many numbers are read side by side.
const SIDE_BY_SIDE: usize = 8;

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
    /// The accounts have none.
    #[error("account {0} has no number that could send: add one in the WhatsApp Manager")]
    None(String),
    /// Several, and nobody said which.
    #[error(
        "account {waba} has {} numbers; say which may send: list them as [[numbers]], or set fleet.discover = \"all\":{}",
        .found.len(),
        .found.iter().map(|number| format!("\n  {number}")).collect::<String>()
    )]
    Several {
        /// The account, or all of them.
        waba: String,
        /// What there is: id, display number and name.
        found: Vec<String>,
    },
    /// Its account has the credential, and nobody knows which account that is.
    #[error("nobody can tell which account number {0} is of: set its waba in [[numbers]], or its token")]
    NoCredential(String),
    /// What is known lies in the ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The fleet of this configuration.
pub async fn discover(config: &Config, reads: &Reads, ledger: &Ledger) -> Result<Vec<Member>, DiscoverError> {
    if config.numbers.is_empty() {
        let found = found(config, reads, ledger).await?;
        warn_of_strangers(config, &found);
        return Ok(found);
    }
    if config.fleet.discover == Discover::All {
        tracing::warn!(
            "fleet.discover = \"all\" counts for nothing beside a list: only the numbers of [[numbers]], PHONE_NUMBERS \
             and WHATSAPP_PHONE_NUMBER_ID send"
        );
    }
    let known = Acquainted::of(config, ledger).await?;
    // Without an answer the numbers go on with what is known: the schedule asks again.
    let _late = tokio::time::timeout(PATIENCE, get_acquainted(config, reads, ledger, &known)).await;
    let known = Acquainted::of(config, ledger).await?;
    let member =
        |number| members::listed(config, number, &known).ok_or_else(|| DiscoverError::NoCredential(number.id.clone()));
    config.numbers.iter().map(member).collect()
}

/// A pool may list a number that joins later, or that was misspelt.
fn warn_of_strangers(config: &Config, found: &[Member]) {
    let pools = Pools::new(config);
    for (text, pool) in pools.listed() {
        if !found.iter().any(|member| pools.means(text, member.id.as_str(), &member.display)) {
            tracing::warn!("pool {pool} lists {text}, and no account lists such a number: nobody sends by it");
        }
    }
}

/// Reads what the ledger does not know of the listed numbers.
async fn get_acquainted(config: &Config, reads: &Reads, ledger: &Ledger, known: &Acquainted) {
    let header = &config.cloud_api.auth_header;
    let now = clock::now().wall;
    let ids = || config.numbers.iter().map(|number| number.id.parse::<NumberId>().expect("a checked id"));
    let accounts = accounts(config);
    let has_strangers = ids().any(|id| known.read_at(&id).is_none());
    let mut unreadable = BTreeSet::new();
    for account in accounts.iter().filter(|it| has_strangers || known.portfolio_of(&it.waba).is_empty()) {
        match Survey::account(reads, header, account).await {
            Ok(survey) => keep(&allowed(config, survey), ledger, known, now).await,
            Err(error) => {
                tracing::warn!("cannot read account {}: {error}; it is asked again", account.waba);
                unreadable.insert(account.waba.as_str());
            }
        }
    }
    let Ok(known) = Acquainted::of(config, ledger).await else { return };
    let strangers = config.numbers.iter().filter_map(|number| members::listed(config, number, &known));
    let strangers = strangers
        .filter(|member| known.read_at(&member.id).is_none())
        .filter_map(|member| Some(Member { waba: beside(config, &known, &unreadable, &member)?, ..member }))
        .map(|member| async move { Survey::number(reads, header, (&member.id, &member.token), &member.waba).await });
    let mut surveys = futures_util::stream::iter(strangers).buffer_unordered(SIDE_BY_SIDE);
    while let Some(survey) = surveys.next().await {
        // What is wrong with it the schedule tells, which reads it next.
        if let Ok(survey) = survey {
            keep(&survey, ledger, &known, now).await;
        }
    }
}

/// The account of a number that none of the readable accounts lists; none while that cannot be told.
fn beside(config: &Config, known: &Acquainted, unreadable: &BTreeSet<&str>, member: &Member) -> Option<String> {
    let is_of_none = member.waba.is_empty() || accounts(config).iter().all(|account| account.waba != member.waba);
    let is_configured = config.numbers.iter().any(|it| it.id == member.id.as_str() && it.waba.is_some());
    if is_of_none || is_configured {
        return Some(member.waba.clone());
    }
    (!unreadable.contains(member.waba.as_str())).then(|| known.waba_beside(config, member))
}

async fn keep(survey: &Survey, ledger: &Ledger, known: &Acquainted, now: Timestamp) {
    let portfolio = known.portfolio_of(&survey.waba);
    if let Err(error) = survey.keep(ledger, Some(&portfolio), now).await {
        tracing::warn!(%error, "what was read of account {} could not be kept: {error}", survey.waba);
    }
}

/// What was read, without the numbers that may not send.
pub(super) fn allowed(config: &Config, survey: Survey) -> Survey {
    let is_allowed = |id: &str| config.numbers.is_empty() || config.numbers.iter().any(|number| number.id == id);
    let numbers = survey.numbers.into_iter().filter(|number| is_allowed(&number.id)).collect();
    Survey { numbers, ..survey }
}

/// The numbers of the accounts, where none is listed.
async fn found(config: &Config, reads: &Reads, ledger: &Ledger) -> Result<Vec<Member>, DiscoverError> {
    if config.fleet.discover == Discover::Off {
        return Ok(Vec::new());
    }
    let now = clock::now().wall;
    let accounts = accounts(config);
    let mut ids: Vec<(String, NumberId)> = Vec::new();
    for account in &accounts {
        ids.extend(numbers_of(config, reads, ledger, account, now).await?);
    }
    let known = Acquainted::of(config, ledger).await?;
    let of = accounts.iter().map(|account| account.waba.as_str()).collect::<Vec<_>>().join(", ");
    let found: Vec<Member> =
        ids.into_iter().filter_map(|(waba, id)| members::discovered(config, id, &waba, &known)).collect();
    match (config.fleet.discover, found.as_slice()) {
        (Discover::All | Discover::Sole, []) if !accounts.is_empty() => Err(DiscoverError::None(of)),
        (Discover::Sole, [_, _, ..]) => {
            let found = found.iter().map(|member| format!("{}  {}", member.id, member.display)).collect();
            Err(DiscoverError::Several { waba: of, found })
        }
        (Discover::All | Discover::Sole | Discover::Off, _) => Ok(found),
    }
}

/// The numbers of one account, as Meta says, or as it said the last time.
async fn numbers_of(
    config: &Config,
    reads: &Reads,
    ledger: &Ledger,
    account: &Account,
    now: Timestamp,
) -> Result<Vec<(String, NumberId)>, DiscoverError> {
    let known = Acquainted::of(config, ledger).await?;
    match Survey::account(reads, &config.cloud_api.auth_header, account).await {
        Ok(survey) => {
            let portfolio = known.portfolio_of(&account.waba);
            survey.keep(ledger, Some(&portfolio), now).await?;
            if survey.numbers.is_empty() {
                tracing::warn!("account {} lists no number, as token {} sees it", account.waba, account.token.name);
            }
            let ids = survey.numbers.iter().filter_map(|number| number.id.parse().ok());
            Ok(ids.map(|id| (account.waba.clone(), id)).collect())
        }
        Err(cause) => {
            let last: Vec<_> = known.numbers_of(&account.waba).map(|id| (account.waba.clone(), id.clone())).collect();
            if last.is_empty() {
                return Err(DiscoverError::Unreadable { waba: account.waba.clone(), cause });
            }
            tracing::warn!("cannot list the numbers of account {}: {cause}; those known send", account.waba);
            Ok(last)
        }
    }
}
