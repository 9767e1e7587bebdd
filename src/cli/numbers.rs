//! `tidegate numbers`: the sending numbers as the configuration and Meta know them, and a person's pause.

use clap::{Args, Subcommand};
use serde::Serialize;
use uuid::Uuid;

use super::args::Moment;
use super::context::{Context, field, known_numbers, operator};
use super::exit::{BadUsage, Exit};
use super::holds::{covers, number_id, placed};
use super::output::{Column, Output, words};
use super::sync;
use super::wording::{relative, say};
use crate::clock::{self, Timestamp};
use crate::config::Config;
use crate::fleet::Pools;
use crate::hold::{Cover, Effect, Hold, HoldOrder, Scope};
use crate::job::{From, NumberId};
use crate::ledger::{FleetRow, Ledger};
use crate::outcome::Reason;
use crate::worker::leases;

/// What can be done about numbers.
#[derive(Subcommand, Debug)]
pub enum Numbers {
    /// List the sending numbers that are known
    List,
    /// Send nothing by a number, until it is resumed
    Pause(Pause),
    /// Send by a number again
    Resume(Resume),
    /// Read numbers and their accounts now, and say what changed
    Sync,
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

/// A number as it is listed.
#[derive(Serialize)]
struct Listed {
    id: NumberId,
    display: String,
    pool: String,
    /// As configured; else what Meta's level of throughput is.
    rate: Option<String>,
    quality: Option<String>,
    status: Option<String>,
    waba: Option<String>,
    /// When Meta's fields were read.
    read_at: Option<Timestamp>,
    /// The worker that owns it.
    owner: Option<Uuid>,
    /// Until when, unless it renews its lease.
    leased_until: Option<Timestamp>,
    holds: Vec<Hold>,
}

const COLUMNS: &[Column<Listed>] = &[
    words("NUMBER", |row| row.id.to_string()),
    words("DISPLAY", |row| row.display.clone()),
    words("POOL", |row| row.pool.clone()),
    words("RATE", |row| row.rate.clone().unwrap_or_default()),
    words("QUALITY", |row| row.quality.clone().unwrap_or_default()),
    words("STATUS", |row| row.status.clone().unwrap_or_default()),
    words("READ", |row| row.read_at.map(|at| relative(at, clock::now().wall)).unwrap_or_default()),
    words("OWNER", |row| row.owner.map(short).unwrap_or_default()),
    words("LEASE ENDS", |row| row.leased_until.map(|at| relative(at, clock::now().wall)).unwrap_or_default()),
    words("HELD", held),
];

impl Numbers {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::List => list(context).await,
            Self::Pause(pause) => pause.run(context).await,
            Self::Resume(resume) => resume.run(context).await,
            Self::Sync => sync::numbers(context).await,
        }
    }
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let ledger = context.ledger_or_new(&config).await?;
    let rows = listed(&config, &ledger).await?;
    context.output.list(&rows, COLUMNS)?;
    if rows.is_empty() && context.output == Output::Table {
        say("no number is known: set WHATSAPP_PHONE_NUMBER_ID, list [[numbers]], or start a worker, which asks Meta \
             for those of the account");
    }
    Ok(Exit::Done)
}

async fn listed(config: &Config, ledger: &Ledger) -> anyhow::Result<Vec<Listed>> {
    let read = ledger.fleet_list("number".to_owned()).await?;
    let holds = ledger.holds().await?;
    let pools = Pools::new(config);
    let known = known_numbers(config, ledger).await?;
    let now = clock::now().wall;
    let leases = ledger.leases(now).await?;
    Ok(known
        .into_iter()
        .map(|(id, display)| {
            let name = leases::name(id.as_str());
            let owned = leases.iter().find(|lease| lease.name == name).filter(|lease| lease.owner.is_some());
            let fields = read.iter().find(|row| row.id == id.as_str());
            let of_meta = |name: &str| fields.and_then(|row| field(row, name));
            Listed {
                pool: pools.of(id.as_str(), &display).to_string(),
                rate: configured_rate(config, &id).or_else(|| of_meta("throughput.level")),
                quality: of_meta("quality_rating"),
                status: of_meta("status"),
                waba: configured_waba(config, &id).or_else(|| parent(fields)),
                read_at: fields.map(|row| row.read_at),
                owner: owned.and_then(|lease| lease.owner).map(|worker| worker.0),
                leased_until: owned.map(|lease| now + lease.left),
                holds: holds.iter().filter(|hold| stops(hold, &id)).cloned().collect(),
                id,
                display,
            }
        })
        .collect())
}

/// The end of a worker's id, which is not the time: enough to tell workers apart.
fn short(worker: Uuid) -> String {
    let id = worker.simple().to_string();
    id[id.len() - 8..].to_owned()
}

fn configured_rate(config: &Config, id: &NumberId) -> Option<String> {
    config.numbers.iter().find(|number| number.id == id.as_str())?.rate.map(|rate| rate.to_string())
}

fn configured_waba(config: &Config, id: &NumberId) -> Option<String> {
    config.numbers.iter().find(|number| number.id == id.as_str())?.waba.clone()
}

fn parent(row: Option<&FleetRow>) -> Option<String> {
    row.map(|row| row.parent.clone()).filter(|parent| !parent.is_empty())
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

fn held(row: &Listed) -> String {
    let hold = |hold: &Hold| format!("hold {}: {}", hold.id.0, hold.reason);
    row.holds.iter().map(hold).collect::<Vec<_>>().join("; ")
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
