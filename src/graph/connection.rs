//! One open connection, and one exchange at a time on it.
//!
//! Nobody drives a connection in the background: hyper's half is polled by the exchange that uses it, and, while it
//! lies idle, by whoever asks whether it is still open. That saves two wake-ups a message.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until};

use super::wire::{Wire, Written};
use super::{Request, answer};
use crate::outcome::{NotSentCause, Outcome, UnknownCause};

type Driver = http1::Connection<TokioIo<Wire>, Full<Bytes>>;

/// A timer that is so late says that the whole process stood still.
const STOOD_STILL: Duration = Duration::from_millis(20);
/// So long it takes at most to hear of what arrived meanwhile.
const LAST_LOOK: Duration = Duration::from_millis(50);

/// How long an exchange may take, and how much it may bring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// No byte written by then: not sent.
    pub write: Duration,
    /// No answer by then: unknown.
    pub total: Duration,
    /// More than this is no answer of Meta's.
    pub max_response: usize,
}

/// What an exchange came to, and whether the connection is fit for another.
pub(super) struct Exchanged {
    pub outcome: Outcome,
    pub reusable: bool,
}

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
    written: Written,
    retire_at: Instant,
}

/// An exchange under way.
struct Exchange<'a, F> {
    driver: &'a mut Driver,
    is_driver_done: bool,
    head: Pin<&'a mut F>,
    body: Option<AnswerBody>,
    max_response: usize,
}

/// An answer whose head is there.
struct AnswerBody {
    status: StatusCode,
    headers: HeaderMap,
    incoming: Incoming,
    read: Vec<u8>,
}

/// Why an exchange brought no answer.
enum Broken {
    Closed,
    Garbled,
}

impl Connection {
    pub async fn start(wire: Wire, written: Written, retire_at: Instant) -> hyper::Result<Self> {
        let (sender, driver) = http1::Builder::new().handshake(TokioIo::new(wire)).await?;
        Ok(Self { sender, driver, written, retire_at })
    }

    /// Whether it is open and idle, as far as anybody has heard; `waker` hears of what comes later.
    pub fn is_ready(&mut self, waker: &Waker) -> bool {
        let mut cx = Context::from_waker(waker);
        Pin::new(&mut self.driver).poll(&mut cx).is_pending() && self.sender.is_ready()
    }

    /// Whether it should not be used again, however well it does: servers move, and names follow.
    pub fn is_old(&self) -> bool {
        Instant::now() >= self.retire_at
    }

    /// When it grows old.
    pub fn retire_at(&self) -> Instant {
        self.retire_at
    }

    /// Sends a request and reads the answer. Dropping it midway leaves nobody knowing what became of the request:
    /// count it as unknown.
    pub async fn exchange(&mut self, request: Request, bounds: &Bounds) -> Exchanged {
        let started = Instant::now();
        let before = self.written.get();
        self.written.begin_by(started + bounds.write);
        let head = pin!(self.sender.send_request(request));
        let max_response = bounds.max_response;
        let mut exchange = Exchange { driver: &mut self.driver, is_driver_done: false, head, body: None, max_response };
        let any_written = || self.written.get() > before;

        // Nearly always the first poll writes everything, and one timer will do.
        let first = poll_fn(|cx| Poll::Ready(exchange.poll(cx))).await;
        let mut is_writing = !any_written();
        let deadline = if is_writing { started + bounds.write } else { started + bounds.total };
        let ended = match first {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => {
                let mut timer = pin!(sleep_until(deadline));
                let (mut is_polled, mut is_last_look) = (true, false);
                poll_fn(|cx| {
                    // What was polled a moment ago, with this task's waker, need not be polled again.
                    if !std::mem::take(&mut is_polled)
                        && let Poll::Ready(ended) = exchange.poll(cx)
                    {
                        return Poll::Ready(Some(ended));
                    }
                    if is_writing && any_written() {
                        is_writing = false;
                        timer.as_mut().reset(started + bounds.total);
                    }
                    ready!(timer.as_mut().poll(cx));
                    // A process that was stopped and goes on hears its timers before its sockets, in which the answer
                    // may have lain for long: taken for a timeout it would speak against the number.
                    let now = Instant::now();
                    if !is_writing && !is_last_look && now >= timer.deadline() + STOOD_STILL {
                        is_last_look = true;
                        timer.as_mut().reset(now + LAST_LOOK);
                        ready!(timer.as_mut().poll(cx));
                    }
                    Poll::Ready(None)
                })
                .await
            }
        };
        // The count is read after the last poll: nothing can be written between the two.
        let is_open = !exchange.is_driver_done;
        conclude(ended, any_written(), is_open)
    }
}

