//! One reading of everything now, and what it changed: for people who do not want to wait for the schedule.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::{self, Timestamp};
use crate::config::Config;
use crate::graph::reads::{ReadError, Reads};
use crate::ledger::{FleetRow, Ledger, LedgerError, NUMBER, PORTFOLIO, TEMPLATE, WABA};

use super::accounts::{Account, accounts};
use super::discover::allowed;
use super::members::{self, Acquainted};
use super::survey::Survey;
use super::templates;

/// A field that is another now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `number`, `waba`, `portfolio` or `template`.
    pub kind: String,
    /// Meta's id of it; of a template, its name and language.
    pub id: String,
    /// Which field.
    pub field: String,
    /// What it was; none: not known.
    pub before: Option<Value>,
    /// What it is; none: it is gone.
    pub now: Option<Value>,
}

/// What a reading came to.
#[derive(Debug, Default)]
pub struct Synced {
    /// What changed.
    pub changes: Vec<Change>,
    /// How many accounts and numbers were asked for.
    pub read: usize,
    /// What could not be read: which account or number, and why.
    pub failed: Vec<(String, ReadError)>,
}

type Fields = BTreeMap<(String, String), Map<String, Value>>;

/// Reads accounts and numbers.
pub async fn numbers(config: &Config, reads: &Reads, ledger: &Ledger) -> Result<Synced, LedgerError> {
    let kinds = [NUMBER, WABA, PORTFOLIO];
    let before = fields(ledger, &kinds).await?;
    let mut synced = Synced::default();
    let mut readable = BTreeSet::new();
    let now = clock::now().wall;
    for account in accounts(config) {
        let read = Survey::account(reads, &config.cloud_api.auth_header, &account).await;
        if read.is_ok() {
            readable.insert(account.waba.clone());
        }
        let kept = read.map(|survey| allowed(config, survey));
        synced.take(format!("account {}", account.waba), kept, (config, ledger), now).await?;
    }
    let known = Acquainted::of(config, ledger).await?;
    for number in &config.numbers {
        let Some(mut member) = members::listed(config, number, &known) else { continue };
        if known.read_at(&member.id).is_some_and(|read_at| read_at >= now) {
            continue;
        }
        if readable.contains(&member.waba) {
            member.waba = known.waba_beside(config, &member);
        }
        let named = (&member.id, &member.token);
        let read = Survey::number(reads, &config.cloud_api.auth_header, named, &member.waba).await;
        synced.take(format!("number {}", member.id), read, (config, ledger), now).await?;
    }
    synced.changes = changes(&before, &fields(ledger, &kinds).await?);
    Ok(synced)
}

/// Reads the templates of every account.
pub async fn templates(config: &Config, reads: &Reads, ledger: &Ledger) -> Result<Synced, LedgerError> {
    let before = fields(ledger, &[TEMPLATE]).await?;
    let mut synced = Synced::default();
    for account in accounts(config) {
        synced.read += 1;
        let into = (ledger, clock::now().wall);
        match templates::read(reads, &config.cloud_api.auth_header, &account, into).await {
            Ok((_, kept)) => kept?,
            Err(error) => synced.failed.push((shown(&account), error)),
        }
    }
    synced.changes = changes(&before, &fields(ledger, &[TEMPLATE]).await?);
    Ok(synced)
}

fn shown(account: &Account) -> String {
    format!("account {}", account.waba)
}

impl Synced {
    async fn take(
        &mut self,
        what: String,
        read: Result<Survey, ReadError>,
        (config, ledger): (&Config, &Ledger),
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.read += 1;
        match read {
            Ok(survey) => {
                let portfolio = Acquainted::of(config, ledger).await?.portfolio_of(&survey.waba);
                survey.keep(ledger, Some(&portfolio), now).await?;
            }
            Err(error) => self.failed.push((what, error)),
        }
        Ok(())
    }
}

async fn fields(ledger: &Ledger, kinds: &[&str]) -> Result<Fields, LedgerError> {
    let mut found = Fields::new();
    for kind in kinds {
        let of = |row: FleetRow| ((row.kind, row.id), serde_json::from_str(&row.fields).unwrap_or_default());
        found.extend(ledger.fleet_list((*kind).to_owned()).await?.into_iter().map(of));
    }
    Ok(found)
}

fn changes(before: &Fields, after: &Fields) -> Vec<Change> {
    let things = before.keys().chain(after.keys().filter(|thing| !before.contains_key(*thing)));
    let empty = Map::new();
    let mut changes = Vec::new();
    for thing in things {
        let (was, is) = (before.get(thing).unwrap_or(&empty), after.get(thing).unwrap_or(&empty));
        let fields = was.keys().chain(is.keys().filter(|field| !was.contains_key(*field)));
        for field in fields.filter(|field| was.get(*field) != is.get(*field)) {
            changes.push(Change {
                kind: thing.0.clone(),
                id: thing.1.clone(),
                field: field.clone(),
                before: was.get(field).cloned(),
                now: is.get(field).cloned(),
            });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changed_is_told_by_field() {
        let of = |status: &str| json!({"status": status, "id": "1"}).as_object().expect("an object").clone();
        let thing = |id: &str| ("number".to_owned(), id.to_owned());
        let before = Fields::from([(thing("1"), of("CONNECTED")), (thing("2"), of("BANNED"))]);
        let after =
            Fields::from([(thing("1"), of("FLAGGED")), (thing("2"), of("BANNED")), (thing("3"), of("PENDING"))]);
        let told: Vec<_> =
            changes(&before, &after).into_iter().map(|it| (it.id, it.field, it.before, it.now)).collect();
        let known = |id: &str, field: &str, before: Option<Value>, now: Value| {
            (id.to_owned(), field.to_owned(), before, Some(now))
        };
        assert_eq!(
            told,
            [
                known("1", "status", Some(json!("CONNECTED")), json!("FLAGGED")),
                known("3", "id", None, json!("1")),
                known("3", "status", None, json!("PENDING")),
            ]
        );
    }
}
