//! [T5] and [T12]: going over to TLS in the middle of a connection (STARTTLS).
//!
//! [T5]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t5
//! [T12]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t12

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use asyncnet::tls::rustls::ClientConnection;
use asyncnet::tls::rustls::pki_types::ServerName;
use asyncnet::tls::{TlsErrorKind, UpgradeRefused};
use asyncnet::{Cause, Config, Connection, Error, Transport};
use blocking::{Task, unblock};
use futures_lite::future::poll_once;

use crate::bed::Platform;
use crate::raw::{ROLES, Raw, VERSIONS, client_config, plain, secure};
use crate::tls::{NAME, Role, context};
use crate::tools::{assert_err, assert_line, interrupted};

async fn upgrade<S: Transport>(conn: &mut Connection<S>, role: Role<'static>) -> Result<(), Error> {
    conn.upgrade_tls(role.of(context())).await
}

/// A peer that goes along, sends a line and gives the one that it receives.
fn converse(ours: Role<'static>, socket: TcpStream) -> Task<Vec<u8>> {
    unblock(move || {
        let mut peer = Raw::peer_of(ours, socket).expect("the handshake succeeds");
        peer.write_all(b"from the peer\n").expect("our side is there");
        let mut line = vec![0; 6];
        peer.read_exact(&mut line).expect("a line");
        peer.close();
        line
    })
}

/// The other half of the conversation.
async fn assert_conversation<S: Transport>(conn: &mut Connection<S>, peer: Task<Vec<u8>>) {
    assert!(conn.tls().is_some());
    assert_line!(conn, "from the peer");
    conn.send(b"ours\r\n").await.expect("a connection");
    assert_eq!(peer.await, b"ours\r\n");
    assert_eq!(conn.next_line().await.expect("a good end"), None);
}

/// Bytes behind the command, or behind its answer, are refused as long as they are there. They stay what
/// they are, plain, and nothing else changes.
pub async fn t5_plaintext_behind_the_command_is_refused<P: Platform>() {
    for role in ROLES {
        for injected in ["RCPT TO:<mallory>\r\n", "x", "\r\n", ""] {
            let (mut conn, mut socket) = plain::<P::Runtime>(Config::default());
            socket.write_all(format!("STARTTLS\r\n{injected}").as_bytes()).expect("it is there");
            assert_line!(conn, "STARTTLS");
            if !injected.is_empty() {
                let n = injected.len();
                for _ in 0..2 {
                    let refused = upgrade(&mut conn, role).await;
                    assert_err!(refused, Error::Upgrade(UpgradeRefused::BufferedPlaintext(m)) if m == n);
                    assert!(conn.tls().is_none() && conn.end().is_none());
                }
                let plain = conn.next_block(n).await.expect("it is still there");
                assert_eq!(plain, injected.as_bytes());
                conn.send_line(b"500").await.expect("it is as it was");
                let mut answer = [0; 5];
                socket.read_exact(&mut answer).expect("in plain");
                assert_eq!(&answer, b"500\r\n");
            }
            let peer = converse(role, socket);
            upgrade(&mut conn, role).await.expect("nothing stands in the way");
            assert_conversation(&mut conn, peer).await;
        }
    }
}

/// A client that begins with TLS before it was told to: the same.
pub async fn t5_an_eager_client_hello_is_refused<P: Platform>() {
    let name = ServerName::try_from(NAME).expect("a name");
    let mut eager = ClientConnection::new(client_config(&VERSIONS, None).into(), name);
    let mut hello = Vec::new();
    eager.as_mut().expect("settings that fit").write_tls(&mut hello).expect("a Vec takes it");
    let (mut conn, mut socket) = plain::<P::Runtime>(Config::default());
    socket.write_all(&[b"STARTTLS\r\n", &hello[..]].concat()).expect("our side is there");
    assert_line!(conn, "STARTTLS");
    let refused = upgrade(&mut conn, Role::Server).await;
    assert_err!(refused, Error::Upgrade(UpgradeRefused::BufferedPlaintext(n)) if n == hello.len());
    // Nothing of it was fed to TLS.
    assert_eq!(conn.next_block(hello.len()).await.expect("it is still there"), hello);
    let peer = converse(Role::Server, socket);
    upgrade(&mut conn, Role::Server).await.expect("nothing stands in the way");
    assert_conversation(&mut conn, peer).await;
}

