//! [T4] and [T6]: what connects over TLS is secure, and so is what a listener hands out.
//!
//! [T4]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t4
//! [T6]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t6

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::sleep;
use std::time::Duration;

use asyncnet::net::{Finished, ListenOptions};
use asyncnet::tls::{TlsErrorKind, UpgradeRefused};
use asyncnet::{AsyncSocket, Config, Error, Listener, TlsContext};
use blocking::{Task, unblock};
use futures_lite::future::or;

use crate::bed::{Platform, System};
use crate::faulty::Faulty;
use crate::places::refusing;
use crate::raw::{
    ROLES, Raw, VERSIONS, client_config, connect, listen, plain, serve, server_config, stranger,
    trusting,
};
use crate::tls::{Role, context, identity};
use crate::tools::{assert_err, assert_line, interrupted, refusal, waits};

/// Time enough for whoever is there to do a handshake, and short for whoever waits for its end.
const SHORT: Duration = Duration::from_millis(100);

fn client_socket<R: System>(config: Config) -> AsyncSocket<R> {
    let mut socket = AsyncSocket::<R>::default().with_config(config);
    socket.wrap_tls(context());
    socket
}

/// Not when TCP is connected, and not in the middle.
pub async fn t4_connect_returns_after_the_handshake<P: Platform>() {
    let (go, gone) = channel::<()>();
    let (address, server) = serve(1, move |socket| {
        gone.recv().expect("our side says when");
        let mut peer = Raw::server(socket, server_config(&VERSIONS)).expect("the handshake");
        peer.write_all(b"welcome\n").expect("our side is there");
    });
    let mut socket = client_socket::<P::Runtime>(Config::default());
    {
        let mut connecting = pin!(socket.connect("127.0.0.1", address.port()));
        assert!(waits(connecting.as_mut()).await, "the server has said nothing yet");
        go.send(()).expect("it waits");
        let mut conn = connecting.await.expect("a connection");
        assert!(conn.tls().is_some_and(|tls| tls.version().is_some()));
        assert_line!(conn, "welcome");
    }
    server.await;
}

/// Whether it leaves at once or after half an answer, with or without a word.
pub async fn t4_a_server_that_leaves_in_the_handshake_is_an_error<P: Platform>() {
    // The front of a record that announces more.
    for said in [&b""[..], b"\x16\x03\x03\x00", b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"] {
        let (address, server) = serve(1, move |mut socket: TcpStream| {
            // Unread bytes would turn the end into a reset.
            let hello = socket.read(&mut [0; 4096]).expect("a hello");
            socket.write_all(said).expect("our side is there");
            hello
        });
        let mut socket = client_socket::<P::Runtime>(Config::default());
        let error = socket.connect("127.0.0.1", address.port()).await.expect_err("it left");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(refusal(&error), TlsErrorKind::LeftInHandshake);
        server.await;
    }
}

/// A peer that says nothing, and one that says it a byte at a time.
fn dawdle(said: &'static [u8], mut socket: TcpStream) -> Task<()> {
    unblock(move || {
        for byte in said {
            if socket.write_all(&[*byte]).is_err() {
                return;
            }
            sleep(Duration::from_millis(2));
        }
        // Ours gives it up, in one way or the other: a read that ends in time.
        let end = socket.read_to_end(&mut Vec::new());
        let open = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
        assert!(!end.is_err_and(|error| open(&error)), "the socket is still open");
    })
}

/// The front of one long hello, from either side.
static SLOW: [u8; 5000] = {
    let mut hello = [0; 5000];
    let front = [22, 3, 3, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3];
    let mut at = 0;
    while at < front.len() {
        hello[at] = front[at];
        at += 1;
    }
    hello
};

