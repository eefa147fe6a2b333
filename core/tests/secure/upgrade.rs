//! T5: going over to TLS, and what must not be left over in plain.

use asyncnet_core::{
    Cause, Config, Connection, Error, Framing, LineError, Loss, Step, TlsErrorKind, UpgradeRefused,
};

use crate::bed::{Ending, failed, hello, in_any_chunking, started, transmit};
use crate::fake::{Fake, data};

fn plain(wire: &[u8]) -> Connection {
    let mut conn = Connection::new(Config::default().max_line(3));
    assert_eq!(conn.handle_input(wire), wire.len());
    conn
}

/// `conn` refuses, more than once, and is in plain as before.
fn refuses(conn: &mut Connection, why: impl Fn(&Error) -> bool) {
    let before = (conn.peek().to_vec(), conn.unsent(), conn.end(), conn.stats());
    for layer in [Fake::client(1), Fake::server(1)] {
        let refused = conn.start_tls(Box::new(layer)).expect_err("a refusal");
        assert!(why(&refused), "{refused:?}");
        assert!(!conn.is_secure() && !conn.is_handshaking());
        assert_eq!(conn.tls_session(), None);
        assert_eq!((conn.peek().to_vec(), conn.unsent(), conn.end(), conn.stats()), before);
    }
}

#[test]
fn t5_received_plaintext_refuses_and_is_still_there() {
    for wire in [&b"a\n"[..], b"\n", b"a", b"abc\r", b"a\nb\nc"] {
        let mut conn = plain(wire);
        refuses(&mut conn, |why| *why == UpgradeRefused::BufferedPlaintext(wire.len()).into());
        conn.handle_eof();
        let Ok(Step::Ready(bytes)) = conn.recv(wire.len()) else { panic!("what was there") };
        assert_eq!(bytes, wire);
    }
}

#[test]
fn t5_an_injected_line_behind_the_reply_refuses() {
    let mut conn = plain(b"go\r\nEVIL");
    assert!(matches!(conn.next_line(), Ok(Step::Ready(Some(b"go")))));
    refuses(&mut conn, |why| *why == UpgradeRefused::BufferedPlaintext(4).into());
}

#[test]
fn t5_bytes_that_a_rate_holds_back_are_buffered_plaintext() {
    let mut conn = Connection::new(Config::default().max_lines_per_second(1));
    assert_eq!(conn.handle_input(b"go\r\nEVIL\r\n"), 10);
    assert!(matches!(conn.next_line(), Ok(Step::Ready(Some(b"go")))));
    refuses(&mut conn, |why| *why == UpgradeRefused::BufferedPlaintext(6).into());
    assert_eq!(conn.next_line(), Ok(Step::NeedInput));
    refuses(&mut conn, |why| *why == UpgradeRefused::BufferedPlaintext(6).into());
}

#[test]
fn t5_bytes_that_were_peeked_are_still_buffered() {
    let mut conn = plain(b"a\n");
    assert!(matches!(conn.peek_line(), Ok(Step::Ready(Some(b"a")))));
    refuses(&mut conn, |why| *why == UpgradeRefused::BufferedPlaintext(2).into());
    assert!(matches!(conn.next_line(), Ok(Step::Ready(Some(b"a")))));
    assert_eq!(conn.start_tls(Box::new(Fake::client(1))), Ok(()));
}

#[test]
fn t5_unsent_plaintext_refuses_until_its_last_byte_is_transmitted() {
    let mut conn = plain(b"");
    assert_eq!(conn.feed(b"220 go\r\n"), Ok(()));
    for n in (1..=8).rev() {
        refuses(&mut conn, |why| *why == UpgradeRefused::UnsentPlaintext(n).into());
        conn.transmitted(1);
    }
    assert_eq!(conn.start_tls(Box::new(Fake::client(1))), Ok(()));
    assert_eq!(transmit(&mut conn), hello());
}

#[test]
fn t5_a_large_message_that_is_under_way_refuses() {
    let (mut inbound, mut link) = plain(b"").into_halves();
    assert_eq!(link.begin_large(), Ok(()));
    let refused = link.start_tls(&mut inbound, Box::new(Fake::client(1)));
    assert_eq!(refused, Err(Error::Upgrade(UpgradeRefused::UnsentPlaintext(0))));
    link.end_large();
    assert_eq!(link.start_tls(&mut inbound, Box::new(Fake::client(1))), Ok(()));
}

