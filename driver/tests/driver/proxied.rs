//! A listener behind a proxy, over the toy runtime: headers in pieces, bad ones, late ones.

use std::io::ErrorKind;
use std::task::Poll;
use std::time::Duration;

use asyncnet::net::{ListenOptions, Pipe};
use asyncnet::{Address, Config, Listener};
use futures_lite::future::block_on;
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::poll_once;
use crate::toy::{self, Toy};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 4660 25\r\n";
/// The same client, and two fields.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x15\xc0\0\x02\x01\xc0\0\x02\x02\x12\x34\0\x19\x02\0\x03a.b\x04\0\0";
const CLIENT: &str = "192.0.2.1:4660";

fn listen(options: ListenOptions) -> (Listener<Toy>, Address) {
    let options = options.proxy_protocol();
    let listener = block_on(Listener::<Toy>::bind_with("127.0.0.1:0", options)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn say(peer: &mut Pipe, bytes: &[u8]) {
    block_on(peer.write_all(bytes)).unwrap();
}

/// What a peer that listens is told: nothing yet, the end, or a reset.
fn told(peer: &mut Pipe) -> Poll<Result<usize, ErrorKind>> {
    poll_once(peer.read(&mut [0; 64])).map_err(|error| error.kind())
}

#[test]
fn a16_a_header_in_any_two_pieces_is_read_and_what_follows_is_the_clients() {
    let (listener, address) = listen(ListenOptions::new());
    for header in [V1, V2] {
        let all = [header, b"hello\r\nrest"].concat();
        for cut in 0..=all.len() {
            let mut peer = toy::connect(&address).unwrap();
            say(&mut peer, &all[..cut]);
            let early = poll_once(listener.accept_addr());
            assert_eq!(early.is_ready(), cut >= header.len(), "cut at {cut}");
            say(&mut peer, &all[cut..]);
            let accepted = if early.is_ready() { early } else { poll_once(listener.accept_addr()) };
            let Poll::Ready(Ok((mut conn, from))) = accepted else { panic!("cut at {cut}") };
            assert_eq!(from.to_string(), CLIENT);
            assert_eq!(conn.socket().peer_addr().unwrap(), from);
            let proxied = conn.socket().proxied().expect("there is a proxy");
            assert_eq!(proxied.client_addr(), Some(&from));
            assert_eq!(proxied.destination_addr().unwrap().to_string(), "192.0.2.2:25");
            assert_ne!(*proxied.proxy_addr(), from);
            let name = if header == V2 { Some(&b"a.b"[..]) } else { None };
            assert_eq!(proxied.tlv(2), name);
            assert_eq!(block_on(conn.next_line()), Ok(Some(&b"hello"[..])));
            assert_eq!(block_on(conn.peek(4)).unwrap(), b"rest");
            assert!(conn.writer().peer_addr().is_ok_and(|it| it == from));
        }
    }
}

#[test]
fn a16_a_second_header_is_what_the_client_sent() {
    let (listener, address) = listen(ListenOptions::new());
    let mut peer = toy::connect(&address).unwrap();
    say(&mut peer, &[V1, b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"].concat());
    let (mut conn, from) = block_on(listener.accept_addr()).unwrap();
    assert_eq!(from.to_string(), CLIENT);
    let line = block_on(conn.next_line()).unwrap().map(<[u8]>::to_vec);
    assert_eq!(line.as_deref(), Some(&b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2"[..]));
}

#[test]
fn a16_a_proxy_that_names_no_client_is_the_peer() {
    let (listener, address) = listen(ListenOptions::new());
    for header in [
        &b"PROXY UNKNOWN\r\n"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
        b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0",
    ] {
        let mut peer = toy::connect(&address).unwrap();
        say(&mut peer, header);
        let (conn, from) = block_on(listener.accept_addr()).unwrap();
        let proxied = conn.socket().proxied().expect("there is a proxy");
        assert_eq!((proxied.client_addr(), proxied.destination_addr()), (None, None));
        assert_eq!(*proxied.proxy_addr(), from);
    }
}

#[test]
fn a16_a_connection_without_a_good_header_is_reset_and_costs_nobody_else() {
    let (listener, address) = listen(ListenOptions::new());
    let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 100_000]].concat();
    let huge = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff";
    for bad in [&b"EHLO a\r\n"[..], b"\x16\x03\x01", b"PROXY TCP4\r\n", &long, huge] {
        let mut peer = toy::connect(&address).unwrap();
        // As much as there is room for.
        let _ = poll_once(peer.write(bad));
        let mut good = toy::connect(&address).unwrap();
        say(&mut good, V1);
        let accepted = poll_once(listener.accept());
        assert!(matches!(accepted, Poll::Ready(Ok(_))), "{}", bad[..3].escape_ascii());
        assert_eq!(told(&mut peer), Poll::Ready(Err(ErrorKind::ConnectionReset)));
    }
    assert_eq!(listener.open_connections(), 0);
}

#[test]
fn a16_a_header_has_to_come_in_time() {
    let config = Config::default().handshake_timeout(Duration::from_secs(10));
    let (listener, address) = listen(ListenOptions::new().config(config));
    let mut peer = toy::connect(&address).unwrap();
    for byte in &V1[..9] {
        say(&mut peer, &[*byte]);
        assert!(poll_once(listener.accept()).is_pending());
        assert_eq!(told(&mut peer), Poll::Pending);
        toy::advance(Duration::from_secs(1));
    }
    toy::advance(Duration::from_secs(1));
    assert!(poll_once(listener.accept()).is_pending());
    assert_eq!(told(&mut peer), Poll::Ready(Ok(0)));
}

#[test]
fn a16_a_peer_that_leaves_in_its_header_costs_only_itself() {
    let (listener, address) = listen(ListenOptions::new());
    for n in [0, 1, V1.len() - 1] {
        let mut peer = toy::connect(&address).unwrap();
        say(&mut peer, &V1[..n]);
        drop(peer);
        assert!(poll_once(listener.accept()).is_pending());
    }
    assert_eq!(listener.open_connections(), 0);
}

#[cfg(feature = "tls")]
mod secure {
    use asyncnet::{Config, Connection, TlsContext};
    use futures_lite::future::zip;

    use super::{CLIENT, V1, V2, block_on, listen, say};
    use crate::poll_once;
    use crate::secure_listener::contexts;
    use crate::toy;

    /// The first flight of a client.
    fn hello(client: &TlsContext) -> Vec<u8> {
        let (ours, mut peer) = asyncnet::net::pipe(usize::MAX);
        let mut conn = Connection::new(ours, Config::default());
        assert!(poll_once(conn.upgrade_tls(client.as_client("server.test"))).is_pending());
        let mut hello = vec![0; 4096];
        let n = block_on(futures_lite::AsyncReadExt::read(&mut peer, &mut hello)).unwrap();
        hello.truncate(n);
        hello
    }

    #[test]
    fn a16_in_front_of_tls_any_split_of_header_and_hello_begins_a_handshake() {
        let (server, client) = contexts();
        let (listener, address) = listen(asyncnet::net::ListenOptions::new().tls(&server));
        let hello = hello(&client);
        for header in [V1, V2] {
            let all = [header, &hello].concat();
            for cut in 0..=all.len() {
                let mut peer = toy::connect(&address).unwrap();
                say(&mut peer, &all[..cut]);
                let early = poll_once(listener.accept_addr());
                // Not for the header alone: the client may be silent.
                assert_eq!(early.is_ready(), cut > header.len(), "cut at {cut}");
                say(&mut peer, &all[cut..]);
                let accepted =
                    if early.is_ready() { early } else { poll_once(listener.accept_addr()) };
                let std::task::Poll::Ready(Ok((mut conn, from))) = accepted else {
                    panic!("cut at {cut}");
                };
                assert_eq!(from.to_string(), CLIENT);
                assert!(poll_once(conn.handshake()).is_pending());
                assert!(conn.tls().is_some_and(|tls| tls.version().is_some()), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a16_in_front_of_tls_the_conversation_goes_on() {
        let (server, client) = contexts();
        let (listener, address) = listen(asyncnet::net::ListenOptions::new().tls(&server));
        block_on(async {
            let mut conn = Connection::new(toy::connect(&address).unwrap(), Config::default());
            conn.send_all(V2).await.unwrap();
            let asking = async {
                conn.upgrade_tls(client.as_client("server.test")).await.unwrap();
                conn.send_line("question").await.unwrap();
                conn.recv_line().await.unwrap()
            };
            let answering = async {
                let mut theirs = listener.accept().await.unwrap();
                assert_eq!(theirs.recv_line().await.unwrap(), "question");
                assert_eq!(theirs.socket().peer_addr().unwrap().to_string(), CLIENT);
                theirs.send_line("answer").await.unwrap();
                theirs
            };
            assert_eq!(zip(asking, answering).await.0, "answer");
        });
    }
}
