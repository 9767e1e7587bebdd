//! Typed reading of the merged tree. Nothing stops at the first mistake: each is told, and reading goes on.

mod given;
mod secrets;
mod unknown;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use ::config::{Value, ValueKind};

use super::problem::Problem;
use super::secret_source::SecretSource;
use super::show::Setting;
use super::span;
use given::{Given, find};

/// A value could not be read, and its problem has been told.
#[derive(Clone, Copy, Debug)]
pub struct Told;

/// Reads keys, and remembers which there are, what they hold, and what is wrong with them.
pub struct Reader {
    root: Value,
    known: BTreeSet<String>,
    settings: Vec<Setting>,
    problems: Vec<Problem>,
    watched: Vec<SecretSource>,
}

/// What is left when all keys have been read.
pub struct Readings {
    /// Every key that was asked for, in order.
    pub settings: Vec<Setting>,
    /// What is wrong, in order of keys.
    pub problems: Vec<Problem>,
    /// Secrets that stand in files.
    pub watched: Vec<SecretSource>,
}

impl Reader {
    /// Over this tree, with what is already known to be wrong.
    pub fn new(root: Value, problems: Vec<Problem>) -> Self {
        Self { root, known: BTreeSet::new(), settings: Vec::new(), problems, watched: Vec::new() }
    }

    /// Tells of keys that nobody asked for, and hands everything over.
    pub fn finish(mut self) -> Readings {
        let unknown = unknown::problems(&self.root, &self.known);
        self.problems.extend(unknown);
        self.problems.sort_by(|one, other| one.key.cmp(&other.key));
        self.problems.dedup();
        Readings { settings: self.settings, problems: self.problems, watched: self.watched }
    }

    /// Something wrong with this key, beyond its form.
    pub fn tell(&mut self, key: &str, message: impl Into<String>) {
        let given = self.peek(key);
        let shown = self.settings.iter().find(|setting| setting.key == key);
        self.problems.push(Problem {
            key: key.to_owned(),
            value: shown.filter(|setting| !setting.value.is_empty()).map(|setting| format!("\"{}\"", setting.value)),
            origin: given.and_then(|given| given.origin).map(|origin| origin.text),
            message: message.into(),
        });
    }

    /// Shows something else for this key: a default that follows from others, a URL without its password.
    pub fn show_as(&mut self, key: &str, value: String, origin: Option<&str>) {
        if let Some(setting) = self.settings.iter_mut().find(|setting| setting.key == key) {
            setting.value = value;
            if let Some(origin) = origin {
                setting.origin = origin.to_owned();
            }
        }
    }

    /// A value that must be there.
    pub fn read<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Told> {
        let given = self.given(key)?;
        self.parse(&given, parse)
    }

    /// A value that is not there if its text is empty.
    pub fn read_optional<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Told> {
        let given = self.given(key)?;
        if given.is_empty() {
            self.settings.push(Setting::new(key, String::new(), given.origin));
            return Ok(None);
        }
        self.parse(&given, parse).map(Some)
    }

    /// A length of time within these bounds.
    pub fn span(&mut self, key: &str, bounds: RangeInclusive<Duration>) -> Result<Duration, Told> {
        self.read(key, |text| {
            let length = span::parse(text)?;
            if bounds.contains(&length) {
                return Ok(length);
            }
            Err(format!("allowed: {} to {}", span::write(*bounds.start()), span::write(*bounds.end())))
        })
    }

    /// A number within these bounds.
    pub fn amount<T>(&mut self, key: &str, bounds: RangeInclusive<T>) -> Result<T, Told>
    where
        T: FromStr + PartialOrd + Display,
    {
        self.read(key, |text| match text.trim().parse::<T>() {
            Ok(amount) if bounds.contains(&amount) => Ok(amount),
            Ok(_) | Err(_) => Err(format!("allowed: a number from {} to {}", bounds.start(), bounds.end())),
        })
    }

    /// One of these words.
    pub fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Result<T, Told> {
        self.read(key, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| {
                let allowed: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                format!("allowed: {}", allowed.join(", "))
            })
        })
    }

    /// A list of texts: a list in TOML, or one text with commas.
    pub fn texts(&mut self, key: &str) -> Result<Vec<String>, Told> {
        let given = self.given(key)?;
        let texts = given.texts().ok_or_else(|| self.refuse(&given, "a list of texts is expected"))?;
        self.settings.push(Setting::new(key, texts.join(","), given.origin));
        Ok(texts)
    }

    /// How many tables a list has; their keys are `key[0].…` and so on.
    pub fn tables(&mut self, key: &str) -> Result<usize, Told> {
        let given = self.peek(key).unwrap_or_else(|| Given::absent(key));
        let ValueKind::Array(elements) = &given.kind else {
            self.known.insert(key.to_owned());
            return Err(self.refuse(&given, format!("a list of tables is expected, written [[{key}]]")));
        };
        if elements.is_empty() {
            self.settings.push(Setting::new(key, String::new(), given.origin.clone()));
        }
        let mut count = Ok(elements.len());
        for (index, element) in elements.iter().enumerate() {
            // A hole below an index that a variable set is a table without keys.
            if !matches!(element.kind, ValueKind::Table(_) | ValueKind::Nil) {
                self.known.insert(key.to_owned());
                let element = Given::of(&format!("{key}[{index}]"), element);
                count = Err(self.refuse(&element, format!("a table is expected, written [[{key}]]")));
            }
        }
        count
    }

    fn peek(&self, key: &str) -> Option<Given> {
        find(&self.root, key).map(|value| Given::of(key, value))
    }

    /// The value of a key that from now on is a known one. Keys in tables of a list may be absent.
    fn given(&mut self, key: &str) -> Result<Given, Told> {
        self.known.insert(key.to_owned());
        match self.peek(key) {
            Some(given) => Ok(given),
            None if key.contains('[') => Ok(Given::absent(key)),
            // A group was given as something else; that is told as an unknown key.
            None => Err(Told),
        }
    }

    fn parse<T>(&mut self, given: &Given, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Told> {
        let text = given.text().ok_or_else(|| self.refuse(given, "one value is expected"))?;
        let parsed = parse(&text).map_err(|message| self.refuse(given, message));
        self.settings.push(Setting::new(&given.key, text, given.origin.clone()));
        parsed
    }

    fn refuse(&mut self, given: &Given, message: impl Into<String>) -> Told {
        self.problems.push(Problem {
            key: given.key.clone(),
            value: given.shown(),
            origin: given.origin.clone().map(|origin| origin.text),
            message: message.into(),
        });
        Told
    }
}
