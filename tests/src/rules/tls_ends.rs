//! [T7], [T8], [T10], [T11] and [T13]: how a secure connection ends, and what each end tells.
//!
//! [T7]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t7
//! [T8]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t8
//! [T10]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t10
//! [T11]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t11
//! [T13]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t13

use std::io::{ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use asyncnet::nim::Flags;
use asyncnet::tls::rustls::{AlertDescription, version};
use asyncnet::tls::{ClientCertificates, TlsErrorKind};
use asyncnet::{
    AsyncSocket, Cause, CloseLimits, Config, Connection, Error, Listener, Runtime, TlsContext,
    Transport, Truncation,
};
use blocking::{Task, unblock};
use futures_lite::future::{or, poll_once, zip};

use crate::bed::Platform;
use crate::raw::{
    ROLES, Raw, VERSIONS, alert, client_config, connect, listen, plain, secure, serve,
    server_config, stranger,
};
use crate::system::makes_resets;
use crate::tls::{Role, context, identity};
use crate::tools::{assert_err, assert_line, is_reset, kind, try_send};

/// A server that wants a certificate which nobody here has.
fn demanding() -> TlsContext {
    let (certificate, key) = identity();
    let server = TlsContext::server().identity_pem(certificate.as_bytes(), key.as_bytes());
    let known = stranger("client.test").0;
    let server = server.expect("PEM").client_ca_pem(known.as_bytes(), ClientCertificates::Required);
    server.expect("PEM").build().expect("a server")
}

/// Accepts one after the other, and tells each that its handshake has failed.
async fn refuse_all<R: Runtime, T>(listener: &Listener<R>) -> T {
    loop {
        let mut conn = listener.accept().await.expect("a peer that has spoken");
        assert_err!(conn.handshake().await, Error::Tls(_));
        let _ = conn.close().await;
    }
}

/// In TLS 1.3 the client has finished, and may be sending, before it is judged. What it sent must not turn
/// the end into a reset that destroys the alert.
pub async fn t7_a_refusal_reaches_a_client_that_floods<P: Platform>() {
    const TIMES: usize = 20;

    let (listener, address) = listen::<P::Runtime>(&demanding(), Config::default()).await;
    let peers = unblock(move || {
        let flood = |_| {
            let mut peer = Raw::client(connect(address), client_config(&VERSIONS, None))?;
            for _ in 0..12 {
                // It may have ended already; the alert is there all the same.
                if peer.write_all(&[b'.'; 16 << 10]).is_err() {
                    break;
                }
            }
            peer.rest().1
        };
        (0..TIMES).map(flood).map(|end| end.map_err(|error| alert(&error))).collect::<Vec<_>>()
    });
    let accepting = refuse_all(&listener);
    let ends = or(peers, accepting).await;
    assert_eq!(ends, [Err(Some(AlertDescription::CertificateRequired)); TIMES]);
}

/// The same with ours at the other end: the first receive tells.
pub async fn t7_our_client_is_told_why_it_was_refused<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(&demanding(), Config::default()).await;
    let accepting = refuse_all(&listener);
    let scene = async {
        for _ in 0..5 {
            let mut socket = AsyncSocket::<P::Runtime>::default();
            socket.wrap_tls(context());
            let mut conn = socket.connect("127.0.0.1", address.port()).await.expect("too early");
            for _ in 0..12 {
                let _ = conn.send(&[b'.'; 16 << 10]).await;
            }
            for _ in 0..2 {
                let told = conn.next_line().await;
                assert_err!(told, Error::Tls(ref error) if error.kind() == TlsErrorKind::Alert(116));
            }
            assert_err!(conn.send(b"x").await, Error::Tls(ref error) if error.kind() == TlsErrorKind::Alert(116));
        }
    };
    or(scene, accepting).await;
}

/// Whoever speaks another protocol learns that this is TLS.
pub async fn t7_plain_text_at_the_port_of_tls_is_answered_with_an_alert<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(context(), Config::default()).await;
    let peer = unblock(move || {
        let mut socket = connect(address);
        socket.write_all(b"GET / HTTP/1.1\r\nHost: server.test\r\n\r\n").expect("it listens");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("a good end");
        answer
    });
    let accepting = refuse_all(&listener);
    let answer = or(peer, accepting).await;
    assert!(matches!(answer[..], [0x15, 3, 3, 0, 2, 2, _]), "{answer:?}");
}

