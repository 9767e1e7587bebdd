//! A value inside a request body that knows its own path, so that a refusal can name it.

use crate::sim::refusal::Refusal;
use serde_json::Value;

/// A value and where it stands. The path is written out only when somebody has to read it.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    value: &'a Value,
    parent: Option<&'a Part<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Part<'a> {
    /// The body itself.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, parent: None, step: Step::Key("") }
    }

    /// What stands under `key`; `null` is as nothing.
    pub(super) fn get<'b>(&'b self, key: &'b str) -> Option<Part<'b>> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Part { value, parent: Some(self), step: Step::Key(key) })
    }

    /// What stands under `key`, which is required.
    pub(super) fn need<'b>(&'b self, key: &'b str) -> Result<Part<'b>, Refusal> {
        if !self.value.is_object() {
            return Err(self.bad("must be an object"));
        }
        self.get(key).ok_or_else(|| {
            let missing = Part { value: &Value::Null, parent: Some(self), step: Step::Key(key) };
            Refusal::because(131_008, format!("{} is required", missing.path()))
        })
    }

    /// How many elements the list has: from one to `most`.
    pub(super) fn list_up_to(&self, most: usize) -> Result<usize, Refusal> {
        let items = self.value.as_array().ok_or_else(|| self.bad("must be a list"))?;
        if (1..=most).contains(&items.len()) {
            Ok(items.len())
        } else {
            Err(self.bad(&format!("has {} elements; allowed are 1 to {most}", items.len())))
        }
    }

    /// The elements of a list; nothing if it is none.
    pub(super) fn items<'b>(&'b self) -> impl Iterator<Item = Part<'b>> {
        self.value.as_array().into_iter().flatten().enumerate().map(|(index, value)| Part {
            value,
            parent: Some(self),
            step: Step::Index(index),
        })
    }

    /// The text it is.
    pub(super) fn text(&self) -> Result<&'a str, Refusal> {
        self.value.as_str().ok_or_else(|| self.bad("must be a string"))
    }

    /// Text that is not empty.
    pub(super) fn filled(&self) -> Result<&'a str, Refusal> {
        let text = self.text()?;
        if text.trim().is_empty() { Err(self.bad("must not be empty")) } else { Ok(text) }
    }

    /// Text of at most `most` characters.
    pub(super) fn text_up_to(&self, most: usize) -> Result<&'a str, Refusal> {
        let text = self.text()?;
        // Bytes are never fewer than characters, so short texts need no counting.
        if text.len() <= most || text.chars().count() <= most {
            Ok(text)
        } else {
            Err(Refusal::because(100, format!("Param {} must be at most {most} characters long.", self.path())))
        }
    }

    /// Text of 1 to `most` characters.
    pub(super) fn filled_up_to(&self, most: usize) -> Result<&'a str, Refusal> {
        self.filled()?;
        self.text_up_to(most)
    }

    /// One of these words, in any case.
    pub(super) fn one_of(&self, words: &[&'static str]) -> Result<&'static str, Refusal> {
        let text = self.text()?;
        words
            .iter()
            .copied()
            .find(|word| word.eq_ignore_ascii_case(text))
            .ok_or_else(|| self.bad(&format!("must be one of {}", words.join(", "))))
    }

    /// Yes or no.
    pub(super) fn flag(&self) -> Result<bool, Refusal> {
        self.value.as_bool().ok_or_else(|| self.bad("must be true or false"))
    }

    /// A number, also if it is written as a string.
    pub(super) fn number(&self) -> Result<f64, Refusal> {
        self.value
            .as_f64()
            .or_else(|| self.value.as_str()?.parse().ok())
            .filter(|number: &f64| number.is_finite())
            .ok_or_else(|| self.bad("must be a number"))
    }

    /// An `http` or `https` address.
    pub(super) fn link(&self) -> Result<(), Refusal> {
        let text = self.filled()?;
        match url::Url::parse(text) {
            Ok(link) if matches!(link.scheme(), "http" | "https") => Ok(()),
            Ok(_) | Err(_) => Err(self.bad("must be an http or https address")),
        }
    }

    /// How many of an object's fields pass `test`.
    pub(super) fn count_fields(&self, test: impl Fn(&str) -> bool) -> usize {
        self.value.as_object().map_or(0, |fields| fields.keys().filter(|key| test(key)).count())
    }

    /// The refusal of a value that cannot be (131009).
    pub(super) fn bad(&self, problem: &str) -> Refusal {
        Refusal::because(131_009, format!("{} {problem}", self.path()))
    }

    /// The refusal of a template's value (any of the 132 codes).
    pub(super) fn bad_for_template(&self, code: u32, problem: &str) -> Refusal {
        Refusal::because(code, format!("{} {problem}", self.path()))
    }

    fn path(&self) -> String {
        let mut steps = Vec::new();
        let mut part = Some(self);
        while let Some(here) = part {
            if here.parent.is_some() {
                steps.push(here.step);
            }
            part = here.parent;
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        if path.is_empty() { "the body".to_owned() } else { path }
    }
}
