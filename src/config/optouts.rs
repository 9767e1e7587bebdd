//! What takes a person off the list, and puts them back on it.

use std::collections::BTreeSet;

use super::reader::{Reader, Told};

/// Group `optouts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptoutsConfig {
    /// What a stop word ends.
    pub categories: Vec<OptoutCategory>,
    /// A message that is one of these words, and nothing else, is an opt-out.
    pub stop_words: Vec<String>,
    /// A message that is one of these words, and nothing else, takes it back.
    pub start_words: Vec<String>,
}

/// What a person may opt out of. One-time passwords are not among it: who asks for one gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptoutCategory {
    /// Offers and news.
    Marketing,
    /// About something the person did.
    Utility,
    /// Free-form answers.
    Service,
}

impl OptoutsConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let categories = categories(reader);
        let stop_words = words(reader, "optouts.stop_words");
        let start_words = words(reader, "optouts.start_words");
        let read = Self { categories: categories?, stop_words: stop_words?, start_words: start_words? };
        let stops: BTreeSet<_> = read.stop_words.iter().map(|word| word.to_lowercase()).collect();
        if let Some(both) = read.start_words.iter().find(|word| stops.contains(&word.to_lowercase())) {
            reader.tell("optouts.start_words", format!("\"{both}\" is one of optouts.stop_words"));
            return Err(Told);
        }
        Ok(read)
    }
}

fn categories(reader: &mut Reader) -> Result<Vec<OptoutCategory>, Told> {
    let key = "optouts.categories";
    let mut categories = BTreeSet::new();
    for text in reader.texts(key)? {
        let category = match text.trim() {
            "marketing" => OptoutCategory::Marketing,
            "utility" => OptoutCategory::Utility,
            "service" => OptoutCategory::Service,
            "authentication" => {
                reader.tell(key, "nobody opts out of authentication: who asks for a password gets it");
                return Err(Told);
            }
            _ => {
                reader.tell(key, "allowed: marketing, utility, service");
                return Err(Told);
            }
        };
        categories.insert(category);
    }
    Ok(categories.into_iter().collect())
}

fn words(reader: &mut Reader, key: &str) -> Result<Vec<String>, Told> {
    let words = reader.texts(key)?;
    let fits = |word: &String| !word.trim().is_empty() && word.chars().count() <= 40;
    if words.iter().all(fits) {
        return Ok(words);
    }
    reader.tell(key, "a word has 1 to 40 letters");
    Err(Told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    #[test]
    fn marketing_ends_by_common_words_unless_told_otherwise() {
        let optouts = Config::load(Sources::default()).expect("defaults").optouts;
        assert_eq!(optouts.categories, [OptoutCategory::Marketing]);
        for word in ["stop", "unsubscribe", "arrêter", "baja", "sair", "стоп"] {
            assert!(optouts.stop_words.iter().any(|known| known == word), "{word}");
        }
        assert!(optouts.start_words.iter().any(|known| known == "start"));
    }

    #[test]
    fn a_variable_gives_words_of_ones_own() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let env = [variable("TIDEGATE_OPTOUTS__STOP_WORDS", "halt,bye"), variable("TIDEGATE_OPTOUTS__CATEGORIES", "")];
        let sources = Sources { env: env.into_iter().collect(), ..Sources::default() };
        let optouts = Config::load(sources).expect("fine").optouts;
        assert_eq!(optouts.stop_words, ["halt", "bye"]);
        assert!(optouts.categories.is_empty());
    }
}
