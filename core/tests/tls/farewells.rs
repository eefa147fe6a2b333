//! T7: a peer that is refused gets an alert, whatever the reason.

use std::time::Duration;

use asyncnet_core::{Connection, Error, Time, TlsErrorKind};

use crate::link::{connect, failure, started, transmit};
use crate::settings::{VERSIONS, client_layer, pair, server_layer};

/// A record of an alert, alone: two bytes in plain, some more sealed.
fn is_alert(record: &[u8]) -> bool {
    let [21 | 23, 3, _, high, low, body @ ..] = record else { return false };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    len == body.len() && (2..64).contains(&len)
}

#[test]
fn t7_a_refused_hello_is_answered_with_an_alert() {
    for version in VERSIONS {
        let (_, theirs) = pair(version);
        for (what, hello) in [
            ("no TLS", &b"GET / HTTP/1.1\r\n\r\n"[..]),
            ("a hello above 64 KiB", b"\x16\x03\x01\0\x04\x01\xff\xff\xff"),
            (
                "an alert inside a hello",
                b"\x16\x03\x01\0\x04\x01\0\0\x50\x15\x03\x01\0\x02\x01\x5a",
            ),
            ("data before the hello", b"\x17\x03\x03\0\x01x"),
            ("an empty record", b"\x16\x03\x01\0\0"),
        ] {
            let mut conn = started(server_layer(&theirs));
            conn.handle_input(hello);
            assert_eq!(failure(&mut conn), TlsErrorKind::Protocol, "{what}");
            let said = transmit(&mut conn);
            assert!(is_alert(&said), "{what}: {said:02x?}");
            assert_eq!(transmit(&mut conn), b"");
        }
    }
}

#[test]
fn t7_too_many_pieces_of_a_message_are_answered_with_an_alert() {
    let (_, theirs) = pair(VERSIONS[1]);
    let mut conn = started(server_layer(&theirs));
    // One byte each, of a hello of 60 000.
    let mut said = Vec::new();
    for byte in [1, 0, 0xea, 0x60].into_iter().chain(std::iter::repeat_n(0, 60_000)) {
        if conn.handle_input(&[0x16, 3, 1, 0, 1, byte]) == 0 {
            break;
        }
        said = transmit(&mut conn);
        if !said.is_empty() {
            break;
        }
    }
    assert!(matches!(conn.next_line(), Err(Error::Tls(_))));
    assert!(is_alert(&said), "{said:02x?}");
}

#[test]
fn t7_an_alert_is_not_answered() {
    let (_, theirs) = pair(VERSIONS[1]);
    let mut conn = started(server_layer(&theirs));
    conn.handle_input(b"\x15\x03\x01\0\x02\x02\x28");
    assert_eq!(failure(&mut conn), TlsErrorKind::Alert(40));
    assert_eq!(transmit(&mut conn), b"");
}

/// It is `seconds` after the start.
fn at(conn: &mut Connection, seconds: u64) {
    let now = Time::from_start(Duration::from_secs(seconds));
    conn.poll_timeout(now);
    conn.handle_timeout(now);
}

#[test]
fn t7_a_handshake_that_takes_too_long_ends_with_an_alert() {
    for version in VERSIONS {
        let (ours, theirs) = pair(version);
        for layer in [client_layer(&ours), server_layer(&theirs)] {
            let mut conn = started(layer);
            let hello = transmit(&mut conn);
            assert!(!is_alert(&hello));
            at(&mut conn, 0);
            at(&mut conn, 11);
            assert_eq!(failure(&mut conn), TlsErrorKind::TimedOut);
            let said = transmit(&mut conn);
            assert!(is_alert(&said), "{said:02x?}");
            conn.close();
            assert_eq!(transmit(&mut conn), b"", "once is enough");
        }
    }
}

#[test]
fn t7_a_refusal_behind_the_handshake_is_sealed() {
    for version in VERSIONS {
        let (ours, theirs) = pair(version);
        let (_, mut conn) = connect(&ours, &theirs);
        conn.handle_input(b"\x17\x03\x03\0\x20................................");
        assert_eq!(failure(&mut conn), TlsErrorKind::Protocol);
        let said = transmit(&mut conn);
        assert!(is_alert(&said) && said.len() > 7, "{said:02x?}");
    }
}
