//! Reads a file of jobs line by line, in bounded memory however long a line is.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// As much of a line as is kept: one byte more than a job may have, so that it is refused for its length.
const KEPT: usize = 256 * 1_024 + 1;

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Which one, from 1.
    pub number: u64,
    /// Its bytes without the line's end; at most [`KEPT`] of them.
    pub bytes: Vec<u8>,
}

/// Lines of a reader, without those that are blank.
pub struct Lines<Reader> {
    reader: Reader,
    number: u64,
    partial: Vec<u8>,
}

impl<Reader: AsyncBufRead + Unpin> Lines<Reader> {
    /// Begins with line 1.
    pub fn new(reader: Reader) -> Self {
        Self { reader, number: 0, partial: Vec::new() }
    }

    /// The next line that is not blank. Dropping the future loses nothing.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            let (end, consumed, is_over) = match chunk.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end, end + 1, true),
                None => (chunk.len(), chunk.len(), chunk.is_empty()),
            };
            let is_end_of_file = chunk.is_empty();
            let room = KEPT - self.partial.len();
            self.partial.extend_from_slice(&chunk[..end.min(room)]);
            self.reader.consume(consumed);
            if !is_over {
                continue;
            }
            if is_end_of_file && self.partial.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            let bytes = std::mem::take(&mut self.partial);
            let bytes = if self.number == 1 { without_mark(bytes) } else { bytes };
            if !bytes.trim_ascii().is_empty() {
                return Ok(Some(Line { number: self.number, bytes }));
            }
        }
    }
}

/// Without the byte order mark that some editors put in front of a file.
fn without_mark(bytes: Vec<u8>) -> Vec<u8> {
    bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &[u8]) -> Vec<(u64, Vec<u8>)> {
        // A small buffer, so that lines span several reads.
        let mut lines = Lines::new(tokio::io::BufReader::with_capacity(7, text));
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.expect("memory reads") {
            found.push((line.number, line.bytes));
        }
        found
    }

    #[tokio::test]
    async fn lines_keep_their_numbers_though_blank_ones_are_skipped() {
        let found = read(b"\xef\xbb\xbf{\"a\": \"long enough\"}\r\n\n  \n{}").await;
        assert_eq!(found, [(1, b"{\"a\": \"long enough\"}\r".to_vec()), (4, b"{}".to_vec())]);
        assert_eq!(read(b"").await, []);
        assert_eq!(read(b"\n\n").await, []);
    }

    #[tokio::test]
    async fn a_line_without_end_is_kept_in_part_only() {
        let mut text = vec![b'x'; KEPT * 2];
        text.extend_from_slice(b"\n{}\n");
        let found = read(&text).await;
        assert_eq!(found[0].1.len(), KEPT);
        assert_eq!(found[1], (2, b"{}".to_vec()));
    }
}
