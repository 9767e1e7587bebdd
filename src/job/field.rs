//! A value in a job's JSON that knows where it stands, so that a refusal can name it.

use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub field: String,
    pub reason: String,
}

impl Problem {
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// A value and the way to it. The way is written out for a refusal only.
#[derive(Clone, Copy)]
pub(super) struct Field<'p, 'v> {
    above: Option<&'p Field<'p, 'v>>,
    step: Step<'v>,
    value: &'v Value,
}

#[derive(Clone, Copy)]
enum Step<'v> {
    Name(&'v str),
    Index(usize),
}

impl<'p, 'v> Field<'p, 'v> {
    /// A field of the job itself.
    pub fn top(name: &'static str, value: &'v Value) -> Self {
        Self { above: None, step: Step::Name(name), value }
    }

    pub fn refuse(&self, reason: impl Into<String>) -> Problem {
        Problem::new(self.to_string(), reason)
    }

    pub fn refuse_below(&self, name: &str, reason: impl Into<String>) -> Problem {
        Problem::new(format!("{self}.{name}"), reason)
    }

    pub fn object(&self) -> Result<&'v Map<String, Value>, Problem> {
        self.value.as_object().ok_or_else(|| self.refuse("must be an object"))
    }

    /// A field of this object. `null` is the same as absent: many a serialiser writes it for «nothing».
    pub fn get(&'p self, name: &'static str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self { above: Some(self), step: Step::Name(name), value })
    }

    pub fn need(&'p self, name: &'static str) -> Result<Self, Problem> {
        self.object()?;
        self.get(name).ok_or_else(|| self.refuse_below(name, "missing"))
    }

    pub fn value(&self) -> &'v Value {
        self.value
    }

    pub fn text(&self) -> Result<&'v str, Problem> {
        self.value.as_str().ok_or_else(|| self.refuse("must be a string"))
    }

    /// A text of at least one character and at most `most`.
    pub fn filled(&self, most: usize) -> Result<&'v str, Problem> {
        let text = self.at_most(most)?;
        if text.is_empty() { Err(self.refuse("empty")) } else { Ok(text) }
    }

    pub fn at_most(&self, most: usize) -> Result<&'v str, Problem> {
        let text = self.text()?;
        // No text has more characters than bytes.
        if text.len() > most {
            let characters = text.chars().count();
            if characters > most {
                return Err(self.refuse(format!("{} characters, at most {}", Grouped(characters), Grouped(most))));
            }
        }
        Ok(text)
    }

    pub fn flag(&self) -> Result<bool, Problem> {
        self.value.as_bool().ok_or_else(|| self.refuse("must be true or false"))
    }

    /// A text that is one of these.
    pub fn one_of(&self, words: &[&str]) -> Result<&'v str, Problem> {
        let word = self.text()?;
        if words.contains(&word) { Ok(word) } else { Err(self.refuse(none_of(word, words))) }
    }

    /// The items of a list, as many as `count` allows; `what` names them.
    pub fn items(
        &'p self,
        count: RangeInclusive<usize>,
        what: &str,
    ) -> Result<impl ExactSizeIterator<Item = Self>, Problem> {
        let items = self.value.as_array().ok_or_else(|| self.refuse("must be a list"))?;
        if items.len() > *count.end() {
            return Err(self.refuse(format!("{} {what}, at most {}", Grouped(items.len()), count.end())));
        }
        if items.len() < *count.start() {
            return Err(self.refuse(format!("no {what}, at least {}", count.start())));
        }
        let item = |(index, value)| Self { above: Some(self), step: Step::Index(index), value };
        Ok(items.iter().enumerate().map(item))
    }
}

impl fmt::Display for Field<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match (self.step, self.above) {
            (Step::Name(name), None) => f.write_str(name),
            (Step::Name(name), Some(_)) => write!(f, ".{name}"),
            (Step::Index(index), _) => write!(f, "[{index}]"),
        }
    }
}

/// Texts that must differ from each other.
#[derive(Default)]
pub(super) struct Unique<'v>(HashSet<&'v str>);

impl<'v> Unique<'v> {
    pub fn add(&mut self, field: &Field<'_, 'v>, text: &'v str) -> Result<(), Problem> {
        if self.0.insert(text) { Ok(()) } else { Err(field.refuse("the same as an earlier one, must be unique")) }
    }
}

/// A closed set's answer to a word that it does not have.
fn none_of(word: &str, words: &[&str]) -> String {
    let shown: String = word.chars().take(40).collect();
    format!("{shown:?} is none of {}", words.join(", "))
}

/// A count as people read it: 4,096.
pub(super) struct Grouped(pub usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.bytes().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{}", char::from(digit))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        let grouped = |n| Grouped(n).to_string();
        assert_eq!([grouped(0), grouped(999), grouped(4_096)], ["0", "999", "4,096"]);
        assert_eq!([grouped(262_144), grouped(1_000_000)], ["262,144", "1,000,000"]);
    }

    #[test]
    fn a_refusal_names_the_whole_way() {
        let value = json!({"rows": [{"title": "a"}, {"title": 1}]});
        let top = Field::top("message", &value);
        let rows = top.need("rows").expect("there");
        let row = rows.items(1..=2, "rows").expect("a list").nth(1).expect("two");
        let problem = row.need("title").expect("there").text().expect_err("a number");
        assert_eq!(problem, Problem::new("message.rows[1].title", "must be a string"));
    }

    #[test]
    fn limits_count_characters_not_bytes() {
        let value = json!("äöü");
        let field = Field::top("id", &value);
        assert!(field.filled(3).is_ok());
        assert_eq!(field.filled(2).expect_err("three").reason, "3 characters, at most 2");
    }
}