/// Bytes that keep coming do not put it off.
pub async fn t4_a_handshake_ends_at_its_deadline<P: Platform>() {
    let config = Config::default().handshake_timeout(SHORT);
    for role in ROLES {
        for said in [&[][..], &SLOW] {
            let (mut conn, socket) = plain::<P::Runtime>(config);
            let peer = dawdle(said, socket);
            for by_upgrade in [true, true, false] {
                let handshake = match by_upgrade {
                    true => conn.upgrade_tls(role.of(context())).await,
                    false => conn.handshake().await,
                };
                let error = handshake.expect_err("it dawdles");
                assert!(
                    matches!(&error, Error::Tls(error) if error.kind() == TlsErrorKind::TimedOut),
                    "{error:?}"
                );
                assert_eq!(std::io::Error::from(error).kind(), ErrorKind::TimedOut);
            }
            drop(conn);
            peer.await;
        }
    }
    // In a connect nobody is left to close it.
    for said in [&[][..], &SLOW] {
        let (peers, peer) = channel();
        let (address, server) =
            serve(1, move |socket| peers.send(dawdle(said, socket)).expect("somebody waits"));
        let mut socket = client_socket::<P::Runtime>(config);
        let error = socket.connect("127.0.0.1", address.port()).await.expect_err("it dawdles");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(refusal(&error), TlsErrorKind::TimedOut);
        server.await;
        peer.recv().expect("it was there").await;
    }
}

/// A connect that was dropped in its handshake leaves no socket behind.
pub async fn t4_a_dropped_connect_closes_its_socket<P: Platform>() {
    for polls in 1..6 {
        let (address, server) = serve(1, |socket| {
            let _ = Raw::server(socket, server_config(&VERSIONS)).map(|mut peer| peer.rest());
        });
        let mut socket = client_socket::<P::Runtime>(Config::default());
        let connecting = socket.connect("127.0.0.1", address.port());
        // At whichever wait that is, or behind the last.
        drop(crate::tools::poll_n_times_then_drop(connecting, polls).await);
        server.await;
    }
}

/// Whatever it hands out is secure, and its handshake is done on first use.
pub async fn t6_a_wrapped_listener_hands_out_secure_connections<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(context(), Config::default()).await;
    let peer = unblock(move || {
        let mut peer = Raw::client(connect(address), client_config(&VERSIONS, None))?;
        peer.write_all(b"line\n")?;
        Ok::<_, std::io::Error>(peer)
    });
    let (mut conn, from) = listener.accept_addr().await.expect("a connection");
    assert!(conn.tls().is_some());
    conn.handshake().await.expect("the handshake succeeds");
    assert!(conn.tls().is_some_and(|tls| tls.version().is_some()));
    assert_line!(conn, "line");
    let peer = peer.await.expect("the handshake succeeds");
    assert_eq!(from.ip(), Some(peer.socket.local_addr().expect("an address")));
}

/// Settings that cannot work are told when it starts to listen.
pub async fn t6_a_listener_needs_a_servers_settings<P: Platform>() {
    let client = TlsContext::client().ca_pem(identity().0.as_bytes()).expect("PEM");
    let mut socket = AsyncSocket::<P::Runtime>::default();
    socket.wrap_tls(&client.build().expect("a client"));
    socket.bind_addr("127.0.0.1", 0).await.expect("a port");
    let error = socket.listen(1).expect_err("it has no certificate");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// Peers that say nothing, or nonsense, or leave: the next one does not notice.
pub async fn t6_bad_peers_cost_only_themselves<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(context(), Config::default()).await;
    let mut silent = Vec::new();
    for n in 0..3 {
        silent.extend((0..3).map(|_| connect(address)));
        for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x00", b""] {
            connect(address).write_all(said).expect("it listens");
        }
        // A client that does not trust us.
        let distrust = unblock(move || {
            let config = trusting(&stranger("somebody.test").0, &VERSIONS, None);
            assert!(Raw::client(connect(address), config).is_err());
        });
        let peer = unblock(move || {
            let mut peer = Raw::client(connect(address), client_config(&VERSIONS, None))?;
            peer.write_all(format!("{n}\n").as_bytes())?;
            Ok::<_, std::io::Error>(peer)
        });
        let (mut refused, mut served) = (0, 0);
        // Those that spoke, and no others.
        while refused < 3 || served < 1 {
            let mut conn = listener.accept().await.expect("a peer that has spoken");
            match conn.handshake().await {
                Ok(()) => {
                    assert_line!(conn, n.to_string());
                    served += 1;
                }
                Err(error) => {
                    assert!(matches!(error, Error::Tls(_)), "{error:?}");
                    refused += 1;
                }
            }
        }
        peer.await.expect("the handshake succeeds");
        distrust.await;
    }
    assert_eq!(silent.len(), 9);
}