/// What is queued would be sealed by surprise.
pub async fn t5_unsent_plaintext_is_refused<P: Platform>() {
    for role in ROLES {
        let (mut conn, mut socket) = plain::<P::Runtime>(Config::default());
        conn.feed_line(b"220").expect("there is room");
        for _ in 0..2 {
            assert_err!(
                upgrade(&mut conn, role).await,
                Error::Upgrade(UpgradeRefused::UnsentPlaintext(5))
            );
            assert!(conn.tls().is_none());
        }
        conn.flush().await.expect("a connection");
        let mut answer = [0; 5];
        socket.read_exact(&mut answer).expect("in plain");
        assert_eq!(&answer, b"220\r\n");
        let peer = converse(role, socket);
        upgrade(&mut conn, role).await.expect("nothing stands in the way");
        assert_conversation(&mut conn, peer).await;
    }
}

/// A bad line whose rest is still to come, an end, and a close.
pub async fn t5_an_upgrade_at_the_wrong_time_is_refused<P: Platform>() {
    for role in ROLES {
        let (mut conn, mut socket) = plain::<P::Runtime>(Config::default().max_line(4));
        socket.write_all(b"too long").expect("our side is there");
        assert_err!(conn.next_line().await, Error::Line(_));
        assert_err!(upgrade(&mut conn, role).await, Error::Upgrade(UpgradeRefused::Discarding));
        socket.write_all(b"!\nok\n").expect("our side is there");
        assert_line!(conn, "ok");
        socket.shutdown(std::net::Shutdown::Write).expect("connected");
        assert_eq!(conn.next_line().await.expect("a good end"), None);
        let refused = upgrade(&mut conn, role).await;
        assert_err!(refused, Error::Disconnected(end) if end.cause == Cause::Eof);
        conn.shutdown_write().await.expect("a connection");
        let refused = upgrade(&mut conn, role).await;
        assert_err!(refused, Error::Closed | Error::Disconnected(_));
        assert!(conn.tls().is_none());
    }
}

/// TLS is not put upon TLS.
pub async fn t5_a_second_upgrade_is_refused<P: Platform>() {
    for role in ROLES {
        let (mut conn, socket) = plain::<P::Runtime>(Config::default());
        let peer = converse(role, socket);
        upgrade(&mut conn, role).await.expect("the handshake succeeds");
        for _ in 0..2 {
            assert_err!(upgrade(&mut conn, role).await, Error::Upgrade(UpgradeRefused::AlreadyTls));
        }
        assert_conversation(&mut conn, peer).await;
    }
}

/// A dropped upgrade goes on with whatever is called next: an upgrade, a handshake, a receive, a send.
pub async fn t5_a_dropped_upgrade_is_continued_by_any_call<P: Platform>() {
    for role in ROLES {
        for next in ["upgrade", "handshake", "receive", "send", "at every wait"] {
            let (mut conn, socket) = plain::<P::Runtime>(Config::default());
            // The peer has said nothing yet.
            assert!(poll_once(upgrade(&mut conn, role)).await.is_none());
            assert!(conn.tls().is_some(), "nothing leaves in plain from here on");
            let peer = converse(role, socket);
            match next {
                "upgrade" => upgrade(&mut conn, role).await.expect("it goes on"),
                "handshake" => conn.handshake().await.expect("it goes on"),
                "receive" => {}
                "send" => {
                    conn.send(b"ours\r\n").await.expect("it goes on");
                    assert_line!(conn, "from the peer");
                    assert_eq!(peer.await, b"ours\r\n");
                    continue;
                }
                _ => interrupted!(conn.handshake().await).expect("it goes on"),
            }
            assert_conversation(&mut conn, peer).await;
            assert_err!(upgrade(&mut conn, role).await, Error::Upgrade(UpgradeRefused::AlreadyTls));
        }
    }
}

/// The answer stays the same, in every call, and nothing falls back to plain.
pub async fn t5_a_failed_upgrade_stays_failed<P: Platform>() {
    for role in ROLES {
        let (mut conn, mut socket) = plain::<P::Runtime>(Config::default());
        socket.write_all(b"500 what is TLS?\r\nnever mind\r\n").expect("our side is there");
        for by_upgrade in [true, true, false] {
            let failed = match by_upgrade {
                true => upgrade(&mut conn, role).await,
                false => conn.handshake().await,
            };
            assert_err!(
                failed,
                Error::Tls(ref error) if error.kind() == TlsErrorKind::Protocol
            );
            assert_err!(conn.next_line().await, Error::Tls(_));
            assert_err!(conn.recv_line().await, Error::Tls(_));
            assert_err!(conn.send(b"secret").await, Error::Tls(ref error) if error.kind() == TlsErrorKind::Protocol);
            assert_err!(conn.feed(b"secret"), Error::Tls(ref error) if error.kind() == TlsErrorKind::Protocol);
        }
        assert_eq!(conn.end().map(|end| end.cause), Some(Cause::TlsFailed));
        let peer = unblock(move || {
            let mut wire = Vec::new();
            socket.read_to_end(&mut wire).expect("an end");
            wire
        });
        conn.close().await.expect("nothing was accepted");
        assert_sealed(&peer.await);
    }
}

