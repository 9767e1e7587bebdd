//! TOML, read so that each value knows its line, and all mistakes of a file are told at once.

use std::fmt;

use ::config::{ConfigError, Map, Source, Value, ValueKind};
use ::toml::de::{DeTable, DeValue};

use super::super::problem::Problem;
use super::origin::{Layer, Origin};

/// A file's keys and values.
#[derive(Clone, Default)]
pub struct Table(Map<String, Value>);

/// Reads what can be read; the rest goes to `problems`, with its line.
pub fn read(text: &str, layer: Layer, name: &str, problems: &mut Vec<Problem>) -> Table {
    let (root, mistakes) = DeTable::parse_recoverable(text);
    let mut reading = Reading { text, layer, name, problems };
    for mistake in &mistakes {
        let at = mistake.span().map_or(0, |span| span.start);
        reading.tell(String::new(), at, mistake.message().to_owned());
    }
    Table(reading.table("", root.into_inner()))
}

struct Reading<'a> {
    text: &'a str,
    layer: Layer,
    name: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    fn place(&self, at: usize) -> String {
        if self.layer == Layer::Default {
            return self.name.to_owned();
        }
        let before = self.text.as_bytes().iter().take(at);
        format!("{}:{}", self.name, before.filter(|byte| **byte == b'\n').count() + 1)
    }

    fn tell(&mut self, key: String, at: usize, message: String) {
        let origin = Some(self.place(at));
        self.problems.push(Problem { key, value: None, origin, message });
    }

    fn table(&mut self, path: &str, table: DeTable<'_>) -> Map<String, Value> {
        let mut read = Map::new();
        for (key, value) in table {
            let at = key.span().start;
            let name = key.into_inner().into_owned();
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            // The layering library would take dots and brackets of a quoted key for a path.
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            {
                self.tell(path, at, "unknown key: keys consist of a-z and _".to_owned());
                continue;
            }
            let value = self.value(&path, at, value.into_inner());
            read.insert(name, value);
        }
        read
    }

    fn value(&mut self, path: &str, at: usize, value: DeValue<'_>) -> Value {
        let kind = match value {
            DeValue::String(text) => ValueKind::String(text.into_owned()),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(integer) => ValueKind::I64(integer),
                Err(_) => ValueKind::String(integer.as_str().to_owned()),
            },
            DeValue::Float(float) => match float.as_str().parse() {
                Ok(float) => ValueKind::Float(float),
                Err(_) => ValueKind::String(float.as_str().to_owned()),
            },
            DeValue::Boolean(boolean) => ValueKind::Boolean(boolean),
            DeValue::Datetime(time) => ValueKind::String(time.to_string()),
            DeValue::Array(array) => ValueKind::Array(
                (0..)
                    .zip(array)
                    .map(|(index, value)| {
                        let at = value.span().start;
                        self.value(&format!("{path}[{index}]"), at, value.into_inner())
                    })
                    .collect(),
            ),
            DeValue::Table(table) => ValueKind::Table(self.table(path, table)),
        };
        let origin = Origin { layer: self.layer, text: self.place(at) };
        Value::new(Some(&origin.encode()), kind)
    }
}

/// Without the values, some of which are secrets.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source for Table {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}