/// A `None` means that time ran out.
fn conclude(ended: Option<Result<Outcome, Broken>>, any_written: bool, is_open: bool) -> Exchanged {
    let outcome = match ended {
        Some(Ok(outcome)) => return Exchanged { outcome, reusable: is_open },
        None if any_written => Outcome::Unknown(UnknownCause::Timeout),
        None => Outcome::NotSent(NotSentCause::WriteStalled),
        Some(Err(_)) if !any_written => Outcome::NotSent(NotSentCause::ClosedBeforeWrite),
        Some(Err(Broken::Closed)) => Outcome::Unknown(UnknownCause::ConnectionLost),
        Some(Err(Broken::Garbled)) => Outcome::Unknown(UnknownCause::Garbled),
    };
    Exchanged { outcome, reusable: false }
}

impl<F: Future<Output = hyper::Result<http::Response<Incoming>>>> Exchange<'_, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Outcome, Broken>> {
        loop {
            if !self.is_driver_done {
                self.is_driver_done = Pin::new(&mut *self.driver).poll(cx).is_ready();
            }
            let progress = if self.body.is_none() { self.poll_head(cx) } else { self.poll_body(cx) };
            match progress {
                // The driver reads on only once it hears that there is somebody to read for.
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some(outcome))) => return Poll::Ready(Ok(outcome)),
                Poll::Ready(Err(broken)) => return Poll::Ready(Err(broken)),
                // It would have answered or failed before it ended, unless it never took the request.
                Poll::Pending if self.is_driver_done => return Poll::Ready(Err(Broken::Closed)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// `None`: there is a body to be read.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Outcome>, Broken>> {
        let answer = match ready!(self.head.as_mut().poll(cx)) {
            Ok(answer) => answer,
            Err(cause) if cause.is_parse() => return Poll::Ready(Err(Broken::Garbled)),
            Err(_) => return Poll::Ready(Err(Broken::Closed)),
        };
        let (parts, incoming) = answer.into_parts();
        let mut body = AnswerBody { status: parts.status, headers: parts.headers, incoming, read: Vec::new() };
        // The first look tells the driver that the body is wanted.
        let outcome = match body.poll(self.max_response, cx) {
            Poll::Ready(read) => read?,
            Poll::Pending => None,
        };
        self.body = Some(body);
        Poll::Ready(Ok(outcome))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Outcome>, Broken>> {
        let body = self.body.as_mut().expect("asked for only once the head is there");
        body.poll(self.max_response, cx)
    }
}

impl AnswerBody {
    /// Never ready with `None`.
    fn poll(&mut self, max_response: usize, cx: &mut Context<'_>) -> Poll<Result<Option<Outcome>, Broken>> {
        while !self.incoming.is_end_stream() {
            let frame = match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Err(Broken::Closed)),
                None => break,
            };
            if let Ok(data) = frame.into_data() {
                if self.read.len() + data.len() > max_response {
                    return Poll::Ready(Err(Broken::Garbled));
                }
                self.read.extend_from_slice(&data);
            }
        }
        Poll::Ready(Ok(Some(answer::read(self.status, &self.headers, &self.read))))
    }
}
