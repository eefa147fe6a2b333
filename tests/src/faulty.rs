//! A runtime whose accepts, lookups and connects fail as told.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, ready};
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use asyncnet::net::SystemSocket;
use asyncnet::runtime::Datagrams;
use asyncnet::{Address, Runtime};

use crate::bed::System;

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

impl<R: System> Runtime for Faulty<R> {
    type Stream = R::Stream;
    type Socket = SystemSocket;
    type Listener = R::Listener;
    type Clock = R::Clock;
    type Connect = Pin<Box<dyn Future<Output = io::Result<R::Stream>>>>;
    type Resolve = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>>>>;

    fn connect(socket: SystemSocket, address: &Address) -> Self::Connect {
        match address.ip() {
            Some(address) if SILENT.get() == Some(address) => Box::pin(pending()),
            _ => Box::pin(R::connect(socket, address)),
        }
    }

    fn stream(socket: SystemSocket) -> io::Result<Self::Stream> {
        R::stream(socket)
    }

    fn listener(socket: SystemSocket) -> io::Result<Self::Listener> {
        R::listener(socket)
    }

    fn poll_accept(
        listener: &Self::Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, Address)>> {
        POLLS.set(POLLS.get() + 1);
        match ERRORS.with_borrow_mut(VecDeque::pop_front) {
            Some(error) => Poll::Ready(Err(error)),
            None => R::poll_accept(listener, cx),
        }
    }

    fn listener_addr(listener: &Self::Listener) -> io::Result<Address> {
        R::listener_addr(listener)
    }

    fn resolve(host: &str, port: u16) -> Self::Resolve {
        match NAMES.with_borrow(Clone::clone) {
            Some(addresses) => Box::pin(ready(Ok(addresses))),
            None => Box::pin(R::resolve(host, port)),
        }
    }

    fn clock() -> Self::Clock {
        R::clock()
    }
}

impl<R: System> Datagrams for Faulty<R> {
    type Datagram = R::Datagram;

    fn datagram(socket: SystemSocket) -> io::Result<Self::Datagram> {
        R::datagram(socket)
    }

    fn poll_send_to(
        socket: &Self::Datagram,
        cx: &mut Context<'_>,
        message: &[u8],
        to: &Address,
    ) -> Poll<io::Result<()>> {
        R::poll_send_to(socket, cx, message, to)
    }

    fn poll_recv_from(
        socket: &Self::Datagram,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<io::Result<(Vec<u8>, Address)>> {
        R::poll_recv_from(socket, cx, max)
    }

    fn datagram_addr(socket: &Self::Datagram) -> io::Result<Address> {
        R::datagram_addr(socket)
    }
}
