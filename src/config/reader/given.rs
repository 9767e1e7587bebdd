//! One value as it was given.

use ::config::{Value, ValueKind};

use super::super::layers::Origin;

/// A key's value, before it has a type.
pub struct Given {
    /// As `numbers[0].rate`.
    pub key: String,
    /// What was given.
    pub kind: ValueKind,
    /// Where.
    pub origin: Option<Origin>,
}

impl Given {
    /// A value of the tree.
    pub fn of(key: &str, value: &Value) -> Self {
        let origin = value.origin().and_then(Origin::decode);
        Self { key: key.to_owned(), kind: value.kind.clone(), origin }
    }

    /// Nothing was given.
    pub fn absent(key: &str) -> Self {
        Self { key: key.to_owned(), kind: ValueKind::Nil, origin: None }
    }

    /// Whether an optional value is to be taken as not there.
    pub fn is_empty(&self) -> bool {
        match &self.kind {
            ValueKind::Nil => true,
            ValueKind::String(text) => text.trim().is_empty(),
            ValueKind::Array(values) => values.is_empty(),
            _ => false,
        }
    }

    /// A single value as text: types are ours to say, and variables are always text.
    pub fn text(&self) -> Option<String> {
        match &self.kind {
            ValueKind::Nil => Some(String::new()),
            ValueKind::Table(_) | ValueKind::Array(_) => None,
            ValueKind::String(text) => Some(text.clone()),
            single => Some(single.to_string()),
        }
    }

    /// Several values as texts.
    pub fn texts(&self) -> Option<Vec<String>> {
        let ValueKind::Array(values) = &self.kind else {
            let text = self.text()?;
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            return Some(parts.map(str::to_owned).collect());
        };
        values.iter().map(|value| Self::of(&self.key, value).text()).collect()
    }

    /// As a person wrote it, for a problem.
    pub fn shown(&self) -> Option<String> {
        match &self.kind {
            ValueKind::Nil => None,
            ValueKind::Table(_) => Some("a table".to_owned()),
            ValueKind::Array(_) => Some("a list".to_owned()),
            ValueKind::String(text) => Some(format!("{text:?}")),
            single => Some(single.to_string()),
        }
    }
}

/// The value at a path like `numbers[0].rate`.
pub fn find<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(root, |value, segment| {
        let (name, index) = match segment.split_once('[') {
            Some((name, index)) => (name, Some(index.strip_suffix(']')?.parse::<usize>().ok()?)),
            None => (segment, None),
        };
        let ValueKind::Table(table) = &value.kind else {
            return None;
        };
        let value = table.get(name)?;
        let Some(index) = index else {
            return Some(value);
        };
        let ValueKind::Array(values) = &value.kind else {
            return None;
        };
        values.get(index)
    })
}
