//! `tidegate holds`: what blocks jobs; a person's own holds, and lifting any.

mod place;

pub use place::{number_id, placed};

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::args;
use super::ask::agreed;
use super::context::Context;
use super::exit::Exit;
use super::output::{Column, Output, words};
use super::wording::{masked, relative, say};
use crate::clock::{self, Timestamp};
use crate::hold::{Cover, Effect, Hold, HoldId, Scope};
use crate::outcome::Reason;

/// What can be done about holds.
#[derive(Subcommand, Debug)]
pub enum Holds {
    /// List holds, the newest first
    List(List),
    /// Block jobs until a time, or until somebody lifts the hold
    Place(place::Place),
    /// Let go what a hold blocks
    Lift(Lift),
}

/// Flags of `tidegate holds list`.
#[derive(Args, Debug)]
pub struct List {
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// Show recipients whole
    #[arg(long)]
    full: bool,
}

/// Flags of `tidegate holds lift`.
#[derive(Args, Debug)]
pub struct Lift {
    /// The holds, by the number that `holds list` shows
    #[arg(required = true, value_name = "HOLD", value_parser = args::serial)]
    holds: Vec<i64>,
}

/// As many as there can be: lifting looks for one among all.
const ALL: u32 = u32::MAX;

const COLUMNS: &[Column<Hold>] = &[
    words("HOLD", |hold| hold.id.0.to_string()),
    words("COVERS", |hold| covers(&hold.cover)),
    words("JOBS", |hold| hold.effect.to_string()),
    words("REASON", |hold| hold.reason.to_string()),
    words("PLACED BY", |hold| hold.who.clone()),
    words("SINCE", |hold| relative(hold.since, clock::now().wall)),
    words("UNTIL", |hold| until(hold, clock::now().wall)),
];

/// What a hold covers, as one says it: `number 1001`, `recipient …23, marketing`.
pub fn covers(cover: &Cover) -> String {
    let mut text = cover.scope.to_string();
    if !cover.subject.is_empty() {
        text = format!("{text} {}", cover.subject);
    }
    if let Some(country) = &cover.country {
        text = format!("{text}, recipients in +{country}");
    }
    if let Some(category) = cover.category {
        text = format!("{text}, {category}");
    }
    text
}

/// When a hold ends, and by whom.
pub fn until(hold: &Hold, now: Timestamp) -> String {
    match (hold.until, hold.probe) {
        (None, _) if hold.cover.scope == Scope::Quota => "places fall free".to_owned(),
        (None, _) => "lifted".to_owned(),
        (Some(at), true) if at <= now => "the next job tries it".to_owned(),
        (Some(at), true) => format!("{}, then a job tries it", relative(at, now)),
        (Some(at), false) => relative(at, now),
    }
}

/// Hides most of the recipient that a hold covers.
pub fn mask(hold: &mut Hold) {
    if hold.cover.scope == Scope::Recipient {
        hold.cover.subject = masked(&hold.cover.subject);
    }
}

impl Holds {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Place(place) => place.run(context).await,
            Self::Lift(lift) => lift.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let mut holds = ledger.holds_list(self.limit).await?;
        if !self.full {
            holds.iter_mut().for_each(mask);
        }
        context.output.list(&holds, COLUMNS)?;
        if holds.is_empty() && context.output == Output::Table {
            say("nothing is held");
        }
        Ok(Exit::Done)
    }
}

impl Lift {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let standing = ledger.holds_list(ALL).await?;
        let mut lifted = 0;
        for wanted in &self.holds {
            let Some(hold) = standing.iter().find(|hold| hold.id == HoldId(*wanted)) else {
                say(format_args!("there is no hold {wanted}; `tidegate holds list` shows those that stand"));
                continue;
            };
            if let Some(danger) = danger(hold) {
                let question = format!("Hold {wanted} on {} {danger}. Lift it?", covers(&masked_cover(hold)));
                if !agreed(&question, context.yes)? {
                    say(format_args!("hold {wanted} stays"));
                    continue;
                }
            }
            if ledger.lift(hold.id, clock::now().wall).await? {
                lifted += 1;
                say(format_args!("lifted hold {wanted} on {}", covers(&masked_cover(hold))));
            } else {
                say(format_args!("hold {wanted} was lifted by somebody else just now"));
            }
        }
        match lifted {
            0 => Err(anyhow!("nothing was lifted")),
            some if some < self.holds.len() => Ok(Exit::Partly),
            _ => Ok(Exit::Done),
        }
    }
}

fn masked_cover(hold: &Hold) -> Cover {
    let mut hold = hold.clone();
    mask(&mut hold);
    hold.cover
}

/// Why lifting a hold should be thought over; none for what a person placed to be lifted.
fn danger(hold: &Hold) -> Option<String> {
    match (hold.effect, hold.reason) {
        (Effect::Wait, Reason::Operator) => None,
        (Effect::End, Reason::OptedOut) => Some("is there because they do not want these messages".to_owned()),
        (Effect::End | Effect::Wait, reason) => {
            Some(format!("was placed by {} for {reason}; jobs that meet the cause again place it anew", hold.who))
        }
    }
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use super::*;

    /// A hold of a person over one subject.
    pub fn hold(scope: Scope, subject: &str) -> Hold {
        Hold {
            id: HoldId(3),
            cover: Cover::of(scope, subject),
            effect: Effect::Wait,
            reason: Reason::Operator,
            who: "cli:anna".to_owned(),
            since: Timestamp::from_millis(0),
            until: None,
            probe: false,
            step: 1,
        }
    }

    #[test]
    fn a_cover_is_said_in_words() {
        assert_eq!(covers(&Cover::of(Scope::Everything, "")), "everything");
        let waba = Cover::of(Scope::Waba, "2001").country("44").category(crate::job::Category::Marketing);
        assert_eq!(covers(&waba), "waba 2001, recipients in +44, marketing");
    }

    #[test]
    fn who_ends_a_hold_is_said() {
        let now = Timestamp::from_millis(0);
        let end = now + Duration::from_secs(60);
        let placed = hold(Scope::Number, "1001");
        assert_eq!(until(&placed, now), "lifted");
        assert_eq!(until(&Hold { until: Some(end), ..placed.clone() }, now), "in 1 min");
        let probed = Hold { until: Some(end), probe: true, ..placed };
        assert_eq!(until(&probed, now), "in 1 min, then a job tries it");
        assert_eq!(until(&probed, end), "the next job tries it");
    }

    #[test]
    fn only_a_persons_own_hold_is_lifted_without_a_question() {
        assert_eq!(danger(&hold(Scope::Number, "1001")), None);
        let metas = Hold { reason: Reason::Credentials, who: "meta:190".into(), ..hold(Scope::Credential, "default") };
        assert!(danger(&metas).is_some_and(|danger| danger.contains("meta:190")));
        assert!(danger(&Hold { effect: Effect::End, ..hold(Scope::Campaign, "spring") }).is_some());
    }
}
