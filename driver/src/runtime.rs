//! What an async runtime has to offer: sockets, a timer, a resolver.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockAddr, SockRef, Socket};

use crate::{OsSocket, Transport};

/// A sleep without a name. `Send + Sync`, so that a connection which holds one stays both.
pub type BoxSleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// Makes sleeps: what a connection needs a runtime for, once it is made.
pub type Timer = fn(Duration) -> BoxSleep;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the socket.
    Read,
    /// To the socket.
    Write,
}

/// An async runtime, as far as sockets need one. Implemented once by each adapter crate.
///
/// A program rarely sees it: it takes its types from an adapter, and protocol code is generic over the
/// stream, `async fn serve<S: Transport>(conn: Connection<S>)`. Code that makes its own listeners and is
/// generic over the runtime asks for [`SendRuntime`] if it spawns.
///
/// All futures are named types, so that a caller can ask for `Send` where it needs it and only there.
pub trait Runtime: 'static {
    /// A connected stream.
    type Stream: Transport + 'static;
    /// A listening socket.
    type Listener: 'static;
    /// A datagram socket.
    type Datagram: 'static;
    /// Connects a socket.
    type Connect: Future<Output = io::Result<Self::Stream>>;
    /// Looks up a name.
    type Resolve: Future<Output = io::Result<Vec<SocketAddr>>>;
    /// Sleeps.
    type Sleep: Future<Output = ()>;

    /// Connects `socket`, configured and perhaps bound, to `address`. Dropping the future closes it.
    fn connect(socket: Socket, address: SockAddr) -> Self::Connect;

    /// Takes over a connected socket.
    ///
    /// # Errors
    ///
    /// If the runtime cannot register it.
    fn stream(socket: Socket) -> io::Result<Self::Stream>;

    /// Takes over a listening socket.
    ///
    /// # Errors
    ///
    /// If the runtime cannot register it.
    fn listener(socket: Socket) -> io::Result<Self::Listener>;

    /// Takes a connection from the queue of `listener`, close-on-exec. On `Pending` it wakes the waker
    /// of the last poll; a [`Listener`](crate::Listener) fans that out to all that wait.
    ///
    /// # Errors
    ///
    /// As the socket says.
    fn poll_accept(
        listener: &Self::Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, SockAddr)>>;

    /// The operating system's socket under `listener`.
    fn listener_socket(listener: &Self::Listener) -> OsSocket<'_>;

    /// Takes over a datagram socket.
    ///
    /// # Errors
    ///
    /// If the runtime cannot register it.
    fn datagram(socket: Socket) -> io::Result<Self::Datagram>;

    /// Calls `attempt` whenever `socket` may be ready, until it answers anything but `WouldBlock`. On
    /// `Pending` it wakes the waker of the last poll in that direction.
    ///
    /// # Errors
    ///
    /// Those of `attempt`, and of the reactor.
    fn poll_datagram<T>(
        socket: &Self::Datagram,
        direction: Direction,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&SockRef<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>>;

    /// The operating system's socket under `socket`.
    fn datagram_socket(socket: &Self::Datagram) -> OsSocket<'_>;

    /// Looks up the addresses of `host`, off the reactor.
    fn resolve(host: String, port: u16) -> Self::Resolve;

    /// A future that is ready after `duration`.
    fn sleep(duration: Duration) -> Self::Sleep;

    /// The same for a connection, which does not know its runtime.
    fn timer() -> Timer;
}

/// A [`Runtime`] whose connections and futures can move between threads. Every runtime that can, is one.
pub trait SendRuntime:
    Runtime<
        Stream: Send + Sync,
        Listener: Send + Sync,
        Datagram: Send + Sync,
        Connect: Send,
        Resolve: Send,
        Sleep: Send,
    >
{
}

impl<R> SendRuntime for R where
    R: Runtime<
            Stream: Send + Sync,
            Listener: Send + Sync,
            Datagram: Send + Sync,
            Connect: Send,
            Resolve: Send,
            Sleep: Send,
        >
{
}
