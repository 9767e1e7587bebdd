//! What every command may need: the configuration, and the ledger beside a worker. Opened when first asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::Global;
use super::output::Output;
use super::wording::say;
use crate::app;
use crate::config::{Config, LedgerUrl, Sources};
use crate::fleet::{Directory, Pools};
use crate::job::NumberId;
use crate::ledger::sqlite::Access;
use crate::ledger::{FleetRow, Ledger};

/// The flags that all commands share.
pub struct Context {
    config: Option<PathBuf>,
    set: Vec<(String, String)>,
    /// In which form data is printed.
    pub output: Output,
    /// Whether every question is answered already.
    pub yes: bool,
}

/// Whether a command has something to do where there is no ledger yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Absent {
    Make,
    Refuse,
}

impl Context {
    /// From the flags.
    pub fn new(global: Global) -> Self {
        Self { config: global.config, set: global.set, output: global.output, yes: global.yes }
    }

    /// The configuration; commands that send nothing take one that no sender could start on.
    pub fn config(&self) -> anyhow::Result<Config> {
        let config = self.config_without_notices()?;
        for notice in config.notices() {
            say(format_args!("note: {notice}"));
        }
        Ok(config)
    }

    /// The same, for who has another place for its notices.
    pub fn config_without_notices(&self) -> anyhow::Result<Config> {
        Ok(Config::load(Sources::of_process(self.config.clone(), self.set.clone()))?)
    }

    /// The ledger, for a command that looks at what is there.
    pub async fn ledger(&self, config: &Config) -> anyhow::Result<Ledger> {
        open(config, Absent::Refuse).await
    }

    /// The ledger, made if it is not there yet: for a command that puts something in.
    pub async fn ledger_or_new(&self, config: &Config) -> anyhow::Result<Ledger> {
        open(config, Absent::Make).await
    }
}

async fn open(config: &Config, absent: Absent) -> anyhow::Result<Ledger> {
    if let LedgerUrl::Sqlite(path) = &config.ledger.url {
        find_or_make(path, absent)?;
    }
    app::open_ledger(config, Access::Beside).await
}

fn find_or_make(path: &Path, absent: Absent) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    match absent {
        Absent::Make => app::make_folder(path),
        Absent::Refuse => Err(anyhow!(
            "there is no ledger at {} yet: `tidegate run` or `tidegate send` makes it, and data_dir or ledger.url says \
             where it is",
            path.display()
        )),
    }
}

/// The numbers that are known here, by id: how they are displayed, as the configuration or Meta says.
pub async fn known_numbers(config: &Config, ledger: &Ledger) -> anyhow::Result<BTreeMap<NumberId, String>> {
    let mut known = BTreeMap::new();
    for row in ledger.fleet_list("number".to_owned()).await? {
        match row.id.parse() {
            Ok(id) => {
                known.insert(id, field(&row, "display_phone_number").unwrap_or_default());
            }
            Err(_) => say(format_args!("warning: the ledger has a number \"{}\", which is no id of Meta's", row.id)),
        }
    }
    for number in &config.numbers {
        let id = number.id.parse().expect("the configuration has checked number ids");
        let display = number.display.as_ref().map(|display| display.as_written().to_owned());
        let read: &mut String = known.entry(id).or_default();
        *read = display.unwrap_or_else(|| std::mem::take(read));
    }
    Ok(known)
}

/// One of the fields that Meta answered for a thing.
pub fn field(row: &FleetRow, name: &str) -> Option<String> {
    let fields: serde_json::Value = serde_json::from_str(&row.fields).ok()?;
    let value = fields.pointer(&format!("/{}", name.replace('.', "/")))?;
    value.as_str().map(str::to_owned).filter(|text| !text.is_empty())
}

/// Turns a job's `from` into its place in line.
pub fn directory(config: &Config, known: &BTreeMap<NumberId, String>) -> Directory {
    Pools::new(config).directory(known.iter().map(|(id, display)| (id, display.as_str())))
}

/// Who gives an order by this command, as holds remember it.
pub fn operator() -> String {
    let name = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    name.map_or_else(|| "cli".to_owned(), |name| format!("cli:{name}"))
}