/// Records, one after the other, and nothing that is to be secret.
fn assert_sealed(wire: &[u8]) {
    let mut rest = wire;
    while let [typ, 3, _, high, low, ..] = *rest {
        assert!((20..=23).contains(&typ), "{rest:?}");
        let body = usize::from(u16::from_be_bytes([high, low]));
        rest = rest.get(5 + body..).unwrap_or_default();
    }
    assert!(rest.is_empty(), "not a record: {rest:?}");
    assert!(!wire.windows(6).any(|bytes| bytes == b"secret"), "in plain");
}

/// It waits in our own queue, which counts it and says when it is full.
pub async fn t12_what_is_queued_in_the_handshake_waits_for_its_end<P: Platform>() {
    for role in ROLES {
        let (mut conn, socket) = plain::<P::Runtime>(Config::default().max_queue(1000));
        assert!(poll_once(upgrade(&mut conn, role)).await.is_none());
        conn.feed_line(b"secret").expect("there is room");
        assert_eq!(conn.stats().queued, 8 + 64);
        assert_err!(conn.feed([b'.'; 1000]), Error::Full { queued: 72, max: 1000 });
        assert!(poll_once(conn.flush()).await.is_none(), "the peer is silent");
        assert_eq!(conn.stats().queued, 8 + 64);
        let peer = unblock(move || {
            let mut peer = Raw::peer_of(role, socket).expect("the handshake succeeds");
            let rest = peer.rest();
            peer.close();
            rest
        });
        conn.flush().await.expect("the handshake succeeds");
        assert_eq!(conn.stats().queued, 0);
        conn.shutdown_write().await.expect("a connection");
        let (bytes, end) = peer.await;
        assert_eq!(bytes, b"secret\r\n");
        end.expect("a good end");
    }
}

/// And if the handshake fails it is lost, which is told, but it never leaves in plain.
pub async fn t12_what_is_queued_in_a_handshake_that_fails_never_leaves<P: Platform>() {
    for role in ROLES {
        let config = Config::default().handshake_timeout(Duration::from_millis(50));
        let (mut conn, mut socket) = plain::<P::Runtime>(config);
        assert!(poll_once(upgrade(&mut conn, role)).await.is_none());
        conn.feed(b"secret").expect("there is room");
        assert_err!(conn.flush().await, Error::Tls(ref error) if error.kind() == TlsErrorKind::TimedOut);
        assert_eq!(conn.stats().queued, 0);
        let peer = unblock(move || {
            let mut wire = Vec::new();
            let _ = socket.read_to_end(&mut wire);
            wire
        });
        assert_err!(conn.close().await, Error::Tls(ref error) if error.kind() == TlsErrorKind::TimedOut);
        assert_sealed(&peer.await);
    }
}

/// Both directions are full at once, from two tasks, and every byte arrives once and in order.
pub async fn c2_a_secure_connection_and_its_writer_send_much_both_ways<P: Platform>() {
    const LINES: usize = 16_000;

    let text = |n: usize| format!("line {n} {:060}", 0);
    for role in ROLES {
        // Peer and all: the helper threads read and write at the same time, too.
        let (mut receiver, peer) = secure::<P::Runtime>(role, Config::default()).await;
        let sender = receiver.writer();
        let Raw { socket, tls } = peer;
        let mut reading = Raw { socket: socket.try_clone().expect("a descriptor"), tls };
        let echo = unblock(move || {
            // It never holds more than a read of it, so both ways stay full.
            let mut buf = vec![0; 64 << 10];
            let mut received = 0;
            while let Ok(n @ 1..) = reading.read(&mut buf) {
                received += n;
                reading.write_all(&buf[..n]).expect("our side reads");
            }
            reading.close();
            received
        });
        let sending = P::spawn(async move {
            for n in 0..LINES {
                sender.send_line(text(n).as_bytes()).await.expect("a connection");
            }
            sender.shutdown_write().await.expect("a connection");
        });
        let receiving = P::spawn(async move {
            for n in 0..LINES {
                assert_line!(receiver, text(n));
            }
            assert_eq!(receiver.next_line().await.expect("a good end"), None);
        });
        sending.await;
        receiving.await;
        assert!(echo.await > 1 << 20);
        drop(socket);
    }
}
