//! The oracle's memory: every request in about a hundred bytes, oldest first, bounded.

use super::message::MessageKind;
use super::template_spec::Category;
use std::collections::VecDeque;

/// Rows in one chunk; the oldest chunk is dropped as a whole.
const CHUNK_ROWS: usize = 16_384;
/// Longer recipients and callback data are cut for the log; valid ones are shorter.
const TEXT_BYTES: usize = 2_048;

/// A number that was never seen: the request named one that is not there.
pub(crate) const NO_NUMBER: u32 = u32::MAX;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Accepted, and told so.
    Accepted,
    /// Accepted, but what the sender saw was this fault.
    AcceptedThen(super::fault::FaultAction),
    /// Refused with a code of Meta's.
    Refused { code: u32, http: u16 },
    /// Not accepted, and not told so in Meta's words.
    Dropped(super::fault::FaultAction),
}

impl Fate {
    pub(crate) fn is_accepted(self) -> bool {
        match self {
            Self::Accepted | Self::AcceptedThen(_) => true,
            Self::Refused { .. } | Self::Dropped(_) => false,
        }
    }
}

/// A request to note.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Note<'a> {
    pub(crate) at_ns: u64,
    pub(crate) number: u32,
    pub(crate) recipient: &'a str,
    pub(crate) callback: Option<&'a str>,
    pub(crate) kind: Option<MessageKind>,
    pub(crate) category: Option<Category>,
    pub(crate) fate: Fate,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    at_ns: u64,
    number: u32,
    text_start: u32,
    recipient_bytes: u16,
    /// `u16::MAX` if there was no callback data.
    callback_bytes: u16,
    kind: Option<MessageKind>,
    category: Option<Category>,
    fate: Fate,
}

#[derive(Debug, Default)]
struct Chunk {
    rows: Vec<Row>,
    text: String,
}

/// All rows that are kept. The first ever has sequence number 1.
#[derive(Debug)]
pub(crate) struct OracleLog {
    chunks: VecDeque<Chunk>,
    most_chunks: usize,
    chunk_rows: usize,
    /// Rows dropped from the front.
    dropped: u64,
    rows: u64,
}

impl OracleLog {
    /// An empty log of at most `most_rows` rows (rounded up to whole chunks).
    pub(crate) fn new(most_rows: usize) -> Self {
        let chunk_rows = CHUNK_ROWS.min(most_rows.max(1));
        Self {
            chunks: VecDeque::new(),
            most_chunks: most_rows.max(1).div_ceil(chunk_rows),
            chunk_rows,
            dropped: 0,
            rows: 0,
        }
    }

    /// The sequence number that the next row gets.
    pub(crate) fn next_seq(&self) -> u64 {
        self.rows + 1
    }

    /// Rows that had to go to make room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Appends a row.
    pub(crate) fn push(&mut self, note: &Note<'_>) {
        if self.chunks.back().is_none_or(|chunk| chunk.rows.len() == self.chunk_rows) {
            if self.chunks.len() == self.most_chunks
                && let Some(oldest) = self.chunks.pop_front()
            {
                self.dropped += oldest.rows.len() as u64;
            }
            self.chunks.push_back(Chunk::default());
        }
        let chunk = self.chunks.back_mut().expect("a chunk with room was just made sure of");
        let text_start = u32::try_from(chunk.text.len()).expect("a chunk's text stays far below 4 GiB");
        let recipient = cut(note.recipient);
        chunk.text.push_str(recipient);
        let callback = note.callback.map(cut);
        chunk.text.push_str(callback.unwrap_or_default());
        chunk.rows.push(Row {
            at_ns: note.at_ns,
            number: note.number,
            text_start,
            recipient_bytes: recipient.len() as u16,
            callback_bytes: callback.map_or(u16::MAX, |data| data.len() as u16),
            kind: note.kind,
            category: note.category,
            fate: note.fate,
        });
        self.rows += 1;
    }

    /// The rows after sequence number `after`, oldest first.
    pub(crate) fn after(&self, after: u64) -> impl Iterator<Item = (u64, Note<'_>)> {
        let first = after.max(self.dropped);
        let mut skip = (first - self.dropped) as usize;
        let chunks = self.chunks.iter().skip_while(move |chunk| {
            let whole = skip >= chunk.rows.len();
            if whole {
                skip -= chunk.rows.len();
            }
            whole
        });
        // All chunks but the last are full, so what is left to skip in the first one is the remainder.
        let rest = ((first - self.dropped) as usize) % self.chunk_rows;
        chunks
            .flat_map(|chunk| chunk.rows.iter().map(move |row| chunk.note(row)))
            .skip(rest)
            .enumerate()
            .map(move |(index, note)| (first + 1 + index as u64, note))
    }
}

impl Chunk {
    fn note(&self, row: &Row) -> Note<'_> {
        let start = row.text_start as usize;
        let middle = start + usize::from(row.recipient_bytes);
        let callback =
            (row.callback_bytes != u16::MAX).then(|| &self.text[middle..middle + usize::from(row.callback_bytes)]);
        Note {
            at_ns: row.at_ns,
            number: row.number,
            recipient: &self.text[start..middle],
            callback,
            kind: row.kind,
            category: row.category,
            fate: row.fate,
        }
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(recipient: &str, at_ns: u64) -> Note<'_> {
        Note {
            at_ns,
            number: 3,
            recipient,
            callback: Some("job:1"),
            kind: Some(MessageKind::Text),
            category: None,
            fate: Fate::Accepted,
        }
    }

    #[test]
    fn rows_come_back_in_order_from_any_place() {
        let mut log = OracleLog::new(100_000);
        for n in 0..40_000 {
            log.push(&note("+447700900123", n));
        }
        for after in [0, 1, 16_383, 16_384, 16_385, 39_999] {
            let (seq, first) = log.after(after).next().unwrap();
            assert_eq!((seq, first.at_ns), (after + 1, after));
        }
        assert_eq!(log.after(40_000).count(), 0);
        assert_eq!(log.after(0).count(), 40_000);
        let (_, row) = log.after(5).next().unwrap();
        assert_eq!((row.recipient, row.callback), ("+447700900123", Some("job:1")));
    }

    #[test]
    fn the_oldest_rows_go_and_are_counted() {
        let mut log = OracleLog::new(10);
        for n in 0..25 {
            log.push(&note("1", n));
        }
        assert_eq!(log.dropped(), 20);
        assert_eq!(log.after(0).map(|(seq, _)| seq).collect::<Vec<_>>(), [21, 22, 23, 24, 25]);
        assert_eq!(log.after(23).map(|(_, note)| note.at_ns).collect::<Vec<_>>(), [23, 24]);
    }

    #[test]
    fn a_row_is_small() {
        assert!(size_of::<Row>() <= 40, "{} bytes", size_of::<Row>());
    }

    #[test]
    fn absurdly_long_text_is_cut_at_a_character() {
        let mut log = OracleLog::new(10);
        log.push(&note(&"é".repeat(3_000), 0));
        assert_eq!(log.after(0).next().unwrap().1.recipient.len(), TEXT_BYTES);
    }
}
