//! Any `futures-io` stream as a transport.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::{Clock, MaybeClock, NoClock, Transport};

/// Any `futures-io` stream as a [`Transport`]: a TLS stream of another library, a WebSocket, a test double.
///
/// Its `poll_close` ends the sending direction. It has no clock, and so a connection over it has no
/// timeouts, unless [`with_clock`](Self::with_clock) gives it one.
///
/// ```
/// use asyncnet::{Config, Connection, Io};
///
/// # fn over<S: futures_io::AsyncRead + futures_io::AsyncWrite + Unpin>(stream: S) {
/// let conn = Connection::new(Io::new(stream), Config::default().max_line(512));
/// # drop(conn);
/// # }
/// ```
#[doc(alias("compat"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io<S, C = NoClock> {
    stream: S,
    clock: C,
}

impl<S> Io<S> {
    /// Wraps `stream`.
    pub const fn new(stream: S) -> Self {
        Self { stream, clock: NoClock }
    }
}

impl<S, C> Io<S, C> {
    /// The same stream with a clock, such as the one of an adapter.
    pub fn with_clock<D: Clock>(self, clock: D) -> Io<S, D> {
        Io { stream: self.stream, clock }
    }

    /// The stream underneath.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream underneath.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Takes the stream out.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, C: MaybeClock> Transport for Io<S, C> {
    fn clock(&mut self) -> Option<&mut dyn Clock> {
        self.clock.get()
    }
}

impl<S: AsyncRead + Unpin, C: Unpin> AsyncRead for Io<S, C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read_vectored(cx, bufs)
    }
}

impl<S: AsyncWrite + Unpin, C: Unpin> AsyncWrite for Io<S, C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
