//! [T4], [T7], [T14] and [T15]: what an operator sees of TLS, and what refused peers are told.
//!
//! [T4]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t4
//! [T7]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t7
//! [T14]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t14
//! [T15]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t15

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asyncnet::net::{HandshakeFailure, ListenOptions};
use asyncnet::tls::TlsErrorKind;
use asyncnet::tls::rustls::ContentType;
use asyncnet::{Config, Error, Listener, TlsContext};
use blocking::unblock;

use crate::bed::{Platform, System};
use crate::raw::{
    Raw, VERSIONS, accept_secure, connect, listen, plain, secure, stranger, trusting,
};
use crate::tls::{NAME, Role, context};
use crate::tools::assert_err;

/// Time enough for whoever is there, and short for whoever waits for its end.
const SHORT: Duration = Duration::from_millis(100);

/// The front of a hello.
const BEGUN: &[u8] = &[22, 3, 3, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3];

/// In a listener that has a clone of the settings, from the next handshake on.
pub async fn t14_new_certificates_reach_a_listener<P: Platform>() {
    let (old, new) = (stranger(NAME), stranger(NAME));
    let server = TlsContext::server().identity_pem(old.0.as_bytes(), old.1.as_bytes());
    let server = server.expect("an identity").build().expect("a server");
    let (listener, address) = listen::<P::Runtime>(&server, Config::default()).await;
    for (shown, other) in [(&old, &new), (&new, &old)] {
        server.replace_identities([(&shown.0, &shown.1)]).expect("they fit");
        server.replace_identities([(&shown.0, &other.1)]).expect_err("they do not fit");
        let config = trusting(&shown.0, &VERSIONS, None);
        let peer = unblock(move || Raw::client(connect(address), config));
        drop(accept_secure(&listener).await);
        peer.await.expect("the certificate is trusted");
    }
    assert!(server.expiry().is_some());
}

/// All that a socket hears, and the end of it.
fn heard(mut socket: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    match socket.read_to_end(&mut said) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the socket is still open"),
        // What it sent later was not read.
        Ok(_) | Err(_) => said,
    }
}

/// A record that holds nothing, not even a type: no alert of rustls is for it.
pub async fn t7_a_record_without_a_type_is_answered<P: Platform>() {
    let (mut conn, peer) = secure::<P::Runtime>(Role::Server, Config::default()).await;
    let mut forger = peer.forge();
    let record = forger.seal(ContentType::from(0), b"");
    forger.socket.write_all(&record).expect("our side is there");
    assert_err!(conn.next_line().await, Error::Tls(ref error) if error.kind() == TlsErrorKind::Protocol);
    drop(conn);
    let said = unblock(move || heard(forger.socket)).await;
    // Two bytes, their type and a tag.
    let mut rest = &said[..];
    let mut last = 0;
    while let [23, 3, 3, high, low, ..] = rest {
        last = usize::from(u16::from_be_bytes([*high, *low]));
        rest = &rest[5 + last..];
    }
    assert_eq!((rest.len(), last), (0, 19), "{said:02x?}");
}

/// A wrapped listener and an upgrade tell the peer alike, by an alert and an end.
pub async fn t7_a_late_handshake_ends_with_an_alert<P: Platform>() {
    let config = Config::default().handshake_timeout(SHORT);
    let (listener, address) = listen::<P::Runtime>(context(), config).await;
    for wrapped in [true, false] {
        let (mut conn, socket) = if wrapped {
            let mut socket = connect(address);
            socket.write_all(BEGUN).expect("it listens");
            (listener.accept().await.expect("it has spoken"), socket)
        } else {
            let (conn, mut socket) = plain::<P::Runtime>(config);
            socket.write_all(BEGUN).expect("it is connected");
            (conn, socket)
        };
        let error = match wrapped {
            true => conn.handshake().await,
            false => conn.upgrade_tls(context().as_server()).await,
        };
        assert_err!(error, Error::Tls(ref error) if error.kind() == TlsErrorKind::TimedOut);
        drop(conn);
        let said = unblock(move || {
            let mut socket = socket;
            let mut said = Vec::new();
            socket.read_to_end(&mut said).expect("an orderly end");
            said
        });
        let said = said.await;
        assert!(matches!(said[..], [21, 3, _, 0, 2, _, _]), "wrapped {wrapped}: {said:02x?}");
    }
}

async fn listen_telling<R: System>(
    told: &Arc<Mutex<Vec<HandshakeFailure>>>,
) -> (Listener<R>, std::net::SocketAddr) {
    let told = Arc::clone(told);
    let options = ListenOptions::new().tls(context()).on_handshake_failure(move |failure| {
        told.lock().expect("no panic").push(failure.clone());
    });
    let listener = Listener::<R>::bind_with("127.0.0.1:0", options).await.expect("a listener");
    let address = listener.local_addr().expect("an address").ip().expect("TCP");
    (listener, address)
}

/// By its cause, with the peer; and a reset is an error for Nim-style calls as well.
pub async fn t15_a_failed_handshake_is_counted_and_told<P: Platform>() {
    let told = Arc::default();
    let (listener, address) = listen_telling::<P::Runtime>(&told).await;
    for resets in [false, true] {
        let mut socket = connect(address);
        let from = socket.local_addr().expect("an address");
        socket.write_all(if resets { BEGUN } else { b"EHLO example\r\n" }).expect("it listens");
        let mut conn = listener.accept().await.expect("it has spoken");
        let kind = if resets { TlsErrorKind::LeftInHandshake } else { TlsErrorKind::Protocol };
        if resets {
            socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("an option");
            drop(socket);
        }
        assert_err!(conn.recv_line().await, Error::Tls(ref error) if error.kind() == kind);
        drop(conn);
        let failures = std::mem::take(&mut *told.lock().expect("no panic"));
        let [failure] = &failures[..] else { panic!("{failures:?}") };
        assert_eq!((failure.peer.ip(), failure.error.kind()), (Some(from), kind));
    }
    let failures = listener.failures();
    assert_eq!((failures.protocol, failures.left, failures.timed_out), (1, 1, 0));
}
