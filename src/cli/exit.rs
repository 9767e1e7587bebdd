//! How a command ends: its exit code, and the words for a failure.

use std::process::ExitCode;

use super::wording::say;
use crate::config::ConfigError;

/// How a command ended. The numbers are part of the public contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Everything was done.
    Done,
    /// Nothing was done, or not what was asked.
    Failed,
    /// The command was not written as it must be.
    BadUsage,
    /// Some of it was done, or a drain ran out of time.
    Partly,
    /// The configuration can't be used.
    BadConfig,
}

/// A command that was understood by the parser and still makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadUsage(pub String);

impl Exit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::BadUsage => 2,
            Self::Partly => 3,
            Self::BadConfig => 78,
        }
    }

    /// Says what failed, on stderr, and finds the code for it.
    pub fn of_error(error: &anyhow::Error) -> Self {
        if is_closed_pipe(error) {
            return Self::Done;
        }
        if let Some(config) = error.downcast_ref::<ConfigError>() {
            let plural = if config.problems.len() == 1 { "problem" } else { "problems" };
            say(format_args!("{} {plural} in the configuration:", config.problems.len()));
            for problem in &config.problems {
                say(format_args!("  {problem}"));
            }
            return Self::BadConfig;
        }
        say(format_args!("error: {error:#}"));
        if error.is::<BadUsage>() { Self::BadUsage } else { Self::Failed }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The reader of our output has seen enough, as `head` has: not a failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let causes = || error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes().any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problem;

    #[test]
    fn each_kind_of_failure_has_its_code() {
        let config = ConfigError {
            problems: vec![Problem { key: "a".into(), value: None, origin: None, message: "no".into() }],
        };
        assert_eq!(Exit::of_error(&config.into()).code(), 78);
        assert_eq!(Exit::of_error(&BadUsage("no".into()).into()).code(), 2);
        assert_eq!(Exit::of_error(&anyhow::anyhow!("no")).code(), 1);
        let pipe = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(Exit::of_error(&anyhow::Error::new(pipe).context("while printing")).code(), 0);
    }
}
