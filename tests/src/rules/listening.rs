//! [A1] to [A3] and [A7]: accepting connections.
//!
//! [A1]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a1
//! [A3]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a3
//! [A7]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a7

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use asyncnet::net::{OsSocket, Setting, SockOpt};
use asyncnet::{AsyncSocket, Config, Listener, Transport};
use futures_lite::future::{poll_once, yield_now};
use socket2::{SockAddr, SockRef};

use crate::bed::{Peer, Platform, System};
use crate::faulty::Faulty;
use crate::sockets::SocketPeer;
use crate::tools::{assert_err, assert_line, interrupted, kind, waits};

async fn listen<R: System>(config: Config, nodelay: bool) -> (Listener<R>, SockAddr) {
    let mut socket = AsyncSocket::<R>::default().with_config(config);
    let set = socket.set(Setting::Flag(SockOpt::NoDelay, nodelay));
    set.expect("an option");
    socket.bind_addr("127.0.0.1", 0).await.expect("a port");
    let listener = socket.listen(16).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let address: SocketAddr = address.ip().expect("TCP");
    (listener, address.into())
}

/// A machine without descriptors or memory: the accept waits, tries again, and does not spin.
pub async fn a1_a_shortage_is_waited_out_without_spinning<P: Platform>() {
    let (listener, address) = listen::<Faulty<P::Runtime>>(Config::default(), true).await;
    // "Too many open files", as Windows and every Unix have it.
    let emfile = || Error::from_raw_os_error(if cfg!(windows) { 10024 } else { 24 });
    Faulty::<P::Runtime>::inject([emfile(), ErrorKind::OutOfMemory.into(), emfile()]);
    let peer = SocketPeer::connect(&address);
    peer.send(b"line\n").await;
    let mut accepting = pin!(listener.accept());
    assert!(poll_once(accepting.as_mut()).await.is_none());
    assert_eq!(Faulty::<P::Runtime>::polls(), 1, "it tried again at once");
    let mut conn = accepting.await.expect("the shortage has passed");
    assert_line!(conn, "line");
    let polls = Faulty::<P::Runtime>::polls();
    assert!(polls <= 12, "it spins: {polls} polls");
}

/// What concerns one peer that is gone does not concern the accept.
pub async fn a2_an_error_about_one_peer_is_passed_over<P: Platform>() {
    let (listener, address) = listen::<Faulty<P::Runtime>>(Config::default(), true).await;
    Faulty::<P::Runtime>::inject(
        [
            ErrorKind::ConnectionAborted,
            ErrorKind::ConnectionReset,
            ErrorKind::Interrupted,
            ErrorKind::TimedOut,
            ErrorKind::HostUnreachable,
            ErrorKind::NetworkUnreachable,
            ErrorKind::NetworkDown,
        ]
        .map(Error::from),
    );
    let peer = SocketPeer::connect(&address);
    peer.send(b"line\n").await;
    let mut conn = listener.accept().await.expect("the next peer");
    assert_line!(conn, "line");
}

/// An error of the listener itself is told.
pub async fn a2_any_other_error_is_told<P: Platform>() {
    let (listener, address) = listen::<Faulty<P::Runtime>>(Config::default(), true).await;
    Faulty::<P::Runtime>::inject([ErrorKind::InvalidInput.into()]);
    let error = listener.accept().await.expect_err("a broken listener");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // Whoever thinks otherwise may go on.
    let _peer = SocketPeer::connect(&address);
    listener.accept().await.expect("a connection");
}

/// Peers that left before they were accepted cost nobody else.
pub async fn a2_a_peer_that_left_early_costs_nothing_but_itself<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(Config::default(), true).await;
    for _ in 0..3 {
        SocketPeer::connect(&address).reset();
        drop(SocketPeer::connect(&address));
    }
    let peer = SocketPeer::connect(&address);
    peer.send(b"line\n").await;
    for _ in 0..7 {
        let mut conn = listener.accept().await.expect("a connection");
        match conn.next_line().await {
            Ok(Some(line)) => {
                assert_eq!(line, b"line");
                return;
            }
            // One of those that left.
            Ok(None) => {}
            Err(error) => assert_eq!(kind(error), ErrorKind::ConnectionReset),
        }
    }
    panic!("the peer that stayed was not accepted");
}

