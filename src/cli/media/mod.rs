//! `tidegate media`: files at Meta's, to send by their ids, or sent by customers.

mod fetch;
mod upload;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::ask::agreed;
use super::context::{Context, known_numbers};
use super::exit::Exit;
use super::output::facts;
use super::sender::{credential, sender};
use super::wording::{Count, say};
use crate::config::Config;
use crate::fleet::{self, Uploads};
use crate::graph::Credential;
use crate::graph::media::{MediaId, Medium};
use crate::job::{From, NumberId};
use crate::ledger::Ledger;

/// What can be done about media.
#[derive(Subcommand, Debug)]
pub enum Media {
    /// Give Meta a file, once, and print the id to send it by
    Upload(upload::Upload),
    /// Show what Meta says of a file, and where it can be fetched for five minutes
    Show(Named),
    /// Fetch a file that a customer sent, or that was uploaded
    Fetch(fetch::Fetch),
    /// Make Meta forget a file
    Delete(Named),
}

/// A file at Meta's.
#[derive(Args, Debug)]
pub struct Named {
    /// Meta's id of it, as `media upload` prints it and webhooks have it
    #[arg(value_name = "ID")]
    id: MediaId,
    /// The number that it belongs to, if that has an access token of its own: Meta's id, or its display number
    #[arg(long, value_name = "NUMBER")]
    number: Option<From>,
}

/// Whose file it is, as far as somebody said, and what to ask with.
struct Owner {
    number: Option<NumberId>,
    credential: Credential,
}

impl Media {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Upload(upload) => upload.run(context).await,
            Self::Show(named) => named.show(context).await,
            Self::Fetch(fetch) => fetch.run(context).await,
            Self::Delete(named) => named.delete(context).await,
        }
    }
}

impl Named {
    async fn owner(&self, config: &Config, ledger: &Ledger) -> anyhow::Result<Owner> {
        Ok(match &self.number {
            Some(_) => {
                let sender = sender(self.number.as_ref(), config, ledger).await?;
                Owner { number: Some(sender.id), credential: sender.credential }
            }
            None => {
                let mut known = known_numbers(config, ledger).await?.into_keys();
                // The only number may have the only token.
                let only = known.next().filter(|_| known.next().is_none());
                Owner { number: None, credential: credential(config, only.as_ref())? }
            }
        })
    }

    async fn look_up(&self, client: &crate::graph::media::Media, owner: &Owner) -> anyhow::Result<Medium> {
        let found = client.look_up(&self.id, owner.number.as_ref(), &owner.credential).await;
        found.with_context(|| format!("file {}", self.id))
    }

    async fn show(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger_or_new(&config).await?;
        let owner = self.owner(&config, &ledger).await?;
        let medium = self.look_up(&fleet::media(&config)?, &owner).await?;
        context.output.one(&medium, || {
            let lines = [
                ("file", Some(medium.id.to_string())),
                ("type", Some(medium.mime_type.clone())),
                ("bytes", medium.file_size.map(|size| Count(size).to_string())),
                ("sha256", medium.sha256.clone()),
                ("address", Some(medium.url.clone())),
            ];
            facts(&lines, None)
        })?;
        Ok(Exit::Done)
    }

    async fn delete(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger_or_new(&config).await?;
        let owner = self.owner(&config, &ledger).await?;
        let client = fleet::media(&config)?;
        let medium = self.look_up(&client, &owner).await?;
        let question = format!("Messages that are yet to be sent with file {} will fail. Delete it?", self.id);
        if !agreed(&question, context.yes)? {
            say("left as it is");
            return Ok(Exit::Failed);
        }
        let numbers: Vec<_> = known_numbers(&config, &ledger).await?.into_keys().collect();
        let deleted = Uploads::new(ledger, client).delete(&medium, &numbers, &owner.credential).await;
        deleted.with_context(|| format!("file {}", self.id))?;
        say(format_args!("file {} is deleted", self.id));
        Ok(Exit::Done)
    }
}
