//! Lines between those who log and the thread that writes: bounded, and nobody who logs ever waits.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How many lines were lost; clones count the same.
#[derive(Clone, Debug, Default)]
pub struct DroppedLines(Arc<AtomicU64>);

impl DroppedLines {
    /// Since the start.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, lines: u64) {
        self.0.fetch_add(lines, Ordering::Relaxed);
    }
}

/// Where lines wait to be written. When it is full, a line is dropped and counted.
#[derive(Clone)]
pub struct Lines {
    most: usize,
    shared: Arc<Shared>,
    dropped: DroppedLines,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

/// Held only to copy or to swap, never while anything is written.
#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    is_ending: bool,
    is_written: bool,
}

impl Lines {
    /// For at most so many bytes.
    pub fn new(most: usize) -> Self {
        Self { most, shared: Arc::default(), dropped: DroppedLines::default() }
    }

    /// The count of those that found no room.
    pub fn dropped(&self) -> DroppedLines {
        self.dropped.clone()
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.is_ending || waiting.text.len() + line.len() > self.most {
            drop(waiting);
            self.dropped.add(1);
            return;
        }
        waiting.text.extend_from_slice(line);
        drop(waiting);
        self.shared.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic while it was held left whole lines: copying and swapping do not stop half way.
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Swaps what waits for an empty buffer; nothing waits and nothing will come: `End`.
    fn take(&self, empty: Vec<u8>) -> Batch {
        let waiting = self.lock();
        let idle = |waiting: &mut Waiting| waiting.text.is_empty() && !waiting.is_ending;
        let waited = self.shared.changed.wait_while(waiting, idle);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.text.is_empty() {
            return Batch::End;
        }
        Batch::Text(std::mem::replace(&mut waiting.text, empty))
    }
}

enum Batch {
    Text(Vec<u8>),
    End,
}

/// One line at a time, as the formatter hands it over.
pub struct LineWriter<'a>(&'a Lines);

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self)
    }
}

/// The thread that writes.
pub struct Writer(Option<JoinHandle<()>>);

impl Writer {
    /// Writes whatever waits, as fast as the output takes it.
    pub fn start(lines: Lines, mut output: impl Write + Send + 'static) -> Self {
        let thread = std::thread::Builder::new().name("logs".to_owned()).spawn(move || {
            let mut empty = Vec::new();
            while let Batch::Text(mut text) = lines.take(empty) {
                let lost = write(&mut output, &text);
                lines.dropped.add(lost);
                text.clear();
                empty = text;
            }
            lines.lock().is_written = true;
            lines.shared.changed.notify_all();
        });
        Self(thread.ok())
    }

    /// Lets what waits be written; a thread that a stuck reader holds up is left behind after `patience`.
    pub fn end(&mut self, lines: &Lines, patience: Duration) {
        let Some(thread) = self.0.take() else { return };
        lines.lock().is_ending = true;
        lines.shared.changed.notify_all();
        let unwritten = |waiting: &mut Waiting| !waiting.is_written;
        let waited = lines.shared.changed.wait_timeout_while(lines.lock(), patience, unwritten);
        let (waiting, patience) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(waiting);
        if !patience.timed_out() {
            // It has nothing left to do; a panic of its own has been printed already.
            let _ = thread.join();
        }
    }
}

/// Writes all it can; what it can't is lost, and its lines are the answer.
fn write(output: &mut impl Write, mut text: &[u8]) -> u64 {
    while !text.is_empty() {
        match output.write(text) {
            Ok(0) => break,
            Ok(written) => text = &text[written..],
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    // As with the rest: a reader that is gone takes nothing more.
    let _ = output.flush();
    u64::try_from(lines).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that takes a batch only when it is told to.
    struct Stopped {
        go: Receiver<()>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Stopped {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            self.taken.send(text.to_vec()).map_err(io::Error::other)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stopped() -> (Stopped, Sender<()>, Receiver<Vec<u8>>) {
        let ((release, go), (taken, page)) = (channel(), channel());
        (Stopped { go, taken }, release, page)
    }

    #[test]
    fn a_stopped_reader_costs_lines_but_holds_nobody_up() {
        let lines = Lines::new(100);
        let (output, release, page) = stopped();
        let mut writer = Writer::start(lines.clone(), output);
        for _ in 0..1_000 {
            lines.push(b"123456789\n");
        }
        // One batch may be in the writer's hands, and one full buffer waits.
        let dropped = lines.dropped().count();
        assert!((980..=990).contains(&dropped), "{dropped}");
        release.send(()).unwrap();
        release.send(()).unwrap();
        drop(release);
        writer.end(&lines, Duration::from_secs(60));
        let written: usize = page.iter().map(|batch| batch.len() / 10).sum();
        assert_eq!(u64::try_from(written).unwrap() + lines.dropped().count(), 1_000);
    }

    #[test]
    fn a_reader_that_is_stuck_for_good_does_not_keep_the_end_from_coming() {
        let lines = Lines::new(100);
        let (output, release, _page) = stopped();
        let mut writer = Writer::start(lines.clone(), output);
        lines.push(b"line\n");
        writer.end(&lines, Duration::from_millis(1));
        lines.push(b"after the end\n");
        assert_eq!(lines.dropped().count(), 1);
        drop(release);
    }

    #[test]
    fn lines_that_an_output_refuses_are_counted() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let lines = Lines::new(100);
        let mut writer = Writer::start(lines.clone(), Closed);
        lines.push(b"one\n");
        lines.push(b"two\n");
        writer.end(&lines, Duration::from_secs(60));
        assert_eq!(lines.dropped().count(), 2);
    }
}
