//! [A5] and [A9]: what is set on a socket, and that it stays set.
//!
//! [A5]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a5
//! [A9]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a9

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use asyncnet::net::{Domain, KeepAlive, Setting, SockOpt};
use asyncnet::{AsyncSocket, Config, Transport};
use socket2::SockRef;

use crate::Tcp;
use crate::bed::{Bed as _, Platform};
use crate::places::{has_v6, listen, refusing, tried};
use crate::system::{counts_probes, makes_resets};
use crate::tools::is_reset;

/// Those that anybody may set.
const OPTIONS: [SockOpt; 7] = [
    SockOpt::Broadcast,
    SockOpt::DontRoute,
    SockOpt::KeepAlive,
    SockOpt::OobInline,
    SockOpt::ReuseAddr,
    SockOpt::ReusePort,
    SockOpt::NoDelay,
];

/// Where `option` is missing, the error says so.
fn is_there(option: SockOpt) -> bool {
    cfg!(unix) || !matches!(option, SockOpt::DontRoute | SockOpt::ReusePort)
}

/// On, off and on again.
pub async fn a5_every_option_is_read_back<P: Platform>() {
    for option in OPTIONS {
        let mut socket = AsyncSocket::<P::Runtime>::default();
        for on in [true, false, true] {
            let set = socket.set(Setting::Flag(option, on));
            if is_there(option) {
                set.unwrap_or_else(|error| panic!("{option:?}: {error}"));
                assert_eq!(socket.get(option).expect("an option"), on, "{option:?}");
            } else {
                assert_eq!(set.expect_err("it is missing").kind(), ErrorKind::Unsupported);
            }
        }
    }
    // This one takes a privilege, and not every system has it.
    let mut socket = AsyncSocket::<P::Runtime>::default();
    match socket.set(Setting::Flag(SockOpt::Debug, true)) {
        Ok(()) => {
            socket.get(SockOpt::Debug).expect("an option");
        }
        Err(error) => assert!(
            matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported),
            "{error}"
        ),
    }
}

/// `AcceptConn` is a question.
pub async fn a5_whether_it_listens_can_only_be_asked<P: Platform>() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let mut listener = AsyncSocket::<P::Runtime>::adopt(listener).expect("a socket");
    let mut socket = AsyncSocket::<P::Runtime>::default();
    for socket in [&mut socket, &mut listener] {
        let error = socket.set(Setting::Flag(SockOpt::AcceptConn, true)).expect_err("a question");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    if cfg!(unix) {
        assert!(!socket.get(SockOpt::AcceptConn).expect("an answer"));
        assert!(listener.get(SockOpt::AcceptConn).expect("an answer"));
    }
}

/// What others read from the descriptor is what was set.
pub async fn a5_an_option_sets_what_it_names<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    for on in [true, false] {
        let mut socket = AsyncSocket::<P::Runtime>::default();
        for option in OPTIONS.into_iter().filter(|option| is_there(*option)) {
            socket.set(Setting::Flag(option, on)).expect("an option");
        }
        let conn = socket.connect("127.0.0.1", address.port()).await.expect("a connection");
        let _theirs = listener.accept().await.expect("a connection");
        let socket = conn.get_ref().and_then(Transport::os_socket).expect("a socket");
        let socket = SockRef::from(&socket);
        assert_eq!(socket.tcp_nodelay().expect("an option"), on);
        assert_eq!(socket.keepalive().expect("an option"), on);
        assert_eq!(socket.reuse_address().expect("an option"), on);
        assert_eq!(socket.broadcast().expect("an option"), on);
        assert_eq!(socket.out_of_band_inline().expect("an option"), on);
        #[cfg(unix)]
        assert_eq!(socket.reuse_port().expect("an option"), on);
    }
    // And without a word, small messages leave at once.
    let mut socket = AsyncSocket::<P::Runtime>::default();
    assert!(socket.get(SockOpt::NoDelay).expect("an option"));
    let conn = socket.connect("127.0.0.1", address.port()).await.expect("a connection");
    let socket = conn.get_ref().and_then(Transport::os_socket).expect("a socket");
    assert!(SockRef::from(&socket).tcp_nodelay().expect("an option"));
}

