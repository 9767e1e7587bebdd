//! `tidegate optouts`: who does not want which messages.
//!
//! An opt-out is a hold over a recipient for a category, and jobs that meet it end as `suppressed`. Never for
//! authentication: who stops the offers still wants to log in.

mod import;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::args;
use super::context::{Context, operator};
use super::exit::Exit;
use super::output::{Column, Output, words};
use super::progress::Progress;
use super::wording::{Count, counted, masked, relative, say};
use crate::clock::{self, Timestamp};
use crate::hold::{Cover, Hold, HoldId, HoldOrder, Scope};
use crate::job::{Category, Recipient};
use crate::ledger::Ledger;
use crate::outcome::{Reason, words as closed_words};

/// What can be done about opt-outs.
#[derive(Subcommand, Debug)]
pub enum Optouts {
    /// List who has opted out, the oldest first
    List(List),
    /// Note that recipients do not want messages of a category
    Add(Named),
    /// Note that recipients want them again
    Remove(Named),
    /// Take a CSV file in: a column `recipient`, and perhaps `category` and `consent` (no or yes)
    Import(import::Import),
    /// Print all as CSV
    Export(Export),
}

/// Flags of `tidegate optouts list`.
#[derive(Args, Debug)]
pub struct List {
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// Show recipients whole
    #[arg(long)]
    full: bool,
}

/// Flags of `tidegate optouts add` and `remove`.
#[derive(Args, Debug)]
pub struct Named {
    /// The recipients: phone numbers, or business-scoped user ids
    #[arg(required = true, value_name = "RECIPIENT")]
    recipients: Vec<String>,
    /// Which messages
    #[arg(long, default_value = "marketing", value_parser = args::word(Which::ALL, Which::as_str), value_name = "CATEGORY")]
    category: Which,
}

/// Flags of `tidegate optouts export`.
#[derive(Args, Debug)]
pub struct Export {}

closed_words! {
    /// Which messages somebody does not want.
    Which {
        /// Offers.
        Marketing = "marketing",
        /// News of what they ordered.
        Utility = "utility",
        /// Free-form answers.
        Service = "service",
        /// All that can be opted out of.
        All = "all",
    }
}

impl Which {
    /// The categories, each with a hold of its own.
    fn categories(self) -> &'static [Category] {
        match self {
            Self::Marketing => &[Category::Marketing],
            Self::Utility => &[Category::Utility],
            Self::Service => &[Category::Service],
            Self::All => &[Category::Marketing, Category::Utility, Category::Service],
        }
    }
}

/// One line of a list.
#[derive(Serialize, Debug)]
struct OptOut {
    recipient: String,
    /// None: of every category.
    category: Option<Category>,
    reason: Reason,
    since: Timestamp,
    until: Option<Timestamp>,
    who: String,
}

const COLUMNS: &[Column<OptOut>] = &[
    words("RECIPIENT", |row| row.recipient.clone()),
    words("NOT WANTED", |row| row.category.map_or_else(|| "any".to_owned(), |category| category.to_string())),
    words("REASON", |row| row.reason.to_string()),
    words("SINCE", |row| relative(row.since, clock::now().wall)),
    words("UNTIL", |row| {
        row.until.map_or_else(|| "they say otherwise".to_owned(), |at| relative(at, clock::now().wall))
    }),
    words("BY", |row| row.who.clone()),
];

/// Rows of one page.
const PAGE: u32 = 1_000;

/// Those that a person may take back: what Meta or the recipient's phone refuses comes again by itself.
const OURS: &[Reason] = &[Reason::OptedOut, Reason::NotOnWhatsapp];

impl Optouts {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Add(some) => some.add(context).await,
            Self::Remove(some) => some.remove(context).await,
            Self::Import(import) => import.run(context).await,
            Self::Export(export) => export.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let mut rows = Vec::new();
        let mut pages = Pages::default();
        while let Some(page) = pages.next(&ledger, self.limit.saturating_sub(count(&rows))).await? {
            rows.extend(page);
        }
        if !self.full {
            rows.iter_mut().for_each(|row| row.recipient = masked(&row.recipient));
        }
        context.output.list(&rows, COLUMNS)?;
        if rows.is_empty() && context.output == Output::Table {
            say("nobody has opted out");
        }
        Ok(Exit::Done)
    }
}

