//! [A4], [A8], [A9] and [A13]: how a connection comes about, and what it tells of itself.
//!
//! [A4]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a4
//! [A8]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a8
//! [A9]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a9
//! [A13]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a13

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use asyncnet::net::{Setting, SockOpt};
use asyncnet::{AsyncSocket, Config, Connection, Error, Listener, Transport};
use futures_lite::future::{poll_once, zip};
use socket2::SockRef;

use crate::bed::{Peer as _, Platform, Rest, System};
use crate::faulty::Faulty;
use crate::places::{dial, listen, refusing, tried};
use crate::sockets::SocketPeer;
use crate::tools::{assert_err, assert_line, kind};

/// With the settings that it was given, and `TCP_NODELAY`.
pub async fn a4_connect_reaches_an_ip_address_and_a_name<P: Platform>() {
    // Where the name has an IPv6 address too, nobody listens there.
    let (listener, address) = listen::<P::Runtime>().await;
    for host in ["127.0.0.1", "localhost"] {
        let config = Config::default().max_line(4);
        let ours = dial::<P::Runtime>(host, address.port(), config).await;
        let mut ours = ours.expect("a connection");
        let (mut theirs, from) = listener.accept_addr().await.expect("a connection");
        assert_eq!(ours.socket().local_addr().expect("an address"), from);
        {
            let socket = ours.get_ref().and_then(Transport::os_socket).expect("a socket");
            assert!(SockRef::from(&socket).tcp_nodelay().expect("an option"));
        }
        theirs.send(b"12345\nline\n").await.expect("a connection");
        assert_err!(ours.next_line().await, Error::Line(_));
        assert_line!(ours, "line");
    }
}

/// Whoever refuses is passed over at once.
pub async fn a4_connect_goes_on_behind_a_refusal<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let (_nobody, refused) = refusing();
    let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], refused.port()));
    Faulty::<P::Runtime>::name([v6, refused, v6, address]);
    let ours = dial::<Faulty<P::Runtime>>("a.name", 0, Config::default()).await;
    let ours = ours.expect("the last one listens");
    assert_eq!(ours.socket().peer_addr().expect("an address").ip(), Some(address));
    listener.accept().await.expect("a connection");
}

/// The next address joins though the first has not answered.
pub async fn a4_connect_does_not_wait_for_a_silent_address<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let silent = SocketAddr::from(([127, 0, 0, 1], 1));
    Faulty::<P::Runtime>::silence(silent);
    Faulty::<P::Runtime>::name([silent, silent, address]);
    let ours = dial::<Faulty<P::Runtime>>("a.name", 0, Config::default()).await;
    let ours = ours.expect("the last one listens");
    assert_eq!(ours.socket().peer_addr().expect("an address").ip(), Some(address));
    listener.accept().await.expect("a connection");
}

/// Nobody answers: the kind is that of the first, and both are told.
pub async fn a4_connect_tells_the_first_and_the_last_error<P: Platform>() {
    let ((_nobody, one), (_either, other)) = (refusing(), refusing());
    Faulty::<P::Runtime>::name([one, other]);
    let error = dial::<Faulty<P::Runtime>>("a.name", 7, Config::default()).await;
    let error = error.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(tried(&error), ("connect to", "a.name:7"));
    let told = error.to_string();
    assert!(told.contains("(first)") && told.contains("(last)"), "{told}");
    // A name without an address is an error too.
    Faulty::<P::Runtime>::name([]);
    let error = dial::<Faulty<P::Runtime>>("a.name", 7, Config::default()).await;
    assert_eq!(error.expect_err("no address").kind(), ErrorKind::NotFound);
}

/// All connections but the one that says so are at their end.
async fn all_but_one_are_closed<R: System>(listener: &Listener<R>, address: SocketAddr) {
    let peer = SocketPeer::connect(&address.into());
    peer.send(b"line\n").await;
    loop {
        let mut conn = listener.accept().await.expect("a connection");
        match conn.next_line().await {
            Ok(Some(line)) => {
                assert_eq!(line, b"line");
                return;
            }
            Ok(None) => {}
            Err(error) => assert_eq!(kind(error), ErrorKind::ConnectionReset),
        }
    }
}

/// Whatever it had begun.
pub async fn a9_a_dropped_connect_closes_its_sockets<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    for host in ["127.0.0.1", "localhost", "127.0.0.1"] {
        drop(poll_once(dial::<P::Runtime>(host, address.port(), Config::default())).await);
    }
    all_but_one_are_closed(&listener, address).await;
}

/// And the socket can be tried again, set as it was.
pub async fn a9_a_dropped_connect_closes_its_socket<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let mut socket = AsyncSocket::<P::Runtime>::default();
    socket.set(Setting::Flag(SockOpt::NoDelay, false)).expect("an option");
    for _ in 0..3 {
        drop(poll_once(socket.connect("127.0.0.1", address.port())).await);
    }
    all_but_one_are_closed(&listener, address).await;
    assert!(!socket.get(SockOpt::NoDelay).expect("an option"));
    socket.connect("127.0.0.1", address.port()).await.expect("a connection");
}

