//! Figures as people read them: shares, rates, short lengths of time, percentiles, bars.

use std::time::Duration;

/// The signs of a bar of one column, from an eighth to the whole.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// How a set of lengths of time is spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// Half are shorter.
    pub median: Duration,
    /// One in a hundred is longer.
    pub p99: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Spread {
    /// Of these; none of none.
    pub fn of(mut lengths: Vec<Duration>) -> Option<Self> {
        lengths.sort_unstable();
        let longest = *lengths.last()?;
        Some(Self { count: lengths.len(), median: nearest(&lengths, 50), p99: nearest(&lengths, 99), longest })
    }
}

/// The nearest rank of sorted lengths: the least that so many percent do not exceed.
fn nearest(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

/// A short length of time in three digits: `8.4 ms`, `18 ms`, `1.24 s`, `14.2 s`, `2 min 5 s`.
pub fn brief(length: Duration) -> String {
    let ms = length.as_secs_f64() * 1_000.0;
    match ms {
        ..9.95 => format!("{ms:.1} ms"),
        ..999.5 => format!("{ms:.0} ms"),
        ..9_995.0 => format!("{:.2} s", ms / 1_000.0),
        ..59_950.0 => format!("{:.1} s", ms / 1_000.0),
        _ => {
            let seconds = (ms / 1_000.0).round() as u64;
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

/// A share in whole percent, but never 0 % of something nor 100 % of not all.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let share = part as f64 * 100.0 / whole as f64;
    match share.round() as u64 {
        0 if part > 0 => "<1 %".to_owned(),
        100 if part < whole => ">99 %".to_owned(),
        rounded => format!("{rounded} %"),
    }
}

/// A bar of so many columns, filled to a share from 0 to 1; the second part is what is left blank.
pub fn bar(share: f64, columns: usize) -> (String, String) {
    let eighths = (share.clamp(0.0, 1.0) * columns as f64 * 8.0).round() as usize;
    let mut filled = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        filled.push(EIGHTHS[eighths % 8 - 1]);
    }
    let blank = columns - filled.chars().count();
    (filled, " ".repeat(blank))
}

/// A column for each of the last values, its height a share of `most`; nothing for zero.
pub fn history(values: &[f64], most: f64, columns: usize) -> String {
    let shown = &values[values.len().saturating_sub(columns)..];
    shown.iter().map(|value| height(*value, most)).collect()
}

/// The same over all of time, in at most so many columns, each the mean of its part.
pub fn whole_history(values: &[f64], most: f64, columns: usize) -> String {
    if values.len() <= columns {
        return history(values, most, columns);
    }
    let parts = (0..columns).map(|part| {
        let (from, to) = (part * values.len() / columns, (part + 1) * values.len() / columns);
        let slice = &values[from..to.max(from + 1)];
        height(slice.iter().sum::<f64>() / slice.len() as f64, most)
    });
    parts.collect()
}

fn height(value: f64, most: f64) -> char {
    if value <= 0.0 || most <= 0.0 {
        return ' ';
    }
    let eighth = (value / most * 8.0).ceil().clamp(1.0, 8.0) as usize;
    HEIGHTS[eighth - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn percentiles_are_values_that_were_there() {
        let spread = Spread::of((1..=200).rev().map(ms).collect()).unwrap();
        assert_eq!((spread.count, spread.median, spread.p99, spread.longest), (200, ms(100), ms(198), ms(200)));
        let one = Spread::of(vec![ms(7)]).unwrap();
        assert_eq!((one.median, one.p99, one.longest), (ms(7), ms(7), ms(7)));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn short_lengths_have_about_three_digits() {
        for (us, text) in [
            (0, "0.0 ms"),
            (8_440, "8.4 ms"),
            (9_960, "10 ms"),
            (18_200, "18 ms"),
            (999_600, "1.00 s"),
            (1_240_000, "1.24 s"),
            (14_200_000, "14.2 s"),
            (59_960_000, "1 min 0 s"),
            (125_000_000, "2 min 5 s"),
        ] {
            assert_eq!(brief(Duration::from_micros(us)), text);
        }
    }

    #[test]
    fn a_share_is_never_rounded_to_nothing_or_to_all() {
        for (part, whole, text) in [
            (0, 5_000, "0 %"),
            (1, 5_000, "<1 %"),
            (4_999, 5_000, ">99 %"),
            (7, 7, "100 %"),
            (1, 3, "33 %"),
            (0, 0, "–"),
        ] {
            assert_eq!(percent(part, whole), text);
        }
    }

    #[test]
    fn a_bar_has_always_its_columns() {
        for step in 0..=100 {
            let (filled, blank) = bar(f64::from(step) / 100.0, 13);
            assert_eq!(filled.chars().count() + blank.chars().count(), 13, "{step}");
        }
        assert_eq!(bar(0.5, 4), ("██".to_owned(), "  ".to_owned()));
        assert_eq!(bar(7.0, 2).0, "██");
    }

    #[test]
    fn a_history_shows_the_last_or_the_whole() {
        assert_eq!(history(&[80.0, 0.0, 40.0, 1.0], 80.0, 3), " ▄▁");
        assert_eq!(whole_history(&[80.0, 80.0, 40.0, 40.0], 80.0, 2), "█▄");
        assert_eq!(whole_history(&[80.0], 80.0, 5), "█");
        assert_eq!(whole_history(&[1.0; 1_000], 1.0, 30).chars().count(), 30);
    }
}
