//! A connected socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_io::Async;
use asyncnet::{Config, OsSocket, Runtime, Transport};
use futures_io::{AsyncRead, AsyncWrite};
use socket2::Socket;

use crate::{Connection, Smol};

/// A connected TCP or Unix socket of smol, as a [`Transport`].
///
/// It is made of an [`Async`], and a `smol::net` stream has one inside: see
/// [`into_connection`](Self::into_connection).
///
/// Closing it (`poll_close`) ends the sending direction; dropping it closes the socket.
#[derive(Debug)]
pub struct Stream(Async<Socket>);

/// The most slices a system call takes. The standard library minds it, socket2 does not.
const MAX_SLICES: usize = 1024;

impl Stream {
    /// A connection over this socket, with the clock that bounds its close.
    ///
    /// ```no_run
    /// # async fn adopt() -> std::io::Result<()> {
    /// use std::sync::Arc;
    ///
    /// use asyncnet_smol::{Config, Stream};
    /// use smol::Async;
    ///
    /// let socket = smol::net::TcpStream::connect("localhost:6667").await?;
    /// let socket: Arc<Async<std::net::TcpStream>> = socket.into();
    /// let socket = Arc::into_inner(socket).expect("it was not cloned");
    /// let conn = Stream::try_from(socket)?.into_connection(Config::default());
    /// # drop(conn);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_connection(self, config: Config) -> Connection {
        Connection::with_timer(self, config, Smol::timer())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.0).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let most = bufs.len().min(MAX_SLICES);
        Pin::new(&mut &self.0).poll_read_vectored(cx, &mut bufs[..most])
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let most = bufs.len().min(MAX_SLICES);
        Pin::new(&mut &self.0).poll_write_vectored(cx, &bufs[..most])
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

/// Takes over a socket that is registered already and connected.
impl From<Async<Socket>> for Stream {
    fn from(socket: Async<Socket>) -> Self {
        Self(socket)
    }
}

/// Takes over a TCP socket. An error if the reactor cannot register it anew.
impl TryFrom<Async<TcpStream>> for Stream {
    type Error = io::Error;

    fn try_from(socket: Async<TcpStream>) -> io::Result<Self> {
        Async::new(socket.into_inner()?.into()).map(Self)
    }
}

/// Takes over a Unix socket. An error if the reactor cannot register it anew.
#[cfg(unix)]
impl TryFrom<Async<UnixStream>> for Stream {
    type Error = io::Error;

    fn try_from(socket: Async<UnixStream>) -> io::Result<Self> {
        Async::new(socket.into_inner()?.into()).map(Self)
    }
}

#[cfg(unix)]
impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(unix)]
impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(windows)]
impl AsSocket for Stream {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}
