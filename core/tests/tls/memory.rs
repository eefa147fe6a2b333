//! What a connection may allocate under TLS. Each test counts the allocations of its own thread.

use allocation_counter::measure;
use asyncnet_core::{SecureLayer as _, TlsErrorKind};

use crate::floods::open;
use crate::link::{deliver, failure, started, transmit};
use crate::settings::{VERSIONS, pair, server_layer};

#[test]
fn a_hello_of_60_kb_in_records_of_one_byte_takes_bounded_memory() {
    let hello = [&b"\x01\x00\xea\x60\x03\x03"[..], &[0; 59_998]].concat();
    let wire: Vec<u8> = hello.iter().flat_map(|byte| [22, 3, 1, 0, 1, *byte]).collect();
    for chunk in [1000, 64 << 10] {
        let (_, theirs) = pair(VERSIONS[1]);
        let mut conn = started(server_layer(&theirs));
        let info = measure(|| {
            for bytes in wire.chunks(chunk) {
                conn.handle_input(bytes);
            }
        });
        assert!(info.bytes_max < 1 << 20, "{} bytes", info.bytes_max);
        assert_eq!(failure(&mut conn), TlsErrorKind::Protocol);
        assert!(transmit(&mut conn).len() <= 7);
    }
}

#[test]
fn an_idle_connection_holds_little_beside_what_rustls_needs() {
    let (mut conn, mut peer) = open(VERSIONS[1]);
    let info = measure(|| {
        for _ in 0..20 {
            let mut out = Vec::new();
            peer.seal(&[&b"a line of text\n".repeat(3000)], &mut out).expect("records");
            deliver(&mut conn, &out);
            drop(out);
            while conn.next_line().is_ok_and(|step| step.ready().is_some()) {}
            assert_eq!(conn.feed(&[b'x'; 30_000]), Ok(()));
            peer.received(&mut transmit(&mut conn), &mut Vec::new(), &mut |_| {}).expect("records");
        }
    });
    // The inbox of a whole connection keeps its block; its halves give that back.
    assert!(info.bytes_current < 200 << 10, "{} bytes", info.bytes_current);
    assert!(info.bytes_max < 1 << 20, "{} bytes", info.bytes_max);
}
