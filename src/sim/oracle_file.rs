//! The oracle's file: every row as a line of JSON, never more than a tenth of a second behind.

use super::oracle::Shared;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time between two looks for new rows.
const EVERY: Duration = Duration::from_millis(50);
/// Rows copied out at once, so that nobody waits long for the log.
const BATCH: usize = 1_000;

/// Opens the file to append to.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

/// Writes rows until `stop`, and then the last of them.
pub(crate) async fn write(mut file: File, shared: Arc<Shared>, stop: CancellationToken) -> io::Result<()> {
    let mut written = 0;
    loop {
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        let shared = Arc::clone(&shared);
        // The disk may be slow; requests must not wait for it.
        let next = tokio::task::spawn_blocking(move || {
            let seq = append(&mut file, &shared, written)?;
            Ok::<_, io::Error>((file, seq))
        });
        (file, written) = next.await.map_err(io::Error::other)??;
        if stopping {
            return Ok(());
        }
    }
}

/// Appends what came after `written`; says how far it got.
fn append(file: &mut File, shared: &Shared, mut written: u64) -> io::Result<u64> {
    loop {
        let entries = shared.entries_since(written, BATCH);
        let Some(last) = entries.last() else {
            return Ok(written);
        };
        written = last.seq;
        file.write_all(&lines(&entries))?;
    }
}

/// Rows as lines of JSON.
pub(crate) fn lines(entries: &[super::Entry]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(entries.len() * 256);
    for entry in entries {
        serde_json::to_writer(&mut lines, entry).expect("an entry is made of strings and numbers");
        lines.push(b'\n');
    }
    lines
}
