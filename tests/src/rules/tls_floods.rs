//! [T12]: peers that send much and say nothing. Each flood ends in an error, and costs little until then.
//!
//! [T12]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t12

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use asyncnet::tls::TlsErrorKind;
use asyncnet::tls::rustls::{ContentType, HandshakeType};
use asyncnet::{Config, Connection, Error, Transport};
use blocking::{Task, unblock};

use crate::bed::Platform;
use crate::raw::{ROLES, plain, secure};
use crate::tls::{Role, context};
use crate::tools::{assert_err, assert_line};

/// Asserts that ours gives up, and says so for ever.
async fn assert_gives_up<S: Transport>(conn: &mut Connection<S>) {
    for _ in 0..2 {
        let told = conn.next_line().await;
        assert_err!(told, Error::Tls(ref error) if error.kind() == TlsErrorKind::Protocol);
    }
    let _ = conn.close().await;
}

/// Sends until ours has had enough, at most `n` times, and gives what ours has sent.
fn flood(
    mut socket: TcpStream,
    n: usize,
    mut next: impl FnMut() -> Vec<u8> + Send + 'static,
) -> Task<usize> {
    unblock(move || {
        let _ = (0..n).try_for_each(|_| socket.write_all(&next()));
        let mut answers = Vec::new();
        match socket.read_to_end(&mut answers) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("it is still open"),
            _ => answers.len(),
        }
    })
}

const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 1];

/// Each asks for an answer. Up to 32 may come without data in between; a peer that never reads the answers
/// must not make them pile up.
pub async fn t12_a_flood_of_key_updates_is_an_error<P: Platform>() {
    for role in ROLES {
        let (mut conn, mut peer) = secure::<P::Runtime>(role, Config::default()).await;
        let mut wire = Vec::new();
        for _ in 0..32 {
            peer.tls.refresh_traffic_keys().expect("TLS 1.3");
            wire.extend(peer.sealed(b""));
        }
        wire.extend(peer.sealed(b"line\n"));
        peer.socket.write_all(&wire).expect("our side is there");
        assert_line!(conn, "line");
        assert_eq!(conn.stats().queued, 0);
        conn.send(b"reply\n").await.expect("a connection");
        let mut reply = [0; 6];
        peer.read_exact(&mut reply).expect("a reply");
        assert_eq!(&reply, b"reply\n");

        let mut wire = Vec::new();
        for _ in 0..200 {
            peer.tls.refresh_traffic_keys().expect("TLS 1.3");
            wire.extend(peer.sealed(b""));
        }
        let peer = unblock(move || {
            peer.socket.write_all(&wire).expect("our side is there");
            let mut answers = Vec::new();
            let _ = peer.socket.read_to_end(&mut answers);
            answers.len()
        });
        assert_gives_up(&mut conn).await;
        // 33 answers of 27 bytes, an alert, and tickets at most.
        assert!(peer.await < 4096, "the answers pile up");
    }
}

/// A record without content is legal, and no line.
pub async fn t12_a_flood_of_empty_records_is_an_error<P: Platform>() {
    for role in ROLES {
        let (mut conn, peer) = secure::<P::Runtime>(role, Config::default()).await;
        let mut forger = peer.forge();
        let mut wire = Vec::new();
        for _ in 0..5 {
            wire.extend(forger.seal(ContentType::ApplicationData, b""));
        }
        wire.extend(forger.seal(ContentType::ApplicationData, b"line\n"));
        forger.socket.write_all(&wire).expect("our side is there");
        assert_line!(conn, "line");
        let socket = forger.socket.try_clone().expect("a descriptor");
        let flood = flood(socket, 100_000, move || forger.seal(ContentType::ApplicationData, b""));
        assert_gives_up(&mut conn).await;
        assert!(flood.await < 4096, "a flood is answered with a flood");
    }
}

/// A message behind the handshake that comes in two records, with a send of ours in between.
pub async fn t12_a_split_message_and_a_send_get_along<P: Platform>() {
    for role in ROLES {
        let (mut conn, peer) = secure::<P::Runtime>(role, Config::default()).await;
        let mut forger = peer.forge();
        let (front, rest) = KEY_UPDATE.split_at(2);
        let wire = forger.seal(ContentType::Handshake, front);
        forger.socket.write_all(&wire).expect("our side is there");
        conn.send_line(b"in between").await.expect("a connection");
        // TLS 1.3 lets nothing come between the parts.
        let wire = [
            forger.seal(ContentType::ApplicationData, b"line\n"),
            forger.seal(ContentType::Handshake, rest),
        ];
        forger.socket.write_all(&wire.concat()).expect("our side is there");
        let rest = flood(forger.socket, 0, Vec::new);
        assert_gives_up(&mut conn).await;
        rest.await;
    }
}

/// A warning that means nothing, and never ends.
pub async fn t12_a_flood_of_warnings_is_an_error<P: Platform>() {
    // "User canceled", the one that TLS 1.3 has left.
    const WARNING: [u8; 2] = [1, 90];

    for role in ROLES {
        let (mut conn, peer) = secure::<P::Runtime>(role, Config::default()).await;
        let mut forger = peer.forge();
        let socket = forger.socket.try_clone().expect("a descriptor");
        let flood = flood(socket, 100_000, move || forger.seal(ContentType::Alert, &WARNING));
        assert_gives_up(&mut conn).await;
        assert!(flood.await < 4096, "a flood is answered with a flood");
    }
}

/// A hello that never gets whole: a byte in each record, or announced too long. It ends, and before it has
/// cost much.
pub async fn t12_an_endless_hello_is_an_error<P: Platform>() {
    for role in ROLES {
        let typ = match role {
            Role::Server => HandshakeType::ClientHello,
            Role::Client { .. } => HandshakeType::ServerHello,
        };
        for announced in [60_000, 0x00ff_ffffu32] {
            let (mut conn, socket) = plain::<P::Runtime>(Config::default());
            let [_, length @ ..] = announced.to_be_bytes();
            let hello = [&[u8::from(typ)][..], &length, &[3, 3]].concat();
            let mut hello = hello.into_iter().chain(std::iter::repeat(0));
            let mut sent = 0;
            let peer = unblock(move || {
                let mut socket = socket;
                // Some records at a time, or it takes for ever.
                while sent < 4 << 20 {
                    let records =
                        (0..500).flat_map(|_| [22, 3, 3, 0, 1, hello.next().expect("endless")]);
                    let records: Vec<u8> = records.collect();
                    if socket.write_all(&records).is_err() {
                        break;
                    }
                    sent += records.len();
                }
                sent
            });
            let failed = conn.upgrade_tls(role.of(context())).await;
            assert_err!(failed, Error::Tls(ref error) if error.kind() == TlsErrorKind::Protocol);
            drop(conn);
            // Each byte of a hello takes 6 on the wire; the rest is what the system holds.
            assert!(peer.await < 4 << 20, "it never has enough");
        }
    }
}
