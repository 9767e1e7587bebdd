//! `tidegate templates`: the message templates that are known, and what a message must bring for them.

use clap::Subcommand;
use serde::Serialize;

use super::context::{Context, field};
use super::exit::Exit;
use super::output::{Column, Output, words};
use super::sync;
use super::wording::{relative, say};
use crate::clock::{self, Timestamp};
use crate::fleet::templates;
use crate::job::{Header, Needs};
use crate::ledger::{FleetRow, TEMPLATE};

/// What can be done about templates.
#[derive(Subcommand, Debug)]
pub enum Templates {
    /// List the templates that are known
    List,
    /// Read the templates of every account now, and say what changed
    Sync,
}

/// A template as it is listed.
#[derive(Serialize)]
struct Listed {
    /// Name and language.
    id: String,
    category: Option<String>,
    status: Option<String>,
    quality: Option<String>,
    waba: String,
    /// What a message must bring, by account.
    needs: std::collections::BTreeMap<String, Needs>,
    read_at: Timestamp,
}

const COLUMNS: &[Column<Listed>] = &[
    words("TEMPLATE", |row| row.id.clone()),
    words("CATEGORY", |row| row.category.clone().unwrap_or_default()),
    words("STATUS", |row| row.status.clone().unwrap_or_default()),
    words("QUALITY", |row| row.quality.clone().unwrap_or_default()),
    words("ACCOUNT", |row| row.waba.clone()),
    words("NEEDS", |row| row.needs.values().next().map(shown).unwrap_or_default()),
    words("READ", |row| relative(row.read_at, clock::now().wall)),
];

impl Templates {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::List => list(context).await,
            Self::Sync => sync::templates(context).await,
        }
    }
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let ledger = context.ledger_or_new(&config).await?;
    let listed = |row: FleetRow| Listed {
        category: field(&row, "category"),
        status: field(&row, "status"),
        quality: field(&row, "quality_score.score"),
        needs: templates::needs_of(&row),
        waba: row.parent,
        id: row.id,
        read_at: row.read_at,
    };
    let rows: Vec<Listed> = ledger.fleet_list(TEMPLATE.to_owned()).await?.into_iter().map(listed).collect();
    context.output.list(&rows, COLUMNS)?;
    if rows.is_empty() && context.output == Output::Table {
        say("no template is known: set cloud_api.waba or list [[accounts]], and say `tidegate templates sync`");
    }
    Ok(Exit::Done)
}

/// `header image, body 2, button 0 url`.
fn shown(needs: &Needs) -> String {
    let header = needs.header.as_ref().and_then(|header| match header {
        Header::Text(gaps) if gaps.is_empty() => None,
        Header::Text(gaps) => Some(format!("header {}", gaps.len())),
        Header::Of(kind) => Some(format!("header {kind}")),
    });
    let body = needs.body.as_ref().filter(|gaps| !gaps.is_empty()).map(|gaps| match needs.named {
        true => format!("body {}", gaps.iter().map(String::as_str).collect::<Vec<_>>().join("+")),
        false => format!("body {}", gaps.len()),
    });
    let buttons = needs.buttons.iter().map(|button| format!("button {} {}", button.index, button.kind));
    header.into_iter().chain(body).chain(buttons).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn needs_are_shown_in_a_line() {
        let components = json!([
            {"type": "HEADER", "format": "IMAGE"},
            {"type": "BODY", "text": "{{name}} and {{order}}"},
            {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY"}, {"type": "URL", "url": "https://example.com/{{1}}"}]}
        ]);
        let list = components.as_array().expect("a list");
        assert_eq!(shown(&Needs::of(list, Some("NAMED"))), "header image, body name+order, button 1 url");
        assert_eq!(shown(&Needs::of(&list[1..2], None)), "body 2");
        assert_eq!(shown(&Needs::default()), "");
    }
}