fn count(rows: &[OptOut]) -> u32 {
    u32::try_from(rows.len()).unwrap_or(u32::MAX)
}

/// Where a look through all opt-outs stands.
#[derive(Default)]
struct Pages {
    after: i64,
}

impl Pages {
    /// The next rows, at most so many; none when there are no more.
    async fn next(&mut self, ledger: &Ledger, most: u32) -> anyhow::Result<Option<Vec<OptOut>>> {
        let holds = ledger.recipient_holds(HoldId(self.after), most.min(PAGE)).await?;
        let Some(last) = holds.last() else { return Ok(None) };
        self.after = last.id.0;
        Ok(Some(holds.into_iter().map(opt_out).collect()))
    }
}

fn opt_out(hold: Hold) -> OptOut {
    let Hold { cover: Cover { subject, category, .. }, reason, since, until, who, .. } = hold;
    OptOut { recipient: subject, category, reason, since, until, who }
}

/// The orders for a recipient who does not want these.
fn orders(recipient: &Recipient, which: Which, who: &str) -> impl Iterator<Item = HoldOrder> {
    covers(recipient, which).map(move |cover| HoldOrder::opt_out(cover, who))
}

fn covers(recipient: &Recipient, which: Which) -> impl Iterator<Item = Cover> + use<> {
    let subject = recipient.expose().to_owned();
    which.categories().iter().map(move |category| Cover::of(Scope::Recipient, subject.as_str()).category(*category))
}

impl Named {
    fn parsed(&self) -> anyhow::Result<Vec<Recipient>> {
        let parse = |text: &String| {
            text.parse().map_err(|refused| super::exit::BadUsage(format!("recipient {}: {refused}", masked(text))))
        };
        Ok(self.recipients.iter().map(parse).collect::<Result<_, _>>()?)
    }

    async fn add(self, context: &Context) -> anyhow::Result<Exit> {
        let recipients = self.parsed()?;
        let ledger = context.ledger_or_new(&context.config()?).await?;
        let who = operator();
        let orders = recipients.iter().flat_map(|recipient| orders(recipient, self.category, &who)).collect();
        let new = ledger.place_many(orders, clock::now().wall).await?;
        say(format_args!(
            "{} noted; what waits for them ends as suppressed when its turn comes",
            Count(u64::from(new))
        ));
        Ok(Exit::Done)
    }

    async fn remove(self, context: &Context) -> anyhow::Result<Exit> {
        let recipients = self.parsed()?;
        let ledger = context.ledger(&context.config()?).await?;
        // A recipient who is not on WhatsApp is suppressed for all categories.
        let whole = recipients.iter().map(|recipient| Cover::of(Scope::Recipient, recipient.expose()));
        let covers = recipients.iter().flat_map(|recipient| covers(recipient, self.category)).chain(whole).collect();
        match ledger.lift_covers(covers, OURS, clock::now().wall).await? {
            0 => Err(anyhow!("none of them has opted out; `tidegate optouts list --full` shows who has")),
            lifted => {
                say(format_args!("{} lifted", counted(u64::from(lifted), "opt-out")));
                Ok(Exit::Done)
            }
        }
    }
}

impl Export {
    async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ledger = context.ledger(&context.config()?).await?;
        let mut out = csv::Writer::from_writer(std::io::stdout().lock());
        out.write_record(["recipient", "category", "reason", "since", "until", "who"])?;
        let (mut pages, mut done) = (Pages::default(), 0);
        let mut progress = Progress::new("exported", None);
        while let Some(page) = pages.next(&ledger, PAGE).await? {
            for row in &page {
                let category = row.category.map_or_else(|| "any".to_owned(), |category| category.to_string());
                let until = row.until.map(|at| at.to_string()).unwrap_or_default();
                let since = row.since.to_string();
                out.write_record([&row.recipient, &category, row.reason.as_str(), &since, &until, &row.who])?;
            }
            done += page.len() as u64;
            progress.reach(done);
        }
        out.flush()?;
        progress.end();
        say(format_args!("{} exported", counted(done, "opt-out")));
        Ok(Exit::Done)
    }
}
