//! Two connections and a wire that takes everything.

use std::sync::Arc;

use asyncnet_core::{Config, Connection, Error, SecureLayer, Step, TlsErrorKind};
use rustls::{ClientConfig, ServerConfig};

use crate::settings::{client_layer, server_layer};

/// Everything outgoing, which is then transmitted.
pub(crate) fn transmit(conn: &mut Connection) -> Vec<u8> {
    let mut wire = Vec::new();
    while let Some(first) = conn.outgoing().next() {
        let n = first.len();
        wire.extend_from_slice(first);
        conn.transmitted(n);
    }
    wire
}

pub(crate) fn deliver(conn: &mut Connection, wire: &[u8]) {
    for chunk in wire.chunks(16 << 10) {
        conn.handle_input(chunk);
    }
}

/// Moves everything both ways until nothing moves.
pub(crate) fn settle(a: &mut Connection, b: &mut Connection) {
    loop {
        let wires = [transmit(a), transmit(b)];
        if wires.iter().all(Vec::is_empty) {
            return;
        }
        deliver(b, &wires[0]);
        deliver(a, &wires[1]);
    }
}

pub(crate) fn started(layer: Box<dyn SecureLayer>) -> Connection {
    let mut conn = Connection::new(Config::default());
    assert_eq!(conn.start_tls(layer), Ok(()));
    conn
}

/// A client and a server whose handshake has come to whatever it comes to.
pub(crate) fn connect(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> (Connection, Connection) {
    let (mut a, mut b) = (started(client_layer(client)), started(server_layer(server)));
    settle(&mut a, &mut b);
    (a, b)
}

/// How TLS failed, as the next line tells it, twice; and that every send says so too.
pub(crate) fn failure(conn: &mut Connection) -> TlsErrorKind {
    let Err(Error::Tls(error)) = conn.next_line().map(|_| ()) else { panic!("no error") };
    assert_eq!(conn.next_line(), Err(Error::Tls(error.clone())));
    assert!(conn.feed(b"x").is_err() && !conn.is_handshaking());
    error.kind()
}

pub(crate) fn line(conn: &mut Connection) -> Vec<u8> {
    let Ok(Step::Ready(Some(line))) = conn.next_line() else { panic!("no line") };
    line.to_vec()
}
