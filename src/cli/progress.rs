//! How far a long command is: a bar on a terminal, a plain line now and then elsewhere.

use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tokio::time::Instant;

use super::wording::{Count, say};

/// How far it is. On stderr, like all words.
pub struct Progress {
    what: &'static str,
    face: Face,
}

enum Face {
    Bar(ProgressBar),
    Lines { next: Instant, done: u64 },
}

/// How often a line is said where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

impl Progress {
    /// Begins; `total` is none where nobody knows it.
    pub fn new(what: &'static str, total: Option<u64>) -> Self {
        let face = if stderr().is_terminal() {
            let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
            let form = if total.is_some() {
                "{msg} {wide_bar} {human_pos}/{human_len} {rate:>8} {eta:>4}"
            } else {
                "{msg} {spinner} {human_pos} {rate}"
            };
            let style = ProgressStyle::with_template(form).expect("the form is well-formed").progress_chars("━╸ ");
            bar.set_style(style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
                // A formatter's failure is the formatter's own to tell.
                let _ = write!(out, "{:.0}/s", state.per_sec());
            }));
            bar.set_message(what);
            Face::Bar(bar)
        } else {
            Face::Lines { next: Instant::now() + EVERY, done: 0 }
        };
        Self { what, face }
    }

    /// Now it is so far.
    pub fn reach(&mut self, done: u64) {
        match &mut self.face {
            Face::Bar(bar) => bar.set_position(done),
            Face::Lines { next, done: said } => {
                if Instant::now() >= *next && *said != done {
                    say(format_args!("{}: {}", self.what, Count(done)));
                    *next = Instant::now() + EVERY;
                    *said = done;
                }
            }
        }
    }

    /// Says a line without tearing the bar.
    pub fn say(&self, line: &str) {
        match &self.face {
            Face::Bar(bar) => bar.suspend(|| say(line)),
            Face::Lines { .. } => say(line),
        }
    }

    /// Takes the bar away: the summary says the rest.
    pub fn end(self) {
        match self.face {
            Face::Bar(bar) => bar.finish_and_clear(),
            Face::Lines { .. } => {}
        }
    }
}
