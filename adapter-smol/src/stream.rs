//! A connected socket.

use std::io::{self, IoSlice, IoSliceMut, Read as _};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_io::Async;
use asyncnet::net::OsSocket;
use asyncnet::net::system;
use asyncnet::{Clock, Config, Transport};
use futures_io::{AsyncRead, AsyncWrite};
use socket2::{SockRef, Socket};

use crate::binding::poll_with;
use crate::{Connection, SmolClock};

/// A connected TCP or Unix socket of smol, as a [`Transport`].
///
/// It is made of an [`Async`], and a `smol::net` stream has one inside: see
/// [`into_connection`](Self::into_connection).
///
/// Closing it (`poll_close`) ends the sending direction; dropping it closes the socket.
#[derive(Debug)]
pub struct Stream {
    socket: Async<Socket>,
    clock: SmolClock,
    /// The last read got less than it asked for.
    drained: bool,
}

/// How many slices a system takes in one call at most (`IOV_MAX`): it refuses a call with more.
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
        Connection::new(self, config)
    }

    /// The registered socket: the way back to smol's own types.
    pub fn into_inner(self) -> Async<Socket> {
        self.socket
    }

    /// Reads at most `most` bytes.
    ///
    /// After a read that got less than it asked for, it waits first, as tokio does: another try would nearly
    /// always find nothing, twice, because [`Async`] reports the last event once more. Bytes that come in
    /// between are reported at once, since the poller looks at what is there, not at what changes.
    fn poll_read_with(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
        mut read: impl FnMut(&mut &Socket) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.drained {
                ready!(self.socket.poll_readable(cx))?;
                self.drained = false;
            }
            match read(&mut self.socket.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.drained = true,
                Ok(n) => {
                    self.drained = n < most;
                    return Poll::Ready(Ok(n));
                }
                error => return Poll::Ready(error),
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_read_with(cx, buf.len(), |socket| socket.read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let slices = bufs.len().min(MAX_SLICES);
        let bufs = &mut bufs[..slices];
        let most = bufs.iter().map(|buf| buf.len()).sum();
        self.get_mut().poll_read_with(cx, most, |socket| socket.read_vectored(bufs))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_with(
            || system::send(&SockRef::from(self.socket.get_ref()), buf),
            || self.socket.poll_writable(cx),
        )
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_with(
            || system::send_vectored(&SockRef::from(self.socket.get_ref()), bufs),
            || self.socket.poll_writable(cx),
        )
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

/// Takes over a socket that is registered already and connected.
impl From<Async<Socket>> for Stream {
    fn from(socket: Async<Socket>) -> Self {
        Self { socket, clock: SmolClock::default(), drained: false }
    }
}

/// Takes over a TCP socket. An error if the reactor cannot register it anew.
impl TryFrom<Async<TcpStream>> for Stream {
    type Error = io::Error;

    fn try_from(socket: Async<TcpStream>) -> io::Result<Self> {
        Async::new(socket.into_inner()?.into()).map(Self::from)
    }
}

/// Takes over a Unix socket. An error if the reactor cannot register it anew.
#[cfg(unix)]
impl TryFrom<Async<UnixStream>> for Stream {
    type Error = io::Error;

    fn try_from(socket: Async<UnixStream>) -> io::Result<Self> {
        Async::new(socket.into_inner()?.into()).map(Self::from)
    }
}

#[cfg(unix)]
impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(unix)]
impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(windows)]
impl AsSocket for Stream {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.socket.as_socket()
    }
}
