//! What a stream must be able to do, and the wrappers for streams that come from elsewhere.

mod clock;
mod duplex;
mod io;
mod pipe;

use std::io::{Error, ErrorKind, Read as _, Result};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;

use crate::Address;

pub use clock::{Clock, MaybeClock, NoClock, Sleep};
pub use duplex::Duplex;
pub use io::Io;
pub use pipe::{Pipe, pipe};

/// A borrowed operating system socket: `BorrowedFd` on Unix, `BorrowedSocket` on Windows.
#[cfg(unix)]
pub type OsSocket<'a> = std::os::fd::BorrowedFd<'a>;
/// A borrowed operating system socket: `BorrowedFd` on Unix, `BorrowedSocket` on Windows.
#[cfg(windows)]
pub type OsSocket<'a> = std::os::windows::io::BorrowedSocket<'a>;

/// A byte stream that a [`Connection`](crate::Connection) can run over.
///
/// Every adapter implements it for the sockets of its runtime. [`Io`] makes a transport of any other
/// `futures-io` stream, [`Duplex`] of a reader and a writer, [`pipe`] makes two that are each other's peer
/// in memory.
///
/// The contract beyond `futures-io`:
///
/// - A read into a slice that is not empty gives 0 bytes only at the end of the stream.
/// - A poll that returns `Pending` wakes the waker of the last poll in that direction.
/// - A stream whose [`os_socket`](Self::os_socket) answers needs no method but [`clock`](Self::clock).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stream that a connection can run over",
    note = "a socket of tokio or smol goes into the `Stream` of its adapter crate: `asyncnet_tokio::Stream::from(socket)`, `asyncnet_smol::Stream::try_from(socket)`",
    note = "a `futures-io` stream goes into `asyncnet::Io::new(..)`, a reader and a writer into `asyncnet::Duplex::new(..)`"
)]
#[doc(alias("AsyncRead", "AsyncWrite"))]
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// The clock of the stream. A connection over a stream without a clock has no timeouts. Default: none.
    fn clock(&mut self) -> Option<&mut dyn Clock> {
        None
    }

    /// The operating system's socket underneath, if there is one, in non-blocking mode. Default: none.
    fn os_socket(&self) -> Option<OsSocket<'_>> {
        None
    }

    /// Ends the sending direction (TCP: FIN). Reading goes on. Default: a shutdown of the system's socket;
    /// without one, `poll_close`.
    ///
    /// # Errors
    ///
    /// As the socket says. That the peer is gone is no error.
    fn poll_shutdown_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self.os_socket() {
            Some(socket) => Poll::Ready(shutdown(socket, Shutdown::Write)),
            None => self.as_mut().poll_close(cx),
        }
    }

    /// Makes the drop of this stream, which follows at once, a reset instead of an orderly end, if the
    /// stream has such a thing. Default: linger 0 on the system's socket, which resets TCP. (The peer of a
    /// Unix socket sees a reset only if it sent bytes that were not read.)
    fn reset_on_drop(&mut self) {
        if let Some(socket) = self.os_socket() {
            // If this fails the peer sees an early end; there is no other way to send a reset.
            let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// The address of this end. Default: that of the system's socket.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the stream has no addresses; others as the system says.
    fn local_addr(&self) -> Result<Address> {
        let socket = self.os_socket().ok_or(ErrorKind::Unsupported)?;
        Ok(SockRef::from(&socket).local_addr()?.into())
    }

    /// The address of the peer. Default: that of the system's socket.
    ///
    /// # Errors
    ///
    /// As [`local_addr`](Self::local_addr), and `NotConnected` if the peer is gone.
    fn peer_addr(&self) -> Result<Address> {
        let socket = self.os_socket().ok_or(ErrorKind::Unsupported)?;
        Ok(SockRef::from(&socket).peer_addr()?.into())
    }
}

/// Reads what is to be discarded. Bytes that the runtime has not heard of yet count too: left unread, they
/// would turn the end of the socket into a reset.
pub(crate) fn poll_discard<S: Transport>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> Poll<Result<usize>> {
    let read = Pin::new(&mut *stream).poll_read(cx, buf);
    let (Poll::Pending, Some(socket)) = (&read, stream.os_socket()) else {
        return read;
    };
    match (&*SockRef::from(&socket)).read(buf) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        read => Poll::Ready(read),
    }
}

/// Whether input, or its end, is there that the runtime has not heard of yet.
pub(crate) fn has_input<S: Transport>(stream: &S) -> bool {
    let Some(socket) = stream.os_socket() else { return false };
    let peeked = SockRef::from(&socket).peek(&mut [MaybeUninit::uninit()]);
    !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

fn shutdown(socket: OsSocket<'_>, how: Shutdown) -> Result<()> {
    match SockRef::from(&socket).shutdown(how) {
        Err(error) if error.kind() != ErrorKind::NotConnected => Err(error),
        _ => Ok(()),
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn clock(&mut self) -> Option<&mut dyn Clock> {
        (**self).clock()
    }

    fn os_socket(&self) -> Option<OsSocket<'_>> {
        (**self).os_socket()
    }

    fn poll_shutdown_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut **self).poll_shutdown_write(cx)
    }

    fn reset_on_drop(&mut self) {
        (**self).reset_on_drop();
    }

    fn local_addr(&self) -> Result<Address> {
        (**self).local_addr()
    }

    fn peer_addr(&self) -> Result<Address> {
        (**self).peer_addr()
    }
}

/// A write behind the end of the sending direction.
fn broken_pipe() -> Error {
    ErrorKind::BrokenPipe.into()
}
