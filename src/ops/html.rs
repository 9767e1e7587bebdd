//! How facts become text for a page: escaped, and in words that are read at a glance.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;

/// Text from anywhere, safe in an element and in a quoted attribute.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        write!(Escaper(f), "{}", self.0)
    }
}

struct Escaper<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                other => self.0.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A time span in its two largest units: `3 d 4 h`, `12 s`.
pub(super) fn span(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}

/// When something happens, seen from `now`.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
    if at > now { format!("in {}", span(at.since(now))) } else { format!("{} ago", span(now.since(at))) }
}

/// With thousands set apart.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `not_on_whatsapp` as people write it.
pub(super) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_place() {
        let shown = Escaped("<img src=x onerror='a(\"b\")'>&").to_string();
        assert_eq!(shown, "&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;");
        assert_eq!(Escaped(format_args!("{}/{}", "<", 1)).to_string(), "&lt;/1");
    }

    #[test]
    fn spans_and_counts_read_at_a_glance() {
        let spans = [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7_260, "2 h 1 min"), (270_000, "3 d 3 h")];
        for (seconds, shown) in spans {
            assert_eq!(span(Duration::from_secs(seconds)), shown);
        }
        for (n, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(n), shown);
        }
        let now = Timestamp::from_millis(100_000);
        assert_eq!(relative(Timestamp::from_millis(130_000), now), "in 30 s");
        assert_eq!(relative(Timestamp::from_millis(40_000), now), "1 min 0 s ago");
    }
}
