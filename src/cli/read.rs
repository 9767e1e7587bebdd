//! `tidegate read`: marks a customer's message as read.

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::sender::sender;
use crate::fleet;
use crate::job::{From, NumberId};

/// Flags of `tidegate read`.
#[derive(Args, Debug)]
pub struct Read {
    /// The customer's message, by the id that its webhook or its event has
    #[arg(value_name = "WAMID", value_parser = wamid)]
    wamid: String,
    /// The number that received it: Meta's id, or its display number; may be left out where there is only one
    #[arg(long, value_name = "NUMBER")]
    number: Option<From>,
    /// Show the customer that an answer is being written, for 25 seconds at most
    #[arg(long)]
    typing: bool,
}

#[derive(Serialize)]
struct Marked<'a> {
    wamid: &'a str,
    number: &'a NumberId,
    read: bool,
    typing: bool,
}

fn wamid(text: &str) -> Result<String, String> {
    let fits = (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned()).ok_or_else(|| "Meta's id of a message looks like wamid.HBgL…".to_owned())
}

impl Read {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger_or_new(&config).await?;
        let number = sender(self.number.as_ref(), &config, &ledger).await?;
        fleet::receipts(&config)?
            .mark_read(&number.id, &number.credential, &self.wamid, self.typing)
            .await
            .with_context(|| format!("{} was not marked as read by number {}", self.wamid, number.id))?;
        let marked = Marked { wamid: &self.wamid, number: &number.id, read: true, typing: self.typing };
        context.output.one(&marked, || format!("{} is marked as read", self.wamid))?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_named_by_metas_id() {
        assert!(wamid("wamid.HBgLMTY1MA==").is_ok());
        for wrong in ["", "a b", "a\n", "ü", &"x".repeat(513)] {
            assert!(wamid(wrong).is_err(), "{wrong:?}");
        }
    }
}
