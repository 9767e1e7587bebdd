//! `tidegate numbers`: the sending numbers as the configuration and Meta know them, and a person's pause.

mod list;

use clap::{Args, Subcommand};

use super::args::Moment;
use super::context::{Context, known_numbers, operator};
use super::exit::{BadUsage, Exit};
use super::holds::{covers, number_id, placed};
use super::wording::say;
use crate::clock;
use crate::hold::{Cover, Effect, Hold, HoldOrder, Scope};
use crate::job::{From, NumberId};
use crate::outcome::Reason;

/// What can be done about numbers.
#[derive(Subcommand, Debug)]
pub enum Numbers {
    /// List the sending numbers: how each does, and what keeps it from sending more
    List,
    /// Send nothing by a number, until it is resumed
    Pause(Pause),
    /// Send by a number again
    Resume(Resume),
}

/// Flags of `tidegate numbers pause`.
#[derive(Args, Debug)]
pub struct Pause {
    /// The number: Meta's id, or its display number
    #[arg(value_name = "NUMBER")]
    number: From,
    /// When it goes on by itself: a length of time ("2h") or a moment
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
}

/// Flags of `tidegate numbers resume`.
#[derive(Args, Debug)]
pub struct Resume {
    /// The number: Meta's id, or its display number
    #[arg(value_name = "NUMBER")]
    number: From,
}

impl Numbers {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::List => list::run(context).await,
            Self::Pause(pause) => pause.run(context).await,
            Self::Resume(resume) => resume.run(context).await,
        }
    }
}

/// Whether a hold is one over everything, or over this number.
fn stops(hold: &Hold, id: &NumberId) -> bool {
    match hold.cover.scope {
        Scope::Everything => true,
        Scope::Number => hold.cover.subject == id.as_str(),
        Scope::Credential
        | Scope::Portfolio
        | Scope::Waba
        | Scope::Template
        | Scope::Recipient
        | Scope::Campaign
        | Scope::Quota => false,
    }
}

impl Pause {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger_or_new(&config).await?;
        let now = clock::now().wall;
        let id = number_id(&self.number, &config, &ledger).await?;
        let until = self.until.map(|until| until.seen_from(now));
        if until.is_some_and(|until| until <= now) {
            return Err(BadUsage("--until: that is over already".to_owned()).into());
        }
        let order = HoldOrder {
            cover: Cover::of(Scope::Number, id.as_str()),
            effect: Effect::Wait,
            reason: Reason::Operator,
            who: operator(),
            until,
            probe: false,
        };
        if !known_numbers(&config, &ledger).await?.contains_key(&id) {
            say(format_args!("note: no number {id} is known here yet; it is paused when it comes"));
        }
        let hold = ledger.place(order, now).await?;
        context.output.one(&hold, || hold.id.0.to_string())?;
        say(placed(&hold));
        Ok(Exit::Done)
    }
}

impl Resume {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger(&config).await?;
        let id = number_id(&self.number, &config, &ledger).await?;
        let holds = ledger.holds().await?;
        let own = Cover::of(Scope::Number, id.as_str());
        let (ours, others): (Vec<_>, Vec<_>) = holds
            .iter()
            .filter(|hold| stops(hold, &id))
            .partition(|hold| hold.cover == own && hold.reason == Reason::Operator);
        let mut resumed = false;
        for hold in ours {
            resumed |= ledger.lift(hold.id, clock::now().wall).await?;
        }
        for hold in &others {
            say(format_args!(
                "number {id} is still under hold {} on {}, placed by {} for {}: `tidegate holds lift {}`",
                hold.id.0,
                covers(&hold.cover),
                hold.who,
                hold.reason,
                hold.id.0
            ));
        }
        match (resumed, others.is_empty()) {
            (true, _) => say(format_args!("number {id} is resumed")),
            (false, true) => say(format_args!("number {id} was not paused")),
            (false, false) => return Ok(Exit::Failed),
        }
        Ok(if others.is_empty() { Exit::Done } else { Exit::Partly })
    }
}
