//! The bodies of answers: whole, broken in the middle, or made by the router.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer.
pub(crate) enum ResponseBody {
    /// All of it at once.
    Whole(Bytes),
    /// The first half, and then the end of the connection.
    Half(HalfBody),
    /// What the router made.
    Router(axum::body::Body),
}

/// A body that promises more than it gives.
pub(crate) struct HalfBody {
    promised: u64,
    step: HalfStep,
}

enum HalfStep {
    Give(Bytes),
    /// What was given must reach the socket first.
    LetFlush,
    Break,
}

/// The script says that the connection ends here.
#[derive(Debug, thiserror::Error)]
#[error("cut off as scripted")]
pub(crate) struct CutOff;

impl ResponseBody {
    /// The first half of `body`.
    pub(crate) fn half(body: Bytes) -> Self {
        let promised = body.len() as u64;
        Self::Half(HalfBody { promised, step: HalfStep::Give(body.slice(..body.len() / 2)) })
    }
}

impl HalfBody {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        match std::mem::replace(&mut self.step, HalfStep::Break) {
            HalfStep::Give(half) => {
                self.step = HalfStep::LetFlush;
                Poll::Ready(Some(Ok(Frame::data(half))))
            }
            HalfStep::LetFlush => {
                // The server flushes when a body is pending; an error at once would drop what is buffered.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            HalfStep::Break => Poll::Ready(Some(Err(CutOff))),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(body) if body.is_empty() => Poll::Ready(None),
            Self::Whole(body) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            Self::Half(half) => half.poll(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into))),
            Self::Router(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_empty(),
            Self::Half(_) => false,
            Self::Router(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Self::Half(half) => SizeHint::with_exact(half.promised),
            Self::Router(body) => body.size_hint(),
        }
    }
}
