//! What an async runtime has to offer: sockets, a clock, a resolver.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::net::{Domain, Setting, SockOpt};
#[cfg(unix)]
use crate::process::Descriptor;
use crate::transport::OsSocket;
pub use crate::transport::{MaybeClock, NoClock, Sleep};
use crate::{Address, Clock, Transport};

/// An async runtime, as far as sockets need one. Implemented once by each adapter crate.
///
/// A program rarely sees it: it takes its types from an adapter, and protocol code is generic over the
/// stream, `async fn serve<S: Transport>(conn: Connection<S>)`. Code that makes its own listeners and is
/// generic over the runtime asks for [`SendRuntime`] if it spawns.
///
/// A runtime need not have sockets of the operating system, and neither its futures nor its clocks need to
/// be `Send`: a simulated runtime, single-threaded and in memory, fits. All futures are named types, so that
/// a caller can ask for `Send` where it needs it and only there.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a runtime of asyncnet",
    note = "use `Tokio`, `Smol` or `AsyncStd` from the adapter crates `asyncnet-tokio`, `asyncnet-smol` and `asyncnet-async-std`"
)]
pub trait Runtime: Sized + 'static {
    /// A connected stream.
    type Stream: Transport + 'static;
    /// A socket that is neither connected nor listening yet. Runtimes over the operating system have
    /// [`SystemSocket`](crate::net::SystemSocket), and with it all options and sockets made elsewhere.
    type Socket: Socket;
    /// A listening socket.
    type Listener: 'static;
    /// The clock of the runtime.
    type Clock: Clock + 'static;
    /// Connects a socket.
    type Connect: Future<Output = io::Result<Self::Stream>>;
    /// Looks up a name.
    type Resolve: Future<Output = io::Result<Vec<SocketAddr>>>;

    /// Connects `socket`, configured and perhaps bound, to `address`. Dropping the future closes it.
    fn connect(socket: Self::Socket, address: &Address) -> Self::Connect;

    /// Takes over a connected socket.
    ///
    /// # Errors
    ///
    /// If the runtime cannot register it.
    fn stream(socket: Self::Socket) -> io::Result<Self::Stream>;

    /// Takes over a listening socket.
    ///
    /// # Errors
    ///
    /// If the runtime cannot register it.
    fn listener(socket: Self::Socket) -> io::Result<Self::Listener>;

    /// Takes a connection from the queue of `listener`, close-on-exec, and the address of the peer. On
    /// `Pending` it wakes the waker of the last poll; a [`Listener`](crate::Listener) passes that on to all
    /// tasks that wait.
    ///
    /// # Errors
    ///
    /// As the socket says.
    fn poll_accept(
        listener: &Self::Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, Address)>>;

    /// The address of `listener`.
    ///
    /// # Errors
    ///
    /// As the socket says.
    fn listener_addr(listener: &Self::Listener) -> io::Result<Address>;

    /// The operating system's socket under `listener`, if there is one. Default: none.
    fn listener_socket(listener: &Self::Listener) -> Option<OsSocket<'_>> {
        let _ = listener;
        None
    }

    /// Looks up the addresses of `host`, without blocking the thread.
    fn resolve(host: &str, port: u16) -> Self::Resolve;

    /// A clock. Each has its own start and its own alarm.
    fn clock() -> Self::Clock;

    /// A future that is ready once `duration` has passed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it only waits.
    fn sleep(duration: Duration) -> Sleep<Self::Clock> {
        Sleep::new(Self::clock(), duration)
    }
}

/// A socket before it is connected or listens: made, given options, bound.
///
/// The driver implements it for the operating system's sockets
/// ([`SystemSocket`](crate::net::SystemSocket)). A simulated runtime has one of its own.
pub trait Socket: Sized + 'static {
    /// Makes a socket for a stream: TCP, or a Unix stream.
    ///
    /// # Errors
    ///
    /// If the system has no such socket, or no descriptor left.
    fn stream(domain: Domain) -> io::Result<Self>;

    /// Takes the listening socket that the supervisor of the process passed in under this name. Default:
    /// `Unsupported`.
    ///
    /// # Errors
    ///
    /// If there is none, it was taken before, or it is no listening socket.
    fn inherited(name: &str) -> io::Result<Self> {
        let _ = name;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes a socket for datagrams: UDP, or Unix datagrams. Default: `Unsupported`.
    ///
    /// # Errors
    ///
    /// As [`stream`](Self::stream).
    fn datagram(domain: Domain) -> io::Result<Self> {
        let _ = domain;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Changes a setting.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a setting that the runtime does not have; others as the system says.
    fn set(&self, setting: Setting) -> io::Result<()>;

    /// Whether an option is on.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    fn get(&self, option: SockOpt) -> io::Result<bool>;

    /// Binds the socket.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn bind(&self, address: &Address) -> io::Result<()>;

    /// Starts to listen. At most `backlog` connections wait to be accepted.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn listen(&self, backlog: i32) -> io::Result<()>;

    /// The address of the socket.
    ///
    /// # Errors
    ///
    /// As the system says.
    fn local_addr(&self) -> io::Result<Address>;

    /// The operating system's socket, if there is one. Default: none.
    fn os_socket(&self) -> Option<OsSocket<'_>> {
        None
    }
}

