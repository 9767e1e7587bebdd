//! The job format as JSON Schema, for producers who check before they publish.

/// JSON Schema (2020-12) of a job, as `tidegate schema` prints it.
pub const fn schema() -> &'static str {
    include_str!("schema.json")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::job::parse::FIELDS;
    use crate::job::{Category, OnUnknown, Priority};

    fn parsed() -> Value {
        serde_json::from_str(schema()).expect("JSON")
    }

    #[test]
    fn the_schema_is_valid_and_lists_every_field() {
        let schema = parsed();
        assert!(jsonschema::meta::is_valid(&schema));
        let mut listed: Vec<_> = schema["properties"].as_object().expect("an object").keys().cloned().collect();
        let mut known: Vec<_> = FIELDS.iter().map(|name| (*name).to_owned()).collect();
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn the_schema_lists_every_word() {
        let schema = parsed();
        let listed = |field: &str| -> Vec<String> {
            let words = schema["properties"][field]["enum"].as_array().expect("a list");
            words.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(listed("priority"), words(&Priority::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>()));
        assert_eq!(listed("category"), words(&Category::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>()));
        assert_eq!(listed("on_unknown"), words(&OnUnknown::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>()));
    }
}
