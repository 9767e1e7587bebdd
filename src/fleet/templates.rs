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
use crate::ledger::{FieldsNews, FleetRow, Ledger, LedgerError, News};

use super::accounts::Account;

/// The kind under which templates lie in the ledger.
pub const TEMPLATE: &str = "template";
/// So many rows are written in one commit.
const ROWS: usize = 500;

/// Every template that the ledger knows.
pub async fn catalogue(ledger: &Ledger) -> Result<Arc<Catalogue>, LedgerError> {
    let mut catalogue = Catalogue::default();
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

/// Templates of an account of which a webhook told, and nobody has read yet what they need.
pub fn unread(rows: &[FleetRow], waba: &str) -> BTreeSet<String> {
    rows.iter().filter(|row| row.parent == waba && needs_of(row).is_empty()).map(|row| row.id.clone()).collect()
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
    let mut news = Vec::new();
    for template in templates {
        let id = format!("{}/{}", template.name, template.language);
        let mut needs = known.remove(&id).unwrap_or_default();
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
