//! [A11]: datagrams.
//!
//! [A11]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a11

use std::io::{Error, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use asyncnet::net::{Datagram, DatagramTooLong, Domain};
use asyncnet::{Address, AsyncSocket};
use futures_lite::future::{poll_once, yield_now};

use crate::bed::{Platform, System};
use crate::faulty::Faulty;
use crate::tools::waits;

/// A socket on a port of this machine, and where it is.
async fn bound<R: System>() -> (Datagram<R>, Address) {
    let socket = AsyncSocket::<R>::datagram(Domain::Ipv4);
    let mut socket = socket.expect("a socket");
    socket.bind_addr("127.0.0.1", 0).await.expect("a port");
    let socket = socket.into_datagram().expect("a datagram socket");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

fn too_long(error: &Error) -> DatagramTooLong {
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let detail = error.get_ref().and_then(|detail| detail.downcast_ref());
    *detail.expect("it tells how long")
}

/// Two are two, and each tells where it comes from, so that it can be answered.
pub async fn a11_datagrams_stay_apart<P: Platform>() {
    let ((ours, at), (theirs, from)) = (bound::<P::Runtime>().await, bound::<P::Runtime>().await);
    theirs.send_to(b"one", "127.0.0.1", at.port()).await.expect("it leaves");
    theirs.send_to(b"and two", "127.0.0.1", at.port()).await.expect("it leaves");
    for message in [&b"one"[..], b"and two"] {
        let (received, sender) = ours.recv_from(1500).await.expect("a datagram");
        assert_eq!((&received[..], &sender), (message, &from));
        ours.send_to_addr(&received, &sender).await.expect("it leaves");
        let (received, sender) = theirs.recv_from(message.len()).await.expect("a datagram");
        assert_eq!((&received[..], &sender), (message, &at));
    }
}

/// Nothing in it is no reason not to arrive, and takes no room.
pub async fn a11_an_empty_datagram_arrives<P: Platform>() {
    let (ours, at) = bound::<P::Runtime>().await;
    for max in [0, 1, 1500] {
        ours.send_to_addr(b"", &at).await.expect("it leaves");
        ours.send_to_addr(b"behind it", &at).await.expect("it leaves");
        assert_eq!(ours.recv_from(max).await.expect("a datagram"), (Vec::new(), at.clone()));
        let (received, _) = ours.recv_from(1500).await.expect("a datagram");
        assert_eq!(received, b"behind it");
    }
}

/// It is neither cut nor lost, however often it is refused.
pub async fn a11_a_longer_datagram_is_an_error_and_stays<P: Platform>() {
    let (ours, at) = bound::<P::Runtime>().await;
    let message = vec![b'.'; 1000];
    ours.send_to_addr(&message, &at).await.expect("it leaves");
    for max in [0, 1, 999] {
        let error = ours.recv_from(max).await.expect_err("it is too long");
        let told = too_long(&error);
        assert_eq!((told.len, told.max), (1000, max));
    }
    assert_eq!(ours.recv_from(1000).await.expect("a datagram"), (message, at));
}

/// Tasks that wait together are served, each with a datagram of its own.
pub async fn a11_every_receive_gets_one<P: Platform>() {
    let (ours, at) = bound::<P::Runtime>().await;
    let ours = Arc::new(ours);
    let receives: Vec<_> = (0..3)
        .map(|_| {
            let ours = Arc::clone(&ours);
            P::spawn(async move { ours.recv_from(1500).await.expect("a datagram").0 })
        })
        .collect();
    // Now they wait, or soon will.
    yield_now().await;
    for message in [b"0", b"1", b"2"] {
        ours.send_to_addr(message, &at).await.expect("it leaves");
    }
    let mut received = Vec::new();
    for receive in receives {
        received.push(receive.await);
    }
    received.sort_unstable();
    assert_eq!(received, [b"0", b"1", b"2"]);
}

/// The datagram and the wake-up go to the next who asks.
pub async fn a11_a_dropped_receive_loses_nothing<P: Platform>() {
    let (ours, at) = bound::<P::Runtime>().await;
    let mut first = Box::pin(ours.recv_from(1500));
    assert!(waits(first.as_mut()).await, "there is none");
    let mut second = pin!(ours.recv_from(1500));
    assert!(poll_once(second.as_mut()).await.is_none(), "there is none");
    ours.send_to_addr(b"message", &at).await.expect("it leaves");
    drop(first);
    assert_eq!(second.await.expect("a datagram"), (b"message".to_vec(), at));
}

/// A stream is told so before anything else.
pub async fn a11_a_stream_has_no_datagrams<P: Platform>() {
    let error = AsyncSocket::<P::Runtime>::default().into_datagram().expect_err("a stream");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let stream = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let stream = AsyncSocket::<P::Runtime>::adopt(stream).expect("a socket");
    let error = stream.into_datagram().expect_err("a stream");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// A name may have addresses of both families, and the other one first.
pub async fn a11_a_name_is_sent_to_in_the_sockets_family<P: Platform>() {
    let (ours, at) = bound::<Faulty<P::Runtime>>().await;
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, at.port()));
    Faulty::<P::Runtime>::name([v6, at.ip().expect("UDP")]);
    ours.send_to(b"x", "a.name", at.port()).await.expect("it leaves");
    assert_eq!(ours.recv_from(9).await.expect("a datagram").0, b"x");
}
