//! [T6]: the handshakes of a listener that are under way are bounded in number.
//!
//! [T6]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#t6

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use asyncnet::net::ListenOptions;
use asyncnet::tls::TlsErrorKind;
use asyncnet::{Connection, Error, Listener, SendRuntime};
use blocking::unblock;

use crate::bed::{Platform, System};
use crate::raw::{Raw, VERSIONS, client_config, connect};
use crate::tls::context;
use crate::tools::{assert_err, assert_line, waits};

type Conn<P> = Connection<<<P as Platform>::Runtime as asyncnet::Runtime>::Stream>;

/// A listener for so many handshakes at once.
async fn bounded<R: System>(handshakes: usize) -> (Listener<R>, SocketAddr) {
    let options = ListenOptions::new().tls(context()).max_handshakes(handshakes);
    let listener = Listener::bind_with("127.0.0.1:0", options).await.expect("a port");
    let address = listener.local_addr().expect("an address").ip().expect("TCP");
    (listener, address)
}

/// The next connection. Its peer has said hello, and no more.
async fn greeted<R: System + SendRuntime>(
    listener: &Listener<R>,
    address: SocketAddr,
) -> (Connection<R::Stream>, Raw) {
    let peer = Raw::hello(connect(address), client_config(&VERSIONS, None)).expect("it listens");
    (listener.accept().await.expect("it has spoken"), peer)
}

/// What our side has written is there at once, on this machine.
fn has_heard_nothing(peer: &Raw) -> bool {
    peer.socket.set_nonblocking(true).expect("an option");
    let peeked = peer.socket.peek(&mut [0]);
    peer.socket.set_nonblocking(false).expect("an option");
    peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// How the handshake that is under way ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Good,
    Failed,
    TimedOut,
    Closed,
    Aborted,
    Dropped,
}

async fn end<P: Platform>(mut conn: Conn<P>, mut peer: Raw, ending: Ending) -> Option<Conn<P>> {
    match ending {
        Ending::Good => {
            let peer = unblock(move || peer.handshake());
            conn.handshake().await.expect("the handshake succeeds");
            peer.await.expect("the handshake succeeds");
        }
        Ending::Failed => {
            peer.socket.write_all(b"this is no record").expect("our side is there");
            assert_err!(conn.handshake().await, Error::Tls(_));
        }
        Ending::TimedOut => {
            conn.configure(|config| config.handshake_timeout(Duration::from_millis(1)));
            let late = conn.handshake().await;
            assert_err!(late, Error::Tls(ref error) if error.kind() == TlsErrorKind::TimedOut);
        }
        Ending::Closed => {
            // A close waits a while for the end of a peer that is there.
            drop(peer);
            drop(conn.close().await);
        }
        Ending::Aborted => conn.abort(),
        Ending::Dropped => return None,
    }
    // It is open still, and needs no slot.
    Some(conn)
}

/// However it ends, and whether or not the connection has writers: the next one goes on, by itself.
pub async fn t6_a_handshake_that_ends_gives_its_slot_back<P: Platform>() {
    use Ending::{Aborted, Closed, Dropped, Failed, Good, TimedOut};

    for ending in [Good, Failed, TimedOut, Closed, Aborted, Dropped] {
        for shared in [false, true] {
            let (listener, address) = bounded::<P::Runtime>(1).await;
            let (mut first, its_peer) = greeted(&listener, address).await;
            let _writer = (shared && ending != Dropped).then(|| first.writer());
            assert!(waits(pin!(first.handshake())).await, "its peer says no more");

            let (mut second, peer) = greeted(&listener, address).await;
            let _writer = shared.then(|| second.writer());
            let mut waiting = pin!(second.handshake());
            assert!(waits(waiting.as_mut()).await, "the first one goes on");
            assert!(has_heard_nothing(&peer), "two handshakes are under way");

            let _open = end::<P>(first, its_peer, ending).await;
            let peer = unblock(move || peer.handshake());
            waiting.await.unwrap_or_else(|error| panic!("{ending:?}, {shared}: {error}"));
            peer.await.expect("the handshake succeeds");
        }
    }
}

/// Those above the bound are handed out, wait their turn, and may leave it.
pub async fn t6_accepts_go_on_while_handshakes_wait<P: Platform>() {
    let (listener, address) = bounded::<P::Runtime>(2).await;
    let mut under_way = Vec::new();
    for _ in 0..2 {
        let (mut conn, peer) = greeted(&listener, address).await;
        assert!(waits(pin!(conn.handshake())).await, "its peer says no more");
        assert!(!has_heard_nothing(&peer), "its handshake has begun");
        under_way.push((conn, peer));
    }
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let (mut conn, peer) = greeted(&listener, address).await;
        // A receive waits for the handshake as well.
        assert!(waits(pin!(conn.next_line())).await, "two are under way");
        assert!(has_heard_nothing(&peer), "more than two handshakes are under way");
        waiting.push((conn, peer));
    }
    // One that gives up takes no slot with it.
    drop(waiting.remove(0));
    drop(under_way);
    let serving = waiting.into_iter().map(|(mut conn, peer)| async move {
        let peer = unblock(move || {
            let mut peer = peer.handshake()?;
            peer.write_all(b"line\n")?;
            Ok::<_, std::io::Error>(peer)
        });
        assert_line!(conn, "line");
        peer.await.expect("the handshake succeeds");
    });
    for served in serving {
        served.await;
    }
}

/// The wait for a slot is a part of the time that a handshake may take.
pub async fn t6_a_handshake_that_waits_for_a_slot_times_out<P: Platform>() {
    let (listener, address) = bounded::<P::Runtime>(1).await;
    let (mut first, its_peer) = greeted(&listener, address).await;
    assert!(waits(pin!(first.handshake())).await, "its peer says no more");
    let (mut second, _peer) = greeted(&listener, address).await;
    second.configure(|config| config.handshake_timeout(Duration::from_millis(1)));
    let late = second.handshake().await;
    assert_err!(late, Error::Tls(ref error) if error.kind() == TlsErrorKind::TimedOut);
    // The slot was not its to give back.
    let (mut third, peer) = greeted(&listener, address).await;
    assert!(waits(pin!(third.handshake())).await, "the first one goes on");
    assert!(has_heard_nothing(&peer), "two handshakes are under way");
    assert!(end::<P>(first, its_peer, Ending::Good).await.is_some());
}