/// In an upgrade too, and the close delivers it.
pub async fn t7_a_failed_upgrade_tells_the_peer_why<P: Platform>() {
    let (mut conn, socket) = plain::<P::Runtime>(Config::default());
    let peer = unblock(move || {
        let refused = Raw::server(socket, server_config(&VERSIONS)).map(drop);
        refused.map_err(|error| alert(&error))
    });
    let role = Role::Client { server_name: "other.test" };
    assert_err!(conn.upgrade_tls(role.of(context())).await, Error::Tls(_));
    let _ = conn.close().await;
    assert_eq!(peer.await, Err(Some(AlertDescription::BadCertificate)));
}

/// A record whose last byte somebody changed.
fn corrupt(peer: &mut Raw) -> Vec<u8> {
    let mut record = peer.sealed(b"evil\n");
    *record.last_mut().expect("it is not empty") ^= 1;
    record
}

/// One read brings good lines and what is wrong behind them: lines, error, the same error, and the peer is
/// told.
pub async fn t8_lines_come_before_the_error_in_the_same_read<P: Platform>() {
    for role in ROLES {
        let (mut conn, mut peer) = secure::<P::Runtime>(role, Config::default()).await;
        let mut wire = peer.sealed(b"one\ntwo\npart");
        wire.extend(corrupt(&mut peer));
        wire.extend(peer.sealed(b"never\n"));
        peer.socket.write_all(&wire).expect("our side is there");
        assert_line!(conn, "one");
        assert_line!(conn, "two");
        for _ in 0..2 {
            let told = conn.next_line().await;
            assert_err!(told, Error::Tls(ref error) if error.kind() == TlsErrorKind::Protocol);
            assert_eq!(kind(conn.recv_line().await.expect_err("an error")), ErrorKind::InvalidData);
            assert_err!(conn.recv(4).await, Error::Tls(_));
            let sent = conn.send(b"x").await;
            assert_err!(sent, Error::Tls(ref error) if error.kind() == TlsErrorKind::Protocol);
        }
        let end = conn.end().expect("it has ended");
        assert_eq!((end.cause, end.partial), (Cause::TlsFailed, 4));
        assert_eq!(conn.partial(), b"part");
        let (_, told) = zip(conn.close(), unblock(move || peer.rest().1)).await;
        let told = told.expect_err("not a good end");
        assert_eq!(alert(&told), Some(AlertDescription::BadRecordMac));
    }
}

/// How a peer can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Notice,
    NoticeAndGarbage,
    Fin,
    FinInARecord,
    Reset,
}

const WAYS: [Way; 5] =
    [Way::Notice, Way::NoticeAndGarbage, Way::Fin, Way::FinInARecord, Way::Reset];

impl Way {
    /// Ends behind `said`. What is left of the peer has to live on, or its end becomes a reset.
    fn end(self, mut peer: Raw, said: &[u8]) -> Option<TcpStream> {
        let mut wire = peer.sealed(said);
        match self {
            Self::Notice => wire.extend(peer.notice()),
            Self::NoticeAndGarbage => {
                wire.extend(peer.notice());
                wire.extend(b"\x17\x03\x03\x00\x20 injected line\n and more");
            }
            Self::FinInARecord => {
                let record = peer.sealed(b"cut\n");
                wire.extend(&record[..record.len() / 2]);
            }
            Self::Fin | Self::Reset => {}
        }
        peer.socket.write_all(&wire).expect("our side is there");
        if self == Self::Reset {
            peer.reset();
            return None;
        }
        peer.fin();
        Some(peer.socket)
    }
}

/// Close notice, FIN, FIN in the middle of a record, reset: each has its own end, in either role, and what
/// came before it is delivered first.
pub async fn t8_every_way_to_end_has_its_own_name<P: Platform>() {
    for role in ROLES {
        for way in WAYS {
            if way == Way::Reset && !makes_resets() {
                continue;
            }
            let (mut conn, peer) = secure::<P::Runtime>(role, Config::default()).await;
            let _open = way.end(peer, b"line\n");
            assert_line!(conn, "line");
            for _ in 0..2 {
                let told = conn.next_line().await.map(|line| line.map(<[u8]>::to_vec));
                let end = conn.end().expect("it has ended");
                assert_eq!(end.partial, 0);
                match way {
                    Way::Notice | Way::NoticeAndGarbage => {
                        assert_eq!(told.expect("a good end"), None);
                        assert_eq!(end.cause, Cause::Eof);
                    }
                    Way::Fin | Way::FinInARecord => {
                        let truncated = |told: &Error| matches!(told, Error::Disconnected(_));
                        assert!(told.as_ref().is_err_and(truncated), "{way:?}: {told:?}");
                        assert_eq!(end.cause, Cause::Truncated, "{way:?}");
                    }
                    Way::Reset => assert!(told.is_err_and(|told| is_reset(&told))),
                }
            }
        }
        // In the handshake it is an error of the upgrade, however the peer left.
        for reset in [false, true] {
            let (mut conn, mut socket) = plain::<P::Runtime>(Config::default());
            socket.write_all(b"\x16\x03\x03\x00\x7a").expect("our side is there");
            let _open = if reset {
                let linger = Some(Duration::ZERO);
                socket2::SockRef::from(&socket).set_linger(linger).expect("an option");
                drop(socket);
                None
            } else {
                socket.shutdown(std::net::Shutdown::Write).expect("connected");
                Some(socket)
            };
            let error = conn.upgrade_tls(role.of(context())).await.expect_err("it left");
            assert_eq!(kind(error), ErrorKind::UnexpectedEof, "{role:?}, {reset}");
        }
    }
}

