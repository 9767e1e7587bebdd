//! Which words take a person off the list, and put them back.

use std::collections::HashSet;

use super::draft::Draft;
use crate::clock::Timestamp;
use crate::hold::{Cover, HoldOrder, Scope};
use crate::job::{Category, Recipient};

/// Longer messages are no words, and not looked at.
const LONGEST: usize = 200;

/// What people may say to us.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// What a stop word ends.
    pub categories: Vec<Category>,
    /// What ends it.
    pub stop: Words,
    /// What takes that back.
    pub start: Words,
}

/// Words, however they are written.
#[derive(Clone, Debug, Default)]
pub struct Words(HashSet<String>);

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stop,
    Start,
}

/// A wish, as it was said.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) wish: Wish,
    pub(super) at: Timestamp,
    /// How: this is what the hold says of who placed it.
    pub(super) who: &'a str,
}

impl Words {
    /// These words.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self(words.into_iter().filter_map(fold).collect())
    }

    fn has(&self, text: &str) -> bool {
        fold(text).is_some_and(|folded| self.0.contains(&folded))
    }
}

impl Rules {
    /// What these words ask for, if one of them is such a word and nothing else.
    pub(super) fn wish(&self, said: &[String]) -> Option<Wish> {
        let says = |words: &Words| said.iter().any(|text| words.has(text));
        says(&self.stop).then_some(Wish::Stop).or_else(|| says(&self.start).then_some(Wish::Start))
    }
}

/// Small letters, single spaces, and no marks at the ends.
fn fold(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let inside = text.trim_matches(|c: char| c.is_whitespace() || is_mark(c));
    let folded = inside.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase().replace('\u{2019}', "'");
    (!folded.is_empty()).then_some(folded)
}

fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() || matches!(c, '¡' | '¿' | '«' | '»' | '“' | '”' | '„' | '…' | '。' | '！' | '؟' | '।')
}

/// Does as a person wishes, for every name that they have and each of these categories.
pub(super) fn opt(said: Said<'_>, from: &[Recipient], categories: &[Category], draft: &mut Draft) {
    let Said { wish, at, who } = said;
    for recipient in from {
        for category in categories {
            let cover = Cover::of(Scope::Recipient, recipient.expose()).category(*category);
            match wish {
                Wish::Stop => draft.stop(HoldOrder::opt_out(cover, who), at),
                Wish::Start => draft.start(cover, at),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let stop = Words::new(["Stop", "désabonner", "إلغاء الاشتراك", "stop all"]);
        Rules { categories: vec![Category::Marketing], stop, start: Words::new(["START", "s'abonner"]) }
    }

    #[test]
    fn a_word_is_one_however_it_is_written() {
        for (text, wish) in [
            ("STOP", Some(Wish::Stop)),
            (" stop. ", Some(Wish::Stop)),
            ("«Stop!»", Some(Wish::Stop)),
            ("Stop\n  ALL", Some(Wish::Stop)),
            ("DÉSABONNER", Some(Wish::Stop)),
            ("إلغاء  الاشتراك", Some(Wish::Stop)),
            ("Start", Some(Wish::Start)),
            ("S’abonner", Some(Wish::Start)),
            ("please stop", None),
            ("stopped", None),
            ("non-stop", None),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(rules().wish(&[text.to_owned()]), wish, "{text}");
        }
        assert_eq!(rules().wish(&["x".repeat(100_000)]), None);
        let both = ["start".to_owned(), "stop".to_owned()];
        assert_eq!(rules().wish(&both), Some(Wish::Stop), "in doubt a person is left alone");
    }
}
