//! How a command tells the worker that it wrote: it touches a file that the worker watches.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::line::Note;

/// Touches the file.
pub(super) struct Bell {
    file: File,
}

impl Bell {
    /// Makes the file if it is not there.
    pub(super) fn hang(path: &Path) -> io::Result<Self> {
        Ok(Self { file: open(path)? })
    }

    /// Wakes who watches.
    pub(super) fn ring(&self) {
        // One byte in place: the file does not grow. If it fails, the worker's look at the database is 50 ms away.
        let _ = self.file.write_at(b"!", 0);
    }
}

/// Has every ring put a note in the line; the watch ends when what is returned is dropped.
pub(super) fn watch<Desk: 'static>(path: &Path, line: mpsc::Sender<Note<Desk>>) -> notify::Result<RecommendedWatcher> {
    open(path)?;
    let is_in_line = Arc::new(AtomicBool::new(false));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| event.kind.is_modify()) && !is_in_line.swap(true, Ordering::AcqRel) {
            // Fails only when the line has ended, and nobody needs waking then.
            let _ = line.send(Note::Look(Arc::clone(&is_in_line)));
        }
    })?;
    watcher.watch(path, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// The file beside the ledger's.
pub(super) fn beside(ledger: &Path, what: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push("-");
    name.push(what);
    name.into()
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}