#[test]
fn t5_a_line_that_is_being_discarded_refuses() {
    let mut conn = plain(b"12345");
    assert_eq!(conn.next_line(), Err(Error::Line(LineError::TooLong { max: 3 })));
    refuses(&mut conn, |why| *why == UpgradeRefused::Discarding.into());
    assert_eq!(conn.handle_input(b"6\n"), 2);
    assert_eq!(conn.start_tls(Box::new(Fake::client(1))), Ok(()));

    // A CR whose LF may still come.
    let mut conn = Connection::new(Config::default().framing(Framing::CrLf));
    assert_eq!(conn.handle_input(b"a\rb\r"), 4);
    assert_eq!(conn.next_line(), Err(Error::Line(LineError::BareCr)));
    refuses(&mut conn, |why| *why == UpgradeRefused::Discarding.into());
}

#[test]
fn t5_an_end_refuses_met_or_not() {
    type Ends = fn(&mut Connection);
    let ends: [(Ends, Cause); 2] = [
        (Connection::handle_eof, Cause::Eof),
        (|conn| conn.handle_lost(Loss::Aborted), Cause::Lost(Loss::Aborted)),
    ];
    for (end, cause) in ends {
        let ended = |why: &Error| matches!(why, Error::Disconnected(end) if end.cause == cause);
        let mut conn = plain(b"");
        end(&mut conn);
        refuses(&mut conn, ended);
        let _ = conn.next_line();
        refuses(&mut conn, ended);
    }
}

#[test]
fn t5_a_side_that_cannot_send_refuses() {
    let mut conn = plain(b"");
    conn.close_write();
    refuses(&mut conn, |why| *why == Error::Closed);
    let mut conn = plain(b"");
    conn.close();
    refuses(&mut conn, |why| *why == Error::Closed);
    let mut conn = plain(b"");
    conn.handle_write_lost(Loss::BrokenPipe);
    let lost = Error::Disconnected(Loss::BrokenPipe.into());
    refuses(&mut conn, |why| *why == lost);
}

#[test]
fn t5_a_second_start_is_refused_and_changes_nothing() {
    let mut conn = started(Config::default(), Fake::client(1));
    assert_eq!(
        conn.start_tls(Box::new(Fake::server(1))),
        Err(Error::Upgrade(UpgradeRefused::AlreadyTls))
    );
    assert_eq!(transmit(&mut conn), hello());
    assert_eq!(conn.handle_input(&hello()), 2);
    assert_eq!(
        conn.start_tls(Box::new(Fake::server(1))),
        Err(Error::Upgrade(UpgradeRefused::AlreadyTls))
    );
    assert_eq!(conn.feed(b"x"), Ok(()));
    assert_eq!(transmit(&mut conn), data(b"x"));
    conn.handle_eof();
    assert_eq!(
        conn.start_tls(Box::new(Fake::server(1))),
        Err(Error::Upgrade(UpgradeRefused::AlreadyTls))
    );
}

#[test]
fn t5_nothing_leaves_or_is_taken_in_plain_once_it_began() {
    let conn = || {
        let mut conn = started(Config::default(), Fake::client(1));
        assert_eq!(conn.feed(b"secret"), Ok(()));
        conn
    };
    in_any_chunking(conn, b"a\nb\n", Ending::Eof, |play| {
        // Lines in plain are no records.
        let Err(Error::Tls(error)) = play.line() else { panic!("plaintext was taken") };
        assert_eq!(error.kind(), TlsErrorKind::Protocol);
        assert_eq!(play.conn.peek(), b"");
        assert_eq!(play.conn.unsent(), 0);
        assert!(!play.out.windows(6).any(|bytes| bytes == b"secret"));
    });
}

#[test]
fn t5_lines_before_it_and_lines_behind_it_come_in_order() {
    let conn = || {
        let mut conn = plain(b"go\n");
        assert!(matches!(conn.next_line(), Ok(Step::Ready(Some(b"go")))));
        assert_eq!(conn.start_tls(Box::new(Fake::client(1))), Ok(()));
        conn
    };
    let wire = [hello(), data(b"x\n")].concat();
    in_any_chunking(conn, &wire, Ending::Open, |play| {
        assert_eq!(play.line(), Ok(Some(b"x".to_vec())));
        assert_eq!(play.conn.stats().lines_received, 2);
    });
}

#[test]
fn a_layer_that_cannot_begin_is_an_error_of_the_first_call() {
    let mut layer = Fake::client(1);
    layer.fail_start = true;
    let mut conn = started(Config::default(), layer);
    assert!(!conn.is_handshaking());
    assert_eq!(failed(conn.feed(b"x")), Some(TlsErrorKind::Local));
    for _ in 0..2 {
        assert!(matches!(conn.next_line(), Err(Error::Tls(_))));
        assert_eq!(conn.end().map(|end| end.cause), Some(Cause::TlsFailed));
    }
    assert_eq!(conn.outgoing().next(), None);
}
