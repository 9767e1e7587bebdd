//! Templates between Meta's listing, the ledger's rows and the catalogue.
//!
//! A row's `needs` are kept by account: accounts may have templates of one name that need different things.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::config::AuthHeader;
use crate::graph::Usage;
use crate::graph::reads::{ReadError, Reads, Template};
use crate::job::{Catalogue, Category, Needs, TemplateEntry, TemplateRef};
use crate::ledger::{FieldsNews, FleetRow, Ledger, LedgerError, News, READING, TEMPLATE, TemplateReading};

use super::accounts::Account;

/// The field that says when a webhook told of the status, as webhooks are kept.
const STATUS_AT: &str = "status_at";
/// So many rows are written in one commit.
const ROWS: usize = 500;

/// Every template that the ledger knows.
pub async fn catalogue(ledger: &Ledger) -> Result<Arc<Catalogue>, LedgerError> {
    let mut catalogue = Catalogue::default();
    // Before the templates: what is known of them is never older than it seems.
    for row in ledger.fleet_list(READING.to_owned()).await? {
        catalogue.note_reading(&row.id, TemplateReading::of(&row).at);
    }
    for row in ledger.fleet_list(TEMPLATE.to_owned()).await? {
        let Some((name, language)) = row.id.rsplit_once('/') else { continue };
        let fields: Value = serde_json::from_str(&row.fields).unwrap_or_default();
        let template = TemplateRef { name: name.to_owned(), language: language.to_owned() };
        let category = fields["category"].as_str().and_then(|word| word.to_ascii_lowercase().parse().ok());
        let category = category.filter(|category| *category != Category::Service);
        catalogue.add(&template, TemplateEntry { category, needs: needs_of(&row) });
    }
    Ok(Arc::new(catalogue))
}

/// Templates of an account of which a webhook told, and nobody has read since what they need; and when it told.
pub fn unread(rows: &[FleetRow], waba: &str) -> BTreeSet<(String, Timestamp)> {
    let of_account = rows.iter().filter(|row| row.parent == waba && needs_of(row).is_empty());
    of_account.map(|row| (row.id.clone(), told_at(row))).collect()
}

/// Whether a worker doubts what was last read of this account.
pub fn is_doubted(readings: &[FleetRow], waba: &str) -> bool {
    readings.iter().any(|row| row.id == waba && TemplateReading::of(row).is_doubted())
}

/// When a webhook last told of its status.
fn told_at(row: &FleetRow) -> Timestamp {
    let fields: Value = serde_json::from_str(&row.fields).unwrap_or_default();
    Timestamp::from_millis(fields[STATUS_AT].as_i64().unwrap_or_default())
}

/// Reads the templates of an account and keeps them; forgets those that it had and has no more.
pub async fn read(
    reads: &Reads,
    header: &AuthHeader,
    account: &Account,
    (ledger, now): (&Ledger, Timestamp),
) -> Result<(Usage, Result<(), LedgerError>), ReadError> {
    let (templates, usage) = reads.templates(&account.waba, &account.token.header(header)).await?;
    Ok((usage, keep(ledger, &account.waba, &templates, now).await))
}

async fn keep(ledger: &Ledger, waba: &str, templates: &[Template], now: Timestamp) -> Result<(), LedgerError> {
    let rows = ledger.fleet_list(TEMPLATE.to_owned()).await?;
    let mut known: BTreeMap<String, BTreeMap<String, Needs>> =
        rows.iter().map(|row| (row.id.clone(), needs_of(row))).collect();
    // What was asked for before a webhook told of it may be what it was before.
    let told_since: BTreeSet<&str> = rows.iter().filter(|row| told_at(row) > now).map(|row| row.id.as_str()).collect();
    let mut news = Vec::new();
    for template in templates {
        let id = format!("{}/{}", template.name, template.language);
        let mut needs = known.remove(&id).unwrap_or_default();
        if told_since.contains(id.as_str()) {
            continue;
        }
        needs.insert(waba.to_owned(), Needs::of(&template.components, template.parameter_format.as_deref()));
        news.push(merged(id, waba, fields(template, &needs), now));
    }
    for (id, mut needs) in known {
        // What only a webhook told of may be too new for the listing: it stays.
        if needs.remove(waba).is_none() {
            continue;
        }
        if needs.is_empty() {
            ledger.fleet_forget(TEMPLATE.to_owned(), id).await?;
        } else {
            news.push(merged(id, waba, [("needs".to_owned(), json!(needs))].into_iter().collect(), now));
        }
    }
    // In the last commit: nothing counts as just read before all of it is there.
    news.push(FieldsNews::templates_read(waba, now));
    while !news.is_empty() {
        let rest = news.split_off(news.len().min(ROWS));
        ledger.apply(News { fields: std::mem::replace(&mut news, rest), ..News::default() }, now).await?;
    }
    Ok(())
}

/// By the names of Meta's reads, as webhooks write them.
fn fields(template: &Template, needs: &BTreeMap<String, Needs>) -> Map<String, Value> {
    let told = [
        ("category", template.category.clone().map(Value::from)),
        ("status", template.status.clone().map(Value::from)),
        ("quality_score", template.quality_score.clone()),
        ("parameter_format", template.parameter_format.clone().map(Value::from)),
        ("needs", Some(json!(needs))),
    ];
    told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn merged(id: String, waba: &str, fields: Map<String, Value>, at: Timestamp) -> FieldsNews {
    FieldsNews { kind: TEMPLATE.to_owned(), id, parent: waba.to_owned(), fields, at }
}

/// What a row says that a message must bring, by account.
pub fn needs_of(row: &FleetRow) -> BTreeMap<String, Needs> {
    let fields: Value = serde_json::from_str(&row.fields).unwrap_or_default();
    serde_json::from_value(fields["needs"].clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::ledger::sqlite::{Access, Migrate, SqliteLedger};

    /// What a webhook of an approval writes.
    async fn approve(ledger: &Ledger, at: Timestamp) {
        let told = json!({"status": "APPROVED", "needs": {}, STATUS_AT: at.as_millis()});
        let fields = told.as_object().expect("an object").clone();
        let news = vec![merged("sale/en_US".to_owned(), "102", fields, at)];
        ledger.apply(News { fields: news, ..News::default() }, at).await.expect("applied");
    }

    #[tokio::test]
    async fn a_template_is_to_be_read_after_each_word_of_its_approval() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("ledger.sqlite");
        let ledger =
            Ledger::Sqlite(SqliteLedger::open(&path, Access::Worker, Migrate::Auto).expect("the ledger opens"));
        let listed = json!({"name": "sale", "language": "en_US", "status": "APPROVED", "category": "MARKETING",
            "components": [{"type": "BODY", "text": "Hi {{1}}"}]});
        let templates = [serde_json::from_value(listed).expect("a template")];
        let unread_now = async || unread(&ledger.fleet_list(TEMPLATE.to_owned()).await.expect("rows"), "102");
        let at = Timestamp::from_millis;
        let mut seen = BTreeSet::new();
        for told in [at(10_000), at(20_000)] {
            approve(&ledger, told).await;
            let unread = unread_now().await;
            assert!(unread.len() == 1 && unread.is_disjoint(&seen), "{unread:?} after {seen:?}");
            seen.extend(unread);
            let before = at(told.as_millis() - 1);
            keep(&ledger, "102", &templates, before).await.expect("kept");
            assert_eq!(unread_now().await.len(), 1, "it was asked for before");
            keep(&ledger, "102", &templates, told).await.expect("kept");
            assert_eq!(unread_now().await, BTreeSet::new());
        }
    }
}
