//! [A12]: the connections of a listener, and how many are open.
//!
//! [A12]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a12

use std::net::TcpStream;
use std::pin::pin;
use std::time::Duration;

use futures_lite::StreamExt as _;
use futures_lite::future::{yield_now, zip};

use crate::bed::{Peer as _, Platform};
use crate::places::listen;
use crate::sockets::SocketPeer;
use crate::tools::{assert_line, soon, waits};

/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(60);

/// They come one after the other; dropping the stream loses none.
pub async fn a12_incoming_is_a_stream_of_connections<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let mut peers = Vec::new();
    for i in 0..4 {
        let peer = SocketPeer::connect(&address.into());
        peer.send(format!("{i}\n").as_bytes()).await;
        peers.push(peer);
    }
    let mut next = 0;
    for _ in 0..2 {
        let mut incoming = listener.incoming();
        for _ in 0..2 {
            let conn = incoming.next().await.expect("it has no end");
            assert_line!(conn.expect("a connection"), next.to_string());
            next += 1;
        }
        let mut another = pin!(incoming.next());
        if next == 4 {
            assert!(waits(another.as_mut()).await, "nobody is there");
        }
    }
}

/// The third waits in the queue of the system, whatever closes one of the two.
pub async fn a12_with_max_open_an_accept_waits_for_a_close<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let listener = listener.with_max_open(2);
    let peers: Vec<_> = (0..4).map(|_| SocketPeer::connect(&address.into())).collect();
    let mut one = listener.accept().await.expect("a connection");
    let other = listener.accept().await.expect("a connection");
    assert_eq!(listener.open_connections(), 2);
    {
        let mut third = pin!(listener.accept_addr());
        assert!(waits(third.as_mut()).await, "two are open");
        // A peer that ends its side is not enough; that we close ours is.
        peers[0].shutdown().await;
        assert!(matches!(one.next_line().await, Ok(None)));
        assert!(waits(third.as_mut()).await, "two are open");
        one.close().await.expect("a connection");
        let (mut third, from) = third.await.expect("a connection");
        assert_eq!(from.port(), peers[2].port());
        assert_eq!(listener.open_connections(), 2);
        third.abort();
    }
    assert_eq!(listener.open_connections(), 1);
    let _fourth = listener.accept().await.expect("a connection");
    assert_eq!(listener.open_connections(), 2);
    let mut fifth = pin!(listener.accept());
    assert!(waits(fifth.as_mut()).await, "two are open");
    let _peer = SocketPeer::connect(&address.into());
    drop(other);
    fifth.await.expect("a connection");
}

/// No server is meant to serve nobody.
pub async fn a12_a_limit_of_0_counts_as_1<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let listener = listener.with_max_open(0);
    let _peers = [SocketPeer::connect(&address.into()), SocketPeer::connect(&address.into())];
    let _first = listener.accept().await.expect("a connection");
    assert!(waits(pin!(listener.accept())).await, "one is open");
}

/// Whoever closes, however: what is closed is not open.
pub async fn a12_every_way_to_close_counts<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    assert_eq!(listener.open_connections(), 0);
    for way in 0..4 {
        let peer = SocketPeer::connect(&address.into());
        let mut conn = listener.accept().await.expect("a connection");
        assert_eq!(listener.open_connections(), 1);
        match way {
            0 => drop(conn),
            1 => {
                peer.shutdown().await;
                conn.close().await.expect("a connection");
                assert_eq!(listener.open_connections(), 0, "it is closed");
            }
            2 => conn.abort(),
            _ => {
                let writer = conn.writer();
                assert_eq!(listener.open_connections(), 1);
                drop(conn);
                assert_eq!(listener.open_connections(), 1, "the writer is there");
                drop(writer);
            }
        }
        assert_eq!(listener.open_connections(), 0, "way {way}");
    }
}

/// It stops to listen, and comes back when the last is closed.
pub async fn a12_finish_waits_for_the_open_ones<P: Platform>() {
    let (listener, _) = listen::<P::Runtime>().await;
    assert_eq!(listener.finish(LONG).await.left, 0, "there is none");

    let (listener, address) = listen::<P::Runtime>().await;
    let peers = [SocketPeer::connect(&address.into()), SocketPeer::connect(&address.into())];
    let first = listener.accept().await.expect("a connection");
    let mut second = listener.accept().await.expect("a connection");
    let close = async move {
        yield_now().await;
        let refused = || match TcpStream::connect(address) {
            Err(error) => Ok(error),
            Ok(stream) => Err(stream),
        };
        soon(refused).expect("nobody listens any more");
        drop(first);
        // What is open goes on.
        peers[1].send(b"line\n").await;
        assert_line!(second, "line");
        peers[1].shutdown().await;
        second.close().await.expect("a connection");
    };
    let (finished, ()) = zip(listener.finish(LONG), close).await;
    assert_eq!((finished.closed, finished.aborted, finished.left), (2, 0, 0));
}

/// And otherwise it says how many are left.
pub async fn a12_finish_waits_only_so_long<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>().await;
    let _peers = [SocketPeer::connect(&address.into()), SocketPeer::connect(&address.into())];
    let _first = listener.accept().await.expect("a connection");
    let second = listener.accept().await.expect("a connection");
    drop(second);
    let finished = listener.finish(Duration::from_millis(20)).await;
    assert_eq!((finished.closed, finished.aborted, finished.left), (0, 0, 1));
}
