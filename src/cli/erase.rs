//! `tidegate erase`: forgets a person.

use clap::Args;

use super::ask::agreed;
use super::context::Context;
use super::exit::{BadUsage, Exit};
use super::wording::{Count, counted, masked, say};
use crate::clock;
use crate::job::Recipient;
use crate::ledger::Erased;

/// Flags of `tidegate erase`.
#[derive(Args, Debug)]
pub struct Erase {
    /// The person: a phone number, or a business-scoped user id
    #[arg(value_name = "RECIPIENT")]
    recipient: String,
}

impl Erase {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let shown = masked(&self.recipient);
        let recipient: Recipient =
            self.recipient.parse().map_err(|refused| BadUsage(format!("recipient {shown}: {refused}")))?;
        let ledger = context.ledger(&context.config()?).await?;
        let question = format!(
            "Everything about {shown} goes: jobs keep their counts alone, what waits for them is cancelled, and \
             opt-outs go on under a keyed hash. This can't be undone. Erase?"
        );
        if !agreed(&question, context.yes)? {
            say("nothing was erased");
            return Ok(Exit::Failed);
        }
        let erased = ledger.erase(recipient.expose().to_owned(), clock::now().wall).await?;
        context.output.one(&erased, || words(&erased))?;
        say("note: what still lies in the broker is not ours to change; a job that comes from there is a new one");
        Ok(Exit::Done)
    }
}

fn words(erased: &Erased) -> String {
    let Erased { jobs, cancelled, holds, others } = *erased;
    let jobs = counted(jobs, "job");
    format!(
        "{jobs} forgotten, {} of them cancelled; {} under a hash; {} other rows gone",
        Count(cancelled),
        counted(holds, "opt-out"),
        Count(others)
    )
}
