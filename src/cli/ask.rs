//! Asks before what can't be undone.

use std::io::{self, BufRead, IsTerminal, Write};

use super::exit::BadUsage;

/// Whether a person, or `--yes` for them, agrees. Where nobody can be asked, that is an error and not a no.
pub fn agreed(question: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(BadUsage(format!("{question} Nobody can be asked here: say --yes")).into());
    }
    let mut err = io::stderr().lock();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
