//! Lines of text with inks, whose width is known: what a terminal shows in colour, and a pipe gets plain.
//!
//! Every sign used here is one column wide, so a width is a count of characters.

/// What a piece of text wants to say by its colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ink {
    /// Ordinary text.
    Plain,
    /// Headings, and the one figure that counts.
    Strong,
    /// What only explains.
    Faint,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// As it should not be.
    Bad,
    /// What moves.
    Accent,
}

/// A piece of a line, in one ink.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Span {
    ink: Ink,
    text: String,
}

/// One line, without its end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Line(Vec<Span>);

/// What the reader's end can show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Columns of a line.
    pub width: usize,
    /// Whether inks become escape codes.
    pub colours: bool,
    /// Whether signs beyond ASCII come out right.
    pub unicode: bool,
}

impl Ink {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
            Self::Accent => "36",
        }
    }
}

impl Line {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Ordinary text.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::new().with(Ink::Plain, text)
    }

    /// Text in one ink.
    pub fn of(ink: Ink, text: impl Into<String>) -> Self {
        Self::new().with(ink, text)
    }

    /// The same line with more behind it.
    #[must_use]
    pub fn with(mut self, ink: Ink, text: impl Into<String>) -> Self {
        self.0.push(Span { ink, text: text.into() });
        self
    }

    /// The same line with another behind it.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Columns that it takes.
    pub fn width(&self) -> usize {
        self.0.iter().map(|span| span.text.chars().count()).sum()
    }

    /// The same line with blanks behind it, up to a width.
    #[must_use]
    pub fn padded(self, width: usize) -> Self {
        let missing = width.saturating_sub(self.width());
        if missing == 0 { self } else { self.with(Ink::Plain, " ".repeat(missing)) }
    }

    /// The same line with blanks before it, up to a width.
    #[must_use]
    pub fn pushed(self, width: usize) -> Self {
        let missing = width.saturating_sub(self.width());
        if missing == 0 { self } else { Self::plain(" ".repeat(missing)).then(self) }
    }

    /// As much of it as fits; what is cut ends in an ellipsis.
    #[must_use]
    pub fn clipped(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut room = width.saturating_sub(1);
        let mut kept = Self::new();
        for span in self.0 {
            let text: String = span.text.chars().take(room).collect();
            room -= text.chars().count();
            kept = kept.with(span.ink, text);
        }
        if width == 0 { kept } else { kept.with(Ink::Faint, "…") }
    }

    /// As bytes for the reader's end, without blanks at its end.
    pub fn shown(&self, look: Look) -> String {
        let mut shown = String::new();
        let last = self.0.iter().rposition(|span| !span.text.trim_end().is_empty());
        for (place, span) in self.0.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
            let text = if Some(place) == last { span.text.trim_end() } else { &span.text };
            let code = span.ink.code();
            let is_inked = look.colours && !code.is_empty() && !text.trim().is_empty();
            if is_inked {
                shown.push_str("\x1b[");
                shown.push_str(code);
                shown.push('m');
            }
            if look.unicode {
                shown.push_str(text)
            } else {
                shown.extend(text.chars().map(ascii))
            }
            if is_inked {
                shown.push_str("\x1b[0m");
            }
        }
        shown
    }
}

/// Words in lines of at most so many columns.
pub fn wrapped(ink: Ink, text: &str, width: usize) -> Vec<Line> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(|line| Line::of(ink, line).clipped(width)).collect()
}

/// A sign of one column in place of one of ours, for a reader's end that knows ASCII alone.
const fn ascii(sign: char) -> char {
    match sign {
        '\0'..='\x7f' => sign,
        '█' | '▉' | '▊' | '▋' | '━' => '#',
        '▌' | '▍' | '▎' | '▏' | '╸' | '─' | '–' => '-',
        '▁' => '_',
        '▂' | '▃' => '.',
        '▄' | '▅' => ':',
        '▆' | '▇' => '|',
        '·' => '-',
        '→' => '>',
        '✓' => '+',
        '✗' => 'x',
        '…' => '~',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { width: 80, colours: false, unicode: true };

    #[test]
    fn a_line_is_padded_and_cut_to_a_width() {
        let line = Line::plain("one-time ").with(Ink::Good, "passwords");
        assert_eq!(line.width(), 18);
        assert_eq!(line.clone().padded(20).width(), 20);
        assert_eq!(line.clone().pushed(20).shown(PLAIN), "  one-time passwords");
        assert_eq!(line.clone().clipped(12).shown(PLAIN), "one-time pa…");
        for width in 0..20 {
            assert!(line.clone().clipped(width).width() <= width, "{width}");
        }
    }

    #[test]
    fn only_inks_make_escape_codes_and_only_where_they_are_wanted() {
        let line = Line::of(Ink::Good, "fine").with(Ink::Plain, " and plain  ");
        assert_eq!(line.shown(PLAIN), "fine and plain");
        assert_eq!(line.shown(Look { colours: true, ..PLAIN }), "\x1b[32mfine\x1b[0m and plain");
    }

    #[test]
    fn without_unicode_every_sign_keeps_its_column() {
        let line = Line::plain("▁▂▃▄▅▆▇█ · ✓ → ━╸ 1…2 –");
        let shown = line.shown(Look { unicode: false, ..PLAIN });
        assert!(shown.is_ascii() && !shown.contains('?'), "{shown}");
        assert_eq!(shown.chars().count(), line.width());
    }

    #[test]
    fn words_wrap_at_the_width() {
        let lines = wrapped(Ink::Plain, "an OTP behind a thousand waiting messages", 12);
        let shown: Vec<_> = lines.iter().map(|line| line.shown(PLAIN)).collect();
        assert_eq!(shown, ["an OTP", "behind a", "thousand", "waiting", "messages"]);
        assert_eq!(wrapped(Ink::Plain, "unbreakable", 5)[0].width(), 5);
    }
}
