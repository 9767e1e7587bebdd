//! Where the demo is watched: a block of lines that is drawn over itself on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use rustix::termios::tcgetwinsize;
use tokio::time::Instant;

use super::glimpse::{Glimpse, drawn, told};
use super::text::{Line, Look};
use crate::cli::wording::say;

/// How often a line is said where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);
/// Columns where nobody says how many there are: a file, a pipe.
const PAGE: usize = 80;
/// Rows of a terminal that does not say how many it has.
const ROWS: usize = 24;

/// What a reader's end can show: standard output for the summary, standard error for what happens meanwhile.
pub fn look(end: &(impl IsTerminal + rustix::fd::AsFd)) -> Look {
    let is_terminal = end.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Look { width: size(end).0, colours: is_terminal && !no_colour, unicode: speaks_unicode() }
}

/// The first of the three that is set rules, as in every program that asks the C library.
fn speaks_unicode() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    set.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        // Without a locale's word, most terminals of today take it; `C` and its like mean it.
        locale.contains("utf-8")
            || locale.contains("utf8")
            || !(locale == "c" || locale == "posix" || locale.contains('.'))
    })
}

fn size(end: &impl rustix::fd::AsFd) -> (usize, usize) {
    let size = tcgetwinsize(end).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or((PAGE, ROWS), |size| (size.ws_col.into(), size.ws_row.into()))
}

/// What happens meanwhile, on the standard error.
pub enum Screen {
    /// On a terminal.
    Block(Block),
    /// Elsewhere.
    Lines {
        /// When the next one is said.
        next: Instant,
    },
}

impl Screen {
    /// Begins. The block needs the whole terminal: with the summary going elsewhere there is none.
    pub fn new() -> Self {
        let look = look(&io::stderr());
        let is_watched = io::stderr().is_terminal() && io::stdout().is_terminal();
        let is_able = std::env::var_os("TERM").is_some_and(|term| term != "dumb") && look.width >= 40;
        if is_watched && is_able { Self::Block(Block::begin(look)) } else { Self::Lines { next: Instant::now() } }
    }

    /// Shows where it is.
    pub fn show(&mut self, glimpse: &Glimpse) {
        match self {
            Self::Block(block) => block.draw(glimpse),
            Self::Lines { next } => {
                if Instant::now() >= *next {
                    *next = Instant::now() + EVERY;
                    say(told(glimpse));
                }
            }
        }
    }
}

/// Lines at the bottom of a terminal. Dropping it takes them away and gives the cursor back.
pub struct Block {
    look: Look,
    /// Columns of each line that stands there.
    drawn: Vec<usize>,
}

impl Block {
    fn begin(look: Look) -> Self {
        put("\x1b[?25l");
        Self { look, drawn: Vec::new() }
    }

    fn draw(&mut self, glimpse: &Glimpse) {
        let (width, rows) = size(&io::stderr());
        self.look.width = width;
        let mut lines = vec![Line::new()];
        lines.extend(drawn(glimpse, width.saturating_sub(1)));
        lines.truncate(rows.saturating_sub(1));
        // Begun and ended as one update, where the terminal knows how: nothing flickers.
        let mut frame = format!("\x1b[?2026h{}", self.back());
        for line in &lines {
            frame.push_str(&line.shown(self.look));
            frame.push_str("\x1b[K\n");
        }
        frame.push_str("\x1b[J\x1b[?2026l");
        put(&frame);
        self.drawn = lines.iter().map(Line::width).collect();
    }

    /// To the block's first row. A terminal that became narrower has broken its lines.
    fn back(&self) -> String {
        let width = self.look.width.max(1);
        let rows: usize = self.drawn.iter().map(|columns| columns.div_ceil(width).max(1)).sum();
        if rows == 0 { String::new() } else { format!("\r\x1b[{rows}A") }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        put(&format!("{}\x1b[J\x1b[?25h", self.back()));
    }
}

/// That nobody watches any more is no reason to fail.
fn put(text: &str) {
    let mut end = io::stderr().lock();
    let _ = end.write_all(text.as_bytes());
    let _ = end.flush();
}

/// Prints the summary.
pub fn print(lines: &[Line], look: Look) -> io::Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.shown(look));
        text.push('\n');
    }
    let mut end = io::stdout().lock();
    end.write_all(text.as_bytes())?;
    end.flush()
}