/// Listeners, streams and datagram sockets, as the standard library has them.
pub async fn a8_sockets_of_the_standard_library_are_adopted<P: Platform>() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let listener = AsyncSocket::<P::Runtime>::adopt(listener).expect("a socket");
    let config = Config::default().max_line(4);
    let listener = listener.with_config(config).into_listener().expect("a listener");
    let stream = TcpStream::connect(address).expect("it listens");
    let stream = AsyncSocket::<P::Runtime>::adopt(stream).expect("a socket");
    let mut ours = stream.into_connection().expect("a connection");
    let (mut theirs, from) = listener.accept_addr().await.expect("a connection");
    assert_eq!(ours.socket().local_addr().expect("an address"), from);
    ours.send(b"12345\nline\n").await.expect("a connection");
    assert_err!(theirs.next_line().await, Error::Line(_));
    assert_line!(theirs, "line");
    theirs.send(b"reply\n").await.expect("a connection");
    assert_line!(ours, "reply");

    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let at = socket.local_addr().expect("an address");
    let socket = AsyncSocket::<P::Runtime>::adopt(socket).expect("a socket");
    let socket = socket.into_datagram().expect("a datagram socket");
    socket.send_to(b"message", "127.0.0.1", at.port()).await.expect("it leaves");
    let (message, from) = socket.recv_from(1500).await.expect("a datagram");
    assert_eq!((&message[..], from.ip()), (&b"message"[..], Some(at)));
}

/// Bytes, good lines and bad ones.
pub async fn a13_stats_count<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let config = Config::default().max_line(4);
    let ours = dial::<P::Runtime>("127.0.0.1", address.port(), config).await;
    let mut ours = ours.expect("a connection");
    let mut theirs = listener.accept().await.expect("a connection");
    assert_eq!(ours.stats(), Default::default());
    theirs.send(b"one\n12345\n\n\xff\n").await.expect("a connection");
    assert_line!(ours, "one");
    assert_err!(ours.next_line().await, Error::Line(_));
    assert_line!(ours, "");
    assert_line!(ours, "\u{fffd}");
    ours.send_line(b"two").await.expect("a connection");
    ours.send(b"three").await.expect("a connection");
    ours.shutdown_write().await.expect("a connection");
    let stats = ours.stats();
    assert_eq!((stats.bytes_received, stats.lines_received, stats.too_long), (13, 3, 1));
    assert_eq!((stats.bare, stats.not_utf8), (0, 0));
    assert_eq!(stats.lines_sent, 1);
    assert_line!(theirs, "two");
    assert_err!(theirs.next_line().await, Error::Disconnected(_));
    assert_eq!(theirs.stats().bytes_received, stats.bytes_sent);
    assert_eq!(theirs.stats().bytes_sent, stats.bytes_received);
}

/// Nor an address.
pub async fn a13_a_closed_connection_has_no_socket<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    for close in [true, false] {
        let peer = SocketPeer::connect(&address.into());
        let mut conn = listener.accept().await.expect("a connection");
        assert!(conn.get_ref().is_some_and(|stream| stream.os_socket().is_some()));
        if close {
            let rest = async {
                assert_eq!(peer.recv_all().await, Rest::clean(""));
                peer.shutdown().await;
            };
            zip(conn.close(), rest).await.0.expect("a connection");
        } else {
            conn.abort();
        }
        assert!(conn.is_closed());
        assert!(conn.get_ref().is_none());
        assert_eq!(conn.socket().local_addr().expect_err("closed").kind(), ErrorKind::NotConnected);
        assert_eq!(conn.socket().peer_addr().expect_err("closed").kind(), ErrorKind::NotConnected);
        assert_eq!(conn.socket().peer_cred().expect_err("closed").kind(), ErrorKind::NotConnected);
    }
}

/// Only Unix sockets know.
pub async fn a13_tcp_does_not_tell_who_is_there<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let _peer = SocketPeer::connect(&address.into());
    let conn = listener.accept().await.expect("a connection");
    assert_eq!(conn.socket().peer_cred().expect_err("TCP").kind(), ErrorKind::Unsupported);
}

fn moves<T: Send>(it: T) -> T {
    it
}

/// Whatever can wait can wait in a task that moves, as long as the stream can.
pub async fn c2_everything_moves_between_threads<P: Platform>() {
    let (listener, address) = moves(listen::<P::Runtime>()).await;
    let mut socket = moves(AsyncSocket::<P::Runtime>::default());
    let mut ours = moves(socket.connect("127.0.0.1", address.port())).await.expect("a connection");
    let accepted = moves(moves(&listener).accept()).await;
    let mut receiver = moves(accepted.expect("a connection"));
    let sender = moves(receiver.writer());
    moves(ours.send(b"one\ntwo\n")).await.expect("a connection");
    moves(ours.flush()).await.expect("a connection");
    assert_eq!(moves(receiver.next_line()).await.expect("a line"), Some(&b"one"[..]));
    assert_eq!(moves(receiver.recv_line()).await.expect("a line"), "two");
    moves(sender.send_line(b"three")).await.expect("a connection");
    assert!(moves(ours.next_batch()).await.expect("a line").is_some());
    drop((receiver, sender));
    moves(ours.close()).await.expect("a connection");
    moves(moves(listener).finish(std::time::Duration::ZERO)).await;
    drop(moves(dial::<P::Runtime>("127.0.0.1", address.port(), Config::default())));
}

/// A stream that stays on its thread: the same calls, in futures that stay there too.
pub async fn c2_a_stream_that_cannot_move_is_fine<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let peer = SocketPeer::connect(&address.into());
    let (stream, _) =
        listener.accept().await.expect("a connection").into_parts().expect("it is open");
    // Neither `Send` nor of any type in particular.
    let stream: Box<dyn Transport> = Box::new(stream);
    let mut conn = Connection::new(stream, Config::default());
    assert!(
        conn.get_ref().is_some_and(|stream| stream.os_socket().is_some()),
        "it is asked through the box"
    );
    peer.send(b"line\nanother\n").await;
    assert_line!(conn, "line");
    let sender = conn.writer();
    assert_line!(conn, "another");
    sender.send_line(b"reply").await.expect("a connection");
    drop((conn, sender));
    let rest = peer.recv_all().await;
    assert!(rest.bytes.starts_with(b"reply"), "{rest:?}");
}