/// One read brings the end of the handshake, lines, and the close notice, whatever call drives the handshake.
pub async fn t8_what_comes_with_the_end_of_the_handshake_comes_before_the_end<P: Platform>() {
    for by in ["handshake", "receive", "writer"] {
        let (mut conn, socket) = plain::<P::Runtime>(Config::default());
        let config = client_config(&[&version::TLS13], None);
        let peer = unblock(move || Raw::hasty_client(socket, config, b"one\ntwo\npart"));
        match by {
            "handshake" => conn.upgrade_tls(context().as_server()).await.expect("a handshake"),
            // It begins, and how far it comes is up to the peer.
            "receive" => drop(poll_once(conn.upgrade_tls(context().as_server())).await),
            _ => {
                drop(poll_once(conn.upgrade_tls(context().as_server())).await);
                conn.writer().send_line(b"hello").await.expect("a handshake");
            }
        }
        assert_line!(conn, "one");
        assert_line!(conn, "two");
        for _ in 0..2 {
            assert_err!(conn.next_line().await, Error::Disconnected(_));
            let end = conn.end().expect("it has ended");
            assert_eq!((end.cause, end.partial), (Cause::Eof, 4), "by {by}");
            assert_eq!(conn.partial(), b"part");
        }
        drop(peer.await.expect("a handshake"));
    }
}

/// A stream that was cut off: what it is taken for is the caller's choice, and `end` tells it always unless
/// it is allowed.
pub async fn t13_policy_and_flag_say_how_a_truncation_is_told<P: Platform>() {
    for truncation in [Truncation::Report, Truncation::Strict, Truncation::Allow] {
        for ends in [Flags::SAFE_DISCONN, Flags::empty()] {
            for (said, partial) in [(&b"line\n"[..], 0), (b"line\npart", 4)] {
                let config = Config::default().truncation(truncation).nim_flags(ends);
                let (mut conn, peer) = secure::<P::Runtime>(Role::Server, config).await;
                let _open = Way::Fin.end(peer, said);
                assert_line!(conn, "line");
                let allowed = truncation == Truncation::Allow;
                let hidden =
                    allowed || truncation == Truncation::Report && ends == Flags::SAFE_DISCONN;
                for _ in 0..2 {
                    let nim_style = conn.recv_line().await;
                    if hidden {
                        assert_eq!(nim_style.expect("hidden"), "");
                    } else {
                        let told = kind(nim_style.expect_err("told"));
                        assert_eq!(told, ErrorKind::UnexpectedEof);
                    }
                    let typed = conn.next_line().await.map(|line| line.map(<[u8]>::to_vec));
                    if allowed && partial == 0 {
                        assert_eq!(typed.expect("allowed"), None);
                    } else {
                        assert_err!(typed, Error::Disconnected(_));
                    }
                    let cause = if allowed { Cause::Eof } else { Cause::Truncated };
                    let end = conn.end().expect("it has ended");
                    assert_eq!((end.cause, end.partial), (cause, partial));
                }
                // The flag of a single call stands above the setting, the policy above the flag.
                let safe = conn.with_flags(Flags::SAFE_DISCONN).recv_line().await;
                assert_eq!(safe.is_err(), truncation == Truncation::Strict);
                assert_eq!(conn.with_flags(Flags::empty()).recv_line().await.is_err(), !allowed);
            }
        }
    }
}

