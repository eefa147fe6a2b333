//! [A6] and [A10]: addresses and names, and what is told when they do not do.
//!
//! [A6]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a6
//! [A10]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a10

use std::io::ErrorKind;

use asyncnet::net::{ConnectOptions, Datagram, Domain, Setting, SockOpt, connect};
use asyncnet::{AsyncSocket, Config, Listener};
use socket2::{Domain as OsDomain, Protocol as OsProtocol, Type};

use crate::bed::{Peer as _, Platform, System};
use crate::places::{dial, has_v6, listen, tried};
use crate::sockets::SocketPeer;
use crate::tools::assert_line;

/// No name server has it.
const NO_NAME: &str = "no.such.name.invalid";

/// Whatever a resolver has to say, the error says which name it is about.
pub async fn a6_a_name_without_an_address_is_an_error_that_names_it<P: Platform>() {
    let place = format!("{NO_NAME}:1");
    let mut socket = AsyncSocket::<P::Runtime>::default();
    let error = socket.connect(NO_NAME, 1).await.expect_err("no address");
    assert_eq!(tried(&error), ("connect to", &*place));
    assert!(error.to_string().contains(&place), "{error}");
    let error = socket.bind_addr(NO_NAME, 1).await.expect_err("no address");
    assert_eq!(tried(&error), ("bind to", &*place));
    let error = dial::<P::Runtime>(NO_NAME, 1, Config::default()).await.expect_err("no address");
    assert_eq!(tried(&error), ("connect to", &*place));
    let socket = udp::<P::Runtime>().await;
    let error = socket.send_to(b"", NO_NAME, 1).await.expect_err("no address");
    assert_eq!(tried(&error), ("send to", &*place));
}

async fn udp<R: System>() -> Datagram<R> {
    let socket = AsyncSocket::<R>::datagram(Domain::Ipv4);
    let mut socket = socket.expect("a socket");
    socket.bind_addr("127.0.0.1", 0).await.expect("a port");
    socket.into_datagram().expect("a datagram socket")
}

/// A name stands for its addresses of the socket's family.
pub async fn a6_a_name_is_bound_and_connected<P: Platform>() {
    let mut socket = AsyncSocket::<P::Runtime>::default();
    socket.bind_addr("localhost", 0).await.expect("a port");
    let listener = socket.listen(1).expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let mut socket = AsyncSocket::<P::Runtime>::default();
    let mut ours = socket.connect("localhost", port).await.expect("a connection");
    let (mut theirs, from) = listener.accept_addr().await.expect("a connection");
    assert_eq!(ours.socket().local_addr().expect("an address"), from);
    assert_eq!(ours.socket().peer_addr().expect("an address").port(), port);
    ours.send(b"line\n").await.expect("a connection");
    assert_line!(theirs, "line");
}

/// An empty address is any of this machine's, in every family.
pub async fn a10_no_address_is_any_address<P: Platform>() {
    for domain in [Domain::Ipv4, Domain::Ipv6] {
        if domain == Domain::Ipv6 && !has_v6() {
            continue;
        }
        let socket = AsyncSocket::<P::Runtime>::new(domain);
        let mut socket = socket.expect("a socket");
        socket.bind_addr("", 0).await.expect("a port");
        let address = socket.local_addr().expect("an address").ip().expect("TCP");
        assert!(address.ip().is_unspecified());
        assert_eq!(address.is_ipv6(), domain == Domain::Ipv6);
        let listener = socket.listen(1).expect("a listener");
        assert_eq!(listener.local_addr().expect("an address").ip(), Some(address));
        let host = if address.is_ipv6() { "::1" } else { "127.0.0.1" };
        let ours = dial::<P::Runtime>(host, address.port(), Config::default()).await;
        let ours = ours.expect("it listens there");
        let (_theirs, from) = listener.accept_addr().await.expect("a connection");
        assert_eq!(ours.socket().local_addr().expect("an address"), from);
    }
}