/// Every accept that waits gets a connection, in tasks of their own.
pub async fn a3_several_accepts_wait_at_once<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(Config::default(), true).await;
    let listener = Arc::new(listener);
    let accepts: Vec<_> = (0..3)
        .map(|_| {
            let listener = Arc::clone(&listener);
            P::spawn(async move {
                let (mut conn, from) = listener.accept_addr().await.expect("a connection");
                let line = conn.recv_line().await.expect("a line");
                assert_eq!(line, from.port().to_string());
            })
        })
        .collect();
    // Now they wait, or soon will.
    yield_now().await;
    {
        let mut dropped = pin!(listener.accept());
        assert!(waits(dropped.as_mut()).await, "nobody is there");
    }
    let mut peers = Vec::new();
    for _ in 0..3 {
        let peer = SocketPeer::connect(&address);
        peer.send(format!("{}\n", peer.port()).as_bytes()).await;
        peers.push(peer);
    }
    for accept in accepts {
        accept.await;
    }
}

/// An accept that is dropped at every wait loses no connection.
pub async fn c1_a_dropped_accept_loses_no_connection<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(Config::default(), true).await;
    for i in 0..8 {
        let accepting = async { interrupted!(listener.accept().await) };
        let mut accepting = pin!(accepting);
        if i % 2 == 0 {
            assert!(waits(accepting.as_mut()).await, "nobody is there");
        }
        let peer = SocketPeer::connect(&address);
        peer.send(format!("{i}\n").as_bytes()).await;
        let mut conn = accepting.await.expect("a connection");
        assert_line!(conn, i.to_string());
    }
}

/// What was set on the listening socket holds for its connections.
pub async fn a7_accepted_sockets_inherit_the_settings<P: Platform>() {
    for nodelay in [true, false] {
        let config = Config::default().max_line(4);
        let (listener, address) = listen::<P::Runtime>(config, nodelay).await;
        let peer = SocketPeer::connect(&address);
        let (mut conn, from) = listener.accept_addr().await.expect("a connection");
        assert_eq!(from.port(), peer.port());
        {
            let stream = conn.get_ref().expect("it is open");
            let socket = stream.os_socket().expect("a socket");
            let socket = SockRef::from(&socket);
            assert_eq!(socket.tcp_nodelay().expect("an option"), nodelay);
        }
        peer.send(b"12345\n").await;
        assert_err!(conn.next_line().await, asyncnet::Error::Line(_));
    }
}

/// A program that is started meanwhile does not get the connection.
pub async fn a7_accepted_sockets_are_close_on_exec<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(Config::default(), true).await;
    let _peer = SocketPeer::connect(&address);
    let conn = listener.accept().await.expect("a connection");
    let stream = conn.get_ref().expect("it is open");
    assert!(is_close_on_exec(stream.os_socket().expect("a socket")));
}

#[cfg(target_os = "linux")]
fn is_close_on_exec(socket: OsSocket<'_>) -> bool {
    use std::os::fd::AsRawFd as _;

    const O_CLOEXEC: u32 = 0o2_000_000;

    let info = format!("/proc/self/fdinfo/{}", socket.as_raw_fd());
    let info = std::fs::read_to_string(info).expect("the descriptor is open");
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = u32::from_str_radix(flags.expect("its flags").trim(), 8);
    flags.expect("an octal number") & O_CLOEXEC != 0
}

/// Other systems do not tell without unsafe code.
#[cfg(not(target_os = "linux"))]
fn is_close_on_exec(_: OsSocket<'_>) -> bool {
    true
}
