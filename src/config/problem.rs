//! What is wrong with a configuration: every problem at once, each on a line of its own.

use std::fmt;

/// One thing to repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `numbers[1].rate`; empty where a whole source can't be read.
    pub key: String,
    /// What was given, unless that is or might be a secret.
    pub value: Option<String>,
    /// Where it was given: a file and line, an environment variable, a flag.
    pub origin: Option<String>,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// A configuration that can't be used. Prints one line a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// In order of their keys; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            if let Some(value) = &self.value {
                write!(f, ": {value}")?;
            }
            if let Some(origin) = &self.origin {
                write!(f, " ({origin})")?;
            }
            f.write_str(": ")?;
        } else if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_with_key_value_origin_and_what_is_allowed() {
        let problem = Problem {
            key: "numbers[1].rate".into(),
            value: Some("\"80\"".into()),
            origin: Some("config/my.toml:7".into()),
            message: "a pace looks like \"80/s\"".into(),
        };
        assert_eq!(problem.to_string(), "numbers[1].rate: \"80\" (config/my.toml:7): a pace looks like \"80/s\"");
        let unreadable = Problem { key: String::new(), value: None, ..problem };
        assert_eq!(unreadable.to_string(), "config/my.toml:7: a pace looks like \"80/s\"");
    }
}
