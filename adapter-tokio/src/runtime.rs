//! What tokio offers: sockets, a timer, a resolver.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use asyncnet::{Direction, OsSocket, Runtime, Timer};
use socket2::{SockAddr, SockRef, Socket};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
#[cfg(unix)]
use tokio::net::{UnixDatagram, UnixListener, UnixStream};
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

/// The socket under a [`Datagram`](asyncnet::Datagram), UDP or Unix.
#[derive(Debug)]
pub struct Datagrams(Messages);

#[derive(Debug)]
enum Messages {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

/// The same expression for either kind of socket in `Messages`.
macro_rules! messages {
    ($socket:expr, $name:ident => $then:expr) => {
        match $socket {
            Messages::Udp($name) => $then,
            #[cfg(unix)]
            Messages::Unix($name) => $then,
        }
    };
}

type Boxed<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Runtime for Tokio {
    type Stream = Stream;
    type Listener = Acceptor;
    type Datagram = Datagrams;
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

    fn datagram(socket: Socket) -> io::Result<Datagrams> {
        socket.set_nonblocking(true)?;
        #[cfg(unix)]
        if socket.local_addr()?.is_unix() {
            return Ok(Datagrams(Messages::Unix(UnixDatagram::from_std(socket.into())?)));
        }
        Ok(Datagrams(Messages::Udp(UdpSocket::from_std(socket.into())?)))
    }

    fn poll_datagram<T>(
        socket: &Datagrams,
        direction: Direction,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&SockRef<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let done = messages!(&socket.0, socket => {
                let interest = match direction {
                    Direction::Read => {
                        ready!(socket.poll_recv_ready(cx))?;
                        Interest::READABLE
                    }
                    Direction::Write => {
                        ready!(socket.poll_send_ready(cx))?;
                        Interest::WRITABLE
                    }
                };
                socket.try_io(interest, || attempt(&SockRef::from(socket)))
            });
            match done {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn datagram_socket(socket: &Datagrams) -> OsSocket<'_> {
        #[cfg(unix)]
        return messages!(&socket.0, socket => std::os::fd::AsFd::as_fd(socket));
        #[cfg(windows)]
        return messages!(&socket.0, socket => std::os::windows::io::AsSocket::as_socket(socket));
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
