//! A secret: a token, a password, a key. It can be used, but not printed by accident.

use std::fmt;
use std::sync::Arc;

/// Text that must not reach a log, a metric or a terminal: no `Display`, and `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the text as it is; callers trim what they read from files.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let secret = Secret::new("EAAcanary");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.expose(), "EAAcanary");
    }
}
