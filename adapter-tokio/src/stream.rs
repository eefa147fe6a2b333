//! A connected socket.

use std::io::{self, IoSlice};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use asyncnet::net::OsSocket;
use asyncnet::net::system;
use asyncnet::{Clock, Config, Transport};
use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;
use tokio::io::{AsyncRead as _, Interest, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::{Connection, TokioClock};

/// A connected TCP or Unix socket of tokio, as a [`Transport`].
///
/// Closing it (`poll_close`) ends the sending direction; dropping it closes the socket. It has tokio's
/// `AsyncRead` and `AsyncWrite` too.
#[doc(alias("TcpStream", "UnixStream"))]
#[derive(Debug)]
pub struct Stream {
    socket: Inner,
    clock: TokioClock,
}

#[derive(Debug)]
enum Inner {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
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
        Connection::new(self, config)
    }

    /// The TCP socket back. A Unix socket comes back as it is.
    ///
    /// ```
    /// # fn back(stream: asyncnet_tokio::Stream) -> Option<tokio::net::TcpStream> {
    /// stream.into_tcp().ok()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The stream itself, if it is a Unix socket.
    pub fn into_tcp(self) -> Result<TcpStream, Self> {
        match self.socket {
            Inner::Tcp(socket) => Ok(socket),
            #[cfg(unix)]
            Inner::Unix(_) => Err(self),
        }
    }

    /// The Unix socket back. A TCP socket comes back as it is.
    ///
    /// # Errors
    ///
    /// The stream itself, if it is a TCP socket.
    #[cfg(unix)]
    pub fn into_unix(self) -> Result<UnixStream, Self> {
        match self.socket {
            Inner::Unix(socket) => Ok(socket),
            Inner::Tcp(_) => Err(self),
        }
    }

    /// Tries at once, past tokio, and waits only on a socket that is full: the poll of tokio spends of the
    /// task's budget and, with none left, returns `Pending` on a socket with room; and a socket that is new to
    /// the reactor does not count as writable yet, though it is, which would cost the one attempt of a drop.
    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&SockRef<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        either!(&self.socket, socket => {
            let mut attempt = write(&SockRef::from(socket));
            loop {
                match attempt {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return Poll::Ready(done),
                }
                ready!(socket.poll_write_ready(cx))?;
                attempt = socket.try_io(Interest::WRITABLE, || write(&SockRef::from(socket)));
            }
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(either!(&mut self.socket, socket => Pin::new(socket).poll_read(cx, &mut buf)))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| system::send(socket, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| system::send_vectored(socket, bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown_write(cx)
    }
}

impl tokio::io::AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(&mut self.socket, socket => Pin::new(socket).poll_read(cx, buf))
    }
}

impl tokio::io::AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(self, cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(self, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(self, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown_write(cx)
    }
}

impl Transport for Stream {
    fn clock(&mut self) -> Option<&mut dyn Clock> {
        Some(&mut self.clock)
    }

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
        Self { socket: Inner::Tcp(socket), clock: TokioClock::default() }
    }
}

#[cfg(unix)]
impl From<UnixStream> for Stream {
    fn from(socket: UnixStream) -> Self {
        Self { socket: Inner::Unix(socket), clock: TokioClock::default() }
    }
}

#[cfg(unix)]
impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(&self.socket, socket => socket.as_fd())
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
        either!(&self.socket, socket => socket.as_socket())
    }
}