/// Those that are more than a switch.
pub async fn a5_keepalive_buffers_and_linger_are_set<P: Platform>() {
    const BUFFER: usize = 32 << 10;

    let (listener, address) = listen::<P::Runtime>().await;
    let (idle, interval) = (Duration::from_secs(33), Duration::from_secs(11));
    let mut socket = AsyncSocket::<P::Runtime>::default();
    let mut keepalive = KeepAlive::default().idle(idle).interval(interval);
    if counts_probes() {
        keepalive = keepalive.retries(4);
    }
    socket.set(Setting::KeepAlive(keepalive)).expect("an option");
    socket.set(Setting::RecvBuffer(BUFFER)).expect("an option");
    socket.set(Setting::SendBuffer(BUFFER)).expect("an option");
    socket.set(Setting::Linger(Some(Duration::ZERO))).expect("an option");
    let conn = socket.connect("127.0.0.1", address.port()).await.expect("a connection");
    let mut theirs = listener.accept().await.expect("a connection");
    {
        let socket = conn.get_ref().and_then(Transport::os_socket).expect("a socket");
        let socket = SockRef::from(&socket);
        assert!(socket.keepalive().expect("an option"));
        #[cfg(unix)]
        {
            assert_eq!(socket.tcp_keepalive_time().expect("an option"), idle);
            assert_eq!(socket.tcp_keepalive_interval().expect("an option"), interval);
            assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 4);
        }
        for set in [socket.recv_buffer_size(), socket.send_buffer_size()] {
            let set = set.expect("an option");
            assert!((BUFFER..=2 * BUFFER).contains(&set), "{set}");
        }
        assert_eq!(socket.linger().expect("an option"), Some(Duration::ZERO));
    }
    // This is what it is for.
    drop(conn);
    let line = theirs.next_line().await;
    if makes_resets() {
        let error = line.expect_err("a reset");
        assert!(is_reset(&error), "{error}");
    }
}

/// `TCP_USER_TIMEOUT`, where the system has it.
pub async fn a5_the_user_timeout_is_set<P: Platform>() {
    let mut socket = AsyncSocket::<P::Runtime>::new(Domain::Ipv4).expect("a socket");
    let set = socket.set(Setting::UserTimeout(Some(Duration::from_millis(1500))));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        set.expect("an option");
        let read = SockRef::from(&socket.os_socket().expect("a socket")).tcp_user_timeout();
        assert_eq!(read.expect("an option"), Some(Duration::from_millis(1500)));
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    assert_eq!(set.expect_err("it is missing").kind(), ErrorKind::Unsupported);
}

/// `IPV6_V6ONLY`.
pub async fn a5_only_v6_is_set<P: Platform>() {
    if !has_v6() {
        return;
    }
    for on in [true, false] {
        let socket = AsyncSocket::<P::Runtime>::new(Domain::Ipv6);
        let mut socket = socket.expect("a socket");
        socket.set(Setting::OnlyV6(on)).expect("an option");
        socket.bind_addr("", 0).await.expect("a port");
        let listener = socket.listen(1).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        {
            let socket = listener.os_socket().expect("a socket");
            assert_eq!(SockRef::from(&socket).only_v6().expect("an option"), on);
        }
        if !on {
            let mut socket = AsyncSocket::<P::Runtime>::default();
            socket.connect("127.0.0.1", port).await.expect("IPv4 is served too");
            listener.accept().await.expect("a connection");
        }
    }
}

/// Each of them says so, and both are connected to in the end.
pub async fn a5_two_listeners_share_a_port<P: Platform>() {
    if !is_there(SockOpt::ReusePort) {
        return;
    }
    let mut listeners = Vec::new();
    let mut port = 0;
    for _ in 0..2 {
        let mut socket = AsyncSocket::<P::Runtime>::default();
        socket.set(Setting::Flag(SockOpt::ReusePort, true)).expect("an option");
        socket.bind_addr("127.0.0.1", port).await.expect("they share it");
        listeners.push(socket.listen(16).expect("a listener"));
        port = listeners[0].local_addr().expect("an address").port();
    }
    assert_eq!(listeners[1].local_addr().expect("an address").port(), port);
    let mut socket = AsyncSocket::<P::Runtime>::default();
    let error = socket.bind_addr("127.0.0.1", port).await.expect_err("this one does not share");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let _conn = socket.connect("127.0.0.1", port).await.expect("a connection");
    let [one, other] = &listeners[..] else { unreachable!("there are two") };
    let accepted = futures_lite::future::or(one.accept(), other.accept()).await;
    accepted.expect("one of them has it");
}