/// A client that only writes, to a server that has sent tickets and reads slowly. Nobody reads the tickets,
/// and the close must not turn into a reset because of it.
pub async fn t10_every_byte_arrives_though_tickets_are_unread<P: Platform>() {
    let (address, server) = serve_slowly(3);
    // No time is too long for a busy machine.
    let patient = CloseLimits::default().flush(Duration::from_secs(15), Duration::from_secs(15));
    let patient = Config::default().close(patient.drain(Duration::from_secs(15), 256 << 10));
    for pieces in [1, 3, 1000] {
        let mut conn = connect_to::<P>(address, patient).await;
        for piece in vec![b'.'; BYTES].chunks(BYTES.div_ceil(pieces)) {
            conn.send(piece).await.expect("a connection");
        }
        conn.close().await.expect("a good end");
    }
    assert_eq!(server.await, [Ok(BYTES), Ok(BYTES), Ok(BYTES)]);
}

/// The same without a close, once the tickets are there: a drop cannot wait for them, but takes what has
/// come.
pub async fn t10_a_drop_takes_the_tickets_that_have_come<P: Platform>() {
    let (address, server) = serve_slowly(2);
    for _ in 0..2 {
        let mut conn = connect_to::<P>(address, Config::default()).await;
        conn.send(&[b'.'; BYTES]).await.expect("a connection");
        let socket = conn.get_ref().and_then(Transport::os_socket).expect("a socket");
        let socket = socket2::SockRef::from(&socket);
        while socket.peek(&mut [MaybeUninit::uninit()]).is_err() {
            P::Runtime::sleep(Duration::from_millis(1)).await;
        }
        drop(conn);
    }
    assert_eq!(server.await, [Ok(BYTES), Ok(BYTES)]);
}

/// How many bytes a client sends to a slow server.
const BYTES: usize = 200_001;

/// How many bytes a server read, and the error that came instead of an end.
type Heard = Result<usize, (usize, ErrorKind)>;

/// Accepts `times` clients, and reads slowly what they send.
fn serve_slowly(times: usize) -> (SocketAddr, Task<Vec<Heard>>) {
    serve(times, |socket| {
        socket2::SockRef::from(&socket).set_recv_buffer_size(16 << 10).expect("an option");
        let mut peer = Raw::server(socket, server_config(&VERSIONS)).expect("the handshake");
        let mut total = 0;
        let mut buf = [0; 8 << 10];
        loop {
            match peer.read(&mut buf) {
                Ok(0) => return Ok(total),
                Ok(n) => total += n,
                Err(error) => return Err((total, error.kind())),
            }
            sleep(Duration::from_millis(1));
        }
    })
}

async fn connect_to<P: Platform>(
    address: SocketAddr,
    config: Config,
) -> Connection<<P::Runtime as Runtime>::Stream> {
    let mut socket = AsyncSocket::<P::Runtime>::default().with_config(config);
    socket.wrap_tls(context());
    socket.connect("127.0.0.1", address.port()).await.expect("a connection")
}

/// It is an error in every view, and not a byte of it leaves.
pub async fn t11_after_our_close_notice_a_send_is_an_error<P: Platform>() {
    for role in ROLES {
        let (mut conn, mut peer) = secure::<P::Runtime>(role, Config::default()).await;
        conn.send(b"before").await.expect("a connection");
        conn.shutdown_write().await.expect("a connection");
        assert_err!(conn.send(b"after").await, Error::Closed);
        assert_err!(conn.send_line(b"after").await, Error::Closed);
        assert_err!(conn.feed(b"after"), Error::Closed);
        assert_err!(try_send!(conn, vec![b'.'; 5000].into()), Error::Closed);
        conn.shutdown_write().await.expect("twice is fine");
        let (received, end) = peer.rest();
        assert_eq!(received, b"before");
        end.expect("a good end");
        // The other direction is still open (TLS 1.3).
        peer.write_all(b"reply\n").expect("our side is there");
        assert_line!(conn, "reply");
        peer.close();
        assert_eq!(conn.next_line().await.expect("a good end"), None);
    }
}

/// After the peer's notice ours goes on sending.
pub async fn t11_the_peers_close_notice_ends_one_direction<P: Platform>() {
    for role in ROLES {
        let (mut conn, mut peer) = secure::<P::Runtime>(role, Config::default()).await;
        let wire = [peer.sealed(b"question\n"), peer.notice()].concat();
        peer.socket.write_all(&wire).expect("our side is there");
        assert_line!(conn, "question");
        assert_eq!(conn.next_line().await.expect("a good end"), None);
        conn.send(b"answer").await.expect("it is still open");
        let rest = unblock(move || peer.rest());
        let (closed, (received, end)) = zip(conn.close(), rest).await;
        closed.expect("a good end");
        assert_eq!(received, b"answer");
        end.expect("a good end");
    }
}