/// The kind is the system's, and inside it says what was tried and where.
pub async fn a10_a_used_port_is_an_error_that_names_it<P: Platform>() {
    let (_listener, address) = listen::<P::Runtime>().await;
    let mut socket = AsyncSocket::<P::Runtime>::default();
    let error = socket.bind_addr("127.0.0.1", address.port()).await.expect_err("it is taken");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(tried(&error), ("bind to", &*address.to_string()));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    // It is of use all the same.
    socket.bind_addr("127.0.0.1", 0).await.expect("another port");
}

/// An IPv6 address is none for an IPv4 socket, and the other way round.
pub async fn a10_an_address_of_another_family_is_refused<P: Platform>() {
    let mut socket = AsyncSocket::<P::Runtime>::new(Domain::Ipv4).expect("a socket");
    let error = socket.bind_addr("::1", 80).await.expect_err("another family");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(tried(&error), ("bind to", "[::1]:80"));
    let error = socket.connect("::1", 80).await.expect_err("another family");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(tried(&error), ("connect to", "[::1]:80"));
    if has_v6() {
        let six = AsyncSocket::<P::Runtime>::new(Domain::Ipv6);
        let error = six.expect("a socket").connect("127.0.0.1", 80).await;
        let error = error.expect_err("another family");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(tried(&error), ("connect to", "127.0.0.1:80"));
    }
    // It is of use all the same.
    let (listener, address) = listen::<P::Runtime>().await;
    socket.connect("127.0.0.1", address.port()).await.expect("a connection");
    listener.accept().await.expect("a connection");
}

/// `AF_INET` and the like, with and without a protocol.
pub async fn a10_the_numbers_of_the_system_make_the_same_sockets<P: Platform>() {
    let (stream, datagram) = (Type::STREAM.into(), Type::DGRAM.into());
    for domain in [OsDomain::IPV4, OsDomain::IPV6] {
        if domain == OsDomain::IPV6 && !has_v6() {
            continue;
        }
        for protocol in [0, OsProtocol::TCP.into()] {
            let socket = AsyncSocket::<P::Runtime>::from_raw_parts(domain.into(), stream, protocol);
            let mut socket = socket.expect("a socket");
            socket.bind_addr("", 0).await.expect("a port");
            let listener = socket.listen(1).expect("a listener");
            let at = listener.local_addr().expect("an address").ip().expect("TCP");
            assert_eq!(at.is_ipv6(), domain == OsDomain::IPV6);
            // Both families have it: IPv6 sockets take IPv4 too, unless told otherwise.
            let host = if at.is_ipv6() { "::1" } else { "127.0.0.1" };
            let host = host.parse::<std::net::IpAddr>().expect("an address");
            let peer = SocketPeer::connect(&std::net::SocketAddr::new(host, at.port()).into());
            peer.send(b"line\n").await;
            assert_line!(listener.accept().await.expect("a connection"), "line");
        }
        let socket = AsyncSocket::<P::Runtime>::from_raw_parts(domain.into(), datagram, 0);
        let mut socket = socket.expect("a socket");
        socket.bind_addr("", 0).await.expect("a port");
        socket.into_datagram().expect("a datagram socket");
    }
    AsyncSocket::<P::Runtime>::from_raw_parts(-1, stream, 0).expect_err("no such family");
}

/// Flags in the number of the type are no other type, and a stream of a family without TCP gets no option of TCP.
pub async fn a14_the_numbers_of_the_system_may_hold_flags_and_other_families<P: Platform>() {
    type Socket<P> = AsyncSocket<<P as Platform>::Runtime>;

    if !cfg!(target_os = "linux") {
        return;
    }
    const CLOEXEC: i32 = 0o2_000_000;
    const SCTP: i32 = 132;
    const VSOCK: i32 = 40;

    let (stream, datagram) = (i32::from(Type::STREAM), i32::from(Type::DGRAM));
    let ipv4 = OsDomain::IPV4.into();
    let mut udp = Socket::<P>::from_raw_parts(ipv4, datagram | CLOEXEC, 0).expect("a socket");
    udp.bind_addr("127.0.0.1", 0).await.expect("a port");
    assert_eq!(udp.listen(1).expect_err("no stream").kind(), ErrorKind::Unsupported);
    let mut udp = Socket::<P>::from_raw_parts(ipv4, datagram | CLOEXEC, 0).expect("a socket");
    udp.bind_addr("127.0.0.1", 0).await.expect("a port");
    udp.into_datagram().expect("a datagram socket");
    let mut tcp = Socket::<P>::from_raw_parts(ipv4, stream | CLOEXEC, 0).expect("a socket");
    tcp.bind_addr("127.0.0.1", 0).await.expect("a port");
    tcp.listen(1).expect("a listener");

    // Where the system has them.
    for (family, ty, protocol) in [(VSOCK, stream, 0), (ipv4, stream, SCTP), (16, datagram, 0)] {
        let made = socket2::Socket::new(family.into(), ty.into(), Some(protocol.into()));
        let ours = Socket::<P>::from_raw_parts(family, ty, protocol);
        assert_eq!(ours.is_ok(), made.is_ok(), "{family} {protocol}: {ours:?}");
        if let Ok(mut ours) = ours {
            ours.os_socket().expect("a descriptor");
        }
    }
}

