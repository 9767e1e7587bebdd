//! `tidegate holds place`: a person's word that nothing may pass here.

use clap::{Args, Subcommand};

use super::covers;
use crate::cli::args::{self, Moment};
use crate::cli::ask::agreed;
use crate::cli::context::{Context, directory, known_numbers, operator};
use crate::cli::exit::{BadUsage, Exit};
use crate::cli::wording::{moment, say};
use crate::clock;
use crate::config::Config;
use crate::hold::{Cover, Effect, Hold, HoldOrder, Scope};
use crate::job::{Campaign, Category, From, NumberId, Recipient};
use crate::ledger::Ledger;
use crate::outcome::Reason;

/// Reasons that a person may give.
const REASONS: &[Reason] = &[Reason::Operator, Reason::OptedOut, Reason::RecipientBlocked];

/// Flags of `tidegate holds place`.
#[derive(Args, Debug)]
pub struct Place {
    #[command(subcommand)]
    subject: Subject,
    /// Only jobs of this category
    #[arg(long, global = true, value_parser = args::word(Category::ALL, Category::as_str))]
    category: Option<Category>,
    /// What becomes of jobs that meet it: they wait until it is lifted, or end as suppressed
    #[arg(long, global = true, default_value = "wait", value_parser = args::word(Effect::ALL, Effect::as_str))]
    effect: Effect,
    /// When it ends by itself: a length of time ("2h") or a moment; else somebody lifts it
    #[arg(long, global = true, value_name = "WHEN")]
    until: Option<Moment>,
    /// Why
    #[arg(long, global = true, default_value = "operator", value_parser = args::word(REASONS, Reason::as_str))]
    reason: Reason,
}

/// What is held.
#[derive(Subcommand, Debug)]
enum Subject {
    /// The whole sender
    Everything,
    /// One sending number
    Number {
        /// Meta's id of it, or its display number
        number: From,
    },
    /// One campaign
    Campaign {
        /// Its name
        name: Campaign,
    },
    /// One template
    Template {
        /// Its name and language, as in order_shipped/en_US
        #[arg(value_name = "NAME/LANGUAGE", value_parser = template)]
        name: String,
    },
    /// One recipient
    Recipient {
        /// Their phone number, or Meta's user id of them
        recipient: Recipient,
    },
    /// One WhatsApp Business Account
    Waba {
        /// Meta's id of it
        #[arg(value_parser = digits)]
        id: String,
        /// Only recipients whose number begins with this calling code
        #[arg(long, value_name = "CODE", value_parser = calling_code)]
        country: Option<String>,
    },
    /// One business portfolio
    Portfolio {
        /// Meta's id of it
        #[arg(value_parser = digits)]
        id: String,
    },
    /// One access token
    Credential {
        /// Its name: default for cloud_api.access_token, number-ID for a number's own
        name: String,
    },
}

fn template(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((name, language)) if !name.is_empty() && !language.is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err("a template is named with its language, as in order_shipped/en_US".to_owned()),
    }
}

fn digits(text: &str) -> Result<String, String> {
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.to_owned()).ok_or_else(|| "Meta's ids are 1 to 32 digits".to_owned())
}

fn calling_code(text: &str) -> Result<String, String> {
    let code = text.strip_prefix('+').unwrap_or(text);
    let fits = (1..=4).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| code.to_owned()).ok_or_else(|| "a calling code is 1 to 4 digits, as in 44".to_owned())
}

impl Place {
    pub(in crate::cli) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger_or_new(&config).await?;
        let now = clock::now().wall;
        let cover = Cover { category: self.category, ..cover(self.subject, &config, &ledger).await? };
        let until = self.until.map(|until| until.seen_from(now));
        if until.is_some_and(|until| until <= now) {
            return Err(BadUsage("--until: that is over already".to_owned()).into());
        }
        if self.effect == Effect::End && cover.scope != Scope::Recipient {
            let question = format!("Jobs that meet a hold on {} will end, for good. Place it?", covers(&cover));
            if !agreed(&question, context.yes)? {
                say("nothing was placed");
                return Ok(Exit::Failed);
            }
        }
        let order = HoldOrder { cover, effect: self.effect, reason: self.reason, who: operator(), until, probe: false };
        let hold = ledger.place(order, now).await?;
        context.output.one(&hold, || hold.id.0.to_string())?;
        say(placed(&hold));
        Ok(Exit::Done)
    }
}

/// What was placed and how it ends, for the person who placed it.
pub fn placed(hold: &Hold) -> String {
    let mut shown = hold.clone();
    super::mask(&mut shown);
    let what = match hold.effect {
        Effect::Wait => "jobs wait",
        Effect::End => "jobs end as suppressed",
    };
    let end = match hold.until {
        Some(until) => format!("it ends {}", moment(until, clock::now().wall)),
        None => format!("`tidegate holds lift {}` ends it", hold.id.0),
    };
    format!("hold {} on {}: {what}; {end}", hold.id.0, covers(&shown.cover))
}

async fn cover(subject: Subject, config: &Config, ledger: &Ledger) -> anyhow::Result<Cover> {
    Ok(match subject {
        Subject::Everything => Cover::of(Scope::Everything, ""),
        Subject::Number { number } => Cover::of(Scope::Number, number_id(&number, config, ledger).await?.as_str()),
        Subject::Campaign { name } => Cover::of(Scope::Campaign, name.as_str()),
        Subject::Template { name } => Cover::of(Scope::Template, name),
        Subject::Recipient { recipient } => Cover::of(Scope::Recipient, recipient.expose()),
        Subject::Waba { id, country } => Cover { country, ..Cover::of(Scope::Waba, id) },
        Subject::Portfolio { id } => Cover::of(Scope::Portfolio, id),
        Subject::Credential { name } => Cover::of(Scope::Credential, name),
    })
}

/// The number that a person named by id or display number.
pub async fn number_id(number: &From, config: &Config, ledger: &Ledger) -> anyhow::Result<NumberId> {
    let route = match number {
        From::Pool(pool) => {
            return Err(BadUsage(format!("{pool} is no number: say Meta's id of it, or its display number")).into());
        }
        From::Number(_) | From::Display(_) => {
            let known = known_numbers(config, ledger).await?;
            directory(config, &known).route(number).map_err(|unroutable| BadUsage(unroutable.to_string()))?
        }
    };
    Ok(route.pinned.expect("who names a number is pinned to it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_checked_before_it_is_held() {
        assert!(template("order_shipped/en_US").is_ok());
        for wrong in ["order_shipped", "/en", "a/"] {
            assert!(template(wrong).is_err(), "{wrong}");
        }
        assert_eq!(calling_code("+44"), Ok("44".to_owned()));
        assert!(calling_code("44770").is_err());
        assert!(digits("12a").is_err());
    }

    #[test]
    fn who_places_a_hold_hears_how_it_ends() {
        let hold = super::super::tests::hold(Scope::Recipient, "+447700900123");
        assert_eq!(placed(&hold), "hold 3 on recipient …23: jobs wait; `tidegate holds lift 3` ends it");
    }
}
