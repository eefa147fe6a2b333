//! What smol offers: sockets, a clock, a resolver.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_io::{Async, Timer};
use asyncnet::net::OsSocket;
use asyncnet::net::{SystemSocket, system};
use asyncnet::runtime::Datagrams;
use asyncnet::{Address, Runtime};
use blocking::Task;
use socket2::{SockAddr, SockRef, Socket};

use crate::{SmolClock, Stream};

/// The smol runtime.
#[doc(alias = "asyncCheck")]
#[doc(alias = "runForever")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Smol;

impl Runtime for Smol {
    type Stream = Stream;
    type Socket = SystemSocket;
    type Listener = Async<Socket>;
    type Clock = SmolClock;
    type Connect = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;
    type Resolve = Task<io::Result<Vec<SocketAddr>>>;

    fn connect(socket: Socket, address: &Address) -> Self::Connect {
        let address = SockAddr::try_from(address);
        Box::pin(async move { connect(socket, &address?).await.map(Stream::from) })
    }

    fn stream(socket: Socket) -> io::Result<Stream> {
        Async::new(socket).map(Stream::from)
    }

    fn listener(socket: Socket) -> io::Result<Async<Socket>> {
        Async::new(socket)
    }

    fn poll_accept(
        listener: &Async<Socket>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Stream, Address)>> {
        let (socket, peer) =
            ready!(poll_with(|| listener.get_ref().accept(), || listener.poll_readable(cx)))?;
        Poll::Ready(Ok((Self::stream(socket)?, peer.into())))
    }

    fn listener_addr(listener: &Async<Socket>) -> io::Result<Address> {
        Ok(listener.get_ref().local_addr()?.into())
    }

    fn listener_socket(listener: &Async<Socket>) -> Option<OsSocket<'_>> {
        #[cfg(unix)]
        return Some(std::os::fd::AsFd::as_fd(listener));
        #[cfg(windows)]
        return Some(std::os::windows::io::AsSocket::as_socket(listener));
    }

    fn resolve(host: &str, port: u16) -> Self::Resolve {
        let host = host.to_owned();
        blocking::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()))
    }

    fn clock() -> SmolClock {
        SmolClock::default()
    }
}

impl Datagrams for Smol {
    type Datagram = Async<Socket>;

    fn datagram(socket: Socket) -> io::Result<Async<Socket>> {
        Async::new(socket)
    }

    fn poll_send_to(
        socket: &Async<Socket>,
        cx: &mut Context<'_>,
        message: &[u8],
        to: &Address,
    ) -> Poll<io::Result<()>> {
        poll_with(
            || system::send_to(&SockRef::from(socket.get_ref()), message, to),
            || socket.poll_writable(cx),
        )
    }

    fn poll_recv_from(
        socket: &Async<Socket>,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<io::Result<(Vec<u8>, Address)>> {
        poll_with(
            || system::recv_from(&SockRef::from(socket.get_ref()), max),
            || socket.poll_readable(cx),
        )
    }

    fn datagram_addr(socket: &Async<Socket>) -> io::Result<Address> {
        Self::listener_addr(socket)
    }

    fn datagram_socket(socket: &Async<Socket>) -> Option<OsSocket<'_>> {
        Self::listener_socket(socket)
    }
}

/// Tries at once, and again whenever the socket may be ready.
pub(crate) fn poll_with<T>(
    mut attempt: impl FnMut() -> io::Result<T>,
    mut poll_ready: impl FnMut() -> Poll<io::Result<()>>,
) -> Poll<io::Result<T>> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(poll_ready())?,
            done => return Poll::Ready(done),
        }
    }
}

async fn connect(socket: Socket, address: &SockAddr) -> io::Result<Async<Socket>> {
    socket.set_nonblocking(true)?;
    start_connect(&socket, address).await?;
    let socket = Async::new_nonblocking(socket)?;
    socket.writable().await?;
    match socket.get_ref().take_error()? {
        Some(error) => Err(error),
        None => Ok(socket),
    }
}

/// The first and the longest pause before a full backlog is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Returns once `socket` is connected or about to be.
///
/// A Unix listener whose backlog is full refuses for now, and no event tells when that changes: this
/// tries until it succeeds. The caller drops the future when it has waited long enough.
async fn start_connect(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    let (mut pause, longest) = PAUSES;
    loop {
        match socket.connect(address) {
            Err(error) if is_under_way(&error) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && address.is_unix() => {}
            done => return done,
        }
        Timer::after(pause).await;
        pause = longest.min(pause * 2);
    }
}

fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::EINPROGRESS);
    #[cfg(windows)]
    return error.kind() == io::ErrorKind::WouldBlock;
}