/// The next descriptor is set as the first was, in the same order.
pub async fn a9_a_failed_connect_keeps_the_settings<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let (_nobody, refused) = refusing();
    let mut socket = AsyncSocket::<P::Runtime>::default();
    socket.set(Setting::Flag(SockOpt::NoDelay, true)).expect("an option");
    socket.set(Setting::Flag(SockOpt::NoDelay, false)).expect("an option");
    socket.set(Setting::Flag(SockOpt::OobInline, true)).expect("an option");
    socket.set(Setting::KeepAlive(KeepAlive::default())).expect("an option");
    socket.set(Setting::Linger(Some(Duration::ZERO))).expect("an option");
    socket.bind_addr("127.0.0.1", 0).await.expect("a port");
    for _ in 0..2 {
        let error = socket.connect("127.0.0.1", refused.port()).await.expect_err("nobody");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(tried(&error), ("connect to", &*refused.to_string()));
    }
    assert!(!socket.get(SockOpt::NoDelay).expect("an option"));
    assert!(socket.get(SockOpt::KeepAlive).expect("an option"));
    assert!(socket.local_addr().expect("an address").port() != 0, "it is bound again");
    let conn = socket.connect("127.0.0.1", address.port()).await.expect("a connection");
    let _theirs = listener.accept().await.expect("a connection");
    let socket = conn.get_ref().and_then(Transport::os_socket).expect("a socket");
    let socket = SockRef::from(&socket);
    assert!(!socket.tcp_nodelay().expect("an option"));
    assert!(socket.out_of_band_inline().expect("an option"));
    assert!(socket.keepalive().expect("an option"));
    assert_eq!(socket.linger().expect("an option"), Some(Duration::ZERO));
}

/// Also when it is open, with a writer or without.
pub async fn a5_options_of_a_connection_are_set_and_read<P: Platform>() {
    let (mut conn, _peer) = Tcp::<P>::pair(Config::default()).await;
    conn.socket().set(Setting::Flag(SockOpt::KeepAlive, true)).expect("an option");
    assert!(conn.socket().get(SockOpt::KeepAlive).expect("an option"));
    let writer = conn.writer();
    conn.socket().set(Setting::Flag(SockOpt::KeepAlive, false)).expect("an option");
    assert!(!conn.socket().get(SockOpt::KeepAlive).expect("an option"));
    writer.abort();
    let gone = conn.socket().get(SockOpt::KeepAlive).expect_err("it is closed");
    assert_eq!(gone.kind(), ErrorKind::NotConnected);
}

/// What it cannot become is an error at once, and not a connection that hangs.
pub async fn a14_a_socket_becomes_only_what_it_is<P: Platform>() {
    type Socket<P> = AsyncSocket<<P as Platform>::Runtime>;

    let datagram = || Socket::<P>::datagram(Domain::Ipv4);
    let refused = datagram().expect("a socket").connect("127.0.0.1", 9).await;
    assert_eq!(refused.expect_err("it has no stream").kind(), ErrorKind::InvalidInput);
    let refused = datagram().expect("a socket").into_connection();
    assert_eq!(refused.expect_err("it has no stream").kind(), ErrorKind::InvalidInput);

    let refused = Socket::<P>::default().into_connection();
    assert_eq!(refused.expect_err("it is not connected").kind(), ErrorKind::NotConnected);
    if cfg!(target_os = "linux") {
        let refused = Socket::<P>::default().into_listener();
        assert_eq!(refused.expect_err("it does not listen").kind(), ErrorKind::InvalidInput);
    }
}
