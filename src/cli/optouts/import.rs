//! `tidegate optouts import`: a file of recipients, as other tools export them.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use csv::StringRecord;
use serde::Serialize;

use super::{OURS, Which, covers, orders};
use crate::cli::args;
use crate::cli::context::{Context, operator};
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::wording::{Count, counted, say};
use crate::clock;
use crate::hold::{Cover, HoldOrder};
use crate::job::Recipient;
use crate::ledger::Ledger;

/// Rows of one call; the ledger cuts it into transactions.
const BATCH: usize = 2_000;
/// As many bad lines are told one by one.
const TOLD: u64 = 10;

/// Flags of `tidegate optouts import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The CSV file; - is the standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Which messages, where the file has no column `category`
    #[arg(long, default_value = "marketing", value_parser = args::word(Which::ALL, Which::as_str), value_name = "CATEGORY")]
    category: Which,
    /// Where the list comes from, as `optouts list` shows it
    #[arg(long, value_name = "WORDS")]
    who: Option<String>,
}

/// What became of the lines.
#[derive(Serialize, Default, Debug, PartialEq, Eq)]
struct Summary {
    lines: u64,
    added: u64,
    known: u64,
    lifted: u64,
    refused: u64,
}

/// Which columns say what.
#[derive(Debug, PartialEq, Eq)]
struct Columns {
    recipient: usize,
    category: Option<usize>,
    consent: Option<usize>,
    /// The first line was one of data.
    is_headless: bool,
}

/// What one line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Stop(Recipient, Which),
    Resume(Recipient, Which),
}

struct Importing<'a> {
    ledger: &'a Ledger,
    who: String,
    summary: Summary,
    stops: Vec<HoldOrder>,
    resumes: Vec<Cover>,
    progress: Progress,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let shown = self.file.display().to_string();
        let reader: Box<dyn Read> = if shown == "-" {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(std::fs::File::open(&self.file).with_context(|| format!("{shown} can't be opened"))?)
        };
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(reader);
        let mut records = reader.records();
        let Some(first) = records.next() else { bail!("{shown} is empty") };
        let first = first.with_context(|| format!("{shown} can't be read as CSV"))?;
        let columns = Columns::find(&first).with_context(|| format!("{shown}, line 1"))?;
        let ledger = context.ledger_or_new(&context.config()?).await?;
        let mut importing = Importing {
            ledger: &ledger,
            who: self.who.unwrap_or_else(|| format!("{}, import", operator())),
            summary: Summary::default(),
            stops: Vec::new(),
            resumes: Vec::new(),
            progress: Progress::new("taken in", None),
        };
        let data = columns.is_headless.then_some(Ok(first)).into_iter().chain(records);
        for record in data {
            let record = record.with_context(|| format!("{shown} can't be read on"))?;
            importing.take(&record, &columns, self.category);
            if importing.stops.len() + importing.resumes.len() >= BATCH {
                importing.commit().await?;
            }
        }
        importing.commit().await?;
        let Importing { summary, progress, .. } = importing;
        progress.end();
        summary.say(&shown);
        if context.output != Output::Table {
            context.output.one(&summary, String::new)?;
        }
        Ok(match summary.refused {
            0 => Exit::Done,
            all if all == summary.lines => Exit::Failed,
            _ => Exit::Partly,
        })
    }
}

impl Columns {
    fn find(first: &StringRecord) -> anyhow::Result<Self> {
        let named =
            |names: &[&str]| first.iter().position(|title| names.iter().any(|name| title.eq_ignore_ascii_case(name)));
        if let Some(recipient) = named(&["recipient", "phone", "to", "wa_id", "number"]) {
            let (category, consent) = (named(&["category"]), named(&["consent"]));
            return Ok(Self { recipient, category, consent, is_headless: false });
        }
        let is_recipient = first.get(0).is_some_and(|text| text.parse::<Recipient>().is_ok());
        if is_recipient {
            return Ok(Self { recipient: 0, category: None, consent: None, is_headless: true });
        }
        bail!("there is no column `recipient` (phone, to, wa_id and number are understood too), and no number either")
    }