/// A runtime that has datagrams.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a runtime that has datagrams",
    note = "use `Tokio`, `Smol` or `AsyncStd` from the adapter crates; generic code asks for `R: asyncnet::runtime::Datagrams`"
)]
pub trait Datagrams: Runtime {
    /// A datagram socket.
    type Datagram: 'static;

    /// Takes over a datagram socket, bound or not.
    ///
    /// # Errors
    ///
    /// If the runtime cannot register it.
    fn datagram(socket: Self::Socket) -> io::Result<Self::Datagram>;

    /// Sends one datagram, whole or not at all. On `Pending` it wakes the waker of the last poll.
    ///
    /// # Errors
    ///
    /// As the socket says.
    fn poll_send_to(
        socket: &Self::Datagram,
        cx: &mut Context<'_>,
        message: &[u8],
        to: &Address,
    ) -> Poll<io::Result<()>>;

    /// Receives one datagram of at most `max` bytes, whole. On `Pending` it wakes the waker of the last
    /// poll. One call runs at a time.
    ///
    /// # Errors
    ///
    /// As the socket says; `InvalidData` with a [`DatagramTooLong`](crate::net::DatagramTooLong) inside for a
    /// datagram that is longer, which stays in the socket.
    fn poll_recv_from(
        socket: &Self::Datagram,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<io::Result<(Vec<u8>, Address)>>;

    /// The address of `socket`.
    ///
    /// # Errors
    ///
    /// As the socket says.
    fn datagram_addr(socket: &Self::Datagram) -> io::Result<Address>;

    /// The operating system's socket under `socket`, if there is one. Default: none.
    fn datagram_socket(socket: &Self::Datagram) -> Option<OsSocket<'_>> {
        let _ = socket;
        None
    }
}

/// A runtime that polls pipes: what [`process::stdio`](crate::process::stdio) and
/// [`process::child`](crate::process::child) need.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a runtime that polls pipes",
    note = "use `Tokio`, `Smol` or `AsyncStd` from the adapter crates; generic code asks for `R: asyncnet::runtime::Pipes`"
)]
pub trait Pipes: Runtime {
    /// A registered descriptor.
    #[cfg(unix)]
    type Pipe: Send + Unpin + 'static;

    /// Registers a descriptor.
    ///
    /// # Errors
    ///
    /// If the runtime cannot register it.
    #[cfg(unix)]
    fn pipe(descriptor: Descriptor) -> io::Result<Self::Pipe>;

    /// Calls `read` at once, and again whenever the descriptor may be readable, until it does not answer
    /// `WouldBlock`. On `Pending` it wakes the waker of the last poll.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    #[cfg(unix)]
    fn poll_pipe_read(
        pipe: &Self::Pipe,
        cx: &mut Context<'_>,
        read: &mut dyn FnMut(&Descriptor) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>;

    /// The same for a write and a descriptor that may be writable.
    ///
    /// # Errors
    ///
    /// Those of `write`.
    #[cfg(unix)]
    fn poll_pipe_write(
        pipe: &Self::Pipe,
        cx: &mut Context<'_>,
        write: &mut dyn FnMut(&Descriptor) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>;
}

/// A [`Runtime`] whose connections and futures can move between threads: for generic code that spawns.
/// Every runtime that can, is one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a runtime of asyncnet whose connections and futures can move between threads",
    note = "`Tokio`, `Smol` and `AsyncStd` of the adapter crates are; generic code that spawns asks for `R: asyncnet::SendRuntime`, not for `R: asyncnet::Runtime`"
)]
pub trait SendRuntime:
    Runtime<
        Stream: Send + Sync,
        Socket: Send + Sync,
        Listener: Send + Sync,
        Clock: Send,
        Connect: Send,
        Resolve: Send,
    >
{
}

#[diagnostic::do_not_recommend]
impl<R> SendRuntime for R where
    R: Runtime<
            Stream: Send + Sync,
            Socket: Send + Sync,
            Listener: Send + Sync,
            Clock: Send,
            Connect: Send,
            Resolve: Send,
        >
{
}
