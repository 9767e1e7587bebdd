//! Keys that nobody reads: most likely misspelt, so the nearest known key is named.

use std::collections::BTreeSet;

use ::config::{Value, ValueKind};

use super::super::problem::Problem;
use super::given::Given;

/// Below this likeness a suggestion would only mislead.
const LIKENESS: f64 = 0.6;

/// One problem a key of the tree that is not known. Never with the value: it may be a misplaced secret.
pub fn problems(root: &Value, known: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk("", root, known, &mut problems);
    problems
}

fn walk(path: &str, value: &Value, known: &BTreeSet<String>, problems: &mut Vec<Problem>) {
    if known.contains(path) {
        return;
    }
    match &value.kind {
        ValueKind::Table(table) if !table.is_empty() => {
            for (name, value) in table {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&path, value, known, problems);
            }
        }
        ValueKind::Table(_) if path.is_empty() || leads_to_known(path, known) => {}
        ValueKind::Array(values) if leads_to_known(&format!("{path}[0]"), known) || values.is_empty() => {
            for (index, value) in values.iter().enumerate() {
                walk(&format!("{path}[{index}]"), value, known, problems);
            }
        }
        // A hole below an index that a variable set; the keys that it lacks are told.
        ValueKind::Nil => {}
        _ => problems.push(Problem {
            key: path.to_owned(),
            value: None,
            origin: Given::of(path, value).origin.map(|origin| origin.text),
            message: message(path, known),
        }),
    }
}

fn leads_to_known(path: &str, known: &BTreeSet<String>) -> bool {
    let prefix = format!("{path}.");
    known.iter().any(|key| key.starts_with(&prefix))
}

fn message(path: &str, known: &BTreeSet<String>) -> String {
    if leads_to_known(path, known) {
        return format!("a group of keys is expected, written [{path}]");
    }
    match nearest(path, known) {
        Some(key) => format!("unknown key; did you mean {key}?"),
        None => "unknown key; `tidegate config show` lists all keys".to_owned(),
    }
}

/// The known key that is spelt most like it, in whole or in its last word.
fn nearest<'a>(path: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let (group, word) = split(path);
    let likeness = |key: &String| {
        let (known_group, known_word) = split(key);
        let whole = strsim::normalized_damerau_levenshtein(path, key);
        let words = strsim::normalized_damerau_levenshtein(word, known_word);
        let in_part = if group == known_group { words } else { words * 0.9 };
        whole.max(in_part)
    };
    known
        .iter()
        .map(|key| (key, likeness(key)))
        .filter(|(_, likeness)| *likeness >= LIKENESS)
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(key, _)| key)
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}
