//! C5: what the peer sees of a connection that is dropped. Half a message never looks complete.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use asyncnet::tls::Side;
use asyncnet::{CloseLimits, Config, Connection, Error, Timeout};

use crate::layer::{Layer, plaintext};
use crate::pipe::{End, duplex};
use crate::{WIDE, clock, open, open_shared, poll_once};

#[track_caller]
fn assert_reset(peer: &End) {
    assert!(peer.hears_reset() && peer.hears_end(), "it looks complete");
}

#[track_caller]
fn assert_orderly(peer: &End) {
    assert!(!peer.hears_reset() && peer.hears_end());
}

#[test]
fn c5_a_drop_with_bytes_left_resets() {
    let (mut conn, peer) = open(8, Config::default());
    conn.feed([b'x'; 9]).unwrap();
    drop(conn);
    assert_reset(&peer);
    assert_eq!(peer.hear(), [b'x'; 8], "it has tried");
}

#[test]
fn c5_a_drop_that_sends_all_does_not_reset() {
    let (mut conn, peer) = open(8, Config::default());
    conn.feed([b'x'; 8]).unwrap();
    drop(conn);
    assert_orderly(&peer);
    assert_eq!(peer.hear(), [b'x'; 8]);
}

#[test]
fn c5_a_drop_writes_in_one_attempt_however_many_writes_it_takes() {
    for n in [100, 5000] {
        let (mut conn, peer) = open(WIDE, Config::default());
        peer.input.state().chunk = 1000;
        // The turns of this task are used up.
        for _ in 0..32 {
            assert_eq!(poll_once(conn.send_all(b"x")), Poll::Ready(Ok(())));
        }
        conn.feed(vec![b'x'; n]).unwrap();
        drop(conn);
        assert_orderly(&peer);
        assert_eq!(peer.hear().len(), 32 + n);
    }
}

#[test]
fn c5_a_connection_goes_with_its_last_writer() {
    for n in [8, 9] {
        let (conn, writer, peer) = open_shared(8, Config::default());
        writer.feed(vec![b'x'; n]).unwrap();
        let other = writer.clone();
        drop(conn);
        drop(writer);
        assert!(!peer.hears_end());
        drop(other);
        if n == 8 { assert_orderly(&peer) } else { assert_reset(&peer) }
    }
}

#[test]
fn c5_an_abort_resets() {
    let (mut conn, peer) = open(WIDE, Config::default());
    conn.abort();
    assert_reset(&peer);
    let (_conn, writer, peer) = open_shared(WIDE, Config::default());
    writer.abort();
    assert_reset(&peer);
}

#[test]
fn c5_a_close_that_is_dropped_or_gives_up_resets() {
    let limits = CloseLimits::default().flush(Duration::from_secs(5), Duration::from_secs(60));
    let begin = || {
        let (end, peer) = duplex(8);
        let mut conn = Connection::new(end.with_clock(), Config::default().close(limits));
        conn.feed([b'x'; 100]).unwrap();
        assert!(poll_once(conn.close()).is_pending());
        (conn, peer)
    };
    let (conn, peer) = begin();
    drop(conn);
    assert_reset(&peer);
    let (mut conn, peer) = begin();
    clock::strike();
    assert_eq!(poll_once(conn.close()), Poll::Ready(Err(Error::TimedOut(Timeout::Close))));
    assert_reset(&peer);
    let (mut conn, peer) = begin();
    conn.abort();
    assert_eq!(poll_once(conn.close()), Poll::Ready(Err(Error::Closed)));
    assert_reset(&peer);
}

#[test]
fn c5_a_close_that_has_sent_all_does_not_reset_though_it_is_dropped() {
    let (end, peer) = duplex(WIDE);
    let mut conn = Connection::new(end.with_clock(), Config::default());
    conn.feed(b"last words").unwrap();
    assert!(poll_once(conn.close()).is_pending(), "it waits for the end of the peer");
    drop(conn);
    assert_orderly(&peer);
    assert_eq!(peer.hear(), b"last words");
}

#[test]
fn c5_a_half_close_that_has_not_sent_all_resets_when_it_is_dropped() {
    let (mut conn, peer) = open(8, Config::default());
    conn.feed([b'x'; 100]).unwrap();
    assert!(poll_once(conn.shutdown_write()).is_pending());
    drop(conn);
    assert_reset(&peer);
    let (mut conn, peer) = open(8, Config::default());
    conn.feed(b"x").unwrap();
    assert_eq!(poll_once(conn.shutdown_write()), Poll::Ready(Ok(())));
    drop(conn);
    assert_orderly(&peer);
}

#[test]
fn c5_a_large_send_that_was_leaked_resets() {
    for shared in [false, true] {
        let (mut conn, peer) = open(4, Config::default().max_queue(4));
        if shared {
            drop(conn.writer());
        }
        let mut leaked = Box::pin(conn.send_all([b'x'; 100]));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(leaked.as_mut().poll(&mut cx).is_pending());
        std::mem::forget(leaked);
        // The part that was queued is out.
        peer.hear();
        assert!(poll_once(conn.next_line()).is_pending());
        peer.hear();
        drop(conn);
        assert_reset(&peer);
    }
}

#[test]
fn c5_a_torn_message_resets() {
    let (mut conn, peer) = open(4, Config::default().max_queue(4));
    assert!(poll_once(conn.send_all([b'x'; 100])).is_pending());
    assert_eq!(conn.feed(b"x"), Err(Error::Interrupted));
    drop(conn);
    assert_reset(&peer);
}

#[test]
fn c5_a_drop_in_a_handshake_resets_if_bytes_wait_for_its_end() {
    for queued in [false, true] {
        let (mut conn, peer) = open(WIDE, Config::default());
        assert!(poll_once(conn.upgrade_tls(Side::custom(Layer::client(1)))).is_pending());
        if queued {
            conn.feed(b"secret").unwrap();
        }
        drop(conn);
        if queued {
            assert_reset(&peer);
        } else {
            assert_orderly(&peer);
        }
        assert_eq!(plaintext(&peer.hear()), b"");
    }
}
