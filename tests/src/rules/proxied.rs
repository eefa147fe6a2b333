//! [A16]: the PROXY protocol in front of a connection.
//!
//! [A16]: https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md#a16

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use asyncnet::Listener;
use asyncnet::net::ListenOptions;
use blocking::unblock;

use crate::bed::{Platform, System};
use crate::raw::{Raw, VERSIONS, client_config, connect};
use crate::system::makes_resets;
use crate::tls::context;
use crate::tools::assert_line;

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 4660 25\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x12\x34\0\x19";
const CLIENT: &str = "192.0.2.1:4660";

async fn listen<R: System>(options: ListenOptions) -> (Listener<R>, SocketAddr) {
    let options = options.proxy_protocol();
    let listener = Listener::<R>::bind_with("127.0.0.1:0", options).await.expect("a listener");
    let address = listener.local_addr().expect("an address").ip().expect("TCP");
    (listener, address)
}

/// The peer is the client, and the proxy can be asked for.
pub async fn a16_the_peer_is_the_client_that_the_proxy_names<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(ListenOptions::new()).await;
    for header in [V1, V2] {
        let mut proxy = connect(address);
        // A header that is incomplete does not hold up the next connection.
        let mut slow = connect(address);
        slow.write_all(&header[..header.len() - 1]).expect("it listens");
        proxy.write_all(&[header, b"line\n"].concat()).expect("it listens");
        let (mut conn, from) = listener.accept_addr().await.expect("a connection");
        assert_eq!(from.to_string(), CLIENT);
        assert_eq!(conn.socket().peer_addr().expect("an address"), from);
        let proxied = conn.socket().proxied().expect("there is a proxy");
        let proxy_addr = proxy.local_addr().expect("an address");
        assert_eq!(proxied.proxy_addr().ip(), Some(proxy_addr));
        assert_line!(conn, "line");
        slow.write_all(&[&header[header.len() - 1..], b"late\n"].concat()).expect("it listens");
        let mut conn = listener.accept().await.expect("a connection");
        assert_line!(conn, "late");
    }
}

/// The header and the hello come in one segment.
pub async fn a16_tls_begins_behind_the_header<P: Platform>() {
    let options = ListenOptions::new().tls(context());
    let (listener, address) = listen::<P::Runtime>(options).await;
    for header in [V1, V2] {
        let peer = unblock(move || {
            let mut socket = connect(address);
            socket.write_all(header)?;
            let mut peer = Raw::client(socket, client_config(&VERSIONS, None))?;
            peer.write_all(b"line\n")?;
            Ok::<_, std::io::Error>(peer)
        });
        let (mut conn, from) = listener.accept_addr().await.expect("a connection");
        assert_eq!(from.to_string(), CLIENT);
        conn.handshake().await.expect("the handshake succeeds");
        assert_line!(conn, "line");
        peer.await.expect("the handshake succeeds");
    }
}

/// It is reset, and the next one is served.
pub async fn a16_a_connection_without_a_header_is_reset<P: Platform>() {
    let (listener, address) = listen::<P::Runtime>(ListenOptions::new()).await;
    let mut bad = connect(address);
    bad.write_all(b"EHLO example\r\n").expect("it listens");
    let mut good = connect(address);
    good.write_all(&[V1, b"line\n"].concat()).expect("it listens");
    let mut conn = listener.accept().await.expect("the one behind the proxy");
    assert_line!(conn, "line");
    let read = unblock(move || bad.read(&mut [0; 8])).await;
    if makes_resets() {
        assert_eq!(read.expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    }
}
