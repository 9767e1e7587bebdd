//! A single key and its value, from a variable or a flag.

use std::fmt;

use ::config::{ConfigError, Map, Source, Value, ValueKind};

use super::super::problem::Problem;
use super::origin::Origin;

/// The highest index that may be written, as in `numbers[3].id`: a list is filled up to it.
const LAST_INDEX: usize = 999;

/// One key with its value and where it came from.
#[derive(Clone)]
pub struct Pair {
    /// As `numbers[0].token_file`.
    pub key: String,
    /// A text, or the whole list of numbers.
    pub value: ValueKind,
    /// The variable or flag.
    pub origin: Origin,
}

impl Pair {
    /// Whether the key can be a path at all; if not, it is told as a problem.
    pub fn is_settable(&self, problems: &mut Vec<Problem>) -> bool {
        let settable = self.key.split('.').all(segment_is_settable);
        if !settable {
            problems.push(Problem {
                key: self.key.clone(),
                value: None,
                origin: Some(self.origin.text.clone()),
                message: format!("a key looks like \"queue.url\" or \"numbers[0].id\", its index at most {LAST_INDEX}"),
            });
        }
        settable
    }
}

fn segment_is_settable(segment: &str) -> bool {
    let (name, index) = match segment.split_once('[') {
        Some((name, index)) => (name, index.strip_suffix(']')),
        None => (segment, Some("0")),
    };
    let name_fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    name_fits && index.and_then(|digits| digits.parse::<usize>().ok()).is_some_and(|index| index <= LAST_INDEX)
}

/// Without the value, which may be a secret.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("key", &self.key).field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Source for Pair {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let value = Value::new(Some(&self.origin.encode()), self.value.clone());
        Ok(Map::from_iter([(self.key.clone(), value)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_with_a_small_index_can_be_set() {
        for key in ["a", "a.b_c", "numbers[0].id", "numbers[999].id"] {
            assert!(key.split('.').all(segment_is_settable), "{key}");
        }
        for key in ["", "a.", ".a", "a-b", "a[", "a[-1]", "a[1000].id", "a[x]", "a]", "a[1][2]"] {
            assert!(!key.split('.').all(segment_is_settable), "{key}");
        }
    }
}
