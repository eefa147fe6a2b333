//! What tokio offers: sockets, a timer, a resolver.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use asyncnet::{OsSocket, Runtime, Timer};
#[cfg(unix)]
use socket2::SockRef;
use socket2::{SockAddr, Socket};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Sleep;

use crate::Stream;

/// The tokio runtime. See the [crate's page](crate) for the drivers it needs.
#[doc(alias = "asyncCheck")]
#[doc(alias = "runForever")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tokio;

/// The listening socket under a listener, TCP or Unix.
#[derive(Debug)]
pub struct Acceptor(Inner);

#[derive(Debug)]
enum Inner {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

type Boxed<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Runtime for Tokio {
    type Stream = Stream;
    type Listener = Acceptor;
    type Connect = Boxed<Stream>;
    type Resolve = Boxed<Vec<SocketAddr>>;
    type Sleep = Sleep;

    fn connect(socket: Socket, address: SockAddr) -> Self::Connect {
        Box::pin(connect(socket, address))
    }

    fn stream(socket: Socket) -> io::Result<Stream> {
        socket.set_nonblocking(true)?;
        #[cfg(unix)]
        if socket.local_addr()?.is_unix() {
            return UnixStream::from_std(socket.into()).map(Stream::from);
        }
        TcpStream::from_std(socket.into()).map(Stream::from)
    }

    fn listener(socket: Socket) -> io::Result<Acceptor> {
        socket.set_nonblocking(true)?;
        #[cfg(unix)]
        if socket.local_addr()?.is_unix() {
            return Ok(Acceptor(Inner::Unix(UnixListener::from_std(socket.into())?)));
        }
        Ok(Acceptor(Inner::Tcp(TcpListener::from_std(socket.into())?)))
    }

    fn poll_accept(
        listener: &Acceptor,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Stream, SockAddr)>> {
        match &listener.0 {
            Inner::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok((stream.into(), peer.into())))
            }
            #[cfg(unix)]
            Inner::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                // tokio's address does not convert; a peer that is gone may have none, as most have.
                let peer = SockRef::from(&stream).peer_addr();
                let peer = peer.or_else(|_| SockAddr::unix(""))?;
                Poll::Ready(Ok((stream.into(), peer)))
            }
        }
    }

    fn listener_socket(listener: &Acceptor) -> OsSocket<'_> {
        #[cfg(unix)]
        return either!(&listener.0, socket => std::os::fd::AsFd::as_fd(socket));
        #[cfg(windows)]
        return either!(&listener.0, socket => std::os::windows::io::AsSocket::as_socket(socket));
    }

    fn resolve(host: String, port: u16) -> Self::Resolve {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }

    fn sleep(duration: Duration) -> Sleep {
        tokio::time::sleep(duration)
    }

    fn timer() -> Timer {
        |duration| Box::pin(Self::sleep(duration))
    }
}

/// The first and the longest pause before a full backlog is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

async fn connect(socket: Socket, address: SockAddr) -> io::Result<Stream> {
    socket.set_nonblocking(true)?;
    if let Some(address) = address.as_socket() {
        let socket = TcpSocket::from_std_stream(socket.into());
        return socket.connect(address).await.map(Stream::from);
    }
    // A Unix socket is connected at once, unless the listener's backlog is full: nothing tells when
    // that changes. Whoever has waited long enough drops the future.
    let (mut pause, longest) = PAUSES;
    while let Err(error) = socket.connect(&address) {
        if error.kind() != io::ErrorKind::WouldBlock {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause = longest.min(pause * 2);
    }
    Tokio::stream(socket)
}
