//! A toy runtime: all in memory and on one thread. It has no socket of the operating system, and its clocks
//! are not `Send`.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::{Ready, pending, ready};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use asyncnet::net::{Domain, OsSocket, Pipe, Setting, SockOpt, pipe};
use asyncnet::runtime::Socket;
use asyncnet::{Address, Clock, Runtime, Time, Transport};
use futures_io::{AsyncRead, AsyncWrite};

/// Everything that there is in the world of this thread.
#[derive(Default)]
struct World {
    now: Time,
    sleepers: Vec<Waker>,
    next_port: u16,
    queues: HashMap<SocketAddr, Rc<RefCell<Queue>>>,
    names: HashMap<String, Vec<SocketAddr>>,
}

/// The queue of a listener.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: VecDeque<(Stream, Address)>,
    errors: VecDeque<ErrorKind>,
    waker: Option<Waker>,
    polls: usize,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// Lets time pass, and wakes all that wait for it.
pub(crate) fn advance(time: Duration) {
    let sleepers = WORLD.with_borrow_mut(|world| {
        world.now = world.now + time;
        std::mem::take(&mut world.sleepers)
    });
    sleepers.into_iter().for_each(Waker::wake);
}

/// Gives a name its addresses.
pub(crate) fn name(host: &str, addresses: Vec<SocketAddr>) {
    WORLD.with_borrow_mut(|world| world.names.insert(host.into(), addresses));
}

fn queue_at(address: &Address) -> Option<Rc<RefCell<Queue>>> {
    let address = address.ip()?;
    WORLD.with_borrow(|world| world.queues.get(&address).cloned())
}

/// What the next accepts at `address` meet.
pub(crate) fn inject(address: &Address, errors: impl IntoIterator<Item = ErrorKind>) {
    queue_at(address).expect("a listener").borrow_mut().errors.extend(errors);
}

/// How often accept was polled at `address`, and how many peers wait there.
pub(crate) fn polls_and_waiting(address: &Address) -> (usize, usize) {
    let queue = queue_at(address).expect("a listener");
    let queue = queue.borrow();
    (queue.polls, queue.waiting.len())
}

/// A connect to this port is never answered.
pub(crate) const SILENT: u16 = 9999;

pub(crate) struct Toy;

/// A socket that is neither connected nor listening.
#[derive(Default)]
pub(crate) struct ToySocket {
    local: RefCell<Option<SocketAddr>>,
    settings: RefCell<Vec<Setting>>,
    listens: Cell<bool>,
}

impl Socket for ToySocket {
    fn stream(domain: Domain) -> io::Result<Self> {
        if domain == Domain::Unix {
            Err(ErrorKind::Unsupported.into())
        } else {
            Ok(Self::default())
        }
    }

    fn set(&self, setting: Setting) -> io::Result<()> {
        self.settings.borrow_mut().push(setting);
        Ok(())
    }

    fn get(&self, option: SockOpt) -> io::Result<bool> {
        let settings = self.settings.borrow();
        Ok(settings.contains(&Setting::Flag(option, true)))
    }

    fn bind(&self, address: &Address) -> io::Result<()> {
        let mut address = address.ip().ok_or(ErrorKind::InvalidInput)?;
        WORLD.with_borrow_mut(|world| {
            if address.port() == 0 {
                world.next_port += 1;
                address.set_port(world.next_port);
            }
            if world.queues.contains_key(&address) {
                return Err(ErrorKind::AddrInUse.into());
            }
            *self.local.borrow_mut() = Some(address);
            Ok(())
        })
    }

    fn listen(&self, _: i32) -> io::Result<()> {
        let address = self.local.borrow().ok_or(ErrorKind::InvalidInput)?;
        WORLD.with_borrow_mut(|world| world.queues.insert(address, Rc::default()));
        self.listens.set(true);
        Ok(())
    }

    fn local_addr(&self) -> io::Result<Address> {
        Ok(self.local.borrow().map_or(Address::Unnamed, Address::Ip))
    }
}

/// One end of a pipe, with a clock that cannot be sent.
pub(crate) struct Stream {
    pipe: Pipe,
    clock: ToyClock,
}

/// The time of this thread.
#[derive(Default)]
pub(crate) struct ToyClock(Rc<Cell<()>>);

impl Clock for ToyClock {
    fn now(&mut self) -> Time {
        WORLD.with_borrow(|world| world.now)
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, at: Time) -> Poll<()> {
        if self.now() >= at {
            return Poll::Ready(());
        }
        self.0.set(());
        WORLD.with_borrow_mut(|world| world.sleepers.push(cx.waker().clone()));
        Poll::Pending
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_close(cx)
    }
}

impl Transport for Stream {
    fn clock(&mut self) -> Option<&mut dyn Clock> {
        Some(&mut self.clock)
    }

    fn reset_on_drop(&mut self) {
        self.pipe.reset_on_drop();
    }
}

/// A listener, and where it is.
pub(crate) struct ToyListener(SocketAddr, Rc<RefCell<Queue>>);

/// Connects to `to`, as a peer that is no connection of ours.
pub(crate) fn connect(to: &Address) -> io::Result<Pipe> {
    let queue = queue_at(to).ok_or(ErrorKind::ConnectionRefused)?;
    let (ours, theirs) = pipe(usize::MAX);
    let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 60_000)).into();
    let theirs = Stream { pipe: theirs, clock: ToyClock::default() };
    queue.borrow_mut().waiting.push_back((theirs, from));
    let waker = queue.borrow_mut().waker.take();
    waker.into_iter().for_each(Waker::wake);
    Ok(ours)
}

impl Runtime for Toy {
    type Stream = Stream;
    type Socket = ToySocket;
    type Listener = ToyListener;
    type Clock = ToyClock;
    type Connect = Pin<Box<dyn Future<Output = io::Result<Stream>>>>;
    type Resolve = Ready<io::Result<Vec<SocketAddr>>>;

    fn connect(_: ToySocket, address: &Address) -> Self::Connect {
        if address.port() == SILENT {
            return Box::pin(pending());
        }
        let connected = connect(address).map(|pipe| Stream { pipe, clock: ToyClock::default() });
        Box::pin(ready(connected))
    }

    fn stream(_: ToySocket) -> io::Result<Stream> {
        Err(ErrorKind::NotConnected.into())
    }

    fn listener(socket: ToySocket) -> io::Result<ToyListener> {
        let address = socket.local_addr()?;
        let queue = queue_at(&address).filter(|_| socket.listens.get());
        let (ip, queue) = address.ip().zip(queue).ok_or(ErrorKind::InvalidInput)?;
        Ok(ToyListener(ip, queue))
    }

    fn poll_accept(
        listener: &ToyListener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Stream, Address)>> {
        let mut queue = listener.1.borrow_mut();
        queue.polls += 1;
        if let Some(error) = queue.errors.pop_front() {
            return Poll::Ready(Err(error.into()));
        }
        match queue.waiting.pop_front() {
            Some(accepted) => Poll::Ready(Ok(accepted)),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn listener_addr(listener: &ToyListener) -> io::Result<Address> {
        Ok(listener.0.into())
    }

    fn listener_socket(_: &ToyListener) -> Option<OsSocket<'_>> {
        None
    }

    fn resolve(host: &str, _: u16) -> Self::Resolve {
        let found = WORLD.with_borrow(|world| world.names.get(host).cloned());
        ready(found.ok_or_else(|| ErrorKind::NotFound.into()))
    }

    fn clock() -> ToyClock {
        ToyClock::default()
    }
}