/// A peer that dawdles is given up at the deadline: a silent one by the listener, and one that has begun
/// by its connection.
pub async fn t6_peers_that_dawdle_are_given_up<P: Platform>() {
    let config = Config::default().handshake_timeout(SHORT);
    let (listener, address) = listen::<P::Runtime>(context(), config).await;
    let silent = dawdle(&[], connect(address));
    let accepting = async {
        listener.accept().await.expect("it has not spoken");
        panic!("a silent peer was handed out");
    };
    or(silent, accepting).await;
    let slow = dawdle(&SLOW, connect(address));
    let mut conn = listener.accept().await.expect("it has spoken");
    let error = conn.handshake().await.expect_err("it dawdles");
    assert!(
        matches!(&error, Error::Tls(error) if error.kind() == TlsErrorKind::TimedOut),
        "{error:?}"
    );
    drop(conn);
    slow.await;
}

/// However many others say nothing, or stop in the middle of their hello: it is served, and with more silent
/// peers than there is room for, too.
pub async fn t6_an_honest_client_is_served_among_silent_peers<P: Platform>() {
    let options = ListenOptions::new().tls(context()).max_silent(4);
    let listener = Listener::<P::Runtime>::bind_with("127.0.0.1:0", options).await;
    let listener = listener.expect("a listener");
    let address = listener.local_addr().expect("an address").ip().expect("TCP");
    let others: Vec<_> = (0..24)
        .map(|n| {
            let mut socket = connect(address);
            if n % 2 == 0 {
                socket.write_all(&SLOW[..20 + n]).expect("it listens");
            }
            socket
        })
        .collect();
    let peer = unblock(move || {
        let mut peer = Raw::client(connect(address), client_config(&VERSIONS, None))?;
        peer.write_all(b"honest\n")?;
        let mut answer = [0; 8];
        peer.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    });
    let serving = async {
        // Some runtimes cancel a task whose handle is dropped.
        let mut tasks = Vec::new();
        loop {
            let mut conn = listener.accept().await.expect("a peer that has spoken");
            tasks.push(P::spawn(async move {
                if let Ok(Some(line)) = conn.next_line().await {
                    let line = line.to_vec();
                    conn.send_line(line).await.expect("a connection");
                }
            }));
        }
    };
    let answer = or(peer, serving).await.expect("it is served");
    assert_eq!(&answer, b"honest\r\n");
    drop(others);
}

/// Whichever of several tasks accepts: each connection goes to one of them.
pub async fn t6_several_tasks_accept<P: Platform>() {
    const PEERS: usize = 12;

    let (listener, address) = listen::<P::Runtime>(context(), Config::default()).await;
    let listener = Arc::new(listener);
    let accepts: Vec<_> = (0..PEERS)
        .map(|_| {
            let listener = Arc::clone(&listener);
            P::spawn(async move {
                let mut conn = listener.accept().await.expect("a connection");
                conn.recv_line().await.expect("a line")
            })
        })
        .collect();
    let peers: Vec<_> = (0..PEERS)
        .map(|n| {
            unblock(move || {
                let mut peer = Raw::client(connect(address), client_config(&VERSIONS, None))?;
                peer.write_all(format!("{n}\n").as_bytes())?;
                Ok::<_, std::io::Error>(peer)
            })
        })
        .collect();
    let mut lines = Vec::<usize>::new();
    for accept in accepts {
        lines.push(accept.await.parse().expect("a number"));
    }
    lines.sort_unstable();
    assert_eq!(lines, (0..PEERS).collect::<Vec<_>>());
    for peer in peers {
        peer.await.expect("the handshake succeeds");
    }
}

