//! What tokio offers: sockets, a clock, a resolver.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use asyncnet::net::OsSocket;
use asyncnet::net::{SystemSocket, system};
use asyncnet::runtime::Datagrams;
use asyncnet::{Address, Runtime};
use socket2::{SockAddr, SockRef, Socket};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
#[cfg(unix)]
use tokio::net::{UnixDatagram, UnixListener, UnixStream};

use crate::{Stream, TokioClock};

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

/// The socket under a [`Datagram`](asyncnet::net::Datagram), UDP or Unix.
#[derive(Debug)]
pub struct DatagramSocket(Messages);

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
    type Socket = SystemSocket;
    type Listener = Acceptor;
    type Clock = TokioClock;
    type Connect = Boxed<Stream>;
    type Resolve = Boxed<Vec<SocketAddr>>;

    fn connect(socket: Socket, address: &Address) -> Self::Connect {
        Box::pin(connect(socket, address.clone()))
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
    ) -> Poll<io::Result<(Stream, Address)>> {
        match &listener.0 {
            Inner::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok((stream.into(), peer.into())))
            }
            #[cfg(unix)]
            Inner::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                // tokio's address does not convert. A peer that is gone has none, as most have none.
                let peer = SockRef::from(&stream).peer_addr();
                let peer = peer.map_or(Address::Unnamed, Address::from);
                Poll::Ready(Ok((stream.into(), peer)))
            }
        }
    }

    fn listener_addr(listener: &Acceptor) -> io::Result<Address> {
        Ok(either!(&listener.0, socket => SockRef::from(socket).local_addr())?.into())
    }

    fn listener_socket(listener: &Acceptor) -> Option<OsSocket<'_>> {
        #[cfg(unix)]
        return Some(either!(&listener.0, socket => std::os::fd::AsFd::as_fd(socket)));
        #[cfg(windows)]
        return Some(
            either!(&listener.0, socket => std::os::windows::io::AsSocket::as_socket(socket)),
        );
    }

    fn resolve(host: &str, port: u16) -> Self::Resolve {
        let host = host.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }

    fn clock() -> TokioClock {
        TokioClock::default()
    }
}

impl Datagrams for Tokio {
    type Datagram = DatagramSocket;

    fn datagram(socket: Socket) -> io::Result<DatagramSocket> {
        socket.set_nonblocking(true)?;
        #[cfg(unix)]
        if socket.local_addr()?.is_unix() {
            return Ok(DatagramSocket(Messages::Unix(UnixDatagram::from_std(socket.into())?)));
        }
        Ok(DatagramSocket(Messages::Udp(UdpSocket::from_std(socket.into())?)))
    }

    fn poll_send_to(
        socket: &DatagramSocket,
        cx: &mut Context<'_>,
        message: &[u8],
        to: &Address,
    ) -> Poll<io::Result<()>> {
        messages!(&socket.0, socket => loop {
            ready!(socket.poll_send_ready(cx))?;
            let send = || system::send_to(&SockRef::from(socket), message, to);
            match socket.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        })
    }

    fn poll_recv_from(
        socket: &DatagramSocket,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<io::Result<(Vec<u8>, Address)>> {
        messages!(&socket.0, socket => loop {
            ready!(socket.poll_recv_ready(cx))?;
            let recv = || system::recv_from(&SockRef::from(socket), max);
            match socket.try_io(Interest::READABLE, recv) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        })
    }

    fn datagram_addr(socket: &DatagramSocket) -> io::Result<Address> {
        Ok(messages!(&socket.0, socket => SockRef::from(socket).local_addr())?.into())
    }

    fn datagram_socket(socket: &DatagramSocket) -> Option<OsSocket<'_>> {
        #[cfg(unix)]
        return Some(messages!(&socket.0, socket => std::os::fd::AsFd::as_fd(socket)));
        #[cfg(windows)]
        return Some(
            messages!(&socket.0, socket => std::os::windows::io::AsSocket::as_socket(socket)),
        );
    }
}

/// The first and the longest pause before a full backlog is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

async fn connect(socket: Socket, address: Address) -> io::Result<Stream> {
    socket.set_nonblocking(true)?;
    if let Some(address) = address.ip() {
        let socket = TcpSocket::from_std_stream(socket.into());
        return socket.connect(address).await.map(Stream::from);
    }
    // A Unix socket is connected at once, unless the listener's backlog is full: no event tells when
    // that changes. The caller drops the future when it has waited long enough.
    let address = SockAddr::try_from(&address)?;
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
