//! What smol offers: sockets, a timer, a resolver.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_io::{Async, Timer};
use asyncnet::{Direction, OsSocket, Runtime};
use blocking::Task;
use socket2::{SockAddr, SockRef, Socket};

use crate::Stream;

/// The smol runtime.
#[doc(alias = "asyncCheck")]
#[doc(alias = "runForever")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Smol;

impl Runtime for Smol {
    type Stream = Stream;
    type Listener = Async<Socket>;
    type Datagram = Async<Socket>;
    type Connect = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;
    type Resolve = Task<io::Result<Vec<SocketAddr>>>;
    type Sleep = Sleep;

    fn connect(socket: Socket, address: SockAddr) -> Self::Connect {
        Box::pin(async move { connect(socket, &address).await.map(Stream::from) })
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
    ) -> Poll<io::Result<(Stream, SockAddr)>> {
        loop {
            match listener.get_ref().accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                accepted => {
                    let (socket, peer) = accepted?;
                    return Poll::Ready(Ok((Self::stream(socket)?, peer)));
                }
            }
            ready!(listener.poll_readable(cx))?;
        }
    }

    fn listener_socket(listener: &Async<Socket>) -> OsSocket<'_> {
        #[cfg(unix)]
        return std::os::fd::AsFd::as_fd(listener);
        #[cfg(windows)]
        return std::os::windows::io::AsSocket::as_socket(listener);
    }

    fn datagram(socket: Socket) -> io::Result<Async<Socket>> {
        Async::new(socket)
    }

    fn poll_datagram<T>(
        socket: &Async<Socket>,
        direction: Direction,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&SockRef<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match attempt(&SockRef::from(socket.get_ref())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
            ready!(match direction {
                Direction::Read => socket.poll_readable(cx),
                Direction::Write => socket.poll_writable(cx),
            })?;
        }
    }

    fn datagram_socket(socket: &Async<Socket>) -> OsSocket<'_> {
        Self::listener_socket(socket)
    }

    fn resolve(host: String, port: u16) -> Self::Resolve {
        blocking::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()))
    }

    fn sleep(duration: Duration) -> Sleep {
        Sleep(Timer::after(duration))
    }

    fn timer() -> asyncnet::Timer {
        |duration| Box::pin(Self::sleep(duration))
    }
}

/// A future that is ready after a while. See [`Runtime::sleep`].
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep(Timer);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
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
/// A Unix listener whose backlog is full refuses for now, and nothing tells when that changes: this
/// tries until it succeeds. Whoever has waited long enough drops the future.
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
