//! A runtime whose accepts, lookups and connects fail as told.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, ready};
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use asyncnet::{Direction, OsSocket, Runtime, Timer};
use socket2::{SockAddr, SockRef, Socket};

thread_local! {
    static ERRORS: RefCell<VecDeque<io::Error>> = const { RefCell::new(VecDeque::new()) };
    static POLLS: Cell<usize> = const { Cell::new(0) };
    static NAMES: RefCell<Option<Vec<SocketAddr>>> = const { RefCell::new(None) };
    static SILENT: Cell<Option<SocketAddr>> = const { Cell::new(None) };
}

/// The runtime `R`, but on this thread each of the errors given comes before the next connection.
pub(crate) struct Faulty<R>(PhantomData<R>);

impl<R> Faulty<R> {
    /// What the next accepts meet.
    pub(crate) fn inject(errors: impl IntoIterator<Item = io::Error>) {
        ERRORS.with_borrow_mut(|waiting| waiting.extend(errors));
    }

    /// How often an accept was polled on this thread.
    pub(crate) fn polls() -> usize {
        POLLS.get()
    }

    /// Every name on this thread has these addresses.
    pub(crate) fn name(addresses: impl IntoIterator<Item = SocketAddr>) {
        NAMES.set(Some(addresses.into_iter().collect()));
    }

    /// Nobody answers at `address`.
    pub(crate) fn silence(address: SocketAddr) {
        SILENT.set(Some(address));
    }
}

impl<R: Runtime> Runtime for Faulty<R> {
    type Stream = R::Stream;
    type Listener = R::Listener;
    type Datagram = R::Datagram;
    type Connect = Pin<Box<dyn Future<Output = io::Result<R::Stream>>>>;
    type Resolve = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>>>>;
    type Sleep = R::Sleep;

    fn connect(socket: Socket, address: SockAddr) -> Self::Connect {
        match address.as_socket() {
            Some(address) if SILENT.get() == Some(address) => Box::pin(pending()),
            _ => Box::pin(R::connect(socket, address)),
        }
    }

    fn stream(socket: Socket) -> io::Result<Self::Stream> {
        R::stream(socket)
    }

    fn listener(socket: Socket) -> io::Result<Self::Listener> {
        R::listener(socket)
    }

    fn poll_accept(
        listener: &Self::Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, SockAddr)>> {
        POLLS.set(POLLS.get() + 1);
        match ERRORS.with_borrow_mut(VecDeque::pop_front) {
            Some(error) => Poll::Ready(Err(error)),
            None => R::poll_accept(listener, cx),
        }
    }

    fn listener_socket(listener: &Self::Listener) -> OsSocket<'_> {
        R::listener_socket(listener)
    }

    fn datagram(socket: Socket) -> io::Result<Self::Datagram> {
        R::datagram(socket)
    }

    fn poll_datagram<T>(
        socket: &Self::Datagram,
        direction: Direction,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&SockRef<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        R::poll_datagram(socket, direction, cx, attempt)
    }

    fn datagram_socket(socket: &Self::Datagram) -> OsSocket<'_> {
        R::datagram_socket(socket)
    }

    fn resolve(host: String, port: u16) -> Self::Resolve {
        match NAMES.with_borrow(Clone::clone) {
            Some(addresses) => Box::pin(ready(Ok(addresses))),
            None => Box::pin(R::resolve(host, port)),
        }
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        R::sleep(duration)
    }

    fn timer() -> Timer {
        R::timer()
    }
}
