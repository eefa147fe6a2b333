//! A connected socket.

use std::io::{self, IoSlice};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use asyncnet::{Config, OsSocket, Runtime, Transport};
use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::{Connection, Tokio};

/// A connected TCP or Unix socket of tokio, as a [`Transport`].
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

/// How many slices a system takes in one call at the most (`IOV_MAX`): with more it refuses them all.
const MAX_SLICES: usize = 1024;

/// Tries at once, past tokio, and polls only a socket that is full: the poll spends of the task's budget
/// and, with none left, answers `Pending` on a socket with room; and a socket that is new to the reactor
/// does not count as writable yet, though it is, which would cost the one attempt of a drop.
macro_rules! write {
    ($stream:expr, $cx:expr, $attempt:ident, $poll:ident, $data:expr) => {
        either!(&mut $stream.0, socket => match SockRef::from(&*socket).$attempt($data) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Pin::new(socket).$poll($cx, $data)
            }
            done => Poll::Ready(done),
        })
    };
}

impl Stream {
    /// A connection over this socket, with the clock that bounds its close.
    ///
    /// ```no_run
    /// # async fn adopt() -> std::io::Result<()> {
    /// use asyncnet_tokio::{Config, Stream};
    ///
    /// let socket = tokio::net::TcpStream::connect("localhost:6667").await?;
    /// let conn = Stream::from(socket).into_connection(Config::default());
    /// # drop(conn);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_connection(self, config: Config) -> Connection {
        Connection::with_timer(self, config, Tokio::timer())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(either!(&mut self.0, socket => Pin::new(socket).poll_read(cx, &mut buf)))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        write!(self, cx, send, poll_write, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bufs = &bufs[..bufs.len().min(MAX_SLICES)];
        write!(self, cx, send_vectored, poll_write_vectored, bufs)
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
