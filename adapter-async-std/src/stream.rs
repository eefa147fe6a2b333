//! A connected socket.

use std::io::{self, IoSlice, IoSliceMut};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_io::Async;
use async_std::net::TcpStream;
#[cfg(unix)]
use async_std::os::unix::net::UnixStream;
use asyncnet::{Config, OsSocket, Runtime, Transport};
use futures_io::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use socket2::SockRef;
use socket2::{SockAddr, Socket};

use crate::{AsyncStd, Connection};

/// A connected TCP or Unix socket of async-std, as a [`Transport`].
///
/// Closing it (`poll_close`) ends the sending direction; dropping it closes the socket.
#[derive(Debug)]
pub struct Stream(Inner);

#[derive(Debug)]
enum Inner {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// The most slices a system call takes. The standard library minds it, socket2 does not.
#[cfg(unix)]
const MAX_SLICES: usize = 1024;

impl Stream {
    /// A connection over this socket, with the clock that bounds its close.
    ///
    /// ```no_run
    /// # async fn adopt() -> std::io::Result<()> {
    /// use asyncnet_async_std::{Config, Stream};
    ///
    /// let socket = async_std::net::TcpStream::connect("localhost:6667").await?;
    /// let conn = Stream::from(socket).into_connection(Config::default());
    /// # drop(conn);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_connection(self, config: Config) -> Connection {
        Connection::with_timer(self, config, AsyncStd::timer())
    }

    /// Takes over a connected socket; either of its addresses tells of which kind it is.
    ///
    /// It comes registered, because async-std's conversion panics where the reactor has no room: here
    /// there is at least the room that the same socket had.
    pub(crate) fn new(socket: Async<Socket>, address: &SockAddr) -> io::Result<Self> {
        let socket = socket.into_inner()?;
        Ok(match address.is_unix() {
            #[cfg(unix)]
            true => UnixStream::from(std::os::unix::net::UnixStream::from(socket)).into(),
            _ => TcpStream::from(std::net::TcpStream::from(socket)).into(),
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        either!(&mut self.0, socket => Pin::new(socket).poll_read(cx, buf))
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(&mut self.0, socket => Pin::new(socket).poll_read_vectored(cx, bufs))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(&mut self.0, socket => Pin::new(socket).poll_write(cx, buf))
    }

    /// Writes from all of `bufs`, over a Unix socket too, where async-std itself takes only the first.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        #[cfg(unix)]
        if let Inner::Unix(socket) = &self.0 {
            let most = bufs.len().min(MAX_SLICES);
            match SockRef::from(socket).send_vectored(&bufs[..most]) {
                // async-std tries its one once more, and waits.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
        either!(&mut self.0, socket => Pin::new(socket).poll_write_vectored(cx, bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown_write(cx)
    }
}

impl Transport for Stream {
    fn os_socket(&self) -> Option<OsSocket<'_>> {
        #[cfg(unix)]
        let socket = self.as_fd();
        #[cfg(windows)]
        let socket = self.as_socket();
        Some(socket)
    }
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Self(Inner::Tcp(socket))
    }
}

#[cfg(unix)]
impl From<UnixStream> for Stream {
    fn from(socket: UnixStream) -> Self {
        Self(Inner::Unix(socket))
    }
}

#[cfg(unix)]
impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(&self.0, socket => socket.as_fd())
    }
}

#[cfg(unix)]
impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

#[cfg(windows)]
impl AsSocket for Stream {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        either!(&self.0, socket => socket.as_socket())
    }
}
