//! Variables: those of the process, and those of a `.env` file that the process lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ::config::ValueKind;

use super::super::problem::Problem;
use super::origin::{Layer, Origin};
use super::pair::Pair;

/// A variable's value, and which of the two it came from.
#[derive(Clone)]
pub struct Variable {
    /// As it was set.
    pub value: String,
    /// From `.env`, not from the process.
    pub in_dotenv: bool,
}

/// All variables by name.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, Variable>);

impl Variables {
    /// The process's variables, and under them those of the file, if it exists.
    pub fn gather(env: &BTreeMap<String, String>, dotenv: Option<&Path>, problems: &mut Vec<Problem>) -> Self {
        let mut variables: BTreeMap<_, _> = env
            .iter()
            .map(|(name, value)| (name.clone(), Variable { value: value.clone(), in_dotenv: false }))
            .collect();
        if let Some(path) = dotenv {
            for (name, value) in read_dotenv(path, problems) {
                variables.entry(name).or_insert(Variable { value, in_dotenv: true });
            }
        }
        Self(variables)
    }

    /// The variable, if it is set to something.
    pub fn filled(&self, name: &str) -> Option<&Variable> {
        self.0.get(name).filter(|variable| !variable.value.trim().is_empty())
    }

    /// Variables that look like one of these keys but are not read as such, with the name that is.
    pub fn misnamed(&self, keys: &BTreeSet<&str>) -> Vec<(String, String)> {
        let by_look: BTreeMap<String, &str> = keys.iter().map(|key| (key.replace('.', "_"), *key)).collect();
        self.0
            .keys()
            .filter_map(|name| {
                let look = name.strip_prefix(PREFIX)?.strip_prefix('_')?.to_ascii_lowercase();
                by_look.get(&look).map(|key| (name.clone(), name_of(key)))
            })
            .collect()
    }
}

const PREFIX: &str = "TIDEGATE";

/// The variable that is read for a key.
fn name_of(key: &str) -> String {
    let name = key.to_uppercase().replace('.', "__");
    if key.contains('.') { format!("{PREFIX}_{name}") } else { format!("{PREFIX}__{name}") }
}

/// Our own names: `TIDEGATE_QUEUE__URL` is `queue.url`, `TIDEGATE_NUMBERS__0__ID` is `numbers[0].id`,
/// and `TIDEGATE__DATA_DIR` is `data_dir`, which is in no group.
pub fn pairs(variables: &Variables, problems: &mut Vec<Problem>) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (name, variable) in &variables.0 {
        let Some(rest) = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('_')) else {
            continue;
        };
        if !rest.contains("__") && !rest.starts_with('_') {
            continue;
        }
        let (layer, place) = match variable.in_dotenv {
            true => (Layer::DotEnv, ".env"),
            false => (Layer::Environment, "environment"),
        };
        let origin = Origin { layer, text: format!("{place} {name}") };
        match key_of(rest) {
            Some(key) => pairs.push(Pair { key, value: ValueKind::String(variable.value.clone()), origin }),
            None => problems.push(Problem {
                key: name.clone(),
                value: None,
                origin: Some(place.to_owned()),
                message: "a name looks like TIDEGATE_QUEUE__URL or TIDEGATE_NUMBERS__0__ID".to_owned(),
            }),
        }
    }
    pairs
}

fn key_of(rest: &str) -> Option<String> {
    let mut key = String::new();
    for segment in rest.strip_prefix('_').unwrap_or(rest).split("__") {
        if segment.is_empty() {
            return None;
        }
        if segment.bytes().all(|byte| byte.is_ascii_digit()) {
            key.push_str(&format!("[{segment}]"));
            continue;
        }
        if !key.is_empty() {
            key.push('.');
        }
        key.push_str(&segment.to_ascii_lowercase());
    }
    Some(key)
}

/// The first of a name counts, as shells' own readers of such files have it.
fn read_dotenv(path: &Path, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let mut read = BTreeMap::new();
    let place = path.display();
    let mut tell = |origin: String, message: String| {
        problems.push(Problem { key: String::new(), value: None, origin: Some(origin), message });
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return read,
        Err(cause) => {
            tell(place.to_string(), format!("can't be read: {cause}"));
            return read;
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        match line {
            Ok((name, value)) => {
                read.entry(name).or_insert(value);
            }
            // The library's own words would show the line's end, and so perhaps a secret.
            Err(dotenvy::Error::LineParse(end, _)) => {
                let number = text.lines().position(|line| line.ends_with(end.as_str()));
                let line = number.map(|number| format!(":{}", number + 1));
                tell(
                    format!("{place}{}", line.unwrap_or_default()),
                    "a line looks like NAME=value, in quotes if the value has spaces".to_owned(),
                );
            }
            Err(cause) => {
                tell(place.to_string(), format!("can't be read: {cause}"));
                break;
            }
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys() {
        for (rest, key) in [
            ("QUEUE__URL", Some("queue.url")),
            ("_DATA_DIR", Some("data_dir")),
            ("NUMBERS__0__TOKEN_FILE", Some("numbers[0].token_file")),
            ("UNKNOWN__WAIT__OTHERS", Some("unknown.wait.others")),
            ("QUEUE__", None),
            ("_", None),
        ] {
            assert_eq!(key_of(rest).as_deref(), key, "{rest}");
        }
    }

    #[test]
    fn a_broken_line_of_a_dotenv_file_is_told_without_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, "GOOD=1\nWHATSAPP_ACCESS_TOKEN=EAAcanary with spaces\nLATER=2\n").unwrap();
        let mut problems = Vec::new();
        let read = read_dotenv(&path, &mut problems);
        assert_eq!(read.get("LATER").map(String::as_str), Some("2"));
        assert!(problems[0].to_string().contains(".env:2: a line looks like"));
        assert!(!problems[0].to_string().contains("canary"));
    }
}