/// Every way to write an address of this machine, families mixed.
pub async fn a15_listen_and_connect_take_a_host_and_a_port<P: Platform>() {
    let mut cases = vec![("127.0.0.1:0", "127.0.0.1"), (":0", "127.0.0.1"), (":0", "localhost")];
    if has_v6() {
        cases.extend([
            ("[::1]:0", "[::1]"),
            ("[::]:0", "127.0.0.1"),
            ("[::]:0", "[::1]"),
            (":0", "[::1]"),
        ]);
    }
    for (at, host) in cases {
        let listener = Listener::<P::Runtime>::bind(at).await.expect(at);
        let port = listener.local_addr().expect("an address").port();
        let to = format!("{host}:{port}");
        let mut ours = connect::<P::Runtime>(&to, ConnectOptions::new()).await.expect(&to);
        let mut theirs = listener.accept().await.expect("a connection");
        ours.send_line(b"line").await.expect("a connection");
        assert_line!(theirs, "line");
    }
}

/// A listener can be restarted at once: std and tokio set the same option.
pub async fn a15_a_listener_can_be_restarted<P: Platform>() {
    let first = Listener::<P::Runtime>::bind("127.0.0.1:0").await.expect("a port");
    let at = first.local_addr().expect("an address").to_string();
    let mut ours = connect::<P::Runtime>(&at, ConnectOptions::new()).await.expect("it listens");
    let mut theirs = first.accept().await.expect("a connection");
    // Our side ends first, and its address lingers.
    theirs.shutdown_write().await.expect("a connection");
    assert!(ours.next_line().await.expect("a good end").is_none());
    drop(ours);
    theirs.close().await.expect("a good end");
    drop(first);
    Listener::<P::Runtime>::bind(&at).await.expect("the port is free");
}

/// What is no address is told together with what is one.
pub async fn a15_a_text_that_is_no_address_is_an_error_that_shows_one<P: Platform>() {
    for (text, right) in
        [("127.0.0.1", "example.org:6667"), ("::1:80", "[::1]:6667"), ("a:b", "65535")]
    {
        let listen = Listener::<P::Runtime>::bind(text).await.expect_err(text);
        let connect = connect::<P::Runtime>(text, ConnectOptions::new()).await.expect_err(text);
        for error in [listen, connect] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(right), "{error}");
        }
    }
}

/// The default socket takes the family of the address.
pub async fn a15_a_socket_of_no_family_connects_to_either<P: Platform>() {
    let mut hosts = vec!["127.0.0.1"];
    if has_v6() {
        hosts.extend(["::1", "[::1]"]);
    }
    for host in hosts {
        let mut socket = AsyncSocket::<P::Runtime>::default();
        socket.bind_addr(host, 0).await.expect(host);
        let listener = socket.listen(4).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let mut socket = AsyncSocket::<P::Runtime>::default();
        socket.set(Setting::Flag(SockOpt::KeepAlive, true)).expect("an option");
        let conn = socket.connect(host, port).await.expect(host);
        assert!(conn.socket().get(SockOpt::KeepAlive).expect("an option"), "{host}");
        listener.accept().await.expect("a connection");
    }
}
