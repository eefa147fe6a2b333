//! [A17]: a listener that shuts down.
//!
//! [A17]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a17

use std::net::SocketAddr;
use std::time::Duration;

use asyncnet::Listener;
use asyncnet::net::{Finished, ListenOptions};
use futures_lite::future::{or, yield_now};

use crate::bed::{Peer, Platform, Rest, System};
use crate::sockets::SocketPeer;
use crate::system::makes_resets;
use crate::tools::{assert_err, assert_line};

const LONG: Duration = Duration::from_secs(15);

async fn listen<R: System>(options: ListenOptions) -> (Listener<R>, SocketAddr) {
    let listener = Listener::<R>::bind_with("127.0.0.1:0", options).await.expect("a listener");
    let address = listener.local_addr().expect("an address").ip().expect("TCP");
    (listener, address)
}

fn parts(it: Finished) -> (usize, usize, usize) {
    (it.closed, it.aborted, it.left)
}

/// They say goodbye by themselves.
pub async fn a17_connections_are_told_and_end_by_themselves<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(ListenOptions::new()).await;
    let peers = [SocketPeer::connect(&address.into()), SocketPeer::connect(&address.into())];
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let mut conn = listener.accept().await.expect("a connection");
        tasks.push(P::spawn(async move {
            let drain = conn.socket().drain();
            let told = async {
                drain.draining().await;
                true
            };
            let line = async {
                conn.next_line().await.expect("no end");
                false
            };
            assert!(or(told, line).await && drain.is_draining());
            conn.send_line(b"goodbye").await.expect("a connection");
            conn.close().await.expect("a connection");
        }));
    }
    let read = async {
        for peer in &peers {
            assert_eq!(peer.recv(9).await, b"goodbye\r\n");
            peer.shutdown().await;
        }
    };
    let (finished, ()) = futures_lite::future::zip(listener.finish(LONG), read).await;
    assert_eq!(parts(finished), (2, 0, 0));
    for task in tasks {
        task.await;
    }
}

/// An idle one at once, and one that is in the middle of a line behind it.
pub async fn a17_idle_connections_are_closed_at_once<P: Platform>() {
    let options = ListenOptions::new().close_idle(true);
    let (listener, address) = listen::<P::Runtime>(options).await;
    let idle_peer = SocketPeer::connect(&address.into());
    let mut idle = listener.accept().await.expect("a connection");
    let busy_peer = SocketPeer::connect(&address.into());
    let mut busy = listener.accept().await.expect("a connection");
    busy_peer.send(b"ab").await;
    let idle = P::spawn(async move {
        assert_err!(idle.next_line().await, asyncnet::Error::Closed);
    });
    let busy = P::spawn(async move {
        assert_line!(busy, "abc");
        busy.send_line(b"answer").await.expect("a connection");
        assert_err!(busy.next_line().await, asyncnet::Error::Closed);
    });
    let rest = async {
        assert_eq!(idle_peer.recv_all().await, Rest::clean(*b""));
        busy_peer.send(b"c\n").await;
        assert_eq!(busy_peer.recv_all().await, Rest::clean(*b"answer\r\n"));
    };
    let (finished, ()) = futures_lite::future::zip(listener.finish(LONG), rest).await;
    assert_eq!(parts(finished), (2, 0, 0));
    idle.await;
    busy.await;
}

/// The task that waits hears of it, and the peer sees a reset.
pub async fn a17_what_is_left_at_the_limit_is_aborted<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(ListenOptions::new().track(true)).await;
    let peer = SocketPeer::connect(&address.into());
    let (mut conn, from) = listener.accept_addr().await.expect("a connection");
    let task = P::spawn(async move {
        assert_err!(conn.next_line().await, asyncnet::Error::Closed);
    });
    yield_now().await;
    let listed = listener.connections();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].peer, from);
    let finished = listener.finish(Duration::from_millis(20)).await;
    assert_eq!(parts(finished), (0, 1, 0));
    task.await;
    assert!(peer.recv_all().await.reset || !makes_resets());
}
