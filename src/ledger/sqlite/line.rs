//! A thread that owns a database connection, and the bounded line of errands that waits before it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::ledger::LedgerError;

/// How many errands may stand in line; who comes later waits for room before it asks.
const ROOM: usize = 512;

/// Something to do at a desk: first done, and answered only when what was done is on disk.
pub(super) trait Errand<Desk>: Send {
    /// About how many rows it touches.
    fn rows(&self) -> usize;
    /// Does it; the answer is kept back.
    fn run(&mut self, desk: &Desk) -> Result<(), LedgerError>;
    /// Gives the answer, or the reason why what was done does not stand.
    fn answer(self: Box<Self>, end: Result<(), LedgerError>);
}

/// What stands in line.
pub(super) enum Note<Desk> {
    /// Something to do.
    Errand(Box<dyn Errand<Desk>>),
    /// Another process may have changed the file. The flag says that this note is in line: one is enough.
    Look(Arc<AtomicBool>),
    /// Nobody can ask any more.
    Stop,
}

/// The asking side of a thread.
#[derive(Debug)]
pub(super) struct Line<Desk> {
    notes: mpsc::Sender<Note<Desk>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

struct Asked<Answer, Work> {
    rows: usize,
    work: Option<Work>,
    got: Option<Answer>,
    answer: oneshot::Sender<Result<Answer, LedgerError>>,
    _room: OwnedSemaphorePermit,
}

impl<Desk: 'static> Line<Desk> {
    /// Starts the thread with its end of the line.
    pub(super) fn start<Body>(name: &str, body: Body) -> Result<Self, LedgerError>
    where
        Body: FnOnce(mpsc::Receiver<Note<Desk>>) + Send + 'static,
    {
        let (notes, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || body(inbox))
            .map_err(|error| LedgerError::Unreachable(format!("thread {name} did not start: {error}")))?;
        Ok(Self { notes, room: Arc::new(Semaphore::new(ROOM)), thread: Some(thread) })
    }

    /// Stands in line with an errand and waits for its answer.
    pub(super) async fn ask<Answer, Work>(&self, rows: usize, work: Work) -> Result<Answer, LedgerError>
    where
        Answer: Send + 'static,
        Work: FnOnce(&Desk) -> Result<Answer, LedgerError> + Send + 'static,
    {
        let room = Arc::clone(&self.room).acquire_owned().await.expect("the line's semaphore is never closed");
        let (answer, answered) = oneshot::channel();
        let errand = Asked { rows, work: Some(work), got: None, answer, _room: room };
        self.notes.send(Note::Errand(Box::new(errand))).map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// A way to say that another process may have changed the file.
    pub(super) fn bell(&self) -> mpsc::Sender<Note<Desk>> {
        self.notes.clone()
    }
}

fn stopped() -> LedgerError {
    LedgerError::Unreachable("the ledger's thread has stopped".to_owned())
}

/// Waits until everything in line is done, so that the file is free when its owner is gone.
impl<Desk> Drop for Line<Desk> {
    fn drop(&mut self) {
        // Both fail only for a thread that is gone already, and it told everyone who waited.
        let _ = self.notes.send(Note::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl<Desk, Answer, Work> Errand<Desk> for Asked<Answer, Work>
where
    Answer: Send,
    Work: FnOnce(&Desk) -> Result<Answer, LedgerError> + Send,
{
    fn rows(&self) -> usize {
        self.rows
    }

    fn run(&mut self, desk: &Desk) -> Result<(), LedgerError> {
        let work = self.work.take().expect("an errand runs once");
        self.got = Some(work(desk)?);
        Ok(())
    }

    fn answer(self: Box<Self>, end: Result<(), LedgerError>) {
        let Self { got, answer, .. } = *self;
        // Nobody may be waiting any more: the call was dropped, what it asked for is done all the same.
        let _ = answer.send(end.map(|()| got.expect("an errand that did not fail has an answer")));
    }
}
