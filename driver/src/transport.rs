//! What a stream must be able to do, and the wrapper for streams that come from elsewhere.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read as _};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;

/// A borrowed operating system socket: `BorrowedFd` on Unix, `BorrowedSocket` on Windows.
#[cfg(unix)]
pub type OsSocket<'a> = std::os::fd::BorrowedFd<'a>;
/// A borrowed operating system socket: `BorrowedFd` on Unix, `BorrowedSocket` on Windows.
#[cfg(windows)]
pub type OsSocket<'a> = std::os::windows::io::BorrowedSocket<'a>;

/// A byte stream that a [`Connection`](crate::Connection) can run over.
///
/// Every adapter implements it for its own sockets; [`Io`] makes any other `futures-io` stream into one.
/// A stream whose [`os_socket`](Self::os_socket) answers needs nothing else.
///
/// The contract beyond `futures-io`: a read into a slice that is not empty gives 0 bytes only at the
/// end; a poll that answers `Pending` wakes the waker of the last poll in that direction.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// The operating system's socket underneath, if there is one, in non-blocking mode.
    fn os_socket(&self) -> Option<OsSocket<'_>> {
        None
    }

    /// Ends the sending direction (TCP: FIN). Reading goes on.
    ///
    /// # Errors
    ///
    /// As the socket says. A peer that is gone is no error.
    fn poll_shutdown_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.os_socket() {
            Some(socket) => Poll::Ready(shutdown(socket, Shutdown::Write)),
            None => self.as_mut().poll_close(cx),
        }
    }

    /// Ends both directions at once, so that whoever waits on either is woken.
    ///
    /// # Errors
    ///
    /// As the socket says. A peer that is gone is no error.
    fn shutdown_both(&self) -> io::Result<()> {
        self.os_socket().map_or(Ok(()), |socket| shutdown(socket, Shutdown::Both))
    }
}

/// Reads what is to be forgotten. What a runtime has not heard of yet counts as there: it would turn the end
/// of the socket into a reset.
pub(crate) fn poll_discard<S: Transport>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> Poll<io::Result<usize>> {
    let read = Pin::new(&mut *stream).poll_read(cx, buf);
    let (Poll::Pending, Some(socket)) = (&read, stream.os_socket()) else {
        return read;
    };
    match (&*SockRef::from(&socket)).read(buf) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        read => Poll::Ready(read),
    }
}

fn shutdown(socket: OsSocket<'_>, how: Shutdown) -> io::Result<()> {
    match SockRef::from(&socket).shutdown(how) {
        Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
        _ => Ok(()),
    }
}

/// Any `futures-io` stream as a [`Transport`]: an in-memory pipe, a TLS stream of another library.
///
/// Closing it (`poll_close`) stands for the end of the sending direction. It has no clock: a connection
/// over it waits for a close as long as the stream does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Io<S> {}

impl<S: AsyncRead + Unpin> AsyncRead for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read_vectored(cx, bufs)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Io<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn os_socket(&self) -> Option<OsSocket<'_>> {
        (**self).os_socket()
    }

    fn poll_shutdown_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self).poll_shutdown_write(cx)
    }

    fn shutdown_both(&self) -> io::Result<()> {
        (**self).shutdown_both()
    }
}
