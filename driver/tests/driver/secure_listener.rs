//! A listener whose connections are TLS, over a runtime in memory: many handshakes, most of them bad.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, Pending, Ready, pending, ready};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use asyncnet::{
    AsyncSocket, Direction, Domain, Listener, OsSocket, Protocol, Runtime, SockType, Timer,
    TlsContext,
};
use socket2::{SockAddr, SockRef, Socket};

use crate::pipe::{End, duplex};
use crate::{WIDE, clock};

thread_local! {
    /// The queue of the system.
    static QUEUE: RefCell<VecDeque<End>> = const { RefCell::new(VecDeque::new()) };
}

struct Memory;

impl Runtime for Memory {
    type Stream = End;
    type Listener = Socket;
    type Datagram = Socket;
    type Connect = Pending<io::Result<End>>;
    type Resolve = Ready<io::Result<Vec<SocketAddr>>>;
    type Sleep = Pending<()>;

    fn connect(_: Socket, _: SockAddr) -> Self::Connect {
        pending()
    }

    fn stream(_: Socket) -> io::Result<End> {
        Err(ErrorKind::Unsupported.into())
    }

    fn listener(socket: Socket) -> io::Result<Socket> {
        Ok(socket)
    }

    fn poll_accept(_: &Socket, _: &mut Context<'_>) -> Poll<io::Result<(End, SockAddr)>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into();
        match QUEUE.with_borrow_mut(VecDeque::pop_front) {
            Some(end) => Poll::Ready(Ok((end, address))),
            None => Poll::Pending,
        }
    }

    fn listener_socket(listener: &Socket) -> OsSocket<'_> {
        use std::os::fd::AsFd as _;
        listener.as_fd()
    }

    fn datagram(socket: Socket) -> io::Result<Socket> {
        Ok(socket)
    }

    fn poll_datagram<T>(
        _: &Socket,
        _: Direction,
        _: &mut Context<'_>,
        _: impl FnMut(&SockRef<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        Poll::Pending
    }

    fn datagram_socket(socket: &Socket) -> OsSocket<'_> {
        Self::listener_socket(socket)
    }

    fn resolve(_: String, _: u16) -> Self::Resolve {
        ready(Err(ErrorKind::Unsupported.into()))
    }

    fn sleep(_: Duration) -> Self::Sleep {
        pending()
    }

    fn timer() -> Timer {
        clock::timer
    }
}

fn listen() -> Listener<Memory> {
    let made = rcgen::generate_simple_self_signed(["server.test".to_owned()]).unwrap();
    let key = made.signing_key.serialize_pem();
    let server = TlsContext::server().identity_pem(made.cert.pem().as_bytes(), key.as_bytes());
    let mut socket =
        AsyncSocket::<Memory>::new(Domain::Inet, SockType::Stream, Protocol::Tcp).unwrap();
    socket.wrap_tls(&server.unwrap().build().unwrap());
    socket.listen(1).unwrap()
}

/// Peers that left without a word.
fn queue_leavers(n: usize) {
    QUEUE.with_borrow_mut(|queue| queue.extend((0..n).map(|_| duplex(WIDE).0)));
}

fn queued() -> usize {
    QUEUE.with_borrow(VecDeque::len)
}

/// Polls another accept at once, wherever it is called.
struct Eager(Weak<Listener<Memory>>);

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        let Some(listener) = self.0.upgrade() else { return };
        let mut accept = pin!(listener.accept());
        assert!(accept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}

#[test]
fn t6_a_failed_handshake_wakes_nobody_under_a_lock() {
    let (done, is_done) = channel();
    thread::spawn(move || {
        let listener = Arc::new(listen());
        queue_leavers(3);
        let waker = Waker::from(Arc::new(Eager(Arc::downgrade(&listener))));
        let mut accept = pin!(listener.accept());
        assert!(accept.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(listener.open(), 0);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(60)).expect("no deadlock");
}

#[test]
fn t6_a_crowd_of_bad_peers_leaves_others_their_turn() {
    const CROWD: usize = 1000;
    let listener = listen();
    queue_leavers(CROWD);
    let mut accept = pin!(listener.accept());
    let mut polls = 0;
    let mut poll = || {
        polls += 1;
        accept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    };
    assert!(poll());
    assert!(queued() > CROWD / 2, "{} are left", queued());
    while queued() > 0 {
        assert!(poll());
    }
    assert!(polls < CROWD, "{polls} polls");
    assert_eq!(listener.open(), 0);
}
