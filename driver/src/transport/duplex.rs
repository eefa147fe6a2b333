//! A reader and a writer as one transport.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use asyncnet_core::Config;
use futures_io::{AsyncRead, AsyncWrite};

use super::{Clock, MaybeClock, NoClock, Transport, broken_pipe};
use crate::Connection;

/// A reader and a writer as one [`Transport`]: pipes, the standard streams of a child.
///
/// The end of the sending direction closes the writer *and drops it*. A child sees the end of its standard
/// input only when the last descriptor of the pipe is closed, so it sees the end at once. A write after
/// that is a `BrokenPipe`.
///
/// A pipe has no reset. Where a connection is dropped with bytes unsent, the other end of a socket sees a reset, and
/// the other end of a pipe sees an ordinary end: close the connection, or end the protocol with a message.
///
/// ```
/// use asyncnet::{Config, Connection, Duplex};
///
/// # fn over<R: futures_io::AsyncRead + Unpin, W: futures_io::AsyncWrite + Unpin>(stdout: R, stdin: W) {
/// let conn = Connection::new(Duplex::new(stdout, stdin), Config::default());
/// # drop(conn);
/// # }
/// ```
#[doc(alias("join"))]
pub struct Duplex<R, W, C = NoClock> {
    reader: R,
    /// Gone once the sending direction has ended.
    writer: Option<W>,
    clock: C,
}

impl<R, W> Duplex<R, W> {
    /// Joins them.
    pub const fn new(reader: R, writer: W) -> Self {
        Self { reader, writer: Some(writer), clock: NoClock }
    }
}

impl<R, W, C> Duplex<R, W, C> {
    /// The same two with a clock, such as the one of an adapter.
    pub fn with_clock<D: Clock>(self, clock: D) -> Duplex<R, W, D> {
        Duplex { reader: self.reader, writer: self.writer, clock }
    }

    /// Takes both out; the writer is gone once the sending direction has ended.
    pub fn into_inner(self) -> (R, Option<W>) {
        (self.reader, self.writer)
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin, C: MaybeClock> Duplex<R, W, C> {
    /// A connection over the two.
    #[must_use]
    pub fn into_connection(self, config: Config) -> Connection<Self> {
        Connection::new(self, config)
    }
}

impl<R, W, C> fmt::Debug for Duplex<R, W, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ended = self.writer.is_none();
        f.debug_struct("Duplex").field("has_ended", &has_ended).finish_non_exhaustive()
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin, C: MaybeClock> Transport for Duplex<R, W, C> {
    fn clock(&mut self) -> Option<&mut dyn Clock> {
        self.clock.get()
    }
}

impl<R: AsyncRead + Unpin, W: Unpin, C: Unpin> AsyncRead for Duplex<R, W, C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read_vectored(cx, bufs)
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin, C: Unpin> AsyncWrite for Duplex<R, W, C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.writer {
            Some(writer) => Pin::new(writer).poll_write(cx, buf),
            None => Poll::Ready(Err(broken_pipe())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.writer {
            Some(writer) => Pin::new(writer).poll_write_vectored(cx, bufs),
            None => Poll::Ready(Err(broken_pipe())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.writer {
            Some(writer) => Pin::new(writer).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writer) = &mut self.writer else {
            return Poll::Ready(Ok(()));
        };
        let closed = ready!(Pin::new(writer).poll_close(cx));
        self.writer = None;
        Poll::Ready(closed)
    }
}