    fn read(&self, record: &StringRecord, default: Which) -> Result<Wish, String> {
        let text = record.get(self.recipient).unwrap_or_default();
        let recipient: Recipient = text.parse().map_err(|refused| format!("recipient: {refused}"))?;
        let cell = |column: Option<usize>| column.and_then(|column| record.get(column)).filter(|text| !text.is_empty());
        let which = match cell(self.category) {
            None => default,
            Some(text) if text.eq_ignore_ascii_case("any") => Which::All,
            Some(text) => text.to_ascii_lowercase().parse().map_err(|refused| format!("category: {refused}"))?,
        };
        match cell(self.consent).map(str::to_ascii_lowercase).as_deref() {
            None | Some("no" | "false" | "0" | "stop") => Ok(Wish::Stop(recipient, which)),
            Some("yes" | "true" | "1" | "start" | "resume") => Ok(Wish::Resume(recipient, which)),
            Some(_) => Err("consent: must be yes or no".to_owned()),
        }
    }
}

impl Importing<'_> {
    fn take(&mut self, record: &StringRecord, columns: &Columns, default: Which) {
        self.summary.lines += 1;
        match columns.read(record, default) {
            Ok(Wish::Stop(recipient, which)) => self.stops.extend(orders(&recipient, which, &self.who)),
            Ok(Wish::Resume(recipient, which)) => self.resumes.extend(covers(&recipient, which)),
            Err(problem) => {
                self.summary.refused += 1;
                let line = record.position().map_or(0, csv::Position::line);
                match self.summary.refused {
                    few if few <= TOLD => self.progress.say(&format!("line {line}: {problem}")),
                    next if next == TOLD + 1 => self.progress.say("and more"),
                    _ => {}
                }
            }
        }
    }

    async fn commit(&mut self) -> anyhow::Result<()> {
        let (stops, resumes) = (std::mem::take(&mut self.stops), std::mem::take(&mut self.resumes));
        let context = || "stopped; what came before is in, and the file can be taken in again";
        let now = clock::now().wall;
        if !stops.is_empty() {
            let asked = stops.len() as u64;
            let added = u64::from(self.ledger.place_many(stops, now).await.with_context(context)?);
            self.summary.added += added;
            self.summary.known += asked.saturating_sub(added);
        }
        if !resumes.is_empty() {
            self.summary.lifted += u64::from(self.ledger.lift_covers(resumes, OURS, now).await.with_context(context)?);
        }
        self.progress.reach(self.summary.lines);
        Ok(())
    }
}

impl Summary {
    fn say(&self, origin: &str) {
        let mut parts = vec![format!("{} new", Count(self.added))];
        for (count, what) in [(self.known, "known before"), (self.lifted, "lifted"), (self.refused, "refused")] {
            if count > 0 {
                parts.push(format!("{} {what}", Count(count)));
            }
        }
        say(format_args!("{} of {origin}: {}", counted(self.lines, "line"), parts.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> StringRecord {
        line.split(',').collect()
    }

    #[test]
    fn columns_are_found_by_name_or_by_what_the_first_line_holds() {
        let named = Columns::find(&record("Name,Phone,Consent")).expect("found");
        assert_eq!(named, Columns { recipient: 1, category: None, consent: Some(2), is_headless: false });
        assert!(Columns::find(&record("+447700900123")).expect("found").is_headless);
        assert!(Columns::find(&record("name,city")).is_err());
    }

    #[test]
    fn a_line_stops_or_resumes_or_says_what_is_wrong_with_it() {
        let columns = Columns::find(&record("recipient,category,consent")).expect("found");
        let read = |line: &str| columns.read(&record(line), Which::Marketing);
        let who: Recipient = "+447700900123".parse().expect("a recipient");
        assert_eq!(read("447700900123,,"), Ok(Wish::Stop(who.clone(), Which::Marketing)));
        assert_eq!(read("+44 7700 900123,ANY,no"), Ok(Wish::Stop(who.clone(), Which::All)));
        assert_eq!(read("+447700900123,utility,yes"), Ok(Wish::Resume(who, Which::Utility)));
        assert!(read("x,,").expect_err("no recipient").starts_with("recipient: "));
        assert!(read("+447700900123,authentication,").expect_err("never").contains("category"));
        assert!(read("+447700900123,,maybe").expect_err("neither").starts_with("consent: "));
    }
}