/// An accept that is dropped at every wait leaves the peer to the next one.
pub async fn t6_a_dropped_accept_loses_no_peer<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(context(), Config::default()).await;
    for n in 0..8 {
        let peer = unblock(move || {
            let mut peer = Raw::client(connect(address), client_config(&VERSIONS, None))?;
            peer.write_all(format!("{n}\n").as_bytes())?;
            Ok::<_, std::io::Error>(peer)
        });
        let mut conn = interrupted!(listener.accept().await).expect("a connection");
        assert_line!(conn, n.to_string());
        peer.await.expect("the handshake succeeds");
    }
}

/// Silent peers are no connections yet.
pub async fn t6_finish_drops_silent_peers<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(context(), Config::default()).await;
    let mut silent: Vec<_> = (0..3).map(|_| connect(address)).collect();
    assert!(waits(pin!(listener.accept())).await, "they say nothing");
    assert_eq!(listener.finish(Duration::from_secs(10)).await, Finished::default());
    let end = |socket: &mut TcpStream| {
        let mut said = Vec::new();
        socket.read_to_end(&mut said).map(|_| said)
    };
    for end in unblock(move || silent.iter_mut().map(end).collect::<Vec<_>>()).await {
        match end {
            // Nothing, or an alert.
            Ok(said) => assert!(matches!(said[..], [] | [0x15, ..]), "{said:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

/// A role that the settings have no part for.
pub async fn t6_settings_without_the_role_are_refused<P: Platform>() {
    let client = TlsContext::client().ca_pem(identity().0.as_bytes()).expect("PEM");
    let client = client.build().expect("a client");
    let (mut conn, _socket) = plain::<P::Runtime>(Config::default());
    let refused = conn.upgrade_tls(Role::Server.of(&client)).await;
    assert_err!(refused, Error::Upgrade(UpgradeRefused::Settings(_)));
    let nameless = Role::Client { server_name: "not a name" };
    assert_err!(
        conn.upgrade_tls(nameless.of(&client)).await,
        Error::Upgrade(UpgradeRefused::Settings(_))
    );
    assert!(conn.tls().is_none());
}

/// Early data (0-RTT) would be lost without a word, so settings that allow it are refused.
pub async fn t6_settings_with_early_data_are_refused<P: Platform>() {
    let mut config = server_config(&VERSIONS);
    config.max_early_data_size = 1024;
    let early = TlsContext::from(Arc::new(config));
    let options = ListenOptions::new().tls(&early);
    let error = Listener::<P::Runtime>::bind_with("127.0.0.1:0", options).await;
    let error = error.expect_err("0-RTT");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("max_early_data_size"), "{error}");
    let (mut conn, _socket) = plain::<P::Runtime>(Config::default());
    assert_err!(
        conn.upgrade_tls(early.as_server()).await,
        Error::Upgrade(UpgradeRefused::Settings(_))
    );
    assert!(conn.tls().is_none());
}

/// The next address would only hide why.
pub async fn t6_a_certificate_error_is_not_hidden_by_the_next_address<P: Platform>() {
    let (_nobody, refused) = refusing();
    let (address, server) = serve(1, |socket| {
        assert!(Raw::server(socket, server_config(&VERSIONS)).is_err(), "it is not trusted");
    });
    Faulty::<P::Runtime>::name([address, refused]);
    let stranger = stranger("somebody.test").0;
    let client = TlsContext::client().ca_pem(stranger.as_bytes()).expect("PEM");
    let mut socket = AsyncSocket::<Faulty<P::Runtime>>::default();
    socket.wrap_tls(&client.build().expect("a client"));
    let error = socket.connect("server.test", 0).await.expect_err("it is not trusted");
    assert!(matches!(refusal(&error), TlsErrorKind::Certificate(_)), "{error}");
    server.await;
}
