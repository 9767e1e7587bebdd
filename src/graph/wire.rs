//! The bytes to and from Meta's servers, counted on their way out: only the count can tell «never sent».

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

/// How many bytes a socket has taken from us, below TLS, and until when it may take the next. Clones see the same.
#[derive(Clone, Debug)]
pub(super) struct Written(Arc<Count>);

#[derive(Debug)]
struct Count {
    bytes: AtomicU64,
    since: Instant,
    /// In nanoseconds after `since`.
    begin_by: AtomicU64,
}

impl Written {
    fn new() -> Self {
        Self(Arc::new(Count { bytes: AtomicU64::new(0), since: Instant::now(), begin_by: AtomicU64::new(u64::MAX) }))
    }

    pub fn get(&self) -> u64 {
        // No order with other memory is asked for: reader and writer are polled by one task.
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// The next bytes are refused after this moment; those behind them are not.
    pub fn begin_by(&self, moment: Instant) {
        let after = moment.saturating_duration_since(self.0.since).as_nanos();
        self.0.begin_by.store(u64::try_from(after).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Asked right before the bytes leave: a process may be stopped anywhere before, and go on much later.
    fn may_begin(&self) -> bool {
        let by = self.0.begin_by.load(Ordering::Relaxed);
        by == u64::MAX || self.0.since.elapsed().as_nanos() <= u128::from(by)
    }

    fn add(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.0.bytes.fetch_add(*bytes as u64, Ordering::Relaxed);
            self.0.begin_by.store(u64::MAX, Ordering::Relaxed);
        }
    }
}

/// A socket that counts what it takes.
#[derive(Debug)]
pub(super) struct Counted {
    socket: TcpStream,
    written: Written,
}

impl Counted {
    pub fn new(socket: TcpStream) -> Self {
        Self { socket, written: Written::new() }
    }

    pub fn written(&self) -> Written {
        self.written.clone()
    }
}

/// An open connection, with or without TLS.
#[derive(Debug)]
pub(super) enum Wire {
    /// For `http://`: the simulator, or a proxy on this machine.
    Plain(Counted),
    /// For `https://`.
    Tls(Box<TlsStream<Counted>>),
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.written.may_begin() {
            // Whoever set the time has a timer for it.
            return Poll::Pending;
        }
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.written.add(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.written.may_begin() {
            // Whoever set the time has a timer for it.
            return Poll::Pending;
        }
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.written.add(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
