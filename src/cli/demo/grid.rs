//! Aligned columns, and blocks of lines side by side. Pure.

use super::text::{Ink, Line};

/// Blanks between two columns.
const GAP: usize = 2;

/// Which side of its column a cell keeps to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// Rows under a faint header, each column as wide as its widest cell; what does not fit is cut at the right.
pub fn table(header: &[(&str, Side)], rows: &[Vec<Line>], width: usize) -> Vec<Line> {
    let sides: Vec<Side> = header.iter().map(|(_, side)| *side).collect();
    let titles = header.iter().map(|(title, _)| Line::of(Ink::Faint, *title)).collect();
    let mut all = vec![titles];
    all.extend(rows.iter().cloned());
    columns(&sides, &all, width)
}

/// The same without a header.
pub fn columns(sides: &[Side], rows: &[Vec<Line>], width: usize) -> Vec<Line> {
    let cell_width = |place: usize| rows.iter().filter_map(|row| row.get(place)).map(Line::width).max().unwrap_or(0);
    let widths: Vec<usize> = (0..sides.len()).map(cell_width).collect();
    rows.iter()
        .map(|row| {
            let mut line = Line::new();
            for (place, cell) in row.iter().enumerate() {
                let cell = match sides[place] {
                    // Blanks at the end would be cut like words.
                    Side::Left if place + 1 == row.len() => cell.clone(),
                    Side::Left => cell.clone().padded(widths[place]),
                    Side::Right => cell.clone().pushed(widths[place]),
                };
                let gap = if place == 0 { 0 } else { GAP };
                line = line.with(Ink::Plain, " ".repeat(gap)).then(cell);
            }
            line.clipped(width)
        })
        .collect()
}

/// Two blocks beside each other; the left one has `left_width` columns.
pub fn beside(left: Vec<Line>, right: Vec<Line>, left_width: usize) -> Vec<Line> {
    let rows = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    (0..rows)
        .map(|_| {
            let first = left.next().unwrap_or_default().clipped(left_width).padded(left_width);
            first.then(right.next().unwrap_or_default())
        })
        .collect()
}

/// The same lines, a little to the right.
pub fn indented(lines: Vec<Line>, columns: usize) -> Vec<Line> {
    lines.into_iter().map(|line| Line::plain(" ".repeat(columns)).then(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::text::Look;
    use super::*;

    const LOOK: Look = Look { width: 80, colours: false, unicode: true };

    fn shown(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.shown(LOOK)).collect()
    }

    #[test]
    fn cells_stand_under_each_other() {
        let rows = [vec![Line::plain("a"), Line::plain("1,000")], vec![Line::plain("long"), Line::plain("7")]];
        let lines = table(&[("NAME", Side::Left), ("N", Side::Right)], &rows, 80);
        assert_eq!(shown(&lines), ["NAME      N", "a     1,000", "long      7"]);
        assert!(table(&[("NAME", Side::Left), ("N", Side::Right)], &rows, 8).iter().all(|line| line.width() <= 8));
    }

    #[test]
    fn blocks_stand_beside_each_other_whichever_is_longer() {
        let (short, long) = (vec![Line::plain("a")], vec![Line::plain("x"), Line::plain("y")]);
        assert_eq!(shown(&beside(short.clone(), long.clone(), 4)), ["a   x", "    y"]);
        assert_eq!(shown(&beside(long, short, 4)), ["x   a", "y"]);
    }
}
