//! Ends are final, and every call answers the same one.

use std::task::Poll;

use asyncnet::nim::Flags;
use asyncnet::{Cause, Config, Connection, Error};

use crate::pipe::duplex;
use crate::{WIDE, open, poll_once};

#[track_caller]
fn assert_closed<T: std::fmt::Debug>(answer: Poll<Result<T, Error>>) {
    assert!(matches!(answer, Poll::Ready(Err(Error::Closed))), "{answer:?}");
}

#[test]
fn after_an_end_and_our_close_every_receive_is_closed() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.end();
    assert!(matches!(poll_once(conn.next_line()), Poll::Ready(Ok(None))));
    assert_eq!(poll_once(conn.close()), Poll::Ready(Ok(())));
    assert_closed(poll_once(conn.next_line()));
    assert_closed(poll_once(conn.peek(1)));
    assert_closed(poll_once(conn.with_flags(Flags::PEEK).recv(5)));
    assert_closed(poll_once(conn.with_flags(Flags::PEEK).recv_line()));
}

#[test]
fn too_large_a_block_is_refused_at_once_without_a_buffer_too() {
    let (mut conn, _peer) = open(WIDE, Config::default().buffered(false).max_block(10));
    let answer = poll_once(conn.recv(11));
    assert!(matches!(answer, Poll::Ready(Err(Error::TooLarge { .. }))), "{answer:?}");
}

#[test]
fn too_large_a_block_is_refused_at_once_behind_a_bad_line_too() {
    let (mut conn, peer) = open(WIDE, Config::default().max_line(3).max_block(10));
    peer.say(&[b'x'; 18]);
    assert!(matches!(poll_once(conn.next_line()), Poll::Ready(Err(Error::Line(_)))));
    let answer = poll_once(conn.next_block(11));
    assert!(matches!(answer, Poll::Ready(Err(Error::TooLarge { .. }))), "{answer:?}");
}

#[test]
fn a_close_that_still_flushes_is_closed_to_receives() {
    let (end, _peer) = duplex(8);
    let mut conn = Connection::new(end.with_clock(), Config::default().max_queue(100));
    conn.feed([b'x'; 90]).unwrap();
    assert!(poll_once(conn.close()).is_pending());
    assert_closed(poll_once(conn.recv_line()));
}

#[test]
fn s5_a_receive_meets_the_end_though_the_queue_is_not_out() {
    let (mut conn, peer) = open(8, Config::default());
    peer.say(b"last\n");
    peer.end();
    conn.feed([b'x'; 90]).unwrap();
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(Some(&b"last"[..]))));
    assert_eq!(poll_once(conn.next_line()), Poll::Ready(Ok(None)));
    assert_eq!(peer.hear(), [b'x'; 8], "it has tried once");
}

#[test]
fn a_write_loss_that_came_first_is_the_end_that_stays() {
    let (mut conn, peer) = open(8, Config::default());
    peer.end();
    conn.feed([b'x'; 90]).unwrap();
    assert!(poll_once(conn.flush()).is_pending());
    assert_eq!(conn.end(), None);
    peer.refuse();
    assert!(matches!(poll_once(conn.flush()), Poll::Ready(Err(_))));
    let end = conn.end();
    assert!(matches!(end.map(|end| end.cause), Some(Cause::Lost(_))), "{end:?}");
    assert!(matches!(poll_once(conn.next_line()), Poll::Ready(Err(Error::Disconnected(_)))));
    assert_eq!(conn.end(), end);
}

#[test]
fn an_end_that_a_peek_has_seen_stays_though_a_write_is_lost_later() {
    let (mut conn, peer) = open(8, Config::default().max_queue(1000));
    peer.say(b"abc");
    assert!(poll_once(conn.next_line()).is_pending());
    peer.end();
    assert!(matches!(poll_once(conn.peek(1)), Poll::Ready(Ok(b"abc"))));
    let line = poll_once(conn.with_flags(Flags::PEEK).recv_line());
    assert!(matches!(line, Poll::Ready(Ok(line)) if line.is_empty()));
    peer.refuse();
    conn.feed(b"x").unwrap();
    assert!(matches!(poll_once(conn.flush()), Poll::Ready(Err(_))));
    let before = conn.end().map(|end| end.cause);
    assert!(before.is_some());
    assert!(matches!(poll_once(conn.next_line()), Poll::Ready(Err(Error::Disconnected(_)))));
    assert_eq!(conn.end().map(|end| end.cause), before);
}

#[test]
fn an_end_that_a_peek_answers_is_told_by_end() {
    let (mut conn, peer) = open(WIDE, Config::default());
    peer.end();
    let bytes = poll_once(conn.with_flags(Flags::SAFE_DISCONN | Flags::PEEK).recv(4));
    assert!(matches!(bytes, Poll::Ready(Ok(bytes)) if bytes.is_empty()));
    assert!(conn.end().is_some());
    assert_eq!(conn.end().map(|end| end.cause), Some(Cause::Eof));
}
