//! Layers: built-in defaults < names of others < file < `.env` < environment < flags.
//!
//! Each value keeps where it came from, so that a problem can say which line or variable to repair.

mod environment;
mod foreign;
mod origin;
mod pair;
mod toml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::config::{Map, Value, ValueKind};

use super::problem::Problem;

pub(super) use environment::Variables;
pub(super) use origin::{Layer, Origin};
use pair::Pair;

/// Every key, with its default and what it is for; also what `tidegate config show` starts from.
pub const DEFAULT_TOML: &str = include_str!("../../../config/default.toml");

/// What the configuration is read from; given in full, so that nothing depends on the process.
#[derive(Clone, Default)]
pub struct Sources {
    /// `--config`; without it `TIDEGATE_CONFIG` of the environment names the file, if any.
    pub file: Option<PathBuf>,
    /// The process's environment.
    pub env: BTreeMap<String, String>,
    /// A `.env` file for what the environment lacks; it need not exist.
    pub dotenv: Option<PathBuf>,
    /// Flags, as `("worker.drain", "10s")`; the last of a key wins.
    pub overrides: Vec<(String, String)>,
}

impl Sources {
    /// The environment of this process and the `.env` of its working directory.
    pub fn of_process(file: Option<PathBuf>, overrides: Vec<(String, String)>) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, env, dotenv: Some(PathBuf::from(".env")), overrides }
    }
}

/// One tree of all layers; what could not be read is told in `problems`.
pub(super) fn merge(sources: &Sources, problems: &mut Vec<Problem>) -> Value {
    let variables = Variables::gather(&sources.env, sources.dotenv.as_deref(), problems);
    let mut pairs = foreign::pairs(&variables);
    let (mut tables, file) = (vec![default_table()], file_named(sources, &variables));
    if let Some(path) = file {
        tables.push(file_table(&path, problems));
    }
    let mut own = environment::pairs(&variables, problems);
    own.extend(flags(&sources.overrides));
    own.retain(|pair| pair.is_settable(problems));

    let mut builder = ::config::Config::builder().add_source(tables.remove(0));
    for pair in pairs.drain(..) {
        builder = builder.add_source(pair);
    }
    for table in tables {
        builder = builder.add_source(table);
    }
    for pair in own {
        builder = builder.add_source(pair);
    }
    match builder.build() {
        Ok(merged) => merged.cache,
        Err(cause) => {
            problems.push(Problem { key: String::new(), value: None, origin: None, message: cause.to_string() });
            Value::new(None, Map::<String, Value>::new())
        }
    }
}

fn default_table() -> toml::Table {
    let mut problems = Vec::new();
    let table = toml::read(DEFAULT_TOML, Layer::Default, "default", &mut problems);
    debug_assert!(problems.is_empty(), "config/default.toml is tested to load");
    table
}

fn file_named(sources: &Sources, variables: &Variables) -> Option<PathBuf> {
    let from_environment = || variables.filled("TIDEGATE_CONFIG").map(|variable| PathBuf::from(&variable.value));
    sources.file.clone().or_else(from_environment)
}

fn file_table(path: &Path, problems: &mut Vec<Problem>) -> toml::Table {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => toml::read(&text, Layer::File, &name, problems),
        Err(cause) => {
            problems.push(Problem {
                key: String::new(),
                value: None,
                origin: Some(name),
                message: format!("the configuration file can't be read: {cause}"),
            });
            toml::Table::default()
        }
    }
}

fn flags(overrides: &[(String, String)]) -> Vec<Pair> {
    overrides
        .iter()
        .map(|(key, value)| Pair {
            key: key.clone(),
            value: ValueKind::String(value.clone()),
            origin: Origin { layer: Layer::Flag, text: "flag".to_owned() },
        })
        .collect()
}
